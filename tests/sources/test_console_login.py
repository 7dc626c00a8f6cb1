"""Tests console sessions of `aws login`: as an identity, as the source of a role, refreshed, and refused."""

from __future__ import annotations

import json
import socket
import threading

import pytest
from console_fixtures import AS_DEPLOY, AS_IT_IS, FEDERATED, FORBIDDEN, MINUTE, PERSON, ending, held, who

from support.hooked_shell import HookedWorld, wait_for
from support.local_sts import LocalSts
from support.world import THERE


@pytest.fixture
def env(office):
    return {"AWS_ENDPOINT_URL": office.sts.url}


def works_again(office: HookedWorld, folder, env: dict[str, str]) -> dict[str, str]:
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


@pytest.mark.parametrize("meanwhile", ["signed in again", "signed out"])
def test_a_file_that_changes_during_the_renewal(office, env, meanwhile):
    """The command has the credentials that it renewed, but they don't replace the newer state of the file."""
    folder = office.project("shop", AS_IT_IS, allow=True)
    office.sts.console_session(office.home, expired=True)
    path = LocalSts.console_cache_path(office.home, PERSON)
    office.sts.fault(action="CreateOAuth2Token", latency_ms=1500)
    results = []
    thread = threading.Thread(target=lambda: results.append(office.exec_env(folder, env=env)))
    thread.start()
    wait_for(lambda: office.sts.calls("CreateOAuth2Token"))
    newer = office.sts.console_session(office.home) if meanwhile == "signed in again" else path.unlink()
    thread.join()
    assert results[0]["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert held(office) == newer if newer else not path.exists()


def test_homes_that_share_the_file_but_no_cache(office, env):
    """As in containers that mount ~/.aws: they use the refresh token once."""
    folder = office.project("shop", AS_IT_IS, allow=True)
    office.sts.console_session(office.home, expired=True)
    office.sts.fault(action="CreateOAuth2Token", latency_ms=500)
    homes = [{**env, "XDG_CACHE_HOME": str(office.home / name)} for name in ("one", "two", "three")]
    results = []
    threads = [threading.Thread(target=lambda home=home: results.append(office.exec_env(folder, env=home))) for home in homes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {result["AWS_ACCESS_KEY_ID"] for result in results} == {held(office)["accessToken"]["accessKeyId"]}
    assert len(results) == 3 and len(office.sts.calls("CreateOAuth2Token")) == 1
