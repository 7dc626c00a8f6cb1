"""Tests that a server that hangs costs one attempt instead of a call, and that a code is sent only once."""

import time

import pytest
from source_fixtures import MACHINES, SourceWorld, sign_in

from support.aws_files import aws_profile, role_arn, role_file
from support.world import ALICE, BYSTANDER, SEED, SERIAL, THERE

OWNER = {**ALICE, "mfa_serial": SERIAL, "mfa_seed": SEED}
DEPLOY = f'role_arn = "arn:aws:iam::{THERE}:role/Deploy"\n'
HANGS = {"latency_ms": 60_000, "times": 1}


@pytest.fixture
def machines(tmp_path):
    with SourceWorld(tmp_path, MACHINES | {"user": [OWNER, BYSTANDER]}) as place:
        place.write(".config/awsrole/config.toml", f'mfa_process = "cat {place.home}/code"\n[limits]\nattempt = "1s"\nwhole = "20s"\n')
        yield place


def ci(place):
    token = place.write("token", place.sts.id_token())
    place.config(aws_profile("ci", role_arn=role_arn("Ci"), web_identity_token_file=token))
    return 'profile = "ci"\n'


def sso(place):
    place.sts.write_sso_config(place.home)
    sign_in(place)
    return 'profile = "sso"\n'


FILES = {
    "AssumeRole": lambda place: DEPLOY + 'source_profile = "jump"\n',
    "GetSessionToken": lambda place: 'profile = "jump"\n',
    "AssumeRoleWithWebIdentity": ci,
    "GetRoleCredentials": sso,
}


@pytest.mark.parametrize("action", FILES)
def test_the_next_attempt_answers(machines, action):
    folder = machines.project("shop", FILES[action](machines), allow=True)
    machines.sts.fault(action=action, **HANGS)
    before = time.monotonic()
    machines.exec_env(folder, env=machines.env)
    assert time.monotonic() - before < 15
    assert len(machines.sts.calls(action)) == 2


def test_all_attempts_hang(machines):
    folder = machines.project("shop", DEPLOY + 'source_profile = "jump"\n', allow=True)
    machines.sts.fault(action="AssumeRole", latency_ms=60_000)
    assert "no response within 1 s" in machines.refused(folder)
    assert len(machines.sts.calls("AssumeRole")) == 3


@pytest.mark.parametrize(("more", "action"), [("", "GetSessionToken"), ('duration_seconds = "2h"\n', "AssumeRole")])
def test_a_call_with_a_code_has_the_whole_time(machines, more, action):
    machines.write("code", machines.sts.unused_totp("alice"))
    roles = role_file("Deploy", mfa_serial=SERIAL)
    folder = machines.project("shop", roles + more, allow=True)
    machines.sts.fault(action=action, latency_ms=3_000, times=1)
    machines.awsrole("exec", "--", "true", cwd=folder, env=machines.env)
    [call] = machines.sts.calls(action)
    # That the role has a limit of an hour is STS's to say: what counts is that there was an answer, and one call.
    assert call["has_token_code"] and call["outcome"] in ("OK", "ValidationError")
