"""Tests the workflow of aws-vault: stored keys, one command with the role, and no role in the shell."""

import json

from tool_world import ALICE, CREDENTIALS, THERE, ToolWorld, commands, texts

from support.prompts import NEW, OPEN

ADMIN = f"arn:aws:sts::{THERE}:assumed-role/Admin/"


def test_one_command_with_the_role(stage: ToolWorld, report):
    assert all(text in CREDENTIALS for text in texts("aws-vault"))
    stage.example("aws-vault")
    stage.write(".config/awsrole/config.toml", '[keys]\nstore = "file"\n')
    person = stage.person("zsh", stage.home / "src")
    outside = person.env()
    add, enter, allow, command = commands("aws-vault", "After")
    person.talk(add, [*NEW, ("out of ~/.aws/credentials? [y/N] ", "y")])
    assert not any(ALICE["secret_access_key"].encode() in path.read_bytes() for path in stage.home.rglob("*") if path.is_file())
    assert person.do(enter).code == person.do(allow).code == 0
    assert stage.codes() == 0
    # The first command opens the store and asks for a code; the next does neither.
    said = person.talk(command, [OPEN, ("MFA code of alice for ", stage.code())])
    assert json.loads(said)["Arn"].startswith(ADMIN)
    said = person.do(command)
    assert json.loads(said.text)["Arn"].startswith(ADMIN) and stage.codes() == 1
    # The shell holds nobody, and outside all is as it was.
    assert person.env()[b"AWSROLE_STATE"] == b"blocked"
    assert person.do("aws sts get-caller-identity").code != 0
    assert person.do("cd ..").code == 0 and person.env() == outside
    report("AWS CLI, used as with aws-vault", stage.version("aws --version"),
           "`awsrole keys add --import`, then `awsrole exec --role admin` with a code", said.lines)
