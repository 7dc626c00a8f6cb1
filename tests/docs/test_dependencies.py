"""Compares Cargo.lock with deny.toml, and checks that every dependency has a reason."""

import json
import re
import subprocess
import tomllib

import pytest

from support.documents import ROOT
from support.terminal import need

DENY = tomllib.loads((ROOT / "deny.toml").read_text())


@pytest.fixture(scope="module")
def packages():
    """Returns every package of the lock file, for every platform."""
    done = subprocess.run([need("cargo"), "metadata", "--format-version", "1", "--locked"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["packages"]


def satisfied(expression, allowed):
    """Evaluates a license expression of a crate: SPDX with OR and AND and parentheses, or the old form with `/` for OR.
    """
    words = re.sub(r"\(|\)", lambda m: f" {m[0]} ", expression.replace("/", " OR ")).split()
    text, index = "", 0
    while index < len(words):
        word = words[index]
        if word in {"OR", "AND"}:
            text += f" {word.lower()} "
        elif word in "()":
            text += word
        else:
            if words[index + 1 : index + 2] == ["WITH"]:
                word, index = " ".join(words[index : index + 3]), index + 2
            text += str(word in allowed)
        index += 1
    return eval(text, {"__builtins__": {}})  # noqa: S307 made of True, False, and, or, parentheses


def test_licences(packages):
    allowed = set(DENY["licenses"]["allow"])
    assert satisfied("(MIT OR X) AND ISC", allowed) and not satisfied("GPL-3.0 AND MIT", allowed)
    others = {package["name"]: package["license"] for package in packages if not satisfied(package["license"], allowed)}
    assert not others
    used = {word for package in packages for word in re.split(r" OR | AND |/|[()]", package["license"])}
    assert not {name for name in allowed if name not in {word.strip() for word in used}}, "no longer needed"


def test_sources_and_bans(packages):
    [source] = {package["source"] for package in packages} - {None}
    assert source.startswith("registry+"), "crates.io, and no repository"
    assert not {package["name"] for package in packages} & set(DENY["bans"]["deny"])


def test_each_has_its_reason():
    """The reason is next to the dependency in Cargo.toml, or in the comment of its group."""
    text = (ROOT / "Cargo.toml").read_text()
    section = re.search(r"\[workspace\.dependencies\]\n(.*?)\n\[", text, re.S)[1]
    groups = [group.splitlines() for group in section.split("\n\n")]
    for group in groups:
        assert group[0].startswith("#"), group[0]
        for line in group[1:]:
            assert line.startswith(("aws", "tokio")) or "#" in line, f"no reason: {line}"
