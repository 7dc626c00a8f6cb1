"""Tests what `why` and `status` say about agents: to an agent, and to the user."""

import re

import pytest
from agent_fixtures import CLAUDE, LIMIT

from support.local_sts import binary
from support.world import DEPLOY, THERE

TABLE = "[agent]\nrole = 'ci'\npreset = 'read-only'\nduration_seconds = '30m'\n"
ROLES = "default_role = 'dev'\n" + TABLE + "".join(f"[role.{name}]\n{DEPLOY}" for name in ("dev", "ci")) + f"[role.prod]\nmanual = true\n{DEPLOY}"
LIMITED_COMMAND = {"AWSROLE_AGENT": "limited:x"}


def why(world, folder, *words, env=None):
    """Returns the text with single spaces, and the JSON."""
    text, told = world.awsrole("why", *words, cwd=folder, env=env), world.awsrole("why", "--json", *words, cwd=folder, env=env)
    assert (text.code, told.code, text.err, told.err) == (0, 0, "", ""), text
    return " ".join(text.out.split()), told.json


def variables_of(world, folder, *words, env=None):
    """Returns what a command of `exec` inherits from awsrole."""
    found = world.exec_env(folder, *words, env=env)
    return {name: value for name, value in found.items() if name.startswith("AWS")}


def test_why_names_each_limit_with_its_line(world):
    folder = world.project("shop", ROLES, allow=True)
    world.write(".config/awsrole/config.toml", "[agent]\nduration_seconds = '15m'\n")
    file = "~/src/shop/.awsrole.toml"
    gets = f"role ci ({file}:3), preset read-only ({file}:4), at most 15m (~/.config/awsrole/config.toml:2)"
    text, told = why(world, folder, env=CLAUDE)
    assert told["agent"] == {"name": "claude-code", "gets": gets.split(", ")}
    assert f"agent claude-code gets {gets} shell" in text
    assert (told["chain"]["name"], told["chain"]["links"][-1]["duration"]) == ("ci", "15m")
    assert told["chain"]["links"][-1]["limited_by"] == [f"preset read-only ({file}:4)"]
    text, told = why(world, folder)
    assert told["agent"] == {"name": None, "gets": gets.split(", ")}
    assert f"agents get {gets} shell" in text and told["chain"]["name"] == "dev"


@pytest.mark.parametrize(("table", "env", "gets"), [
    ("", CLAUDE, []),
    ("", LIMITED_COMMAND, ["preset read-only (awsrole exec --agent)"]),
    ("", {}, None),
    ("[agent]\n", {}, None),
    ("[agent]\ndeny = true\n", {}, ["no role (~/src/shop/.awsrole.toml:5)"]),
    ("[agent]\ndeny = true\n", CLAUDE, ["no role (~/src/shop/.awsrole.toml:5)"]),
    (LIMIT, LIMITED_COMMAND, ["policy (~/src/shop/.awsrole.toml:5)"]),
])
def test_why_says_what_happens(world, table, env, gets):
    folder = world.project("shop", DEPLOY + table, allow=True)
    text, told = why(world, folder, env=env)
    assert told.get("agent", {}).get("gets") == gets, told
    if env and not gets:
        assert "gets what your user gets: no [agent] table limits it" in text
    result = world.awsrole("exec", "--", "true", cwd=folder, env=env)
    assert (result.code == 0) == (told["problem"] is None) == (not env or "deny" not in table), result.err
    if result.code == 0:
        # The session is the one that was explained, and now it is cached.
        assert why(world, folder, env=env)[1]["chain"]["links"][-1]["cached_until"]


def test_a_profile_is_explained_with_the_limits_of_the_project(world):
    folder = world.project("shop", DEPLOY + LIMIT, allow=True)
    for where, is_limited in ((folder, True), (world.home, False)):
        _, told = why(world, where, "--profile", "shop-dev", env=CLAUDE)
        assert bool(told["agent"]["gets"]) == is_limited == ("limited_by" in told["chain"]["links"][-1])


def test_a_session_of_a_parent_is_called_so(world):
    """The shell of the user holds the full session, and an agent that is started there inherits it."""
    folder = world.project("shop", ROLES, allow=True)
    full = variables_of(world, folder)
    for held, selected_by_parent in ((full, True), (variables_of(world, folder, env=CLAUDE), False), ({}, False)):
        text, told = why(world, folder, env={**held, **CLAUDE})
        assert told["shell"].get("selected_by_parent", False) == selected_by_parent
        assert ("a parent process selected this session, not the role above" in text) == selected_by_parent
        status = world.awsrole("status", cwd=folder, env={**held, **CLAUDE}).out
        assert status.endswith(" for agent claude-code\n") == (bool(held) and not selected_by_parent), status
    assert "selected_by_parent" not in why(world, folder, env=full)[1]["shell"]
    assert "for " not in world.awsrole("status", cwd=folder, env=full).out


def test_a_choice_of_the_user_is_not_explained_to_an_agent(world):
    """The agent gets its own role in this shell, as every command of it."""
    folder = world.project("shop", ROLES, allow=True)
    chosen = variables_of(world, folder, "--role", "prod")
    assert why(world, folder, env=chosen)[1]["chain"]["name"] == "prod"
    _, told = why(world, folder, env={**chosen, **CLAUDE})
    assert (told["chain"]["name"], told["problem"]) == ("ci", None)
    assert world.awsrole("status", "--json", cwd=folder, env={**chosen, **CLAUDE}).json["role"] == "ci"
    assert world.awsrole("refresh", cwd=folder, env={**chosen, **CLAUDE}).code == 0
    named = why(world, folder, "--role", "prod", env={**chosen, **CLAUDE})[1]
    assert named["problem"]["summary"] == "role prod isn't for agents" and named["chain"] is None


def test_status_says_what_the_agent_gets(world):
    folder = world.project("shop", ROLES, allow=True)
    assert world.awsrole("status", "--json", cwd=folder, env=CLAUDE).json["agent"] == "claude-code gets ci, preset read-only, at most 30m"
    assert re.search(r"^agent +x gets ci, preset read-only, at most 30m$",
                     world.awsrole("status", "--long", cwd=folder, env=LIMITED_COMMAND).out, re.M)
    assert "agent" not in world.awsrole("status", "--json", cwd=folder).json


def test_next_is_what_an_agent_gets_without_its_user(world):
    """awsrole prompts no agent for a code, and none can approve a file."""
    serial = "arn:aws:iam::111111111111:mfa/alice"
    folder = world.project("shop", DEPLOY + f'mfa_serial = "{serial}"\n', allow=True)
    text, told = why(world, folder, env=CLAUDE)
    assert told["next"] == "no session, until your user runs `awsrole refresh` and enters an MFA code" and "prompts" not in text
    assert "awsrole prompts for an MFA code" in why(world, folder)[0]
    named = world.project("named", f'default_role = "dev"\n[agent]\nrole = "ci"\n[role.dev]\n{DEPLOY}[role.ci]\n{DEPLOY}mfa_serial = "{serial}"\n', allow=True)
    assert "until your user runs `awsrole exec --role ci -- true` and enters an MFA code" in why(world, named, env=CLAUDE)[1]["next"]
    text, told = why(world, folder, env={**CLAUDE, "AWSROLE_STATE": "blocked"})
    assert told["problem"]["causes"] == ["awsrole prompts no agent for a code or a sign-in"]
    assert told["next"].startswith("no session, until your user runs")
    folder = world.project("new", DEPLOY)
    text, told = why(world, folder, env=CLAUDE)
    assert told["next"] == "nothing, until your user allows it" and "only your user can run `awsrole allow`" in text
    world.awsrole("deny", folder)
    assert why(world, folder, env=CLAUDE)[1]["next"] == "nothing: the file is ignored until your user runs `awsrole allow`"


def test_a_guarded_role_of_the_project_blocks_an_agent(world):
    folder = world.project("shop", ROLES.replace(TABLE, "").replace("'dev'", "'prod'"), allow=True)
    text, told = why(world, folder, env=CLAUDE)
    assert told["problem"]["summary"] == "role prod isn't for agents" and "`awsrole use prod`" not in text
    script = f'eval "$({binary("awsrole")} hook agent)"; {binary("awsrole")} why; :'
    blocked = " ".join(world.run("sh", "-c", script, cwd=folder, env=CLAUDE).out.split())
    assert "shell blocked: every AWS client fails" in blocked and "next the shell stays blocked" in blocked, blocked
    assert THERE not in blocked
