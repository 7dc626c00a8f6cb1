"""Tests long-lived keys in an encrypted file: storing, using, listing and removing them, and removing them from
~/.aws/credentials.
"""

from __future__ import annotations

import json
import shutil
import subprocess

import pexpect
import pytest
from keys_world import CREDENTIALS, KEY, SECRET, WITHOUT

from support.local_sts import binary
from support.prompts import NEW, OPEN, PASSPHRASE
from support.terminal import need
from support.world import ALICE, BYSTANDER, DEPLOY


def test_import_moves_the_keys_and_nothing_else(world):
    world.credentials.chmod(0o640)
    real = world.home / "elsewhere"
    shutil.move(world.credentials, real)
    world.credentials.symlink_to("../elsewhere")
    result = world.asked("keys", "add", "jump", "--import",
                        answers=[*NEW, ("remove the two lines of profile jump from ~/.aws/credentials? [y/N] ", "y")])
    assert result.code == 0, result.err
    assert f"stored {KEY} of arn:aws:iam::111111111111:user/alice in the key file" in result.out
    assert world.credentials.read_text() == WITHOUT.format(bystander=BYSTANDER)
    assert world.credentials.is_symlink() and real.stat().st_mode & 0o777 == 0o640
    world.no_secret_in_files()
    assert world.stored()["access_key_id"] == KEY
    # Asked before they were stored, and again with what the store gave and the profile as it is now.
    assert [call["access_key_id"] for call in world.sts.calls("GetCallerIdentity")] == [KEY, KEY]


@pytest.mark.parametrize("answer", ["", "n", "nonsense"])
def test_import_leaves_the_file_unless_told(world, answer):
    question = ("remove the two lines of profile jump from ~/.aws/credentials? [y/N] ", answer)
    result = world.asked("keys", "add", "jump", "--import", answers=[*NEW, question])
    assert result.code == 0 and "the keys are also in ~/.aws/credentials" in result.out
    assert "`awsrole keys add jump --import --replace --take-out` removes them there" in " ".join(result.out.split())
    assert world.credentials.read_text() == CREDENTIALS.format(alice=ALICE, bystander=BYSTANDER)
    found = world.awsrole("doctor").out
    assert "profile jump has keys in ~/.aws/credentials and in the key file: those in the file take precedence" in found
    assert "not used: the key in the file takes precedence" in world.awsrole("keys", "list").out
    # The file's keys go first: no question.
    shop = world.project("shop", DEPLOY, allow=True)
    assert world.awsrole("exec", "--", "true", cwd=shop).code == 0


def test_keys_that_do_not_work_stay_in_the_file(world):
    """AWS answers at first, and not any more when the file has been changed."""
    before = world.credentials.read_text()
    world.sts.fault(action="GetCallerIdentity", latency_ms=0, times=1)
    refusal = {"status": 403, "code": "InvalidClientTokenId", "message": "The security token is invalid."}
    child = world.asked("keys", "add", "jump", "--import", answers=[
        *NEW, ("from ~/.aws/credentials? [y/N] ", "n")])
    assert child.code == 0
    world.sts.fault(action="GetCallerIdentity", error=refusal)
    result = world.awsrole("keys", "add", "jump", "--import", "--take-out", "--replace")
    assert result.code == 4 and f"AWS rejects {KEY}, so nothing was stored" in result.err
    assert world.credentials.read_text() == before
    assert [path.name for path in world.credentials.parent.iterdir() if "before" in path.name] == []


OTHER_KEY, OTHER_SECRET = BYSTANDER["access_key_id"], BYSTANDER["secret_access_key"]
WRONG = "x" * 40


def add(world, key, secret, *options):
    """Runs `keys add --replace` on the terminal. It prompts for the passphrase when it changes the store."""
    child = pexpect.spawn(str(binary("awsrole")), ["keys", "add", "jump", "--replace", *options], cwd=str(world.home), timeout=60,
                          dimensions=(24, 1000), env=world.environment(PWD=str(world.home)), encoding="utf-8", echo=False)
    said = ""
    for question, answer in (("access key ID of profile jump: ", key), ("secret access key (not shown): ", secret)):
        child.expect_exact(question)
        child.send(answer + "\r")
    while child.expect_exact([OPEN[0], pexpect.EOF]) == 0:
        said += child.before
        child.send(PASSPHRASE + "\r")
    said += child.before
    child.close()
    return child.exitstatus, said


def stored_files(world):
    """Returns the records and the store on the disk."""
    return {path: path.read_bytes() for path in (world.home / ".local/share/awsrole/keys").iterdir() if path.suffix != ".lock"}


@pytest.mark.parametrize("fault", [{"drop": True}, {"truncate": True}, {"latency_ms": 20_000}], ids=str)
@pytest.mark.parametrize(("key", "secret"), [(OTHER_KEY, OTHER_SECRET), (OTHER_KEY, WRONG), (KEY, WRONG)], ids=["another", "wrong", "same id"])
def test_stored_keys_stay_until_aws_took_the_new_ones(world, fault, key, secret):
    world.import_keys()
    before = stored_files(world)
    world.sts.fault(action="GetCallerIdentity", **fault)
    code, said = add(world, key, secret)
    assert code == 4 and f"cannot check {key} with AWS: the stored keys of profile jump were kept" in said, said
    assert "`--force`" in said and stored_files(world) == before
    world.sts.clear_faults()
    shop = world.project("shop", DEPLOY, allow=True)
    assert world.asked("exec", "--", "true", answers=[(OPEN[0], "wrong horse"), OPEN], cwd=shop).code == 0


def test_replacing_by_force_and_replacing_what_was_verified(world):
    world.import_keys()
    world.sts.fault(action="GetCallerIdentity", drop=True)
    code, said = add(world, OTHER_KEY, OTHER_SECRET, "--force")
    assert code == 0 and "without checking whether AWS accepts it" in said, said
    assert world.stored()["access_key_id"] == OTHER_KEY
    world.sts.clear_faults()
    code, said = add(world, KEY, SECRET)
    assert code == 0 and f"stored {KEY} of arn:aws:iam::111111111111:user/alice" in said, said
    alone = world.awsrole("keys", "add", "jump", "--force", "--stdin")
    assert alone.code == 2 and "--replace" in alone.err


def test_keys_of_a_record_that_can_not_be_read_stay_as_well(world):
    world.import_keys()
    record = next((world.home / ".local/share/awsrole/keys").glob("*.json"))
    record.write_text("{")
    before = stored_files(world)
    world.sts.fault(action="GetCallerIdentity", drop=True)
    code, said = add(world, KEY, WRONG)
    assert code == 4 and "the stored keys of profile jump were kept" in said and stored_files(world) == before, said


def test_first_keys_are_stored_without_an_answer(world):
    """Nothing is lost by it, and it says that nobody knows."""
    world.sts.fault(action="GetCallerIdentity", drop=True)
    before = world.credentials.read_text()
    result = world.asked("keys", "add", "jump", "--import", "--take-out", answers=NEW)
    assert result.code == 0 and "without checking whether AWS accepts it" in result.out and "they are also in" in result.out
    assert world.credentials.read_text() == before


def test_what_is_taken_out_of_the_file_is_on_the_disk_before(world, tmp_path):
    """The store, the record, the copy and the file without the keys: each with its directory, in this order."""
    trace = tmp_path / "trace"
    world.asked("keys", "add", "jump", "--import", "--take-out", answers=NEW,
               wrapper=[need("strace"), "-f", "-y", "-e", "trace=rename,renameat,renameat2,linkat,unlink,unlinkat,fsync", "-o", str(trace)])
    lines = [line.split(maxsplit=1)[1] for line in trace.read_text().splitlines() if "= -1" not in line]
    keys, aws = str(world.home / ".local/share/awsrole/keys"), str(world.home / ".aws")

    def at(start, *parts):
        found = [number for number, line in enumerate(lines) if number >= start and all(part in line for part in parts)]
        assert found, (parts, lines[start:])
        return found[0]

    where = 0
    for name in ("store.scrypt", ".json"):
        where = at(where, "rename", f"{name}\"")
        where = at(where, "fsync(", f"<{keys}>")
    where = at(where, "credentials.before-awsrole\"")
    where = at(where, "fsync(", f"<{aws}>")
    where = at(where, "rename", f"\"{aws}/credentials\"")
    where = at(where, "fsync(", f"<{aws}>")
    where = at(where, "unlink", "credentials.before-awsrole\"")
    at(where, "fsync(", f"<{aws}>")


def test_an_hourly_role_opens_the_store_once_in_twelve_hours(world):
    world.import_keys()
    shop, build = world.project("shop", DEPLOY, allow=True), world.project(
        "build", DEPLOY.replace("222222222222:role/Deploy", "111111111111:role/Build"), allow=True)
    locked = world.awsrole("exec", "--", "true", cwd=shop)
    assert locked.code == 4 and "the key file is locked, and profile jump needs its keys" in locked.err
    assert world.sts.calls() == []
    assert world.asked("exec", "--", "true", answers=[OPEN], cwd=shop).code == 0
    # The session of the keys serves every role, without a terminal.
    assert world.awsrole("exec", "--", "true", cwd=build).code == 0
    assert world.awsrole("credential-process", cwd=shop).code == 0
    world.sts.fault(action="AssumeRole", lifetime_seconds=1)
    assert world.awsrole("refresh", cwd=build).code == 0
    world.awsrole("exec", "--", "true", cwd=build)
    assert {"GetSessionToken": 1, "AssumeRole": 3}.items() <= world.sts.counts().items()
    world.no_secret_in_files()


def test_a_session_without_a_role(world):
    world.import_keys()
    shop = world.project("shop", 'profile = "jump"\n', allow=True)
    assert world.asked("exec", "--", "true", answers=[OPEN], cwd=shop).code == 0
    assert world.sts.counts() == {"GetSessionToken": 1, "connections": 1}


def test_add_asks_on_the_terminal(world):
    world.empty_handed()
    result = world.asked("keys", "add", "jump", answers=[
        ("access key ID of profile jump: ", KEY), ("secret access key (not shown): ", SECRET), *NEW])
    assert result.code == 0, result.err
    assert world.stored()["access_key_id"] == KEY
    again = world.awsrole("keys", "add", "jump", "--stdin")
    assert again.code == 1 and "profile jump already has keys in the key file" in again.err


@pytest.mark.parametrize("text", [
    f"{KEY}\n{SECRET}\n",
    json.dumps({"AccessKey": {"UserName": "a", "AccessKeyId": KEY, "Status": "Active", "SecretAccessKey": SECRET}}),
])
def test_add_reads_stdin(world, text):
    world.empty_handed()
    world.write("input", text)
    # The passphrase still comes from the terminal.
    world.write("run", f'exec "$1" keys add jump --stdin < {world.home}/input\n')
    child = pexpect.spawn("/bin/sh", [str(world.home / "run"), "awsrole"], env=world.environment(
        PATH=f"{binary('awsrole').parent}:/usr/bin:/bin"), encoding="utf-8", timeout=60, cwd=str(world.home))
    for question, answer in NEW:
        child.expect_exact(question)
        child.send(answer + "\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0, child.before
    assert world.stored()["access_key_id"] == KEY


def test_passphrases(world):
    short = world.asked("keys", "add", "jump", "--import", answers=[(NEW[0][0], "seven77")] * 3)
    assert short.err.count("fewer than 8 characters: try again") == 2
    assert short.code == 1 and "the passphrase has fewer than 8 characters" in short.err
    differ = world.asked("keys", "add", "jump", "--import", answers=[NEW[0], (NEW[1][0], "something else")] * 3)
    assert differ.code == 1 and "the two passphrases differ" in differ.err
    assert not (world.home / ".local/share/awsrole/keys/store.scrypt").exists()
    slips = [(NEW[0][0], "seven77"), NEW[0], (NEW[1][0], "something else")]
    result = world.asked("keys", "add", "jump", "--import", "--take-out", answers=slips + NEW)
    assert result.code == 0, result.err
    shop = world.project("shop", DEPLOY, allow=True)
    wrong = world.asked("exec", "--", "true", answers=[(OPEN[0], "wrong horse")] * 3, cwd=shop)
    assert wrong.err.count("wrong passphrase: try again") == 2
    assert wrong.code == 4 and "wrong passphrase for the key file" in wrong.err
    # It isn't remembered as a failure.
    assert world.asked("exec", "--", "true", answers=[OPEN], cwd=shop).code == 0


def test_others_are_told_that_the_passphrase_is_asked_for(world):
    world.import_keys()
    shop = world.project("shop", DEPLOY, allow=True)
    child = pexpect.spawn(str(binary("awsrole")), ["exec", "--", "true"], cwd=str(shop), timeout=60,
                          env=world.environment(PWD=str(shop)), encoding="utf-8", echo=False)
    child.expect_exact(OPEN[0])
    told = world.awsrole("exec", "--", "true", cwd=shop)
    assert told.code == 4 and "awsrole is prompting for the passphrase of the key file in " in told.err, told
    assert f"(process {child.pid})" in told.err and "MFA" not in told.err
    child.send(OPEN[1] + "\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_a_secret_in_the_ids_place_is_not_listed(world):
    swapped = CREDENTIALS.format(alice=ALICE, bystander=BYSTANDER).replace(KEY, "x").replace(SECRET, KEY).replace("=x\n", f"={SECRET}\n")
    world.credentials.write_text(swapped)
    assert f"aws_access_key_id={SECRET}\n" in swapped
    for options in ((), ("--json",)):
        result = world.awsrole("keys", "list", *options)
        assert result.code == 0 and SECRET not in result.out
        assert "aws_access_key_id isn't an access key ID: is it the secret?" in result.out
        assert BYSTANDER["access_key_id"] in result.out
    row = next(row for row in world.awsrole("keys", "list", "--json").json if row["profile"] == "jump")
    assert row["access_key_id"] is None


def test_remove(world):
    world.import_keys()
    assert "nothing was removed" in world.asked("keys", "remove", "jump", answers=[("permanently? [y/N] ", "n")]).err
    assert world.awsrole("keys", "remove", "jump").code == 1
    removed = world.asked("keys", "remove", "jump", "--yes", answers=[OPEN])
    assert removed.code == 0 and f"removed {KEY}" in removed.out
    shop = world.project("shop", DEPLOY, allow=True)
    gone = world.awsrole("exec", "--", "true", cwd=shop)
    assert "profile `jump` has no credentials" in gone.err and "`awsrole keys add jump`" in gone.err
    assert "no keys are stored for profile jump" in world.awsrole("keys", "remove", "jump").err


def test_a_broken_store_and_a_broken_record_are_told(world):
    world.import_keys()
    shop = world.project("shop", DEPLOY, allow=True)
    store = world.home / ".local/share/awsrole/keys/store.scrypt"
    assert store.stat().st_mode & 0o777 == 0o600
    whole = store.read_bytes()
    store.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    broken = world.asked("exec", "--", "true", answers=[OPEN], cwd=shop)
    assert "cannot use the key file" in broken.err
    store.unlink()
    assert world.awsrole("refresh", cwd=shop).code == 0
    gone = world.asked("exec", "--", "true", answers=[], cwd=shop)
    assert f"the key file has no keys {KEY} of profile jump" in gone.err
    record = next(store.parent.glob("*.json"))
    record.write_text("{")
    told = world.awsrole("exec", "--", "true", cwd=shop)
    assert "cannot read the record of profile jump" in told.err


def test_the_scrypt_tool_opens_the_file(world):
    """The format isn't ours alone."""
    need("scrypt")
    world.import_keys()
    store = world.home / ".local/share/awsrole/keys/store.scrypt"
    done = subprocess.run(["scrypt", "dec", "-P", str(store)], input=PASSPHRASE.encode() + b"\n", capture_output=True)
    assert json.loads(done.stdout) == {"jump": {KEY: SECRET}}, done.stderr
