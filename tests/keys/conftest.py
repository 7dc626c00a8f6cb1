"""A home with keys that can be moved."""

import pytest
from keys_world import KeysWorld


@pytest.fixture
def world(tmp_path):
    with KeysWorld(tmp_path) as world:
        yield world
