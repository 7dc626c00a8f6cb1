"""A second user of the machine reads nothing of the first one's, and what they put in the way isn't believed."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from support import keyring, other
from support.world import CLOSED, DEPLOY, World

pytestmark = other.root_only

# Credentials that somebody would like to be used instead.
PLANTED = {"version": 1, "access_key_id": "ASIAPLANTEDPLANTED00", "secret_access_key": "planted", "session_token": "planted",
           "issued": 1, "expiration": 32503680000, "arn": "arn:aws:sts::222222222222:assumed-role/Deploy/alice", "stale": False}


@pytest.fixture
def ground():
    """A folder that all users reach, with the keyring's commands in it."""
    with other.Ground() as folder:
        shutil.copy(keyring.__file__, folder / "keyring.py")
        (folder / "keyring.py").chmod(0o644)
        yield folder


@pytest.fixture
def theirs(ground):
    """A world that belongs to a user, whose projects are allowed and whose session is cached."""
    with World(ground) as world:
        world.user = other.as_user()
        for name, content in (("shop", DEPLOY), ("closed", CLOSED)):
            world.project(name, content)
        other.give(world.home)
        for name in ("shop", "closed"):
            assert world.awsrole("allow", cwd=world.home / "src" / name, wrapper=world.user).code == 0
        world.shop = world.home / "src/shop"
        yield world
        keys(ground, "clear")


def keys(ground, *words, uid=other.UID):
    """A command of keyring.py; its output, or None if it failed."""
    command = [*other.as_user(uid), "/usr/bin/python3", ground / "keyring.py", *words]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)
    return done.stdout if done.returncode == 0 else None


def key_of(world, **more):
    result = world.awsrole("exec", "--", "sh", "-c", "echo $AWS_ACCESS_KEY_ID", cwd=world.shop, wrapper=world.user, **more)
    assert result.code == 0, result.err
    return result.out.strip()


def test_no_file_can_be_read_or_changed(theirs):
    key_of(theirs)
    theirs.awsrole("exec", "--", "true", cwd=theirs.home / "src/closed", wrapper=theirs.user)
    places = [theirs.cache, theirs.home / ".local/share/awsrole", theirs.home / ".local/state/awsrole"]
    found = [path for place in places for path in (place, *place.rglob("*"))]
    assert {".session", ".failure", ".lock"} <= {path.suffix for path in found}
    for path in found:
        assert other.succeeds("test", "-r", path, uid=other.UID), path
        for right in "-r", "-w":
            assert not other.succeeds("test", right, path, uid=other.ANOTHER), path


def test_the_key_can_not_be_seen_read_or_replaced(theirs, ground):
    first = key_of(theirs)
    ring, key = keys(ground, "names").splitlines()
    number, name = key.split()
    assert keys(ground, "get", number) is not None and keys(ground, "look", ring, name) is not None, "its owner can"
    for words in (("get", number), ("look", ring, name), ("plant", ring, name)):
        assert keys(ground, *words, uid=other.ANOTHER) is None, words
    # In a keyring of their own it is nobody's business.
    own = keys(ground, "names", uid=other.ANOTHER).splitlines()[0]
    assert keys(ground, "plant", own, name, uid=other.ANOTHER) is not None
    assert key_of(theirs) == first and len(theirs.assumed()) == 1
    keys(ground, "clear", uid=other.ANOTHER)


@pytest.mark.parametrize("store", ["keyring", "none"])
def test_an_entry_of_somebody_else_is_not_believed(theirs, store):
    """Even where entries aren't encrypted, and in a directory that anyone can write to."""
    settings = theirs.write(".config/awsrole/config.toml", f'[cache]\nkey = "{store}"\n')
    other.give(settings.parent)
    first = key_of(theirs)
    [entry] = theirs.entries()
    entry.unlink()
    entry.write_text(json.dumps(PLANTED))
    other.give(entry, other.ANOTHER)
    entry.chmod(0o644)
    assert key_of(theirs) not in (first, PLANTED["access_key_id"])
    # As one's own it would have been taken, where it isn't encrypted.
    [entry] = theirs.entries()
    entry.write_text(json.dumps(PLANTED))
    other.give(entry)
    assert (key_of(theirs) == PLANTED["access_key_id"]) == (store == "none")


@pytest.mark.parametrize("name", ["history", "history.1"])
def test_a_history_of_somebody_else_is_neither_read_nor_written(theirs, name):
    key_of(theirs)
    state = theirs.home / ".local/state/awsrole"
    (state / "history").rename(state / name)
    said = (state / name).read_text()
    other.give(state / name, other.ANOTHER)
    (state / name).chmod(0o666)
    key_of(theirs)
    told = theirs.awsrole("history", "--json", wrapper=theirs.user)
    assert (state / name).read_text() == said
    assert (told.code, len(told.json)) == (0, 0 if name == "history" else 1), "of one's own, what was written since"


def test_a_failure_of_somebody_else_is_not_believed(theirs):
    closed = theirs.home / "src/closed"
    assert theirs.awsrole("credential-process", cwd=closed, wrapper=theirs.user).code == 4
    [failure] = theirs.entries("failure")
    said = json.loads(failure.read_text())
    theirs.sts.reset()
    assert theirs.awsrole("credential-process", cwd=closed, wrapper=theirs.user).code == 4
    assert theirs.assumed() == [], "one's own is"
    failure.write_text(json.dumps(said))
    other.give(failure, other.ANOTHER)
    failure.chmod(0o644)
    assert theirs.awsrole("credential-process", cwd=closed, wrapper=theirs.user).code == 4
    assert len(theirs.assumed()) == 1


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o777], ids=oct)
def test_a_cache_directory_of_somebody_else_is_refused(theirs, ground, mode):
    shared = ground / "shared"
    (shared / "awsrole").mkdir(parents=True)
    (shared / "awsrole").chmod(mode)
    other.give(shared, other.ANOTHER)
    result = theirs.awsrole("exec", "--", "echo", "ran", cwd=theirs.shop, wrapper=theirs.user, env={"XDG_CACHE_HOME": str(shared)})
    assert result.code == 1 and result.out == "" and "hint:" in result.err
    assert "it belongs to another user" in result.err or "ermission denied" in result.err
    assert list((shared / "awsrole").iterdir()) == [] and theirs.sts.calls() == []


@pytest.mark.parametrize("which", ["approvals", "folder", "file"])
def test_an_approval_of_somebody_else_is_none(theirs, which):
    approvals = theirs.home / ".local/share/awsrole/approvals"
    [folder] = [path for path in approvals.iterdir() if (theirs.shop / ".awsrole.toml").read_text() in [one.read_text() for one in path.iterdir()]]
    [file] = folder.iterdir()
    assert key_of(theirs)
    other.give({"approvals": approvals, "folder": folder, "file": file}[which], other.ANOTHER)
    for path in (approvals, folder, file):
        path.chmod(0o777)
    result = theirs.awsrole("exec", "--", "echo", "ran", cwd=theirs.shop, wrapper=theirs.user)
    assert (result.code, result.out) == (3, "") and "isn't allowed yet" in result.err


def test_a_link_to_ones_own_file_is_no_approval_and_no_refusal(theirs):
    """Whoever can make one says with it whatever they like: it leads to a file of the right owner."""
    toml = theirs.shop / ".awsrole.toml"
    for folder in (theirs.home / ".local/share/awsrole/approvals").iterdir():
        (folder / "denied").symlink_to(toml)
    assert key_of(theirs)
    for folder in (theirs.home / ".local/share/awsrole/approvals").iterdir():
        (folder / "denied").unlink()
        [file] = folder.iterdir()
        file.unlink()
        file.symlink_to(toml)
        other.give(folder)
    result = theirs.awsrole("exec", "--", "echo", "ran", cwd=theirs.shop, wrapper=theirs.user)
    assert (result.code, result.out) == (3, "") and "isn't allowed yet" in result.err


@pytest.mark.parametrize("mode", [0o770, 0o707], ids=oct)
def test_an_approval_where_others_could_have_put_it_is_none(theirs, mode):
    approvals = theirs.home / ".local/share/awsrole/approvals"
    approvals.chmod(mode)
    result = theirs.awsrole("exec", "--", "echo", "ran", cwd=theirs.shop, wrapper=theirs.user)
    assert (result.code, result.out) == (3, "") and "isn't allowed yet" in result.err
    assert theirs.awsrole("allow", cwd=theirs.shop, wrapper=theirs.user).code == 0
    assert approvals.stat().st_mode & 0o777 == 0o700 and key_of(theirs)


def test_a_refusal_of_somebody_else_is_none(theirs):
    folders = (theirs.home / ".local/share/awsrole/approvals").iterdir()
    for folder in folders:
        (folder / "denied").write_text("x")
        other.give(folder / "denied", other.ANOTHER)
    assert key_of(theirs)


@pytest.mark.parametrize("how", ["owner", "mode", "group"])
def test_settings_that_others_can_write_are_refused(theirs, how):
    """They may name a command."""
    settings = theirs.write(".config/awsrole/config.toml", "# mine\n")
    other.give(settings.parent)
    assert key_of(theirs)
    if how == "owner":
        other.give(settings, other.ANOTHER)
    settings.chmod({"owner": 0o644, "mode": 0o646, "group": 0o664}[how])
    result = theirs.awsrole("exec", "--", "true", cwd=theirs.shop, wrapper=theirs.user)
    assert result.code == 1 and "config.toml can't be read" in result.err and "others may write to it" in result.err


def test_settings_of_the_system_count(theirs):
    """Some systems make them for their users."""
    settings = theirs.write(".config/awsrole/config.toml", "# the system's\n")
    settings.chmod(0o644)
    assert key_of(theirs)


def test_a_runtime_directory_of_somebody_else_is_none(theirs, ground):
    if not Path("/dev/shm").is_mount():
        pytest.skip("there is no directory in memory")
    settings = theirs.write(".config/awsrole/config.toml", '[cache]\nkey = "runtime"\n')
    other.give(settings.parent)
    runtime = Path("/dev/shm") / ground.name
    runtime.mkdir(mode=0o700)
    try:
        env = {"XDG_RUNTIME_DIR": str(runtime)}
        for uid, kept in ((other.ANOTHER, False), (other.UID, True)):
            other.give(runtime, uid)
            theirs.sts.reset()
            assert {key_of(theirs, env=env) for _ in range(2)} and len(theirs.assumed()) == (1 if kept else 2)
            assert bool(theirs.entries()) == kept
    finally:
        shutil.rmtree(runtime)


def test_root_leaves_nothing_in_a_users_home(theirs):
    """As with `sudo` that keeps HOME: neither does root believe the user's approvals, nor are there files they can't use."""
    assert key_of(theirs)
    result = theirs.awsrole("exec", "--", "echo", "ran", cwd=theirs.shop)
    assert (result.code, result.out) == (3, "")
    assert theirs.awsrole("allow", cwd=theirs.shop).code == 1
    assert {path.stat().st_uid for place in (".cache", ".local") for path in (theirs.home / place).rglob("*")} == {other.UID}
