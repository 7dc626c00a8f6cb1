"""Tests renewal: in the background while the prompt returns at once, until expiration if it fails, and the block after
that.
"""

import os
import re
import time
from datetime import UTC, datetime

import pytest

from support.hooked_shell import PLACEHOLDER, hook_line, wait_for
from support.terminal import SHELLS, Terminal
from support.world import DEPLOY

NO_ROLE = PLACEHOLDER.encode()


@pytest.fixture(params=SHELLS)
def shell(request, world):
    """An interactive shell in an allowed project whose sessions live for 20 seconds."""
    world.sts.fault(lifetime_seconds=20)
    project = world.project("shop", DEPLOY, allow=True)
    load = hook_line(request.param)
    terminal = Terminal(request.param, world.home, load, env=world.environment(), cwd=project)
    yield terminal
    terminal.close()


def prompts_until(shell, met, seconds=40):
    """Presses Enter until a condition is met; at every prompt the keys in the shell must be good."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        env = shell.env()
        if met(env):
            return env
        expiration = env[b"AWS_CREDENTIAL_EXPIRATION"].decode()
        assert datetime.fromisoformat(expiration) > datetime.now(UTC), "a command got keys that had expired"
        time.sleep(0.2)
    raise AssertionError("it never came")


def test_the_prompt_stays_free_while_a_role_is_renewed(shell, world):
    first = shell.env()[b"AWS_ACCESS_KEY_ID"]
    world.sts.fault(action="AssumeRole", latency_ms=1500)
    before = len(world.assumed())
    # The renewal starts, and the prompt returns with the old role before STS has responded.
    env = prompts_until(shell, lambda env: len(world.assumed()) > before or env[b"AWS_ACCESS_KEY_ID"] != first)
    assert env[b"AWS_ACCESS_KEY_ID"] == first
    env = prompts_until(shell, lambda env: env[b"AWS_ACCESS_KEY_ID"] != first)
    assert env[b"AWS_ACCESS_KEY_ID"].startswith(b"ASIA")
    assert len(world.assumed()) == before + 1


def test_a_renewal_has_no_terminal_and_no_stream_of_the_shell(shell, world):
    first = shell.env()[b"AWS_ACCESS_KEY_ID"]
    world.sts.fault(action="AssumeRole", latency_ms=3000)

    prompts_until(shell, lambda env: world.renewals() or env[b"AWS_ACCESS_KEY_ID"] != first)
    (renewal,) = world.renewals()
    assert wait_for(lambda: os.getsid(renewal) == renewal, 30)
    # What it has open is hidden from all but root.
    if os.geteuid() == 0:
        streams = {os.readlink(f"/proc/{renewal}/fd/{number}") for number in (0, 1, 2)}
        assert streams == {"/dev/null"}
    with open(f"/proc/{renewal}/cmdline", "rb") as text:
        words = text.read()
    assert not any(secret.encode() in words for secret in world.secrets)
    # The shell's end isn't the renewal's.
    shell.close()
    before = len(world.entries())
    assert wait_for(lambda: not world.renewals(), 30)
    assert len(world.entries()) == before


def test_a_role_that_can_not_be_renewed_is_kept_to_its_end_and_then_blocked(shell, world):
    # A longer life, so that a slow machine has its last fifth at the prompt, too.
    world.sts.clear_faults()
    world.sts.fault(lifetime_seconds=40)
    before = shell.env()[b"AWS_ACCESS_KEY_ID"]
    shell.run("awsrole refresh")
    prompts_until(shell, lambda env: env[b"AWS_ACCESS_KEY_ID"] != before)
    world.sts.fault(action="AssumeRole", unavailable=True)
    said, wait = [], shell.wait
    shell.wait = lambda: said.append(wait()) or said[-1]
    env = prompts_until(shell, lambda env: env[b"AWS_ACCESS_KEY_ID"] == NO_ROLE, seconds=80)
    shell.run("")
    assert env[b"AWS_PROFILE"] == NO_ROLE
    # A few tries with back-off, not one for every prompt.
    assert len([call for call in world.assumed() if call["outcome"] == "ServiceUnavailable"]) <= 9
    # Once that the role is about to end, once that it has ended.
    assert "".join(said).count("ServiceUnavailable") == 2
    assert re.search(r"Deploy in \d+: still using the current credentials, valid until \d\d:\d\d \(in \d+s\)", "".join(said))
