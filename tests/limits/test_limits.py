"""A matrix: every source with every limit, and every way to get credentials out of awsrole.

Each result is checked at the STS by what the credentials may do, not by what awsrole sent. `info` is allowed by all
limits and `decode` by none. Without a limit both are permitted.
"""

import json

import pytest
from limit_worlds import SOURCES, WAYS_OUT, LimitWorld, credential_process, identity_center, may

from support.local_sts import allow

POLICY = json.dumps(allow("sts:GetAccessKeyInfo", "*"))
# The lines of a project file that limit a session. Another kind of limit is another row.
LIMITS = {"policy": f"policy = '{POLICY}'\n", "preset": 'preset = "read-only"\n'}
# The lines that limit the sessions of agents only, and the variable of one.
AGENT, CLAUDE = f"[agent]\npolicy = '{POLICY}'\n", {"CLAUDECODE": "1"}


def file(source: str, limit: str) -> str:
    """Returns a file with two roles that have the same source and the same limit."""
    return f'default_role = "main"\n[role.main]\n{source}{limit}[role.other]\n{source}{limit}'


@pytest.fixture(scope="module", params=SOURCES, ids=lambda source: source.__name__)
def place(request, tmp_path_factory):
    """A home with one source, and the lines that select it."""
    with LimitWorld(tmp_path_factory.mktemp(request.param.__name__)) as world:
        yield world, request.param(world)


@pytest.mark.parametrize("limit", [None, *LIMITS])
def test_every_way_out_is_limited(place, limit):
    """Temporary keys in the environment can't be renewed, and awsrole hides them from child shells."""
    world, source = place
    folder = world.project(limit or "wide", file(source, LIMITS.get(limit, "")), allow=True)
    issued = {way.__name__: way(world, folder) for way in WAYS_OUT}
    refused = {way for way, found in issued.items() if found is None}
    assert refused == ({"run_by_exec_renew", "nested_shell"} if "Environment" in source else set())
    expected = {"info"} if limit else {"info", "decode"}
    for way, found in issued.items():
        assert found is None or may(world.sts, found) == expected, way


def test_two_limits_of_one_call_are_refused_on_every_way_out(place):
    """STS would add up what they allow."""
    world, source = place
    both = LIMITS["preset"] + 'policy_arns = ["arn:aws:iam::aws:policy/AdministratorAccess"]\n'
    folder = world.project("both", file(source, both), allow=True)
    assert {way.__name__ for way in WAYS_OUT if way(world, folder) is not None} == set()
    line = file(source, both).splitlines().index(LIMITS["preset"].strip()) + 1
    for words in (["exec", "--", "true"], ["env"], ["credential-process"], ["console", "--print"], ["hook", "export", "bash", "--event", "cd"]):
        said = world.awsrole(*words, cwd=folder, env=world.variables).err
        assert f"awsrole: {folder}/.awsrole.toml:{line}: `preset` and `policy_arns` exclude each other\n" in said, words


def test_every_way_out_is_limited_for_agents(place):
    """The user gets the same session without the limit."""
    world, source = place
    folder = world.project("agent", file(source, "") + AGENT, allow=True)
    variables = world.variables
    for env, expected in ((CLAUDE, {"info"}), ({}, {"info", "decode"})):
        world.variables = variables | env
        try:
            issued = {way.__name__: way(world, folder) for way in WAYS_OUT}
        finally:
            world.variables = variables
        refused = {way for way, found in issued.items() if found is None}
        assert refused == ({"run_by_exec_renew", "nested_shell"} if "Environment" in source else set())
        for way, found in issued.items():
            assert found is None or may(world.sts, found) == expected, way


@pytest.fixture(scope="module")
def corp(tmp_path_factory):
    """A home that is signed in to Identity Center."""
    with LimitWorld(tmp_path_factory.mktemp("corp")) as world:
        yield world, identity_center(world)


@pytest.mark.parametrize("code", ["InvalidAction", "AccessDenied", "InsufficientSessionLifetime", "PackedPolicyTooLarge",
                                  "MalformedPolicyDocument", "InvalidSubjectCredentials", "ExpiredToken"])
def test_nothing_is_exported_without_the_limit(corp, code):
    """If STS refuses the limit or doesn't know the call, the session without the limit isn't used."""
    world, source = corp
    # Another policy for each code, so that no session is cached.
    policy = POLICY.replace("{", f'{{"Id": "{code}", ', 1)
    folder = world.project(code, file(source, f"policy = '{policy}'\n"), allow=True)
    world.sts.fault(action="GetScopedCredentials", error={"status": 400, "code": code, "message": "no"})
    try:
        issued = {way.__name__: way(world, folder) for way in WAYS_OUT}
    finally:
        world.sts.clear_faults()
    assert set(issued.values()) == {None}, issued
    assert "GetScopedCredentials" in world.sts.counts()
    # The same file works as soon as STS accepts the call.
    assert world.awsrole("refresh", cwd=folder, env=world.variables).code == 0
    assert may(world.sts, credential_process(world, folder)) == {"info"}
