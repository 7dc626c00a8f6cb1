"""Tests instances, containers, CI and the environment as sources, and the messages if they fail."""

import os
import socket
import threading

import pytest
from source_fixtures import liar

from support.aws_files import aws_profile, role_arn, role_file
from support.hooked_shell import PLACEHOLDER
from support.world import ALICE, HERE, THERE

BLOCKED_FILE = 'profile = "jump"\n'
DEPLOY = f'role_arn = "arn:aws:iam::{THERE}:role/Deploy"\n'


@pytest.fixture
def instance(machines):
    return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": machines.sts.url}


@pytest.fixture(params=["variable", "file"])
def container(machines, request):
    """Returns the container's endpoint and token in the format of ECS and of EKS."""
    env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{machines.sts.url}/task"}
    if request.param == "variable":
        return env | {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic token-of-the-task"}
    return env | {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(machines.write("eks-token", "Basic token-of-the-task"))}


def source(name):
    return f'credential_source = "{name}"\n'


def test_an_instance(machines, instance):
    folder = machines.project("shop", DEPLOY + source("Ec2InstanceMetadata"), allow=True)
    assert f"{THERE}:assumed-role/Deploy/" in machines.who(folder, env=instance)
    assert machines.callers() == [("Machine", "Deploy")]
    machines.who(folder, env=instance)
    assert len(machines.callers()) == 1
    machines.config(aws_profile("deploy", role_arn=role_arn("Deploy"), credential_source="Ec2InstanceMetadata"))
    assert f"{THERE}:assumed-role/Deploy/" in machines.by_cli("deploy", env=instance | {"AWS_EC2_METADATA_DISABLED": "false"})


def test_an_instances_own_role(machines, instance):
    folder = machines.project("shop", source("Ec2InstanceMetadata"), allow=True)
    assert machines.who(folder, env=instance) == f"arn:aws:sts::{HERE}:assumed-role/Machine/i-0123456789abcdef0"
    assert machines.callers() == []


def test_an_instances_own_role_and_a_pin(machines, instance):
    folder = machines.project("shop", source("Ec2InstanceMetadata") + f'account_id = "{THERE}"\n', allow=True)
    said = machines.refused(folder, env=instance)
    assert f"the credentials belong to account {HERE}, but account {THERE} was expected" in said
    assert "role/Machine/i-0123456789abcdef0" in said and "nothing is exported" in said


def test_an_instance_in_a_shell(machines, instance, shell):
    """From within one role into another, as from a directory into the next: the instance is asked, not the shell's keys."""
    first = machines.project("first", source("Ec2InstanceMetadata"), allow=True)
    second = machines.project("second", DEPLOY + source("Ec2InstanceMetadata"), allow=True)
    tty = machines.terminal(shell, env=machines.env | instance)
    tty.run(f"cd {first}")
    tty.run(f"cd {second}")
    assert tty.variable("AWSROLE_ROLE") == "Deploy"
    assert machines.callers() == [("Machine", "Deploy")]
    tty.run("cd /")
    assert tty.key() is None


def test_metadata_that_is_switched_off(machines, instance):
    folder = machines.project("shop", DEPLOY + source("Ec2InstanceMetadata"), allow=True)
    said = machines.refused(folder, env=instance | {"AWS_EC2_METADATA_DISABLED": "true"})
    assert "AWS_EC2_METADATA_DISABLED is true in this environment: unset it" in said


# What the snippets leave in a blocked directory, and a command or a shell that is started there finds.
IN_A_BLOCKED_SHELL = {"AWSROLE_STATE": "blocked", "AWS_PROFILE": "awsrole-blocked--run-awsrole-why", "AWS_ACCESS_KEY_ID": "awsrole-blocked--run-awsrole-why",
                     "AWS_SECRET_ACCESS_KEY": "awsrole-blocked--run-awsrole-why", "AWS_EC2_METADATA_DISABLED": "true"}


def test_an_instance_from_a_blocked_shell(machines, instance):
    """The shell has switched the metadata off, for others."""
    folder = machines.project("shop", DEPLOY + source("Ec2InstanceMetadata"), allow=True)
    assert f"{THERE}:assumed-role/Deploy/" in machines.who(folder, env=instance | IN_A_BLOCKED_SHELL)
    assert machines.callers() == [("Machine", "Deploy")]


@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
def test_an_instance_in_a_shell_from_a_blocked_one(machines, instance, kind):
    folder = machines.project("shop", DEPLOY + source("Ec2InstanceMetadata"), allow=True)
    answer = machines.awsrole("hook", "export", kind, "--event", "prompt", cwd=folder,
                              env=machines.env | instance | IN_A_BLOCKED_SHELL)
    statements = answer.out.splitlines()
    assert statements[-1].startswith("__awsrole_done role "), answer
    for name in IN_A_BLOCKED_SHELL:
        assert f"__awsrole_adopt {name} unset" in statements


@pytest.mark.parametrize("container", ["file"], indirect=True)
def test_a_container_from_a_blocked_shell(machines, container, shell):
    """The shell has hidden its address, from others; a token in a variable it couldn't show."""
    shut = machines.project("shut", BLOCKED_FILE, allow=True)
    (shut / ".awsrole.toml").write_text(BLOCKED_FILE + "# edited\n")
    folder = machines.project("shop", DEPLOY + source("EcsContainer"), allow=True)
    tty = machines.terminal(shell, shut, env=machines.env | container)
    assert (tty.key(), tty.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")) == (PLACEHOLDER, None)
    out = tty.file()
    tty.run(f"sh -c 'cd {folder} && {machines.binary} exec -- env' > {out}")
    held = dict(line.split("=", 1) for line in out.read_text().splitlines() if "=" in line)
    assert held.get("AWSROLE_ROLE") == "Deploy" and not [name for name in held if name.startswith("AWSROLE_PRIOR_")]
    inherited = {name.decode(): value.decode() for name, value in tty.env().items() if name.startswith(b"AWS")}
    nested = machines.terminal(shell, folder, env=inherited)
    assert nested.variable("AWSROLE_ROLE") == "Deploy"
    assert machines.callers() == [("Task", "Deploy")]


@pytest.mark.parametrize("name", ["Ec2InstanceMetadata", "EcsContainer"])
def test_machines_in_a_long_run(machines, instance, container, name):
    """The command finds neither of them, and its role is renewed by them."""
    folder = machines.project("shop", DEPLOY + source(name), allow=True)
    script = ("rm -r ~/.cache/awsrole/*.session; env | grep -E '^AWS_(CONTAINER|EC2_METADATA_D)'; "
              "aws sts get-caller-identity --query Arn --output text")
    done = machines.awsrole("exec", "--renew", "--", "sh", "-c", script, cwd=folder,
                            env=machines.env | instance | container | {"AWS_DEFAULT_REGION": "us-east-1"})
    assert done.code == 0, done.err
    disabled, arn = done.out.splitlines()
    assert disabled == "AWS_EC2_METADATA_DISABLED=true" and f"{THERE}:assumed-role/Deploy/" in arn
    assert [role for _, role in machines.callers()] == ["Deploy", "Deploy"]


def test_a_container(machines, container):
    folder = machines.project("shop", DEPLOY + source("EcsContainer"), allow=True)
    assert f"{THERE}:assumed-role/Deploy/" in machines.who(folder, env=container)
    assert machines.callers() == [("Task", "Deploy")]
    machines.config(aws_profile("deploy", role_arn=role_arn("Deploy"), credential_source="EcsContainer"))
    assert f"{THERE}:assumed-role/Deploy/" in machines.by_cli("deploy", env=container)


@pytest.mark.parametrize("end", ["1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_a_containers_end_that_can_not_be(machines, end):
    folder = machines.project("shop", source("EcsContainer"), allow=True)
    with liar(machines.sts.url, lambda answer: answer | {"Expiration": end}) as url:
        env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/task", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic token-of-the-task"}
        assert "caused by: " in machines.refused(folder, env=env)
    assert machines.entries() == []


def test_a_containers_own_role(machines, container):
    folder = machines.project("shop", source("EcsContainer"), allow=True)
    assert f"{HERE}:assumed-role/Task/" in machines.who(folder, env=container)
    assert machines.callers() == []


def test_a_container_with_a_wrong_token(machines):
    folder = machines.project("shop", source("EcsContainer"), allow=True)
    env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{machines.sts.url}/task", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic canary-of-a-token"}
    machines.secrets.add("canary-of-a-token")
    assert f"{machines.sts.url}/task" in machines.refused(folder, env=env)


def test_no_container(machines):
    folder = machines.project("shop", source("EcsContainer"), allow=True)
    said = machines.refused(folder)
    assert "no endpoint is set" in said and "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" in said


# --- nobody answers --------------------------------------------------------------------------------------------------

@pytest.fixture
def blocked_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def silent_port():
    """A server that accepts connections and never responds."""
    held = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        def accept():
            try:
                while True:
                    held.append(server.accept()[0])
            except OSError:
                pass

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    for one in held:
        one.close()


@pytest.mark.parametrize(("kind", "port"), [
    ("Ec2InstanceMetadata", "blocked_port"),
    ("Ec2InstanceMetadata", "silent_port"),
    ("EcsContainer", "blocked_port"),
    ("EcsContainer", "silent_port"),
])
def test_nobody_answers(machines, request, port, kind):
    """It ends by itself, within the user's limits, and says which address was tried."""
    url = request.getfixturevalue(port)
    machines.write(".config/awsrole/config.toml", '[limits]\nconnect = "1s"\nwhole = "2s"\n')
    folder = machines.project("shop", DEPLOY + source(kind), allow=True)
    env = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": url, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/task"}
    said = machines.refused(folder, env=env, timeout=12)
    assert url in said and "caused by: " in said
    assert machines.callers() == []


@pytest.mark.parametrize("port", ["blocked_port", "silent_port"])
def test_nobody_answers_as_sts(machines, request, port):
    url = request.getfixturevalue(port)
    machines.write(".config/awsrole/config.toml", '[limits]\nconnect = "1s"\nwhole = "2s"\n')
    folder = machines.project("shop", DEPLOY + 'source_profile = "jump"\n', allow=True)
    said = machines.refused(folder, env={"AWS_ENDPOINT_URL": url}, timeout=45)
    assert f"{url} is unreachable" in said
    if port == "silent_port":
        assert "within 2 s" in said


def test_a_shell_is_blocked_meanwhile(machines, blocked_port, shell):
    folder = machines.project("shop", source("Ec2InstanceMetadata"), allow=True)
    tty = machines.terminal(shell, env=machines.env | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": blocked_port}, timeout=45)
    said = tty.run(f"cd {folder}")
    assert blocked_port in said and said.count("EC2 instance metadata at") == 1
    assert tty.key() == PLACEHOLDER
    assert "awsrole:" not in tty.run("")


# --- the environment, and CI -----------------------------------------------------------------------------------------

def test_the_environment(machines):
    folder = machines.project("shop", DEPLOY + source("Environment"), allow=True)
    keys = {"AWS_ACCESS_KEY_ID": ALICE["access_key_id"], "AWS_SECRET_ACCESS_KEY": ALICE["secret_access_key"]}
    assert f"{THERE}:assumed-role/Deploy/" in machines.who(folder, env=keys)
    machines.config(aws_profile("deploy", role_arn=role_arn("Deploy"), credential_source="Environment"))
    assert f"{THERE}:assumed-role/Deploy/" in machines.by_cli("deploy", env=keys)


def test_a_secret_in_the_environments_ids_place_is_not_shown(machines):
    folder = machines.project("shop", DEPLOY + source("Environment"), allow=True)
    env = {"AWS_ACCESS_KEY_ID": ALICE["secret_access_key"], "AWS_SECRET_ACCESS_KEY": ALICE["access_key_id"]}
    for words in (["exec", "--", "true"], ["status", "--long"], ["why"], ["policy"]):
        result = machines.awsrole(*words, cwd=folder, env=machines.env | env)
        assert ALICE["secret_access_key"] not in result.out + result.err, words
        assert "AWS_ACCESS_KEY_ID isn't an access key ID" in result.out + result.err, words
    assert machines.sts.calls() == []


def test_the_environments_keys_alone_become_a_session(machines):
    folder = machines.project("shop", source("Environment"), allow=True)
    keys = {"AWS_ACCESS_KEY_ID": ALICE["access_key_id"], "AWS_SECRET_ACCESS_KEY": ALICE["secret_access_key"]}
    held = machines.exec_env(folder, env=machines.env | keys)
    assert held["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert [call["action"] for call in machines.sts.calls()] == ["GetSessionToken"]


def test_the_environment_from_within(machines):
    """The keys are in the outer environment. A command inside cannot see them and says so. The current role may be
    passed on.
    """
    folder = machines.project("shop", DEPLOY + source("Environment"), allow=True)
    keys = {"AWS_ACCESS_KEY_ID": ALICE["access_key_id"], "AWS_SECRET_ACCESS_KEY": ALICE["secret_access_key"]}
    held = machines.exec_env(folder, env=machines.env | keys)
    inherited = {name: value for name, value in held.items() if name.startswith("AWS")}
    for path in machines.entries():
        path.unlink()
    result = machines.awsrole("exec", "--", "printenv", "AWS_ACCESS_KEY_ID", cwd=folder, env=inherited)
    assert ("Deploy", "Deploy") not in machines.callers()
    assert result.out.strip() in ("", held["AWS_ACCESS_KEY_ID"])
    if result.code:
        assert "aren't available to commands run inside it" in result.err


@pytest.fixture
def ci(machines):
    machines.write("token", machines.sts.id_token())
    machines.config(aws_profile("ci", role_arn=role_arn("Ci"), web_identity_token_file="~/token", role_session_name="build-7"))
    return machines


def test_a_token_of_ci(ci):
    folder = ci.project("shop", 'profile = "ci"\n', allow=True)
    assert ci.who(folder) == f"arn:aws:sts::{THERE}:assumed-role/Ci/build-7"
    ci.who(folder)
    assert len(ci.sts.calls("AssumeRoleWithWebIdentity")) == 1 and ci.callers() == []


def test_a_token_of_ci_and_the_aws_cli(ci):
    path = ci.home / ".aws/config"
    path.write_text(path.read_text().replace("~/token", str(ci.home / "token")))
    folder = ci.project("shop", 'profile = "ci"\n', allow=True)
    assert ci.who(folder) == ci.by_cli("ci")


def test_a_token_of_ci_and_the_next_role(ci):
    folder = ci.project("shop", DEPLOY + 'source_profile = "ci"\n', allow=True)
    assert f"{THERE}:assumed-role/Deploy/" in ci.who(folder)
    assert ci.callers() == [("Ci", "Deploy")]


def test_a_token_that_is_read_anew(ci):
    """Others renew the file: it is read at every call."""
    folder = ci.project("shop", 'profile = "ci"\n', allow=True)
    ci.write("token", ci.sts.id_token(lifetime_seconds=-600))
    assert "the token in" in ci.refused(folder)
    ci.write("token", ci.sts.id_token())
    for failure in ci.entries("failure"):
        failure.unlink()
    assert f"{THERE}:assumed-role/Ci/" in ci.who(folder)


@pytest.mark.parametrize("order", [{"foreign_key": True}, {"audience": "somebody-else"}, {"lifetime_seconds": -600}],
                         ids=["signature", "audience", "expired"])
def test_a_token_that_opens_nothing(ci, order):
    token = ci.sts.id_token(**order)
    ci.write("token", token)
    ci.secrets.add(token)
    said = ci.refused(ci.project("shop", 'profile = "ci"\n', allow=True))
    assert f"cannot use the token in {ci.home}/token for arn:aws:iam::{THERE}:role/Ci" in said
    assert "caused by: " in said and "hint: " in said


def test_a_token_file_that_is_gone(ci):
    (ci.home / "token").unlink()
    said = ci.refused(ci.project("shop", 'profile = "ci"\n', allow=True))
    assert f"{ci.home}/token" in said and "No such file" in said
    assert ci.sts.calls() == []


# --- bad moments -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("fault", [{"throttle": True}, {"unavailable": True}, {"drop": True}], ids=lambda fault: next(iter(fault)))
def test_each_link_is_tried_again(ci, fault):
    folder = ci.project("shop", DEPLOY + 'source_profile = "ci"\n', allow=True)
    for action in ("AssumeRoleWithWebIdentity", "AssumeRole"):
        ci.sts.fault(action=action, times=1, **fault)
    assert f"{THERE}:assumed-role/Deploy/" in ci.who(folder)
    outcomes = [(call["action"], call["outcome"] == "OK") for call in ci.sts.calls() if call["action"].startswith("Assume")]
    assert outcomes == [("AssumeRoleWithWebIdentity", False), ("AssumeRoleWithWebIdentity", True), ("AssumeRole", False), ("AssumeRole", True)]


@pytest.mark.parametrize(("action", "fault"), [
    ("GetInstanceCredentials", {"unavailable": True}),
    ("GetInstanceCredentials", {"drop": True}),
    ("GetContainerCredentials", {"unavailable": True}),
    ("GetContainerCredentials", {"drop": True}),
])
def test_machines_are_tried_again(machines, action, fault):
    kind, role = ("Ec2InstanceMetadata", "Machine") if "Instance" in action else ("EcsContainer", "Task")
    env = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": machines.sts.url, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{machines.sts.url}/task",
           "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic token-of-the-task"}
    machines.sts.fault(action=action, times=1, **fault)
    assert f":assumed-role/{role}/" in machines.who(machines.project("shop", source(kind), allow=True), env=env)
    assert len(machines.sts.calls(action)) == 2


def test_attempts_at_an_instance_are_the_users(machines):
    folder = machines.project("shop", source("Ec2InstanceMetadata"), allow=True)
    env = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": machines.sts.url, "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "1"}
    machines.sts.fault(action="GetInstanceCredentials", times=1, unavailable=True)
    machines.refused(folder, env=env)
    assert len(machines.sts.calls("GetInstanceCredentials")) == 1
    result = machines.awsrole("exec", "--", "true", cwd=folder, env=env | {"AWS_METADATA_SERVICE_TIMEOUT": "soon"})
    assert result.code == 1 and "AWS_METADATA_SERVICE_TIMEOUT `soon` isn't a whole number" in result.err


def test_a_refusal_is_not_tried_again(machines):
    folder = machines.project("shop", role_file("Machine", HERE), allow=True)
    machines.refused(folder)
    assert machines.callers() == [("alice", "Machine")]


@pytest.mark.parametrize(("offset", "word"), [(1800, "slow"), (-1800, "fast")])
def test_a_clock_that_is_off_is_said_in_minutes(machines, offset, word):
    """Half an hour is more than STS puts up with."""
    machines.sts.fault(clock_offset_seconds=offset)
    folder = machines.project("shop", DEPLOY + 'source_profile = "jump"\n', allow=True)
    result = machines.awsrole("exec", "--", "true", cwd=folder, env=machines.env)
    assert "30 minutes" in result.err and word in result.err and "clock" in result.err, result


def test_the_process_ends_with_its_shell(machines, silent_port):
    """Ctrl-C while the instance doesn't answer: the prompt is there, the rest of the line isn't run."""
    folder = machines.project("shop", source("Ec2InstanceMetadata"), allow=True)
    tty = machines.terminal("bash", env=machines.env | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": silent_port})
    ran = tty.file("ran")
    tty.type(f"cd {folder} && touch {ran}")
    tty.process.expect_exact("waiting for EC2 instance metadata")
    tty.interrupt()
    tty.wait()
    tty.run("")
    assert not os.path.exists(ran) and tty.key() == PLACEHOLDER
