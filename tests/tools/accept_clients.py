"""Tests other tools: the AWS CDK, and programs that use the SDKs for Python, JavaScript and Go."""

import os
import shutil

import pytest
from tool_world import ROOT, THERE, TOOLS, ToolWorld

AS_DEPLOY = f"arn:aws:sts::{THERE}:assumed-role/Deploy/"
CLIENTS = ROOT / "tests/clients"
PROGRAMS = {
    "boto3": (f"python {CLIENTS / 'caller.py'}", "python -m pip show boto3", None),
    "AWS SDK for JavaScript v3": (f"node {CLIENTS / 'caller.cjs'}", "npm ls --prefix NODE @aws-sdk/client-sts", None),
    "AWS SDK for Go v2": ("whoami-go", "dpkg-query -W golang-github-aws-aws-sdk-go-v2-dev", "go"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_the_role(stage: ToolWorld, report, name):
    command, version, tool = PROGRAMS[name]
    stage.example("serverless")
    node = ROOT / ".cache/tests/node"
    person = stage.person("bash", stage.home / "src/serverless", tool, NODE_PATH=str(node / "node_modules"))
    assert person.do("awsrole allow", stage.code).code == 0
    said = person.do(command)
    assert said.code == 0 and said.lines[-1].startswith(AS_DEPLOY), said.text
    person.do("cd ..")
    assert person.do(command).code != 0
    report(name, stage.version(version.replace("NODE", os.fspath(node))), "role with MFA: `GetCallerIdentity`", said.lines)


def test_cdk(stage: ToolWorld, report):
    project = stage.example("serverless")
    for file in ("app.js", "cdk.json"):
        shutil.copy(ROOT / "tests/tools/cdk" / file, project)
    person = stage.person("bash", project, "cdk", NODE_PATH=str(TOOLS / "cdk/node_modules"), CDK_DISABLE_CLI_TELEMETRY="true")
    assert person.do("awsrole allow", stage.code).code == 0
    for command in ("cdk bootstrap", "cdk deploy --require-approval never"):
        said = person.do(command)
        assert said.code == 0, said.text
    assert f"shop.Orders = arn:aws:sns:eu-central-1:{THERE}:" in said.text and stage.codes() == 1
    report("AWS CDK", stage.version("cdk --version", "cdk"), "role with MFA: `cdk bootstrap`, `cdk deploy`", said.lines[-8:])
