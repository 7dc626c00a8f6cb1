"""Tests the format of all messages, and that each snapshot belongs to a test."""

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SNAPSHOTS = sorted(HERE.glob("*/*.txt"))
LAST = "  run `awsrole why` for all causes, and `awsrole refresh` after the fix"
REFUSALS = [path for path in SNAPSHOTS if re.search(r"^awsrole: (STS refused |cannot use the token in (?s:.*)^  run `awsrole why`)", path.read_text(), re.M)]


def said(path):
    """The lines after what was typed, up to the exit code."""
    text = path.read_text()
    return re.search(r"^\$ .*\n((?:.*\n)*)exit \d+\n\Z", text, re.M)[1].splitlines()


def test_each_snapshot_is_a_tests():
    """One that no test writes any more would be read as if it were still said."""
    expected = set()
    for module in HERE.glob("test_*_messages.py"):
        area = module.stem.removeprefix("test_").removesuffix("_messages")
        for node in ast.parse(module.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                expected.add(HERE / area / f"{node.name.removeprefix('test_').replace('_', '-')}.txt")
    assert set(SNAPSHOTS) == expected
    assert len(expected) >= 40


@pytest.mark.parametrize("path", SNAPSHOTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_form(path):
    """One line that says what failed, then causes, facts, hints, other causes of a refusal, and what comes next."""
    # Other programs speak before awsrole does.
    lines = [line for line in said(path) if line.startswith(("awsrole: ", "  "))]
    summaries = [line for line in lines if line.startswith("awsrole: ")]
    assert summaries and all(len(line) <= 220 for line in summaries), summaries
    kinds = ["caused by", "caller", "requested by", "endpoint", "device", "sent", "token", "hint", "or", "blocked"]
    below = [re.match(r"  ([a-z ]+): \S", line) for line in lines if line.startswith("  ") and line != LAST]
    assert all(match and match[1] in kinds for match in below), lines
    for line in lines:
        if not line.startswith("  caused by: "):
            assert not line.endswith("."), line
    order = {"caused by": 0, "hint": 2, "or": 3, "blocked": 4}
    # A message may precede another one: the output of a program, before awsrole's error.
    for start, end in zip(starts := [i for i, line in enumerate(lines) if line.startswith("awsrole: ")], [*starts[1:], len(lines)]):
        ranks = [4 if line == LAST else order.get(re.match(r"  ([a-z ]+):", line)[1], 1) for line in lines[start + 1:end]]
        assert ranks == sorted(ranks), "causes, then facts, then hints, then the rest"


@pytest.mark.parametrize("path", REFUSALS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_refusal_fits_on_eight_rows(path):
    """At 80 columns, and its last line says what comes next."""
    lines = [line for line in said(path) if line.startswith(("awsrole: ", "  "))]
    assert sum(-(-len(line) // 80) for line in lines) <= 8, lines
    if not re.search(r"STS is busy or has|the code was wrong", "".join(lines)):
        assert lines[-1] == LAST


@pytest.mark.parametrize("path", SNAPSHOTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_nothing_that_only_a_programmer_reads(path):
    text = "\n".join(said(path))
    for word in ("panicked", "unwrap", "Error {", "Some(", "None", "src/", ".rs:", "dispatch failure", "service error"):
        assert word not in text.replace("/home/alice/src/", "").replace("~/src/", ""), word
