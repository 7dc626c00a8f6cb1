"""A shell with a simulated user who types in it all day long."""

from __future__ import annotations

import collections
import os
import random
import re
import shlex
import signal
import threading
import time
from contextlib import suppress
from datetime import datetime

import pexpect
from projects import BLOCKED, OUTER, Place, Role

from support.hooked_shell import PLACEHOLDER, hook_line
from support.processes import likely_descendants, program
from support.terminal import Terminal, read_env
from support.world import PROGRAMS, World

# What each shell has outside; no client could act as this profile.
OUTSIDE = {"AWS_PROFILE": "outside", "AWS_REGION": "outside-1"}


class Violation(Exception):
    """A check failed."""


class Ledger:
    """Totals of all shells."""

    def __init__(self, world: World):
        self.world = world
        self.lock = threading.Lock()
        self.counts: collections.Counter[str] = collections.Counter()
        self.owners: dict[str, tuple[str, str]] = {}
        self.sets: dict[str, tuple] = {}

    def count(self, *names: str) -> None:
        with self.lock:
            self.counts.update(names)

    def owner(self, key: str) -> tuple[str, str]:
        """Returns account and name of the role of a session, from STS."""
        with self.lock:
            if key not in self.owners:
                for id, arn in self.world.sts.sessions().items():
                    parts = arn.split(":")
                    self.owners[id] = (parts[4], parts[5].split("/")[1])
            return self.owners.get(key, ("nowhere", "nobody"))

    def same_set(self, key: str, rest: tuple) -> bool:
        """Returns whether secret, token and expiration belong to this access key ID."""
        with self.lock:
            return self.sets.setdefault(key, rest) == rest


class SimulatedUser(threading.Thread):
    """One shell and its user. The actions are drawn from the seed, but not their times."""

    def __init__(self, number: int, shell: str, seed: int, pace: float, ledger: Ledger, places: list[Place], over: threading.Event):
        super().__init__(name=f"{shell}-{number}", daemon=True)
        self.shell = shell
        self.pace = pace
        self.ledger = ledger
        self.places = places
        self.over = over
        self.random = random.Random(f"{seed}/{number}")
        # Whether there is something to kill depends on the moment, and what is drawn otherwise must not.
        self.kills = random.Random(f"{seed}/{number}/kills")
        self.place = places[0]
        self.out = ledger.world.home / f".seen-{number}"
        self.lines: collections.deque[str] = collections.deque(maxlen=25)
        self.sent = time.time()
        self.key = ""
        self.failed: Exception | None = None
        hook = hook_line(shell)
        env = {**ledger.world.environment(), **OUTSIDE}
        self.terminal = Terminal(shell, ledger.world.home, hook, env=env, cwd=self.place.folder, timeout=90)

    def run(self) -> None:
        try:
            while not self.over.is_set():
                self.act()
                # Some leave their prompt alone for longer than a session lives.
                pause = self.random.uniform(5, 30) if self.random.random() < 0.15 else self.random.expovariate(1 / self.pace)
                self.over.wait(pause)
        except Exception as failed:
            self.failed = failed
            self.over.set()

    # What they type.

    def act(self) -> None:
        here = self.place
        act, = self.random.choices(
            ("look", "go", "go and look", "look there", "exec", "enter", "use", "refresh", "logout", "logout --all"),
            (40, 6, 30, 4, 6, 4, 3, 3, 1, 0.3))
        there = self.random.choice(self.places)
        killing = self.random.random() < 0.1
        cd = f"cd {shlex.quote(str(there.folder))}"
        look = f"command env -0 > {self.out}"
        if act == "look":
            self.check(look, here, "look")
        elif act == "go":
            self.type(cd, killing)
            self.place = there
        elif act == "go and look":
            self.place = there
            self.check(f"{cd} && {look}", there, "go and look", killing)
        elif act == "look there" and self.shell != "fish":
            self.check(f"({cd} && {look})", there, "look there", killing)
        elif act == "exec":
            # Without a terminal it shows no list of profiles outside of projects.
            self.check(f"awsrole exec -- env -0 > {self.out} < /dev/null", here, "exec", killing)
        elif act == "use":
            # Without a role before it, `use -` would restore the outer environment.
            self.type(self.random.choice(("awsrole use dev", "awsrole use prod", "awsrole use prod && awsrole use -")), killing)
        elif act in ("refresh", "logout", "logout --all"):
            self.ledger.count(act)
            self.type(f"awsrole {act}", killing)
        else:
            self.type("")

    def type(self, line: str, killing: bool = False) -> float:
        """Types a line; returns from when on what the shell holds may have been decided."""
        since, self.sent = self.sent, time.time()
        self.lines.append(f"{stamp(self.sent)} {self.name} in {self.place.folder}$ {line}{'   <- and awsrole is killed' if killing else ''}")
        self.terminal.send(line + ("\r" if self.shell == "fish" else "\n"))
        if killing:
            self.kill()
        try:
            said = self.terminal.wait()
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            raise Violation(f"the prompt never came back: {error!r}") from error
        told = (re.search(r"(awsrole:|  hint:|  caused by:).*", one) for one in said.splitlines())
        self.lines += [f"    {one[0][:200]}" for one in told if one]
        return since

    def kill(self) -> None:
        """Kills the awsrole process that the shell has just started, after a random time."""
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            for pid in likely_descendants(self.terminal.process.pid):
                if program(pid) in PROGRAMS:
                    time.sleep(self.kills.choice((0, 0, self.kills.uniform(0, 0.02), self.kills.uniform(0, 1))))
                    how = self.kills.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP))
                    # By now it may be another program, such as what `exec` runs.
                    with suppress(ProcessLookupError):
                        if program(pid) in PROGRAMS:
                            os.kill(pid, how)
                            self.ledger.count("kills")
                    return
            time.sleep(0.002)

    # What a command was started with.

    def check(self, line: str, place: Place, kind: str, killing: bool = False) -> None:
        self.out.unlink(missing_ok=True)
        since = self.type(line, killing)
        if not self.out.exists() or not self.out.stat().st_size:
            # The command wasn't started: `cd` was interrupted, or `exec` said that there is no role.
            self.ledger.count("not started")
            return
        started = self.out.stat().st_mtime
        env = read_env(self.out)
        right = place.governor.right(since, started)
        state = self.state(env, place, kind, started, right)
        self.ledger.count("checked", f"checked in {self.shell}", state)

    def state(self, env: dict, place: Place, kind: str, started: float, right: frozenset) -> str:
        """Returns the state in which a command was started: role, blocked or outer. Raises Violation if it is wrong."""
        mine = {name.decode(): value.decode() for name, value in env.items() if name.startswith(b"AWS")}
        def wrong(what: str) -> Violation:
            shown = {name: value for name, value in mine.items() if "SECRET" not in name and "TOKEN" not in name}
            wanted = ", ".join(sorted(map(str, right)))
            return Violation(f"{what}\n  {kind} in {place.folder} at {stamp(started)}\n  the command had: {shown}\n  right is: {wanted}")
        if mine == OUTSIDE:
            if OUTER not in right:
                raise wrong("a command was started with what the shell has outside")
            return OUTER
        key = mine.get("AWS_ACCESS_KEY_ID", "")
        if key == PLACEHOLDER:
            if BLOCKED not in right:
                raise wrong("a shell is blocked where no file stands")
            if mine.get("AWS_PROFILE") != key or "AWS_SESSION_TOKEN" in mine or mine.get("AWS_REGION") != OUTSIDE["AWS_REGION"]:
                raise wrong("a blocked shell isn't blocked")
            return BLOCKED
        owner = self.ledger.owner(key)
        if not any(isinstance(role, Role) and (role.account, role.name, role.region) == (*owner, mine.get("AWS_REGION")) for role in right):
            raise wrong(f"a command was started with foreign credentials: they are of {owner[1]} in {owner[0]}")
        rest = tuple(mine.get(name) for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"))
        if "AWS_PROFILE" in mine or None in rest or not self.ledger.same_set(key, rest):
            raise wrong("a command was started with two identities, or with parts of them")
        if datetime.fromisoformat(rest[2]).timestamp() <= started:
            if self.shell != "bash" or kind != "look":
                raise wrong("a command was started with credentials that had expired")
            # bash 5.2 has nothing that runs before a command.
            self.ledger.count("expired in bash")
        if self.key and self.key != key and self.ledger.owner(self.key) == owner:
            self.ledger.count("renewals seen")
        self.key = key
        return "role"

    def comes_back(self, place: Place) -> None:
        """Checks, after all faults have ended, that entering a project sets its role."""
        before = self.ledger.counts["role"]
        self.type(f"cd {self.places[0].folder}")
        self.place = place
        self.check(f"cd {place.folder} && command env -0 > {self.out}", place, "at the end")
        if self.ledger.counts["role"] == before:
            raise Violation(f"all is well again, but not in {self.name}, {place.folder}")


def stamp(when: float) -> str:
    return datetime.fromtimestamp(when).strftime("%H:%M:%S.%f")[:-3]
