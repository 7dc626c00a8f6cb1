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
def world(tmp_path):
    with KeysWorld(tmp_path, {**FIXTURE, "user": [ALICE, BYSTANDER, ADMIN, HOME_ADMIN]}) as world:
        for name, one in (("admin", ADMIN), ("homeadmin", HOME_ADMIN)):
            with world.credentials.open("a") as file:
                file.write(f"\n[{name}]\naws_access_key_id = {one['access_key_id']}\n"
                           f"aws_secret_access_key = {one['secret_access_key']}\nendpoint_url = {world.sts.url}\n")
            world.secrets.add(one["secret_access_key"])
        world.shop = world.project("shop", PROJECT, allow=True)
        yield world


def who(held: dict) -> dict:
    return {name: held[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}


def assume_second(world, held: dict) -> str:
    """Returns the error code, or OK, if a session of Deploy assumes the next role."""
    import boto3
    from botocore.exceptions import ClientError
    client = boto3.client("sts", endpoint_url=world.sts.url, region_name="us-east-1", aws_access_key_id=held["AWS_ACCESS_KEY_ID"],
                          aws_secret_access_key=held["AWS_SECRET_ACCESS_KEY"], aws_session_token=held["AWS_SESSION_TOKEN"])
    try:
        client.assume_role(RoleArn=f"arn:aws:iam::{THERE}:role/Second", RoleSessionName="s1")
        return "OK"
    except ClientError as error:
        return error.response["Error"]["Code"]


def test_prints_the_policy_and_changes_nothing(world):
    held = world.exec_env(world.shop)
    result = world.awsrole("revoke", cwd=world.shop)
    assert result.code == 0
    assert result.out.startswith(f"# account {THERE}: inline policy AWSRevokeOlderSessions of role Deploy\n")
    assert "sessions of other roles that were assumed from these stay valid" in result.out
    told = world.awsrole("revoke", "--json", cwd=world.shop).json
    assert [statement["Effect"] for statement in told["policy"]["Statement"]] == ["Deny"]
    assert (told["account"], told["policy_name"]) == (THERE, "AWSRevokeOlderSessions")
    assert assume_second(world, held) == "OK"
    assert [call["action"] for call in world.sts.calls()].count("PutRolePolicy") == 0


def test_a_revoked_session_is_refused_and_a_new_one_works(world):
    held, second = world.exec_env(world.shop), world.exec_env(world.shop, "--role", "second")
    assert assume_second(world, held) == "OK"
    # AWS judges by its own clock, not by this machine's.
    result = world.awsrole("revoke", "--apply", "--profile", "admin", cwd=world.shop)
    assert result.code == 0, result.err
    assert f"attached AWSRevokeOlderSessions to role Deploy in account {THERE}" in result.err
    assert "sessions of other roles that were assumed from these stay valid" in result.err and "removed 1 cached session" in result.err
    assert world.sts.calls("PutRolePolicy")[0]["role_name"] == "Deploy"
    assert assume_second(world, held) == "AccessDenied"
    # Until somebody acts, nothing is fetched again.
    blocked = world.awsrole("hook", "export", "bash", "--event", "prompt", cwd=world.shop)
    assert "__awsrole_done blocked" in blocked.out and "logged out" in blocked.err
    deadline = time.monotonic() + 20
    while True:
        assert world.awsrole("refresh", cwd=world.shop).code == 0
        fresh = world.exec_env(world.shop)
        if assume_second(world, fresh) == "OK":
            break
        assert time.monotonic() < deadline, "a new session must work"
        time.sleep(0.1)
    # The role assumed from the revoked session goes on, as was said.
    import boto3
    boto3.client("sts", endpoint_url=world.sts.url, region_name="us-east-1", aws_access_key_id=second["AWS_ACCESS_KEY_ID"],
                 aws_secret_access_key=second["AWS_SECRET_ACCESS_KEY"],
                 aws_session_token=second["AWS_SESSION_TOKEN"]).get_caller_identity()


def test_a_users_sessions(world):
    folder = world.project("me", 'profile = "jump"\n', allow=True)
    held = world.exec_env(folder)
    told = world.awsrole("revoke", "--json", cwd=folder).json
    assert (told["account"], told["attach_to"]) == (HERE, "user alice")
    result = world.awsrole("revoke", "--apply", "--profile", "homeadmin", cwd=folder)
    assert result.code == 0, result.err
    assert world.sts.calls("PutUserPolicy")[0]["user_name"] == "alice"
    import boto3
    from botocore.exceptions import ClientError
    with pytest.raises(ClientError, match="AccessDenied"):
        boto3.client("sts", endpoint_url=world.sts.url, region_name="us-east-1", aws_access_key_id=held["AWS_ACCESS_KEY_ID"],
                     aws_secret_access_key=held["AWS_SECRET_ACCESS_KEY"], aws_session_token=held["AWS_SESSION_TOKEN"]
                     ).assume_role(RoleArn=f"arn:aws:iam::{HERE}:role/Build", RoleSessionName="s1")


@pytest.mark.parametrize("name", ["alice", f"arn:aws:iam::{HERE}:user/alice"])
@pytest.mark.parametrize("pin", ["", f'account_id = "{HERE}"\n'], ids=["unpinned", "pinned"])
def test_a_user_by_name_is_forgotten_from_anywhere(world, name, pin):
    """With a pin the cache knows whose the session is; without, it may be hers."""
    folder = world.project("me", f'profile = "jump"\n{pin}', allow=True)
    world.exec_env(folder)
    world.exec_env(world.shop)
    result = world.awsrole("revoke", "--user", name, "--apply", "--profile", "homeadmin")
    assert result.code == 0 and f"user alice in account {HERE}" in result.err, result.err
    assert "removed 1 cached session:" in result.err
    assert "logged out" in world.awsrole("credential-process", cwd=folder).err
    assert world.awsrole("credential-process", cwd=world.shop).code == 0, "a role's session is no user's"
    # Another user's are left alone, where the cache knows that they are.
    assert world.awsrole("refresh", cwd=folder).code == 0
    world.exec_env(folder)
    other = world.awsrole("revoke", "--user", "bystander", "--apply", "--profile", "homeadmin")
    assert other.code == 0 and f"removed {0 if pin else 1} cached session" in other.err, other.err


def test_what_is_refused(world):
    reserved = f"arn:aws:iam::{THERE}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef"
    result = world.awsrole("revoke", "--role", reserved, "--apply", "--profile", "admin")
    assert result.code == 1 and "belongs to IAM Identity Center" in result.err and "Active sessions" in result.err
    away = world.awsrole("revoke", "--role", f"arn:aws:iam::{THERE}:role/Deploy", "--apply", "--profile", "homeadmin")
    assert away.code == 1 and f"profile homeadmin is in account {HERE}, but role Deploy is in {THERE}" in away.err
    gone = world.awsrole("revoke", "--role", f"arn:aws:iam::{THERE}:role/Gone", "--apply", "--profile", "admin")
    assert gone.code == 4 and "nothing was revoked: PutRolePolicy on role Gone failed" in gone.err
    weak = world.awsrole("revoke", "--user", "bystander", "--apply", "--profile", "default")
    assert weak.code == 4 and "profile default needs the permission iam:PutUserPolicy" in weak.err
    assert [call["outcome"] for call in world.sts.calls() if call["action"].startswith("Put")] == ["NoSuchEntity", "AccessDenied"]
    assert world.awsrole("revoke", "--apply", cwd=world.shop).code == 2


def test_identity_center_is_told_before_any_call(world):
    world.write(".aws/config", "[profile sso]\nsso_start_url = https://corp.example.com/start\nsso_region = us-east-1\n"
                              f"sso_account_id = {THERE}\nsso_role_name = Admin\n")
    folder = world.project("sso", 'profile = "sso"\n', allow=True)
    result = world.awsrole("revoke", cwd=folder)
    assert result.code == 1 and "belongs to IAM Identity Center" in result.err
    assert world.sts.calls() == []
