"""`cd` in: the role; `cd` out: everything as it was."""

import pytest
from conftest import aws, read_env

DEV = {
    "AWS_ACCESS_KEY_ID": "ASIADEV",
    "AWS_SECRET_ACCESS_KEY": "secret-of-dev",
    "AWS_SESSION_TOKEN": "token-of-dev",
    "AWS_REGION": "dev-region-1",
    "AWSROLE_ROLE": "dev",
}


def test_cd_in_and_out(shell, terminal, project, stand_in):
    tty = terminal(shell)
    before = tty.env()
    assert not stand_in.starts()
    tty.run(f"cd {project}")
    assert DEV.items() <= aws(tty.env()).items()
    tty.run("cd deep/er")
    tty.run("cd ..")
    assert DEV.items() <= aws(tty.env()).items()
    tty.run("cd /")
    assert tty.env() == before
    assert stand_in.events() == ["cd"]
    assert stand_in.starts()[0]["argv"] == ["hook", "export", shell, "--event", "cd", "--ask", "--", f"{project}/.awsrole.toml"]


def test_first_prompt_inside(shell, terminal, project, stand_in):
    tty = terminal(shell, cwd=project)
    assert DEV.items() <= aws(tty.env()).items()
    assert stand_in.events() == ["prompt"]
    assert "--ask" not in stand_in.starts()[0]["argv"]
