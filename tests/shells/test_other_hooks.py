"""Tests awsrole together with mise, starship and bash-preexec, loaded before or after it: all of them work."""

import os

import pytest
from conftest import DEV, ROOT, aws, need

THIRD_PARTY = ROOT / ".cache/tests/third_party"
OUTER = {"AWS_PROFILE": "home", "AWS_REGION": "home-1"}
# starship draws the prompt anew each time; this one counts, so that the tests know when it is there.
PROMPT_AGAIN = {
    "bash": "PROMPT_COMMAND+=(again); again() { drawn=${PS1@Q}; PS1='@@ready:$((++ready_count))@@'; }",
    "zsh": "again() { [[ $PROMPT == *ready* ]] || drawn=$PROMPT; PROMPT='@@ready:$((++ready_count))@@' RPROMPT= }; precmd_functions+=(again)",
    "fish": "functions -c fish_prompt drawn; functions -e fish_right_prompt; "
    "function fish_prompt; drawn >/dev/null; builtin printf '@@ready:%s@@' $ready_count; end",
}


def of_third_party(path: str):
    """A file that tests/setup installed; without it the test fails in CI and is visibly skipped elsewhere."""
    file = THIRD_PARTY / path
    if not file.exists():
        missing = f"{path} is missing: tests/setup third_party"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    return file


def loaded(shell: str, command: str) -> str:
    return f"{command} {shell} | source" if shell == "fish" else f'eval "$({command} {shell})"'


def comes_and_goes(tty, project, stand_in):
    """Once in, about, and out: one process, and everything as it was."""
    before = aws(tty.env())
    starts = len(stand_in.starts())
    tty.run(f"cd {project}")
    inside = aws(tty.env())
    assert inside.items() >= DEV.items() and "AWS_PROFILE" not in inside
    tty.run("cd deep")
    tty.run("true")
    assert aws(tty.env()) == inside
    assert len(stand_in.starts()) == starts + 1
    tty.run("cd /")
    assert aws(tty.env()) == before
    out = tty.file()
    tty.run("sh -c 'exit 7'")
    tty.run(f"builtin echo {'$status' if tty.shell == 'fish' else '$?'} > {out}")
    assert out.read_text() == "7\n"


@pytest.mark.parametrize("order", ["before", "after"])
def test_starship(shell, terminal, project, stand_in, order, tmp_path):
    (tmp_path / "starship.toml").write_text('format = "drawn by starship"\nadd_newline = false\n')
    hooks = {"before": "", "after": ""}
    hooks[order] = loaded(shell, f"{need('starship')} init")
    hooks["after"] += "\n" + PROMPT_AGAIN[shell]
    env = OUTER | {"STARSHIP_CONFIG": str(tmp_path / "starship.toml"), "STARSHIP_LOG": "error", "TERM": "xterm"}
    tty = terminal(shell, env=env, **hooks)
    for _ in range(2):
        comes_and_goes(tty, project, stand_in)
    out = tty.file()
    show = "drawn" if shell == "fish" else 'builtin print -rn -- "${(e)drawn}"' if shell == "zsh" else 'printf %s "$drawn"'
    tty.run(f"{show} > {out}")
    assert "drawn by starship" in out.read_text()


@pytest.mark.parametrize("order", ["before", "after"])
def test_mise(shell, terminal, project, stand_in, order):
    mise = of_third_party("node_modules/.bin/mise").resolve()
    (project / "mise.toml").write_text('[env]\nOTHER = "1"\n')
    hook = loaded(shell, f"{mise} activate")
    quiet = {"MISE_OFFLINE": "1", "MISE_QUIET": "1", "MISE_TRUSTED_CONFIG_PATHS": str(project)}
    tty = terminal(shell, env=OUTER | quiet, **{order: hook}, timeout=60)
    for _ in range(2):
        comes_and_goes(tty, project, stand_in)
    # In one line, too.
    inside, outside = tty.file(), tty.file()
    tty.run(f"cd {project} && command env > {inside}; cd / && command env > {outside}")
    assert "AWS_ACCESS_KEY_ID=ASIADEV" in inside.read_text() or (shell, order) == ("bash", "before")
    assert "AWS_PROFILE=home" in outside.read_text()
    tty.run(f"cd {project}")
    assert tty.env()[b"OTHER"] == b"1"
    tty.run("cd /")
    assert b"OTHER" not in tty.env()


@pytest.mark.parametrize("order", ["before", "after"])
def test_bash_preexec(terminal, project, stand_in, order):
    source = f". {of_third_party('bashhub/bashhub/shell/deps/bash-preexec.sh')}"
    mine = "preexec() { said=$1; }; precmd() { seen=$((seen + 1)); }"
    tty = terminal("bash", env=OUTER, **{order: f"{source}\n{mine}"})
    for _ in range(2):
        comes_and_goes(tty, project, stand_in)
    seen = int(tty.run("echo $seen"))
    assert tty.run('echo "$said $seen"') == f'echo "$said $seen" {seen + 1}'


@pytest.mark.parametrize("order", ["before", "after"])
def test_mise_that_sets_a_profile(shell, terminal, project, order):
    """One identity inside, whichever of the two comes last. README says what it costs."""
    mise = of_third_party("node_modules/.bin/mise").resolve()
    (project / "mise.toml").write_text('[env]\nAWS_PROFILE = "from-mise"\n')
    quiet = {"MISE_OFFLINE": "1", "MISE_QUIET": "1", "MISE_TRUSTED_CONFIG_PATHS": str(project)}
    tty = terminal(shell, env=OUTER | quiet, **{order: loaded(shell, f"{mise} activate")}, timeout=60)
    tty.run(f"cd {project}")
    for _ in range(3):
        tty.run("")
        inside = aws(tty.env())
        if "AWS_PROFILE" in inside:
            assert inside == OUTER | {"AWS_PROFILE": "from-mise"}
        else:
            assert inside.items() >= DEV.items()
