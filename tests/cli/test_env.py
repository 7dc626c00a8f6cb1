"""Tests `awsrole env`: its readers get the variables that a command under `awsrole exec` gets."""

import json
import re
import shutil
import subprocess

import pytest
from dotenv import dotenv_values

from support.local_sts import binary
from support.world import BLOCKED, THERE, asked

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")

# Characters that shells and readers of .env files take for something.
NAMED = f"""
default_role = "prod $HOME #1"
[role."prod $HOME #1"]
role_arn = "arn:aws:iam::{THERE}:role/Deploy"
source_profile = "jump"
region = "eu-west-1"
"""


@pytest.fixture
def named(world):
    folder = world.project("named", NAMED.replace("prod $HOME #1", "prod$HOME#1"), allow=True)
    return folder


@pytest.fixture
def held(world, named):
    """Returns the variables of `exec`, except for those that only awsrole reads."""
    env = world.exec_env(named)
    return {name: value for name, value in env.items() if name.startswith(("AWS_", "AWSROLE_")) and name != "AWSROLE_STATE"}


def env(world, folder, form, **options):
    result = world.awsrole("env", "--format", form, cwd=folder, **options)
    assert result.code == 0, result.err
    return result.out


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh"])
def test_shells_evaluate_it(world, named, held, shell):
    before = {"AWS_PROFILE": "other", "AWS_SECURITY_TOKEN": "x"}
    script = f'set -eu; eval "$({binary("awsrole")} env)"; env -0'
    result = world.run(shell, "-c", script, cwd=named, env=before)
    assert result.code == 0, result.err
    found = dict(pair.split("=", 1) for pair in result.out.split("\0") if pair)
    assert found.pop("AWSROLE_STATE")
    assert {name: value for name, value in found.items() if name.startswith(("AWS_", "AWSROLE_"))} == held


def test_what_a_script_starts_stands_outside(world, named):
    script = f'eval "$({binary("awsrole")} env)"; {binary("awsrole")} exec -- env'
    result = world.run("sh", "-c", script, cwd=named, env={"AWS_PROFILE": "other"})
    assert result.code == 0 and len(world.assumed()) == 1, result.err
    assert world.assumed()[0]["caller_arn"].endswith(":user/alice")


def test_python_reads_the_dotenv(world, named, held):
    file = world.write("python.env", env(world, named, "dotenv"))
    assert dict(dotenv_values(file)) == held


def test_node_reads_the_dotenv(world, named, held):
    if shutil.which("node") is None:
        pytest.fail("node is missing: run tests/setup")
    file = world.write("node.env", env(world, named, "dotenv"))
    code = "console.log(JSON.stringify(process.env))"
    done = subprocess.run(["node", f"--env-file={file}", "-e", code], env={"PATH": world.environment()["PATH"]},
                          capture_output=True, text=True, timeout=60)
    assert {name: value for name, value in json.loads(done.stdout).items() if name.startswith("AWS")} == held


def test_keys_are_bare_for_readers_that_know_no_quotes(world, named, held):
    """`docker run --env-file` takes all behind the first `=`."""
    lines = dict(line.split("=", 1) for line in env(world, named, "dotenv").splitlines())
    assert {name: lines[name] for name in KEYS} == {name: held[name] for name in KEYS}


def test_a_value_that_readers_read_differently_is_refused(world):
    folder = world.project("quote", NAMED.replace("prod $HOME #1", "it's"), allow=True)
    result = world.awsrole("env", "--format", "dotenv", cwd=folder)
    assert (result.code, result.out) == (1, "") and "AWSROLE_ROLE" in result.err


def test_json(world, named, held):
    assert json.loads(env(world, named, "json")) == held


def test_github_is_only_for_its_jobs(world, named):
    result = world.awsrole("env", "--format", "github", cwd=named)
    assert (result.code, result.out) == (1, "") and "GITHUB_ENV" in result.err and world.assumed() == []
    result = world.awsrole("env", "--format", "github", cwd=named, env={"GITHUB_ENV": str(world.home / "gone")})
    assert result.code == 1 and f"cannot write {world.home}/gone" in result.err and not (world.home / "gone").exists()


def test_github_adds_to_what_is_there(world, named, held):
    file = world.write("github-env", "OTHER=x\n")
    said = env(world, named, "github", env={"GITHUB_ENV": str(file)})
    assert said.splitlines() == [f"::add-mask::{held[name]}" for name in KEYS]
    found = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert found.pop("OTHER") == "x" and found.pop("AWSROLE_STATE")
    assert found == held


@pytest.mark.parametrize(("content", "allow", "code"), [(None, False, 3), (NAMED.replace(" ", ""), False, 3), (BLOCKED, True, 4)])
def test_says_nothing_on_stdout_when_it_fails(world, content, allow, code):
    result = world.awsrole("env", cwd=world.project("p", content, allow=allow))
    assert (result.code, result.out) == (code, "") and result.err


def test_enough_life(world, named):
    result = world.awsrole("env", "--min-ttl", "2h", cwd=named)
    assert (result.code, result.out) == (4, "") and "--min-ttl" in result.err


@pytest.mark.parametrize("event, kept", [("changed", True), ("cd", False)])
def test_an_evaluated_set_of_keys_is_never_half_removed(world, named, event, kept):
    """In a shell that held another role, only the key ID and the expiration are seen to differ."""
    evaluated = {name: value for name, value in world.exec_env(world.home, "--profile", "shop-dev").items() if name.startswith("AWS")}
    changed = ["--changed", "AWS_ACCESS_KEY_ID", "--changed", "AWS_CREDENTIAL_EXPIRATION"]
    words = asked(named, event=event)
    result = world.awsrole(*words[:-2], *changed, *words[-2:], env=evaluated)
    assert result.code == 0, result.err
    removed = re.findall(r"__awsrole_(?:unset (\w+)$|adopt (\w+) unset)", result.out, re.M)
    assert {*KEYS, "AWS_CREDENTIAL_EXPIRATION"} & {name for names in removed for name in names} == \
        (set() if kept else {*KEYS, "AWS_CREDENTIAL_EXPIRATION"})
