"""Tests that long-lived keys (AKIA…) are recognized by their ID: a session token or an expiration doesn't make them
exportable.
"""

import pytest
from source_fixtures import keys_json, liar

from support import sealed
from support.aws_files import aws_profile
from support.world import ALICE, HERE, THERE

DEPLOY = f'role_arn = "arn:aws:iam::{THERE}:role/Deploy"\n'
TOKEN = "canary-token-that-was-left-over"
# Every way by which credentials leave awsrole.
WAYS = [["exec", "--", "env"], ["exec", "--renew", "--", "env"], ["env"], ["env", "--format", "json"], ["env", "--format", "dotenv"],
        ["credential-process"], ["console", "--print"], ["hook", "export", "bash", "--event", "cd"],
        ["hook", "export", "fish", "--event", "prompt"]]


def beside(place, profile="jump"):
    """Adds a session token to the keys of a profile, and returns its line."""
    path = place.home / ".aws/credentials"
    key = f"aws_access_key_id = {ALICE['access_key_id']}\n"
    path.write_text(path.read_text().replace(f"[{profile}]\n{key}", f"[{profile}]\naws_session_token = {TOKEN}\n{key}"))
    place.secrets.add(TOKEN)
    lines = path.read_text().splitlines()
    return lines.index(f"aws_session_token = {TOKEN}") + 1


def process(place):
    """A program that returns a token and an expiration with long-lived keys."""
    text = keys_json(ALICE, SessionToken=TOKEN, Expiration="2099-01-01T00:00:00Z")
    program = place.program(f"echo '{text}'")
    place.config(aws_profile("vault", credential_process=program))
    return "vault", {}, "profile vault (credential_process) returns long-lived keys, which are never exported"


def file(place):
    """A token that temporary keys left behind in ~/.aws/credentials."""
    line = beside(place)
    return "jump", {}, f"{place.home}/.aws/credentials:{line}: aws_session_token is set with a long-lived access key"


def environment(place):
    """The same in the environment."""
    env = {"AWS_ACCESS_KEY_ID": ALICE["access_key_id"], "AWS_SECRET_ACCESS_KEY": ALICE["secret_access_key"], "AWS_SESSION_TOKEN": TOKEN}
    place.config(aws_profile("env", credential_source="Environment"))
    return "env", env, "AWS_SESSION_TOKEN is set with a long-lived access key (AKIA…)"


@pytest.mark.parametrize("words", WAYS, ids=" ".join)
@pytest.mark.parametrize("source", [process, file, environment], ids=lambda source: source.__name__)
@pytest.mark.parametrize("role", ["", DEPLOY], ids=["itself", "role"])
def test_no_way_out_is_open_to_them(machines, source, words, role):
    profile, env, part = source(machines)
    machines.secrets.add(TOKEN)
    # A profile that only says `credential_source` is no source of a role (botocore): the file says it itself.
    where = 'credential_source = "Environment"' if role and source is environment else f'source_profile = "{profile}"'
    folder = machines.project("shop", f"{role}{where}\n" if role else f'profile = "{profile}"\n', allow=True)
    result = machines.awsrole(*words, cwd=folder, env=machines.env | env | {"AWS_ENDPOINT_URL_SIGNIN": machines.sts.url})
    assert part in result.err, result
    assert ALICE["access_key_id"] not in result.out and not any(secret in result.out + result.err for secret in machines.secrets)
    if words[0] == "hook":
        assert "\n__awsrole_done blocked " in "\n" + result.out
    else:
        assert result.code != 0 and result.out == ""
    assert machines.sts.calls() == [] and machines.entries() == []


@pytest.mark.parametrize("change", [{"AccessKeyId": ALICE["access_key_id"]},
                                    {"AccessKeyId": ALICE["access_key_id"], "SecretAccessKey": ALICE["secret_access_key"]}])
def test_a_container_that_gives_them(machines, change):
    folder = machines.project("shop", 'credential_source = "EcsContainer"\n', allow=True)
    with liar(machines.sts.url, lambda answer: answer | change) as url:
        said = machines.refused(folder, env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/task",
                                             "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic token-of-the-task"})
    assert "container credentials returns long-lived keys, which are never exported" in said
    assert machines.entries() == []


def test_without_the_token_they_give_a_session(machines):
    """The fix that the message names works."""
    line = beside(machines)
    folder = machines.project("shop", 'profile = "jump"\n', allow=True)
    said = machines.refused(folder, code=1)
    assert f":{line}: " in said and "remove aws_session_token" in said
    path = machines.home / ".aws/credentials"
    path.write_text(path.read_text().replace(f"aws_session_token = {TOKEN}\n", ""))
    held = machines.exec_env(folder, env=machines.env)
    assert held["AWS_ACCESS_KEY_ID"].startswith("ASIA") and held["AWS_SESSION_TOKEN"] != TOKEN
    assert machines.who(folder) == f"arn:aws:iam::{HERE}:user/alice"


def test_an_entry_that_holds_them_is_not_exported(machines):
    """As an earlier version may have left it in the cache."""
    folder = machines.project("shop", 'profile = "jump"\n', allow=True)
    machines.exec_env(folder, env=machines.env)
    [path] = machines.entries()
    sealed.change(path, access_key_id=ALICE["access_key_id"])
    for words in WAYS[:6]:
        result = machines.awsrole(*words, cwd=folder, env=machines.env)
        assert (result.code != 0, result.out) == (True, "") and "never exported" in result.err, result
