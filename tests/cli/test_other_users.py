"""Tests a second user of the machine, who can read nothing of the first one, and whose files awsrole ignores."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support import keyring, other
from support.hooked_shell import hook_line
from support.terminal import SHELLS, Terminal
from support.world import BLOCKED, DEPLOY, HERE, THERE, World

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
        for name, content in (("shop", DEPLOY), ("blocked", BLOCKED)):
            world.project(name, content)
        other.give(world.home)
        for name in ("shop", "blocked"):
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
    theirs.awsrole("exec", "--", "true", cwd=theirs.home / "src/blocked", wrapper=theirs.user)
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
    blocked = theirs.home / "src/blocked"
    assert theirs.awsrole("credential-process", cwd=blocked, wrapper=theirs.user).code == 4
    [failure] = theirs.entries("failure")
    said = json.loads(failure.read_text())
    theirs.sts.reset()
    assert theirs.awsrole("credential-process", cwd=blocked, wrapper=theirs.user).code == 4
    assert theirs.assumed() == [], "one's own is"
    failure.write_text(json.dumps(said))
    other.give(failure, other.ANOTHER)
    failure.chmod(0o644)
    assert theirs.awsrole("credential-process", cwd=blocked, wrapper=theirs.user).code == 4
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
    """A hard link may have any content, because it belongs to the right owner."""
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
    assert result.code == 1 and "config.toml can't be read" in result.err and "writable by others" in result.err
    assert "/.config/awsrole/config.toml`" in result.err.split("`chmod go-w ")[1], result.err


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


class TestComponents:
    """Every folder and link on the way to what awsrole believes is the user's or root's, and nobody else can write there."""

    @pytest.fixture(params=[".", ".config", ".config/awsrole"])
    def above_settings(self, theirs, request):
        settings = theirs.write(".config/awsrole/config.toml", "# mine\n")
        other.give(theirs.home / ".config")
        for folder in (theirs.home / ".config", settings.parent):
            folder.chmod(0o755)
        assert key_of(theirs)
        return theirs.home / request.param

    @pytest.fixture(params=[".", ".local", ".local/share", ".local/share/awsrole"])
    def above_approvals(self, theirs, request):
        assert key_of(theirs)
        return theirs.home / request.param

    def refused(self, theirs, code, *said):
        result = theirs.awsrole("exec", "--", "echo", "ran", cwd=theirs.shop, wrapper=theirs.user)
        assert (result.code, result.out) == (code, ""), result
        for text in said:
            assert str(text) in result.err, result.err
        return theirs.awsrole("hook", "export", "bash", "--event", "cd", cwd=theirs.shop, wrapper=theirs.user).out.splitlines()[-1]

    @pytest.mark.parametrize("mode", [0o775, 0o757], ids=oct)
    def test_a_folder_above_settings_that_others_can_write(self, theirs, above_settings, mode):
        above_settings.chmod(mode)
        fix = f"`chmod go-w {above_settings.resolve()}`"
        # Above both, approvals are no better.
        what = "approvals in" if above_settings == theirs.home else "config.toml can't be trusted"
        code = 3 if above_settings == theirs.home else 1
        assert "blocked" in self.refused(theirs, code, what, f"{above_settings.resolve()} is writable by others", fix)
        above_settings.chmod(0o755)
        assert key_of(theirs)

    def test_a_folder_of_settings_of_somebody_else(self, theirs, above_settings):
        if above_settings != theirs.home:
            os.chown(above_settings, other.ANOTHER, other.ANOTHER)
            said = f"{above_settings}: it belongs to another user (uid {other.ANOTHER})"
            assert "blocked" in self.refused(theirs, 1, "config.toml can't be trusted", said,
                                            f"`sudo chown {other.UID} {above_settings}`")
            os.chown(above_settings, 0, 0)
            assert key_of(theirs), "root's is fine"

    def test_settings_in_a_store_of_links(self, theirs, ground):
        """As home-manager, stow and a home behind a link have it."""
        settings = theirs.write("dotfiles/awsrole/config.toml", "# mine\n")
        (theirs.home / ".config").mkdir()
        (theirs.home / ".config/awsrole").symlink_to("../dotfiles/awsrole")
        other.give(theirs.home)
        for folder in (settings.parent, settings.parent.parent):
            folder.chmod(0o755)
        assert key_of(theirs)
        home = ground / "linked"
        home.symlink_to(theirs.home)
        env = {"HOME": str(home)}
        assert key_of(theirs, env=env)
        # The error names the user who can replace a symlink or its target.
        (theirs.home / "dotfiles").chmod(0o777)
        assert "blocked" in self.refused(theirs, 1, f"{theirs.home}/dotfiles is writable by others")
        (theirs.home / "dotfiles").chmod(0o755)
        os.chown(theirs.home / ".config/awsrole", other.ANOTHER, other.ANOTHER, follow_symlinks=False)
        assert "blocked" in self.refused(theirs, 1, f"{theirs.home}/.config/awsrole: the link belongs to another user",
                                        f"`sudo chown -h {other.UID} {theirs.home}/.config/awsrole`")
        os.chown(theirs.home / ".config/awsrole", 0, 0, follow_symlinks=False)
        assert key_of(theirs)
        os.chown(home, other.ANOTHER, other.ANOTHER, follow_symlinks=False)
        result = theirs.awsrole("exec", "--", "true", cwd=theirs.shop, wrapper=theirs.user, env=env)
        assert result.code == 3 and f"{home}: the link belongs to another user" in result.err

    @pytest.mark.parametrize("mode", [0o775, 0o757], ids=oct)
    def test_a_folder_above_approvals_that_others_can_write(self, theirs, above_approvals, mode):
        above_approvals.chmod(mode)
        # A role was in force, so the shell is blocked; where nothing was said, nothing is taken away.
        ended = self.refused(theirs, 3, "approvals in", f"{above_approvals.resolve()} is writable by others", f"`chmod go-w {above_approvals.resolve()}`")
        assert "blocked" in ended
        fresh = theirs.project("fresh", DEPLOY)
        other.give(fresh)
        result = theirs.awsrole("hook", "export", "bash", "--event", "cd", cwd=fresh, wrapper=theirs.user)
        assert result.out.startswith("__awsrole_done outer ") and "writable by others" in result.err
        # awsrole makes its own directory private again. For others it prints an error.
        own = above_approvals.name == "awsrole"
        allowed = theirs.awsrole("allow", cwd=theirs.shop, wrapper=theirs.user)
        assert allowed.code == (0 if own else 1) and ("writable by others" in allowed.err) == (not own)
        assert oct(above_approvals.stat().st_mode & 0o777) == oct(0o700 if own else mode)
        above_approvals.chmod(0o755)
        assert key_of(theirs)

    def test_a_folder_above_approvals_of_somebody_else(self, theirs, above_approvals):
        before = above_approvals.stat()
        os.chown(above_approvals, other.ANOTHER, other.ANOTHER)
        above_approvals.chmod(0o755)
        said = f"{above_approvals.resolve()}: it belongs to another user (uid {other.ANOTHER})"
        assert "outer" in self.refused(theirs, 3, "approvals in", said)
        allowed = theirs.awsrole("allow", cwd=theirs.shop, wrapper=theirs.user)
        assert allowed.code == 1 and said in allowed.err
        os.chown(above_approvals, before.st_uid, before.st_gid)
        assert key_of(theirs)

    @pytest.mark.parametrize("owner, fine", [(other.ANOTHER, False), (other.UID, True), (0, True)], ids=["theirs", "ours", "root"])
    def test_the_path_of_a_rule_through_a_link(self, theirs, ground, owner, fine):
        shared = ground / "shared"
        shared.mkdir()
        shared.chmod(0o1777)
        (shared / "link").symlink_to(theirs.home / "src")
        os.chown(shared / "link", owner, owner, follow_symlinks=False)
        rule = f'[[trust]]\npath = "{shared}/link/ruled"\naccounts = ["{HERE}", "{THERE}"]\n'
        settings = theirs.write(".config/awsrole/config.toml", rule)
        ruled = theirs.project("ruled", DEPLOY)
        for path in (theirs.home / ".config", ruled):
            other.give(path)
        result = theirs.awsrole("exec", "--", "echo", "ran", cwd=ruled, wrapper=theirs.user)
        assert (result.code, result.out) == ((0, "ran\n") if fine else (1, "")), result
        if not fine:
            assert f"{shared}/link: the link belongs to another user (uid {owner})" in result.err
            assert f"your [[trust]] rule for {shared}/link/ruled can't be used" in result.err
            assert key_of(theirs), "a rule for another directory is nobody's concern here"
        settings.unlink()


class TestOwner:
    """Whose file it is, is a part of what was allowed."""

    @pytest.fixture
    def shared(self, theirs, ground):
        """A folder in which everybody can make files, as /tmp is."""
        folder = ground / "shared"
        folder.mkdir()
        folder.chmod(0o1777)
        self.make(folder, other.UID)
        return folder

    def make(self, folder, owner, text=DEPLOY):
        path = folder / ".awsrole.toml"
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o644)
        os.chown(path, owner, owner)

    def acts(self, theirs, folder):
        result = theirs.awsrole("exec", "--", "echo", "ran", cwd=folder, wrapper=theirs.user)
        assert (result.code, result.out) in ((0, "ran\n"), (3, "")), result
        return result.code == 0

    def test_a_file_that_another_user_made_anew(self, theirs, shared):
        assert theirs.awsrole("allow", cwd=shared, wrapper=theirs.user).code == 0
        assert self.acts(theirs, shared)
        self.make(shared, other.ANOTHER)
        assert not self.acts(theirs, shared)
        result = theirs.awsrole("hook", "export", "bash", "--event", "prompt", cwd=shared, wrapper=theirs.user)
        assert result.out.startswith("__awsrole_done blocked ")
        assert "has another owner than when it was allowed" in result.err and f"uid {other.ANOTHER}" in result.err
        # Root could change anything, and so could the user.
        for owner in (0, other.UID):
            self.make(shared, owner)
            assert self.acts(theirs, shared)

    def test_a_file_of_another_user_can_be_allowed(self, theirs, shared):
        """As in a container, where the clone belongs to an id of the host."""
        self.make(shared, other.ANOTHER)
        assert not self.acts(theirs, shared)
        shown = theirs.awsrole("allow", cwd=shared, wrapper=theirs.user)
        assert shown.code == 0 and f"owner           uid {other.ANOTHER}, another user: {shared}/.awsrole.toml" in shown.err
        assert self.acts(theirs, shared)
        self.make(shared, other.ANOTHER + 1)
        assert not self.acts(theirs, shared)
        shown = theirs.awsrole("allow", cwd=shared, wrapper=theirs.user).err
        assert f"belongs to another user now (uid {other.ANOTHER + 1})" in shown
        self.make(shared, other.ANOTHER, DEPLOY + "# edited\n")
        assert not self.acts(theirs, shared)

    def test_a_link_of_another_user(self, theirs, shared):
        target = theirs.project("target", DEPLOY)
        other.give(target)
        path = shared / ".awsrole.toml"
        path.unlink()
        path.symlink_to(target / ".awsrole.toml")
        os.chown(path, other.UID, other.UID, follow_symlinks=False)
        assert theirs.awsrole("allow", cwd=shared, wrapper=theirs.user).code == 0
        assert self.acts(theirs, shared)
        os.chown(path, other.ANOTHER, other.ANOTHER, follow_symlinks=False)
        assert not self.acts(theirs, shared)

    def test_a_base_of_another_user(self, theirs, shared):
        leaf = shared / "leaf"
        leaf.mkdir()
        self.make(leaf, other.UID, "inherit = true\n")
        other.give(leaf)
        assert theirs.awsrole("allow", cwd=leaf, wrapper=theirs.user).code == 0
        assert self.acts(theirs, leaf)
        self.make(shared, other.ANOTHER)
        assert not self.acts(theirs, leaf)


class TestRootWithAUsersHome:
    """As `sudo -E` and `su` without a dash leave it: nothing is made there that the user couldn't remove."""

    COMMANDS = [
        ("hook", "bash"), ("hook", "zsh"), ("hook", "fish"),
        *((("hook", "export", shell, "--event", "cd")) for shell in SHELLS), ("hook", "export", "bash", "--event", "prompt", "--role", "dev"),
        ("hook", "renew", "--", ".awsrole.toml"), ("allow",), ("allow", "--yes"), ("deny",), ("status",), ("status", "--json"),
        ("status", "--long"), ("why",), ("doctor",), ("exec", "--", "true"), ("exec", "--renew", "--", "true"), ("env", "--format", "json"),
        ("credential-process",), ("refresh",), ("logout",), ("logout", "--all"), ("history",), ("console", "--print"), ("policy",),
        ("keys", "list"), ("keys", "add", "jump", "--import"), ("login",),
    ]

    def found(self, home):
        return {path: (path.lstat().st_uid, path.lstat().st_mtime_ns) for path in (home, *home.rglob("*"))}

    @pytest.mark.parametrize("state", ["used", "fresh", "open"])
    def test_no_command_makes_a_file(self, theirs, state):
        if state == "used":
            key_of(theirs)
            theirs.write(".config/awsrole/config.toml", f'[[trust]]\npath = "~/src"\naccounts = ["{HERE}", "{THERE}"]\n')
            other.give(theirs.home)
        else:
            for name in (".local", ".cache", ".config"):
                shutil.rmtree(theirs.home / name, ignore_errors=True)
        if state == "open":
            theirs.home.chmod(0o777)
        theirs.sts.reset()
        before = self.found(theirs.home)
        for words in self.COMMANDS:
            for folder in (theirs.shop, theirs.home):
                result = theirs.awsrole(*words, cwd=folder)
                assert self.found(theirs.home) == before, (words, result)
                assert words[0] == "hook" or "__awsrole_set" not in result.out, (words, result)
        assert theirs.sts.calls() == []

    def test_what_an_earlier_root_left_is_no_way_in(self, theirs):
        for name in (".local/state/awsrole", ".cache/awsrole", ".local/share/awsrole/approvals"):
            shutil.rmtree(theirs.home / name, ignore_errors=True)
            (theirs.home / name).mkdir(parents=True)
            other.give(theirs.home / name, 0)
            (theirs.home / name).chmod(0o700)
        before = self.found(theirs.home)
        for words in self.COMMANDS:
            theirs.awsrole(*words, cwd=theirs.shop)
        assert self.found(theirs.home) == before

    def test_it_is_said_once_and_the_environment_stays(self, theirs):
        for words, code in ((("exec", "--", "true"), 3), (("allow",), 1)):
            result = theirs.awsrole(*words, cwd=theirs.shop)
            assert result.code == code and result.out == "", result
            assert f"{theirs.home}: it belongs to another user (uid {other.UID})" in result.err
            assert "this process runs as uid 0" in result.err and "`sudo -i`" in result.err
        statements = theirs.awsrole("hook", "export", "bash", "--event", "cd", cwd=theirs.shop).out
        assert statements.startswith("__awsrole_done outer ")

    @pytest.mark.parametrize("shell", SHELLS)
    def test_a_shell_is_quiet_and_usable(self, theirs, shell):
        key_of(theirs)
        load = hook_line(shell)
        terminal = Terminal(shell, theirs.home, load, env={"AWS_PROFILE": "mine"}, cwd=theirs.home, timeout=60)
        try:
            assert terminal.greeting == "" and "awsrole" not in terminal.run("true")
            said = terminal.run(f"cd {theirs.shop}")
            assert said.count("awsrole: ") == 1 and "approvals in ~/.local/share/awsrole can't be trusted" in said
            assert "awsrole: " not in terminal.run("true")
            env = terminal.env()
            assert env[b"AWS_PROFILE"] == b"mine" and b"AWSROLE_STATE" not in env
            assert "awsrole: " not in terminal.run("cd")
            for place in (".cache", ".local/state", ".local/share/awsrole", ".config/awsrole"):
                assert {path.lstat().st_uid for path in (theirs.home / place).rglob("*")} <= {other.UID}, place
        finally:
            terminal.close()

    @pytest.mark.parametrize("shell", SHELLS)
    def test_a_role_of_the_users_is_not_kept(self, theirs, shell):
        """A root shell that was started inside the project gives the environment back that was there before."""
        load = hook_line(shell)
        exported = theirs.awsrole("exec", "--", "env", "-0", cwd=theirs.shop, wrapper=theirs.user).out
        env = dict(pair.split("=", 1) for pair in exported.split("\0") if pair.startswith("AWS"))
        assert "AWS_SESSION_TOKEN" in env
        terminal = Terminal(shell, theirs.home, load, env=env, cwd=theirs.home, timeout=60)
        try:
            assert not [name for name in terminal.env() if name.startswith((b"AWSROLE", b"AWS_S", b"AWS_A"))]
        finally:
            terminal.close()
