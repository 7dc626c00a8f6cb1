"""Tests the messages of commands that need the hook: with it, after `awsrole off`, and without it."""

import os
import pty

import pytest

from support.terminal import need
from support.world import DEPLOY, binary

BLOCKED = {"AWSROLE_STATE": "blocked", "AWS_PROFILE": "awsrole-blocked--run-awsrole-why", "AWS_ACCESS_KEY_ID": "awsrole-blocked--run-awsrole-why",
          "AWS_SECRET_ACCESS_KEY": "awsrole-blocked--run-awsrole-why", "AWS_EC2_METADATA_DISABLED": "true"}
OFF, ON = {"AWSROLE_HOOK": "off"}, {"AWSROLE_HOOK": "on"}
STAYS = "awsrole: this shell does not change: `awsrole on` activates awsrole again\n"


@pytest.fixture
def shop(world):
    return world.project("shop", DEPLOY, allow=True)


def test_off_is_seen(world, shop):
    assert world.awsrole("status", cwd=shop, env=OFF).out == "off\n"
    assert world.awsrole("status", env=OFF).out == ""
    assert world.awsrole("status", cwd=shop, env=ON).out == ""
    # Prompts read it through a pipe. A user reads it on a terminal.
    for folder in (shop, world.home):
        on_terminal = world.run(need("script"), "-qec", f"{binary('awsrole')} status", "/dev/null", cwd=folder, env=OFF).out
        assert on_terminal == "awsrole is off in this shell (`awsrole on`)\r\n"
    long = world.awsrole("status", "--long", cwd=shop, env=OFF).out
    assert "shell     off: awsrole is inactive in this shell\n" in long and "`awsrole on`" in long and "`awsrole doctor`" not in long
    why = world.awsrole("why", cwd=shop, env=OFF).out
    assert "off: awsrole is inactive in this shell\n" in why
    assert "nothing, because awsrole is off: `awsrole on` activates it in this shell\n" in why
    assert world.awsrole("why", "--json", cwd=shop, env=OFF).json["shell"]["state"] == "off"


@pytest.mark.parametrize("command", ["allow", "refresh"])
def test_what_changes_nothing_here_says_so(world, shop, command):
    assert world.awsrole(command, cwd=shop, env=OFF).err.endswith(STAYS)
    assert "this shell" not in world.awsrole(command, cwd=shop, env=ON).err
    # A program that calls isn't told of a shell.
    assert "this shell" not in world.awsrole(command, cwd=shop).err


def test_a_person_without_the_hook_is_told(world, shop):
    parent, child = pty.openpty()
    try:
        result = world.run("sh", "-c", '"$1" allow <"$2"', "sh", binary("awsrole"), os.ttyname(child), cwd=shop)
    finally:
        os.close(parent)
        os.close(child)
    assert result.err.endswith("awsrole: shells without the hook don't change: `awsrole doctor` checks this one\n")


@pytest.mark.parametrize("env, level, text", [
    (ON, "ok", "has the hook"), (OFF, "note", "has the hook, and awsrole is off"),
    ({}, "note", "has no hook, or a program called awsrole"),
])
def test_doctor_knows_its_shell(world, env, level, text):
    findings = world.awsrole("doctor", "--json", env=env).json
    (found,) = [one for one in findings if one["about"] == "this shell"]
    assert (found["level"], found["text"]) == (level, text) and (found["hint"] is None) == (level == "ok")


def test_no_command_sees_who_called(world, shop):
    assert "AWSROLE_HOOK" not in world.exec_env(shop, env=ON)
    assert "AWSROLE_HOOK" not in world.exec_env(shop, "--renew", env=OFF)


def test_in_a_blocked_shell_the_hook_is_known(world, shop):
    findings = world.awsrole("doctor", "--json", env=BLOCKED | ON).json
    assert [one["text"] for one in findings if one["about"] == "this shell"] == ["has the hook"]
    assert "AWSROLE_HOOK" not in world.exec_env(shop, env=BLOCKED | ON)


def test_a_blocked_shell_says_what_to_do(world, shop):
    long = world.awsrole("status", "--long", cwd=shop, env=BLOCKED).out
    assert "hint      `awsrole refresh` tries again and prints the error\n" in long
