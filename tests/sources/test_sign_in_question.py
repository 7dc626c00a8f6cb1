"""Tests the question whether to sign in now: who is asked, and that one answer serves all terminals."""

from __future__ import annotations

import os
import threading

import pexpect
from console_fixtures import AS_IT_IS, PERSON, who
from source_fixtures import PERSON as ANA
from source_fixtures import SSO

from support.hooked_shell import PLACEHOLDER, awsroles, wait_for
from support.terminal import SHELLS
from support.world import HERE

ASK = "awsrole: sign in to corp now? [Y/n] "


def terminal(corp, shell="bash", **options):
    tty = corp.terminal(shell, env=corp.env, **options)
    os.symlink(corp.home / ".aws", tty.home / ".aws")
    return tty


def confirm(corp, tty):
    """Approves the code that the terminal shows, and waits for its prompt."""
    tty.process.expect(rb"confirm the code ([A-Z]{4}-[A-Z]{4})")
    corp.sts.approve(tty.process.match[1].decode(), ANA)
    return tty.wait()


def test_a_typed_command_asks_and_goes_on(corp, shell):
    folder = corp.project("shop", SSO, allow=True)
    tty = terminal(corp, shell)
    tty.type(f"cd {folder}")
    tty.process.expect_exact(ASK)
    tty.send("\r")
    assert "signed in to corp" in confirm(corp, tty)
    assert tty.variable("AWSROLE_ACCOUNT_ID") == HERE
    # A no is today's error. Neither the next prompt nor a new shell asks, but the next typed command does.
    tty.run("cd")
    corp.sts.sso_cache_path(corp.home, "corp").unlink()
    tty.type(f"cd {folder}")
    tty.process.expect_exact(ASK)
    said = tty.answer("n")
    assert said.count("`awsrole login`") == 1 and tty.key() == PLACEHOLDER
    assert "awsrole" not in tty.run("")
    other = terminal(corp, cwd=folder)
    assert other.key() == PLACEHOLDER and ASK not in other.said
    tty.type("awsrole refresh")
    tty.process.expect_exact(ASK)
    tty.send("y\r")
    confirm(corp, tty)
    other.run("")
    assert tty.key() == other.key() and tty.key().startswith("ASIA")


def test_a_dozen_terminals_follow_one_sign_in(corp):
    folder = corp.project("shop", SSO, allow=True)
    elsewhere = corp.project("elsewhere", 'profile = "sso"\nregion = "eu-west-1"\n', allow=True)
    terminals = [terminal(corp, SHELLS[number % 3]) for number in range(12)]
    for number, tty in enumerate(terminals):
        tty.type(f"cd {elsewhere if number % 4 == 3 else folder}")
    asking = []

    def one_asks():
        asking[:] = [tty for tty in terminals if awsroles(tty.process.pid)]
        return len(asking) == 1

    wait_for(one_asks, 60)
    [first] = asking
    first.process.expect_exact(ASK)
    for tty in terminals:
        if tty is not first:
            said = tty.wait()
            assert ASK not in said and "awsrole is signing in to corp in the terminal /dev/pts/" in said, said
    first.send("\r")
    confirm(corp, first)
    for tty in terminals:
        tty.run("")
    assert all(tty.key().startswith("ASIA") for tty in terminals)
    assert len(corp.sts.calls("StartDeviceAuthorization")) == 1


def test_nobody_else_is_asked(corp):
    """A command without a terminal, one whose stderr is a pipe, and one in CI."""
    folder = corp.project("shop", SSO, allow=True)
    assert "[Y/n]" not in corp.refused(folder)
    env = corp.environment(**corp.env, PWD=str(folder))
    for line, more in [("2>&1 | cat", {}), ("", {"CI": "true"})]:
        for entry in corp.entries("failure"):
            entry.unlink()
        words = ["-c", f"'{corp.binary}' exec -- true {line}"]
        process = pexpect.spawn("/bin/sh", words, cwd=str(folder), env=env | more, timeout=30, encoding="utf-8")
        process.expect(pexpect.EOF)
        assert "`awsrole login`" in process.before.replace("\r\n", " ") and "[Y/n]" not in process.before
    assert corp.sts.calls() == []


def test_a_console_session_and_a_sign_in_that_fails(office):
    """`exec` signs in with the browser, and then runs the command. A denied sign-in is the command's error."""
    folder = office.project("shop", AS_IT_IS, allow=True)
    office.write("bin/xdg-open", '#!/bin/sh\ncurl -s -L -o /dev/null "$1" &\n').chmod(0o755)
    env = office.environment(AWS_ENDPOINT_URL=office.sts.url, PWD=str(folder), DISPLAY=":0")
    env["PATH"] = f"{office.home}/bin:{env['PATH']}"

    def run():
        process = pexpect.spawn(str(office.binary), ["exec", "--", "echo", "it", "ran"], cwd=str(folder), env=env, timeout=30,
                                dimensions=(24, 1000), encoding="utf-8")
        process.expect_exact("awsrole: sign in to console now? [Y/n] ")
        process.send("\r")
        process.expect(pexpect.EOF)
        process.close()
        return process.exitstatus, process.before

    office.sts.console_browser(deny=True)
    status, said = run()
    assert status == 4 and "it was denied in the browser" in said and "it ran" not in said, said
    office.sts.console_browser()
    for entry in office.entries("failure"):
        entry.unlink()
    status, said = run()
    assert status == 0 and "it ran" in said, said
    results = []
    threads = [threading.Thread(target=lambda: results.append(office.exec_env(folder, env={"AWS_ENDPOINT_URL": office.sts.url})))
               for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [who(office, result) for result in results] == [PERSON] * 3
    assert len(office.sts.calls("CreateOAuth2Token")) == 1
