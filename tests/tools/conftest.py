"""Fixtures of the tool tests: a stage for each test, and a file for the report of tests/tools/run."""

import json
import os
from pathlib import Path

import pytest
from tool_world import ToolWorld


@pytest.fixture
def stage(tmp_path):
    """A home directory, both servers, and the tools."""
    with ToolWorld(tmp_path) as stage:
        yield stage


@pytest.fixture
def report():
    """Records a tool's version and the last lines of its output, in a run of tests/tools/run."""
    folder = os.environ.get("TOOLS_REPORT")

    def keep(tool: str, version: str, shown: str, lines: list[str]) -> None:
        assert version and lines
        if folder:
            row = {"tool": tool, "version": version, "shown": shown, "lines": lines}
            (Path(folder) / f"{tool}.json").write_text(json.dumps(row))

    return keep
