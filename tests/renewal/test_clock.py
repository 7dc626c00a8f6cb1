"""Tests shells and awsrole with a simulated clock, while that of STS follows or doesn't."""

import re
import time
from datetime import datetime

import pytest

from support.clock import Clock
from support.hooked_shell import PLACEHOLDER, hook_line, wait_for
from support.terminal import SHELLS, Terminal, runs_in_ps0
from support.world import ALICE, ANYONE_HERE, THERE, World

NO_ROLE = PLACEHOLDER.encode()
HOUR = 3600


class Clocked:
    """A shell whose clock is off by what the test says."""

    def __init__(self, root, shell, seconds):
        role = {"name": "Long", "account": THERE, "trust": ANYONE_HERE, "max_session_duration": 12 * HOUR}
        self.world = World(root, {"user": [ALICE], "role": [role]})
        self.clock = Clock(root)
        text = f'role_arn = "arn:aws:iam::{THERE}:role/Long"\nsource_profile = "jump"\nduration_seconds = {seconds}\n'
        project = self.world.project("long", text, allow=True)
        env = self.world.environment(**self.clock.environment)
        hook = hook_line(shell)
        self.terminal = Terminal(shell, self.world.home, hook, env=env, cwd=project)
        self.said = []

    def stop(self):
        self.terminal.close()
        self.world.stop()

    def move(self, seconds, sts=True):
        """Sets the clock. That of STS is set, too, or stays correct."""
        self.clock.set(seconds)
        self.world.sts.clear_faults()
        if sts:
            self.world.sts.fault(clock_offset_seconds=seconds)

    def leave(self, seconds):
        """Sets the clock of both so that the role that is held lasts so long."""
        end = datetime.fromisoformat(self.terminal.env()[b"AWS_CREDENTIAL_EXPIRATION"].decode())
        self.move(round(end.timestamp() - seconds - time.time()))

    def prompt(self):
        """Presses Enter; returns what was said. (fish asks the clock before a command; at a prompt it looks how long the
        machine has been up, which no test can change.)"""
        self.said.append(self.terminal.run(":" if self.terminal.shell == "fish" else ""))
        return self.said[-1]

    def key(self):
        """Returns the environment of a command that is typed at the current prompt."""
        out = self.terminal.file("env")
        self.said.append(self.terminal.run(f"command env -0 > {out}"))
        return dict(pair.split(b"=", 1) for pair in out.read_bytes().split(b"\0") if b"=" in pair)[b"AWS_ACCESS_KEY_ID"]

    def granted(self):
        return len([call for call in self.world.assumed() if call["outcome"] == "OK"])


@pytest.fixture(params=SHELLS)
def clocked(request, tmp_path):
    started = []

    def start(seconds=HOUR):
        started.append(Clocked(tmp_path, request.param, seconds))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.mark.parametrize("seconds", [900, HOUR, 12 * HOUR])
def test_a_role_is_renewed_ahead_of_its_end(clocked, seconds):
    """At ten minutes before the end, or a fifth of a short life, and not before."""
    shell = clocked(seconds)
    due = min(600, seconds // 5)
    first = shell.key()
    shell.leave(due + 30)
    assert shell.prompt() is not None and shell.key() == first
    assert len(shell.world.assumed()) == 1
    shell.leave(due - 1)
    # The prompt doesn't wait for it, and what it brings is there within half a minute.
    assert shell.prompt() is not None and shell.key() == first
    assert wait_for(lambda: shell.granted() == 2 and not shell.world.renewals(), 30)
    shell.leave(due - 32)
    shell.prompt()
    assert shell.key() not in (first, NO_ROLE)
    shell.prompt()
    assert len(shell.world.assumed()) == 2


def test_a_laptop_that_slept(clocked):
    """The command that is typed at the old prompt gets a new session, where the shell can look before it."""
    shell = clocked()
    first = shell.key()
    shell.move(9 * HOUR)
    at_the_old_prompt = shell.key()
    if shell.terminal.shell == "bash" and not runs_in_ps0():
        assert at_the_old_prompt == first
        assert "awsrole" not in shell.said[-1]
    else:
        assert at_the_old_prompt not in (first, NO_ROLE)
    assert shell.key() not in (first, NO_ROLE)
    assert "has expired" not in shell.said[-1] + shell.prompt()
    assert len(shell.world.assumed()) == 2


def test_a_clock_that_jumped_forward(clocked):
    """A valid session seems to have expired. It isn't requested at every prompt. When the clock is correct again, it is
    used.
    """
    shell = clocked()
    first = shell.key()
    shell.move(9 * HOUR, sts=False)
    shell.prompt()
    assert shell.key() == NO_ROLE
    calls = len(shell.world.assumed())
    for _ in range(5):
        shell.prompt()
    assert len(shell.world.assumed()) == calls
    assert "".join(shell.said).count("clock is 9h fast") == 1
    shell.move(0)
    shell.prompt()
    assert shell.key() == first


def test_a_clock_that_jumped_backward(clocked):
    """The session expires earlier than it seems. STS reports whose clock is wrong. When the clock is correct again, the
    role is renewed.
    """
    shell = clocked()
    first = shell.key()
    shell.move(-5 * HOUR, sts=False)
    shell.prompt()
    assert wait_for(lambda: len(shell.world.assumed()) > 1, 30)
    for second in range(0, 100, 20):
        assert wait_for(lambda: not shell.world.renewals(), 30)
        shell.move(-5 * HOUR + second, sts=False)
        shell.prompt()
        assert shell.key() == first
    # One try for each half minute, each of them once more with the server's time.
    assert wait_for(lambda: not shell.world.renewals(), 30)
    assert len(shell.world.assumed()) <= 1 + 2 * 5
    shell.move(60)
    shell.prompt()
    assert shell.key() not in (b"", NO_ROLE)
    assert wait_for(lambda: not shell.world.renewals(), 30)
    calls = len(shell.world.assumed())
    shell.prompt()
    assert len(shell.world.assumed()) == calls


def test_a_clock_that_is_set_right_by_a_little(clocked):
    shell = clocked()
    first = shell.key()
    for seconds in (-20, 15, -40, 0):
        shell.move(seconds)
        shell.prompt()
        assert shell.key() == first
    assert len(shell.world.assumed()) == 1


def test_sts_is_down_for_a_while(clocked):
    """Good credentials stay, tries are few, one line when they are about to die, blocked when dead, healed by itself."""
    shell = clocked(900)
    first = shell.key()
    shell.world.sts.reset()
    for left in [*range(185, 10, -10), 5, 3]:
        shell.leave(left)
        shell.world.sts.fault(action="AssumeRole", unavailable=True)
        shell.prompt()
        # A renewal is done before the clock goes on.
        assert wait_for(lambda: not shell.world.renewals(), 30)
        assert shell.key() == first, left
    # For three minutes one in half a minute, and the SDK tries three times.
    assert 3 <= len(shell.world.assumed()) <= 3 * 7
    told = "".join(shell.said)
    assert len(re.findall("ServiceUnavailable", told)) == 1, told
    shell.leave(0)
    shell.world.sts.fault(action="AssumeRole", unavailable=True)
    shell.prompt()
    assert shell.key() == NO_ROLE
    assert len(re.findall("ServiceUnavailable", "".join(shell.said))) == 2
    shell.move(941)
    shell.prompt()
    assert shell.key() not in (first, NO_ROLE)
