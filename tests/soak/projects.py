"""The directories of the soak test, their files, and the roles that a shell may hold in each of them at any time."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.local_sts import trust
from support.world import ALICE, BYSTANDER, HERE, THERE, World

OUTER, BLOCKED = "outer", "blocked"


@dataclass(frozen=True)
class Role:
    """The role and the region that a file requests."""

    account: str
    name: str
    region: str

    def file(self) -> str:
        return (f'role_arn = "arn:aws:iam::{self.account}:role/{self.name}"\n'
                f'source_profile = "jump"\nregion = "{self.region}"\n')


@dataclass(frozen=True)
class Content:
    """A possible content of a file, and the roles that may result from it."""

    text: str
    roles: frozenset[Role]

    @classmethod
    def of(cls, role: Role) -> Content:
        return cls(role.file(), frozenset({role}))


BROKEN = Content('role_arn = "unfinished\n', frozenset())


class Place:
    """A directory.

    It records the user's approvals and the content of the file with their times. From that it determines which role a
    shell may hold, without calling awsrole. During a change both the old and the new role are correct.
    """

    def __init__(self, folder: Path, contents: list[Content] = (), *, editable: bool = True, above: Place | None = None):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        # Whose file is in force here.
        self.governor = above or self
        self.contents = list(contents)
        self.editable = editable
        self.lock = threading.Lock()
        self.content: Content | None = None
        self.allowed: set[Content] = set()
        self.denied = False
        self.history: list[tuple[float, frozenset]] = [(0.0, frozenset({OUTER}))]

    def now(self) -> frozenset:
        """Returns the roles that are correct at this moment."""
        if self.content is None or self.denied:
            return frozenset({OUTER})
        if self.content in self.allowed:
            return self.content.roles
        return frozenset({BLOCKED if self.allowed else OUTER})

    @contextmanager
    def change(self):
        """A context manager around a change. Inside it the attributes are set to the new values."""
        with self.lock:
            before = self.now()
            self.history.append((time.time(), before | {OUTER, BLOCKED} | self.roles()))
            yield
            self.history.append((time.time(), self.now()))

    def roles(self) -> frozenset[Role]:
        """The roles that this directory may request, and no other directory."""
        return frozenset().union(*(content.roles for content in self.contents))

    def right(self, since: float, until: float) -> frozenset:
        """Returns the roles that were correct at some moment between two times. The blocked state always is, except in
        a directory that never has a file.
        """
        history = list(self.history)
        ends = [begin for begin, _ in history[1:]] + [float("inf")]
        found = [states for (begin, states), end in zip(history, ends) if begin <= until and end >= since]
        return frozenset().union(*found, {BLOCKED} if self.contents else set())

    def write(self, content: Content | None) -> None:
        """Writes a content atomically, or removes the file."""
        with self.change():
            file = self.folder / ".awsrole.toml"
            if content is None:
                file.unlink(missing_ok=True)
            else:
                fresh = self.folder / ".awsrole.toml.new"
                fresh.write_text(content.text)
                fresh.rename(file)
            self.content = content


def fixture(roles: list[Role]) -> dict:
    """Users and roles for the local STS."""
    anyone = trust(f"arn:aws:iam::{HERE}:root")
    known = sorted({(role.account, role.name) for role in roles})
    return {"user": [ALICE, BYSTANDER],
            "role": [{"name": name, "account": account, "trust": anyone} for account, name in known]}


def roles() -> list[list[Role]]:
    """Returns four roles for each project: two roles, each with two regions."""
    return [
        [Role((HERE, THERE)[(number + twin) % 2], f"Project{number}{'ab'[twin]}", region)
         for twin in (0, 1) for region in (f"eu-west-{number + 1}", f"us-east-{number + 1}")]
        for number in range(6)
    ]


def settle(world: World) -> list[Place]:
    """Makes the directories, and allows what a user has allowed from the start."""
    source, own = world.home / "src", roles()
    projects = [Place(source / f"project{number}", [*map(Content.of, own[number]), BROKEN]) for number in range(3)]
    both = {"dev": own[4][0], "prod": own[4][2]}
    text = 'default_role = "dev"\n' + "".join(f"[role.{name}]\n{role.file()}" for name, role in both.items())
    places = [
        Place(source),
        Place(source / "notes"),
        *projects,
        Place(source / "project0/inner", [Content.of(own[3][0])], editable=False),
        Place(source / "project2/deep/er", above=projects[2]),
        Place(source / "pair", [Content(text, frozenset(both.values()))], editable=False),
        Place(source / "cloned", [Content.of(own[5][0])], editable=False),
    ]
    for place in places:
        if place.contents:
            place.write(place.contents[0])
            if place.folder.name != "cloned":
                allow(world, place)
    return places


def allow(world: World, place: Place) -> None:
    """`awsrole allow`, typed elsewhere."""
    with place.change():
        world.allow(place.folder)
        place.allowed.add(place.content)
        place.denied = False


def deny(world: World, place: Place) -> None:
    """`awsrole deny`, typed elsewhere."""
    with place.change():
        assert world.awsrole("deny", place.folder).code == 0
        place.allowed.clear()
        place.denied = True
