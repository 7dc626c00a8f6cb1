"""Fixtures of the message tests: a world in which every request can fail, and the snapshots of the messages."""

import pytest
from failure_world import FailureWorld, Snapshot


@pytest.fixture
def world(tmp_path):
    with FailureWorld(tmp_path) as world:
        yield world


@pytest.fixture
def says(request, world):
    """Compares a command's whole text with the snapshot of the test that asks."""
    return Snapshot(request.node, world)
