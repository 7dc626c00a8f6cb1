"""The tarballs that tests/platforms/run built. Without them nothing here is collected."""

import os
from pathlib import Path

import pytest

collect_ignore_glob = [] if "PLATFORM_TARBALLS" in os.environ else ["test_*.py"]
ROOT = Path(__file__).resolve().parents[2]


def pytest_configure(config):
    for name in ("musl", "aarch64"):
        config.addinivalue_line("markers", f"{name}: uses the tarball of this part of tests/platforms/run")


@pytest.fixture
def release():
    """The directory with the files of a release."""
    return Path(os.environ["PLATFORM_TARBALLS"])
