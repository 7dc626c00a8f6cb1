"""Projects with an `[agent]` table, and what the sessions of their roles may do at the STS."""

from __future__ import annotations

import json

import boto3
from botocore.exceptions import ClientError

from support.world import DEPLOY, THERE, World

# A session policy that denies the next role, which the role Deploy may assume.
ONLY_IDENTITY = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}]})

LIMIT = f"[agent]\npolicy = '{ONLY_IDENTITY}'\n"
LIMITED = DEPLOY + LIMIT

CLAUDE = {"CLAUDECODE": "1"}

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def may_chain(world: World, keys: dict[str, str]) -> bool:
    """Returns whether a session may assume the role Second, which an unlimited session of Deploy may."""
    world.secrets |= {keys["AWS_SECRET_ACCESS_KEY"], keys["AWS_SESSION_TOKEN"]}
    options = dict(zip(("aws_access_key_id", "aws_secret_access_key", "aws_session_token"), (keys[name] for name in KEYS)))
    client = boto3.client("sts", region_name="eu-west-1", endpoint_url=world.sts.url, **options)
    try:
        client.assume_role(RoleArn=f"arn:aws:iam::{THERE}:role/Second", RoleSessionName="tester")
    except ClientError as refused:
        assert refused.response["Error"]["Code"] == "AccessDenied", refused
        return False
    return True


def variables(text: str) -> dict[str, str]:
    """Returns what `env -0` printed."""
    return dict(pair.split("=", 1) for pair in text.split("\0") if "=" in pair)


def keys_of_process(text: str) -> dict[str, str]:
    """Returns the credentials that a `credential_process` printed, as variables."""
    found = json.loads(text)
    return dict(zip(KEYS, (found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])))
