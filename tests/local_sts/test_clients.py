"""Tests that the AWS CLI and boto3 accept the responses of the local STS."""

from __future__ import annotations

import datetime
import json
import subprocess

import boto3
import pytest
from stations import tool

from support.local_sts import LocalSts, allow, trust, user

ACCOUNT = "111111111111"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/Deploy"
ALICE = user("alice", policy=allow(["sts:*", "iam:*"], "*"))
TRUST = trust(f"arn:aws:iam::{ACCOUNT}:root", actions=["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"])
FIXTURE = {
    "user": [ALICE],
    "role": [{"name": "Deploy", "path": "/team/", "account": ACCOUNT, "trust": TRUST, "max_session_duration": 7200}],
}


@pytest.fixture(scope="module")
def server():
    with LocalSts(FIXTURE) as server:
        yield server


@pytest.fixture(scope="module")
def aws(server):
    """Runs AWS CLI v1; Debian's v2 ignores AWS_ENDPOINT_URL and would call AWS."""
    program = tool("aws", "pip install awscli")
    if program is None:
        pytest.skip("the AWS CLI is not installed: pip install awscli")
    version = subprocess.run([program, "--version"], env=server.environment(), capture_output=True, text=True)
    if not version.stdout.startswith("aws-cli/1."):
        pytest.skip(f"only version 1 from PyPI is safe here, not {version.stdout}")

    def run(*arguments: str, service: str = "sts", **environment: str):
        command = [program, service, *arguments, "--output", "json"]
        done = subprocess.run(command, env=server.environment(ALICE, **environment), capture_output=True, text=True)
        return json.loads(done.stdout or "null") if done.returncode == 0 else done.stderr

    return run


def seconds_left(text: str) -> float:
    then = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (then - datetime.datetime.now(datetime.UTC)).total_seconds()


def as_environment(issued: dict) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": issued["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": issued["SecretAccessKey"],
            "AWS_SESSION_TOKEN": issued["SessionToken"]}


def test_cli_caller_identity(aws):
    identity = aws("get-caller-identity")
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/alice"
    assert identity["Account"] == ACCOUNT
    assert identity["UserId"].startswith("AIDA") and len(identity["UserId"]) == 21


def test_cli_assume_role_and_use_it(aws):
    answer = aws("assume-role", "--role-arn", ROLE, "--role-session-name", "ci@example.com",
                 "--duration-seconds", "7200", "--source-identity", "alice", "--tags", "Key=team,Value=a b/c")
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/Deploy/ci@example.com"
    issued = answer["Credentials"]
    assert answer["AssumedRoleUser"]["Arn"] == arn
    assert answer["SourceIdentity"] == "alice" and 1 <= answer["PackedPolicySize"] <= 100
    assert issued["AccessKeyId"].startswith("ASIA") and len(issued["AccessKeyId"]) == 20
    assert len(issued["SecretAccessKey"]) == 40 and len(issued["SessionToken"]) > 300
    assert 7190 < seconds_left(issued["Expiration"]) <= 7200
    identity = aws("get-caller-identity", **as_environment(issued))
    assert identity == {"Arn": arn, "Account": ACCOUNT, "UserId": answer["AssumedRoleUser"]["AssumedRoleId"]}
    account = aws("get-access-key-info", "--access-key-id", issued["AccessKeyId"])
    assert account == {"Account": ACCOUNT}


def test_cli_session_token_and_use_it(aws):
    issued = aws("get-session-token")["Credentials"]
    assert 43190 < seconds_left(issued["Expiration"]) <= 43200
    assert aws("get-caller-identity", **as_environment(issued))["Arn"].endswith(":user/alice")


def test_cli_makes_and_deletes_a_key(aws):
    issued = aws("create-access-key", service="iam")["AccessKey"]
    assert issued["UserName"] == "alice" and issued["Status"] == "Active"
    assert issued["AccessKeyId"].startswith("AKIA") and len(issued["SecretAccessKey"]) == 40
    assert -10 < seconds_left(issued["CreateDate"]) <= 0
    assert "Cannot exceed quota for AccessKeysPerUser: 2" in aws("create-access-key", service="iam")
    named = ("--access-key-id", issued["AccessKeyId"])
    aws("update-access-key", *named, "--status", "Inactive", service="iam")
    listed = {key["AccessKeyId"]: key["Status"] for key in aws("list-access-keys", service="iam")["AccessKeyMetadata"]}
    assert listed == {ALICE["access_key_id"]: "Active", issued["AccessKeyId"]: "Inactive"}
    aws("delete-access-key", *named, service="iam")
    assert "(NoSuchEntity)" in aws("delete-access-key", *named, service="iam")


def test_cli_shows_our_words(aws):
    stderr = aws("assume-role", "--role-arn", f"arn:aws:iam::{ACCOUNT}:role/Gone", "--role-session-name", "s1")
    assert ("An error occurred (AccessDenied) when calling the AssumeRole operation: User: "
            f"arn:aws:iam::{ACCOUNT}:user/alice is not authorized to perform: sts:AssumeRole on resource: "
            f"arn:aws:iam::{ACCOUNT}:role/Gone") in stderr


def test_presigned_url(server):
    """As tools for Kubernetes use it to prove who they are."""
    client = boto3.client("sts", endpoint_url=server.url, region_name="us-east-1",
                          aws_access_key_id=ALICE["access_key_id"],
                          aws_secret_access_key=ALICE["secret_access_key"])
    url = client.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    curl = tool("curl", "apt install curl")
    if curl is None:
        pytest.skip("curl is not installed")

    def fetch(url: str) -> str:
        command = [curl, "--silent", "--noproxy", "*", url]
        return subprocess.run(command, env=server.environment(), capture_output=True, text=True, check=True).stdout

    assert f"<Arn>arn:aws:iam::{ACCOUNT}:user/alice</Arn>" in fetch(url)
    assert "SignatureDoesNotMatch" in fetch(url + "&X=1")
    server.fault(clock_offset_seconds=90)
    try:
        assert "Signature expired" in fetch(url)
    finally:
        server.clear_faults()
