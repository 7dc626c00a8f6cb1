"""For all tests: nothing of the caller's AWS settings, `support` to import, and a world to act in."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

for name in [name for name in os.environ if name.startswith(("AWS_", "AWSROLE_")) and name != "AWSROLE_TEST_BIN_DIR"]:
    del os.environ[name]
os.environ.setdefault("AWSROLE_TEST_BIN_DIR", str(ROOT / "target/debug"))

from support.world import DEPLOY, World  # noqa: E402


@pytest.fixture
def world(tmp_path):
    """A home with AWS files, and an STS that knows its keys."""
    with World(tmp_path) as world:
        yield world


@pytest.fixture
def shop(world):
    """A project that is allowed, and whose role is Deploy."""
    return world.project("shop", DEPLOY, allow=True)
