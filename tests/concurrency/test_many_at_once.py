"""Tests many shells that need the same session at the same moment: one fetches it, and the others continue if it dies.
"""

import fcntl
import os
import pwd
import random
import re
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.hooked_shell import hook_line, wait_for
from support.local_sts import binary
from support.terminal import SHELLS, Terminal, need
from support.world import BLOCKED, DEPLOY, World, asked

ROLE = re.compile(r"^__awsrole_set AWS_ACCESS_KEY_ID '(ASIA\w+)'$", re.MULTILINE)


def enter(world, folder, shell="bash"):
    """Starts the command that a shell runs when it enters a directory."""
    return subprocess.Popen([binary("awsrole-hook"), *asked(folder, shell)], cwd=folder, env=world.environment(PWD=str(folder)),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def keys(processes):
    """Returns the access key ID that each got, or None."""
    said = [process.communicate(timeout=120)[0] for process in processes]
    return [found[1] if (found := ROLE.search(text)) else None for text in said]


def held(lock):
    """Returns whether a process holds a lock."""
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def nothing_is_left(world):
    """Checks that there is no lock and no incomplete entry: the next request is a cache hit without a call."""
    assert not [lock for lock in world.entries("lock") if held(lock)]
    calls = len(world.assumed())
    [key] = keys([enter(world, world.home / "src/shop")])
    assert key is not None and len(world.assumed()) == calls
    return key


def test_two_hundred_make_one_call(world, shop):
    # The answer is there when the last of them has come.
    world.sts.fault(action="AssumeRole", latency_ms=2500)
    processes = [enter(world, shop, SHELLS[number % 3]) for number in range(200)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert len({ROLE.search(text)[1] for text in outputs}) == 1
    assert all("__awsrole_done role " in text for text in outputs)
    assert len(world.sts.calls()) == 1
    nothing_is_left(world)


def test_two_hundred_are_refused_with_one_call(world):
    folder = world.project("blocked", BLOCKED, allow=True)
    world.sts.fault(action="AssumeRole", latency_ms=2500)
    processes = [enter(world, folder) for _ in range(200)]
    assert keys(processes) == [None] * 200
    assert len(world.assumed()) == 1


def test_real_shells_make_one_call(world, shop):
    # fish takes no other name for USER, and it is the session's.
    me = pwd.getpwuid(os.getuid()).pw_name
    terminals = []
    for number in range(12):
        shell = SHELLS[number % 3]
        hook = hook_line(shell)
        terminals.append(Terminal(shell, world.home, hook, env=world.environment(USER=me)))
    world.sts.fault(action="AssumeRole", latency_ms=1500)
    try:
        for terminal in terminals:
            terminal.send(f"cd {shop}" + ("\r" if terminal.shell == "fish" else "\n"))
        for terminal in terminals:
            terminal.wait()
        assert len({terminal.env()[b"AWS_ACCESS_KEY_ID"] for terminal in terminals}) == 1
        assert len(world.assumed()) == 1
    finally:
        for terminal in terminals:
            terminal.close()


def test_the_winner_is_killed_while_it_asks_sts(world, shop):
    world.sts.fault(action="AssumeRole", latency_ms=60_000, times=1)
    world.sts.fault(action="AssumeRole", latency_ms=1000)
    winner = enter(world, shop)
    assert wait_for(world.assumed, 30)
    others = [enter(world, shop) for _ in range(20)]
    assert wait_for(lambda: all(waits(process) for process in others), 30)
    winner.kill()
    found = keys(others)
    assert len(set(found)) == 1 and found[0].startswith("ASIA")
    assert len(world.assumed()) == 2, "one of those who waited asked"
    assert nothing_is_left(world) == found[0]


def waits(process):
    """Returns whether a process missed the cache and waits for a lock: it sleeps briefly, again and again."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.MULTILINE)[1]) > 10


# Where the winner is stopped: strace kills it at its first flush, its first rename, and its first removal of a file,
# which comes after the rename.
MOMENTS = {
    "while the temporary file is written": "fsync:when=1",
    "between temporary file and rename": "rename,renameat,renameat2:when=1",
    "right after the rename": "unlink,unlinkat:when=1",
}


@contextmanager
def killed_at(world, folder, moment):
    """A winner that dies at a system call."""
    need("strace")
    log = world.home / "strace"
    calls, when = moment.split(":")
    inject = f"inject={calls}:signal=KILL:{when}"
    words = ["strace", "-f", "-o", log, "-e", f"trace={calls}", "-e", inject, binary("awsrole-hook"), *asked(folder)]
    process = subprocess.Popen(words, cwd=folder, env=world.environment(PWD=str(folder)), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    yield process
    process.communicate(timeout=60)
    assert "killed by SIGKILL" in log.read_text(), "it didn't get there"


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_winner_is_killed_at_a_system_call(world, shop, moment):
    world.sts.fault(action="AssumeRole", latency_ms=500)
    with killed_at(world, shop, MOMENTS[moment]):
        assert wait_for(world.assumed, 30)
        others = [enter(world, shop) for _ in range(10)]
        found = keys(others)
    assert len(set(found)) == 1 and found[0].startswith("ASIA"), found
    assert len(world.assumed()) == (1 if moment == "right after the rename" else 2)
    nothing_is_left(world)


def test_the_winner_is_killed_at_any_moment(tmp_path):
    """Many random moments, each in a home of its own; the whole life of a call is covered."""
    draw, lived = random.Random(os.environ.get("STORM_SEED", "1")), 0
    for number in range(40):
        with World(tmp_path / str(number)) as world:
            folder = world.project("shop", DEPLOY, allow=True)
            winner = enter(world, folder)
            others = [enter(world, folder) for _ in range(3)]
            time.sleep(draw.uniform(0, 0.12))
            winner.send_signal(signal.SIGKILL)
            lived += keys([winner]) != [None]
            found = keys(others)
            assert len(set(found)) == 1 and found[0], found
            assert len(world.assumed()) <= 2
            assert nothing_is_left(world) == found[0]
    assert lived < 40, "all were done before they were killed"


def test_what_a_killed_one_left_half_written_goes_with_the_next_one(world, shop):
    with killed_at(world, shop, MOMENTS["between temporary file and rename"]):
        pass
    folder = world.home / ".cache/awsrole"
    [left] = folder.glob(".new-*")
    assert left.stat().st_mode & 0o777 == 0o600
    old = time.time() - 3600
    os.utime(left, (old, old))
    assert keys([enter(world, shop)])[0]
    assert not list(folder.glob(".new-*"))


def test_logging_out_of_all_takes_what_was_left_half_written(world, shop):
    with killed_at(world, shop, MOMENTS["between temporary file and rename"]):
        pass
    assert world.awsrole("logout", "--all").code == 0
    assert not list((world.home / ".cache/awsrole").glob(".new-*"))
