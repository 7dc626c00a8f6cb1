"""Tests waiting for a prompt of another process, `mfa_process`, and sessions that are too old."""

import os
import pwd
import signal
import termios

import pytest
from mfa_world import FIXTURE, MfaWorld, guarded

from support.aws_files import role_file
from support.hooked_shell import PLACEHOLDER, awsroles, wait_for
from support.processes import descendants, program
from support.prompts import ASK
from support.world import HERE, THERE


def test_others_are_told_where_the_question_is(world, shell):
    shop = world.shop()
    first, other = world.terminal("bash"), world.terminal(shell)
    first.type(f"cd {shop}")
    first.asked()
    [process] = awsroles(first.process.pid)
    said = other.run(f"cd {shop}")
    assert ASK not in said and said.count("awsrole: ") == 1
    place = os.readlink(f"/proc/{first.process.pid}/fd/2")
    assert place.startswith("/dev/pts/") and f"is prompting for the MFA code in the terminal {place} (process {process})" in said
    assert "answer the prompt there, and this shell continues at its next prompt" in said
    assert other.key() == PLACEHOLDER
    assert "awsrole" not in other.run("")
    first.answer(world.code())
    assert ASK not in other.run("")
    assert other.key() == first.key() and first.key().startswith("ASIA")
    assert len(world.asked_for_codes()) == len(world.assumed()) == 1


def test_another_role_of_the_same_user_waits_as_well(world):
    shop, audit = world.shop(), world.shop("audit", "Audit", "111111111111")
    first, other = world.terminal("bash"), world.terminal("zsh")
    first.type(f"cd {shop}")
    first.asked()
    said = other.run(f"cd {audit}")
    assert ASK not in said and "is prompting for the MFA code in the terminal /dev/pts/" in said
    first.answer(world.code())
    other.run("")
    assert other.key().startswith("ASIA") and other.key() != first.key()
    assert len(world.asked_for_codes()) == 1


def test_who_waited_may_ask_after_the_other_cancelled(world):
    shop = world.shop()
    first, other = world.terminal("bash"), world.terminal("zsh")
    first.type(f"cd {shop}")
    first.asked()
    other.run(f"cd {shop}")
    first.send("\x03")
    first.wait()
    assert ASK not in other.run("")
    other.type("awsrole refresh")
    other.asked()
    other.answer(world.code())
    assert other.key().startswith("ASIA")
    first.run("")
    assert first.key() == other.key()


@pytest.fixture
def by_program(world):
    """A program that prints codes and records each start."""
    world.write("authenticator", f'#!/bin/sh\necho "$AWSROLE_MFA_SERIAL" >> {world.home}/started\ncat {world.home}/code\n').chmod(0o755)
    world.write(".config/awsrole/config.toml", f"mfa_process = '{world.home}/authenticator'\n")
    return world.home / "started"


def test_a_program_gives_the_code(world, shell, by_program):
    world.write("code", world.code())
    shop = world.shop()
    # Not for a prompt that comes by: the program may want a touch of a key.
    tty = world.terminal(shell, shop)
    assert tty.key() == PLACEHOLDER and not by_program.exists()
    tty.run("cd /")
    said = tty.run(f"cd {shop}")
    assert ASK not in said and "needs an MFA code" not in said
    assert tty.key().startswith("ASIA")
    assert by_program.read_text().split() == ["arn:aws:iam::111111111111:mfa/alice"]
    assert [call["outcome"] for call in world.asked_for_codes()] == ["OK"]


@pytest.mark.parametrize(
    ("program", "part"),
    [("exit 3", "mfa_process ended with exit code 3"), ("echo 12345", "six digits"), ("/nowhere/at/all", "mfa_process")],
)
def test_a_program_gives_none(world, program, part):
    world.write(".config/awsrole/config.toml", f"mfa_process = '{program}'\n")
    tty = world.terminal("bash")
    said = tty.run(f"cd {world.shop()}")
    assert ASK not in said and part in said
    assert "awsrole:" not in tty.run("") + tty.run("")
    assert tty.key() == PLACEHOLDER and world.sts.calls() == []


def test_others_are_told_that_a_program_is_awaited(world, by_program):
    world.write("authenticator", f"#!/bin/sh\ntouch {by_program}\nuntil [ -e {world.home}/code ]; do sleep 0.05; done\ncat {world.home}/code\n")
    shop = world.shop()
    first, other = world.terminal("bash"), world.terminal("bash")
    first.type(f"cd {shop}")
    wait_for(by_program.exists)
    said = other.run(f"cd {shop}")
    assert "mfa_process is running (process " in said and "prompting for" not in said
    world.write("code.new", world.code()).rename(world.home / "code")
    first.wait()
    assert first.key().startswith("ASIA")


def test_a_program_that_never_ends(world):
    world.write(".config/awsrole/config.toml", "mfa_process = 'echo 123456; sleep 600'\n[limits]\nprocess = '1s'\n")
    tty = world.terminal("bash")
    said = tty.run(f"cd {world.shop()}")
    assert "mfa_process did not finish within 1 s" in said and "`process` in [limits]" in said
    assert tty.key() == PLACEHOLDER and world.sts.calls() == []
    assert not [child for child in descendants(tty.process.pid) if program(child) == "sleep"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_that_ends_the_question_gives_the_terminal_back(world, shell, number):
    shop = world.shop()
    tty = world.terminal(shell)
    before = tty.modes()
    tty.type(f"cd {shop}")
    tty.asked()
    [process] = awsroles(tty.process.pid)
    at = os.open(os.readlink(f"/proc/{tty.process.pid}/fd/2"), os.O_RDWR | os.O_NOCTTY)
    asking = termios.tcgetattr(at)
    os.kill(process, number)
    tty.wait()
    # fish sets its own modes at each prompt, the others leave them as they are.
    assert tty.modes() == before
    assert not asking[3] & termios.ICANON and not asking[3] & termios.ISIG
    os.close(at)
    assert tty.key() == PLACEHOLDER
    assert "interrupted" not in tty.run("")


def test_a_program_is_not_the_projects_to_name(world):
    folder = world.project("evil", 'mfa_process = "touch ran"\n')
    said = world.awsrole("allow", folder)
    assert said.code == 1 and "isn't allowed in a project's file" in said.err


def test_a_session_that_is_too_old_for_the_trust_policy(world):
    """One more question, because it worked before and the session is more than five minutes old."""
    shop = world.shop(role="Strict")
    tty = world.terminal("bash")
    tty.enter(shop, world.code())
    first = tty.key()
    world.outlive_mfa()
    [device] = world.entries("mfa")
    device.unlink()
    world.sts.reset()
    tty.type("awsrole refresh")
    tty.asked()
    tty.answer(world.code())
    assert tty.key() not in (first, PLACEHOLDER)
    assert [(call["action"], call["outcome"]) for call in world.sts.calls()] == [
        ("AssumeRole", "AccessDenied"), ("GetSessionToken", "OK"), ("AssumeRole", "OK")]


def test_an_interrupted_code_takes_no_session_away(world):
    """The old session is valid for roles whose trust policies accept its age."""
    strict, audit = world.shop(role="Strict"), world.shop("audit", "Audit", HERE)
    tty = world.terminal("bash")
    tty.enter(strict, world.code())
    world.outlive_mfa()
    for line in ("awsrole refresh", "awsrole refresh"):
        tty.type(line)
        tty.asked()
        tty.send("\x03")
        tty.wait()
        tty.run("")
    assert ASK not in tty.run(f"cd {audit}")
    assert tty.key().startswith("ASIA") and len(world.asked_for_codes()) == 1


def test_what_was_refused_for_its_age_is_kept_at_prompts(world):
    """Without an act of the person there is no question: what there is, is used as long as it lives."""
    shop = world.shop(role="Strict")
    tty = world.terminal("bash")
    tty.enter(shop, world.code())
    world.outlive_mfa()
    world.sts.reset()
    user = {"USER": pwd.getpwuid(os.getuid()).pw_name}
    world.awsrole("refresh", cwd=shop, env=user)
    result = world.awsrole("credential-process", cwd=shop, env=user)
    assert ASK not in result.err and result.json["AccessKeyId"] == tty.key()
    assert [(call["action"], call["outcome"]) for call in world.sts.calls()] == [("AssumeRole", "AccessDenied")]


def test_a_young_session_is_explained(world):
    """Refused with a session of a moment ago: the reason is another, and a second code wouldn't help."""
    world.shop()
    tty = world.terminal("bash")
    tty.enter(world.home / "src/shop", world.code())
    said = tty.run(f"cd {world.shop('shut', 'Shut')}")
    assert ASK not in said and "AccessDenied" in said
    assert "an MFA session 0 minutes old" in said and "trust policy" in said
    assert len(world.asked_for_codes()) == 1 and tty.key() == PLACEHOLDER


def test_an_old_session_is_explained_where_the_role_never_worked(world):
    world.shop()
    tty = world.terminal("bash")
    tty.enter(world.home / "src/shop", world.code())
    world.age_sessions(600)
    said = tty.run(f"cd {world.shop('shut', 'Shut')}")
    assert ASK not in said and "AccessDenied" in said and "an MFA session 10 minutes old" in said
    assert len(world.asked_for_codes()) == 1


def test_a_role_that_worked_and_is_taken_away_costs_one_code(world):
    """awsrole cannot know that the code is useless, but it prompts only once, not at every prompt."""
    shop = world.shop(role="Strict")
    tty = world.terminal("bash")
    tty.enter(shop, world.code())
    world.age_sessions(600)
    [device] = world.entries("mfa")
    device.unlink()
    world.sts.fault(action="AssumeRole", error={"status": 403, "code": "AccessDenied", "message": "not authorized"})
    tty.type("awsrole refresh")
    tty.asked()
    said = tty.answer(world.code())
    assert "AccessDenied" in said
    calls = len(world.sts.calls())
    assert ASK not in tty.run("") + tty.run("true")
    assert len(world.sts.calls()) == calls
    assert len(world.asked_for_codes()) == 2


def test_a_device_of_somebody_else(world):
    shop = world.shop(mfa_serial="arn:aws:iam::111111111111:mfa/bob")
    tty = world.terminal("bash")
    tty.type(f"cd {shop}")
    tty.process.expect_exact(f"MFA code of bob for Deploy in {THERE}: ")
    said = tty.answer("123456")
    assert "unable to validate MFA code" in said and "device: arn:aws:iam::111111111111:mfa/bob" in said
    assert "must be a device of the user" in said and tty.key() == PLACEHOLDER


def test_a_role_that_wants_a_code_and_a_file_that_names_no_device(world):
    folder = world.project("plain", role_file("Deploy", source="plain"), allow=True)
    said = world.awsrole("exec", "--", "true", cwd=folder)
    assert said.code == 4 and "AccessDenied" in said.err and "no MFA" in said.err


def test_mfa_is_not_passed_on(tmp_path):
    """A role's session never counts as authenticated by a code, and that is said."""
    strict = {"name": "Inner", "account": THERE,
              "trust": guarded() | {"Statement": {**guarded()["Statement"][0], "Principal": {"AWS": f"arn:aws:iam::{THERE}:role/Deploy"}}}}
    with MfaWorld(tmp_path, {**FIXTURE, "role": [*FIXTURE["role"], strict]}) as world:
        world.write("code", world.code())
        world.write(".config/awsrole/config.toml", f"mfa_process = 'cat {world.home}/code'\n")
        folder = world.project("chain", f'''
default_role = "inner"
[role.outer]
role_arn = "arn:aws:iam::{THERE}:role/Deploy"
source_profile = "jump"
[role.inner]
role_arn = "arn:aws:iam::{THERE}:role/Inner"
source_role = "outer"
''', allow=True)
        said = world.awsrole("exec", "--", "true", cwd=folder, env={"AWS_ENDPOINT_URL": world.sts.url})
        assert said.code == 4 and "sent: session name" in said.err and "no MFA" in said.err
        assert "it requires MFA, which a role's session never has" in said.err and "remove" not in said.err
        assert [call["outcome"] for call in world.sts.calls()] == ["OK", "OK", "AccessDenied"]


def test_renewal_after_the_session_of_the_code_has_ended(world, shell):
    """Twelve hours later: at a prompt nobody is asked, and the role that still lives goes on."""
    shop = world.shop()
    world.sts.fault(action="GetSessionToken", lifetime_seconds=5)
    world.sts.fault(action="AssumeRole", lifetime_seconds=5)
    tty = world.terminal(shell)
    tty.enter(shop, world.code())
    assert tty.key().startswith("ASIA")
    tty.said = ""

    def over():
        tty.run("")
        return tty.key() == PLACEHOLDER

    wait_for(over)
    # It may be said twice: that the role is about to end, and that it has ended.
    assert ASK not in tty.said and 1 <= tty.said.count("Deploy needs an MFA code") <= 2
    assert len(world.asked_for_codes()) == 1
    world.sts.clear_faults()
    # Otherwise the next step would be waited for.
    [device] = world.entries("mfa")
    device.unlink()
    tty.type("awsrole refresh")
    tty.asked()
    tty.answer(world.code())
    assert tty.key().startswith("ASIA")


def test_a_long_run_is_helped_from_another_terminal(world):
    """A command that renews its role never asks; a code that is given elsewhere lets it go on."""
    shop = world.shop()
    whose = "aws sts get-caller-identity --query Arn --output text --region us-east-1"
    script = world.write("script", f"""\
{whose}
rm $XDG_CACHE_HOME/awsrole/*.session
{whose} 2> said
touch waits
until [ -e go ]; do sleep 0.1; done
{whose}
""")
    # The second code is awaited for up to half a minute.
    first, second = world.terminal("bash", cwd=shop, timeout=60), world.terminal("bash", cwd=shop, timeout=60)
    first.type(f"{world.binary} exec --renew -- sh {script} > out 2> err")
    first.asked()
    first.send(world.sts.unused_totp("alice") + "\r")
    wait_for(lambda: (shop / "waits").exists(), 60)
    said = (shop / "said").read_text()
    assert "needs an MFA code" in said and f"`awsrole exec --dir {shop} -- true`" in said
    second.type(f"{world.binary} exec -- true")
    second.asked()
    second.answer(world.sts.unused_totp("alice"))
    (shop / "go").touch()
    first.wait()
    arn = f"arn:aws:sts::{THERE}:assumed-role/Deploy/{pwd.getpwuid(os.getuid()).pw_name}"
    assert (shop / "out").read_text().splitlines() == [arn, arn]
    # The rest of twelve hours, in minutes.
    assert any(f"is renewed for {left}" in (shop / "err").read_text() for left in ("12h", "11h 59m"))


def test_an_agent_cannot_end_the_session_of_its_user(world):
    """It can't enter a code, so a refusal sends it to its user, and its `refresh` keeps the MFA session."""
    agent = {"CLAUDECODE": "1"}
    world.shop()
    tty = world.terminal("bash")
    tty.enter(world.home / "src/shop", world.code())
    world.age_sessions(2 * 3600)
    shut = world.shop("shut", "Shut")
    result = world.awsrole("exec", "--", "true", cwd=shut, env=agent)
    said = " ".join(result.err.split())
    assert result.code == 4 and "(aws:MultiFactorAuthAge): ask your user to run `awsrole refresh` to enter a new one" in said, said
    assert world.awsrole("refresh", cwd=shut, env=agent).code == 0
    # The user would be asked, and the code would be accepted.
    for device in world.entries("mfa"):
        device.unlink()
    world.write(".config/awsrole/config.toml", f'mfa_process = "echo {world.code()}"\n')
    result = world.awsrole("exec", "--", "true", cwd=world.shop("audit", "Audit", HERE))
    assert (result.code, result.err) == (0, ""), result.err
    assert len(world.asked_for_codes()) == 1


def test_an_agent_is_told_who_enters_the_next_code(world):
    world.shop()
    tty = world.terminal("bash")
    tty.enter(world.home / "src/shop", world.code())
    folder = world.project("named", f"default_role = 'ci'\n[role.ci]\n{role_file('Audit', HERE)}", allow=True)
    for env, who in (({}, "run"), ({"CLAUDECODE": "1"}, "ask your user: run")):
        said = " ".join(world.awsrole("exec", "--renew", "--", "true", cwd=folder, env=env).err.split())
        assert f"needs an MFA code: {who} `awsrole exec --role ci -- true` in another terminal" in said, said
