"""Fixtures of the MFA tests: a user with an authenticator, roles that require MFA, and shells with the hook."""

import pytest
from mfa_world import MfaWorld

from support.terminal import SHELLS


@pytest.fixture
def world(tmp_path):
    with MfaWorld(tmp_path) as world:
        yield world


@pytest.fixture(params=SHELLS)
def shell(request):
    return request.param
