"""Tests Serverless Framework 3, the last open-source version, and common workflows without awsrole."""

import pytest
from serverless_ways import after, before
from tool_world import ROOT, ToolWorld

ENDPOINT = {"NODE_OPTIONS": f"--require {ROOT / 'tests/tools/endpoint.cjs'}"}


def test_one_code_for_all_commands(stage: ToolWorld, report):
    stage.example("serverless")
    lines = after(stage, "serverless3", **ENDPOINT)
    version = stage.version("serverless --version", "serverless3")
    report("serverless@3", version, "role with MFA: `deploy` twice and `info`, one code", lines)


@pytest.mark.parametrize("tool", ["osls", "serverless3"])
def test_without_awsrole_each_command_asks(stage: ToolWorld, tool):
    """What the README says of before."""
    stage.example("serverless")
    assert before(stage, tool, **(ENDPOINT if tool == "serverless3" else {})) == 3
