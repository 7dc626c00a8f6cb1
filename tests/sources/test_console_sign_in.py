"""Tests `awsrole login` for profiles with `login_session`: with a browser here, on another device, and what fails."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pexpect
import pytest
from console_fixtures import AS_IT_IS, FEDERATED, MINUTE, PERSON, ending, held, who

from support.hooked_shell import wait_for
from support.local_sts import LocalSts

# The browser of a user who is signed in to the console: it follows all redirects.
BROWSER = '#!/bin/sh\ncurl -s -L -o "$HOME/page" "$1" &\n'
WHO = "import boto3; print(boto3.Session(profile_name='console').client('sts').get_caller_identity()['Arn'])"
ASK = "awsrole: code from the browser: "


@pytest.fixture
def folder(office):
    return office.project("shop", AS_IT_IS, allow=True)


@pytest.fixture
def login(office, folder):
    """Starts `awsrole login` on a terminal. Without `browser` there is no screen."""
    started = []

    def start(*options: str, browser: str | None = None, cwd=folder) -> pexpect.spawn:
        env = office.environment(AWS_ENDPOINT_URL=office.sts.url, PWD=str(cwd))
        if browser:
            office.write("bin/xdg-open", browser).chmod(0o755)
            env |= {"DISPLAY": ":0", "PATH": f"{office.home}/bin:{env['PATH']}"}
        process = pexpect.spawn(str(office.binary), ["login", *options], cwd=str(cwd), env=env, timeout=30,
                                dimensions=(24, 2000), encoding="utf-8")
        started.append(process)
        return process

    yield start
    for process in started:
        process.close(force=True)


def end(process: pexpect.spawn) -> tuple[int | None, str]:
    process.expect(pexpect.EOF)
    process.close()
    return process.exitstatus, process.before


def by_boto(office) -> str:
    """Returns the identity of boto3 with the profile."""
    env = office.environment(AWS_ENDPOINT_URL=office.sts.url, AWS_REGION="eu-central-1")
    return subprocess.run([sys.executable, "-c", WHO], env=env, check=True, capture_output=True, text=True).stdout.strip()


def test_with_the_browser_of_this_machine(office, folder, login):
    """botocore uses and renews the token that awsrole wrote, and awsrole that of botocore."""
    pytest.importorskip("awscrt")
    process = login(browser=BROWSER)
    process.expect(r"If it does not open: (http\S+)")
    assert "code_challenge_method=SHA-256" in process.match[1] and "same-device" in process.match[1]
    code, said = end(process)
    assert code == 0 and f"signed in to console as {PERSON}" in said, said
    assert "awsrole: the sign-in continues in your terminal" in wait_for(lambda: (office.home / "page").read_text())
    path, token = LocalSts.console_cache_path(office.home, PERSON), held(office)
    assert path.stat().st_mode & 0o777 == 0o600
    assert token.keys() == {"accessToken", "tokenType", "clientId", "refreshToken", "idToken", "dpopKey", "signInRegion"}
    assert token["accessToken"].keys() == {"accessKeyId", "secretAccessKey", "sessionToken", "accountId", "expiresAt"}
    assert token["accessToken"]["accountId"] == "111111111111" and token["signInRegion"] == "eu-central-1"
    env = {"AWS_ENDPOINT_URL": office.sts.url}
    assert by_boto(office) == PERSON == who(office, office.exec_env(folder, env=env))
    for renew in (by_boto, lambda office: who(office, office.exec_env(folder, env=env))) * 2:
        before = held(office)
        ending(office, before, -MINUTE)
        for entry in office.entries():
            entry.unlink()
        assert renew(office) == PERSON and held(office)["refreshToken"] != before["refreshToken"]
        assert by_boto(office) == PERSON == who(office, office.exec_env(folder, env=env))
    assert len(office.sts.calls("CreateOAuth2Token")) == 5


def test_with_a_browser_on_another_device(office, login):
    nowhere = office.project("nowhere")
    process = login("--profile", "console", cwd=nowhere)
    process.expect(r"copy the code that it shows: (http\S+)")
    code = subprocess.run(["curl", "-s", "-L", process.match[1]], check=True, capture_output=True, text=True).stdout.strip()
    for wrong in ("", code[8:]):
        process.expect_exact(ASK)
        process.send(wrong + "\r")
        process.expect_exact("this isn't the code of this sign-in")
    process.expect_exact(ASK)
    process.send(code + "\r")
    status, said = end(process)
    assert status == 0 and f"signed in to console as {PERSON}" in said, said
    assert held(office)["clientId"] == "arn:aws:signin:::devtools/cross-device"
    held_here = office.exec_env(nowhere, "--profile", "console", env={"AWS_ENDPOINT_URL": office.sts.url})
    assert who(office, held_here) == PERSON


@pytest.mark.parametrize(("case", "said"), [
    ("denied", "it was denied in the browser"),
    ("another identity", f"you signed in as {FEDERATED}, but the profile is for {PERSON}"),
    ("no permission", "it was denied in the browser"),
    ("expired code", "the authorization code has expired"),
    ("no directory", ".aws/login"),
    ("wrong codes", "the input isn't the code of this sign-in"),
])
def test_nothing_is_written_if_it_fails(office, login, case, said):
    options = ["--profile", "forbidden"] if case == "no permission" else []
    if case == "denied":
        office.sts.console_browser(deny=True)
    elif case == "another identity":
        office.sts.console_browser(FEDERATED)
    elif case == "no permission":
        office.sts.console_browser(f"{PERSON.rsplit('/', 1)[0]}/bystander")
    elif case == "expired code":
        office.sts.fault(action="CreateOAuth2Token", error={"status": 401, "code": "AUTHCODE_EXPIRED", "message": "x"})
    elif case == "no directory":
        office.write(".aws/login", "a file")
    process = login(*options, browser=None if case == "wrong codes" else BROWSER)
    for _ in range(3 * (case == "wrong codes")):
        process.expect_exact(ASK)
        process.send("c3RhdGU9eCZjb2RlPXg=\r")
    status, text = end(process)
    assert status == 4 and "cannot sign in to the console for profile" in text and said in text, text
    assert "hint: " in text and "signed in to" not in text
    assert not list(office.home.glob(".aws/login/cache/*.json"))


def test_a_cancelled_sign_in_leaves_the_other_terminal_its_turn(office, login):
    """Two terminals at once: the second waits. After Ctrl-C in the first one it signs in itself."""
    first = login(browser="#!/bin/sh\nexit 0\n")
    first.expect_exact("waiting for your confirmation in the browser")
    second = login()
    second.expect_exact("waiting for the sign-in of another terminal to console")
    first.sendintr()
    _, said = end(first)
    assert "sign-in cancelled" in said and first.signalstatus == signal.SIGINT
    second.expect_exact(ASK)
    # A third one waits for the second, and uses its result.
    third = login()
    third.expect_exact("waiting for the sign-in of another terminal to console")
    url = re.search(r"http\S+", second.before)[0]
    code = subprocess.run(["curl", "-s", "-L", url], check=True, capture_output=True, text=True).stdout.strip()
    second.send(code + "\r")
    assert end(second)[0] == 0
    status, said = end(third)
    assert status == 0 and "signed in to console in another terminal" in said
    assert len(office.sts.calls("CreateOAuth2Token")) == 1
