"""kill -9 at random moments of a write loses nothing but that write; `crash_points.py` does it as often as one likes."""

import pytest
from crash_points import COMMANDS, run


@pytest.mark.parametrize("what", COMMANDS)
def test_two_hundred_random_moments(tmp_path, what):
    seen = run(tmp_path, what, 29, seed=200)
    assert seen["moments"] == 29 and seen["killed"] >= 5, seen
