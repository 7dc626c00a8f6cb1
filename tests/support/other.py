"""Provides another user of the machine, and another machine that shares a directory, for tests that run as root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from support.terminal import need

# A separate user for each test process, because a user has only one keyring.
UID = 50_000 + os.getpid() % 5000
ANOTHER = UID + 5000

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def mounted_over(folder: Path, place: str) -> tuple[object, ...]:
    """Returns a prefix for a command that alone finds a directory in the place of another one."""
    if os.geteuid() != 0 or subprocess.run([need("unshare"), "--mount", "true"], capture_output=True).returncode:
        pytest.skip("this system lets us mount nothing")
    return (need("unshare"), "--mount", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"', folder, place)


def as_user(uid: int = UID) -> tuple[str, ...]:
    """Returns a prefix for a command that runs it as another user."""
    return (need("setpriv"), f"--reuid={uid}", f"--regid={uid}", "--clear-groups")


def give(folder: Path, uid: int = UID) -> None:
    """Changes the owner of a directory and everything in it to another user."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid, follow_symlinks=False)


class Ground:
    """A directory that every user can access, unlike those of pytest. A context manager."""

    def __enter__(self) -> Path:
        self.path = Path(tempfile.mkdtemp(prefix="awsrole-test-"))
        self.path.chmod(0o755)
        return self.path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def succeeds(*words: object, uid: int = UID) -> bool:
    """Returns whether another user's command succeeds."""
    return subprocess.run([*as_user(uid), *map(str, words)], capture_output=True, timeout=60).returncode == 0
