"""Tests `profiles = true`: each [role.NAME] of a project is a profile for the programs that run there."""

import configparser
import os
import shlex
import time
from pathlib import Path

import pytest
from three_clients import CALLERS, NODE, ask, everywhere, need_clients, open_shell

from support.hooked_shell import hook_line
from support.local_sts import binary
from support.terminal import Terminal
from support.world import ALICE, BYSTANDER, HERE, THERE

DEPLOY, BUILD = (f"arn:aws:sts::{account}:assumed-role/{role}/alice" for account, role in ((THERE, "Deploy"), (HERE, "Build")))

# `dev` is also a profile of the user, which [role.dev] uses.
PROJECT = f"""\
profiles = true
default_role = "prod"
source_profile = "jump"

[role.prod]
role_arn = "arn:aws:iam::{THERE}:role/Deploy"
region = "eu-west-1"

[role.dev]
profile = "dev"
"""
DEV = f"\n[profile dev]\nrole_arn = arn:aws:iam::{HERE}:role/Build\nsource_profile = jump\nregion = eu-central-1\n"

# One program with two accounts, as a Terraform configuration with two providers.
TWO_ACCOUNTS = """\
import boto3
for name in (None, "dev", "prod"):
    session = boto3.Session(profile_name=name)
    print(session.client("sts").get_caller_identity()["Arn"], session.client("sts").meta.region_name)
"""


@pytest.fixture
def two(world):
    """An approved project with two roles."""
    world.write(".aws/config", (world.home / ".aws/config").read_text() + DEV)
    return world.project("two", PROJECT, allow=True)


def copies(env: dict[str, str]) -> list[str]:
    return [Path(env[name]).read_text() for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")]


def exported(world, folder: Path, *words: str, **env: str) -> dict[str, str]:
    """Returns the environment of a command in the project."""
    result = world.awsrole("exec", *words, "--", "env", "-0", cwd=folder, env=env)
    assert result.code == 0, result.err
    return dict(line.split("=", 1) for line in result.out.split("\0") if line)


@pytest.mark.parametrize("words", [(), ("--renew",)], ids=["exec", "renew"])
def test_one_program_uses_two_accounts(world, two, words):
    need_clients()
    result = world.awsrole("exec", *words, "--", "python", "-c", TWO_ACCOUNTS, cwd=two, env={"AWS_ENDPOINT_URL_STS": world.sts.url})
    assert result.code == 0, result.err
    # The exported region takes precedence over that of a profile in boto3's AWS_DEFAULT_REGION.
    assert [line.split()[0] for line in result.out.splitlines()] == [DEPLOY, BUILD, DEPLOY]
    assert len(world.assumed()) == 2, "each role is assumed once, although its profile and the shell use it"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_gets_the_copies_and_its_own_files_back(world, two, shell):
    need_clients()
    own = world.write("my config", (world.home / ".aws/config").read_text())
    names = (b"AWS_CONFIG_FILE", b"AWS_SHARED_CREDENTIALS_FILE")
    terminal = nested = open_shell(world, shell, AWS_CONFIG_FILE=str(own))
    try:
        before = terminal.env()
        terminal.run(f"cd {two}")
        inside = terminal.env()
        assert all(inside[name].startswith(os.fsencode(world.cache)) for name in names)
        out = terminal.file("arns")
        bare = "env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u AWS_SESSION_TOKEN AWS_PROFILE=dev"
        for command in CALLERS.values():
            terminal.run(f"{bare} sh -c {shlex.quote(command)} >> {out}")
        # fish sets USER, from which the session's name comes.
        assert [arn.rpartition("/")[0] for arn in out.read_text().splitlines()] == [BUILD.rpartition("/")[0]] * len(CALLERS)
        # A shell that is started inside restores the outer files, too.
        nested = Terminal(shell, world.home, hook_line(shell), env=inside, cwd=two, timeout=120)
        nested.run("cd /")
        assert [nested.env().get(name) for name in names] == [before.get(name) for name in names]
        terminal.run("cd ~")
        assert terminal.env() == before
    finally:
        nested.close()
        terminal.close()


def test_copies_hold_no_secret_and_other_profiles_work(world, two):
    env = exported(world, two)
    for text in copies(env):
        for user in (ALICE, BYSTANDER):
            assert user["secret_access_key"] not in text and user["access_key_id"] not in text
    config = configparser.RawConfigParser()
    config.read(env["AWS_CONFIG_FILE"])
    assert dict(config["profile prod"]) == {
        "credential_process": f"{binary('awsrole')} credential-process --dir={two} --role=prod", "region": "eu-west-1"}
    assert config["profile dev"]["region"] == "eu-central-1" and "role_arn" not in config["profile dev"]
    # Without keys in the environment, the default profile is the project's role, not the user's own.
    bare = {name: env[name] for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}
    assert ask(world, {**bare, "AWS_ENDPOINT_URL_STS": world.sts.url}, cwd=two) == everywhere(DEPLOY)
    for profile, arn in (("shop-dev", "assumed-role/Deploy"), ("two words", "assumed-role/Build"), ("jump", "user/alice")):
        for client, answer in ask(world, {**env, "AWS_PROFILE": profile, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
                                  ["boto3"], cwd=two).items():
            assert answer and arn in answer, (client, profile)


def test_copies_follow_the_files_and_old_ones_go(world, two):
    first = Path(exported(world, two)["AWS_CONFIG_FILE"])
    assert Path(exported(world, two)["AWS_CONFIG_FILE"]) == first
    first.unlink()
    assert Path(exported(world, two)["AWS_CONFIG_FILE"]) == first and first.exists(), "a removed copy is written again"
    long_ago = time.time() - 31 * 24 * 3600
    os.utime(first.parent, (long_ago, long_ago))
    world.write(".aws/config", (world.home / ".aws/config").read_text() + "[profile new]\nregion = us-west-1\n")
    second = Path(exported(world, two)["AWS_CONFIG_FILE"])
    assert second != first and "[profile new]" in second.read_text() and not first.exists()
    assert (second.stat().st_mode & 0o777, second.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize(("project", "line", "expected"), [
    ('profiles = true\nrole_arn = "arn:aws:iam::222222222222:role/Deploy"\nsource_profile = "jump"\n', 1, "there is no [role.NAME]"),
    (PROJECT + '[role.default]\nprofile = "dev"\n', 11, "[role.default] cannot be a profile"),
    (PROJECT + "[role.\"a;b\"]\nprofile = 'dev'\n", 11, "[role.a;b] cannot be a profile"),
    ("profiles = 1\n", 1, "`profiles` must be a boolean"),
    ("[role.x]\nprofiles = true\n", 2, "`profiles` belongs to the top"),
])
def test_a_file_that_cannot_give_profiles_is_refused(world, two, project, line, expected):
    world.project("two", project)
    refused = [result for result in (world.awsrole("allow", two), world.awsrole("exec", "--", "true", cwd=two)) if result.code]
    assert any(f".awsrole.toml:{line}: {expected}" in result.err.replace("\n         ", " ") for result in refused), refused
    assert world.assumed() == []


def test_profiles_of_a_folder_with_any_name(world, two):
    need_clients()
    for name in ("a b", "it's", "a #b", "$(touch x)", "é"):
        folder = world.project(name, PROJECT, allow=True)
        env = {**exported(world, folder), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "dev"}
        assert ask(world, {**env, **NODE}, ["boto3", "aws"], cwd=world.home) == {"boto3": BUILD, "aws": BUILD}, name
