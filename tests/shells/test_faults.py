"""Tests faults of the binary: crashes, incomplete or invalid output, a missing file."""

import shutil

import pytest
from conftest import BLOCKED, BLOCKED_AT_HOME, DEV, aws

OUTER = {"AWS_PROFILE": "home", "AWS_SECRET_ACCESS_KEY": "mine", "AWS_ACCESS_KEY_ID": "AKIAHOME"}


@pytest.mark.parametrize("fault", ["crash", "half", "garbage"])
def test_no_whole_answer_blocks(shell, terminal, project, stand_in, fault):
    (project / ".awsrole.toml").write_text(f'role = "dev"\nfault = "{fault}"\n')
    tty = terminal(shell, env=OUTER)
    output = tty.run(f"cd {project}")
    assert output.count("awsrole: no complete answer") == 1
    assert "secret-of" not in output
    assert aws(tty.env()) == BLOCKED_AT_HOME
    assert "awsrole:" not in tty.run("cd deep")
    assert len(stand_in.starts()) == 1 and stand_in.digests(), "nothing said that the file may be opened"
    # An edit is another chance.
    (project / ".awsrole.toml").write_text('role = "dev"\n')
    tty.run("")
    assert aws(tty.env()).items() >= DEV.items()
    tty.run("cd /")
    assert aws(tty.env()) == OUTER


def test_the_binary_is_gone(shell, terminal, project, stand_in):
    tty = terminal(shell, env=OUTER)
    tty.run(f"cd {project}")
    stand_in.program.unlink()
    assert "awsrole:" not in tty.run("")
    assert "awsrole:" not in tty.run("cd deep")
    assert aws(tty.env()).items() >= DEV.items()
    assert "awsrole:" not in tty.run("cd /")
    assert aws(tty.env()) == OUTER
    assert tty.run(f"cd {project}").count(f"awsrole: {stand_in.program} is gone") == 1
    assert aws(tty.env()) == BLOCKED_AT_HOME
    assert "awsrole:" not in tty.run("")
    assert "awsrole:" not in tty.run("cd /")
    assert aws(tty.env()) == OUTER


@pytest.mark.parametrize("kind", ["directory", "not executable"])
def test_the_binary_became_something_else(shell, terminal, project, stand_in, kind):
    tty = terminal(shell)
    if kind == "directory":
        stand_in.program.unlink()
        stand_in.program.mkdir()
    else:
        stand_in.program.chmod(0o644)
    assert "is gone" in tty.run(f"cd {project}")
    assert aws(tty.env()) == BLOCKED


@pytest.mark.parametrize("left", ["both", "nothing", "directory", "not executable"])
def test_the_small_program_is_asked_where_there_is_one(shell, terminal, project, stand_in, left):
    """For the hook alone, and for as long as it is there: `cargo install` of an older version takes it away."""
    small = stand_in.program.with_name("awsrole-hook")
    shutil.copy(stand_in.program, small)
    tty = terminal(shell)
    tty.run(f"cd {project}")
    assert aws(tty.env()).items() >= DEV.items()
    tty.run("cd /")
    match left:
        case "nothing":
            small.unlink()
        case "directory":
            small.unlink()
            small.mkdir()
        case "not executable":
            small.chmod(0o644)
    tty.run(f"cd {project}")
    assert aws(tty.env()).items() >= DEV.items()
    tty.run("awsrole status")
    asked = [start["program"] for start in stand_in.starts()]
    assert asked == ["awsrole-hook", "awsrole-hook" if left == "both" else "awsrole", "awsrole"]


def test_without_its_clock_fish_asks_each_time(terminal, project, stand_in):
    (project / ".awsrole.toml").write_text('role = "dev"\ndeadline = 60\n')
    tty = terminal("fish", cwd=project)
    (stand_in.folder / "clock").unlink()
    assert "awsrole:" not in tty.run("")
    assert aws(tty.env()).items() >= DEV.items()
    assert stand_in.events()[:2] == ["prompt", "due"]


def test_an_answer_that_comes_late_is_waited_for(shell, terminal, project):
    (project / ".awsrole.toml").write_text('role = "dev"\nsleep = 0.5\n')
    tty = terminal(shell, cwd=project)
    assert aws(tty.env()).items() >= DEV.items()


def test_a_machine_without_dev_null_blocks(shell, terminal, project, stand_in):
    """As in a bare root: nothing can be asked, and nobody's identity is what is left."""
    rendered = stand_in.snippet

    def without(shell):
        path = rendered(shell)
        path.write_text(path.read_text().replace("/dev/null", "/dev/nothing/"))
        return path

    stand_in.snippet = without
    tty = terminal(shell, env=OUTER)
    tty.run(f"cd {project}")
    assert aws(tty.env()) == BLOCKED_AT_HOME
    tty.run("cd /")
    assert aws(tty.env()) == OUTER
