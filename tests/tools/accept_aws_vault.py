"""aws-vault's way of working: one command with the role, and nothing in the shell."""

import json

from stage import CREDENTIALS, THERE, Stage, commands, texts

ADMIN = f"arn:aws:sts::{THERE}:assumed-role/Admin/"


def test_one_command_with_the_role(stage: Stage, report):
    assert all(text in CREDENTIALS for text in texts("aws-vault"))
    stage.example("aws-vault")
    person = stage.person("zsh", stage.home / "src")
    outside = person.env()
    enter, allow, command = commands("aws-vault", "After")
    assert person.do(enter).code == person.do(allow).code == 0
    assert stage.codes() == 0
    # The first command asks, on the terminal; the next doesn't.
    person.type(f"{command} > ~/asked")
    person.asked()
    person.answer(stage.code())
    assert json.loads((stage.home / "asked").read_text())["Arn"].startswith(ADMIN)
    said = person.do(command)
    assert json.loads(said.text)["Arn"].startswith(ADMIN) and stage.codes() == 1
    # The shell holds nobody, and outside all is as it was.
    assert person.env()[b"AWSROLE_STATE"] == b"closed"
    assert person.do("aws sts get-caller-identity").code != 0
    assert person.do("cd ..").code == 0 and person.env() == outside
    report("aws-vault's way", stage.version("awsrole --version"), "`awsrole exec --role admin --` with a code, nothing in the shell",
           said.lines)
