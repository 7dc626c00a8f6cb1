"""Tests other code in the shell: traps, readonly names, local variables, copied functions."""

import os
import subprocess

import pytest
from conftest import DEV, aws, need

OUTER = {"AWS_PROFILE": "home", "AWS_REGION": "home-1"}

# Plain names, such as a script or a user may have made readonly.
NAMES = ["answer", "arguments", "changed", "code", "count", "dir", "event", "file", "found", "left", "line", "name", "names", "number", "others", "pair", "part", "place", "problem", "program", "quoted", "rest", "status_", "text", "told", "typed", "value", "version", "word", "words"]


@pytest.mark.parametrize("when", ["before", "inside"])
def test_a_readonly_name_stops_nothing(shell, terminal, project, when):
    """fish has no readonly variables: there they are merely set."""
    freeze = "; ".join(f"set -g {name} kept" for name in NAMES) if shell == "fish" else f"readonly {'=kept '.join(NAMES)}=kept"
    tty = terminal(shell, before=freeze if when == "before" else "", env=OUTER)
    before = tty.env()
    tty.run(f"cd {project}")
    if when == "inside":
        tty.run(freeze)
    assert aws(tty.env()).items() >= DEV.items() and "AWS_PROFILE" not in aws(tty.env())
    tty.run("awsrole refresh")
    tty.run("")
    tty.run("cd /")
    assert tty.env() == before
    out = tty.file()
    tty.run(f"builtin echo $name $place $words > {out}")
    assert out.read_text() == "kept kept kept\n"


TRAPS = {
    "bash": "set -T; trap 'builtin echo \"$BASH_COMMAND $*\" >> {0}' DEBUG",
    "bash ERR": "set -E; trap 'builtin echo \"$BASH_COMMAND $*\" >> {0}' ERR",
    "bash RETURN": "set -T; trap 'builtin echo \"$BASH_COMMAND $*\" >> {0}' RETURN",
    "zsh": "trap 'builtin print -r -- \"$ZSH_DEBUG_CMD\" >> {0}' DEBUG",
    "zsh function": "TRAPDEBUG() {{ builtin print -r -- \"$ZSH_DEBUG_CMD $*\" >> {0} }}",
    "zsh before": "setopt debug_before_cmd; trap 'builtin print -r -- \"$ZSH_DEBUG_CMD\" >> {0}' DEBUG",
    "zsh after": "unsetopt debug_before_cmd; trap 'builtin print -r -- \"$ZSH_DEBUG_CMD\" >> {0}' DEBUG",
    "fish": "function log --on-event fish_preexec --on-event fish_postexec; builtin echo $argv >> {0}; end; set -g fish_trace 1",
}


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_no_trap_sees_a_secret(terminal, project, tmp_path, trap, when):
    log = tmp_path / "log"
    tty = terminal(trap.split()[0], **{when: TRAPS[trap].format(log)}, env=OUTER | {"AWS_SECRET_ACCESS_KEY": "prior-secret"})
    output = tty.run(f"cd {project}")
    output += tty.run("")
    output += tty.run("awsrole refresh")
    output += tty.run("cd /")
    output += tty.run(f"cd {project}/deep; :")
    output += tty.run("awsrole off")
    assert aws(tty.env())["AWS_SECRET_ACCESS_KEY"] == "prior-secret"
    output += log.read_text() if log.exists() else ""
    assert log.exists() or "ERR" in trap
    assert not [secret for secret in ("secret-of-dev", "token-of-dev", "prior-secret") if secret in output]


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_REGION"])
def test_a_value_for_one_call_is_no_manual_change(shell, terminal, project, stand_in, name):
    tty = terminal(shell, env=OUTER)
    tty.run(f"cd {project}")
    said = tty.run(f"{name}=ops awsrole refresh")
    assert "changed manually" not in said
    inside = aws(tty.env())
    assert inside.items() >= DEV.items() and "AWS_PROFILE" not in inside
    assert stand_in.events() == ["cd", "cd"]
    tty.run("cd /")
    assert aws(tty.env()) == OUTER


def test_a_value_for_the_call_that_enters(shell, terminal, project):
    """It is neither the prior value nor the role's source."""
    text = (project / ".awsrole.toml").read_text()
    (project / ".awsrole.toml").write_text("")
    tty = terminal(shell, env=OUTER)
    tty.run(f"cd {project}")
    (project / ".awsrole.toml").write_text(text)
    tty.run("AWS_PROFILE=ops awsrole allow")
    inside = aws(tty.env())
    assert inside.items() >= DEV.items() and "AWS_PROFILE" not in inside
    tty.run("cd /")
    assert aws(tty.env()) == OUTER


FUNCTIONS = {
    "bash": "f() {{ local {0}=ops; export {0}; cd {1}; }}; f",
    "zsh": "f() {{ local {0}=ops; export {0}; cd {1} }}; f",
    "fish": "function f; set -lx {0} ops; cd {1}; end; f",
}


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_REGION", "AWS_ACCESS_KEY_ID"])
def test_a_variable_of_a_function_is_no_prior_value(shell, terminal, project, name):
    """A decision inside a function is about the global variables."""
    outer = OUTER | {"AWS_ACCESS_KEY_ID": "AKIAHOME", "AWS_SECRET_ACCESS_KEY": "mine"}
    tty = terminal(shell, env=outer)
    assert "awsrole:" not in tty.run(FUNCTIONS[shell].format(name, project))
    inside = aws(tty.env())
    assert inside.items() >= DEV.items() and "AWS_PROFILE" not in inside
    tty.run("cd /")
    assert aws(tty.env()) == outer


def test_an_exported_universal_is_a_manual_change(terminal, project, stand_in):
    """Set here or in another window: it goes to every child."""
    tty = terminal("fish", env={"AWS_REGION": "home-1"})
    tty.run(f"cd {project}")
    assert "AWS_PROFILE was changed manually" in tty.run("set -Ux AWS_PROFILE ops")
    assert aws(tty.env()) == {"AWS_PROFILE": "ops", "AWS_REGION": "home-1"}
    tty.run("cd /")
    assert aws(tty.env()) == {"AWS_PROFILE": "ops", "AWS_REGION": "home-1"}
    tty.run("set -e -U AWS_PROFILE")
    assert aws(tty.env()) == {"AWS_REGION": "home-1"}


def test_functions_that_travel_without_their_shell(shell, terminal, project, stand_in, tmp_path):
    """Agents and tools copy functions into shells that never sourced the snippet."""
    copied = tmp_path / "functions"
    tty = terminal(shell)
    names = {"bash": "declare -f cd pushd popd awsrole", "zsh": "functions awsrole", "fish": "functions awsrole"}[shell]
    tty.run(f"{names} > {copied}")
    bin = tmp_path / "path"
    bin.mkdir()
    os.symlink(stand_in.program, bin / "awsrole")
    status = "$status" if shell == "fish" else "$?"
    script = f". {copied}; cd {project} && echo RAN; pushd / >/dev/null && echo PUSHED; cd /nowhere-at-all; echo {status}; awsrole exit 3; echo {status}"
    done = subprocess.run([need(shell), "-c", script], capture_output=True, text=True, env={"PATH": f"{bin}:{os.environ['PATH']}", "HOME": str(tmp_path)})
    assert done.stdout.splitlines()[:3] == ["RAN", "PUSHED", "1"] and done.stdout.splitlines()[-1] == "3", done
    assert "not found" not in done.stderr and "Unknown command" not in done.stderr


def test_an_alias_of_the_command(shell, terminal, project):
    """The user's alias stays, and the hook works."""
    tty = terminal(shell, before="alias awsrole='echo alias; command awsrole'", env=OUTER)
    assert "error" not in tty.greeting and "awsrole:" not in tty.greeting
    tty.run(f"cd {project}")
    assert aws(tty.env()).items() >= DEV.items()
    tty.run("cd /")
    assert aws(tty.env()) == OUTER


def test_cd_in_an_rc_file_asks_nothing(shell, terminal, project, stand_in):
    tty = terminal(shell, after=f"cd {project}", env=OUTER)
    assert aws(tty.env()).items() >= DEV.items()
    assert not [start for start in stand_in.starts() if "--ask" in start["argv"]]
    tty.run("cd /")
    tty.run(f"cd {project}")
    assert "--ask" in stand_in.starts()[-1]["argv"]


@pytest.mark.parametrize("manager", ["MC_SID=1", "RANGER_LEVEL=1", "NNNLVL=1"])
def test_no_question_below_a_file_manager(shell, terminal, project, stand_in, manager):
    tty = terminal(shell, env=dict([manager.split("=")]))
    tty.run(f"cd {project}")
    assert aws(tty.env()).items() >= DEV.items()
    assert stand_in.events() == ["cd"] and "--ask" not in stand_in.starts()[0]["argv"]


COMPLETIONS = {
    "bash": 'look() {{ pushd {0} >/dev/null; COMPREPLY=(found-"${{AWS_ACCESS_KEY_ID-none}}"); popd >/dev/null; }}; complete -F look look',
    "zsh": "autoload -U compinit; compinit -D; _look() {{ pushd -q {0}; compadd found-${{AWS_ACCESS_KEY_ID-none}}; popd -q }}; compdef _look look",
    "zsh substitution": "autoload -U compinit; compinit -D; _look() {{ compadd $(cd {0}; echo found-${{AWS_ACCESS_KEY_ID-none}}) }}; compdef _look look",
    "fish": "function look_around; pushd {0}; echo found-$AWS_ACCESS_KEY_ID; popd; end; complete -c look -f -a '(look_around)'",
    "fish condition": "function look_around; pushd {0}; popd; end; complete -c look -f -n look_around -a found-",
}


@pytest.mark.parametrize("kind", COMPLETIONS)
def test_a_completion_that_moves_the_shell(terminal, project, stand_in, kind):
    """It asks nothing, prints nothing and leaves nothing. (In fish the shell has really moved, and has the role.)"""
    shell = kind.split()[0]
    tty = terminal(shell, after=COMPLETIONS[kind].format(project), editing=True, env=OUTER)
    tty.send("look f\t")
    tty.process.expect("found-([a-zA-Z]*)")
    assert shell == "fish" or tty.process.match[1] == b"none"
    tty.send("\x15")
    assert "awsrole:" not in tty.run(" true")
    assert aws(tty.env()) == OUTER
    assert not [start for start in stand_in.starts() if "--ask" in start["argv"]]
    assert shell == "fish" or not stand_in.starts()


def test_a_zsh_without_modules(terminal, project, stand_in):
    """One line, and nothing half active."""
    tty = terminal("zsh", before="module_path=(/nowhere)", env=OUTER)
    assert tty.greeting.count("lacks the modules") == 1 and len(tty.greeting.splitlines()) == 1
    assert "awsrole" not in tty.run(f"cd {project} && pushd -q / && popd -q && true")
    assert aws(tty.env()) == OUTER and not stand_in.starts()


def test_a_readonly_prompt_command(terminal, project, stand_in):
    """One line, and nothing half active."""
    tty = terminal("bash", before="readonly PROMPT_COMMAND=:", env=OUTER)
    assert tty.greeting.count("PROMPT_COMMAND is readonly") == 1 and len(tty.greeting.splitlines()) == 1
    assert "PROMPT_COMMAND" not in tty.run(f"cd {project} && pushd / && popd && true")
    assert aws(tty.env()) == OUTER and not stand_in.starts()
    assert "the command status" in tty.run("awsrole status")
    assert stand_in.starts()[-1]["env"]["AWSROLE_HOOK"] == "readonly"
