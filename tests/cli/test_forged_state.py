"""Tests forged AWSROLE_STATE, AWSROLE_CHOSEN and AWSROLE_PRIOR_…: they select no path, and no role that `cd` doesn't
enter.
"""

import json
import os

import pytest

from support.local_sts import binary
from support.world import DEPLOY, HERE, THERE, asked

ROLES = f"""\
default_role = "near"
source_profile = "jump"
[role.near]
role_arn = "arn:aws:iam::{THERE}:role/Deploy"
[role.other]
role_arn = "arn:aws:iam::{HERE}:role/Build"
[role.prod]
role_arn = "arn:aws:iam::{HERE}:role/Build"
manual = true
"""
COMMANDS = [["logout"], ["refresh"], ["status"], ["status", "--json"], ["why"], ["doctor"], ["exec", "--", "true"], ["logout", "--all"]]


def held(world, folder, **changes):
    """Returns the environment of a shell with a role and another state."""
    env = world.exec_env(folder)
    state = json.loads(env["AWSROLE_STATE"])
    return env | {"AWSROLE_STATE": json.dumps(state | changes)}


def seen(folder):
    """Returns content and mode of each file of a directory."""
    return {path: (path.stat().st_mode, path.read_bytes() if path.is_file() else None) for path in [folder, *folder.rglob("*")]}


@pytest.fixture
def victim(world):
    """A folder of the person's with files that have the endings of the cache's, open to others."""
    folder = world.home / "documents"
    folder.mkdir()
    for name in ("a", "a.session", "a.failure", "a.lock", "a.mfa"):
        (folder / name).write_text("mine")
    folder.chmod(0o775)
    return folder


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("form", ["{up}/documents/a", "{folder}/a", "{folder}/", "../runs/x", "..", "."])
def test_an_entry_that_is_a_path_reaches_no_file(world, shop, victim, words, form):
    entry = form.format(up="../..", folder=victim)
    env = held(world, shop, entry=entry)
    before = seen(victim), (world.home / ".cache").stat().st_mode, world.home.stat().st_mode
    result = world.awsrole(*words, cwd=shop, env=env)
    assert "panicked" not in result.err
    assert (seen(victim), (world.home / ".cache").stat().st_mode, world.home.stat().st_mode) == before
    assert {path.parent for path in world.cache.rglob("*.failure")} <= {world.cache}


def test_the_entry_of_a_state_of_its_own_is_still_found(world, shop):
    """Where a command inside can't plan the role again, the state's entry is all there is."""
    env = held(world, shop)
    (world.home / ".aws/credentials").write_text("")
    assert world.awsrole("logout", cwd=shop, env=env).code == 0
    assert list(world.cache.glob("*.session")) == []


BAD = {
    "a newer version": {"v": 2},
    "a field that isn't known": {"more": True},
    "an account with a path": {"account": "../../etc"},
    "a long-lived key": {"key": "AKIAEXAMPLEEXAMPLE00"},
    "a time that is none": {"expires": "never"},
    "a profile with control characters": {"prior": {"AWS_PROFILE": "\u001b]0;x\u0007"}},
    "a profile with a NUL": {"prior": {"AWS_PROFILE": "a\0b"}},
    "another variable": {"prior": {"LD_PRELOAD": "/tmp/x.so"}},
    "a huge value": {"prior": {"AWS_PROFILE": "x" * 100_000}},
}


@pytest.mark.parametrize("bad", BAD)
def test_a_state_that_is_not_awsroles_counts_for_nothing(world, shop, bad):
    env = held(world, shop, **BAD[bad])
    sessions = {path: path.read_bytes() for path in world.cache.glob("*.session")}
    assert world.awsrole("status", cwd=shop, env=env).out == ""
    answer = world.awsrole(*asked(shop), cwd=shop, env=env)
    statements = answer.out.splitlines()
    assert "__awsrole_adopt AWSROLE_STATE unset" in statements and statements[-1].startswith("__awsrole_done "), answer
    assert not any(line.startswith(("__awsrole_adopt AWS_", "__awsrole_adopt LD_")) for line in statements), statements
    for words in (["refresh"], ["exec", "--", "true"]):
        assert world.awsrole(*words, cwd=shop, env=env).code == 0
    assert sessions.keys() == set(world.cache.glob("*.session"))


def blocked(chosen):
    """Returns the environment of a blocked shell."""
    return {"AWSROLE_STATE": "blocked", "AWS_PROFILE": "awsrole-blocked--run-awsrole-why", "AWS_ACCESS_KEY_ID": "awsrole-blocked--run-awsrole-why",
            "AWS_SECRET_ACCESS_KEY": "awsrole-blocked--run-awsrole-why", "AWS_EC2_METADATA_DISABLED": "true", "AWSROLE_CHOSEN": chosen}


PROOF = "0" * 80
WORDS = [["exec", "--", "echo", "ran"], ["exec", "--renew", "--", "echo", "ran"], ["env"], ["console", "--print"]]


@pytest.fixture
def roles(world):
    return world.project("roles", ROLES, allow=True)


@pytest.fixture(params=["{file}={role}", "{file}={proof}={role}", "state"])
def forge(request, world, roles):
    """`forge(role)` returns the environment of a shell in which another program claims that this role was selected."""
    def make(role):
        file = roles / ".awsrole.toml"
        if request.param == "state":
            return held(world, roles, chosen=f"{PROOF}={role}")
        return blocked(request.param.format(file=file, role=role, proof=PROOF))

    return make


@pytest.mark.parametrize("role", ["prod", "other"])
@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_no_command_acts_as_a_role_on_the_environments_word(world, roles, forge, words, role):
    env = forge(role)
    world.sts.reset()
    result = world.awsrole(*words, cwd=roles, env=env)
    assert (result.code, result.out) == (1, "") and f"`awsrole use {role}` chooses it" in result.err, result
    assert "`--role NAME`" in result.err and world.assumed() == []


@pytest.mark.parametrize("role", ["prod", "other"])
@pytest.mark.parametrize("event", ["cd", "prompt", "retry"])
def test_no_shell_enters_a_role_on_the_environments_word(world, roles, forge, event, role):
    env = forge(role)
    world.sts.reset()
    answer = world.awsrole(*asked(roles, event=event), cwd=roles, env=env)
    assert "__awsrole_set AWSROLE_ROLE 'near'\n" in answer.out and "__awsrole_chose" not in answer.out
    assert [call["role_arn"] for call in world.assumed()] in ([], [f"arn:aws:iam::{THERE}:role/Deploy"])
    assert event == "prompt" or f"`awsrole use {role}` chooses it" in answer.err


def test_a_word_for_one_role_or_file_is_none_for_another(world, roles):
    word = world.awsrole("hook", "choose", "other", cwd=roles).out
    assert word.endswith("=other") and len(word) == 86
    right = world.awsrole("exec", "--", "env", cwd=roles, env=blocked(f"{roles}/.awsrole.toml={word}"))
    assert "AWSROLE_ROLE=other\n" in right.out, right
    for chosen in (f"{roles}/.awsrole.toml={word.replace('other', 'prod')}", f"{roles}/.awsrole.toml={word[:-5]}prod"):
        assert world.awsrole("exec", "--", "true", cwd=roles, env=blocked(chosen)).code == 1
    copy = world.project("copy", ROLES, allow=True)
    assert world.awsrole("exec", "--", "true", cwd=copy, env=blocked(f"{copy}/.awsrole.toml={word}")).code == 1


def test_a_role_by_name_says_so_to_what_it_starts(world, roles):
    """The word in AWSROLE_STATE is a proof: awsrole inside uses the same role, even one with `confirm`."""
    inside = world.awsrole("exec", "--role", "prod", "--", binary("awsrole"), "exec", "--", "env", cwd=roles)
    assert "AWSROLE_ROLE=prod\n" in inside.out, inside
    state = json.loads(next(line for line in inside.out.splitlines() if line.startswith("AWSROLE_STATE=")).split("=", 1)[1])
    assert state["chosen"].endswith("=prod")
    status = world.awsrole("exec", "--role", "prod", "--", binary("awsrole"), "status", "--json", cwd=roles)
    assert status.json["chosen"] == "awsrole use prod"


def test_a_snippets_argument_needs_the_proof_as_well(world, roles):
    """The snippets keep a choice in a shell variable, which an exported one of that name may have set."""
    words = asked(roles)
    words[words.index("--"):words.index("--")] = ["--role", "prod"]
    answer = world.awsrole(*words, cwd=roles)
    assert "__awsrole_set AWSROLE_ROLE 'near'\n" in answer.out and "`awsrole use prod` chooses it" in answer.err
    words[words.index("prod")] = world.awsrole("hook", "choose", "prod", cwd=roles).out
    assert "__awsrole_set AWSROLE_ROLE 'prod'\n" in world.awsrole(*words, cwd=roles).out


def test_where_no_word_can_be_made_the_role_is_still_there_by_name(world, roles):
    data = world.home / ".local/share/awsrole"
    (data / "choices.key").mkdir()
    refused = world.awsrole("hook", "choose", "other", cwd=roles)
    assert (refused.code, refused.out) == (1, "") and "`awsrole exec --role other`" in refused.err
    held = world.awsrole("exec", "--role", "other", "--", "env", cwd=roles)
    assert "AWSROLE_ROLE=other\n" in held.out
    assert os.listdir(data / "choices.key") == []


def test_prior_values_are_the_persons_own_or_none(world):
    """They come back as what was outside, whatever bytes they have, but no other name and nothing longer than real values."""
    folder = world.project("plain", DEPLOY, allow=True)
    env = blocked("") | {
        "AWSROLE_PRIOR_AWS_PROFILE": "other", "AWSROLE_PRIOR_AWS_ROLE_ARN": "\u001b[2J", "AWSROLE_PRIOR_PATH": "/forged",
        "AWSROLE_PRIOR_AWS_SECRET_ACCESS_KEY": "forged", "AWSROLE_PRIOR_AWS_WEB_IDENTITY_TOKEN_FILE": "/" + "x" * 5000}
    statements = world.awsrole(*asked(folder), cwd=folder, env=env).out.splitlines()
    assert "__awsrole_adopt AWS_PROFILE exported 'other'" in statements
    exported = [line.split()[1] for line in statements if line.startswith("__awsrole_adopt ") and " exported " in line]
    assert exported == ["AWS_PROFILE", "AWS_ROLE_ARN"]
