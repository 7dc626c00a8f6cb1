"""Tests the AWS CLI: every profile of the example gives the same caller with `--profile` and with awsrole."""

import configparser
import json
import tomllib

import pytest
from tool_world import CONFIG, ROOT, SERIAL, THERE, ToolWorld, commands

EXAMPLE = ROOT / "examples/aws-cli"

# As a company's own program would: what it prints is a session of the role.
COMPANY_KEYS = """\
#!/bin/sh
exec aws sts assume-role --profile jump --role-arn arn:aws:iam::222222222222:role/Read --role-session-name "program-$1" \\
    --output json --query 'Credentials.{Version: `1`, AccessKeyId: AccessKeyId, SecretAccessKey: SecretAccessKey,
    SessionToken: SessionToken, Expiration: Expiration}'
"""


def profiles() -> list[str]:
    """The names of the example's profiles."""
    parser = configparser.RawConfigParser()
    parser.read(EXAMPLE / "config")
    return [name.removeprefix("profile ") for name in parser.sections() if name.startswith("profile ")]


@pytest.fixture
def home(stage: ToolWorld) -> ToolWorld:
    """With the example's profiles in the person's own file, who is signed in to IAM Identity Center."""
    stage.example("aws-cli")
    stage.write(".aws/config", CONFIG.split("[profile jump]")[0] + (EXAMPLE / "config").read_text())
    stage.write("bin/company-keys", COMPANY_KEYS).chmod(0o755)
    stage.sts.write_sso_cache(stage.home, stage.sts.sso_sign_in(), session="shop")
    return stage


def test_the_example_names_each_profile():
    roles = tomllib.loads((EXAMPLE / ".awsrole.toml").read_text())["role"]
    assert [role["profile"] for role in roles.values()] == list(roles) == profiles()


def test_each_profile_is_the_same_caller_both_ways(home: ToolWorld, report):
    outside = home.person("bash")
    inside = home.person("bash", home.home / "src/aws-cli")
    assert inside.do("awsrole allow").code == 0
    callers = []
    for profile in profiles():
        ask = "aws sts get-caller-identity"
        with_code = profile == "admin"
        if with_code:
            # The AWS CLI asks on the terminal that its output goes to.
            outside.type(f"aws --profile {profile} sts get-caller-identity > ~/asked")
            outside.process.expect_exact(f"Enter MFA code for {SERIAL}: ".encode())
            outside.answer(home.code())
            before = json.loads((home.home / "asked").read_text())
        else:
            said = outside.do(ask.replace("aws ", f"aws --profile {profile} ", 1))
            assert said.code == 0, (profile, said.text)
            before = json.loads(said.text)
        used = inside.do(f"awsrole use {profile}", home.code if with_code else None)
        assert used.code == 0, (profile, used.text)
        said = inside.do(ask)
        assert json.loads(said.text) == before, profile
        callers.append(f"{profile}: {before['Arn']}")
    assert len(set(callers)) == len(profiles()) >= 7
    report("AWS CLI", home.version("aws --version"), "every kind of profile: the caller with `--profile` equals the caller with awsrole", callers)


def test_as_the_readme_says(home: ToolWorld):
    person = home.person("zsh", home.home / "src")
    outside = home.person("zsh", home.home / "src")
    before = [json.loads(outside.do(command).text)["Account"] for command in commands("aws-cli", "Before")]
    said = [person.do(command) for command in commands("aws-cli", "After")]
    assert all(one.code == 0 for one in said), said
    assert [json.loads(said[index].text)["Account"] for index in (2, 4)] == before == [THERE, "333333333333"]
    # Back outside it is the profile of before, which has nobody's keys.
    assert person.do("aws sts get-caller-identity").code != 0
