"""Tests what `why`, `policy`, `allow`, `console` and `exec --renew` say about limited sessions."""

import json
import re

import pytest
from limit_worlds import LimitWorld, environment, identity_center, keys, may, role, run_by_exec, web_identity

PRESET = 'preset = "read-only"\n'


@pytest.fixture
def world(tmp_path):
    with LimitWorld(tmp_path) as world:
        yield world


def test_why_shows_each_limit_and_the_size_that_is_left(world):
    folder = world.project("shop", identity_center(world) + PRESET, allow=True)
    before = world.awsrole("why", cwd=folder, env=world.variables).out
    assert "limited by preset read-only (~/src/shop/.awsrole.toml:2)\n" in before
    assert "then GetScopedCredentials is called" in before
    assert may(world.sts, run_by_exec(world, folder)) == {"info"}
    after = world.awsrole("why", cwd=folder, env=world.variables).out
    assert "2         GetScopedCredentials the same session, limited\n" in after
    size = re.search(r"limited by preset read-only \(~/src/shop/.awsrole.toml:2\) \(packed policy size: (\d+)% used, (\d+)% left\)\n", after)
    assert int(size[1]) + int(size[2]) == 100
    [step] = world.awsrole("why", "--json", cwd=folder, env=world.variables).json["chain"]["links"]
    assert step["limited_by"] == ["preset read-only (~/src/shop/.awsrole.toml:2)"] and step["size_percent"] == int(size[1])


@pytest.mark.parametrize("source", [role, web_identity])
def test_why_shows_the_limit_of_a_role(world, source):
    folder = world.project("shop", source(world) + PRESET, allow=True)
    line = (folder / ".awsrole.toml").read_text().count("\n")
    assert f"limited by preset read-only (~/src/shop/.awsrole.toml:{line})" in world.awsrole("why", cwd=folder, env=world.variables).out
    assert "read-only" in world.awsrole("allow", "--yes", cwd=folder).err


def test_policy_prints_the_permission(world):
    folder = world.project("shop", identity_center(world) + PRESET, allow=True)
    text = world.awsrole("policy", cwd=folder, env=world.variables).out
    assert "# account 111111111111: identity policy, attached to permission set Admin" in text
    [pair] = world.awsrole("policy", "--json", cwd=folder, env=world.variables).json
    assert pair["identity"]["Statement"] == [{"Effect": "Allow", "Action": "sts:GetScopedCredentials", "Resource": "*"}]
    assert pair["trust"] is None


def test_the_session_without_the_limit_is_used_again_and_never_exported(world):
    """Two files with different limits: the source is called once, and neither gets the other's session."""
    source = identity_center(world)
    folders = [world.project(name, source + limit, allow=True) for name, limit in [
        ("read", PRESET), ("other", "policy = '" + json.dumps({"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}) + "'\n"),
        ("wide", "")]]
    found = [may(world.sts, run_by_exec(world, folder)) for folder in folders + folders]
    assert found == [{"info"}, set(), {"info", "decode"}] * 2
    counts = world.sts.counts()
    assert (counts["GetRoleCredentials"], counts["GetScopedCredentials"]) == (1, 2)


@pytest.mark.parametrize("fault", [{"throttle": True}, {"unavailable": True}, {"drop": True}])
def test_what_passes_is_tried_again(world, fault):
    folder = world.project("shop", identity_center(world) + PRESET, allow=True)
    world.sts.fault(action="GetScopedCredentials", times=1, **fault)
    assert may(world.sts, run_by_exec(world, folder)) == {"info"}
    assert len(world.sts.calls("GetScopedCredentials")) == 2


@pytest.mark.parametrize("fault", [{"truncate": True}, {"clock_offset_seconds": -7200}])
def test_a_response_that_cannot_be_used(world, fault):
    """Damaged, or from a server with another clock."""
    folder = world.project("shop", identity_center(world) + PRESET, allow=True)
    world.sts.fault(action="GetScopedCredentials", **fault)
    assert run_by_exec(world, folder) is None


def test_a_limited_session_of_keys_in_the_environment_is_not_renewed(world):
    folder = world.project("shop", environment(world) + PRESET, allow=True)
    result = world.awsrole("exec", "--renew", "--", "true", cwd=folder, env=world.variables)
    assert result.code == 1 and "temporary keys, which can't be renewed" in result.err


def test_the_console_of_a_limited_user(world):
    """A user's session can't sign in, whether it is limited or not."""
    folder = world.project("shop", keys(world) + PRESET, allow=True)
    result = world.awsrole("console", "--print", cwd=folder, env=world.variables)
    assert result.code != 0 and "only role sessions can sign in" in result.err
