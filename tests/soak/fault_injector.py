"""Injects faults: STS, edited files, approvals that change, renewals that are killed."""

from __future__ import annotations

import os
import random
import signal
import threading
import time

from projects import Place, allow, deny
from simulated_user import Ledger, stamp

from support.world import World

LIFETIME = 20
FAULTS = {
    "unavailable": {"unavailable": True},
    "throttled": {"throttle": True},
    "refused": {"error": {"status": 403, "code": "AccessDenied", "message": "not authorized to perform: sts:AssumeRole"}},
    "slow": {"latency_ms": 1500},
    "hanging": {"latency_ms": 60_000},
    "dropped": {"drop": True},
    "truncated": {"truncate": True},
    "clock ahead": {"clock_offset_seconds": 200},
    "clock behind": {"clock_offset_seconds": -12},
    "clock far behind": {"clock_offset_seconds": -200},
    "clock a day ahead": {"clock_offset_seconds": 86_400},
}


class FaultInjector(threading.Thread):
    """Makes changes that are drawn from the seed."""

    def __init__(self, seed: int, world: World, ledger: Ledger, places: list[Place], over: threading.Event):
        super().__init__(name="weather", daemon=True)
        self.random = random.Random(f"{seed}/weather")
        self.world = world
        self.ledger = ledger
        self.projects = [place for place in places if place.editable and place.contents]
        self.over = over
        self.lines: list[str] = []
        self.failed: Exception | None = None
        self.clear()

    def run(self) -> None:
        try:
            while not self.over.wait(self.random.uniform(0.3, 2)):
                self.random.choices((self.sts, self.edit, self.approve, self.kill_renewals), (3, 2, 2, 2))[0]()
        except Exception as failed:
            self.failed = failed
            self.over.set()

    def note(self, what: str) -> None:
        self.lines.append(f"{stamp(time.time())} {what}")

    def clear(self) -> None:
        """Removes all faults of STS. Sessions remain short."""
        self.world.sts.clear_faults()
        self.world.sts.fault(action="AssumeRole", lifetime_seconds=LIFETIME)

    def sts(self) -> None:
        self.clear()
        if self.random.random() < 0.5:
            return self.note("STS is well")
        name = self.random.choice(list(FAULTS))
        self.world.sts.fault(action="AssumeRole", **FAULTS[name])
        self.ledger.count("faults")
        self.note(f"STS: {name}")

    def edit(self) -> None:
        place = self.random.choice(self.projects)
        content = self.random.choice([*place.contents, place.contents[0], None])
        place.write(content)
        self.ledger.count("edits")
        self.note(f"{place.folder}: {content and sorted(map(str, content.roles))}")

    def approve(self) -> None:
        place = self.random.choice(self.projects)
        if place.content is not None and place.content.roles and self.random.random() < 0.7:
            allow(self.world, place)
            self.ledger.count("allow")
            self.note(f"{place.folder}: allowed")
        elif place.content is not None:
            deny(self.world, place)
            self.ledger.count("deny")
            self.note(f"{place.folder}: denied")

    def kill_renewals(self) -> None:
        """Kills renewals, which have no parent shell."""
        for pid in self.world.renewals():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            self.ledger.count("kills")
            self.note("a renewal was killed")

    def good_again(self) -> None:
        """Ends all faults: of STS, files, approvals."""
        self.clear()
        for place in self.projects:
            place.write(place.contents[0])
            allow(self.world, place)
