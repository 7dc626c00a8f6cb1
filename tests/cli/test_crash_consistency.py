"""Tests that kill -9 at a random moment of a write loses only that write. `kills.py` repeats it more often."""

import pytest
from crash_points import COMMANDS, run


@pytest.mark.parametrize("what", COMMANDS)
def test_two_hundred_random_moments(tmp_path, what):
    seen = run(tmp_path, what, 29, seed=200)
    assert seen["moments"] == 29 and seen["killed"] >= 5, seen
