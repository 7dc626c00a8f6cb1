"""Console sessions: the fixture of their server, profiles, and the token file."""

from __future__ import annotations

import datetime
import json

import boto3

from support.aws_files import role_file
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
MINUTE = datetime.timedelta(minutes=1)


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
