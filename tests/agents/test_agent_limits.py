"""Tests that every way out of awsrole limits an agent's session, by what the session may do at the STS."""

import configparser
import json
from pathlib import Path

import pytest
from agent_fixtures import CLAUDE, KEYS, LIMIT, LIMITED, keys_of_process, may_chain, variables

from support.local_sts import binary
from support.world import DEPLOY, HERE, THERE, asked

# Prints what the default profile of the copies of `exec --renew` returns.
CALL_DEFAULT = """sed -n 's/^credential_process *= *//p' "$AWS_CONFIG_FILE" | head -n 1 | sh"""
# Prints what the profile `legacy` of the other file returns.
CALL_LEGACY = """sed -n '/^\\[legacy\\]/,/^\\[/s/^credential_process *= *//p' "$AWS_SHARED_CREDENTIALS_FILE" | sh"""

# Prints what boto3 gets for a profile, or its error.
CLIENT = """
import boto3, json, sys
try:
    keys = boto3.Session(profile_name=sys.argv[1]).get_credentials().get_frozen_credentials()
    print(json.dumps([keys.access_key, keys.secret_key, keys.token]))
except Exception as error:
    print(json.dumps(str(error)))
"""


def by_exec(world, folder, env):
    return world.exec_env(folder, env=env)


def by_env(world, folder, env):
    result = world.awsrole("env", "--format", "json", cwd=folder, env=env)
    assert result.code == 0, result.err
    return result.json


def by_credential_process(world, folder, env):
    result = world.awsrole("credential-process", "--dir", folder, env=env)
    assert result.code == 0, result.err
    return keys_of_process(result.out)


def by_renewing_command(world, folder, env):
    result = world.awsrole("exec", "--renew", "--", "sh", "-c", CALL_DEFAULT, cwd=folder, env=env)
    assert result.code == 0, result.err
    return keys_of_process(result.out)


def by_command_hook(world, folder, env):
    script = f'eval "$({binary("awsrole")} hook agent)"; env -0'
    return variables(world.run("sh", "-c", script, cwd=folder, env=env).out)


def by_exec_in_exec(world, folder, env):
    """The outer command is the user's own. The agent starts in it, and runs awsrole."""
    words = ("exec", "--", "env", *(f"{name}={value}" for name, value in env.items()), binary("awsrole"))
    result = world.awsrole(*words, "exec", "--", "env", "-0", cwd=folder)
    assert result.code == 0, result.err
    return variables(result.out)


def by_nested_hook(world, folder, env):
    """What a hooked shell gets that an agent starts in a shell with the full session."""
    inherited = {name: value for name, value in world.exec_env(folder).items() if name.startswith("AWS")}
    result = world.awsrole(*asked(folder), cwd=folder, env={**inherited, **env})
    found = dict(line.removeprefix("__awsrole_set ").split(" ", 1) for line in result.out.splitlines()
                 if line.startswith("__awsrole_set "))
    return {name: value.strip("'") for name, value in found.items()}


WAYS = [by_exec, by_env, by_credential_process, by_renewing_command, by_command_hook, by_exec_in_exec, by_nested_hook]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_each_way_out_limits_an_agent(world, way):
    folder = world.project("shop", LIMITED, allow=True)
    assert may_chain(world, world.exec_env(folder)), "the user's own session isn't limited"
    keys = way(world, folder, CLAUDE)
    assert not may_chain(world, keys)
    assert "AWSROLE_AGENT" not in keys or keys["AWSROLE_AGENT"] == "detected:claude-code"


def test_the_background_renewal_is_that_of_the_agent(world):
    """The session that it stores is the limited one, and the user's stays as it is."""
    folder = world.project("shop", LIMITED, allow=True)
    words = ("hook", "renew", "--", folder / ".awsrole.toml")
    assert world.awsrole(*words, cwd=folder, env=CLAUDE).code == 0
    assert not may_chain(world, world.exec_env(folder, env=CLAUDE))
    assert may_chain(world, world.exec_env(folder))
    assert [call["has_policy"] for call in world.assumed() if call["role_arn"].endswith("/Deploy")] == [True, False]


def test_role_profiles_of_a_project_are_limited(world):
    """A program that uses the profile of another role calls awsrole with the variables that it inherited."""
    folder = world.project("shop", "profiles = true\ndefault_role = 'a'\n" + LIMIT + "".join(
        f"[role.{name}]\n{DEPLOY}" for name in "ab"), allow=True)
    script = """sed -n '/^\\[profile b\\]/,/^\\[/s/^credential_process *= *//p' "$AWS_CONFIG_FILE" | sh"""
    for env, is_limited in ((CLAUDE, True), ({}, False)):
        result = world.awsrole("exec", "--", "sh", "-c", script, cwd=folder, env=env)
        assert may_chain(world, keys_of_process(result.out)) != is_limited, result.err


def test_settings_of_the_user_limit_every_profile(world):
    folder = world.project("plain", DEPLOY, allow=True)
    world.write(".config/awsrole/config.toml", LIMIT)
    for options in ((), ("--profile", "shop-dev")):
        assert not may_chain(world, world.exec_env(folder, *options, env=CLAUDE))
        assert may_chain(world, world.exec_env(folder, *options))


def test_both_tables_apply(world):
    """What either denies is denied. The shorter duration counts."""
    allow_all = '[agent]\npolicy = \'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}\'\n'
    for file, settings in ((LIMIT, allow_all), (allow_all, LIMIT), (LIMIT, LIMIT)):
        folder = world.project("shop", DEPLOY + file + "duration_seconds = '30m'\n", allow=True)
        world.write(".config/awsrole/config.toml", settings + "duration_seconds = '15m'\n")
        keys = world.exec_env(folder, env=CLAUDE)
        assert not may_chain(world, keys), (file, settings)
        assert [call for call in world.assumed() if call["role_arn"].endswith("/Deploy")][-1]["duration_seconds"] == "900"


def test_a_command_for_an_agent_is_always_limited(world, shop):
    """Without an [agent] table it gets read access, even in a terminal of the user, and so do its children."""
    keys = world.exec_env(shop, "--agent")
    assert not may_chain(world, keys) and keys["AWSROLE_AGENT"] == "limited:unnamed"
    assert not may_chain(world, world.exec_env(shop, env={"AWSROLE_AGENT": keys["AWSROLE_AGENT"]}))
    assert may_chain(world, world.exec_env(shop, env=CLAUDE)), "without a table a recognized agent gets what the user gets"
    result = world.awsrole("credential-process", "--agent", "--dir", shop)
    assert not may_chain(world, keys_of_process(result.out))


def test_the_role_for_agents_is_no_limit_of_a_profile(world):
    """`[agent]` names a role of the project, and the command uses a profile, so it gets read access."""
    folder = world.project("shop", f"default_role = 'a'\n[agent]\nrole = 'a'\n[role.a]\n{DEPLOY}", allow=True)
    assert may_chain(world, world.exec_env(folder, "--agent")), "the role is the limit"
    assert not may_chain(world, world.exec_env(folder, "--agent", "--profile", "shop-dev"))
    [limit] = world.awsrole("why", "--json", "--profile", "shop-dev", cwd=folder, env={"AWSROLE_AGENT": "limited:x"}).json["agent"]["gets"]
    assert limit == "preset read-only (awsrole exec --agent)"


@pytest.mark.parametrize("forged", ["", "0", "person", "detected:", "limited"])
def test_forged_values_make_it_stricter(world, shop, forged):
    assert not may_chain(world, world.exec_env(shop, env={"AWSROLE_AGENT": forged}))


def test_a_child_of_a_renewing_command_cannot_loosen_it(world, shop):
    """Not without the variables, and not with others."""
    for change in ("-u AWSROLE_AGENT", "AWSROLE_AGENT=detected:x", "AWSROLE_AGENT=forged"):
        script = CALL_DEFAULT.replace("| sh", f"| env {change} sh")
        result = world.awsrole("exec", "--agent", "--renew", "--", "sh", "-c", script, cwd=shop)
        assert not may_chain(world, keys_of_process(result.out)), change


@pytest.fixture
def other_profiles(world, shop):
    """Profiles with each kind of identity in the AWS files. The process returns an unlimited session of Deploy."""
    keys = world.exec_env(shop)
    session = dict(zip(("AccessKeyId", "SecretAccessKey", "SessionToken"), (keys[name] for name in KEYS)))
    world.write("vault.json", json.dumps({"Version": 1, **session}))
    config = (world.home / ".aws/config").read_text()
    world.write(".aws/config", config + f"""
[profile vault]
endpoint_url = {world.sts.url}
region = eu-west-1
credential_process = cat {world.home}/vault.json
[profile build]
role_arn = arn:aws:iam::{HERE}:role/Build
source_profile = default
[profile machine]
role_arn = arn:aws:iam::{THERE}:role/Deploy
credential_source = Environment
[profile workload]
role_arn = arn:aws:iam::{THERE}:role/Deploy
web_identity_token_file = {world.home}/token
[profile console]
login_session = arn:aws:iam::{HERE}:user/alice
[profile admin]
sso_session = corp
sso_account_id = {THERE}
sso_role_name = Admin
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-central-1
""")
    return shop


AGENTS = {"--agent": (("--agent",), {}), "recognized": ((), CLAUDE)}


@pytest.mark.parametrize("agent", AGENTS)
def test_no_other_profile_of_a_renewing_command_has_an_identity(world, other_profiles, agent):
    options, env = AGENTS[agent]
    script = 'cat "$AWS_CONFIG_FILE"; echo "# next"; cat "$AWS_SHARED_CREDENTIALS_FILE"'
    result = world.awsrole("exec", *options, "--renew", "--", "sh", "-c", script, cwd=other_profiles, env=env)
    assert result.code == 0, result.err
    found = {}
    for text, prefix in zip(result.out.split("# next"), ("profile ", "")):
        parser = configparser.RawConfigParser()
        parser.read_string(text)
        for name in parser.sections():
            section = dict(parser[name])
            command = section.pop("credential_process", "")
            if name.startswith("sso-session "):
                assert (command, set(section)) == ("", {"sso_start_url", "sso_region"})
                continue
            assert not {key for key in section if key.startswith(("aws_", "role_", "source_", "credential_", "web_", "login_", "sso_"))}
            if command and name != "default":
                found[name.removeprefix(prefix).strip('"')] = command
    expected = {"jump", "shop-dev", "two words", "legacy", "vault", "build", "machine", "workload", "console", "admin"}
    assert set(found) == expected
    assert all(f"--profile={name}" in command for name, command in found.items()), found


def client_keys(world, folder, profile, *options, env, inside=""):
    """Returns what boto3 gets for a profile in a renewing command, as variables, or its error."""
    script = f'{inside} exec python "$0" "$1"'
    words = ("exec", *options, "--renew", "--", "sh", "-c", script, world.write("client.py", CLIENT), profile)
    result = world.awsrole(*words, cwd=folder, env=env)
    assert result.code == 0, result.err
    answer = json.loads(result.out)
    return answer if isinstance(answer, str) else dict(zip(KEYS, answer))


@pytest.mark.parametrize("profile", ["vault", "shop-dev", "legacy"])
def test_other_profiles_of_a_renewing_command_are_limited(world, other_profiles, profile):
    assert not may_chain(world, client_keys(world, other_profiles, profile, "--agent", env={}))
    world.write(".config/awsrole/config.toml", LIMIT)
    assert not may_chain(world, client_keys(world, other_profiles, profile, env=CLAUDE))
    assert profile == "legacy" or may_chain(world, client_keys(world, other_profiles, profile, env={}))


def test_other_profiles_of_a_renewing_command_reach_no_protected_account(world, other_profiles):
    """The project's own role is in another account."""
    world.write(".config/awsrole/config.toml", f"[accounts.{THERE}]\nprotect = true\n")
    folder = world.project("build", DEPLOY.replace(THERE, HERE).replace("Deploy", "Build"), allow=True)
    for profile in ("shop-dev", "legacy"):
        for options, env in AGENTS.values():
            answer = client_keys(world, folder, profile, *options, env=env)
            assert isinstance(answer, str) and "isn't for agents" in answer, answer


# A table that applies everywhere, but limits nothing.
NO_LIMIT = '[agent]\npolicy = \'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}\'\n'


@pytest.fixture
def places(world):
    """Directories that a command changes to: with the limits of their own, or without a project."""
    return [
        Path("/"),
        world.project("loose", DEPLOY + NO_LIMIT, allow=True),
        world.project("plain", DEPLOY, allow=True),
        world.project("denied", DEPLOY + "[agent]\ndeny = true\n", allow=True),
    ]


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("profile", [(), ("--profile", "shop-dev")], ids=["project", "profile"])
def test_a_renewing_command_keeps_its_limits_in_every_directory(world, places, agent, profile):
    """Those of the directory where it was started: for its default profile and for the others."""
    options, env = AGENTS[agent]
    limited = world.project("shop", LIMITED, allow=True)
    everywhere = " ".join(map(str, (limited, *places)))
    for start, is_limited in ((limited, True), (places[1], False), (places[2], agent == "--agent")):
        for call in (CALL_DEFAULT, CALL_LEGACY):
            script = f"for place in {everywhere}; do cd $place && {call} && echo; done"
            result = world.awsrole("exec", *options, "--renew", *profile, "--", "sh", "-c", script, cwd=start, env=env)
            assert result.code == 0, (start, call, result.err)
            answers = result.out.split("\n\n")[:-1]
            assert len(answers) == 1 + len(places) and len(set(answers)) == 1, (start, call, answers)
            assert may_chain(world, keys_of_process(answers[0])) != is_limited, (start, call)


def test_a_directory_that_no_longer_limits_gives_no_session(world, places):
    """The file is changed or removed while the command runs."""
    change = {"edited": "echo >> .awsrole.toml", "removed": "rm .awsrole.toml", "gone": 'rm -r "$PWD"'}
    for words in change.values():
        shop = world.project("shop", LIMITED, allow=True)
        for name in ("default", "legacy"):
            inside = f"{words}; cd {places[1]};"
            answer = client_keys(world, shop, name, "--profile", "shop-dev", env=CLAUDE, inside=inside)
            assert isinstance(answer, str) and "the limits of ~/src/shop no longer apply" in answer, (words, answer)
            shop = world.project("shop", LIMITED, allow=True)


def test_a_person_renews_wherever_the_command_is(world, places):
    shop = world.project("shop", LIMITED, allow=True)
    for inside in ("cd /;", f"cd {places[3]};", 'rm -r "$PWD"; cd /;'):
        assert may_chain(world, client_keys(world, shop, "default", "--profile", "shop-dev", env={}, inside=inside))


def test_the_history_names_the_agent(world, shop):
    world.exec_env(shop, env=CLAUDE)
    world.exec_env(shop)
    entries = world.awsrole("history", "--json").json
    assert [entry.get("agent") for entry in entries] == ["claude-code", None]
    assert ["agent claude-code" in line for line in world.awsrole("history").out.splitlines()] == [True, False]


def test_agents_and_the_user_share_no_limited_session(world):
    """Their cache keys differ, so nobody gets the session of the other."""
    folder = world.project("shop", LIMITED, allow=True)
    first = [world.exec_env(folder, env=env)[KEYS[0]] for env in ({}, CLAUDE)]
    again = [world.exec_env(folder, env=env)[KEYS[0]] for env in ({}, CLAUDE)]
    assert first == again and first[0] != first[1]
