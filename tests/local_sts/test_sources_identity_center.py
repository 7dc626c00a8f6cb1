"""Tests IAM Identity Center with boto3 and the AWS CLI: cached tokens, their refresh, and the portal."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from callers import ACCOUNT, cli, cli_arn, code_of, who_am_i_apart

from support.hooked_shell import wait_for
from support.local_sts import LocalSts, allow, trust

START = "https://corp.example.com/start"
ALICE = "alice@example.com"
AWAY = "222222222222"
ADMIN = f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/{ALICE}"
RESERVED = (f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-central-1/"
            "AWSReservedSSO_Admin_0123456789abcdef")


def assignment(user: str, account: str, role: str, **more: object) -> dict:
    return {"user": user, "account": account, "role": role, "start_url": START, "region": "eu-central-1", **more}


FIXTURE = {
    "role": [{"name": "Deploy", "account": ACCOUNT, "trust": trust(RESERVED)},
             {"name": "Away", "account": AWAY, "trust": trust(ACCOUNT)}],
    "sso_assignment": [
        assignment(ALICE, ACCOUNT, "Admin", policy=allow("sts:*", "*"), account_name="main"),
        assignment(ALICE, ACCOUNT, "ReadOnly"),
        assignment(ALICE, AWAY, "ReadOnly", session_duration=7200),
        assignment("bob", ACCOUNT, "ReadOnly"),
        {**assignment("carol", ACCOUNT, "Admin"), "start_url": "https://other.example.com/start"},
    ],
}


@pytest.fixture
def server():
    with LocalSts(FIXTURE) as server:
        yield server


@pytest.fixture
def home(server, tmp_path):
    server.write_sso_config(tmp_path, more=(
        f"[profile chained]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/Deploy\nsource_profile = sso\nrole_session_name = s1\n"
        f"[profile away]\nrole_arn = arn:aws:iam::{AWAY}:role/Away\nsource_profile = sso\nrole_session_name = s1\n"))
    return tmp_path


def portal(server):
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    return boto3.client("sso", endpoint_url=server.url, region_name="eu-central-1", config=config)


def grants(server) -> list[str]:
    return [call["grant_type"].rsplit(":", 1)[-1] for call in server.calls("CreateToken")]


def test_a_fresh_token(server, home):
    server.write_sso_cache(home, server.sso_sign_in())
    server.reset()
    environment = server.sso_environment(home)
    assert cli_arn(environment, "--profile", "sso") == ADMIN
    assert who_am_i_apart(environment, "sso")[0] == ADMIN
    assert server.counts() == {"GetRoleCredentials": 2, "GetCallerIdentity": 2, "connections": 4}
    call = server.calls("GetRoleCredentials")[0]
    assert (call["sso_user"], call["role_arn"], call["access_key_id"]) == (ALICE, RESERVED, None)


def test_endpoints_by_service(server, home):
    server.write_sso_cache(home, server.sso_sign_in(), expired=True)
    environment = server.sso_environment(home, AWS_ENDPOINT_URL_SSO=server.url, AWS_ENDPOINT_URL_SSO_OIDC=server.url,
                                         AWS_ENDPOINT_URL_STS=server.url, AWS_ENDPOINT_URL="http://127.0.0.1:1")
    assert cli_arn(environment, "--profile", "sso") == ADMIN


@pytest.mark.parametrize("client", ["cli", "boto3"])
def test_an_expired_token_is_refreshed_and_rotated(server, home, client):
    first = server.sso_sign_in()
    server.expire_sso()
    path = server.write_sso_cache(home, first, expired=True)
    environment = server.sso_environment(home)
    for _ in range(2):
        arn = cli_arn(environment, "--profile", "sso") if client == "cli" else who_am_i_apart(environment, "sso")[0]
        assert arn == ADMIN
    second = json.loads(path.read_text())
    assert second["accessToken"] != first["accessToken"] and second["refreshToken"] != first["refreshToken"]
    assert grants(server) == ["device_code", "refresh_token"], "the new token was found in the cache"
    server.write_sso_cache(home, first, expired=True)
    done = cli(environment, "sts", "get-caller-identity", "--profile", "sso")
    assert done.returncode != 0 and server.calls("CreateToken")[-1]["outcome"] == "InvalidGrantException"


def test_nothing_helps_but_a_new_sign_in(server, home):
    server.write_sso_cache(home, server.sso_sign_in())
    server.expire_sso(refresh=True)
    environment = server.sso_environment(home)
    done = cli(environment, "sts", "get-caller-identity", "--profile", "sso")
    assert done.returncode != 0 and "SSO session associated with this profile has expired" in done.stderr
    arn, stderr = who_am_i_apart(environment, "sso")
    assert arn == "" and "UnauthorizedSSOTokenError" in stderr
    server.write_sso_cache(home, server.sso_sign_in())
    assert cli_arn(environment, "--profile", "sso") == ADMIN


def test_a_legacy_profile(server, home):
    token = server.sso_sign_in(scopes=())
    assert "refreshToken" not in token
    server.write_sso_cache(home, token, session=None)
    environment = server.sso_environment(home)
    assert cli_arn(environment, "--profile", "legacy") == ADMIN
    assert who_am_i_apart(environment, "legacy")[0] == ADMIN
    server.write_sso_cache(home, token, session=None, expired=True)
    assert who_am_i_apart(environment, "legacy")[0] == ""


def test_roles_behind_a_permission_set(server, home):
    server.write_sso_cache(home, server.sso_sign_in())
    environment = server.sso_environment(home)
    assert cli_arn(environment, "--profile", "chained") == f"arn:aws:sts::{ACCOUNT}:assumed-role/Deploy/s1"
    assert cli_arn(environment, "--profile", "away") == f"arn:aws:sts::{AWAY}:assumed-role/Away/s1"
    assert {call["caller_arn"] for call in server.calls("AssumeRole")} == {ADMIN}


def test_the_portal(server):
    token, client = server.sso_sign_in(ALICE)["accessToken"], portal(server)
    accounts = client.list_accounts(accessToken=token)["accountList"]
    named = [(one["accountId"], one["accountName"]) for one in accounts]
    assert named == [(ACCOUNT, "main"), (AWAY, f"account-{AWAY}")]
    assert all("@" in one["emailAddress"] for one in accounts)
    pages = client.get_paginator("list_account_roles").paginate(
        accessToken=token, accountId=ACCOUNT, PaginationConfig={"PageSize": 1})
    assert [[one["roleName"] for one in page["roleList"]] for page in pages] == [["Admin"], ["ReadOnly"]]
    bob = server.sso_sign_in("bob")["accessToken"]
    assert client.list_account_roles(accessToken=bob, accountId=ACCOUNT)["roleList"] == [
        {"roleName": "ReadOnly", "accountId": ACCOUNT}]
    issued = client.get_role_credentials(accessToken=token, accountId=AWAY, roleName="ReadOnly")["roleCredentials"]
    hour = client.get_role_credentials(accessToken=token, accountId=ACCOUNT, roleName="Admin")["roleCredentials"]
    assert 3590 < (issued["expiration"] - hour["expiration"]) / 1000 < 3610


def test_many_accounts_in_pages():
    """Five pages, although the portal throttles the client."""
    many = [assignment(ALICE, f"{900_000_000_000 + number}", "ReadOnly", account_name=f"n{number}") for number in range(500)]
    with LocalSts({"sso_assignment": many}) as server:
        token, config = server.sso_sign_in(ALICE)["accessToken"], Config(signature_version=UNSIGNED, retries={"total_max_attempts": 6})
        client = boto3.client("sso", endpoint_url=server.url, region_name="eu-central-1", config=config)
        server.reset()
        server.fault(action="ListAccounts", throttle=True, times=2)
        pages = list(client.get_paginator("list_accounts").paginate(accessToken=token, PaginationConfig={"PageSize": 100}))
        assert [len(page["accountList"]) for page in pages] == [100] * 5 and "nextToken" not in pages[-1]
        assert len({one["accountId"] for page in pages for one in page["accountList"]}) == 500
        assert [call["outcome"] for call in server.calls("ListAccounts")] == ["TooManyRequestsException"] * 2 + ["OK"] * 5
        for wrong in ({"maxResults": 101}, {"nextToken": "x"}):
            assert code_of(client.list_accounts, accessToken=token, **wrong) == "InvalidRequestException"


def test_refusals_of_the_portal(server):
    token, client = server.sso_sign_in("bob")["accessToken"], portal(server)
    wish = {"accountId": ACCOUNT, "roleName": "ReadOnly"}
    assert code_of(client.get_role_credentials, accessToken="unknown", **wish) == "UnauthorizedException"
    for change in ({"roleName": "Admin"}, {"roleName": "readonly"}, {"accountId": AWAY}):
        assert code_of(client.get_role_credentials, accessToken=token, **{**wish, **change}) == "ForbiddenException"
    assert code_of(client.list_account_roles, accessToken=token, accountId=AWAY) == "ForbiddenException"
    carol = server.sso_sign_in("carol")["accessToken"]
    other = client.get_role_credentials(accessToken=carol, accountId=ACCOUNT, roleName="Admin")
    assert other["roleCredentials"]["accessKeyId"].startswith("ASIA")
    client.logout(accessToken=token)
    for call in (client.logout, client.list_accounts):
        assert code_of(call, accessToken=token) == "UnauthorizedException"
    assert server.calls("Logout")[0]["outcome"] == "OK"


def test_tokens_of_a_second(server):
    server.fault(action="CreateToken", lifetime_seconds=1, times=1)
    token, client = server.sso_sign_in()["accessToken"], portal(server)

    def is_over() -> bool:
        try:
            client.list_accounts(accessToken=token)
        except client.exceptions.UnauthorizedException:
            return True
        return False

    wait_for(is_over, 4)


def test_faults_reach_the_portal(server, home):
    server.write_sso_cache(home, server.sso_sign_in())
    server.fault(action="GetRoleCredentials", times=1,
                 error={"status": 429, "code": "TooManyRequestsException", "message": "later"})
    assert cli_arn(server.sso_environment(home), "--profile", "sso") == ADMIN, "the CLI asks again"
    assert [call["outcome"] for call in server.calls("GetRoleCredentials")] == ["TooManyRequestsException", "OK"]


@pytest.mark.parametrize(("fixture", "message"), [
    ({"sso": {"interval_seconds": 0}}, r"needs an \[\[sso_assignment"),
    ({"sso_assignment": [{**assignment("bob", ACCOUNT, "Admin"), "start_url": "http://x"}]}, "start_url must begin"),
    ({"sso_assignment": [assignment("b b", ACCOUNT, "Admin")]}, "can't be a session's name"),
    ({"sso_assignment": [assignment("bob", ACCOUNT, "Admin", policy=allow("sts:*", "*"))] * 2}, "its first assignment"),
    ({"sso_assignment": [assignment("bob", ACCOUNT, "Admin", session_duration=60)]}, "must be 3600 to 43200"),
])
def test_wrong_tables(fixture, message):
    with pytest.raises(RuntimeError, match=message):
        LocalSts(fixture)
