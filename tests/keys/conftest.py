"""A home with keys that can be moved."""

import pytest
from desk import Desk


@pytest.fixture
def desk(tmp_path):
    with Desk(tmp_path) as desk:
        yield desk
