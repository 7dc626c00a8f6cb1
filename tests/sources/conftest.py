"""Fixtures of the source tests: home directories with each kind of source."""

import pytest
from console_fixtures import FIXTURE, PROFILES
from source_fixtures import CHAIN, MACHINES, SourceWorld

from support.hooked_shell import HookedWorld
from support.terminal import SHELLS


@pytest.fixture(params=SHELLS)
def shell(request):
    return request.param


@pytest.fixture
def chain(tmp_path):
    """Three roles, each of which only the one before may assume."""
    with SourceWorld(tmp_path, CHAIN) as place:
        yield place


@pytest.fixture
def machines(tmp_path):
    """An instance, a container, a CI, Identity Center and programs, with a role that their roles may assume."""
    with SourceWorld(tmp_path, MACHINES) as place:
        yield place


@pytest.fixture
def corp(machines):
    """A home with the profiles `sso` and `legacy`, and nobody signed in."""
    machines.sts.write_sso_config(machines.home)
    return machines


@pytest.fixture
def office(tmp_path):
    """A home whose profiles have console sessions, none of which is open yet."""
    with HookedWorld(tmp_path, FIXTURE) as world:
        config = world.home / ".aws/config"
        config.write_text(config.read_text() + PROFILES)
        yield world
