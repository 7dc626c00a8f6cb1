"""Tests `credential_process`: a program of the user provides the first credentials."""

import contextlib
import json
import os
import pathlib
import subprocess

import boto3
import pytest
from source_fixtures import caller, keys_json

from support.aws_files import aws_profile, role_file, role_profile
from support.hooked_shell import PLACEHOLDER, wait_for
from support.world import ALICE, BYSTANDER, HERE, THERE

DEPLOY = role_file("Deploy", source="vault")
CANARY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYCANARYCANARY"


@pytest.fixture
def vault(machines):
    """`vault(script)` creates the program of the profile `vault`, and a project whose role uses it."""
    def make(script, file=DEPLOY):
        machines.config(aws_profile("vault", credential_process=machines.program(script)))
        machines.secrets.add(CANARY)
        return machines.project("shop", file, allow=True)

    return make


def session_keys(place, seconds=3600):
    """A role's session as a program would print it."""
    client = boto3.client("sts", endpoint_url=place.sts.url, region_name="us-east-1", aws_access_key_id=ALICE["access_key_id"],
                          aws_secret_access_key=ALICE["secret_access_key"])
    given = client.assume_role(RoleArn=f"arn:aws:iam::{THERE}:role/Deploy", RoleSessionName="minted")["Credentials"]
    person = {"access_key_id": given["AccessKeyId"], "secret_access_key": given["SecretAccessKey"]}
    place.secrets |= {given["SecretAccessKey"], given["SessionToken"]}
    place.sts.reset()
    return keys_json(person, SessionToken=given["SessionToken"], Expiration=given["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"))


def test_its_keys_assume_the_role(machines, vault):
    folder = vault(f"echo '{keys_json(ALICE)}'")
    assert f"{THERE}:assumed-role/Deploy/" in machines.who(folder)
    assert machines.callers() == [("alice", "Deploy")]
    machines.who(folder)
    assert machines.starts() == 1, "the role is kept, so the program isn't started again"
    machines.config(role_profile("deploy", "Deploy", source="vault"))
    assert f"{THERE}:assumed-role/Deploy/" in machines.by_cli("deploy")


def test_its_session_is_exported_as_it_is(machines, vault):
    folder = vault(f"cat {machines.home}/keys.json", 'profile = "vault"\n')
    machines.write("keys.json", session_keys(machines))
    assert machines.who(folder).endswith(":assumed-role/Deploy/minted")
    assert machines.who(folder).endswith(":assumed-role/Deploy/minted")
    assert machines.starts() == 1 and machines.sts.calls("AssumeRole") == []
    assert machines.by_cli("vault") == machines.who(folder)


def test_long_lived_keys_become_a_session(machines, vault):
    """They themselves are never exported."""
    folder = vault(f"echo '{keys_json(ALICE)}'", 'profile = "vault"\n')
    held = machines.exec_env(folder, env=machines.env)
    assert held["AWS_ACCESS_KEY_ID"].startswith("ASIA") and held["AWS_SESSION_TOKEN"]
    assert machines.who(folder).endswith(":user/alice") and machines.by_cli("vault").endswith(":user/alice")
    assert machines.starts() == 2 and len(machines.sts.calls("GetSessionToken")) == 1, "the second is the AWS CLI's"


def test_its_session_must_belong_to_the_pinned_account(machines, vault):
    folder = vault(f"cat {machines.home}/keys.json", f'profile = "vault"\naccount_id = "{HERE}"\n')
    machines.write("keys.json", session_keys(machines))
    said = machines.refused(folder)
    assert f"the credentials belong to account {THERE}, but account {HERE} was expected" in said


BAD = {
    "no JSON": ("echo 'not json {CANARY}'", "isn't the JSON that SDKs expect"),
    "nothing": ("true", "printed nothing"),
    "JSON of something else": ("echo '[\"CANARY\"]'", "isn't the JSON that SDKs expect"),
    "wrong type": ("echo '{\"Version\": 1, \"AccessKeyId\": 1, \"SecretAccessKey\": \"CANARY\"}'", "isn't the JSON"),
    "no secret": ("echo '{\"Version\": 1, \"AccessKeyId\": \"CANARY\"}'", "isn't the JSON"),
    "another version": (f"echo '{keys_json(ALICE, Version=2)}'", "its output has version 2, not 1"),
    "not zero": ("echo '{\"Version\": 1, \"SecretAccessKey\": \"CANARY\"'; exit 3", "ended with exit code 3"),
    "killed": ("echo 'CANARY'; kill -9 $$", "ended with"),
    "time in words": (f"echo '{keys_json(BYSTANDER, SessionToken='CANARY', Expiration='tomorrow')}'", "its Expiration isn't a time"),
    "not there": ("exec /nowhere/at/all", "127"),
    "bytes": ("printf '\\377\\376'", "printed output that can't be read"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_it_must_not_do(machines, vault, case):
    script, part = BAD[case]
    folder = vault(script.replace("CANARY", CANARY))
    said = machines.refused(folder)
    assert part in said and "the credential_process of profile vault returned no credentials" in said
    # Whatever it printed, a person doesn't see it again, nor is it kept.
    statements = machines.awsrole("hook", "export", "bash", cwd=folder, env=machines.env)
    assert statements.out.startswith("__awsrole_done blocked ")
    for words in (["status", "--long"], ["why"]):
        result = machines.awsrole(*words, cwd=folder, env=machines.env)
        assert CANARY not in result.out + result.err
    assert not [path for path in (machines.home / ".cache").rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    assert machines.sts.calls() == []


def test_expired_credentials_are_not_passed_on(machines, vault):
    folder = vault(f"echo '{keys_json(BYSTANDER, SessionToken='t', Expiration='2020-01-01T00:00:00Z')}'", 'profile = "vault"\n')
    result = machines.awsrole("exec", "--", "echo", "ran", cwd=folder, env=machines.env)
    assert result.code == 4 and result.out == "", result


@pytest.fixture
def slow(machines, vault):
    """A program that never ends. Its processes are killed after the test."""
    machines.write(".config/awsrole/config.toml", '[limits]\nprocess = "1s"\n')
    # Its stderr is the person's, so that a program which stays would hold it open.
    yield vault(f"exec 2>/dev/null; echo $$ > {machines.home}/pid; exec sleep 600")
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        os.kill(int((machines.home / "pid").read_text()), 9)


def test_it_has_a_limit_that_the_user_sets(machines, slow):
    assert "it did not finish within 1 s" in machines.refused(slow, timeout=30)
    assert machines.sts.calls() == []


def test_nothing_of_it_stays_behind(machines, slow):
    machines.refused(slow, timeout=30)
    status = pathlib.Path("/proc", (machines.home / "pid").read_text().strip(), "stat")
    # The parent of an orphan may take a while to reap it.
    assert not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_the_limit_is_no_time_limit_of_a_project(machines, vault):
    """It is the user's own config that sets limits, no project's."""
    result = machines.awsrole("allow", machines.project("evil", DEPLOY + '[limits]\nprocess = "1s"\n'))
    assert result.code == 1 and "limits" in result.err


def test_what_it_says_to_the_person_is_seen(machines, vault, shell):
    folder = vault(f"echo 'touch your key' >&2; echo '{keys_json(ALICE)}'")
    tty = machines.terminal(shell, env=machines.env)
    assert "touch your key" in tty.run(f"cd {folder}")
    assert tty.key().startswith("ASIA")


def test_it_may_ask_on_the_terminal(machines, vault, shell):
    folder = vault(f"printf 'PIN of the vault? ' >/dev/tty; read pin </dev/tty; test \"$pin\" = 42 && echo '{keys_json(ALICE)}'")
    tty = machines.terminal(shell, env=machines.env)
    tty.type(f"cd {folder}")
    tty.process.expect_exact("PIN of the vault? ")
    tty.answer("42")
    assert tty.key().startswith("ASIA")


def test_it_does_not_read_what_is_typed_for_the_shell(machines, vault):
    folder = vault(f"cat >/dev/null; echo '{keys_json(ALICE)}'")
    assert f"{THERE}:assumed-role/Deploy/" in machines.who(folder)


def test_it_gets_the_shells_environment(machines, vault):
    folder = vault(f"env > {machines.home}/seen; echo '{keys_json(ALICE)}'")
    machines.who(folder, env={"VAULT_ADDR": "https://vault.example", "AWS_PROFILE": "mine"})
    seen = (machines.home / "seen").read_text()
    assert "VAULT_ADDR=https://vault.example\n" in seen and "AWS_PROFILE=mine\n" in seen


def test_it_is_a_line_for_the_shell(machines):
    """As the AWS CLI documents it: words in double quotes, with spaces in paths."""
    path = machines.write("my tools/keys of mine", f"#!/bin/sh\ntest \"$1\" = 'two words' && echo '{keys_json(ALICE)}'\n")
    path.chmod(0o755)
    machines.config(aws_profile("vault", credential_process=f'"{path}" "two words"'))
    assert "assumed-role/Deploy/" in machines.who(machines.project("shop", DEPLOY, allow=True))


def test_it_leads_back_to_itself(machines, vault):
    folder = machines.home / "src/shop"
    folder = vault(f"exec {machines.binary} credential-process --dir {folder}", 'profile = "vault"\n')
    said = machines.refused(folder, timeout=30)
    assert "this credential_process leads back to itself" in said
    assert machines.starts() == 1


def test_it_may_be_awsrole_for_another_directory(machines):
    """An editor's profile, say, used by a project: no circle."""
    deploy = machines.project("deploy", role_file("Deploy"), allow=True)
    machines.config(aws_profile("editor", credential_process=f"{machines.binary} credential-process --dir {deploy}"))
    folder = machines.project("shop", 'profile = "editor"\n', allow=True)
    assert f"{THERE}:assumed-role/Deploy/" in machines.who(folder)
    assert machines.by_cli("editor") == machines.who(folder)


def test_that_directory_may_have_a_program_of_its_own(machines):
    program = machines.program(f"echo '{keys_json(ALICE)}'")
    machines.config(aws_profile("vaulted", credential_process=program))
    shop = machines.project("shop", DEPLOY.replace('"vault"', '"vaulted"'), allow=True)
    machines.config(f"[profile 'the shop']\ncredential_process = {machines.binary} credential-process --dir {shop}\n")
    folder = machines.project("a", 'profile = "the shop"\n', allow=True)
    assert f"{THERE}:assumed-role/Deploy/" in machines.who(folder)
    assert machines.starts() == 1


def test_two_programs_lead_back_to_each_other(machines):
    for one, other in (("a", "b"), ("b", "a")):
        folder = machines.project(one, f'profile = "{one}"\n', allow=True)
        machines.config(f"[profile {other}]\ncredential_process = {machines.binary} credential-process --dir {folder}\n")
    said = machines.refused(folder, code=1, timeout=30)
    assert f"{folder}/.awsrole.toml:1: profile `b` leads back to itself" in said and "it runs awsrole for a project" in said
    assert machines.sts.calls() == []


def test_a_failure_is_believed_for_a_while(machines, vault, shell):
    folder = vault("echo 'vault is sealed' >&2; exit 1")
    tty = machines.terminal(shell, env=machines.env)
    assert "vault is sealed" in tty.run(f"cd {folder}")
    starts = machines.starts()
    for line in ("", "true", ""):
        assert "sealed" not in tty.run(line)
    assert (machines.starts(), tty.key()) == (starts, PLACEHOLDER)
    machines.program(f"echo '{keys_json(ALICE)}'")

    # Within seconds it is taken for the answer that another terminal got at the same moment.
    def comes_back():
        tty.run("cd /")
        tty.run(f"cd {folder}")
        return tty.key().startswith("ASIA")

    wait_for(comes_back)


def test_many_shells_start_it_once(machines, vault):
    folder = vault(f"while ! test -e {machines.home}/go; do sleep 0.02; done; cat {machines.home}/keys.json", 'profile = "vault"\n')
    machines.write("keys.json", session_keys(machines))
    env = machines.environment(**machines.env, PWD=str(folder))
    running = [subprocess.Popen([machines.binary, "exec", "--", "printenv", "AWS_ACCESS_KEY_ID"], cwd=folder, env=env,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(5)]
    wait_for(machines.starts)
    machines.write("go", "")
    keys = {process.communicate(timeout=60)[0] for process in running}
    assert len(keys) == 1 and keys.pop().startswith("ASIA")
    assert machines.starts() == 1


def test_the_program_and_the_shell_are_one_identity(machines, vault, shell):
    folder = vault(f"cat {machines.home}/keys.json", 'profile = "vault"\n')
    machines.write("keys.json", session_keys(machines))
    tty = machines.terminal(shell, env=machines.env)
    tty.run(f"cd {folder}")
    held = {name.decode(): value.decode() for name, value in tty.env().items()}
    assert caller(machines.sts, held).endswith("/minted")
    assert json.loads(held["AWSROLE_STATE"])["account"] in ("", THERE)
