"""Tests that one code a day is sufficient for any number of shells and roles."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.hooked_shell import PLACEHOLDER, awsroles, wait_for
from support.processes import descendants
from support.prompts import ASK
from support.world import HERE, SERIAL, THERE


def test_two_roles_three_shells_a_day(world):
    shop, audit = world.shop(), world.shop("audit", "Audit", HERE)
    # The roles' hours last five seconds; the session of the code lasts.
    world.sts.fault(action="AssumeRole", lifetime_seconds=5)
    first, *others = ttys = [world.terminal(shell) for shell in ("bash", "zsh", "fish")]
    first.enter(shop, world.code())
    seen = {first: first.key()}
    for tty, folder in zip(others, (audit, shop), strict=True):
        assert ASK not in tty.run(f"cd {folder}")
        seen[tty] = tty.key()
    assert all(key.startswith("ASIA") for key in seen.values())
    said = ""
    for _ in range(3):
        for tty in ttys:
            def renewed(tty=tty):
                nonlocal said
                said += tty.run("")
                return tty.key() != seen[tty]

            wait_for(renewed)
            seen[tty] = tty.key()
            assert seen[tty].startswith("ASIA")
    for tty, folder in ((first, audit), (others[0], shop)):
        said += tty.run(f"cd {folder}")
        assert tty.key().startswith("ASIA")
    assert ASK not in said and "needs an MFA code" not in said
    calls = world.sts.calls()
    assert len(world.asked_for_codes()) == 1
    assert [call["action"] for call in calls].count("GetSessionToken") == 1
    assert {call["outcome"] for call in calls} == {"OK"}
    assert len(world.assumed()) >= 8


def test_ten_shells_at_once(world):
    shop = world.shop()
    shells = ["bash", "zsh", "fish"] * 3 + ["bash"]
    with ThreadPoolExecutor(10) as pool:
        ttys = list(pool.map(lambda shell: world.terminal(shell, shop, timeout=60), shells))
    for tty in ttys:
        assert ASK not in tty.greeting
        assert tty.greeting.count("awsrole: ") == 1 and "Deploy needs an MFA code" in tty.greeting
        # A prompt that comes by, and a command that isn't awsrole's: still no question, and nothing said twice.
        assert "awsrole" not in tty.run("true")
        assert tty.key() == PLACEHOLDER
    assert world.sts.calls() == []
    first, second, *others = ttys
    first.type("awsrole refresh")
    first.asked()
    first.answer(world.code())
    assert first.key().startswith("ASIA")
    assert ASK not in second.run("cd .")
    for tty in (second, *others):
        tty.run("")
        assert tty.key() == first.key()
    assert len(world.asked_for_codes()) == 1
    assert len(world.assumed()) == 1


def test_coming_back_asks_where_a_prompt_did_not(world, shell):
    shop = world.shop()
    tty = world.terminal(shell, shop)
    assert world.sts.calls() == [] and tty.key() == PLACEHOLDER
    assert tty.run("cd /").count("awsrole: ") == 0
    tty.enter(shop, world.code())
    assert tty.key().startswith("ASIA")


def test_the_question_says_what_it_is_for(world, shell):
    tty = world.terminal(shell)
    said = tty.enter(world.shop(), world.code())
    assert f"{ASK}Deploy in {THERE}: " in said
    assert said.count("MFA code") == 1
    assert f"Deploy in {THERE}" in said.rsplit("MFA code", 1)[1], "it says that the role is there"


def test_more_than_an_hour_takes_the_code_itself(world):
    tty = world.terminal("bash")
    said = tty.enter(world.shop(duration_seconds="2h"), world.code())
    assert f"{ASK}Deploy in {THERE}: " in said
    [call] = world.sts.calls()
    assert (call["action"], call["serial_number"], call["duration_seconds"]) == ("AssumeRole", SERIAL, "7200")
    assert call["has_token_code"] and tty.key().startswith("ASIA")


def test_a_session_without_a_role(world):
    tty = world.terminal("bash")
    folder = world.project("plain", 'source_profile = "jump"\nduration_seconds = "8h"\n', allow=True)
    assert f"{ASK}a session of profile jump: " in tty.enter(folder, world.code())
    [call] = world.sts.calls()
    assert (call["action"], call["duration_seconds"]) == ("GetSessionToken", "28800")


def test_exec_asks_in_the_foreground(world):
    tty = world.terminal("bash", world.shop())
    tty.type("awsrole off")
    tty.wait()
    tty.type("awsrole exec -- printenv AWSROLE_ACCOUNT_ID")
    tty.asked()
    assert THERE in tty.answer(world.code())


def test_the_code_stands_in_no_argument_and_no_environment(world, shell):
    shop = world.shop()
    tty = world.terminal(shell)
    tty.type(f"cd {shop}")
    tty.asked()
    world.sts.fault(action="GetSessionToken", latency_ms=3000)
    code = world.code()
    tty.send(code + "\r")
    wait_for(world.sts.calls)
    looked = 0
    for pid in [tty.process.pid, *descendants(tty.process.pid)]:
        for what in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{what}", "rb") as file:
                assert code.encode() not in file.read()
                looked += 1
    assert looked >= 4 and awsroles(tty.process.pid), "it was looked at while the call was under way"
    tty.wait()
    out = tty.file()
    tty.run(f"set > {out}")
    assert code not in out.read_text(errors="replace")
    kept = [path for path in world.home.rglob("*") if path.is_file() and path != out and code.encode() in path.read_bytes()]
    assert kept == []


def test_a_used_step_is_not_asked_for_again(world):
    shop, longer = world.shop(), world.shop("longer", duration_seconds="2h")
    tty = world.terminal("bash")
    tty.enter(shop, world.code())
    used = world.use_up_the_current_step()
    tty.type(f"cd {longer}")
    tty.process.expect(r"waiting for the next MFA code, (\d+) s: the current one was already used")
    assert 1 <= int(tty.process.match[1]) <= 31
    tty.process.timeout = 40
    tty.asked()
    assert int(time.time()) // 30 > used
    tty.answer(world.code())
    assert tty.key().startswith("ASIA")
    assert [call["outcome"] for call in world.asked_for_codes()] == ["OK", "OK"]


def test_ctrl_c_while_the_next_step_is_awaited(world, shell):
    shop, longer = world.shop(), world.shop("longer", duration_seconds="2h")
    tty = world.terminal(shell)
    tty.enter(shop, world.code())
    ran = tty.file("ran")
    world.use_up_the_current_step()
    tty.type(f"cd {longer} && touch {ran}")
    tty.process.expect_exact("waiting for the next MFA code")
    tty.interrupt()
    tty.wait()
    tty.run("")
    assert not ran.exists() and tty.key() == PLACEHOLDER
    assert len(world.asked_for_codes()) == 1


def test_a_record_from_the_future_is_a_clock_that_was_off(world):
    shop, longer = world.shop(), world.shop("longer", duration_seconds="2h")
    tty = world.terminal("bash")
    tty.enter(shop, world.code())
    [device] = world.entries("mfa")
    device.write_text('{"used_step":99999999999}')
    assert "already used" not in tty.enter(longer, world.code())
    assert tty.key().startswith("ASIA")


@pytest.mark.parametrize("content", ["", "{", '{"used_step":"x"}'])
def test_a_broken_record_is_none(world, content):
    world.shop()
    longer = world.shop("longer", duration_seconds="2h")
    tty = world.terminal("bash")
    tty.enter(world.home / "src/shop", world.code())
    [device] = world.entries("mfa")
    device.write_text(content)
    tty.enter(longer, world.code())
    assert tty.key().startswith("ASIA")
