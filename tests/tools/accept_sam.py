"""Tests AWS SAM on an EC2 instance, which deploys into another account."""

import pytest
from tool_world import THERE, ToolWorld, commands, found, texts

RELEASE = f"arn:aws:sts::{THERE}:assumed-role/Release/"


@pytest.fixture
def stage(tmp_path):
    """With the ministack that knows the templates of SAM."""
    with ToolWorld(tmp_path, str(found("ministack") / "ministack")) as stage:
        stage.example("sam")
        yield stage


def instance(stage: ToolWorld) -> dict[str, str]:
    """The environment of a build server: its metadata want a token, and no key of anybody works on it."""
    stage.write(".aws/credentials", stage.home.joinpath(".aws/credentials").read_text().split("[jump]")[0])
    return {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": stage.sts.url, "SAM_CLI_TELEMETRY": "0"}


def test_into_another_account(stage: ToolWorld, report):
    person = stage.person("zsh", stage.home / "src", "sam", **instance(stage))
    *_, deployed, listed = [person.do(command) for command in commands("sam", "After")]
    assert deployed.code == 0 and "Successfully created/updated stack - shop in eu-central-1" in deployed.text, deployed.text
    assert listed.code == 0 and f":{THERE}:" in listed.text, listed.text
    assert {"GetMetadataToken", "GetInstanceCredentials", "AssumeRole"} == set(stage.sts.counts()) - {"connections", "GetInstanceRole"}
    report("AWS SAM", stage.version("sam --version", "sam"), "from an EC2 instance into another account: `sam deploy`, `sam list`",
           [*deployed.lines[-1:], *listed.lines[-7:]])


def test_a_profile_in_samconfig_is_found(stage: ToolWorld):
    """And it does what awsrole says of it: another identity acts, or none."""
    person = stage.person("zsh", stage.home / "src/sam", "sam", **instance(stage))
    assert person.do("awsrole allow").code == 0
    config = stage.home / "src/sam/samconfig.toml"
    config.write_text(config.read_text() + 'profile = "personal"\n')
    said = person.do("awsrole why")
    assert "samconfig.toml:8" in said.text and 'profile = "personal"' in said.text, said.text
    assert person.do("sam deploy").code != 0
    assert stage.front.asked == []


def test_without_awsrole(stage: ToolWorld):
    """What the README says of before."""
    env = instance(stage)
    stage.write(".aws/config", stage.home.joinpath(".aws/config").read_text() + "\n" + texts("sam")[0])
    person = stage.person("zsh", stage.home / "src/sam", "sam", **env)
    for command in commands("sam", "Before"):
        said = person.do(command)
        assert said.code == 0, said.text
