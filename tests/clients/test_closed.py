"""Tests that in a blocked directory every client fails, whatever credentials it could fall back to."""

import os

import pytest
from three_clients import CALLERS, ask, ask_in, everywhere, open_shell

from support.local_sts import service_trust
from support.terminal import SHELLS
from support.world import BLOCKED, BYSTANDER, FIXTURE, HERE, THERE, World

INSTANCE = "i-0123456789abcdef0"

BY = f"arn:aws:iam::{HERE}:user/bystander"
ON_INSTANCE = f"arn:aws:sts::{HERE}:assumed-role/OnInstance/{INSTANCE}"

RICH = {
    **FIXTURE,
    "role": [
        *FIXTURE["role"],
        {"name": "OnInstance", "account": HERE, "trust": service_trust()},
        {"name": "InContainer", "account": HERE, "trust": service_trust("ecs-tasks.amazonaws.com")},
    ],
    "instance": {"role": "OnInstance", "account": HERE, "instance_id": INSTANCE, "region": "eu-central-1"},
    "container": {"role": "InContainer", "account": HERE, "token": "Basic c2VjcmV0", "path": "/v1/credentials"},
}


@pytest.fixture
def world(tmp_path):
    """A user with several identities: [default] has working keys, and a metadata service answers."""
    with World(tmp_path, RICH) as world:
        yield world


@pytest.fixture
def blocked(world):
    return world.project("blocked", BLOCKED, allow=True)


def live(world):
    """Whatever is asked goes to our STS, and the metadata service is there."""
    return {"AWS_ENDPOINT_URL": world.sts.url, "AWS_EC2_METADATA_SERVICE_ENDPOINT": world.sts.url}


def without_default(world):
    path = world.home / ".aws/credentials"
    path.write_text("[jump]" + path.read_text().split("[jump]")[1])


def sources(world):
    """Other sources of credentials for clients: name → the variables, and the identity."""
    return {
        "default": ({}, BY),
        "metadata": ({}, ON_INSTANCE),
        "container": ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{world.sts.url}/v1/credentials",
                       "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic c2VjcmV0"}, "assumed-role/InContainer/"),
        "keys": ({"AWS_ACCESS_KEY_ID": BYSTANDER["access_key_id"],
                  "AWS_SECRET_ACCESS_KEY": BYSTANDER["secret_access_key"]}, BY),
        "profile": ({"AWS_PROFILE": "rich"}, BY),
        "default profile": ({"AWS_DEFAULT_PROFILE": "rich"}, BY),
    }


NAMES = ["default", "metadata", "container", "keys", "profile", "default profile"]


def prepare(world, name):
    if name in ("metadata", "container"):
        without_default(world)
    if "profile" in name:
        without_default(world)
        path = world.home / ".aws/credentials"
        path.write_text(path.read_text() + f"\n[rich]\naws_access_key_id = {BYSTANDER['access_key_id']}\n"
                                           f"aws_secret_access_key = {BYSTANDER['secret_access_key']}\n")
    env, who = sources(world)[name]
    return {**live(world), **env}, who


@pytest.mark.parametrize("name", NAMES)
def test_each_source_works_without_awsrole(world, blocked, name):
    """So that the tests below can fail."""
    env, who = prepare(world, name)
    # The JS SDK doesn't know AWS_DEFAULT_PROFILE; then it has the metadata.
    answers = ask(world, env, cwd=blocked)
    assert set(answers) == set(CALLERS)
    for client, answer in answers.items():
        expected = ON_INSTANCE if (name, client) == ("default profile", "javascript") else who
        assert expected in (answer or ""), (client, answer)


@pytest.mark.parametrize("name", NAMES)
def test_none_of_them_acts_in_a_blocked_directory(world, blocked, name):
    env, _ = prepare(world, name)
    terminal = open_shell(world, "bash", **env)
    try:
        before = terminal.env()
        terminal.run(f"cd {blocked}")
        assert terminal.env()[b"AWSROLE_STATE"] == b"blocked"
        world.sts.reset()
        assert ask_in(terminal) == everywhere(None)
        assert [call for call in world.sts.calls() if call["outcome"] == "OK"] == []
        terminal.run("cd ~")
        assert terminal.env() == before
    finally:
        terminal.close()


@pytest.mark.parametrize("shell", SHELLS)
def test_in_every_shell(world, blocked, shell):
    """[default] and metadata at once, as the issue puts it."""
    terminal = open_shell(world, shell, **live(world))
    try:
        assert ask_in(terminal) == everywhere(BY)
        terminal.run(f"cd {blocked}")
        world.sts.reset()
        assert ask_in(terminal) == everywhere(None)
        assert [call for call in world.sts.calls() if call["outcome"] == "OK"] == []
        terminal.run("cd ~")
        assert ask_in(terminal) == everywhere(BY)
    finally:
        terminal.close()


@pytest.mark.parametrize("how", ["edited", "broken", "unreachable", "pinned"])
def test_however_it_was_blocked(world, shop, how):
    if how == "edited":
        (shop / ".awsrole.toml").write_text("# edited\n")
    elif how == "broken":
        (world.home / ".aws/config").write_text("nonsense\n")
    elif how == "unreachable":
        world.sts.fault(unavailable=True, action="AssumeRole")
    else:
        world.project("shop", f'profile = "jump"\naccount_id = "{THERE}"\n', allow=True)
    terminal = open_shell(world, "bash", **live(world))
    try:
        terminal.run(f"cd {shop}")
        assert ask_in(terminal) == everywhere(None)
    finally:
        terminal.close()


STAGING = {"AWS_PROFILE": "staging\n'\"=\udcff", "AWS_DEFAULT_PROFILE": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"}


def aws(terminal):
    """Returns the variables that awsrole changes, as text."""
    return {name.decode(): os.fsdecode(value) for name, value in terminal.env().items() if name.startswith(b"AWS")}


@pytest.mark.parametrize("inner", SHELLS)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_within_a_blocked_one_gives_back_what_stood_outside(world, shop, shell, inner):
    (shop / ".awsrole.toml").write_text("# edited\n")
    terminals = [open_shell(world, shell, **live(world), **STAGING, AWS_SESSION_TOKEN="canary-of-a-token")]
    try:
        before = aws(terminals[0])
        terminals[0].run(f"cd {shop}")
        inherited = aws(terminals[0])
        assert inherited["AWSROLE_STATE"] == "blocked" and "canary" not in str(inherited)
        terminals.append(open_shell(world, inner, **inherited))
        del before["AWS_SESSION_TOKEN"]
        assert aws(terminals[1]) == before
        terminals[1].run(f"cd {shop}")
        assert aws(terminals[1]) == inherited
        terminals[1].run("cd ~")
        assert aws(terminals[1]) == before
        # Somebody who chose another profile for the nested shell has that one.
        terminals.append(open_shell(world, inner, **inherited | {"AWS_PROFILE": "mine"}))
        del before["AWS_DEFAULT_PROFILE"]
        assert aws(terminals[2]) == before | {"AWS_PROFILE": "mine"}
    finally:
        for terminal in terminals:
            terminal.close()


def test_no_client_is_the_default_outside_of_a_shell_within_a_blocked_one(world, blocked):
    path = world.home / ".aws/credentials"
    path.write_text(path.read_text() + "\n[staging]\naws_access_key_id = AKIANOBODY\naws_secret_access_key = x\n")
    outer = open_shell(world, "bash", **live(world), AWS_PROFILE="staging")
    try:
        outer.run(f"cd {blocked}")
        nested = open_shell(world, "zsh", **aws(outer))
        try:
            assert ask_in(nested) == everywhere(None)
        finally:
            nested.close()
    finally:
        outer.close()


def test_a_profile_that_is_named_still_works(world, blocked):
    """Closed means that nobody acts by accident."""
    path = world.home / ".aws/credentials"
    path.write_text(path.read_text() + f"\n[rich]\naws_access_key_id = {BYSTANDER['access_key_id']}\n"
                                       f"aws_secret_access_key = {BYSTANDER['secret_access_key']}\n")
    terminal = open_shell(world, "bash", **live(world))
    try:
        terminal.run(f"cd {blocked}")
        out = terminal.file()
        terminal.run(f"{CALLERS['aws']} --profile rich > {out} 2>&1")
        assert out.read_text().strip() == BY
    finally:
        terminal.close()
