#!/usr/bin/env python
"""Kills commands at random moments while they write, and checks that each file is complete and no other data is lost.

    PYTHONPATH=tests AWSROLE_TEST_BIN_DIR=target/debug .cache/tests/venv/bin/python tests/cli/crash_points.py [N] [SEED]

N moments, 1000 without a word.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support import sealed
from support.local_sts import binary
from support.world import DEPLOY, World

# The files that each command writes. Each command has a world of its own, which the others don't change.
COMMANDS = {
    "a session": ["credential-process"],
    "that it is stale": ["refresh"],
    "that it is forgotten": ["logout"],
    "an approval": ["allow"],
    "a refusal": ["deny"],
    "a key": ["credential-process"],
    "that all is forgotten": ["logout", "--all"],
}


class Bystander:
    """A project that no killed command concerns. Its approval and session must be unchanged."""

    def __init__(self, world: World):
        self.world = world
        self.folder = world.project("bystander", DEPLOY + 'role_session_name = "bystander"\n', allow=True)
        assert world.awsrole("exec", "--", "true", cwd=self.folder).code == 0
        own = [path for path in world.entries() if whose(path).endswith("/bystander")]
        self.entries = {path: path.read_bytes() for path in own}
        assert len(own) == 1

    def is_well(self) -> bool:
        return all(path.read_bytes() == content for path, content in self.entries.items())


def whose(path: Path) -> str:
    """Returns the ARN of a session, or an empty text if the session has another encryption key."""
    try:
        return sealed.read(path)["arn"]
    except ValueError:
        return ""


def prepare(world: World, what: str, folder: Path) -> None:
    """Prepares the files so that the command has to write."""
    (folder / ".awsrole.toml").write_text(DEPLOY)
    if what != "an approval":
        world.allow(folder)
    if what in ("a session", "a key"):
        assert world.awsrole("refresh", cwd=folder).code == 0
    elif what != "an approval":
        assert world.awsrole("credential-process", cwd=folder).code in (0, 4)
    if what == "a key":
        sealed.forget(world.cache)
    if what == "an approval":
        (folder / ".awsrole.toml").write_text(DEPLOY + f"# {random.random()}\n")


def kill(world: World, command: list[str], folder: Path, after: float) -> bool:
    """Starts a command, kills it after some seconds, and returns whether it was still running."""
    process = subprocess.Popen([binary("awsrole"), *command], cwd=folder, env=world.environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def seconds(world: World, command: list[str], folder: Path) -> float:
    """Returns the current duration of a command."""
    begin = time.monotonic()
    assert world.awsrole(*command, cwd=folder).code == 0
    return time.monotonic() - begin


def left(world: World) -> int:
    """Checks that every file is complete. Removes temporary files that were left, and returns their number."""
    unfinished = 0
    places = (world.cache, world.home / ".local/share/awsrole", world.home / ".local/state/awsrole")
    for path in (path for place in places for path in place.rglob("*") if path.is_file()):
        assert path.stat().st_mode & 0o777 == 0o600, path
        if path.name.startswith(".new-"):
            unfinished += 1
            path.unlink()
        elif path.suffix == ".session" and sealed.key(path.parent):
            try:
                sealed.read(path)
            except ValueError as error:
                # Whole, but of the key before: see "a key".
                assert "another key" in str(error) and len(path.read_bytes()) > 500
        elif path.parent.name == "generations":
            assert path.name.replace("-", "").isdigit() and not path.read_bytes()
        elif path.parent.parent.name == "approvals" and path.name != "denied":
            [project] = [folder for folder in (world.home / "src").iterdir() if place_of(folder) == path.parent.name]
            file = str(project / ".awsrole.toml").encode()
            assert hashlib.sha256(file + b"\0" + file + b"\0" + path.read_bytes()).hexdigest() == path.name, path
    return unfinished


def place_of(folder: Path) -> str:
    """Returns the approvals' directory of a project file."""
    return hashlib.sha256(os.fsencode(folder / ".awsrole.toml")).hexdigest()


def goes_on(world: World, folder: Path) -> None:
    """Checks that a role can still be assumed at the end."""
    world.allow(folder)
    result = world.awsrole("exec", "--", "true", cwd=folder)
    assert result.code == 0, result.err


def run(root: Path, what: str, count: int, seed: int) -> dict[str, int]:
    """Kills a command `count` times while it may be writing `what`. Raises AssertionError if any other data is lost."""
    command, moments = COMMANDS[what], random.Random(f"{seed}/{what}")
    seen = {"moments": 0, "killed": 0, "unfinished": 0}
    with World(root) as world:
        folder = world.project("shop", DEPLOY)
        prepare(world, what, folder)
        whole = seconds(world, command, folder)
        for _ in range(count):
            bystander = Bystander(world)
            prepare(world, what, folder)
            seen["moments"] += 1
            killed = kill(world, command, folder, moments.random() * whole)
            seen["killed"] += killed
            # A busy machine has its moments, too: the next one is about where the command still runs.
            whole *= 1.1 if killed else 0.7
            seen["unfinished"] += left(world)
            assert what == "that all is forgotten" or bystander.is_well(), what
            for project in (folder, bystander.folder):
                goes_on(world, project)
        sealed.forget(world.cache)
    return seen


def main(count: int = 1000, seed: int = random.randrange(2**32)) -> None:
    begin, total = time.monotonic(), {}
    for number, what in enumerate(COMMANDS):
        share = count * (number + 1) // len(COMMANDS) - count * number // len(COMMANDS)
        with tempfile.TemporaryDirectory(prefix="awsrole-kills-") as folder:
            seen = run(Path(folder), what, share, seed)
        print(f"{what}: {seen}", flush=True)
        total = {name: total.get(name, 0) + number for name, number in seen.items()}
    print(f"seed {seed}: {total} in {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
