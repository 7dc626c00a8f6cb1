"""Tests console sessions of `aws login`: as an identity, as the source of a role, refreshed, and refused."""

from __future__ import annotations

import datetime
import json
import socket
import threading

import boto3
import pytest

from support.aws_files import role_file
from support.hooked_shell import wait_for
from support.local_sts import LocalSts, allow, trust
from support.world import ALICE, ANYONE_HERE, BYSTANDER, HERE, THERE, World

SIGN_IN = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["signin:AuthorizeOAuth2Access", "signin:CreateOAuth2Token"],
     "Resource": "arn:aws:signin:*:*:oauth2/public-client/*"}]}
ASSUME = allow(["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"], "*")
PERSON = f"arn:aws:iam::{HERE}:user/alice"
FEDERATED = f"arn:aws:sts::{HERE}:assumed-role/Admin/ana@example.com"
FORBIDDEN = f"arn:aws:iam::{HERE}:user/bystander"
FIXTURE = {
    "user": [{**ALICE, "policy": [SIGN_IN, ASSUME]}, BYSTANDER],
    "role": [
        {"name": "Admin", "account": HERE, "trust": trust(f"arn:aws:iam::{HERE}:root"), "policy": [SIGN_IN, ASSUME]},
        {"name": "Deploy", "account": THERE, "trust": ANYONE_HERE},
    ],
    "console_session": [{"login_session": arn, "region": "eu-central-1"} for arn in (PERSON, FEDERATED, FORBIDDEN)],
}
PROFILES = "".join(f"[profile {name}]\nlogin_session = {arn}\nregion = eu-central-1\n" for name, arn in {
    "console": PERSON, "again": PERSON, "federated": FEDERATED, "forbidden": FORBIDDEN}.items())
AS_IT_IS = 'profile = "console"\n'
AS_DEPLOY = role_file("Deploy", source="console")
# AWS's texts aren't known and the server's tell nothing apart: only the code does, and the SDK's words for it.
MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture
def office(tmp_path):
    """A home whose profiles have console sessions, none of which is open yet."""
    with World(tmp_path, FIXTURE) as world:
        config = world.home / ".aws/config"
        config.write_text(config.read_text() + PROFILES)
        yield world


@pytest.fixture
def env(office):
    return {"AWS_ENDPOINT_URL": office.sts.url}


def held(office: World, arn: str = PERSON) -> dict:
    return json.loads(LocalSts.console_cache_path(office.home, arn).read_text())


def who(office: World, found: dict[str, str]) -> str:
    """Returns the identity of a client with these variables."""
    client = boto3.client("sts", endpoint_url=office.sts.url, region_name="us-east-1",
                          aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
                          aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
                          aws_session_token=found["AWS_SESSION_TOKEN"])
    return client.get_caller_identity()["Arn"]


def ending(office: World, token: dict, left: datetime.timedelta) -> None:
    """Changes the file of alice's session: its credentials expire in this time."""
    end = datetime.datetime.now(datetime.UTC) + left
    token["accessToken"]["expiresAt"] = end.strftime("%Y-%m-%dT%H:%M:%SZ")
    office.sts.write_console_cache(office.home, token, PERSON)


def works_again(office: World, folder, env: dict[str, str]) -> dict[str, str]:
    """Returns the result of a command as soon as a failure of the last seconds is no longer used."""
    wait_for(lambda: office.awsrole("exec", "--", "true", cwd=folder, env=env).code == 0, 10, "it still refuses")
    return office.exec_env(folder, env=env)


@pytest.mark.parametrize(("profile", "arn"), [("console", PERSON), ("federated", FEDERATED)])
@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SIGNIN"])
@pytest.mark.parametrize("expired", [False, True])
def test_a_command_acts_as_the_person(office, profile, arn, variable, expired):
    folder = office.project("shop", f'profile = "{profile}"\n', allow=True)
    token = office.sts.console_session(office.home, arn, expired=expired)
    found = office.exec_env(folder, env={variable: office.sts.url})
    assert who(office, found) == arn and office.assumed() == []
    assert len(office.sts.calls("CreateOAuth2Token")) == expired
    now = held(office, arn)
    assert (now["refreshToken"] != token["refreshToken"]) is expired
    assert found["AWS_ACCESS_KEY_ID"] == now["accessToken"]["accessKeyId"]


def test_a_role_on_top_of_it(office, env):
    folder = office.project("shop", AS_DEPLOY, allow=True)
    office.sts.console_session(office.home, expired=True)
    assert f"{THERE}:assumed-role/Deploy/" in who(office, office.exec_env(folder, env=env))
    assert [call["caller_arn"] for call in office.assumed()] == [PERSON]
    # A cached session needs neither.
    office.exec_env(folder, env=env)
    assert (len(office.assumed()), len(office.sts.calls("CreateOAuth2Token"))) == (1, 1)


def test_the_file_stays_private_and_whole(office, env):
    folder = office.project("shop", AS_IT_IS, allow=True)
    token = office.sts.console_session(office.home, expired=True)
    office.exec_env(folder, env=env)
    path = LocalSts.console_cache_path(office.home, PERSON)
    now = json.loads(path.read_text())
    assert path.stat().st_mode & 0o777 == 0o600 and now.keys() == token.keys()
    kept = ("dpopKey", "clientId", "idToken", "tokenType")
    assert [now[name] for name in kept] == [token[name] for name in kept]
    assert now["accessToken"].keys() == token["accessToken"].keys()


def test_soon_is_soon_enough(office, env):
    """Five minutes before the end it is refreshed, as the AWS CLI does."""
    folder = office.project("shop", AS_IT_IS, allow=True)
    token = office.sts.console_session(office.home)
    ending(office, token, 4 * MINUTE)
    assert office.exec_env(folder, env=env)["AWS_ACCESS_KEY_ID"] != token["accessToken"]["accessKeyId"]


@pytest.mark.parametrize("profiles", [["console"] * 6, ["console", "again"] * 3])
def test_at_the_same_time(office, env, profiles):
    """Six commands, of one profile or of two that share a session."""
    folders = [office.project(name, f'profile = "{name}"\n', allow=True) for name in profiles]
    office.sts.console_session(office.home, expired=True)
    office.sts.fault(action="CreateOAuth2Token", latency_ms=300)
    results = []
    threads = [threading.Thread(target=lambda folder=folder: results.append(office.awsrole(
        "exec", "--", "sh", "-c", 'printf %s "$AWS_ACCESS_KEY_ID"', cwd=folder, env=env))) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.code for result in results] == [0] * 6, [result.err for result in results]
    assert len({result.out for result in results}) == 1, "all of them have the same session"
    assert held(office)["accessToken"]["accessKeyId"] == results[0].out


@pytest.mark.parametrize("content", [AS_IT_IS, AS_DEPLOY])
@pytest.mark.parametrize("error", ["TOKEN_EXPIRED", "USER_CREDENTIALS_CHANGED"])
def test_a_session_that_is_over_says_what_to_do(office, env, content, error):
    folder = office.project("shop", content, allow=True)
    office.sts.console_session(office.home, expired=True)
    office.sts.end_console(error)
    result = office.awsrole("exec", "--", "echo", "ran", cwd=folder, env=env)
    assert result.code != 0 and result.out == ""
    assert f"the console session of {PERSON}" in result.err
    assert "aws login --profile console" in result.err
    # And then it works.
    office.sts.console_session(office.home)
    works_again(office, folder, env)


@pytest.mark.parametrize(("error", "said"), [("TOKEN_EXPIRED", "expired"), ("USER_CREDENTIALS_CHANGED", "password")])
def test_the_reason_is_told(office, env, error, said):
    folder = office.project("shop", AS_IT_IS, allow=True)
    office.sts.console_session(office.home, expired=True)
    office.sts.end_console(error)
    assert said in office.awsrole("exec", "--", "true", cwd=folder, env=env).err


def test_no_session_says_what_to_do(office, env):
    folder = office.project("shop", AS_IT_IS, allow=True)
    result = office.awsrole("exec", "--", "echo", "ran", cwd=folder, env=env)
    assert result.code != 0 and result.out == ""
    assert "aws login --profile console" in result.err


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"accessToken": 1}', "\xff"])
def test_a_broken_file_says_what_to_do(office, env, content):
    folder = office.project("shop", AS_IT_IS, allow=True)
    office.sts.console_session(office.home)
    LocalSts.console_cache_path(office.home, PERSON).write_text(content, encoding="latin-1")
    result = office.awsrole("exec", "--", "echo", "ran", cwd=folder, env=env)
    assert result.code != 0 and result.out == ""
    assert "aws login --profile console" in result.err


@pytest.mark.parametrize("fault", [{"unavailable": True}, {"throttle": True}, {"drop": True}, {"truncate": True}])
def test_a_service_that_fails(office, env, fault):
    folder = office.project("shop", AS_IT_IS, allow=True)
    token = office.sts.console_session(office.home, expired=True)
    office.sts.fault(action="CreateOAuth2Token", **fault)
    result = office.awsrole("exec", "--", "echo", "ran", cwd=folder, env=env)
    assert result.code != 0 and result.out == "" and f"the console session of {PERSON}" in result.err
    assert held(office) == token, "nothing is lost"
    office.sts.clear_faults()
    assert who(office, works_again(office, folder, env)) == PERSON


def test_a_person_without_the_permission(office, env):
    folder = office.project("shop", 'profile = "forbidden"\n', allow=True)
    office.sts.console_session(office.home, FORBIDDEN, expired=True)
    result = office.awsrole("exec", "--", "echo", "ran", cwd=folder, env=env)
    assert result.code != 0 and "signin:CreateOAuth2Token" in result.err, "the policy lacks it: signing in again won't help"


def test_while_they_live_a_failing_service_takes_nothing_away(office, env):
    folder = office.project("shop", AS_IT_IS, allow=True)
    office.sts.console_session(office.home, expired=True)
    office.sts.fault(action="CreateOAuth2Token", lifetime_seconds=240, times=1)
    first = office.exec_env(folder, env=env)
    office.sts.fault(action="CreateOAuth2Token", unavailable=True)
    assert office.exec_env(folder, env=env)["AWS_ACCESS_KEY_ID"] == first["AWS_ACCESS_KEY_ID"]


@pytest.mark.parametrize(("more", "region"), [
    ({"AWS_REGION": "ap-south-1"}, "ap-south-1"),
    ({"AWS_DEFAULT_REGION": "ap-south-1"}, "ap-south-1"),
    ({}, "eu-central-1"),
])
def test_the_region_is_that_of_the_sign_in(office, more, region):
    """Each region has its own AWS Sign-In, and `aws login` takes the profile's; a proxy sees which one is asked."""
    folder = office.project("shop", AS_IT_IS, allow=True)
    office.sts.console_session(office.home, expired=True)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(20)
        asked = []
        thread = threading.Thread(target=answer_once, args=(proxy, asked))
        thread.start()
        proxied = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.getsockname()[1]}"}
        assert office.awsrole("exec", "--", "true", cwd=folder, env={**more, **proxied}).code != 0
        thread.join()
    assert asked == [f"CONNECT {region}.signin.aws.amazon.com:443 HTTP/1.1"]


def answer_once(proxy: socket.socket, asked: list[str]) -> None:
    """Accepts one connection, records the request, and rejects it."""
    connection, _ = proxy.accept()
    with connection:
        asked.append(connection.recv(4096).decode().split("\r\n", 1)[0])
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


def test_another_directory_for_the_files(office, env):
    folder = office.project("shop", AS_IT_IS, allow=True)
    office.sts.console_session(office.home)
    elsewhere = office.home / "elsewhere"
    (office.home / ".aws/login/cache").rename(elsewhere)
    found = office.exec_env(folder, env={**env, "AWS_LOGIN_CACHE_DIRECTORY": str(elsewhere)})
    assert who(office, found) == PERSON
