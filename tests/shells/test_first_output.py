"""When a new shell prints: not while the rc file runs, and in zsh not before the line editor is ready."""

import os
import subprocess

import pytest
from conftest import BLOCKED, DEV, aws, need

SAID = "no complete answer"
# A theme such as powerlevel10k draws a prompt at the start of the rc file, and takes what is printed until this widget
# runs for an error.
LINE_INIT = "zle-line-init() { print -n READY >$TTY }; zle -N zle-line-init"


@pytest.fixture
def broken(project, stand_in):
    """A project for which the program gives no answer, and no file is known to be the user's own."""
    (project / ".awsrole.toml").write_text('fault = "crash"\n')
    yield project
    assert stand_in.digests()


def test_zsh_prints_when_the_line_editor_is_ready(terminal, broken, stand_in):
    tty = terminal("zsh", after=LINE_INIT, cwd=broken, editing=True)
    seen = tty.greeting
    tty.process.expect(SAID)
    seen += tty.process.before.decode()
    assert "READY" in seen and "awsrole" not in seen.split("READY")[0]
    tty.count += 1
    assert aws(tty.env()) == BLOCKED
    assert stand_in.events() == ["prompt"]


def test_zsh_without_room_for_a_file_still_decides(terminal, project):
    """A temporary directory that is full or gone must not leave the outer environment in a project."""
    tty = terminal("zsh", after="TMPPREFIX=/nowhere/zsh", cwd=project, editing=True)
    assert aws(tty.env()).items() >= DEV.items()


def test_zsh_without_a_line_editor_prints_before_the_prompt(terminal, broken):
    tty = terminal("zsh", cwd=broken)
    assert SAID in tty.greeting and aws(tty.env()) == BLOCKED


def test_nothing_is_shown_where_all_is_well(terminal, project):
    tty = terminal("zsh", after=LINE_INIT, cwd=project, editing=True)
    assert aws(tty.env()).items() >= DEV.items()
    assert "__awsrole_printed" not in tty.run("typeset -m '__awsrole_print*ed'").partition("-m")[2]


def test_an_rc_file_that_changes_directory_prints_nothing(shell, terminal, broken, tmp_path):
    rc = tmp_path / "rc-ended"
    end = f"builtin echo END-OF-RC; command touch {rc}"
    tty = terminal(shell, after=f"cd {broken}\n{end}")
    assert rc.exists()
    before, _, after = tty.greeting.partition("END-OF-RC")
    assert "awsrole" not in before and SAID in after
    assert aws(tty.env()) == BLOCKED


def test_a_shell_that_runs_one_command_follows_it(shell, project, stand_in, tmp_path):
    """No prompt comes there."""
    rc = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/config.fish"}[shell]
    (tmp_path / "home" / rc).parent.mkdir(parents=True)
    (tmp_path / "home" / rc).write_text(stand_in.source(shell) + "\n")
    words = [need(shell), "-ic", f"cd {project}; command env"]
    done = subprocess.run(words, env={"HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert "AWS_ACCESS_KEY_ID=ASIADEV" in done.stdout.splitlines()
