"""Tests the static aarch64 programs with qemu's user emulation."""

import os
import re
import subprocess
import tempfile

import pytest

from support.terminal import Terminal, need
from support.world import DEPLOY

pytestmark = pytest.mark.aarch64


@pytest.fixture
def programs(release, tmp_path):
    """A directory with scripts named as the programs, which start them in qemu."""
    [tarball] = release.glob("awsrole-*-aarch64-unknown-linux-musl.tar.gz")
    subprocess.run(["tar", "-xzf", tarball, "-C", tmp_path, "--strip-components=1"], check=True)
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("awsrole", "awsrole-hook"):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {need("qemu-aarch64-static")} -0 "$0" {tmp_path}/bin/{name} "$@"\n')
        script.chmod(0o755)
    return folder


@pytest.fixture
def runtime():
    """A private directory in memory: qemu's user emulation has no keyrings."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield folder


def test_a_shell_enters_and_leaves(programs, runtime, world):
    path = f"{programs}:{os.environ['PATH']}"
    shop = world.project("shop", DEPLOY)
    terminal = Terminal("bash", world.home, 'eval "$(awsrole hook bash)"', env={"PATH": path, "XDG_RUNTIME_DIR": runtime}, timeout=120)
    terminal.run(f"cd {shop}")
    assert "allowed" in terminal.run("awsrole allow --yes")
    assert terminal.run("echo in $AWSROLE_ROLE, $AWS_REGION") == "in Deploy, eu-west-1"
    assert terminal.run("cd /; echo out $AWSROLE_ROLE,") == "out ,"
    assert terminal.run(f"cd {shop}; echo in $AWSROLE_ROLE,").endswith("in Deploy,")
    assert len(world.assumed()) == 1, "the second time the session came from the cache"
    assert re.fullmatch(r"awsrole \S+ \(.*protocol \d+\)", terminal.run("command awsrole --version"))
