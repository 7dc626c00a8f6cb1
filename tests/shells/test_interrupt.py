"""Tests Ctrl-C while the binary runs."""


import pytest
from conftest import BLOCKED, BLOCKED_AT_HOME, DEV, aws, wait_for

OUTER = {"AWS_PROFILE": "home"}
SLOW = 'role = "dev"\nsleep = 30\n'


def await_start(stand_in, number=1):
    assert wait_for(lambda: len(stand_in.starts()) >= number, message="the binary was never started")


def test_the_rest_of_the_line_does_not_run(shell, terminal, project, stand_in):
    (project / ".awsrole.toml").write_text(SLOW)
    tty = terminal(shell, env=OUTER)
    ran = tty.file()
    tty.send(f"cd {project} && touch {ran}" + ("\r" if shell == "fish" else "\n"))
    await_start(stand_in)
    tty.interrupt()
    output = tty.wait()
    assert not ran.exists()
    output += tty.run("")
    assert output.count("awsrole: interrupted") == 1
    assert aws(tty.env()) == BLOCKED_AT_HOME
    # Neither a loop nor a second try, until something changes.
    tty.run("cd deep")
    assert len(stand_in.starts()) == 1 and stand_in.digests(), "nothing said that the file may be opened"
    (project / ".awsrole.toml").write_text('role = "dev"\n')
    tty.run("")
    assert aws(tty.env()).items() >= DEV.items()
    tty.run("cd /")
    assert aws(tty.env()) == OUTER


def test_at_a_prompt(shell, terminal, project, stand_in):
    tty = terminal(shell, env=OUTER, cwd=project)
    (project / ".awsrole.toml").write_text(SLOW)
    tty.send("\r" if shell == "fish" else "\n")
    await_start(stand_in, 2)
    tty.interrupt()
    tty.wait()
    # The very next command acts as nobody.
    assert aws(tty.env()) == BLOCKED_AT_HOME
    assert len(stand_in.starts()) == 2
    tty.run("cd /")
    assert aws(tty.env()) == OUTER


TRAPS = {
    "bash": "trap 'echo trapped' INT; trap 'echo bye' EXIT; trap ': 1' DEBUG; trap ': 2' ERR; trap ': 3' RETURN",
    "zsh": "trap 'echo trapped' INT; trap 'echo bye' EXIT; trap ': 1' DEBUG; trap ': 2' ZERR",
    "zsh functions": "TRAPDEBUG() { : }; TRAPZERR() { : }; TRAPINT() { : ; return 130 }; setopt no_debug_before_cmd",
}


@pytest.mark.parametrize("traps", TRAPS)
def test_traps_are_left_alone(traps, terminal, project, stand_in):
    (project / ".awsrole.toml").write_text(SLOW)
    tty = terminal(traps.split()[0], before=TRAPS[traps])
    traps = tty.run("trap")
    assert traps
    tty.send(f"cd {project}\n")
    await_start(stand_in)
    tty.interrupt()
    tty.wait()
    tty.run("")
    assert tty.run("trap") == traps
    assert aws(tty.env()) in (BLOCKED, {})
    assert stand_in.digests()


def test_options_survive(terminal, project, stand_in):
    (project / ".awsrole.toml").write_text(SLOW)
    tty = terminal("bash", before="set -aC")
    options = tty.run("set +o")
    tty.send(f"cd {project}\n")
    await_start(stand_in)
    tty.interrupt()
    tty.wait()
    assert tty.run("set +o") == options and stand_in.digests()
    assert not [name for name in tty.env() if b"__awsrole" in name]


def test_half_set_keys_are_taken_back(shell, terminal):
    """Ctrl-C between the note of a value and the value itself."""
    tty = terminal(shell, env=OUTER)
    note, pending = "__awsrole_ours[AWS_SECRET_ACCESS_KEY]='*'", "__awsrole_pending=1"
    if shell == "fish":
        note, pending = "set -g __awsrole_ours_AWS_SECRET_ACCESS_KEY secret", "set -g __awsrole_pending 1"
    save = "__awsrole_set AWS_ACCESS_KEY_ID half; __awsrole_save AWS_SECRET_ACCESS_KEY"
    assert "awsrole: interrupted" in tty.run(f"{save}; {note}; {pending}")
    assert aws(tty.env()) == BLOCKED_AT_HOME
    tty.run("awsrole off")
    assert aws(tty.env()) == OUTER
