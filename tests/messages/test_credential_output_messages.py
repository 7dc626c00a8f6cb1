"""Tests the messages if a role cannot be passed on: long commands, variables, the console."""

import pytest
from failure_world import file


@pytest.fixture
def shop(world):
    return world.shop(file("Plain"))


@pytest.fixture
def temporary(world, shop):
    """A project whose source is a user's temporary keys in a profile."""
    held = world.exec_env(world.project("session", 'profile = "alice"\n', allow=True))
    keys = "".join(f"{name.lower()} = {held[name]}\n" for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"))
    path = world.home / ".aws/credentials"
    path.write_text(f"{path.read_text()}[temporary]\n{keys}")
    return world.project("temporary", 'profile = "temporary"\n', allow=True)


def test_nobody_can_renew(temporary, says):
    """A long command with temporary keys of a profile."""
    says("exec --renew -- true", temporary)


def test_the_run_is_over(shop, says):
    """A program uses the copies of the AWS files after its command has ended."""
    says("credential-process --run run-gone")


def test_no_job_of_github(shop, says):
    """The format for GitHub Actions outside of GitHub Actions."""
    says("env --format github")


def test_no_form_for_all_readers(world, says):
    """A value that programs read differently from .env files."""
    world.shop(f"default_role = \"it's\"\n[role.\"it's\"]\n{file('Plain')}")
    says("env --format dotenv")


def test_init_without_a_terminal(world, says):
    """`init` without options and without a terminal."""
    world.project("shop")
    says("init", wrapper=("setsid", "-w"))


def test_console_of_a_users_session(world, says):
    """The console without a role."""
    world.shop('profile = "alice"\n')
    says("console")


def test_console_of_a_users_keys(world, temporary, says):
    """The console with temporary keys of a user from a profile."""
    says("console", temporary, env=world.endpoint)


def test_console_with_a_duration_that_can_not_be(world, says):
    """A duration with role chaining, where AWS accepts none."""
    world.shop(f"default_role = \"second\"\n[role.first]\n{file('Plain')}[role.second]\nrole_arn = \"arn:aws:iam::222222222222:role/Plain\"\nsource_role = \"first\"\n")
    says("console --duration 2h")


def test_console_session_was_ended(world, shop, says):
    """AWS rejects the session, because it was revoked."""
    world.exec_env(shop)
    world.sts.expire()
    says("console --print", env={"AWS_ENDPOINT_URL_SIGNIN": world.sts.url})


def test_console_is_not_there(shop, says):
    """AWS Sign-In is unreachable."""
    says("console --print", env={"AWS_ENDPOINT_URL_SIGNIN": "http://127.0.0.1:1"})
