"""Simulates the session of an agent: hooked shells, and shells that run a single command."""

import json
import os

import pytest
from agent_fixtures import CLAUDE, LIMITED, may_chain, variables

from support.aws_files import role_profile
from support.local_sts import binary
from support.terminal import need
from support.world import DEPLOY

# How each shell runs a single command of an agent that has the hook for such shells.
COMMANDS = {"bash": ["bash", "-c", "{}"], "zsh": ["zsh", "-c", "{}"], "sh": ["sh", "-c", '. "$HOME/agent.sh"; {}']}


@pytest.fixture(params=COMMANDS)
def command(request, world):
    """Runs a single command of an agent or of the user in a directory. Returns the variables that it gets."""
    need(request.param)
    world.write("agent.sh", world.awsrole("hook", "sh").out)
    world.write(".zshenv", '. "$HOME/agent.sh"\n')

    def run(folder, env=None, options="", script="env -0"):
        words = [word.replace("{}", script) for word in COMMANDS[request.param]]
        if options:
            words.insert(1, options)
        result = world.run(*words, cwd=folder, env={"BASH_ENV": str(world.home / "agent.sh"), **(CLAUDE if env is None else env)})
        assert result.code == 0, result.err
        run.err = result.err
        return variables(result.out)

    return run


def test_a_single_command_gets_the_session_of_its_directory(world, command):
    shop, other = world.project("shop", LIMITED, allow=True), world.project("other", DEPLOY)
    full = {name: value for name, value in world.exec_env(shop).items() if name.startswith("AWS")}
    assert may_chain(world, full)
    for inherited in ({}, full):
        keys = command(shop, {**inherited, **CLAUDE, "AWS_REGION": "mine", **inherited})
        assert not may_chain(world, keys) and keys["AWSROLE_AGENT"] == "detected:claude-code"
        assert command.err == ""
        # In the next directory nothing of it is left, even if the shell inherits it.
        outside = command(other, {name: value for name, value in keys.items() if name.startswith(("AWS", "CLAUDE"))})
        assert {name for name in outside if name.startswith("AWS")} <= {"AWSROLE_AGENT", "AWS_REGION"}
        assert "awsrole_answer" not in outside


def test_a_session_that_exec_selected_is_kept(world, command):
    shop = world.project("shop", LIMITED, allow=True)
    selected = {name: value for name, value in world.exec_env(shop, "--agent", "--profile", "shop-dev").items() if name.startswith("AWS")}
    assert command(shop, selected)["AWS_ACCESS_KEY_ID"] == selected["AWS_ACCESS_KEY_ID"]
    own = command(shop, {**selected, "AWS_ACCESS_KEY_ID": "ASIAANOTHER000000000"})
    assert own["AWSROLE_ROLE"] == "Deploy" and not may_chain(world, own)


def test_a_missing_working_directory_is_no_way_out(world, command):
    shop = world.project("shop", LIMITED, allow=True)
    full = {name: value for name, value in world.exec_env(shop).items() if name.startswith("AWS")}
    assert not may_chain(world, command(shop, {**full, **CLAUDE, "awsrole_done": str(shop)}))


def test_a_single_command_is_blocked(world, command):
    folder = world.project("shop", LIMITED, allow=True)
    keys = command(folder)
    world.write("src/shop/.awsrole.toml", LIMITED + "# edited\n")
    for inherited in ({}, {name: value for name, value in keys.items() if name.startswith("AWS")}):
        held = command(folder, {**CLAUDE, "AWS_PROFILE": "mine", **inherited})
        assert (held["AWSROLE_STATE"], held["AWS_ACCESS_KEY_ID"]) == ("blocked", "awsrole-blocked--run-awsrole-why")
        assert "AWS_SESSION_TOKEN" not in held and command.err == ""
    world.allow(folder)
    again = command(folder, {name: value for name, value in held.items() if name.startswith(("AWS", "CLAUDE"))})
    assert again["AWS_SESSION_TOKEN"] == keys["AWS_SESSION_TOKEN"]


def test_without_awsrole_a_single_command_is_blocked(world, command):
    folder = world.project("shop", LIMITED, allow=True)
    text = (world.home / "agent.sh").read_text()
    world.write("agent.sh", text.replace(str(binary("awsrole")), str(world.home / "gone")))
    held = command(folder, {**CLAUDE, "AWS_PROFILE": "mine", "AWS_SESSION_TOKEN": "mine"})
    assert held["AWSROLE_STATE"] == "blocked" and "AWS_SESSION_TOKEN" not in held


def test_the_users_own_commands_start_no_process(world, command):
    """The hook does nothing: the program that it would start leaves a file."""
    folder = world.project("shop", LIMITED, allow=True)
    spy = world.write("spy", f"#!/bin/sh\n: > {world.home}/started\n")
    spy.chmod(0o755)
    world.write("agent.sh", (world.home / "agent.sh").read_text().replace(str(binary("awsrole")), str(spy)))
    for env in ({}, {"CLAUDECODE": ""}, {**CLAUDE, "AWSROLE_IN_CREDENTIAL_PROCESS": "1"}):
        assert "AWS_ACCESS_KEY_ID" not in command(folder, env)
    assert not (world.home / "started").exists()
    command(folder)
    assert (world.home / "started").exists()


@pytest.mark.parametrize("options", ["-x", "-v", "-eu", "-a"])
def test_options_of_the_shell(world, command, options):
    """A trace shows no secret, which `command` checks, and `set -a` exports none."""
    folder = world.project("shop", LIMITED, allow=True)
    world.exec_env(folder, env=CLAUDE)
    held = command(folder, options=options)
    assert not may_chain(world, held)
    assert not [name for name, value in held.items() if held["AWS_SECRET_ACCESS_KEY"] in value and name != "AWS_SECRET_ACCESS_KEY"]
    if options == "-x":
        assert "env -0" in command.err


def test_a_program_that_awsrole_starts_does_not_start_awsrole(world, command):
    """It is a shell of the agent, too."""
    source = world.run(binary("awsrole"), "credential-process", "--profile", "shop-dev")
    world.write("keys.json", source.out)
    world.write(".aws/config", (world.home / ".aws/config").read_text() + (
        "[profile program]\ncredential_process = bash -c \"cat $HOME/keys.json\"\n").replace("$HOME", str(world.home)))
    folder = world.project("shop", "profile = 'program'\nregion = 'eu-west-1'\n", allow=True)
    assert command(folder)["AWS_ACCESS_KEY_ID"] == json.loads(source.out)["AccessKeyId"]


def test_no_agent_is_asked_for_a_code(world, command):
    serial = "arn:aws:iam::111111111111:mfa/alice"
    folder = world.project("shop", DEPLOY + f'mfa_serial = "{serial}"\n', allow=True)
    world.write(".config/awsrole/config.toml", f"mfa_process = 'touch {world.home}/asked; echo 123456'\n")
    assert command(folder)["AWSROLE_STATE"] == "blocked"
    config = world.home / ".aws/config"
    config.write_text(config.read_text() + role_profile("guarded", "Deploy", mfa_serial=serial))
    named = world.project("named", f'[agent]\nrole = "ci"\n[role.ci]\n{DEPLOY}mfa_serial = "{serial}"\n', allow=True)
    user = "ask your user to run `awsrole {}` in a terminal: agents then use the session until it ends"
    for place, words, env, hint in (
        (folder, [], CLAUDE, user.format("refresh")),
        (named, [], CLAUDE, user.format("exec --role ci -- true")),
        (world.home, ["--profile", "guarded"], CLAUDE, user.format("exec --profile=guarded -- true")),
        # The user typed it, or the agent did.
        (named, ["--agent"], {}, "run `awsrole exec --role ci -- true` in a terminal first: `--agent` never prompts"),
        (named, ["--agent"], CLAUDE, "ask your user: run `awsrole exec --role ci -- true` in a terminal first: `--agent` never prompts"),
    ):
        result = world.awsrole("exec", *words, "--", "true", cwd=place, env=env)
        said = " ".join(result.err.split())
        assert result.code == 4 and "no agent is ever asked for a code" in said and f"hint: {hint}" in said, said
    assert not (world.home / "asked").exists()


def test_hooks_of_claude_code(world):
    """A session simulated by its documentation: the command of each hook, then commands that source the file."""
    shop, other = world.project("shop", LIMITED, allow=True), world.project("other", DEPLOY)
    full = {name: value for name, value in world.exec_env(shop).items() if name.startswith("AWS")}
    settings = json.loads(world.awsrole("hook", "claude").out)["hooks"]
    assert set(settings) == {"SessionStart", "CwdChanged"}
    files = {event: world.home / f"session/{event}.sh" for event in settings}
    world.write("session/SessionStart.sh", "export MINE=1\n")
    for event, [entry] in settings.items():
        [hook] = entry["hooks"]
        for _ in range(2):
            result = world.run("sh", "-c", hook["command"], cwd=shop, env={"CLAUDE_ENV_FILE": str(files[event])})
            assert (result.code, result.out, result.err) == (0, "", ""), result.err
    text = files["SessionStart"].read_text()
    assert text.startswith("export MINE=1\n") and text.count("hook agent") == 1, "the second one replaced the first"
    assert not any(secret in text for secret in world.secrets)
    assert files["CwdChanged"].stat().st_mode & 0o777 == 0o600
    script = "".join(f". {file}; " for file in files.values()) + "env -0"
    for shell in ("bash", "zsh"):
        need(shell)
        held = variables(world.run(shell, "-c", script, cwd=shop, env=full).out)
        assert not may_chain(world, held) and held["MINE"] == "1" and held["AWSROLE_AGENT"] == "detected:claude-code"
        assert "AWS_ACCESS_KEY_ID" not in variables(world.run(shell, "-c", script, cwd=other, env=full).out)
    failed = world.awsrole("hook", "claude", "--write")
    assert failed.code == 1 and "CLAUDE_ENV_FILE isn't set" in failed.err


def test_a_hooked_shell_of_an_agent(hooked, shell):
    """It is a child of a shell with the full session, and undoes that first. Its children inherit the variable."""
    shop = hooked.project("shop", LIMITED, allow=True)
    full = {name: value for name, value in hooked.exec_env(shop).items() if name.startswith("AWS")}
    tty = hooked.terminal(shell, cwd=shop, env={**full, **CLAUDE})
    held = {name.decode(): value.decode() for name, value in tty.env().items() if name.startswith(b"AWS")}
    assert held["AWS_ACCESS_KEY_ID"] != full["AWS_ACCESS_KEY_ID"] and not may_chain(hooked, held)
    assert held["AWSROLE_AGENT"] == "detected:claude-code"
    assert "agents can't approve a project file" in tty.run("awsrole allow")
    tty.run(f"cd {os.path.dirname(shop)}")
    assert tty.variable("AWS_ACCESS_KEY_ID") is None
    assert tty.variable("AWSROLE_AGENT") == "detected:claude-code"
    hooked.write("src/shop/.awsrole.toml", LIMITED + "# edited\n")
    assert "changed" in tty.run(f"cd {shop}")
    assert (tty.variable("AWSROLE_STATE"), tty.variable("AWSROLE_AGENT")) == ("blocked", "detected:claude-code")
