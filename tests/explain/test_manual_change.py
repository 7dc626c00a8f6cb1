"""A manual change in a project: every command shows it and what ends it, and the role comes back from the cache."""

import pytest

from support.local_sts import binary
from support.terminal import SHELLS, Terminal
from support.world import DEPLOY


def hook(shell):
    program = binary("awsrole")
    return f"{program} hook fish | source" if shell == "fish" else f'eval "$({program} hook {shell})"'


def export(shell, name, value):
    return f"set -gx {name} {value}" if shell == "fish" else f"export {name}={value}"


def unset(shell, name):
    return f"set -e {name}" if shell == "fish" else f"unset {name}"


@pytest.fixture(params=SHELLS)
def inside(request, world):
    """A shell that holds a project's role."""
    folder = world.project("shop", DEPLOY, allow=True)
    opened = Terminal(request.param, world.home, hook(request.param), cwd=folder)
    yield opened
    opened.close()


def key(tty):
    return tty.env().get(b"AWS_ACCESS_KEY_ID", b"").decode()


def test_a_profile_is_shown_and_its_end_brings_the_role_back(world, inside):
    before, calls = key(inside), len(world.assumed())
    assert before.startswith("ASIA") and calls == 1
    inside.run(export(inside.shell, "AWS_PROFILE", "other"))
    assert key(inside) == ""
    assert "inactive: AWS_PROFILE=other" in inside.run("awsrole status")
    end = "unset AWS_PROFILE or run `awsrole refresh`"
    for command in ("status --long", "why", "doctor"):
        said = inside.run(f"awsrole {command}")
        assert "AWS_PROFILE=other was set manually" in said and end in said, command
    assert "AssumeRole is called" not in inside.run("awsrole why")
    assert "active again" in inside.run(unset(inside.shell, "AWS_PROFILE"))
    assert key(inside) == before and len(world.assumed()) == calls
    for command in ("status", "status --long", "why", "doctor"):
        assert "manually" not in inside.run(f"awsrole {command}"), command


def test_refresh_ends_it_with_the_cached_session(world, inside):
    before, calls = key(inside), len(world.assumed())
    inside.run(export(inside.shell, "AWS_ACCESS_KEY_ID", "AKIAMINE"))
    assert "AWS_ACCESS_KEY_ID=AKIAMINE was set manually" in inside.run("awsrole status --long")
    inside.run("awsrole refresh")
    assert key(inside) == before and len(world.assumed()) == calls
    # It is the second one that asks for a new session.
    inside.run("awsrole refresh")
    assert key(inside) not in ("", before) and len(world.assumed()) == calls + 1


def test_what_was_only_unset_is_told(world, inside):
    inside.run(unset(inside.shell, "AWS_SESSION_TOKEN"))
    assert "inactive: changed manually" in inside.run("awsrole status")
    assert "nothing, until you run `awsrole refresh`" in inside.run("awsrole why")


def test_a_variable_for_one_call_is_shown(world):
    """No prompt has seen it, and a program that calls awsrole has no hook."""
    env = world.exec_env(world.project("shop", DEPLOY, allow=True))
    env = {name: value for name, value in env.items() if name.startswith("AWS")} | {"AWS_PROFILE": "other"}
    folder = world.home / "src/shop"
    assert world.awsrole("status", cwd=folder, env=env).out == "inactive: AWS_PROFILE=other\n"
    told = world.awsrole("why", "--json", cwd=folder, env=env).json
    assert told["shell"]["state"] == "changed manually" and told["shell"]["manual_change"] == "AWS_PROFILE=other was set manually"
    assert told["next"] == "nothing, until you unset AWS_PROFILE or run `awsrole refresh`"
