"""Three clients, each as a command that prints its caller's ARN."""

import os
import shutil
from pathlib import Path

import pytest

from support.hooked_shell import hook_line
from support.terminal import Terminal

HERE = Path(__file__).parent
NODE_FOLDER = HERE.parents[1] / ".cache/tests/node"

CALLERS = {
    "aws": "aws sts get-caller-identity --query Arn --output text --region us-east-1",
    "boto3": f"python {HERE / 'caller.py'}",
    "javascript": f"node {HERE / 'caller.cjs'}",
}

NODE = {"NODE_PATH": str(NODE_FOLDER / "node_modules"), "NODE_NO_WARNINGS": "1"}


def need_clients():
    """Fails in CI, and skips the test elsewhere, if the clients are missing. The AWS CLI must be that of PyPI."""
    missing = [name for name in ("aws", "node") if shutil.which(name) is None]
    if not (NODE_FOLDER / "node_modules").is_dir():
        missing.append("the AWS SDK for JavaScript")
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"missing: {', '.join(missing)}; run tests/setup")


def ask(world, env, names=CALLERS, cwd=None):
    """Returns name → ARN, or None for a client without credentials."""
    need_clients()
    answers = {}
    for name in names:
        result = world.run("sh", "-c", CALLERS[name], cwd=cwd, env={**NODE, **env})
        assert (result.code == 0) == bool(result.out.strip()), (name, result)
        answers[name] = result.out.strip() or None
    return answers


def everywhere(arn):
    """The same answer from all."""
    return dict.fromkeys(CALLERS, arn)


def open_shell(world, shell, **env):
    """An interactive shell of the world's person, with the hook in its rc file."""
    load = hook_line(shell)
    return Terminal(shell, world.home, load, env={"USER": "alice", **NODE, **env}, timeout=120)


def ask_in(terminal):
    """Returns name → ARN from commands that are typed in the terminal."""
    need_clients()
    answers = {}
    for name, command in CALLERS.items():
        out = terminal.file(name)
        terminal.run(f"{command} > {out} 2>&1")
        text = out.read_text().strip()
        answers[name] = text if text.startswith("arn:") else None
    return answers
