"""Tests `expires_after`: the shell returns to the default role, and nothing extends the time."""

import re
import time

import pytest

from support.clock import Clock
from support.hooked_shell import HookedWorld, awsroles
from support.terminal import SHELLS
from support.world import ALICE, ANYONE_HERE, HERE, THERE

FILE = f"""\
default_role = "dev"
source_profile = "jump"
[role.dev]
role_arn = "arn:aws:iam::{HERE}:role/Dev"
[role.admin]
role_arn = "arn:aws:iam::{THERE}:role/Admin"
expires_after = "30m"
"""
MINUTE = 60


class ChosenRole:
    """A shell that chose `admin`, and the clock of this machine."""

    def __init__(self, root, shell):
        roles = [{"name": "Dev", "account": HERE, "trust": ANYONE_HERE},
                 {"name": "Admin", "account": THERE, "trust": ANYONE_HERE}]
        self.world = HookedWorld(root, {"user": [ALICE], "role": roles})
        self.clock = Clock(root)
        self.project = self.world.project("shop", FILE, allow=True)
        self.shell = shell
        self.tty = self.start()
        self.began = time.time()
        assert "admin in 222222222222, ends in 30m" in self.tty.run("awsrole use admin")

    def start(self, env=None):
        return self.world.terminal(self.shell, self.project, env={**self.clock.environment, **(env or {})})

    def at(self, seconds):
        """Sets the clock to a time after the choice. STS follows."""
        offset = round(self.began + seconds - time.time())
        self.clock.set(offset)
        self.world.sts.clear_faults()
        self.world.sts.fault(clock_offset_seconds=offset)

    def prompt(self, tty=None):
        # (fish asks the clock before a command only.)
        return (tty or self.tty).run(":" if self.shell == "fish" else "")


@pytest.fixture(params=SHELLS)
def chosen(request, tmp_path):
    one = ChosenRole(tmp_path, request.param)
    yield one
    one.world.stop()


def inherited(tty):
    return {name.decode(): value.decode() for name, value in tty.env().items() if name.startswith(b"AWS")}


def test_it_warns_once_and_then_returns(chosen):
    tty, before = chosen.tty, chosen.tty.key()
    left = int(tty.variable("AWSROLE_EXPIRES")) - chosen.began
    assert 29 * MINUTE < left <= 31 * MINUTE, "prompts show the shorter time"
    assert re.search(r"expires +\d.*\n +ends +\d.* \(in (29|30)m\)", tty.run("awsrole why")), "the time left is rounded down"
    chosen.at(28 * MINUTE)
    assert "admin" not in chosen.prompt() and tty.key() == before
    chosen.at(29.5 * MINUTE)
    assert "role admin ends in " in chosen.prompt() and tty.variable("AWSROLE_ROLE") == "admin"
    assert "ends in" not in chosen.prompt() and awsroles(tty.process.pid) == []
    chosen.at(31 * MINUTE)
    said = chosen.prompt()
    assert "the time of role admin is over" in said and f"dev in {HERE}" in said
    assert tty.variable("AWSROLE_ROLE") == "dev" and "over" not in chosen.prompt()
    tty.run("awsrole use -")
    assert tty.variable("AWSROLE_ROLE") == "dev"
    assert "ends in" in tty.run("awsrole use admin") and tty.variable("AWSROLE_ROLE") == "admin"


def test_nothing_extends_it(chosen):
    """A nested shell, a refresh, a renewal, a command and a suspended laptop."""
    chosen.at(20 * MINUTE)
    chosen.tty.run("awsrole refresh")
    inner = chosen.start(inherited(chosen.tty))
    assert inner.variable("AWSROLE_ROLE") == "admin"
    started = chosen.world.exec_env(chosen.project, env={**inherited(chosen.tty), **chosen.clock.environment})
    assert started["AWSROLE_ROLE"] == "admin"
    chosen.at(9 * 60 * MINUTE)
    for tty in (chosen.tty, inner, chosen.start({name: value for name, value in started.items() if name.startswith("AWS")})):
        said = tty.greeting + chosen.prompt(tty)
        assert tty.variable("AWSROLE_ROLE") == "dev" and "the time of role admin is over" in tty.said + said
    late = {**started, **chosen.clock.environment}
    result = chosen.world.awsrole("exec", "--", "sh", "-c", "echo $AWSROLE_ROLE", cwd=chosen.project, env=late)
    assert result.out == "dev\n" and "the time of role admin is over" in result.err


def test_an_end_that_the_file_gets_later(tmp_path):
    """The shell chose the role without an end, so it must choose it again."""
    roles = [{"name": "Dev", "account": HERE, "trust": ANYONE_HERE}, {"name": "Admin", "account": THERE, "trust": ANYONE_HERE}]
    with HookedWorld(tmp_path, {"user": [ALICE], "role": roles}) as world:
        project = world.project("shop", FILE.replace('expires_after = "30m"\n', ""), allow=True)
        tty = world.terminal("bash", project)
        assert "admin in 222222222222" in tty.run("awsrole use admin")
        world.project("shop", FILE, allow=True)
        assert "the time of role admin is over" in tty.run("")
        assert tty.variable("AWSROLE_ROLE") == "dev"
