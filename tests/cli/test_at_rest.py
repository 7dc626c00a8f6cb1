"""Tests the stored files: they contain no readable secret, and files that other users put there are ignored."""

import base64
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from support import keyring, other, sealed
from support.aws_files import role_file
from support.local_sts import binary
from support.world import BLOCKED, DEPLOY, HERE, World

KEYRING = Path(keyring.__file__)

BUILD = role_file("Build", HERE)


def spellings(secret):
    """Returns the forms of a secret in a file: plain, hexadecimal, and base64 with each of three offsets."""
    text = secret.encode()
    found = {text, text.hex().encode(), text.hex().upper().encode()}
    for offset in range(3):
        # The digits at both ends depend on the adjacent bytes.
        found.add(base64.b64encode(b"x" * offset + text)[4:-4])
    return found | {word.replace(b"+", b"-").replace(b"/", b"_") for word in found}


def holders(folder, secrets):
    """Returns the files below a directory that contain one of the secrets."""
    wanted = {spelling for secret in secrets for spelling in spellings(secret)}
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path for path in files if any(spelling in path.read_bytes() for spelling in wanted)}


def key_of(world, folder):
    """Returns the access key ID that a command gets."""
    result = world.awsrole("exec", "--", "sh", "-c", "echo $AWS_ACCESS_KEY_ID", cwd=folder)
    assert result.code == 0, result.err
    return result.out.strip()


def wanted(world, place):
    world.write(".config/awsrole/config.toml", f'[cache]\nkey = "{place}"\n')


def test_no_secret_can_be_read_in_any_file(world, shop):
    blocked = world.project("blocked", BLOCKED, allow=True)
    world.exec_env(shop)
    for words in (["status", "--long"], ["why"], ["hook", "export", "bash", "--event", "cd"], ["hook", "renew"], ["refresh"],
                  ["hook", "renew"], ["credential-process"], ["policy"], ["doctor"], ["exec", "--", "true"]):
        for folder in (shop, blocked):
            world.awsrole(*words, cwd=folder)
    for path in world.entries():
        session = sealed.read(path)
        world.secrets |= {session["secret_access_key"], session["session_token"]}
    assert len(world.secrets) == 6, "those of two users and two sessions"
    assert holders(world.home, world.secrets) == {world.home / ".aws/credentials"}
    wanted(world, "none")
    world.exec_env(shop)
    [plain] = [path for path in world.entries() if path.read_bytes().startswith(b"{")]
    assert holders(world.home, world.secrets) == {world.home / ".aws/credentials", plain}, "it can be seen"
    wanted(world, "auto")
    world.awsrole("refresh", cwd=shop)
    world.exec_env(shop)
    assert holders(world.home, world.secrets) == {world.home / ".aws/credentials"}, "and goes with the next one"


def test_a_copied_cache_is_useless_without_the_key(world, shop):
    first = key_of(world, shop)
    key = sealed.key(world.cache)
    # As after a reboot: the files are there, the key isn't.
    sealed.forget(world.cache)
    second = key_of(world, shop)
    assert first != second == key_of(world, shop) and len(world.assumed()) == 2
    assert sealed.key(world.cache) not in (None, key)
    # In another place with a key of its own.
    stolen = world.home / "stolen/awsrole"
    shutil.copytree(world.cache, stolen)
    there = {"XDG_CACHE_HOME": str(stolen.parent)}
    world.awsrole("exec", "--", "true", cwd=shop, env=there)
    assert len(world.assumed()) == 3
    sealed.forget(stolen)


TAMPERED = {
    "empty": lambda whole: b"",
    "half": lambda whole: whole[: len(whole) // 2],
    "cut": lambda whole: whole[:-1],
    "longer": lambda whole: whole + b"\0",
    "older": lambda whole: b"\1" + whole[1:],
    "newer": lambda whole: b"\3" + whole[1:],
    "key-elsewhere": lambda whole: whole[:1] + b"r" + whole[2:],
    "key-nowhere": lambda whole: whole[:1] + b"z" + whole[2:],
    "bit-of-the-nonce": lambda whole: flipped(whole, 2),
    "bit-of-the-text": lambda whole: flipped(whole, len(whole) // 2),
    "bit-of-the-tag": lambda whole: flipped(whole, len(whole) - 1),
}


def flipped(whole, at):
    return whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]


@pytest.mark.parametrize("how", TAMPERED)
def test_a_changed_entry_is_a_miss(world, shop, how):
    first = key_of(world, shop)
    [entry] = world.entries()
    entry.write_bytes(TAMPERED[how](entry.read_bytes()))
    assert first != key_of(world, shop) and len(world.assumed()) == 2


def test_entries_that_were_swapped_are_misses(world, shop):
    build = world.project("build", BUILD, allow=True)
    first = [key_of(world, folder) for folder in (shop, build)]
    one, other = world.entries()
    contents = one.read_bytes(), other.read_bytes()
    one.write_bytes(contents[1])
    other.write_bytes(contents[0])
    second = [key_of(world, folder) for folder in (shop, build)]
    assert not set(first) & set(second) and len(world.assumed()) == 4
    for path, content in zip((one, other), contents, strict=True):
        path.write_bytes(content)
    assert [key_of(world, folder) for folder in (shop, build)] == first, "they were good, each in its place"


def test_logging_out_of_all_makes_a_new_key(world, shop):
    first = key_of(world, shop)
    [entry] = world.entries()
    copy, key = entry.read_bytes(), sealed.key(world.cache)
    assert world.awsrole("logout", "--all").code == 0
    assert sealed.key(world.cache) is None
    entry.write_bytes(copy)
    assert key_of(world, shop) != first
    assert sealed.key(world.cache) not in (None, key)


def test_many_at_once_end_with_one_key(world):
    """Each gets a role of its own, so that nothing but the key holds them up."""
    folders = [world.project(f"p{number}", DEPLOY + f'role_session_name = "p{number}"\n', allow=True) for number in range(50)]
    world.sts.fault(latency_ms=1500)
    running = [subprocess.Popen([binary("awsrole"), "credential-process"], cwd=folder, env=world.environment(),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) for folder in folders]
    assert {process.communicate(timeout=200)[0][:1] for process in running} == {b"{"}
    assert len({sealed.read(path)["arn"] for path in world.entries()}) == 50, "all can be opened with the key that there is"


def test_the_key_outlives_what_is_sealed_with_it(world, shop):
    """37 hours after the last write it is gone: AWS's longest sessions last 36."""
    world.exec_env(shop)
    number = sealed.serial(world.cache)

    def left():
        [line] = [line.split() for line in open("/proc/keys") if int(line.split()[0], 16) == number]
        return line[3]

    assert left() == "1d"
    keyring.keyctl(keyring.TIMEOUT, number, 1000)
    world.exec_env(shop)
    assert left() == "16m", "reading changes nothing"
    world.awsrole("refresh", cwd=shop)
    assert left() == "1d"


class TestPlaces:
    """The location of the cache encryption key, depending on the system."""

    @pytest.fixture
    def without(self):
        """Returns a prefix for a command that is denied access to the kernel keyring."""
        return lambda errno: (sys.executable, KEYRING, "without", str(errno))

    @pytest.fixture
    def runtime(self):
        """A runtime directory as systemd makes it."""
        if not os.path.ismount("/dev/shm"):
            pytest.skip("there is no directory in memory")
        folder = Path(tempfile.mkdtemp(prefix="awsrole-test-", dir="/dev/shm"))
        yield folder
        shutil.rmtree(folder)

    def had(self, world, folder, wrapper, env=None):
        """Returns the number of STS calls for a role that is requested twice, and the beginning of the latest entry."""
        world.sts.reset()
        for _ in range(2):
            result = world.awsrole("exec", "--", "true", cwd=folder, wrapper=wrapper, env=env)
            assert result.code == 0, result.err
        latest = max(world.entries(), key=lambda path: path.stat().st_mtime_ns, default=None)
        return len(world.assumed()), latest and latest.read_bytes()[:2]

    def told(self, world, folder, wrapper=(), env=None):
        """Returns what `status --long` and `doctor` print about it."""
        lines = world.awsrole("status", "--long", cwd=folder, wrapper=wrapper, env=env).out.splitlines()
        [line] = [line for line in lines if line.startswith("at rest ")]
        findings = world.awsrole("doctor", "--json", wrapper=wrapper, env=env).json
        [found] = [one for one in findings if one["about"] == "encryption"]
        assert line.split(maxsplit=2)[2] == found["text"]
        return found["level"], found["text"]

    def test_the_kernels_keyring(self, world, shop):
        assert self.had(world, shop, ()) == (1, b"\2k")
        assert self.told(world, shop) == ("ok", "cached credentials are encrypted, and their key is in the kernel's keyring")

    def test_a_session_that_does_not_lead_to_the_users_keyring(self, world, shop):
        """As under cron, in a service of systemd, after `keyctl session`: one key for all of them."""
        alone = (sys.executable, KEYRING, "alone")
        assert self.had(world, shop, alone) == (1, b"\2k")
        assert world.awsrole("exec", "--", "true", cwd=shop).code == 0
        world.awsrole("refresh", cwd=shop, wrapper=alone)
        world.exec_env(shop)
        assert self.had(world, shop, alone)[0] == 0

    @pytest.mark.parametrize("errno", [1, 13, 38], ids=["EPERM", "EACCES", "ENOSYS"])
    def test_the_runtime_directory_where_the_keyring_is_refused(self, world, shop, without, runtime, errno):
        env = {"XDG_RUNTIME_DIR": str(runtime)}
        assert self.had(world, shop, without(errno), env) == (1, b"\2r")
        [key] = (runtime / "awsrole").iterdir()
        assert (len(key.read_bytes()), stat.S_IMODE(key.stat().st_mode), stat.S_IMODE(key.parent.stat().st_mode)) == (32, 0o600, 0o700)
        level, text = self.told(world, shop, without(errno), env)
        assert level == "ok" and "the runtime directory" in text
        key.write_bytes(b"x" * 32)
        assert self.had(world, shop, without(errno), env) == (1, b"\2r"), "another key"
        assert world.awsrole("logout", "--all", env=env).code == 0
        assert list((runtime / "awsrole").iterdir()) == []

    @pytest.mark.parametrize("what", ["missing", "disk", "wide", "file"])
    def test_nothing_is_written_where_there_is_none(self, world, shop, without, runtime, what):
        """The role is exported, and one line says why each command asks STS."""
        places = {"disk": world.home, "file": world.home / ".aws/config", "missing": world.home / "nowhere", "wide": runtime}
        env = {"XDG_RUNTIME_DIR": str(places[what])}
        world.home.chmod(0o700)
        runtime.chmod(0o750)
        assert self.had(world, shop, without(38), env) == (2, None)
        said = world.awsrole("exec", "--", "true", cwd=shop, wrapper=without(38), env=env).err
        assert said.count("isn't cached") == said.count("\n") == 1 and "`awsrole doctor`" in said
        said = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=shop, wrapper=without(38), env=env)
        assert said.err.count("isn't cached") == 1 and "__awsrole_done role " in said.out
        level, text = self.told(world, shop, without(38), env)
        reason = {"disk": "isn't in memory, as far as is known", "wide": "can be entered by others", "file": "isn't a directory",
                  "missing": "isn't there"}
        assert level == "bad" and text.startswith("no credentials are cached") and "the kernel's keyring" in text and f"{places[what]} {reason[what]}" in text

    def test_another_place_than_yesterday_is_a_miss(self, world, shop, without):
        assert self.had(world, shop, ()) == (1, b"\2k")
        assert self.had(world, shop, without(38), {"XDG_RUNTIME_DIR": "/nowhere"})[0] == 2
        assert self.had(world, shop, ()) == (0, b"\2k"), "what is encrypted for this place is still there"
        wanted(world, "none")
        assert self.had(world, shop, ()) == (1, b'{"')
        wanted(world, "auto")
        for path in world.entries():
            if path.read_bytes()[:1] != b"{":
                path.unlink()
        assert self.had(world, shop, ()) == (1, b"\2k"), "plain ones aren't believed where the user chose encryption"

    def test_a_quota_that_is_used_up(self, world, shop):
        """Nothing else is kept from its work by it; run by another user, who has a quota of their own."""
        if os.geteuid():
            pytest.skip("only root can become another user")
        with other.Ground() as ground, World(ground) as theirs:
            other.give(theirs.home)
            subprocess.run([*other.as_user(), shutil.which("python3", path="/usr/bin"), ground_copy(ground), "fill"], check=True)
            folder = theirs.home / "src/shop"
            theirs.project("shop", DEPLOY)
            other.give(theirs.home)
            user = other.as_user()
            try:
                assert theirs.awsrole("allow", folder, wrapper=user).code == 0
                assert self.had(theirs, folder, user) == (2, None)
                level, text = self.told(theirs, folder, user)
                assert level == "bad" and "the kernel's keyring is full" in text
            finally:
                subprocess.run([*user, "/usr/bin/python3", ground_copy(ground), "clear"], check=True)
            assert self.had(theirs, folder, user) == (1, b"\2k")
            subprocess.run([*user, "/usr/bin/python3", ground_copy(ground), "clear"], check=True)

    def test_what_the_user_wants(self, world, shop, without, runtime):
        env = {"XDG_RUNTIME_DIR": str(runtime)}
        for place, begins in (("keyring", b"\2k"), ("runtime", b"\2r"), ("none", b'{"')):
            wanted(world, place)
            assert self.had(world, shop, (), env) == (1, begins), place
        wanted(world, "keyring")
        assert self.had(world, shop, (), env)[0] == 0, "each place has entries of its own"
        wanted(world, "keyring")
        world.awsrole("logout", "--all")
        world.sts.reset()
        for _ in range(2):
            assert world.awsrole("exec", "--", "true", cwd=shop, wrapper=without(38), env=env).code == 0
        assert len(world.assumed()) == 2 and world.entries() == [], "rather nothing than something else"
        level, text = self.told(world, shop, without(38), env)
        assert level == "bad" and text.startswith("no credentials are cached")

    def test_a_word_that_is_no_place(self, world, shop):
        wanted(world, "kerying")
        result = world.awsrole("exec", "--", "true", cwd=shop)
        assert result.code == 1 and "config.toml:2" in result.err and "`keyring`" in result.err


def ground_copy(ground):
    """A copy of the keyring's commands where another user can read it."""
    path = ground / "keyring.py"
    if not path.exists():
        shutil.copy(KEYRING, path)
        path.chmod(0o644)
    return path
