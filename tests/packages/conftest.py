"""The programs that the tests of packages and of the installer pack."""

import shutil
import subprocess
from pathlib import Path

import pytest

from support.bare import Debian
from support.local_sts import binary
from support.tarball import make_tarball
from support.terminal import need
from support.world import PROGRAMS


@pytest.fixture(scope="session")
def stripped(tmp_path_factory):
    """The programs of the tests, as small as a release's."""
    folder = tmp_path_factory.mktemp("binary")
    for name in PROGRAMS:
        shutil.copy(binary(name), folder)
        subprocess.run([need("strip"), folder / name], check=True)
    return folder / "awsrole"


@pytest.fixture(scope="session")
def built(stripped, tmp_path_factory):
    """A directory with the files of a release."""
    return make_tarball(stripped, tmp_path_factory.mktemp("dist")).parent


@pytest.fixture
def release(built, tmp_path):
    """A copy, which a test may damage."""
    return Path(shutil.copytree(built, tmp_path / "release"))


@pytest.fixture
def bare(tmp_path):
    """A minimal Debian."""
    return Debian(tmp_path / "bare")
