"""Tests many shells that need the same code: one prompts, the others print where, and none hangs."""

import os
import re
import signal

import pexpect

from support.hooked_shell import PLACEHOLDER, awsroles, wait_for
from support.prompts import ASK
from support.terminal import SHELLS


def test_two_hundred_put_one_question(world):
    """All of them have the terminal, and are allowed to ask."""
    shop = world.shop()
    told = world.home / "told"
    told.mkdir()
    each = f"{world.binary} hook export bash --event cd --ask -- {shop}/.awsrole.toml > {told}/out.$n 2> {told}/err.$n"
    script = f"n=0; while [ $n -lt 200 ]; do {each} & n=$((n + 1)); done; wait; echo all are done"
    terminal = pexpect.spawn("/bin/sh", ["-c", script], cwd=str(shop), env=world.environment(PWD=str(shop)), timeout=60)
    terminal.expect_exact(ASK)
    # Those who don't ask have all come back, without an answer.
    wait_for(lambda: len(awsroles(terminal.pid)) == 1 and len(list(told.iterdir())) == 400, seconds=60)
    terminal.send(world.code() + "\r")
    terminal.expect_exact("all are done")
    assert ASK not in terminal.before.decode()
    terminal.close()
    answers = [(told / f"out.{number}").read_text() for number in range(200)]
    said = [(told / f"err.{number}").read_text() for number in range(200)]
    assert sum("__awsrole_done role " in text for text in answers) == 1
    assert sum("__awsrole_done blocked " in text for text in answers) == 199
    assert sum(bool(re.search(r"is prompting for the MFA code in another terminal \(process \d+\)", text)) for text in said) == 199
    assert [call["action"] for call in world.sts.calls()] == ["GetSessionToken", "AssumeRole"]


def test_a_dozen_terminals_follow_one_answer(world):
    shop = world.shop()
    terminals = [world.terminal(SHELLS[number % 3]) for number in range(12)]
    for terminal in terminals:
        terminal.type(f"cd {shop}")
    asking = None

    def one_asks():
        nonlocal asking
        asking = [terminal for terminal in terminals if awsroles(terminal.process.pid)]
        return len(asking) == 1

    wait_for(one_asks)
    [first] = asking
    first.asked()
    for other in terminals:
        if other is not first:
            said = other.wait()
            assert ASK not in said and "is prompting for the MFA code in the terminal /dev/pts/" in said
    first.answer(world.code())
    for terminal in terminals:
        terminal.run("")
    assert len({terminal.key() for terminal in terminals}) == 1 and first.key().startswith("ASIA")
    assert len(world.asked_for_codes()) == len(world.assumed()) == 1


def test_who_asks_is_killed(world, shell):
    shop = world.shop()
    first, other = world.terminal(shell), world.terminal("bash")
    first.type(f"cd {shop}")
    first.asked()
    [process] = awsroles(first.process.pid)
    os.kill(process, signal.SIGKILL)
    first.wait()
    # What it had said of itself is no more believed.
    other.type(f"cd {shop}")
    other.asked()
    said = other.answer(world.code())
    assert "is prompting for" not in said and other.key().startswith("ASIA")
    assert first.run("") is not None and first.key() in (PLACEHOLDER, other.key())
    first.run("awsrole refresh")
    assert first.key().startswith("ASIA")
    assert len(world.asked_for_codes()) == 1
