"""Tests the function `awsrole`, hooks before a command, completions, and prompts."""

import time

import pytest
from conftest import BLOCKED, DEV, aws

from support.documents import ROOT
from support.hooked_shell import HookedWorld
from support.terminal import runs_in_ps0
from support.world import DEPLOY, HERE, THERE


def assign(shell, name, value):
    return f"set -g {name} {value}" if shell == "fish" else f"{name}={value}"


def status(tty):
    out = tty.file()
    tty.run(f"echo {'$status' if tty.shell == 'fish' else '$?'} > {out}")
    return out.read_text().strip()


def test_off_and_on(shell, terminal, project, stand_in):
    tty = terminal(shell, env={"AWS_PROFILE": "home"}, cwd=project)
    assert "awsrole: off: your environment is back in this shell, until `awsrole on`" in tty.run("awsrole off")
    assert aws(tty.env()) == {"AWS_PROFILE": "home"}
    tty.run("cd deep")
    tty.run("cd ..")
    stand_in.bump_generation()
    tty.run("")
    assert aws(tty.env()) == {"AWS_PROFILE": "home"}
    assert len(stand_in.starts()) == 1
    tty.run("awsrole status")
    assert stand_in.starts().pop()["env"]["AWSROLE_HOOK"] == "off"
    tty.run("awsrole on")
    assert aws(tty.env()).items() >= DEV.items()
    assert stand_in.events() == ["prompt", "cd"]


def test_use(shell, terminal, project, stand_in):
    tty = terminal(shell, cwd=project)
    tty.run("awsrole use prod")
    assert status(tty) == "0"
    assert aws(tty.env())["AWS_ACCESS_KEY_ID"] == "ASIAPROD"
    assert stand_in.starts()[-1]["argv"][3:-1] == ["--event", "cd", "--protocol", "1", "--views", "--ask", "--role", "prod", "--"]
    (project / ".awsrole.toml").write_text('role = "edited"\n')
    tty.run("cd deep")
    assert aws(tty.env())["AWS_ACCESS_KEY_ID"] == "ASIAPROD"
    tty.run("awsrole use -")
    assert aws(tty.env())["AWS_ACCESS_KEY_ID"] == "ASIAEDITED"
    # It was said for this project: coming back by `cd` alone is the default role again.
    tty.run("awsrole use prod")
    tty.run("cd /")
    tty.run(f"cd {project}")
    assert aws(tty.env())["AWS_ACCESS_KEY_ID"] == "ASIAEDITED"
    (project / ".awsrole.toml").write_text('state = "blocked"\n')
    tty.run("awsrole use nobody")
    assert status(tty) == "1"
    assert aws(tty.env()) == BLOCKED | {"AWSROLE_CHOSEN": f"{project}/.awsrole.toml=nobody"}


def test_use_none(shell, terminal, project, stand_in):
    """It ends the choices of this shell, however many there were before."""
    tty = terminal(shell, env={"AWS_PROFILE": "home"}, cwd=project)
    for line, role in (("use prod", "prod"), ("use test", "test"), ("use --none", "dev"), ("use -", "test"), ("use --none", "dev"),
                       ("use --profile one", "dev"), ("use --profile two", "dev"), ("use --none", "dev")):
        tty.run(f"awsrole {line}")
        assert aws(tty.env())["AWSROLE_ROLE"] == role, line
    tty.run("cd /")
    assert aws(tty.env()) == {"AWS_PROFILE": "home"}
    for line in ("use --profile one", "use --profile two"):
        tty.run(f"awsrole {line}")
    assert "your environment is back" in tty.run("awsrole use --none")
    assert aws(tty.env()) == {"AWS_PROFILE": "home"}
    tty.run("awsrole use -")
    assert aws(tty.env())["AWSROLE_ROLE"] == "two"


@pytest.mark.parametrize("options", ["--account 1 --role-name Admin", "--sso-session=corp --role-name=Admin --account=1"])
def test_use_a_permission_set(shell, terminal, stand_in, options):
    tty = terminal(shell, cwd="/")
    tty.run(f"awsrole use {options}")
    assert aws(tty.env())["AWSROLE_ROLE"] == "corp/1/Admin"
    assert stand_in.starts()[-2]["argv"] == ["hook", "choose", *options.split()]


def test_use_never_goes_back_to_a_role_that_failed(shell, terminal, project, stand_in):
    tty = terminal(shell, cwd=project)
    tty.run("awsrole use prod")
    tty.run("awsrole use shut")
    assert aws(tty.env()).items() >= BLOCKED.items()
    for line, role in (("use -", "prod"), ("use -", "prod"), ("use --none", "dev")):
        tty.run(f"awsrole {line}")
        assert aws(tty.env())["AWSROLE_ROLE"] == role, line


def test_use_tries_the_role_of_a_blocked_project_again(shell, terminal, project, stand_in):
    (project / ".awsrole.toml").write_text('state = "blocked"\n')
    tty = terminal(shell, cwd=project)
    for _ in range(2):
        assert "`awsrole use -` assumes the role again" in tty.run("awsrole use -")
        assert aws(tty.env()) == {}
        assert "your environment is back" not in tty.run("awsrole use -")
        assert aws(tty.env()) == BLOCKED


@pytest.mark.parametrize("line", ["refresh --bogus", "refresh --help"])
def test_only_a_refresh_refreshes(shell, terminal, project, stand_in, line):
    tty = terminal(shell, cwd=project)
    tty.run(f"awsrole {line}")
    assert stand_in.events() == ["prompt"]


@pytest.mark.parametrize("line", ["refresh", "refresh --all"])
def test_a_refresh_without_a_role_fails(shell, terminal, project, stand_in, line):
    """`awsrole refresh && deploy` must not go on in a blocked shell."""
    tty = terminal(shell, cwd=project)
    tty.run(f"awsrole {line}")
    assert status(tty) == "0"
    (project / ".awsrole.toml").write_text('state = "blocked"\n')
    tty.run("")
    tty.run(f"awsrole {line}")
    assert status(tty) == "1" and aws(tty.env()).items() >= BLOCKED.items()


def test_codes_of_a_refused_choice(shell, tmp_path):
    """The shell keeps its role, or is blocked."""
    with HookedWorld(tmp_path) as world:
        roles = DEPLOY + f'[role.audit]\nrole_arn = "arn:aws:iam::{THERE}:role/Closed"\n'
        tty = world.terminal(shell, world.project("shop", roles, allow=True))
        assert "this shell keeps Deploy" in tty.run("awsrole use audit") and status(tty) == "4"
        tty.run("awsrole off")
        assert "blocked: AWS commands fail here" in tty.run("awsrole use audit") and status(tty) == "1"
        assert "blocked: AWS commands fail here" in tty.run("awsrole refresh") and status(tty) == "1"


@pytest.mark.parametrize("line", ["refresh", "refresh --all"])
def test_a_refresh_prints_an_error_once(shell, tmp_path, line):
    with HookedWorld(tmp_path) as world:
        tty = world.terminal(shell, world.project("shop", DEPLOY + f'account_id = "{HERE}"\n', allow=True))
        said = tty.run(f"awsrole {line}")
        assert said.count(f"account_id pins {HERE}") == 1 and said.count("awsrole: ") == 1, said
        assert "blocked: AWS commands fail here" in said and status(tty) == "1"


@pytest.mark.parametrize("line", ["refresh", "refresh --all"])
def test_a_refresh_without_an_approval_prints_the_error_once(shell, tmp_path, line):
    with HookedWorld(tmp_path) as world:
        project = world.project("shop", DEPLOY)
        tty = world.terminal(shell, project)

        def refresh(expected):
            said = tty.run(f"awsrole {line}")
            assert said.count("awsrole: ") == said.count(expected) == 1 and status(tty) in ("1", "3"), said

        refresh("shop/.awsrole.toml isn't allowed")
        tty.run("awsrole deny")
        refresh("was denied")  # the hook says nothing about a denied file
        tty.run("awsrole allow --yes")
        world.project("shop", DEPLOY + 'region = "eu-west-1"\n')
        refresh("changed since it was allowed")
        tty.run("awsrole off")
        refresh("changed since it was allowed")  # the hook is off


@pytest.mark.parametrize("line", ["awsrole refresh --", "AWS_PROFILE=jump awsrole refresh 2>&1 | cat"])
def test_a_refresh_after_which_the_hook_may_not_decide_prints_the_error(shell, tmp_path, line):
    with HookedWorld(tmp_path) as world:
        tty = world.terminal(shell, world.project("shop", DEPLOY, allow=True))
        world.project("shop", DEPLOY + 'region = "eu-west-1"\n')
        tty.run("")
        assert "changed since it was allowed" in tty.run(line)


def test_other_commands_go_to_the_binary(shell, terminal, project, stand_in):
    tty = terminal(shell, cwd=project)
    assert "the command exit 7 a  b" in tty.run("awsrole exit 7 'a  b'")
    # The binary gets AWSROLE_HOOK with the state of the hook. No other process gets it.
    assert stand_in.starts()[-1]["env"]["AWSROLE_HOOK"] == "on" and "AWSROLE_HOOK" not in stand_in.starts()[0]["env"]
    assert b"AWSROLE_HOOK" not in tty.env()
    tty.run("awsrole exit 7")
    assert status(tty) == "7"
    assert stand_in.events() == ["prompt"]
    # These see what the shell holds, and what changes the generation takes effect at once.
    assert stand_in.starts()[-1]["env"]["AWS_ACCESS_KEY_ID"] == "ASIADEV"
    tty.run("awsrole allow")
    assert stand_in.events() == ["prompt", "cd"]
    tty.run("awsrole refresh")
    assert stand_in.events() == ["prompt", "cd", "cd"]
    tty.run("awsrole refresh --all")
    assert stand_in.events() == ["prompt", "cd", "cd", "cd"]
    tty.run("awsrole")
    assert stand_in.starts()[-1]["argv"] == []


def standing(tty, stand_in):
    """Returns the state of the hook that the shell passes to the binary."""
    tty.run("awsrole status")
    return [start for start in stand_in.starts() if start["argv"] == ["status"]][-1]["env"]["AWSROLE_HOOK"]


def test_the_binary_is_told_of_a_manual_change(shell, terminal, project, stand_in):
    tty = terminal(shell, cwd=project)
    tty.run("set -gx AWS_PROFILE ops" if shell == "fish" else "export AWS_PROFILE=ops")
    assert standing(tty, stand_in) == "inactive"
    tty.run("awsrole refresh")
    assert stand_in.starts()[-2]["env"]["AWSROLE_HOOK"] == "inactive" and standing(tty, stand_in) == "on"
    assert aws(tty.env()).items() >= DEV.items()


@pytest.mark.parametrize("shell, line", [("bash", "PROMPT_COMMAND=(other)"), ("zsh", "precmd_functions=(other)"),
                                         ("fish", "functions -e __awsrole_on_prompt")])
def test_the_binary_is_told_that_the_prompts_hook_was_replaced(terminal, project, stand_in, shell, line):
    define = "function other; end" if shell == "fish" else "other() { :; }"
    tty = terminal(shell, after=f"{define}\n{line}", cwd=project)
    assert standing(tty, stand_in) == "replaced"
    tty.run("awsrole off")
    assert standing(tty, stand_in) == "off"


def test_a_hook_that_is_called_by_another_is_not_replaced(terminal, project, stand_in):
    """As VS Code's shell integration does it."""
    after = 'before=("${PROMPT_COMMAND[@]}"); other() { for one in "${before[@]}"; do eval "$one"; done; }; PROMPT_COMMAND=(other)'
    tty = terminal("bash", after=after, cwd=project)
    assert aws(tty.env()).items() >= DEV.items() and standing(tty, stand_in) == "on"


def test_where_prompts_can_not_be_hooked_nothing_activates_awsrole(terminal, project, stand_in):
    tty = terminal("bash", before="readonly PROMPT_COMMAND", cwd=project)
    for command in ("on", "use prod", "use", "use -", "use --none", "off"):
        assert "inactive in this shell" in tty.run(f"awsrole {command}")
        assert status(tty) == "1" and aws(tty.env()) == {} and stand_in.starts() == []
    tty.run("cd deep; cd ..")
    assert standing(tty, stand_in) == "readonly" and stand_in.events() == []
    assert "the command use --help" in tty.run("awsrole use --help")


def test_what_falls_due_while_the_prompt_sat_there(shell, terminal, project, stand_in):
    (project / ".awsrole.toml").write_text('role = "dev"\ndeadline = 1\n')
    tty = terminal(shell, cwd=project)
    starts = len(stand_in.starts())
    deadline = time.time() + 1
    while time.time() < deadline + 0.2:
        time.sleep(0.05)
    out = tty.file()
    tty.run(f"cat {stand_in.log} > {out}")
    seen_by_the_command = len(out.read_text().splitlines())
    if shell == "bash" and not runs_in_ps0():
        # Before bash 5.3 nothing can run in the shell before a command: the prompt after it renews.
        assert seen_by_the_command == starts
    else:
        assert seen_by_the_command > starts
    assert stand_in.events()[-1] == "due"


def test_ps0_is_no_command(terminal, project):
    """Unless something is due, no DEBUG trap fires before the user's command, and a child that inherits PS0 is silent."""
    tty = terminal("bash", before="export PS0='[mine]'", cwd=project)
    typed = tty.file()
    typed.write_text("echo ran\n")
    assert "awsrole" not in tty.run(f"PS1= bash --norc --noediting -i < {typed}")
    tty.run("trap 'echo \"<$BASH_COMMAND>\"' DEBUG")
    assert tty.run("echo ran").startswith("[mine]<echo ran>\nran")


def test_a_readonly_ps0_is_left_alone(terminal, project):
    tty = terminal("bash", before="readonly PS0='[mine]'")
    assert tty.run(f"cd {project} && echo $AWSROLE_ROLE") == "[mine]dev"


def left(shell):
    """Returns the function of `awsrole prompt` that formats the time left."""
    return (ROOT / f"shell/left.{shell}").read_text()


def test_no_shell_evaluates_an_expiration(shell, terminal, project):
    """bash and zsh run commands in the subscripts of what they calculate with."""
    hostile = "x[$(touch PWNED)]"
    (project / ".awsrole.toml").write_text('role = "dev"\nvalues = { AWSROLE_EXPIRES = "' + hostile + '" }\n')
    tty = terminal(shell, after=left(shell), cwd=project, env={"AWSROLE_EXPIRES": hostile})
    assert hostile in tty.run('echo "$AWSROLE_EXPIRES/$AWSROLE_STATE"')
    for line in ("true", "awsrole_left", "true"):
        tty.run(line)
    assert not (project / "PWNED").exists()


def test_an_inherited_end_is_not_a_roles(shell, terminal, project):
    (project / ".awsrole.toml").write_text('state = "outer"\n')
    tty = terminal(shell, after=left(shell), cwd=project, env={"AWSROLE_EXPIRES": "08"})
    ask = "awsrole_left" if shell == "fish" else "awsrole_left; echo $REPLY"
    assert "expired" not in tty.run("true") + tty.run(ask)
    (project / ".awsrole.toml").write_text('role = "dev"\nvalues = { AWSROLE_EXPIRES = "08" }\n')
    tty.run("")
    said = tty.run(ask)
    assert "expired" in said and "base" not in said


def test_whoever_logs_out_is_not_asking_again(shell, terminal, project, stand_in):
    tty = terminal(shell, cwd=project)
    tty.run("awsrole logout")
    assert stand_in.events() == ["prompt", "prompt"]
    assert not [start for start in stand_in.starts() if "--ask" in start["argv"]]


def test_a_role_can_be_chosen_from_a_list(shell, terminal, project, stand_in):
    tty = terminal(shell, cwd=project)
    tty.run("awsrole use")
    assert aws(tty.env())["AWS_ACCESS_KEY_ID"] == "ASIAPROD"
    tty.run("awsrole use --help")
    assert stand_in.starts()[-1]["argv"] == ["use", "--help"]


def test_a_chosen_role_goes_on_in_a_nested_shell(shell, terminal, project, stand_in):
    (project / ".awsrole.toml").write_text('role = "dev"\nchose = "prod"\n')
    tty = terminal(shell, cwd=project)
    (project / ".awsrole.toml").write_text('role = "dev"\n')
    tty.run("")
    assert stand_in.starts()[-1]["argv"][-4:-2] == ["--role", "prod"]


def test_a_question_can_be_put_after_cd(shell, terminal, project, stand_in):
    (project / ".awsrole.toml").write_text('role = "dev"\nask = true\n')
    tty = terminal(shell)
    tty.run(f"cd {project}")
    tty.run("awsrole refresh")
    asked = [start for start in stand_in.starts() if "--ask" in start["argv"]]
    assert [start["foreground"] for start in asked] == [True, True]


def test_completion_in_zsh_changes_nothing(terminal, project, stand_in):
    widget = f"look() {{ x=$(cd {project}; print ${{AWS_ACCESS_KEY_ID-none}}); zle -M found:$x }}; zle -N look; bindkey '^T' look"
    tty = terminal("zsh", after=widget, editing=True)
    tty.send("\x14")
    tty.process.expect("found:(.*?)[\r\n\x1b]")
    assert tty.process.match[1] == b"none"
    assert not stand_in.starts()


def test_completion_in_bash_changes_nothing(terminal, project, stand_in):
    complete = f'look() {{ COMPREPLY=(found-$(cd {project}; echo "${{AWS_ACCESS_KEY_ID-none}}")); }}; complete -F look look'
    tty = terminal("bash", after=complete, editing=True)
    tty.send("look \t")
    tty.process.expect("found-([a-zA-Z]*) ")
    assert tty.process.match[1] == b"none"
    assert not stand_in.starts()


def test_no_process_stays_behind(shell, terminal, project):
    tty = terminal(shell, cwd=project)
    out = tty.file()
    tty.run(f"jobs > {out}")
    assert out.read_text() == ""


def test_use_in_a_pipeline(shell, terminal, project):
    """It can't change the shell that starts the pipeline, except in fish; then it says so."""
    tty = terminal(shell)
    tty.run(f"cd {project}")
    before = aws(tty.env())
    said = tty.run("awsrole use prod | cat")
    assert said.count("awsrole: only this subshell uses prod") == (shell != "fish")
    if shell == "fish":
        assert "prod" in str(aws(tty.env()))
    else:
        assert aws(tty.env()) == before
        assert "awsrole:" not in tty.run("(awsrole use prod)")
