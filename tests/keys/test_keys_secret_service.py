"""Tests long-lived keys in the desktop keyring: a real gnome-keyring on a session bus of the test."""

from __future__ import annotations

import os
import shlex
import subprocess

import pytest
from keys_world import KEY, SECRET, KeysWorld

from support.local_sts import binary
from support.terminal import need
from support.world import DEPLOY, Result


class Keyring(KeysWorld):
    """A home on a session bus; each `run` is a bus, and a keyring, of its own over the same files."""

    def __init__(self, root):
        super().__init__(root)
        self.runtime = root / "run"
        self.runtime.mkdir(mode=0o700)
        self.write(".config/awsrole/config.toml", '[keys]\nstore = "secret-service"\n')

    def on_the_bus(self, script: str, *, unlocked: bool = True, cwd=None) -> Result:
        """Runs a script with the keyring, unlocked or not. `awsrole` in it is the binary."""
        start = "printf %s login-password | gnome-keyring-daemon --unlock --components=secrets >/dev/null" if unlocked \
            else "gnome-keyring-daemon --start --components=secrets >/dev/null"
        env = self.environment(XDG_RUNTIME_DIR=str(self.runtime), PATH=f"{binary('awsrole').parent}:{os.environ['PATH']}",
                               PWD=str(cwd or self.home))
        done = subprocess.run(["dbus-run-session", "--", "sh", "-c", f"{start} 2>/dev/null\n{script}"], env=env,
                              cwd=cwd or self.home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        assert SECRET not in done.stderr and "panicked" not in done.stderr, done.stderr
        return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def keyring(tmp_path):
    for program in ("dbus-run-session", "gnome-keyring-daemon", "secret-tool"):
        need(program)
    with Keyring(tmp_path) as keyring:
        yield keyring


def test_import_use_and_remove(keyring):
    shop = keyring.project("shop", DEPLOY, allow=True)
    result = keyring.on_the_bus(
        "awsrole keys add jump --import --take-out && awsrole keys list && "
        f"secret-tool lookup application awsrole profile jump access_key_id {KEY} >secret && "
        f"cd {shlex.quote(str(shop))} && awsrole exec -- sh -c 'echo $AWSROLE_ROLE'")
    assert result.code == 0, result.err
    assert f"stored {KEY} of arn:aws:iam::111111111111:user/alice in the Secret Service" in result.err
    assert result.out.splitlines()[-1] == "Deploy"
    assert (keyring.home / "secret").read_text() == SECRET
    (keyring.home / "secret").unlink()
    keyring.no_secret_in_files()
    removed = keyring.on_the_bus("awsrole keys remove jump --yes && secret-tool search --all application awsrole")
    assert f"removed {KEY}" in removed.err and "secret = " not in removed.out


def test_a_locked_keyring_shows_no_dialog_without_a_person(keyring):
    shop = keyring.project("shop", DEPLOY, allow=True)
    added = keyring.on_the_bus("awsrole keys add jump --import --take-out")
    assert added.code == 0, added.err
    script = "awsrole hook export bash --event prompt"
    locked = keyring.on_the_bus(script, unlocked=False, cwd=shop)
    assert "the Secret Service is locked, and profile jump needs its keys" in locked.err, locked.err
    assert "__awsrole_done blocked" in locked.out and keyring.sts.calls("AssumeRole") == []
    # Even at a `cd`: the keyring's dialog can't be shown here, and that is a no.
    dismissed = keyring.on_the_bus("awsrole exec -- true", unlocked=False, cwd=shop)
    assert dismissed.code == 4 and "the Secret Service" in dismissed.err, dismissed.err
    # An unlocked keyring is used without a prompt, also by the hook. With valid credentials it isn't used.
    opened = keyring.on_the_bus(f"awsrole refresh; {script}", cwd=shop)
    assert "__awsrole_done role" in opened.out, opened.err
    assert "__awsrole_done role" in keyring.awsrole("hook", "export", "bash", cwd=shop).out


def test_without_a_bus(keyring):
    result = keyring.awsrole("keys", "add", "jump", "--import", env={"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"})
    assert result.code == 1 and "cannot use the Secret Service" in result.err
    assert '`[keys] store = "file"`' in result.err
    assert not list((keyring.home / ".local/share/awsrole").glob("keys/*.json"))
