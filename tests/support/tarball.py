"""A tarball of the tests' programs, as packaging/tarball builds it for a release."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The programs aren't static, but they run on this machine.
TARGET = f"{os.uname().machine}-unknown-linux-musl"


def make_tarball(program: Path, into: Path) -> Path:
    """Builds the tarball and SHA256SUMS."""
    words = [ROOT / "packaging/tarball", "--binary", program, "--target", TARGET, "--into", into]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())
