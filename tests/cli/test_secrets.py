"""Tests that secrets are passed only to the shell, the cache and STS."""

import subprocess
import time

import pytest

from support.local_sts import binary
from support.processes import command_lines
from support.world import ALICE, BLOCKED, DEPLOY

EVERY = [
    ["--help"], ["--version"], ["nonsense"], ["status"], ["status", "--long"], ["status", "--json"], ["why"], ["why", "--json"], ["allow"], ["refresh"],
    ["hook", "bash"], ["hook", "zsh"], ["hook", "fish"], ["exec", "--", "true"], ["exec", "--role", "x", "--", "true"],
    ["exec", "--min-ttl", "40h", "--", "true"], ["exec", "--", "/nowhere"], ["init", "--profile", "jump"], ["completions", "bash"],
    ["credential-process", "--role", "x"], ["logout"], ["hook", "export", "bash"], ["deny"], ["logout", "--all"],
]


def canaries(world, folder):
    """Long-term secrets, and those of the session that is in the cache; found encoded, too."""
    env = world.exec_env(folder)
    assert len(world.secrets) == 4
    return env, world.secrets


@pytest.mark.parametrize("debug", [{}, {"RUST_LOG": "trace", "RUST_BACKTRACE": "full", "AWSROLE_LOG": "trace", "DEBUG": "*"}])
def test_no_secret_in_what_people_see(world, shop, debug):
    env, secrets = canaries(world, shop)
    for words in EVERY:
        for more in ({}, env):
            result = world.awsrole(*words, cwd=shop, env={**more, **debug})
            seen = result.err if words[:2] == ["hook", "export"] else result.err + result.out
            assert not any(secret in seen for secret in secrets), words


def test_no_secret_in_the_errors_of_a_refused_call(world):
    folder = world.project("blocked", BLOCKED, allow=True)
    for fault in ({}, {"drop": True}, {"truncate": True}, {"clock_offset_seconds": 99_999}):
        world.awsrole("refresh", cwd=folder)
        world.sts.clear_faults()
        if fault:
            world.sts.fault(**fault)
        result = world.awsrole("exec", "--", "true", cwd=folder, env={"RUST_LOG": "trace", "RUST_BACKTRACE": "1"})
        assert result.code == 4
        assert not any(secret in result.err for secret in world.secrets)


def test_no_secret_in_the_state_that_is_exported(world, shop):
    prior = {"AWS_ACCESS_KEY_ID": "AKIAPRIOR", "AWS_SECRET_ACCESS_KEY": "canary-prior-secret",
             "AWS_SESSION_TOKEN": "canary-prior-token", "AWS_SECURITY_TOKEN": "canary-prior-security"}
    env = world.exec_env(shop, env=prior)
    for secret in (*world.secrets, "canary-prior"):
        assert secret not in env["AWSROLE_STATE"]
    assert not any("canary-prior" in value for value in env.values())


def test_each_secret_stands_once_in_what_the_shell_is_given(world, shop):
    env, _ = canaries(world, shop)
    for shell in ("bash", "zsh", "fish"):
        out = world.awsrole("hook", "export", shell, "--event", "cd", cwd=shop).out
        assert out.count(env["AWS_SECRET_ACCESS_KEY"]) == 1 and out.count(env["AWS_SESSION_TOKEN"]) == 1
        assert ALICE["secret_access_key"] not in out


def test_no_secret_in_any_argument(world, shop):
    """Watches every process of the test from the first call to the command's end."""
    world.sts.fault(latency_ms=700)
    process = subprocess.Popen([binary("awsrole"), "exec", "--", "sh", "-c", "env; read wait"], cwd=shop,
                               env=world.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    seen = set()

    def look():
        seen.update(b"\0".join(words) for words in command_lines().values())

    deadline = time.monotonic() + 60
    while not world.entries() and time.monotonic() < deadline:
        look()
    found = {}
    while "AWS_SESSION_TOKEN" not in found or "AWS_SECRET_ACCESS_KEY" not in found:
        name, _, value = process.stdout.readline().rstrip("\n").partition("=")
        found[name] = value
    look()
    process.communicate("\n", timeout=60)
    assert any(b"awsrole\0exec" in line for line in seen), "it was watched"
    for secret in (*world.secrets, found["AWS_SECRET_ACCESS_KEY"], found["AWS_SESSION_TOKEN"]):
        assert not any(secret.encode() in line for line in seen)




def test_a_file_that_holds_a_secret_by_mistake_does_not_show_it(world):
    folder = world.project("mistake", DEPLOY + f'aws_secret_access_key = "{ALICE["secret_access_key"]}"\n')
    result = world.awsrole("allow", folder)
    assert result.code == 1 and "aws_secret_access_key" in result.err
    assert ALICE["secret_access_key"] not in result.err + result.out
