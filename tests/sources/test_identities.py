"""Tests that a cached session is used only if its source would return the same identity."""

import base64
import json
import os

import pytest
from source_fixtures import ADMIN, MACHINES, SSO, SourceWorld, boto3, keys_json, sign_in

from support import sealed
from support.aws_files import aws_profile, role_arn
from support.world import ALICE, BYSTANDER, THERE

ROLE = f'role_arn = "arn:aws:iam::{THERE}:role/Deploy"\n'
SHARED = ROLE + 'source_profile = "vault"\n'

# Answers with the keys that are in the file which the environment, or else the working directory, names.
BY_SURROUNDINGS = 'cat "${KEYS_FILE:-$PWD/keys.json}"'


@pytest.fixture
def two(machines):
    """Two projects of one profile; its program gives alice's keys in one, a machine's in the other."""
    machines.config(aws_profile("vault", credential_process=machines.program(BY_SURROUNDINGS)))
    one, other = (machines.project(name, SHARED, allow=True) for name in ("one", "other"))
    (one / "keys.json").write_text(keys_json(ALICE))
    (other / "keys.json").write_text(of_role(machines, "Near"))
    return machines, one, other


def of_role(place, session):
    """A session of another user's, as a program would print it."""
    client = boto3.client("sts", endpoint_url=place.sts.url, region_name="us-east-1",
                          aws_access_key_id=BYSTANDER["access_key_id"], aws_secret_access_key=BYSTANDER["secret_access_key"])
    given = client.assume_role(RoleArn=f"arn:aws:iam::{THERE}:role/Deploy", RoleSessionName=session)["Credentials"]
    place.secrets |= {given["SecretAccessKey"], given["SessionToken"]}
    place.sts.reset()
    person = {"access_key_id": given["AccessKeyId"], "secret_access_key": given["SecretAccessKey"]}
    return keys_json(person, SessionToken=given["SessionToken"], Expiration=given["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"))


def refused_for(place, folder, env=None):
    """The second identity may not assume the role. If it is refused, it didn't get the first one's session."""
    return place.refused(folder, env=env)


def test_a_program_that_looks_at_its_directory(two):
    machines, one, other = two
    assert machines.who(one).endswith(":assumed-role/Deploy/alice")
    refused_for(machines, other)
    assert machines.starts() == 2
    assert machines.who(one).endswith(":assumed-role/Deploy/alice")
    assert machines.starts() == 2, "where nothing differs the cached session serves"


@pytest.mark.parametrize("name", ["KEYS_FILE", "AWS_CONFIG_FILE"])
def test_a_program_in_another_environment(two, name, tmp_path):
    machines, one, other = two
    machines.who(one)
    if name == "AWS_CONFIG_FILE":
        second = machines.write("second-config", (machines.home / ".aws/config").read_text().replace("/program", "/second"))
        machines.program(f"cat {other}/keys.json", "second")
        env = {name: str(second)}
    else:
        env = {name: str(other / "keys.json")}
    refused_for(machines, one, env)
    assert machines.who(one).endswith("/alice"), "the first one's is still there"


def test_what_a_terminal_is_called_changes_nothing(two):
    machines, one, _ = two
    machines.who(one)
    machines.who(one, env={"SHLVL": "4", "OLDPWD": "/", "COLUMNS": "200", "WINDOWID": "9", "TMUX_PANE": "%3", "_": "/bin/x"})
    assert machines.starts() == 1 and len(machines.assumed()) == 1


def test_a_program_that_gives_the_same_keys_elsewhere(machines):
    """It is started, since nobody can know; but STS isn't asked: the session is that of the same keys."""
    machines.config(aws_profile("vault", credential_process=machines.program(f'''echo '{keys_json(ALICE)}' ''')))
    folder = machines.project("shop", SHARED, allow=True)
    machines.who(folder)
    machines.who(folder, env={"VAULT_ADDR": "https://elsewhere"})
    assert (machines.starts(), len(machines.assumed())) == (2, 1)


def test_a_program_that_answers_for_somebody_else_from_now_on(two):
    """After `refresh` its new answer counts, and no session of the one before is left for anybody."""
    machines, one, other = two
    machines.who(one)
    os.replace(other / "keys.json", one / "keys.json")
    assert machines.awsrole("refresh", cwd=one, env=machines.env).code == 0
    refused_for(machines, one)
    said = machines.awsrole("hook", "export", "bash", "--event", "prompt", cwd=one, env=machines.env)
    assert "__awsrole_done blocked " in said.out and "ASIA" not in said.out


def test_keys_that_rotate_keep_the_role_while_sts_is_away(machines):
    """With each start the program gives other keys of the same user: the old session serves to its end."""
    folder = machines.project("shop", SHARED, allow=True)
    machines.write("keys.json", keys_json(ALICE))
    machines.config(aws_profile("vault", credential_process=machines.program(f'cat {machines.home}/keys.json')))
    before = machines.exec_env(folder, env=machines.env)["AWS_ACCESS_KEY_ID"]
    machines.write("keys.json", of_role(machines, "other"))
    machines.awsrole("refresh", cwd=folder, env=machines.env)
    machines.sts.fault(action="AssumeRole", unavailable=True)
    for _ in range(2):
        assert machines.exec_env(folder, env=machines.env)["AWS_ACCESS_KEY_ID"] == before


def test_two_hosts_share_a_home(machines):
    """On each the instance may have a role of its own: it is asked."""
    if os.geteuid():
        pytest.skip("only root can make a host name of its own")
    folder = machines.project("shop", ROLE + 'credential_source = "Ec2InstanceMetadata"\n', allow=True)
    env = machines.env | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": machines.sts.url}
    here = machines.exec_env(folder, env=env)
    machines.sts.reset()
    renamed = ("unshare", "--uts", "sh", "-c", 'echo elsewhere >/proc/sys/kernel/hostname && exec "$@"', "sh")
    elsewhere = machines.awsrole("exec", "--", "true", cwd=folder, env=env, wrapper=renamed)
    assert elsewhere.code == 0, elsewhere.err
    assert machines.sts.calls() != [] and machines.assumed() == [], "its keys are the same here, so their session serves"
    machines.sts.reset()
    assert machines.exec_env(folder, env=env) == here and machines.sts.calls() == []


def test_two_hosts_keep_their_own_sessions(machines):
    """What one host's key encrypts isn't overwritten by another's."""
    folder = machines.project("shop", ROLE + 'source_profile = "jump"\n', allow=True)
    machines.who(folder)
    first = machines.entries()
    kept = sealed.key(machines.cache)
    sealed.forget(machines.cache)
    machines.who(folder)
    assert len(machines.assumed()) == 2 and set(first) < set(machines.entries())
    assert kept != sealed.key(machines.cache)


def pod(name, **claims):
    """A pod's token."""
    part = lambda text: base64.urlsafe_b64encode(json.dumps(text).encode()).rstrip(b"=").decode()  # noqa: E731
    return f"{part({})}.{part({'iss': 'https://eks', 'sub': f'system:serviceaccount:shop:{name}', **claims})}.signed"


def test_pods_share_a_home(tmp_path):
    """EKS Pod Identity: address and path of the token are the same in each pod, the token's subject isn't."""
    fixture = MACHINES | {"container": MACHINES["container"] | {"token": pod("one", exp=1)}}
    with SourceWorld(tmp_path, fixture) as place:
        folder = place.project("shop", ROLE + 'credential_source = "EcsContainer"\n', allow=True)
        token = place.write("token", pod("one", exp=1))
        env = place.env | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{place.sts.url}/task",
                           "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token)}
        place.exec_env(folder, env=env)
        token.write_text(pod("one", exp=2))
        place.exec_env(folder, env=env)
        assert len(place.assumed()) == 1, "a renewed token of the same pod"
        token.write_text(pod("two", exp=2))
        assert "container credentials" in place.refused(folder, env=env), "the agent doesn't know this pod"
        token.unlink()
        place.refused(folder, env=env)


def test_a_token_of_another_subject(machines):
    """Another subject in the same token file causes a new call, whatever is cached."""
    machines.config(aws_profile("ci", role_arn=role_arn("Ci"), web_identity_token_file=f"{machines.home}/token"))
    folder = machines.project("shop", 'profile = "ci"\n', allow=True)
    machines.write("token", machines.sts.id_token(subject="repo:shop"))
    machines.exec_env(folder, env=machines.env)
    machines.write("token", machines.sts.id_token(subject="repo:shop"))
    machines.exec_env(folder, env=machines.env)
    assert len(machines.sts.calls("AssumeRoleWithWebIdentity")) == 1
    machines.write("token", machines.sts.id_token(subject="repo:other"))
    machines.exec_env(folder, env=machines.env)
    assert len(machines.sts.calls("AssumeRoleWithWebIdentity")) == 2
    machines.write("token", "garbled")
    machines.refused(folder)


def test_after_a_sign_out_no_session_is_served(corp):  # noqa: F811
    folder = corp.project("shop", SSO, allow=True)
    chained = corp.project("chained", ROLE + 'source_profile = "admin"\n', allow=True)
    corp.config(aws_profile("admin", sso_session="corp", sso_account_id="111111111111", sso_role_name="Admin"))
    sign_in(corp)
    assert corp.who(folder) == ADMIN and corp.who(chained).startswith(f"arn:aws:sts::{THERE}:assumed-role/Deploy/")
    calls = len(corp.sts.calls())
    corp.sts.sso_cache_path(corp.home, "corp").unlink()
    for project in (folder, chained):
        assert "the user hasn't signed in" in corp.refused(project)
        said = corp.awsrole("hook", "export", "bash", "--event", "prompt", cwd=project, env=corp.env)
        assert "__awsrole_done blocked " in said.out
    assert len(corp.sts.calls()) == calls
    sign_in(corp)
    assert corp.who(folder) == ADMIN


def test_another_portal_is_another_identity(corp):  # noqa: F811
    folder = corp.project("shop", SSO, allow=True)
    sign_in(corp)
    assert corp.who(folder) == ADMIN
    corp.refused(folder, env={"AWS_ENDPOINT_URL_SSO": "http://127.0.0.1:1"})
    assert corp.who(folder) == ADMIN


@pytest.mark.parametrize("kind", ["program", "Identity Center", "web identity", "instance", "container"])
def test_a_hit_asks_nobody(corp, kind):  # noqa: F811
    """No program, no connection, whatever the source is."""
    env = dict(corp.env)
    match kind:
        case "program":
            corp.config(aws_profile("vault", credential_process=corp.program(f'''echo '{keys_json(ALICE)}' ''')))
            text = SHARED
        case "Identity Center":
            sign_in(corp)
            text = SSO
        case "web identity":
            corp.config(aws_profile("ci", role_arn=role_arn("Ci"), web_identity_token_file=f"{corp.home}/token"))
            corp.write("token", corp.sts.id_token())
            text = 'profile = "ci"\n'
        case "instance":
            env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = corp.sts.url
            text = ROLE + 'credential_source = "Ec2InstanceMetadata"\n'
        case "container":
            env |= {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{corp.sts.url}/task",
                    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic token-of-the-task"}
            text = ROLE + 'credential_source = "EcsContainer"\n'
    folder = corp.project("kind", text, allow=True)
    corp.exec_env(folder, env=env)
    corp.sts.reset()
    starts = corp.starts()
    trace = corp.home / "trace"
    words = ["hook", "export", "bash", "--event", "prompt", "--", folder / ".awsrole.toml"]
    said = corp.awsrole(*words, cwd=folder, env=env, wrapper=("strace", "-f", "-qq", "-e", "trace=execve,connect,openat", "-o", trace))
    assert "__awsrole_done role " in said.out and corp.starts() == starts and corp.sts.counts() == {"connections": 0}
    calls = trace.read_text().splitlines()
    assert sum("execve(" in call for call in calls) == 1 and not any("connect(" in call for call in calls)
    # The index of the last key id for what isn't keys, and a token where there is one.
    opened = [call for call in calls if str(corp.home) in call and "ENOENT" not in call]
    assert len(opened) <= 8, "\n".join(opened)
