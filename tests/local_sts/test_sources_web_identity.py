"""Tests AssumeRoleWithWebIdentity: valid tokens, and each reason to reject one."""

from __future__ import annotations

import base64
import json
import time

import boto3
import pytest
import rsa
from botocore import UNSIGNED
from botocore.config import Config
from callers import ACCOUNT, cli_arn, code_of, who_am_i

from support.local_sts import LocalSts, federated_trust, trust

GITHUB = {"account": ACCOUNT, "url": "https://token.actions.example.com", "client_ids": ["sts.amazonaws.com", "other"]}
CLUSTER = {"account": ACCOUNT, "url": "https://oidc.eks.example.com/id/ABC", "client_ids": ["sts.amazonaws.com"]}
AWAY = {**GITHUB, "account": "222222222222", "client_ids": ["sts.amazonaws.com"]}
SUBJECT = "repo:org/app:ref:refs/heads/main"
CONDITION = {"StringEquals": {"token.actions.example.com:aud": "sts.amazonaws.com"},
             "StringLike": {"token.actions.example.com:sub": "repo:org/app:*"}}


def arn(name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def key():
    return rsa.newkeys(2048)[1]


@pytest.fixture(scope="module")
def server(key):
    number = {name: encoded(value.to_bytes((value.bit_length() + 7) // 8, "big")) for name, value in
              (("n", key.n), ("e", key.e))}
    provider = {**GITHUB, "jwks": json.dumps({"keys": [{"kty": "RSA", "kid": "r1", "use": "sig", **number}]})}
    fixture = {
        "oidc_provider": [provider, CLUSTER, AWAY],
        "role": [
            {"name": "Deploy", "account": ACCOUNT, "trust": federated_trust(GITHUB, CONDITION)},
            {"name": "Pod", "account": ACCOUNT, "trust": federated_trust(CLUSTER)},
            {"name": "Users", "account": ACCOUNT, "trust": trust("*", actions="sts:*")},
            {"name": "Away", "account": "222222222222", "trust": federated_trust(GITHUB)},
        ],
    }
    with LocalSts(fixture) as server:
        yield server


def assume(server, token: str, role: str = arn("Deploy"), **more: object) -> dict:
    client = boto3.client("sts", endpoint_url=server.url, region_name="us-east-1",
                          config=Config(signature_version=UNSIGNED, retries={"max_attempts": 1}))
    wish = {"RoleArn": role, "RoleSessionName": "job-1", "WebIdentityToken": token, **more}
    return client.assume_role_with_web_identity(**wish)


def rs256(key, claims: dict, header: dict) -> str:
    signed = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{encoded(rsa.sign(signed.encode(), key, 'SHA-256'))}"


def test_botocore_and_the_cli_in_a_job(server, tmp_path):
    token_file = tmp_path / "token"
    token_file.write_text(server.id_token(subject=SUBJECT))
    environment = server.web_identity_environment(token_file, arn("Deploy"), AWS_ROLE_SESSION_NAME="job-1")
    expected = f"arn:aws:sts::{ACCOUNT}:assumed-role/Deploy/job-1"
    assert who_am_i(environment) == expected
    assert cli_arn(environment) == expected


def test_the_cli_with_a_profile(server, tmp_path):
    token_file, config = tmp_path / "token", tmp_path / "config"
    token_file.write_text(server.id_token(subject=SUBJECT))
    config.write_text(f"[profile ci]\nrole_arn = {arn('Deploy')}\nweb_identity_token_file = {token_file}\n"
                      "role_session_name = by-profile\n")
    environment = server.environment(AWS_CONFIG_FILE=str(config))
    assert cli_arn(environment, "--profile", "ci").endswith("/Deploy/by-profile")


def test_what_the_answer_says(server):
    answer = assume(server, server.id_token(subject=SUBJECT), DurationSeconds=900)
    assert answer["SubjectFromWebIdentityToken"] == SUBJECT and answer["Audience"] == "sts.amazonaws.com"
    assert answer["Provider"] == f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.example.com"
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Deploy/job-1"
    call = server.calls("AssumeRoleWithWebIdentity")[-1]
    assert (call["role_arn"], call["outcome"]) == (arn("Deploy"), "OK") and call["access_key_id"] is None


def test_rs256(server, key):
    now = int(time.time())
    claims = {"iss": GITHUB["url"], "aud": ["sts.amazonaws.com"], "sub": SUBJECT, "iat": now, "exp": now + 60}
    assume(server, rs256(key, claims, {"alg": "RS256", "kid": "r1"}))
    assume(server, rs256(key, claims, {"alg": "RS256"}))
    for header in ({"alg": "RS256", "kid": "r2"}, {"alg": "ES256", "kid": "r1"}, {"alg": "HS256"}, {"alg": "none"}):
        assert code_of(assume, server=server, token=rs256(key, claims, header)) == "InvalidIdentityToken", header
    head, _, signature = rs256(key, claims, {"alg": "RS256"}).split(".")
    forged = f"{head}.{encoded(json.dumps({**claims, 'sub': 'repo:org/app:x'}).encode())}.{signature}"
    assert code_of(assume, server=server, token=forged) == "InvalidIdentityToken"


@pytest.mark.parametrize(("order", "code"), [
    ({}, None),
    ({"audience": ["sts.amazonaws.com"]}, None),
    ({"audience": ["x", "y"], "claims": {"azp": "sts.amazonaws.com"}}, None),
    ({"claims": {"nbf": 1}}, None),
    ({"foreign_key": True}, "InvalidIdentityToken"),
    ({"audience": "unknown"}, "InvalidIdentityToken"),
    ({"audience": ["sts.amazonaws.com", "other"]}, "InvalidIdentityToken"),
    ({"claims": {"azp": "unknown"}}, "InvalidIdentityToken"),
    ({"claims": {"iss": "https://elsewhere.example.com"}}, "InvalidIdentityToken"),
    ({"claims": {"iss": GITHUB["url"] + "/"}}, "InvalidIdentityToken"),
    ({"claims": {"exp": None}}, "InvalidIdentityToken"),
    ({"claims": {"exp": "9999999999"}}, "InvalidIdentityToken"),
    ({"claims": {"iat": None}}, "InvalidIdentityToken"),
    ({"claims": {"sub": None}}, "InvalidIdentityToken"),
    ({"lifetime_seconds": -1}, "ExpiredTokenException"),
    ({"claims": {"nbf": 9999999999}}, "IDPRejectedClaim"),
    ({"claims": {"iat": 9999999999}}, "IDPRejectedClaim"),
    ({"subject": "repo:org/other:x"}, "AccessDenied"),
    ({"audience": "other"}, "AccessDenied"),
    ({"provider": CLUSTER["url"]}, "AccessDenied"),
], ids=str)
def test_tokens(server, order, code):
    token = server.id_token(**{"subject": SUBJECT, **order})
    if code is None:
        assume(server, token)
    else:
        assert code_of(assume, server=server, token=token) == code
        assert server.calls("AssumeRoleWithWebIdentity")[-1]["outcome"] == code


@pytest.mark.parametrize(("role", "more", "code"), [
    (arn("Gone"), {}, "AccessDenied"),
    (arn("Users"), {}, "AccessDenied"),
    (arn("Pod"), {}, "AccessDenied"),
    (arn("Away", "222222222222"), {}, "InvalidIdentityToken"),
    (arn("Deploy", "333333333333"), {}, "InvalidIdentityToken"),
    (arn("Deploy"), {"DurationSeconds": 3601}, "ValidationError"),
    (arn("Deploy"), {"ProviderId": "www.amazon.com"}, "InvalidIdentityToken"),
    (arn("Deploy"), {"RoleSessionName": "a b"}, "ValidationError"),
    (arn("Deploy"), {"WebIdentityToken": "not-a-token"}, "InvalidIdentityToken"),
    (arn("Deploy"), {"WebIdentityToken": "x" * 20001}, "ValidationError"),
])
def test_wishes(server, role, more, code):
    provider = CLUSTER if role == arn("Away", "222222222222") else GITHUB
    token = server.id_token(subject=SUBJECT, provider=provider["url"])
    assert code_of(assume, server=server, **{"token": token, "role": role, **more}) == code


def test_sessions_end(server):
    server.fault(action="AssumeRoleWithWebIdentity", lifetime_seconds=0, times=1)
    issued = assume(server, server.id_token(subject=SUBJECT))["Credentials"]
    client = boto3.client("sts", endpoint_url=server.url, region_name="us-east-1",
                          aws_access_key_id=issued["AccessKeyId"], aws_secret_access_key=issued["SecretAccessKey"],
                          aws_session_token=issued["SessionToken"])
    assert code_of(client.get_caller_identity) == "ExpiredToken"


@pytest.mark.parametrize(("change", "message"), [
    ({"url": "http://x.example.com"}, "url must begin with https"),
    ({"url": "https://localhost"}, "url must name a host with a dot"),
    ({"jwks": "{}"}, "jwks: missing field `keys`"),
])
def test_wrong_tables(change, message):
    with pytest.raises(RuntimeError, match=message):
        LocalSts({"oidc_provider": [{**GITHUB, **change}]})
