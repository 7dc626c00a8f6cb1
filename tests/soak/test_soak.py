"""Tests that the soak test detects faults: it fails with incorrect snippets."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.local_sts import binary, clean_environment
from support.world import PROGRAMS

FAULTS = {
    # Without its state in the environment, which would tell the program what the shell has forgotten.
    "the old role stays": (
        "__awsrole_undo() { __awsrole_prior=() __awsrole_ours=(); \\builtin unset AWSROLE_STATE; }",
        "function __awsrole_undo; set -g __awsrole_touched; set -e AWSROLE_STATE; end",
        "foreign credentials|what the shell has outside|blocked shell isn't blocked|blocked where no file stands|two identities",
    ),
    "the end is never seen": (
        "__awsrole_is_due() { \\builtin false; }",
        "function __awsrole_is_due; false; end",
        "credentials that had expired",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_snippet_is_found(tmp_path, fault):
    posix, fish, found = FAULTS[fault]
    (tmp_path / "real").mkdir()
    for name in PROGRAMS:
        (tmp_path / "real" / name).symlink_to(binary(name))
    (tmp_path / "awsrole-local-sts").symlink_to(binary())
    wrapper = tmp_path / "awsrole"
    wrapper.write_text(f"""#!/bin/sh
"{tmp_path}/real/awsrole" "$@" || exit
case $1:$2 in
hook:fish) echo '{fish}' ;;
hook:bash | hook:zsh) [ $# = 2 ] && echo '{posix}' ;;
esac
""")
    wrapper.chmod(0o755)
    soak = [sys.executable, Path(__file__).parent, "--seconds", "120", "--shells", "15", "--pace", "1", "--seed", "1"]
    env = clean_environment(AWSROLE_TEST_BIN_DIR=str(tmp_path), PYTHONPATH=str(Path(__file__).parents[1]))
    done = subprocess.run(soak, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(part in done.stdout for part in found.split("|")), done.stdout
    assert "--seed 1 draws the same acts again" in done.stdout
