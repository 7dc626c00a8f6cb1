"""Fixtures of the tests of nushell, xonsh, elvish and tcsh."""

import pytest
from other_shells_world import SHELLS, ModuleWorld


@pytest.fixture(params=SHELLS)
def other(request):
    """The name of a shell."""
    return request.param


@pytest.fixture
def place(tmp_path):
    """A home directory in which shells with a module run."""
    with ModuleWorld(tmp_path) as place:
        yield place
