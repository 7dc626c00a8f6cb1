"""Tests that the figures in the documents are those of benches/run, and that benches/run works."""

import json
import shutil

import pytest
import report
import run

from support.documents import ROOT
from support.terminal import SHELLS, need

FOUND = json.loads((ROOT / "benches/results.json").read_text())


def test_no_figure_is_written_by_hand():
    shown = report.documents(FOUND, ROOT)
    assert {path.relative_to(ROOT).as_posix() for path in shown} == {"README.md", "docs/speed.md", "docs/speed.svg"}
    for path, content in shown.items():
        assert path.read_text() == content, f"{path.name}: run benches/run --render"


def test_the_readme_has_a_place_for_them():
    readme = (ROOT / "README.md").read_text()
    prompts = {"bash": {"awsrole": {"median": 1, "q1": 1, "q3": 1, "n": 1}}}
    other = report.documents({**FOUND, "prompts": prompts}, ROOT)[ROOT / "README.md"]
    assert other != readme and "An unchanged prompt costs 1.0 µs in bash" in other
    assert "(docs/speed.md)" in readme and "(speed.svg)" in (ROOT / "docs/speed.md").read_text()


def test_what_is_missing_is_said():
    found = {**FOUND, "missing": ["mise"], "prompts": {
        shell: {tool: one for tool, one in rows.items() if tool != "mise"} for shell, rows in FOUND["prompts"].items()}}
    page = report.page(found)
    assert "mise could not be installed" in page and "| mise |" + " not measured |" * len(found["prompts"]) in page


@pytest.mark.parametrize("shell", SHELLS)
def test_prompts_can_be_measured(shell, tmp_path):
    """awsrole's and direnv's, which is there; each is looked at, before and after an edit."""
    need(shell)
    bench = run.Bench(tmp_path)
    bench.tools = {name: path for name, path in bench.tools.items() if name == "direnv"}
    try:
        measured = bench.prompts(shell, 2)
    finally:
        bench.world.stop()
    assert {"empty", "awsrole"} <= measured.keys()
    assert ("direnv" in measured) == bool(shutil.which("direnv"))
