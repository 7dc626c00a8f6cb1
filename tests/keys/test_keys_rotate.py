"""Tests the rotation of keys, and what remains if it is interrupted at any point."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pexpect
import pytest
from keys_world import KEY, KeysWorld

from support.hooked_shell import wait_for
from support.local_sts import allow, binary
from support.prompts import OPEN, PASSPHRASE
from support.terminal import need
from support.world import ALICE, BYSTANDER, DEPLOY, FIXTURE, SEED, SERIAL


@pytest.fixture
def moved(world):
    """A world whose keys are in the store, and a project that uses them."""
    world.import_keys()
    world.shop = world.project("shop", DEPLOY, allow=True)
    return world


def rotate(world, *options, answers=(OPEN,)):
    return world.asked("keys", "rotate", "jump", *options, answers=list(answers))


def works(world):
    """Checks that the stored keys return a new session."""
    assert world.awsrole("logout", "--all").code == 0
    result = world.asked("exec", "--", "true", answers=[OPEN], cwd=world.shop)
    assert result.code == 0, result.err


def keys_at_aws(world) -> set[str]:
    """Returns alice's keys at the local STS, by the identity that they give."""
    import boto3
    client = boto3.client("iam", endpoint_url=world.sts.url, region_name="us-east-1",
                          aws_access_key_id=BYSTANDER["access_key_id"], aws_secret_access_key=BYSTANDER["secret_access_key"])
    return {key["AccessKeyId"]: key["Status"] for key in client.list_access_keys(UserName="alice")["AccessKeyMetadata"]}


@pytest.fixture
def world(tmp_path):
    observer = {**BYSTANDER, "policy": allow(["sts:*", "iam:ListAccessKeys"], "*")}
    with KeysWorld(tmp_path, {**FIXTURE, "user": [{**ALICE, "policy": allow(["sts:*", "iam:*"], "*")}, observer]}) as world:
        yield world


def test_rotate(moved):
    moved.sts.fault(action="CreateAccessKey", key_delay_ms=8000)
    result = rotate(moved)
    assert result.code == 0, result.err
    new = moved.stored()["access_key_id"]
    assert new != KEY and keys_at_aws(moved) == {new: "Active"}
    assert "waiting for the new key to work" in result.out and f"{KEY} is deleted" in result.out
    done = [call["action"] for call in moved.sts.calls() if call["outcome"] == "OK" and call["caller_arn"].endswith("alice")]
    assert done == ["CreateAccessKey", "GetCallerIdentity", "GetCallerIdentity", "DeleteAccessKey"]
    # The old key isn't used for its own end.
    assert moved.sts.calls("DeleteAccessKey")[-1]["access_key_id"] == new
    works(moved)


def test_the_new_key_is_on_the_disk_before_the_old_one_is_deleted(moved, tmp_path):
    """The store with its secret and the record that puts it in force: a crash must not bring the old one back."""
    trace = tmp_path / "trace"
    calls = "trace=rename,renameat,renameat2,fsync,sendto,write,writev,sendmsg"
    result = moved.asked("keys", "rotate", "jump", answers=[OPEN],
                         wrapper=[need("strace"), "-f", "-y", "-s", "300", "-e", calls, "-o", str(trace)])
    assert result.code == 0, result.out
    keys = str(moved.home / ".local/share/awsrole/keys")
    lines = [line.split(maxsplit=1)[1] for line in trace.read_text(errors="replace").splitlines()]

    def last(before, *parts):
        return max(number for number, line in enumerate(lines[:before]) if all(part in line for part in parts))

    def first(*parts):
        return next(number for number, line in enumerate(lines) if all(part in line for part in parts))

    [created, deleted] = [first("Action=CreateAccessKey"), first("Action=DeleteAccessKey")]
    for name in ("store.scrypt", ".json"):
        written = last(deleted, "rename", f"{name}\"")
        assert created < written < last(deleted, "fsync(", f"<{keys}>"), name


def test_deactivate(moved):
    assert rotate(moved, "--deactivate").code == 0
    new = moved.stored()["access_key_id"]
    assert keys_at_aws(moved) == {new: "Active", KEY: "Inactive"}
    # The next one has no room, and says so before anything is changed.
    full = rotate(moved)
    assert full.code == 1 and "has two access keys, the maximum in AWS" in full.err
    assert f"{new}: active" in full.err and "active here" in full.err and f"{KEY}: switched off" in full.err
    assert f"`awsrole keys rotate jump --delete {KEY}`" in full.err
    again = rotate(moved, "--delete", KEY)
    assert again.code == 0 and moved.stored()["access_key_id"] != new, again.err
    assert rotate(moved, "--delete", moved.stored()["access_key_id"]).code == 1
    works(moved)


def test_replacing_takes_along_what_a_rotation_left(moved):
    """Both keys go out of the store: one that no record names would stay there for good."""
    need("scrypt")
    moved.sts.fault(action="DeleteAccessKey", error={"status": 403, "code": "AccessDenied", "message": "no"})
    assert rotate(moved).code == 4 and f"the old key {KEY} still exists" in moved.stored()["note"]
    other = [("access key ID of profile jump: ", BYSTANDER["access_key_id"]),
             ("secret access key (not shown): ", BYSTANDER["secret_access_key"])]
    result = moved.asked("keys", "add", "jump", "--replace", answers=[*other, OPEN])
    assert result.code == 0, result.err
    store = moved.home / ".local/share/awsrole/keys/store.scrypt"
    done = subprocess.run(["scrypt", "dec", "-P", str(store)], input=PASSPHRASE.encode() + b"\n", capture_output=True)
    assert json.loads(done.stdout) == {"jump": {BYSTANDER["access_key_id"]: BYSTANDER["secret_access_key"]}}, done.stderr


def test_no_permission(moved, tmp_path):
    moved.sts.fault(action="CreateAccessKey", error={"status": 403, "code": "AccessDenied", "message": "no"})
    denied = rotate(moved)
    assert denied.code == 4 and "all working keys were kept" in denied.err and "iam:CreateAccessKey" in denied.err
    assert moved.stored()["note"] is None
    works(moved)


def test_a_lost_secret(moved):
    """The key is made, and the answer never arrives."""
    moved.sts.fault(action="CreateAccessKey", truncate=True, times=1)
    lost = rotate(moved)
    assert lost.code == 4 and len(keys_at_aws(moved)) == 2
    assert moved.sts.counts()["CreateAccessKey"] == 1, "a second try would make a second key"
    works(moved)
    orphan = next(key for key in keys_at_aws(moved) if key != KEY)
    told = rotate(moved)
    assert told.code == 1 and f"{orphan} probably comes from a rotation that was interrupted" in told.err
    assert rotate(moved, "--delete", orphan).code == 0
    assert list(keys_at_aws(moved)) == [moved.stored()["access_key_id"]]
    works(moved)


@pytest.mark.parametrize("action", ["CreateAccessKey", "GetCallerIdentity", "DeleteAccessKey"])
def test_killed(moved, action):
    """Killed while AWS is being asked; whatever is left works, and the next run finishes it."""
    moved.sts.fault(action=action, latency_ms=20_000, times=1)
    child = pexpect.spawn(str(binary("awsrole")), ["keys", "rotate", "jump"], env=moved.environment(), encoding="utf-8",
                          timeout=60, cwd=str(moved.home))
    child.expect_exact(OPEN[0])
    child.send(OPEN[1] + "\r")
    wait_for(lambda: moved.sts.calls(action), 30)
    os.kill(child.pid, signal.SIGKILL)
    child.expect(pexpect.EOF)
    child.close()
    works(moved)
    assert moved.stored()["note"] is not None
    finished = rotate(moved)
    assert finished.code == 0, finished.err
    assert KEY not in keys_at_aws(moved) and moved.stored()["access_key_id"] != KEY
    assert moved.stored()["note"] is None
    works(moved)


def test_two_at_once(moved):
    """The second would write what it read before the first one's rotation."""
    child = pexpect.spawn(str(binary("awsrole")), ["keys", "rotate", "jump"], env=moved.environment(), encoding="utf-8",
                          timeout=60, cwd=str(moved.home))
    child.expect_exact(OPEN[0])
    for words in (["rotate", "jump"], ["remove", "jump", "--yes"], ["add", "jump", "--stdin", "--replace"]):
        second = moved.awsrole("keys", *words)
        assert second.code == 1 and "another awsrole keys command is running" in second.err, second
        assert "hint: it may be prompting" in second.err
    assert moved.stored()["access_key_id"] == KEY, "they can be listed"
    child.send(OPEN[1] + "\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0 and moved.sts.counts()["CreateAccessKey"] == 1
    assert list(keys_at_aws(moved)) == [moved.stored()["access_key_id"]]
    works(moved)


@pytest.mark.parametrize("stays", [False, True], ids=["deleted", "stays"])
def test_a_store_that_refuses_the_new_key(moved, stays):
    moved.sts.fault(action="CreateAccessKey", latency_ms=5000, times=1)
    if stays:
        moved.sts.fault(action="DeleteAccessKey", times=1, error={"status": 403, "code": "AccessDenied", "message": "no"})
    store = moved.home / ".local/share/awsrole/keys/store.scrypt"
    child = pexpect.spawn(str(binary("awsrole")), ["keys", "rotate", "jump"], env=moved.environment(), encoding="utf-8",
                          timeout=60, dimensions=(24, 1000), cwd=str(moved.home))
    child.expect_exact(OPEN[0])
    child.send(OPEN[1] + "\r")
    wait_for(lambda: moved.sts.calls("CreateAccessKey"), 30)
    kept = store.read_bytes()
    store.write_bytes(b"scrypt no more")
    child.expect(pexpect.EOF)
    child.close()
    store.write_bytes(kept)
    said = child.before
    assert child.exitstatus == 1 and f"cannot use the key file {store}" in said, said
    left = [key for key in keys_at_aws(moved) if key != KEY]
    works(moved)
    if not stays:
        assert left == [] and moved.stored()["note"] is None
        return
    [orphan] = left
    assert f"{orphan} is active in AWS, but its secret is lost" in said and "DeleteAccessKey failed, too" in said
    assert f"`awsrole keys rotate jump --delete {orphan}`" in said and moved.stored()["note"] is not None
    again = rotate(moved)
    assert again.code == 1 and f"--delete {orphan}`" in again.err
    assert rotate(moved, "--delete", orphan).code == 0
    assert list(keys_at_aws(moved)) == [moved.stored()["access_key_id"]]
    works(moved)


def test_a_user_that_needs_mfa(tmp_path):
    policy = allow("iam:*", "*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})
    policy["Statement"] += allow("sts:*", "*")["Statement"]
    owner = {**ALICE, "policy": policy, "mfa_serial": SERIAL, "mfa_seed": SEED}
    with KeysWorld(tmp_path, {**FIXTURE, "user": [owner, BYSTANDER]}) as world:
        world.import_keys()
        assert "if the policy wants MFA: `mfa_serial` in profile jump" in rotate(world).err
        config = (world.home / ".aws/config").read_text()
        world.write(".aws/config", config.replace("[profile jump]\n", f"[profile jump]\nmfa_serial = {SERIAL}\n"))
        result = rotate(world, answers=[OPEN, ("MFA code of alice for ", world.sts.unused_totp("alice"))])
        assert result.code == 0, result.err
        assert world.stored()["access_key_id"] != KEY
