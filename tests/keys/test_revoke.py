"""Tests the revocation of sessions: the policy is printed, attached, and applied by STS."""

from __future__ import annotations

import time

import pytest
from keys_world import KeysWorld

from support.local_sts import allow, user
from support.world import ALICE, BYSTANDER, DEPLOY, FIXTURE, HERE, THERE

ADMIN = user("admin", THERE, policy=allow("iam:*", "*"))
HOME_ADMIN = user("homeadmin", HERE, policy=allow("iam:*", "*"))
SECOND = f'role_arn = "arn:aws:iam::{THERE}:role/Second"\nregion = "eu-west-1"\nsource_role = "first"\n'
PROJECT = f'default_role = "first"\n[role.first]\n{DEPLOY}[role.second]\n{SECOND}'


@pytest.fixture
def desk(tmp_path):
    with KeysWorld(tmp_path, {**FIXTURE, "user": [ALICE, BYSTANDER, ADMIN, HOME_ADMIN]}) as desk:
        for name, one in (("admin", ADMIN), ("homeadmin", HOME_ADMIN)):
            with desk.credentials.open("a") as file:
                file.write(f"\n[{name}]\naws_access_key_id = {one['access_key_id']}\n"
                           f"aws_secret_access_key = {one['secret_access_key']}\nendpoint_url = {desk.sts.url}\n")
            desk.secrets.add(one["secret_access_key"])
        desk.shop = desk.project("shop", PROJECT, allow=True)
        yield desk


def who(held: dict) -> dict:
    return {name: held[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}


def assume_second(desk, held: dict) -> str:
    """Returns the error code, or OK, if a session of Deploy assumes the next role."""
    import boto3
    from botocore.exceptions import ClientError
    client = boto3.client("sts", endpoint_url=desk.sts.url, region_name="us-east-1", aws_access_key_id=held["AWS_ACCESS_KEY_ID"],
                          aws_secret_access_key=held["AWS_SECRET_ACCESS_KEY"], aws_session_token=held["AWS_SESSION_TOKEN"])
    try:
        client.assume_role(RoleArn=f"arn:aws:iam::{THERE}:role/Second", RoleSessionName="s1")
        return "OK"
    except ClientError as error:
        return error.response["Error"]["Code"]


def test_prints_the_policy_and_changes_nothing(desk):
    held = desk.exec_env(desk.shop)
    result = desk.awsrole("revoke", cwd=desk.shop)
    assert result.code == 0
    assert result.out.startswith(f"# account {THERE}: inline policy AWSRevokeOlderSessions of role Deploy\n")
    assert "sessions of other roles that were assumed from these stay valid" in result.out
    told = desk.awsrole("revoke", "--json", cwd=desk.shop).json
    assert [statement["Effect"] for statement in told["policy"]["Statement"]] == ["Deny"]
    assert (told["account"], told["policy_name"]) == (THERE, "AWSRevokeOlderSessions")
    assert assume_second(desk, held) == "OK"
    assert [call["action"] for call in desk.sts.calls()].count("PutRolePolicy") == 0


def test_a_revoked_session_is_refused_and_a_new_one_works(desk):
    held, second = desk.exec_env(desk.shop), desk.exec_env(desk.shop, "--role", "second")
    assert assume_second(desk, held) == "OK"
    # AWS judges by its own clock, not by this machine's.
    result = desk.awsrole("revoke", "--apply", "--profile", "admin", cwd=desk.shop)
    assert result.code == 0, result.err
    assert f"attached AWSRevokeOlderSessions to role Deploy in account {THERE}" in result.err
    assert "sessions of other roles that were assumed from these stay valid" in result.err and "removed 1 cached session" in result.err
    assert desk.sts.calls("PutRolePolicy")[0]["role_name"] == "Deploy"
    assert assume_second(desk, held) == "AccessDenied"
    # Until somebody acts, nothing is fetched again.
    blocked = desk.awsrole("hook", "export", "bash", "--event", "prompt", cwd=desk.shop)
    assert "__awsrole_done blocked" in blocked.out and "logged out" in blocked.err
    deadline = time.monotonic() + 20
    while True:
        assert desk.awsrole("refresh", cwd=desk.shop).code == 0
        fresh = desk.exec_env(desk.shop)
        if assume_second(desk, fresh) == "OK":
            break
        assert time.monotonic() < deadline, "a new session must work"
        time.sleep(0.1)
    # The role assumed from the revoked session goes on, as was said.
    import boto3
    boto3.client("sts", endpoint_url=desk.sts.url, region_name="us-east-1", aws_access_key_id=second["AWS_ACCESS_KEY_ID"],
                 aws_secret_access_key=second["AWS_SECRET_ACCESS_KEY"],
                 aws_session_token=second["AWS_SESSION_TOKEN"]).get_caller_identity()


def test_a_users_sessions(desk):
    folder = desk.project("me", 'profile = "jump"\n', allow=True)
    held = desk.exec_env(folder)
    told = desk.awsrole("revoke", "--json", cwd=folder).json
    assert (told["account"], told["attach_to"]) == (HERE, "user alice")
    result = desk.awsrole("revoke", "--apply", "--profile", "homeadmin", cwd=folder)
    assert result.code == 0, result.err
    assert desk.sts.calls("PutUserPolicy")[0]["user_name"] == "alice"
    import boto3
    from botocore.exceptions import ClientError
    with pytest.raises(ClientError, match="AccessDenied"):
        boto3.client("sts", endpoint_url=desk.sts.url, region_name="us-east-1", aws_access_key_id=held["AWS_ACCESS_KEY_ID"],
                     aws_secret_access_key=held["AWS_SECRET_ACCESS_KEY"], aws_session_token=held["AWS_SESSION_TOKEN"]
                     ).assume_role(RoleArn=f"arn:aws:iam::{HERE}:role/Build", RoleSessionName="s1")


@pytest.mark.parametrize("name", ["alice", f"arn:aws:iam::{HERE}:user/alice"])
@pytest.mark.parametrize("pin", ["", f'account_id = "{HERE}"\n'], ids=["unpinned", "pinned"])
def test_a_user_by_name_is_forgotten_from_anywhere(desk, name, pin):
    """With a pin the cache knows whose the session is; without, it may be hers."""
    folder = desk.project("me", f'profile = "jump"\n{pin}', allow=True)
    desk.exec_env(folder)
    desk.exec_env(desk.shop)
    result = desk.awsrole("revoke", "--user", name, "--apply", "--profile", "homeadmin")
    assert result.code == 0 and f"user alice in account {HERE}" in result.err, result.err
    assert "removed 1 cached session:" in result.err
    assert "logged out" in desk.awsrole("credential-process", cwd=folder).err
    assert desk.awsrole("credential-process", cwd=desk.shop).code == 0, "a role's session is no user's"
    # Another user's are left alone, where the cache knows that they are.
    assert desk.awsrole("refresh", cwd=folder).code == 0
    desk.exec_env(folder)
    other = desk.awsrole("revoke", "--user", "bystander", "--apply", "--profile", "homeadmin")
    assert other.code == 0 and f"removed {0 if pin else 1} cached session" in other.err, other.err


def test_what_is_refused(desk):
    reserved = f"arn:aws:iam::{THERE}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef"
    result = desk.awsrole("revoke", "--role", reserved, "--apply", "--profile", "admin")
    assert result.code == 1 and "belongs to IAM Identity Center" in result.err and "Active sessions" in result.err
    away = desk.awsrole("revoke", "--role", f"arn:aws:iam::{THERE}:role/Deploy", "--apply", "--profile", "homeadmin")
    assert away.code == 1 and f"profile homeadmin is in account {HERE}, but role Deploy is in {THERE}" in away.err
    gone = desk.awsrole("revoke", "--role", f"arn:aws:iam::{THERE}:role/Gone", "--apply", "--profile", "admin")
    assert gone.code == 4 and "nothing was revoked: PutRolePolicy on role Gone failed" in gone.err
    weak = desk.awsrole("revoke", "--user", "bystander", "--apply", "--profile", "default")
    assert weak.code == 4 and "profile default needs the permission iam:PutUserPolicy" in weak.err
    assert [call["outcome"] for call in desk.sts.calls() if call["action"].startswith("Put")] == ["NoSuchEntity", "AccessDenied"]
    assert desk.awsrole("revoke", "--apply", cwd=desk.shop).code == 2


def test_identity_center_is_told_before_any_call(desk):
    desk.write(".aws/config", "[profile sso]\nsso_start_url = https://corp.example.com/start\nsso_region = us-east-1\n"
                              f"sso_account_id = {THERE}\nsso_role_name = Admin\n")
    folder = desk.project("sso", 'profile = "sso"\n', allow=True)
    result = desk.awsrole("revoke", cwd=folder)
    assert result.code == 1 and "belongs to IAM Identity Center" in result.err
    assert desk.sts.calls() == []
