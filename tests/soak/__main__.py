"""Runs fifty shells: no command is ever started with foreign or expired credentials.

    tests/run soak                                   two minutes
    tests/run soak -- --seconds 1800 --seed 7        arguments after -- are passed to this program

Sessions live for 20 seconds. Simulated users type in real shells in several projects: they change directories, run
commands, refresh and log out. Files are edited, approved and denied elsewhere. STS refuses calls, hangs, and has wrong
clocks. Processes of awsrole are killed. Each command records its environment, which is compared with what the
directory's file requested at that time, and with the identity of the session. bash before 5.3 cannot check before a
command, so there an expired session is only counted.

The exit code is 1 if a check failed. The error is printed, with the seed that repeats the same actions.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

from fault_injector import FaultInjector
from projects import fixture, roles, settle
from simulated_user import Ledger, SimulatedUser, Violation

from support.local_sts import binary
from support.terminal import SHELLS
from support.world import World

ROOT = Path(__file__).parents[2]
for name in [name for name in os.environ if name.startswith(("AWS_", "AWSROLE_")) and name != "AWSROLE_TEST_BIN_DIR"]:
    del os.environ[name]
os.environ.setdefault("AWSROLE_TEST_BIN_DIR", str(ROOT / "target/debug"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/soak", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120, help="how long; default: 120")
    parser.add_argument("--shells", type=int, default=50, help="how many shells; default: 50")
    parser.add_argument("--pace", type=float, default=3, help="seconds between two commands of a shell; default: 3")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="draws the same acts again")
    wanted = parser.parse_args()
    print(f"soak: {wanted.shells} shells for {wanted.seconds:.0f} s, seed {wanted.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="awsrole-soak-") as root, \
            World(Path(root), fixture([role for own in roles() for role in own])) as world:
        return soak(world, wanted)


def soak(world: World, wanted: argparse.Namespace) -> int:
    # So that a hanging STS costs no more than a slow one.
    world.write(".config/awsrole/config.toml", "[limits]\nconnect = '2s'\nwhole = '3s'\n")
    link_program(world)
    ledger, over = Ledger(world), threading.Event()
    places = settle(world)
    injector = FaultInjector(wanted.seed, world, ledger, places, over)
    people: list[SimulatedUser] = []
    try:
        for number in range(wanted.shells):
            people.append(SimulatedUser(number, SHELLS[number % 3], wanted.seed, wanted.pace, ledger, places, over))
        for thread in [injector, *people]:
            thread.start()
        over.wait(wanted.seconds)
        over.set()
        for thread in [injector, *people]:
            thread.join(120)
        failed = [(one.name, one.failed) for one in [injector, *people] if one.failed]
        if not failed:
            failed = afterwards(world, injector, people)
    finally:
        for one in people:
            one.terminal.close()
    show(world, ledger)
    for name, why in failed:
        print(f"\n{name}: {why if isinstance(why, Violation) else repr(why)}")
        for one in people:
            if one.name == name:
                print("\n".join(["  what was typed there:", *one.lines]))
        print("\n".join(["  what happened around:", *injector.lines[-25:]]))
    if failed:
        print(f"\nsoak: wrong; --seed {wanted.seed} draws the same acts again")
    return 1 if failed else 0


def link_program(world: World) -> None:
    """Adds awsrole to PATH in the shells of the home directory."""
    folder = world.home / "bin"
    folder.mkdir()
    (folder / "awsrole").symlink_to(binary("awsrole"))
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"


def afterwards(world: World, injector: FaultInjector, people: list[SimulatedUser]) -> list[tuple[str, Exception]]:
    """Checks that after all faults ended every shell has its role again, and that nothing is left of killed processes.
    """
    injector.good_again()
    # For five seconds a failure is believed to be the answer to several shells at once.
    time.sleep(6)
    failed: list[tuple[str, Exception]] = []
    for one in people:
        try:
            one.comes_back(injector.projects[one.random.randrange(len(injector.projects))])
        except Violation as why:
            failed.append((one.name, why))
    end = time.monotonic() + 30
    while world.renewals() and time.monotonic() < end:
        time.sleep(0.2)
    if left := world.renewals():
        failed.append(("afterwards", Violation(f"renewals that never end: {left}")))
    for lock in world.entries("lock"):
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                failed.append(("afterwards", Violation(f"{lock.name} is held by nobody who is there")))
    return failed


def show(world: World, ledger: Ledger) -> None:
    """Prints the numbers of the run."""
    counts, calls = ledger.counts, world.assumed()
    granted = sum(call["outcome"] == "OK" for call in calls)
    by_shell = ", ".join(f"{counts[f'checked in {shell}']} in {shell}" for shell in SHELLS)
    print(f"""\
  commands checked   {counts["checked"]} ({by_shell}); {counts["not started"]} weren't started
  they held          {counts["role"]} the role, {counts["blocked"]} nothing (blocked), {counts["outer"]} the outer environment
  expired            {counts["expired in bash"]} in bash, which has no hook before a command; elsewhere that is a failure
  STS calls          {len(calls)}, {granted} of them granted; {counts["renewals seen"]} times a shell went on with a newer session
  faults             {counts["faults"]} of STS, {counts["kills"]} processes killed
  acts elsewhere     {counts["edits"]} edits, {counts["allow"]} allow, {counts["deny"]} deny
  acts in shells     {counts["refresh"]} refresh, {counts["logout"] + counts["logout --all"]} logout""", flush=True)


if __name__ == "__main__":
    sys.exit(main())
