"""Tests GetScopedCredentials of the local STS with boto3, whose service model has it since 1.44."""

from __future__ import annotations

import datetime
import json
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from callers import code_of

from support.local_sts import LocalSts, allow, trust, user

ACCOUNT = "111111111111"
WIDE = allow(["sts:*", "iam:*"], "*")
ALICE = user("alice", policy=WIDE)
TRUST = trust(f"arn:aws:iam::{ACCOUNT}:root", actions=["sts:AssumeRole", "sts:SetSourceIdentity"])
INFO = allow(["sts:GetAccessKeyInfo", "sts:GetScopedCredentials"], "*")
FIXTURE = {
    "user": [ALICE],
    "role": [{"name": name, "account": ACCOUNT, "trust": TRUST, "policy": policy} for name, policy in {
        "Wide": WIDE, "Narrow": allow("sts:GetAccessKeyInfo", "*")}.items()] + [
        {"name": "Next", "account": ACCOUNT, "trust": trust(f"arn:aws:iam::{ACCOUNT}:role/Wide")},
        {"name": "ForSession", "account": ACCOUNT, "trust": trust(f"arn:aws:sts::{ACCOUNT}:assumed-role/Wide/ana")}],
}


@pytest.fixture(scope="module")
def server():
    with LocalSts(FIXTURE) as server:
        yield server


@pytest.fixture
def client(server):
    """Returns a client with the keys of alice, or with the credentials of a response."""
    def make(issued: dict | None = None, service: str = "sts"):
        keys = {"aws_access_key_id": ALICE["access_key_id"], "aws_secret_access_key": ALICE["secret_access_key"]}
        if issued:
            keys = {"aws_access_key_id": issued["AccessKeyId"], "aws_secret_access_key": issued["SecretAccessKey"],
                    "aws_session_token": issued["SessionToken"]}
        config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
        return boto3.client(service, endpoint_url=server.url, region_name="us-east-1", config=config, **keys)
    return make


@pytest.fixture
def session(client):
    """The credentials of a session of the role Wide."""
    return assume(client(), "Wide")


def assume(sts, role: str, name: str = "ana", **more: object) -> dict:
    return sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName=name, **more)["Credentials"]


def scoped(sts, policy: dict = INFO, **more: object) -> dict:
    return sts.get_scoped_credentials(Policy=json.dumps(policy), **more)["Credentials"]


def may(sts) -> str:
    """Returns which of two actions the credentials may call: `i`nfo and `d`ecode."""
    info = lambda: sts.get_access_key_info(AccessKeyId="ASIA" + "A" * 16)  # noqa: E731
    try:
        info()
        allowed = "i"
    except sts.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"
        allowed = ""
    code = code_of(sts.decode_authorization_message, EncodedMessage="x")
    return allowed + {"AccessDenied": "", "InvalidAuthorizationMessageException": "d"}[code]


def test_limits_a_session_and_keeps_its_identity(client, session):
    sts = client(session)
    assert may(sts) == "id"
    answer = sts.get_scoped_credentials(Policy=json.dumps(INFO), ScopedSessionDescription="agent")
    issued = answer["Credentials"]
    assert issued["Expiration"] == session["Expiration"] and issued["AccessKeyId"] != session["AccessKeyId"]
    narrow = client(issued)
    assert may(narrow) == "i"
    arn = sts.get_caller_identity()["Arn"]
    assert arn == narrow.get_caller_identity()["Arn"] == answer["SessionInfo"]["Arn"]
    assert answer["ScopedPoliciesCount"] == 1 and 0 < answer["SessionTokenUtilization"] <= 100
    assert answer["SessionTokenSize"] == len(issued["SessionToken"])
    large = narrow.get_scoped_credentials(DurationSeconds=60, MinimumSessionTokenSize=4096)
    assert len(large["Credentials"]["SessionToken"]) >= 4096 and large["ScopedPoliciesCount"] == 1
    left = large["Credentials"]["Expiration"] - datetime.datetime.now(datetime.UTC)
    assert left <= datetime.timedelta(seconds=60)


def test_a_policy_can_only_narrow(client, session):
    narrow = scoped(client(session))
    assert may(client(scoped(client(narrow), WIDE))) == "i", "the second is wider than the first"
    denied = {"Statement": [*WIDE["Statement"], {"Effect": "Deny", "Action": "sts:GetAccessKeyInfo", "Resource": "*"}]}
    assert may(client(scoped(client(session), denied))) == "d"
    # A session of a user, and the role's own session policy.
    of_user = client().get_session_token()["Credentials"]
    assert may(client(of_user)) == "id" and may(client(scoped(client(of_user)))) == "i"
    limited = assume(client(), "Wide", Policy=json.dumps(INFO))
    assert may(client(scoped(client(limited), WIDE))) == "i"
    # Roles are assumed with the limits, also where the trust policy names the session.
    assume(client(session), "Next")
    assume(client(session), "ForSession")
    for role in ("Next", "ForSession"):
        arguments = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}", "RoleSessionName": "x1"}
        assert code_of(client(narrow).assume_role, **arguments) == "AccessDenied"


def test_three_policies_at_most(client, session):
    issued = session
    for count in (1, 2, 3):
        answer = client(issued).get_scoped_credentials(Policy=json.dumps(INFO))
        assert answer["ScopedPoliciesCount"] == count
        issued = answer["Credentials"]
    assert code_of(client(issued).get_scoped_credentials, Policy=json.dumps(INFO)) == "AccessDenied"
    client(issued).get_scoped_credentials(DurationSeconds=60)


@pytest.mark.parametrize(("parameters", "code"), [
    ({}, "ValidationError"),
    ({"ScopedSessionDescription": "agent"}, "ValidationError"),
    ({"DurationSeconds": 0}, "ValidationError"),
    ({"DurationSeconds": 129601}, "ValidationError"),
    ({"DurationSeconds": 3601}, "InsufficientSessionLifetime"),
    ({"DurationSeconds": 60, "ScopedSessionDescription": "a"}, "ValidationError"),
    ({"DurationSeconds": 60, "ScopedSessionDescription": "a\u00a0b"}, "ValidationError"),
    ({"DurationSeconds": 60, "MinimumSessionTokenSize": 4097}, "ValidationError"),
    ({"Policy": ""}, "ValidationError"),
    ({"Policy": "→"}, "ValidationError"),
    ({"Policy": "{" + " " * 2047 + "}"}, "ValidationError"),
    ({"Policy": "{"}, "MalformedPolicyDocument"),
    ({"Policy": json.dumps(TRUST)}, "MalformedPolicyDocument"),
])
def test_refuses_parameters(client, session, parameters, code):
    assert code_of(client(session).get_scoped_credentials, **parameters) == code


def test_refuses_callers(client, server, session):
    assert code_of(client().get_scoped_credentials, DurationSeconds=60) == "InvalidSubjectCredentials"
    assert code_of(client(assume(client(), "Narrow")).get_scoped_credentials, DurationSeconds=60) == "AccessDenied"
    narrow = scoped(client(session), allow("sts:GetAccessKeyInfo", "*"))
    assert code_of(client(narrow).get_scoped_credentials, DurationSeconds=60) == "AccessDenied"
    server.expire(narrow["AccessKeyId"])
    assert code_of(client(narrow).get_scoped_credentials, DurationSeconds=60) == "ExpiredToken"
    wrong = {**session, "SecretAccessKey": "x" * 40}
    assert code_of(client(wrong).get_scoped_credentials, DurationSeconds=60) == "SignatureDoesNotMatch"
    wrong = {**session, "SessionToken": "x"}
    assert code_of(client(wrong).get_scoped_credentials, DurationSeconds=60) == "InvalidClientTokenId"


def test_a_large_session(client, session):
    filler = "".join(f"s3:Get{number:04}" for number in range(170))
    large = {"Statement": [*INFO["Statement"], {"Effect": "Allow", "Action": filler, "Resource": "*"}]}
    first = scoped(client(session), large)
    second = scoped(client(first), large)
    assert code_of(client(second).get_scoped_credentials, Policy=json.dumps(large)) == "PackedPolicyTooLarge"


def test_refuses_the_global_endpoint(server, session):
    body = "Action=GetScopedCredentials&Version=2011-06-15&DurationSeconds=60"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Host": "sts.amazonaws.com"}
    request = AWSRequest("POST", f"{server.url}/", data=body, headers=headers)
    keys = Credentials(session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
    SigV4Auth(keys, "sts", "us-east-1").add_auth(request)
    sent = urllib.request.Request(f"{server.url}/", body.encode(), dict(request.headers.items()), method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sent, timeout=10)
    assert "<Code>InvalidAction</Code>" in caught.value.read().decode()


def test_a_role_limited_by_read_only_access(client):
    """The managed policy and the inline policy of one call are added up, and a Deny counts."""
    arns = [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]
    assert may(client(assume(client(), "Wide", PolicyArns=arns))) == "i"
    both = json.dumps(allow("sts:DecodeAuthorizationMessage", "*"))
    assert may(client(assume(client(), "Wide", PolicyArns=arns, Policy=both))) == "id"
    deny = json.dumps({"Statement": {"Effect": "Deny", "Action": "sts:GetAccessKeyInfo", "Resource": "*"}})
    assert may(client(assume(client(), "Wide", PolicyArns=arns, Policy=deny))) == ""
    unknown = [{"arn": "arn:aws:iam::aws:policy/PowerUserAccess"}]
    assert may(client(assume(client(), "Wide", PolicyArns=unknown))) == ""
