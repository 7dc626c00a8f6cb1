"""Tests osls, the maintained Serverless Framework: the only deployment in each run of the tests."""

from serverless_ways import after
from tool_world import ToolWorld


def test_one_code_for_all_commands(stage: ToolWorld, report):
    stage.example("serverless")
    lines = after(stage, "osls")
    report("osls", stage.version("osls --version", "osls"), "role with MFA: `deploy` twice and `info`, one code", lines)
