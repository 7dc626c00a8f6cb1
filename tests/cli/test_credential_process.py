"""Tests `awsrole credential-process`, which SDKs and editors run."""

import datetime
import json

import pytest

from support.local_sts import binary
from support.world import BLOCKED, DEPLOY, THERE


@pytest.fixture
def via(world, shop):
    """A profile whose credentials come from awsrole."""
    config = (world.home / ".aws/config").read_text()
    command = f"{binary('awsrole')} credential-process --dir ~/src/shop"
    world.write(".aws/config", f"{config}\n[profile via]\ncredential_process = {command.replace('~', str(world.home))}\n"
                               f"endpoint_url = {world.sts.url}\nregion = eu-west-1\n")
    return {"AWS_PROFILE": "via"}


def test_the_form_that_sdks_want(world, shop):
    result = world.awsrole("credential-process", cwd=shop)
    assert (result.code, result.err) == (0, "")
    assert set(result.json) == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
    assert result.json["Version"] == 1
    assert datetime.datetime.fromisoformat(result.json["Expiration"]).tzinfo is not None


def test_boto3_uses_it(world, via):
    code = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    result = world.run("python", "-c", code, env=via)
    assert result.out == f"arn:aws:sts::{THERE}:assumed-role/Deploy/alice\n", result.err


def test_the_aws_cli_uses_it(world, via):
    result = world.run("aws", "sts", "get-caller-identity", env=via)
    assert result.code == 0, result.err
    assert result.json["Arn"] == f"arn:aws:sts::{THERE}:assumed-role/Deploy/alice"


def test_its_answer_is_not_its_own_source(world, shop, via):
    """A profile that leads to awsrole, inside of a shell in which that profile is set."""
    assert world.awsrole("credential-process", cwd=shop, env=via).code == 0
    assert world.assumed()[0]["caller_arn"].endswith(":user/alice")


def test_many_ask_but_sts_is_asked_once(world, shop):
    answers = {world.awsrole("credential-process", "--dir", shop).out for _ in range(5)}
    assert len(answers) == 1 and len(world.assumed()) == 1


def test_a_role_of_the_file(world):
    folder = world.project("two", DEPLOY + '[role.build]\nrole_arn = "arn:aws:iam::111111111111:role/Build"\n', allow=True)
    assert world.awsrole("credential-process", "--dir", folder, "--role", "build").code == 0
    assert world.assumed()[0]["role_arn"].endswith("role/Build")


@pytest.mark.parametrize(("content", "allow", "code"), [(None, False, 3), (DEPLOY, False, 3), (BLOCKED, True, 4), ("x", False, 3)])
def test_says_nothing_on_stdout_when_it_fails(world, content, allow, code):
    result = world.awsrole("credential-process", "--dir", world.project("p", content, allow=allow))
    assert (result.code, result.out) == (code, "") and result.err


def test_a_refusal_is_remembered(world):
    folder = world.project("p", BLOCKED, allow=True)
    said = {world.awsrole("credential-process", cwd=folder).err for _ in range(4)}
    assert len(world.assumed()) == 1
    assert len(said) == 1 and "AccessDenied" in said.pop()


def test_relative_directories_and_files(world, shop):
    for directory in ("src/shop", "./src/../src/shop/", "src/shop/.awsrole.toml", "~/src/shop"):
        assert world.awsrole("credential-process", "--dir", directory).code == 0, directory
    for directory, part in (("src/nowhere", "nowhere"), (".aws/config", "isn't a directory")):
        result = world.awsrole("credential-process", "--dir", directory)
        assert result.code == 1 and part in result.err


def test_json_has_one_line(world, shop):
    out = world.awsrole("credential-process", cwd=shop).out
    assert out.count("\n") == 1 and out.endswith("\n") and json.loads(out)
