"""Tests missing codes: the shell is blocked, one message explains it, and there is no further prompt until the user
acts.
"""

import json
import os
import re
import subprocess
import time

import pytest

from support.hooked_shell import PLACEHOLDER, awsroles, wait_for
from support.prompts import ASK
from support.terminal import read_env

CTRL_C = "\x03"


def is_blocked_and_quiet(world, tty, calls):
    """At prompts, and at a `cd` within the project, nothing is said or asked, and nobody is called."""
    for line in ("", "true", "cd .", ""):
        said = tty.run(line)
        assert ASK not in said and "awsrole:" not in said
        assert not awsroles(tty.process.pid)
    assert tty.key() == tty.variable("AWS_PROFILE") == PLACEHOLDER
    assert len(world.sts.calls()) == calls


def lines(said):
    """Returns awsrole's output after the prompt."""
    return re.findall(r"awsrole: .*", said)


KEYS = {"ctrl-c": CTRL_C, "digits-ctrl-c": "12\x03", "ctrl-d": "\x04", "ctrl-backslash": "\x1c", "ctrl-z": "\x1a"}


def test_why_says_that_the_code_is_missing(world):
    tty = world.terminal("bash")
    tty.type(f"cd {world.shop()}")
    tty.asked()
    tty.send(CTRL_C)
    tty.wait()
    tty.run("")
    said = tty.run("awsrole why")
    assert "no MFA code was entered" in said and "the shell stays blocked until `awsrole refresh`. Then awsrole prompts" in said
    assert "blocked" in tty.run("awsrole status")
    tty.type("awsrole refresh")
    tty.asked()
    tty.answer(world.code())
    assert tty.key().startswith("ASIA")
    tty.run("")
    # The shells that wait for the code are notified, and so is this one. It receives the session once.
    [entry] = json.loads(world.awsrole("history", "--json").out)
    assert (entry["what"], entry["new"], entry["shell"]) == ("assumed", True, tty.process.pid)


def test_cancelled_after_a_slip(world, shell):
    tty = world.terminal(shell)
    tty.type(f"cd {world.shop()}")
    tty.asked()
    tty.send("12345\r")
    tty.asked()
    tty.send(CTRL_C)
    tty.wait()
    is_blocked_and_quiet(world, tty, calls=0)


@pytest.mark.parametrize("key", KEYS)
def test_cancelled(world, shell, key):
    shop = world.shop()
    tty = world.terminal(shell)
    modes = tty.modes()
    ran = tty.file("ran")
    tty.type(f"cd {shop} && touch {ran}")
    tty.asked()
    tty.send(KEYS[key])
    said = tty.wait() + tty.run("")
    assert not ran.exists()
    assert len(lines(said)) == 1 and "`awsrole refresh`" in said
    assert tty.modes() == modes
    is_blocked_and_quiet(world, tty, calls=0)
    tty.type("awsrole refresh")
    tty.asked()
    tty.answer(world.code())
    assert tty.key().startswith("ASIA")
    assert tty.modes() == modes


def test_cancelled_twice_is_said_twice(world, shell):
    """Each act of the person gets an answer."""
    shop = world.shop()
    tty = world.terminal(shell)
    for line in (f"cd {shop}", "awsrole refresh"):
        tty.type(line)
        tty.asked()
        tty.send(CTRL_C)
        said = tty.wait() + tty.run("")
        assert len(lines(said)) == 1, said
    tty.run("cd /")
    assert tty.key() is None
    tty.type(f"cd {shop}")
    tty.asked()
    tty.send(CTRL_C)
    tty.wait()
    assert world.sts.calls() == []


@pytest.mark.parametrize("answer", ["", "12345", "1234567", "12345a", "nonsense"])
def test_a_slip_is_asked_again(world, answer):
    tty = world.terminal("bash")
    tty.type(f"cd {world.shop()}")
    tty.asked()
    tty.send(answer + "\r")
    assert "awsrole: a code is six digits" in tty.asked()
    tty.answer(world.code())
    assert tty.key().startswith("ASIA")
    assert len(world.asked_for_codes()) == 1


def test_not_six_digits_three_times(world, shell):
    tty = world.terminal(shell)
    modes = tty.modes()
    tty.type(f"cd {world.shop()}")
    for answer in ("12345", ""):
        tty.asked()
        tty.send(answer + "\r")
    tty.asked()
    said = tty.answer("1234567")
    assert "but the input isn't one" in said and "`awsrole refresh`" in said
    assert tty.modes() == modes
    is_blocked_and_quiet(world, tty, calls=0)
    tty.type("awsrole refresh")
    tty.asked()
    tty.answer(world.code())
    assert tty.key().startswith("ASIA")


def test_a_wrong_code(world, shell):
    tty = world.terminal(shell)
    modes = tty.modes()
    tty.type(f"cd {world.shop()}")
    tty.asked()
    for _ in range(2):
        tty.send(world.wrong_code() + "\r")
        assert "awsrole: AWS refused the code" in tty.asked()
    said = tty.answer(world.wrong_code())
    assert "invalid MFA one time pass code" in said and "already used" in said
    assert len(lines(said)) == 1
    assert tty.modes() == modes
    is_blocked_and_quiet(world, tty, calls=3)
    assert [call["outcome"] for call in world.sts.calls()] == ["AccessDenied"] * 3


@pytest.mark.parametrize("line", ["cd .. && cd shop", "awsrole exec -- true"])
def test_a_typed_line_after_wrong_codes_prompts_at_once(world, shell, line):
    tty = world.terminal(shell)
    tty.type(f"cd {world.shop()}")
    for _ in range(3):
        tty.asked()
        tty.send(world.wrong_code() + "\r")
    assert "run `awsrole refresh` to try the next one" in tty.wait()
    tty.type(line)
    tty.asked()
    tty.answer(world.code())
    assert len(world.sts.calls()) >= 4


@pytest.mark.parametrize("more", [{}, {"duration_seconds": "2h"}], ids=["GetSessionToken", "AssumeRole"])
def test_the_right_code_after_a_wrong_one(world, shell, more):
    tty = world.terminal(shell)
    tty.type(f"cd {world.shop(**more)}")
    tty.asked()
    tty.send(world.wrong_code() + "\r")
    tty.asked()
    tty.send("12345\r")
    assert "a code is six digits" in tty.asked()
    tty.answer(world.code())
    assert tty.key().startswith("ASIA")


def test_three_attempts_in_all(world):
    """Slips count as well as refused codes."""
    tty = world.terminal("bash")
    tty.type(f"cd {world.shop()}")
    for answer in ("12345", world.wrong_code(), "nonsense"):
        tty.asked()
        tty.send(answer + "\r")
    assert "invalid MFA one time pass code" in tty.wait()
    is_blocked_and_quiet(world, tty, calls=1)


def test_cancelled_after_a_wrong_code(world):
    tty = world.terminal("bash")
    tty.type(f"cd {world.shop()}")
    tty.asked()
    tty.send(world.wrong_code() + "\r")
    tty.asked()
    tty.send(CTRL_C)
    said = tty.wait() + tty.run("")
    assert "`awsrole refresh`" in said and "one time pass code" not in said
    is_blocked_and_quiet(world, tty, calls=1)


@pytest.mark.parametrize("fault", [{"drop": True}, {"truncate": True}, {"unavailable": True}], ids=lambda fault: next(iter(fault)))
@pytest.mark.parametrize("more", [{}, {"duration_seconds": "2h"}], ids=["GetSessionToken", "AssumeRole"])
def test_a_code_is_sent_once_though_the_answer_was_lost(world, fault, more):
    """STS may have taken it: the same code again would be called wrong, and then nothing would know that it is used."""
    tty = world.terminal("bash")
    world.sts.fault(**fault, times=1)
    said = tty.enter(world.shop(**more), world.code())
    assert "already used" not in said and "caused by" in said
    assert len(world.asked_for_codes()) == 1
    [device] = world.entries("mfa")
    assert abs(json.loads(device.read_text())["used_step"] - time.time() // 30) <= 1
    is_blocked_and_quiet(world, tty, calls=1)


def test_typed_ahead_is_no_answer(world):
    """Input that was typed before the prompt appeared isn't an answer to it."""
    tty = world.terminal("bash")
    shop = world.shop()
    world.sts.fault(latency_ms=1)
    tty.send(f"cd {shop}\n123456\n")
    tty.asked()
    tty.send(CTRL_C)
    tty.wait()
    assert world.sts.calls() == []


def test_mended_while_typing(world, shell):
    tty = world.terminal(shell)
    code = world.code()
    tty.type(f"cd {world.shop()}")
    tty.asked()
    tty.send("99\x7f\x7f" + "88\x15")
    tty.answer(f" {code} ")
    assert tty.key().startswith("ASIA")


def test_answered_leaves_the_terminal_as_it_was(world, shell):
    tty = world.terminal(shell)
    modes = tty.modes()
    tty.enter(world.shop(), world.code())
    assert tty.modes() == modes


def test_detached_from_the_terminal(world, shell):
    tty = world.terminal(shell, world.shop())
    said = tty.run("setsid -w awsrole-binary exec -- true".replace("awsrole-binary", str(world.binary)))
    assert "this process isn't in the foreground of a terminal" in said and ASK not in said
    assert said.count("Deploy needs an MFA code") == 1
    assert world.sts.calls() == []


def test_a_job_in_the_background(world, shell):
    shop = world.shop()
    tty = world.terminal(shell, world.home)
    out, code = tty.file("job"), tty.file("code")
    status = "$status" if shell == "fish" else "$?"
    script = tty.file("script")
    script.write_text(f"#!/bin/sh\ncd {shop} || exit\n{world.binary} exec -- true >{out} 2>&1\necho $? >{code}.new\nmv {code}.new {code}\n")
    script.chmod(0o755)
    tty.run(f"{script} &")
    wait_for(code.exists)
    assert code.read_text() == "4\n", status
    assert "isn't in the foreground of a terminal" in out.read_text()
    assert world.sts.calls() == []


def test_an_editors_shell(world, shell):
    """No terminal at all, and an interactive shell that reads the rc file."""
    shop = world.shop()
    home = world.home / "editor"
    rc = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/config.fish"}[shell]
    (home / rc).parent.mkdir(parents=True)
    (home / rc).write_text(world.rc(shell) + "\n")
    (home / ".local").symlink_to(world.home / ".local")
    (home / ".aws").symlink_to(world.home / ".aws")
    out = home / "env"
    done = subprocess.run(
        [shell, "-ic", f"cd {shop}; command env -0 > {out}; cd /; cd {shop}; true"], cwd=home, start_new_session=True,
        env=world.environment(HOME=str(home)), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert read_env(out)[b"AWS_ACCESS_KEY_ID"] == PLACEHOLDER.encode(), done.stderr
    assert 1 <= done.stderr.count("Deploy needs an MFA code") <= 2 and "isn't in the foreground of a terminal" in done.stderr
    assert world.sts.calls() == []


def test_completion_in_bash(world):
    shop = world.shop()
    look = f'look() {{ COMPREPLY=(found-$(cd {shop}; echo "${{AWS_ACCESS_KEY_ID-none}}")); }}; complete -F look look'
    tty = world.terminal("bash", rc=look, editing=True)
    tty.send("look \t")
    tty.process.expect("found-([a-zA-Z-]*) ")
    assert tty.process.match[1] == b"none"
    assert world.sts.calls() == []


def test_completion_in_zsh(world):
    shop = world.shop()
    look = f"look() {{ x=$(cd {shop}; print ${{AWS_ACCESS_KEY_ID-none}}); zle -M found:$x }}; zle -N look; bindkey '^T' look"
    tty = world.terminal("zsh", rc=look, editing=True)
    tty.send("\x14")
    tty.process.expect("found:(.*?)[\r\n\x1b]")
    assert tty.process.match[1] == b"none"
    assert world.sts.calls() == []


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_subshell_of_the_users(world, shell):
    shop = world.shop()
    tty = world.terminal(shell)
    out = tty.file()
    said = tty.run(f'(cd {shop} && printf %s "$AWS_ACCESS_KEY_ID" > {out})')
    assert ASK not in said and said.count("awsrole: ") == 1 and "Deploy needs an MFA code" in said
    assert out.read_text() == PLACEHOLDER
    assert world.sts.calls() == [] and tty.key() is None
    # Once there is a session, a subshell has the role.
    tty.enter(shop, world.code())
    tty.run("cd /")
    tty.run(f'(cd {shop} && printf %s "$AWS_ACCESS_KEY_ID" > {out})')
    assert out.read_text().startswith("ASIA")


def test_credential_process_never_asks(world):
    shop = world.shop()
    tty = world.terminal("bash")
    status = tty.file()
    command = f"awsrole credential-process --dir {shop}; echo $? > {status}"
    said = tty.run(command)
    assert ASK not in said and "Deploy needs an MFA code" in said and status.read_text() == "4\n"
    assert world.sts.calls() == []
    tty.enter(shop, world.code())
    tty.run("cd /")
    out = tty.file()
    tty.run(f"awsrole credential-process --dir {shop} > {out}")
    assert '"AccessKeyId":"ASIA' in out.read_text().replace(" ", "")


@pytest.mark.parametrize("line", ["awsrole refresh", "awsrole use audit", "awsrole use"])
def test_a_cancelled_command_ends_as_by_ctrl_c(world, shell, line):
    """The status is 130, and the rest of the line doesn't run."""
    audit = '[role.audit]\nrole_arn = "arn:aws:iam::111111111111:role/Audit"\nsource_profile = "jump"\n'
    shop = world.shop()
    world.project("shop", (shop / ".awsrole.toml").read_text() + audit, allow=True)
    tty = world.terminal(shell, shop)
    tty.run("")
    out, ran = tty.file("status"), tty.file("ran")
    tty.type(f"{line}; touch {ran}")
    if line == "awsrole use":
        tty.process.expect_exact("which role?")
    else:
        tty.asked()
    tty.send(CTRL_C)
    tty.wait()
    tty.run(f"echo {'$status' if shell == 'fish' else '$?'} > {out}")
    assert out.read_text() == "130\n" and not ran.exists()


def test_killed_during_the_question(world, shell):
    shop = world.shop()
    tty = world.terminal(shell)
    tty.type(f"cd {shop}")
    tty.asked()
    [process] = awsroles(tty.process.pid)
    os.kill(process, 9)
    said = tty.wait()
    assert "awsrole: " in said and "`awsrole refresh`" in said
    is_blocked_and_quiet(world, tty, calls=0)
    # Nobody holds a lock: another shell is asked at once.
    other = world.terminal("bash")
    other.enter(shop, world.code())
    tty.run("")
    assert tty.key() == other.key() and tty.key().startswith("ASIA")


@pytest.mark.parametrize("signal", [1, 15], ids=["hup", "term"])
def test_ended_during_the_question(world, signal):
    shop = world.shop()
    tty = world.terminal("bash")
    modes = tty.modes()
    tty.type(f"cd {shop}")
    tty.asked()
    [process] = awsroles(tty.process.pid)
    os.kill(process, signal)
    tty.wait()
    tty.run("stty sane")
    assert modes
    is_blocked_and_quiet(world, tty, calls=0)


def test_a_refresh_after_a_refusal_needs_no_code(world, shell):
    """The MFA session is new, so another code would change nothing. The role of another project stays."""
    shop, shut = world.shop(), world.shop("shut", "Shut")
    tty = world.terminal(shell)
    tty.type(f"cd {shop}")
    tty.asked()
    tty.answer(world.code())
    key = tty.key()
    assert "STS refused" in tty.run(f"cd {shut}")
    calls = len(world.sts.calls())
    assert "STS refused" in tty.run("awsrole refresh")
    assert len(world.asked_for_codes()) == 1 and len(world.sts.calls()) == calls + 1
    tty.run(f"cd {shop}")
    assert tty.key() == key
