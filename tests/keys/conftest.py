"""Puts tests/ on the path, as every test here imports `support`."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from desk import Desk  # noqa: E402


@pytest.fixture
def desk(tmp_path):
    with Desk(tmp_path) as desk:
        yield desk
