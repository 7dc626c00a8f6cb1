"""Tests role chaining: the calls, what is cached, and that no role becomes the source of the next directory's role."""

import os

import pytest
from source_fixtures import FAR, caller, keys_json

from support.aws_files import aws_profile, role_file
from support.hooked_shell import PLACEHOLDER
from support.world import ALICE, HERE, THERE

FILE = f"""\
default_role = "further"
[role.near]
role_arn = "arn:aws:iam::{HERE}:role/Near"
source_profile = "jump"
[role.far]
role_arn = "arn:aws:iam::{THERE}:role/Far"
source_role = "near"
[role.further]
role_arn = "arn:aws:iam::{FAR}:role/Further"
source_role = "far"
"""
WAY = [("alice", "Near"), ("Near", "Far"), ("Far", "Further")]


def test_three_links_each_with_its_caller(chain):
    folder = chain.project("shop", FILE, allow=True)
    assert chain.who(folder).startswith(f"arn:aws:sts::{FAR}:assumed-role/Further/")
    assert chain.callers() == WAY


def test_each_link_is_kept_by_itself(chain):
    folder = chain.project("shop", FILE, allow=True)
    chain.who(folder)
    for role, account, name in (("near", HERE, "Near"), ("far", THERE, "Far"), ("further", FAR, "Further")):
        assert f"{account}:assumed-role/{name}/" in chain.who(folder, "--role", role)
    assert chain.callers() == WAY
    chain.forget("Further")
    chain.who(folder)
    assert chain.callers() == [*WAY, ("Far", "Further")]
    chain.forget("Further")
    chain.forget("Far")
    chain.who(folder)
    assert chain.callers() == [*WAY, ("Far", "Further"), *WAY[1:]]
    # A missing link below one that is there isn't missed.
    chain.forget("Near")
    chain.who(folder)
    assert len(chain.callers()) == 6


def test_another_directory_shares_the_links(chain):
    chain.who(chain.project("shop", FILE, allow=True))
    other = chain.project("other", FILE.replace('"further"', '"far"', 1), allow=True)
    assert "assumed-role/Far/" in chain.who(other)
    assert chain.callers() == WAY


def test_a_chain_of_profiles_shares_them_too(chain):
    chain.config(f"""\
[profile near]
role_arn = arn:aws:iam::{HERE}:role/Near
source_profile = jump
[profile far]
role_arn = arn:aws:iam::{THERE}:role/Far
source_profile = near
""")
    chain.who(chain.project("shop", FILE, allow=True))
    assert "assumed-role/Far/" in chain.who(chain.project("other", 'profile = "far"\n', allow=True))
    assert chain.callers() == WAY


def test_a_broken_link_is_named(chain):
    folder = chain.project("shop", FILE.replace(":role/Far", ":role/Nowhere"), allow=True)
    said = chain.refused(folder)
    assert f"STS refused arn:aws:iam::{THERE}:role/Nowhere" in said and f"{HERE}:assumed-role/Near/" in said
    assert chain.callers() == [("alice", "Near"), ("Near", "Nowhere")]
    # The session of the first step stays cached.
    chain.refused(folder, timeout=60)
    assert chain.callers().count(("alice", "Near")) == 1


def test_the_sources_endpoint_holds_for_the_whole_chain(chain):
    """`jump` sets an endpoint, a region or FIPS: it applies whether the chain has one role or three."""
    folder = chain.project("shop", FILE, allow=True)
    result = chain.awsrole("exec", "--role", "near", "--", "true", cwd=folder)
    assert result.code == 0
    # A proxy where nobody listens: nothing leaves this machine.
    dead = {"HTTPS_PROXY": "http://127.0.0.1:1"}
    assert chain.awsrole("exec", "--", "true", cwd=folder, env=dead).code == 0


def test_more_than_an_hour_is_refused_before_any_call(chain):
    folder = chain.project("shop", FILE + 'duration_seconds = "2h"\n', allow=True)
    said = chain.refused(folder, code=1)
    assert ".awsrole.toml:11: a role assumed by another role lasts at most 1h" in said
    assert chain.sts.calls() == []


def test_more_than_an_hour_of_a_profiles_is_clamped_and_said_once(chain, shell):
    chain.config(f"""\
[profile near]
role_arn = arn:aws:iam::{HERE}:role/Near
source_profile = jump
[profile far]
role_arn = arn:aws:iam::{THERE}:role/Far
source_profile = near
duration_seconds = 7200
""")
    folder = chain.project("shop", 'profile = "far"\n', allow=True)
    tty = chain.terminal(shell, env=chain.env)
    assert tty.run(f"cd {folder}").count("2h was requested, but a role assumed by another role lasts at most 1h") == 1
    assert "2h" not in tty.run("") + tty.run("true")
    assert [call["duration_seconds"] for call in chain.sts.calls("AssumeRole")] == [None, "3600"]


# --- a directory's role is never the source of the next one's --------------------------------------------------------

@pytest.fixture
def two(chain):
    """A project with the role Near, which may assume Far, and one whose role only users may assume."""
    near = chain.project("near", role_file("Near", HERE), allow=True)
    other = chain.project("near/other", role_file("Other"), allow=True)
    return near, other


def as_text(env):
    return {os.fsdecode(name): os.fsdecode(value) for name, value in env.items()}


def test_from_one_directory_into_the_next(chain, two, shell):
    near, other = two
    tty = chain.terminal(shell, env=chain.env)
    for folder, role in ((near, "Near"), (other, "Other"), (near, "Near"), (other, "Other")):
        tty.run(f"cd {folder}")
        assert f":assumed-role/{role}/" in caller(chain.sts, as_text(tty.env()))
    assert chain.callers() == [("alice", "Near"), ("alice", "Other")]


def test_a_shell_within_a_shell(chain, two, shell):
    near, other = two
    outer = chain.terminal(shell, env=chain.env)
    outer.run(f"cd {near}")
    held = as_text(outer.env())
    assert "AWSROLE_STATE" in held
    inherited = {name: value for name, value in held.items() if name.startswith("AWS")}
    inner = chain.terminal(shell, near, env=inherited)
    assert ":assumed-role/Near/" in caller(chain.sts, as_text(inner.env()))
    inner.run(f"cd {other}")
    assert ":assumed-role/Other/" in caller(chain.sts, as_text(inner.env()))
    inner.run("cd /")
    assert not {name for name in as_text(inner.env()) if name.startswith(("AWS_ACCESS", "AWS_SECRET", "AWS_SESSION", "AWSROLE"))}
    assert chain.callers() == [("alice", "Near"), ("alice", "Other")]


def test_exec_within_exec(chain, two):
    near, other = two
    script = f'cd {other} && exec "$0" exec -- printenv AWSROLE_ROLE'
    result = chain.awsrole("exec", "--", "sh", "-c", script, chain.binary, cwd=near, env=chain.env)
    assert (result.code, result.out) == (0, "Other\n"), result.err
    assert chain.callers() == [("alice", "Near"), ("alice", "Other")]


@pytest.mark.parametrize("command", ["refresh", "status", "credential-process"])
def test_commands_inside_a_role_do_not_use_it(chain, two, command):
    near, other = two
    held = chain.exec_env(near, env=chain.env)
    inherited = {name: value for name, value in held.items() if name.startswith("AWS")}
    chain.awsrole(command, cwd=other, env=inherited)
    assert ("Near", "Other") not in chain.callers()
    assert {by for by, _ in chain.callers()} == {"alice"}


def test_the_environments_keys_are_those_of_outside(chain, shell):
    """`credential_source = "Environment"`, entered from a directory whose role is exported."""
    near = chain.project("near", role_file("Near", HERE), allow=True)
    other = chain.project("other", f'role_arn = "arn:aws:iam::{THERE}:role/Other"\ncredential_source = "Environment"\n', allow=True)
    outside = {"AWS_ACCESS_KEY_ID": ALICE["access_key_id"], "AWS_SECRET_ACCESS_KEY": ALICE["secret_access_key"]}
    tty = chain.terminal(shell, env=chain.env | outside)
    tty.run(f"cd {near}")
    tty.run(f"cd {other}")
    assert ":assumed-role/Other/" in caller(chain.sts, as_text(tty.env()))
    assert chain.callers() == [("alice", "Near"), ("alice", "Other")]
    tty.run("cd /")
    assert as_text(tty.env()).items() >= outside.items()


def test_a_process_that_gives_keys_does_not_see_the_role(chain, shell):
    program = chain.program(f"env > {chain.home}/seen; cat {chain.home}/keys.json")
    chain.write("keys.json", keys_json(ALICE))
    chain.config(aws_profile("vault", credential_process=program))
    near = chain.project("near", role_file("Near", HERE), allow=True)
    other = chain.project("other", role_file("Other", source="vault"), allow=True)
    tty = chain.terminal(shell, env=chain.env | {"AWS_PROFILE": "mine"})
    tty.run(f"cd {near}")
    tty.run(f"cd {other}")
    seen = dict(line.split("=", 1) for line in (chain.home / "seen").read_text().splitlines() if "=" in line)
    assert seen["AWS_PROFILE"] == "mine"
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWSROLE_STATE"} & seen.keys()
    assert tty.key() not in (None, PLACEHOLDER)
