"""The rules of IAM: creating and deleting keys, and policies that revoke sessions. See rules.py."""

from __future__ import annotations

import datetime
import itertools
import json

from rules import FIXTURE, HOME, ROOT, SEED, Rule, role_arn, user_arn

from support.local_sts import allow, trust, user

PRESENT = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
# Each rule that changes a user gets one of its own.
OWNERS = [f"owner{n}" for n in range(12)]
GUARDED = "guarded"
REVOCABLE = ["Revocable1", "Revocable2"]

FIXTURE["user"] += [
    *(user(name, policy=allow(["iam:*", "sts:AssumeRole"], "*")) for name in OWNERS),
    user(GUARDED, policy=allow("iam:*", "*", Condition=PRESENT), mfa_serial=f"arn:aws:iam::{HOME}:mfa/{GUARDED}",
         mfa_seed=SEED),
]
FIXTURE["role"] += [
    {"name": name, "account": HOME, "trust": trust(ROOT), "policy": allow("sts:AssumeRole", "*")} for name in REVOCABLE
]

_owners = itertools.cycle(OWNERS)


def _created(station, owner: str, **more: str) -> tuple[str, str]:
    issued = station.iam(owner, "create_access_key", **more).content["AccessKey"]
    return issued["AccessKeyId"], issued["SecretAccessKey"]


def _new_key(station, then=None):
    """Creates a key, changes it, and uses it."""
    owner = next(_owners)
    keys = _created(station, owner)
    if then is not None:
        done = station.iam(owner, *then(keys[0]))
        assert done.code == "OK", done
    return station.identity(keys)


def _third_key(station):
    owner = next(_owners)
    _created(station, owner)
    return station.iam(owner, "create_access_key")


def _room_again(station):
    owner = next(_owners)
    second = _created(station, owner)
    station.iam(owner, "delete_access_key", AccessKeyId=second[0])
    return station.iam(owner, "create_access_key")


def _others_key(station):
    one, other = next(_owners), next(_owners)
    return station.iam(one, "delete_access_key", AccessKeyId=station.keys(other)[0])


def _listed(station):
    owner = next(_owners)
    # Without its name ministack takes somebody else.
    second = _created(station, owner, UserName=owner)[0]
    station.iam(owner, "update_access_key", UserName=owner, AccessKeyId=second, Status="Inactive")
    answer = station.iam(owner, "list_access_keys", UserName=owner)
    listed = {key["AccessKeyId"]: key["Status"] for key in answer.content["AccessKeyMetadata"]}
    assert listed == {station.keys(owner)[0]: "Active", second: "Inactive"}, listed
    return answer


def older_sessions_denied(before: datetime.datetime) -> dict:
    """Returns the policy AWSRevokeOlderSessions of the IAM console."""
    condition = {"DateLessThan": {"aws:TokenIssueTime": before.strftime("%Y-%m-%dT%H:%M:%SZ")}}
    return {"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Action": ["*"], "Resource": ["*"], "Condition": condition}]}


def _revoked(station, role: str, ahead: int):
    """Uses a session of a role after sessions that were issued before `ahead` seconds from now were revoked."""
    session = station.session_of("alice", role)
    before = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=ahead)
    put = station.iam(next(_owners), "put_role_policy", RoleName=role, PolicyName="AWSRevokeOlderSessions",
                      PolicyDocument=json.dumps(older_sessions_denied(before)))
    assert put.code == "OK", put
    return station.assume(session, "Good")


def _revoked_user(station, with_session: bool):
    owner = next(_owners)
    caller = station.must(station.session_token(owner)) if with_session else owner
    ahead = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60)
    put = station.iam(owner, "put_user_policy", UserName=owner, PolicyName="AWSRevokeOlderSessions",
                      PolicyDocument=json.dumps(older_sessions_denied(ahead)))
    assert put.code == "OK", put
    return station.assume(caller, "Good")


def _put(station, document: str, role: str = REVOCABLE[0]):
    return station.iam(next(_owners), "put_role_policy", RoleName=role, PolicyName="p", PolicyDocument=document)


def _with_mfa(station):
    given = {"SerialNumber": station.serial(GUARDED), "TokenCode": station.code(GUARDED)}
    return station.iam(station.must(station.session_token(GUARDED, **given)), "list_access_keys")


NO_MFA = "ministack never sets aws:MultiFactorAuthPresent"
NO_QUOTA = "ministack has no quota of keys"

IAM_RULES = [
    Rule("new key", "OK", _new_key),
    Rule("new key, switched off", "InvalidClientTokenId",
         lambda s: _new_key(s, lambda key: ("update_access_key", {"AccessKeyId": key, "Status": "Inactive"}))),
    Rule("new key, deleted", "InvalidClientTokenId",
         lambda s: _new_key(s, lambda key: ("delete_access_key", {"AccessKeyId": key}))),
    Rule("third key", "LimitExceeded", _third_key, "Cannot exceed quota for AccessKeysPerUser: 2", ("OK", NO_QUOTA)),
    Rule("room for another key again", "OK", _room_again),
    Rule("keys listed", "OK", _listed),
    Rule("key, no permission", "AccessDenied", lambda s: s.iam("nopol", "create_access_key"),
         f"User: {user_arn('nopol')} is not authorized to perform: iam:CreateAccessKey on resource: "),
    Rule("key of nobody", "NoSuchEntity", lambda s: s.iam(
        next(_owners), "delete_access_key", AccessKeyId="AKIAZZZZZZZZZZZZZZZZ"), "AKIAZZZZZZZZZZZZZZZZ"),
    Rule("key of another user", "NoSuchEntity", _others_key, "cannot be found",
         ("OK", "ministack deletes any user's key")),
    Rule("key of a user that isn't there", "NoSuchEntity",
         lambda s: s.iam(next(_owners), "list_access_keys", UserName="nobody"), "nobody",
         ("OK", "ministack lists no keys of nobody")),
    Rule("key status that isn't one", "ValidationError", lambda s: s.iam(
        (owner := next(_owners)), "update_access_key", AccessKeyId=s.keys(owner)[0], Status="Off"), "at 'status'",
         ("InvalidInput", "ministack has a code of its own for it")),
    Rule("a role's session names no user", "ValidationError",
         lambda s: s.iam(s.session_of("alice", "IamRole"), "list_access_keys"),
         "Must specify userName when calling with non-User credentials", ("OK", "ministack takes some user then")),
    Rule("a user's session without MFA calls IAM", "InvalidClientTokenId",
         lambda s: s.iam(s.must(s.session_token(next(_owners))), "list_access_keys"),
         unchecked=("OK", "ministack lets sessions without MFA call IAM")),
    Rule("keys with MFA only, no MFA", "AccessDenied", lambda s: s.iam(GUARDED, "list_access_keys")),
    Rule("keys with MFA only, MFA session", "OK", _with_mfa, unchecked=("AccessDenied", NO_MFA)),
    Rule("session issued before the revocation", "AccessDenied", lambda s: _revoked(s, REVOCABLE[0], 60)),
    Rule("session issued after the revocation", "OK", lambda s: _revoked(s, REVOCABLE[1], -60)),
    Rule("user's session issued before the revocation", "AccessDenied", lambda s: _revoked_user(s, True)),
    Rule("user's keys after a revocation", "OK", lambda s: _revoked_user(s, False)),
    Rule("policy of a role that isn't there", "NoSuchEntity", lambda s: _put(s, json.dumps(allow("a:b", "*")), "Nobody"),
         "The role with name Nobody cannot be found."),
    Rule("policy of a role, not JSON", "MalformedPolicyDocument", lambda s: _put(s, "{nope")),
    Rule("policy of a role, no permission", "AccessDenied", lambda s: s.iam(
        "alice", "put_role_policy", RoleName="Good", PolicyName="p", PolicyDocument=json.dumps(allow("a:b", "*"))),
         "is not authorized to perform: iam:PutRolePolicy on resource: "),
]
FIXTURE["role"].append({"name": "IamRole", "account": HOME, "trust": trust(ROOT), "policy": allow("iam:*", "*")})
for _caller in FIXTURE["user"]:
    if _caller["name"] == "alice":
        _caller["policy"]["Statement"][0]["Resource"] += [role_arn(name) for name in (*REVOCABLE, "IamRole")]
