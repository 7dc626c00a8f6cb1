"""The programs that the tests of packages and of the installer pack."""

import shutil
import subprocess

import pytest

from support.local_sts import binary
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
