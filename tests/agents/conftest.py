"""Fixtures of the tests of agents: the shells, and a home directory in which hooked shells run."""

import pytest

from support.hooked_shell import HookedWorld
from support.local_sts import allow
from support.terminal import SHELLS, need
from support.world import FIXTURE, World


@pytest.fixture(params=SHELLS)
def shell(request):
    need(request.param)
    return request.param


@pytest.fixture
def world(tmp_path):
    """The role Deploy may limit its session further, for two limits that can't share a call."""
    actions = ["sts:AssumeRole", "sts:GetScopedCredentials"]
    roles = [role | {"policy": allow(actions, "*")} if role["name"] == "Deploy" else role for role in FIXTURE["role"]]
    with World(tmp_path, FIXTURE | {"role": roles}) as world:
        yield world


@pytest.fixture
def hooked(tmp_path):
    with HookedWorld(tmp_path) as world:
        yield world
