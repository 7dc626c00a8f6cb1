"""Tests that in a project every client uses the role, whatever the outer environment contains."""

import pytest
from three_clients import ask, ask_in, everywhere, open_shell

from support.terminal import SHELLS
from support.world import BYSTANDER, DEPLOY, HERE, THERE

ROLE = f"arn:aws:sts::{THERE}:assumed-role/Deploy/alice"

BEFORE = {
    "a profile": {"AWS_PROFILE": "other"},
    "the default profile": {"AWS_DEFAULT_PROFILE": "other"},
    "keys": {"AWS_ACCESS_KEY_ID": BYSTANDER["access_key_id"], "AWS_SECRET_ACCESS_KEY": BYSTANDER["secret_access_key"]},
    "a profile that isn't there": {"AWS_PROFILE": "gone"},
    "an old token": {"AWS_SECURITY_TOKEN": "old", "AWS_SESSION_TOKEN": "old"},
}


@pytest.mark.parametrize("shell", SHELLS)
def test_in_an_interactive_shell(world, shell):
    # fish sets USER by itself, so the session's name is fixed.
    shop = world.project("shop", DEPLOY + 'role_session_name = "alice"\n', allow=True)
    terminal = open_shell(world, shell, AWS_PROFILE="other")
    try:
        before = terminal.env()
        terminal.run(f"cd {shop}")
        assert ask_in(terminal) == everywhere(ROLE)
        terminal.run("cd ~")
        assert terminal.env() == before
        assert before[b"AWS_PROFILE"] == b"other"
    finally:
        terminal.close()


def test_before_and_after_they_are_who_they_were(world, shop):
    terminal = open_shell(world, "bash", AWS_ENDPOINT_URL=world.sts.url)
    try:
        outside = everywhere(f"arn:aws:iam::{HERE}:user/bystander")
        assert ask_in(terminal) == outside
        terminal.run(f"cd {shop}")
        assert ask_in(terminal) == everywhere(ROLE)
        terminal.run("cd ~")
        assert ask_in(terminal) == outside
    finally:
        terminal.close()


@pytest.mark.parametrize("before", BEFORE)
def test_with_exec(world, shop, before):
    env = world.exec_env(shop, env=BEFORE[before])
    assert ask(world, env, cwd=shop) == everywhere(ROLE)


def test_they_reach_the_endpoint_of_the_persons_profile(world, shop):
    """No variable names it: it comes from ~/.aws/config, through awsrole."""
    env = world.exec_env(shop)
    assert ask(world, env, cwd=shop) == everywhere(ROLE)
    assert len(world.sts.calls("GetCallerIdentity")) == 3
