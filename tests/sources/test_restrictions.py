"""Tests that each restriction in a project file is sent, or that the file is rejected before any call.

crates/core/src/resolve/carried/tests.rs has a row for each source and key; here each call is made.
"""

import json

import pytest
from source_fixtures import MACHINES, SourceWorld, keys_json, sign_in
from test_programs import session_keys

from support.aws_files import aws_profile, role_profile
from support.local_sts import allow, trust
from support.world import ALICE, BYSTANDER, SEED, SERIAL, THERE

OWNER = {**ALICE, "mfa_serial": SERIAL, "mfa_seed": SEED}
ACTIONS = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
TAGGED = f'role_arn = "arn:aws:iam::{THERE}:role/Tagged"\n'

POLICY = """policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}'\n"""
KEYS = {
    "policy": POLICY,
    "policy_arns": f'policy_arns = ["{READ_ONLY}"]\n',
    "session_tags": 'session_tags = { team = "shop" }\n',
    "source_identity": 'source_identity = "ana"\n',
    "external_id": 'external_id = "shop/42"\n',
    "role_session_name": 'role_session_name = "by-file"\n',
    "duration_seconds": "duration_seconds = 1800\n",
    "mfa_serial": f'mfa_serial = "{SERIAL}"\n',
}
ALL_OF_A_ROLE = "".join(line for key, line in KEYS.items() if key != "mfa_serial") + 'transitive_session_tags = ["team"]\n'


@pytest.fixture
def machines(tmp_path):
    """Alice has a device, and any of the machines may assume the role Tagged as it likes."""
    tagged = {"name": "Tagged", "account": THERE, "trust": trust("*", actions=ACTIONS)}
    roles = [role | {"policy": allow(ACTIONS, "*")} for role in MACHINES["role"]]
    fixture = MACHINES | {"user": [OWNER, BYSTANDER], "role": [*roles, tagged]}
    with SourceWorld(tmp_path, fixture) as place:
        yield place


def static(place):
    return "jump", {}


def environment(place):
    return 'credential_source = "Environment"\n', {
        "AWS_ACCESS_KEY_ID": ALICE["access_key_id"], "AWS_SECRET_ACCESS_KEY": ALICE["secret_access_key"]}


def session(place):
    """Keys of a profile that are temporary already."""
    answer = json.loads(session_keys(place))
    place.config(f"[profile session]\naws_access_key_id = {answer['AccessKeyId']}\naws_secret_access_key = "
                 f"{answer['SecretAccessKey']}\naws_session_token = {answer['SessionToken']}\n")
    return "session", {}


def process(place):
    place.config(aws_profile("vault", credential_process=place.program(f'cat {place.home}/keys.json')))
    place.write("keys.json", session_keys(place))
    return "vault", {}


def identity_center(place):
    config = (place.home / ".aws/config").read_text()
    place.sts.write_sso_config(place.home)
    place.config(config)
    sign_in(place)
    return "sso", {}


def instance(place):
    return 'credential_source = "Ec2InstanceMetadata"\n', {"AWS_EC2_METADATA_SERVICE_ENDPOINT": place.sts.url}


def container(place):
    return 'credential_source = "EcsContainer"\n', {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{place.sts.url}/task", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic token-of-the-task"}


def web_identity(place):
    token = place.write("token", place.sts.id_token())
    place.config(f"[profile ci]\nrole_arn = arn:aws:iam::{THERE}:role/Ci\nweb_identity_token_file = {token}\n"
                 "role_session_name = by-profile\n")
    return "ci", {}


SOURCES = [static, environment, session, process, identity_center, instance, container, web_identity]
# What a source by itself sends, in addition to `policy`; each of the others is refused. tests/limits tests `policy`.
SENT_ALONE = {static: {"duration_seconds", "mfa_serial"}, environment: {"duration_seconds", "mfa_serial"},
              process: {"mfa_serial"}, web_identity: {"policy_arns", "role_session_name", "duration_seconds"}}


def named(source, key):
    """Returns the line that sets a source. A profile is set by this key."""
    return source if source.endswith("\n") else f'{key} = "{source}"\n'


def sent(call):
    """Returns the parameters of a call."""
    return {"policy": call["has_policy"], "policy_arns": call["policy_arns"], "session_tags": call["tags"],
            "transitive_session_tags": call["transitive_tag_keys"], "source_identity": call["source_identity"],
            "external_id": call["external_id"], "role_session_name": call["role_session_name"],
            "duration_seconds": call["duration_seconds"], "mfa_serial": call["serial_number"], "code": call["has_token_code"]}


EVERYTHING = {"policy": True, "policy_arns": [READ_ONLY], "session_tags": {"team": "shop"}, "transitive_session_tags": ["team"],
              "source_identity": "ana", "external_id": "shop/42", "role_session_name": "by-file", "duration_seconds": "1800",
              "mfa_serial": None, "code": False}
NOTHING = {"policy": False, "policy_arns": [], "session_tags": {}, "transitive_session_tags": [], "source_identity": None,
           "external_id": None, "role_session_name": None, "duration_seconds": None, "mfa_serial": None, "code": False}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_a_role_is_sent_everything(machines, source):
    name, env = source(machines)
    folder = machines.project("shop", named(name, "source_profile") + TAGGED + ALL_OF_A_ROLE, allow=True)
    assert machines.who(folder, env=env).endswith(":assumed-role/Tagged/by-file")
    [call] = machines.sts.calls("AssumeRole")
    assert sent(call) == EVERYTHING


REFUSED = [pytest.param(source, key, id=f"{source.__name__}-{key}") for source in SOURCES for key in KEYS
           if key not in {"policy", *SENT_ALONE.get(source, ())}]


@pytest.mark.parametrize(("source", "key"), REFUSED)
def test_a_source_by_itself(machines, source, key):
    """Refused with file and line: nobody is asked, no program is started, nothing is exported."""
    name, env = source(machines)
    folder = machines.project("shop", named(name, "profile") + KEYS[key], allow=True)
    for words in (["hook", "export", "bash", "--event", "cd"], ["exec", "--", "echo", "ran"], ["credential-process"]):
        result = machines.awsrole(*words, cwd=folder, env=machines.env | env)
        assert f"shop/.awsrole.toml:2: cannot send {key}: " in result.err and "hint: " in result.err, result
        assert "AWS_SECRET" not in result.out and "ran" not in result.out and "AccessKeyId" not in result.out, result
        assert result.code != 0 or result.out.startswith("__awsrole_done blocked "), result
    assert machines.sts.calls() == []
    # Only its answer tells whether a program gives long-lived keys, whose session would carry a duration.
    if (source, key) == (process, "duration_seconds"):
        assert machines.starts() > 0
    else:
        assert machines.starts() == 0 and machines.entries() == []


def test_a_token_is_sent_with_its_restrictions(machines):
    name, _ = web_identity(machines)
    lines = "".join(KEYS[key] for key in ["policy", *SENT_ALONE[web_identity]])
    folder = machines.project("shop", f'profile = "{name}"\n' + lines, allow=True)
    assert machines.who(folder) == f"arn:aws:sts::{THERE}:assumed-role/Ci/by-file"
    [call] = machines.sts.calls("AssumeRoleWithWebIdentity")
    assert sent(call) == NOTHING | {"policy": True, "policy_arns": [READ_ONLY], "role_session_name": "by-file",
                                    "duration_seconds": "1800"}
    assert call["access_key_id"] is None, "nobody signs it"
    # Another directory without restrictions doesn't get this session, nor this one the other's.
    plain = machines.project("plain", f'profile = "{name}"\n', allow=True)
    assert machines.who(plain).endswith("/by-profile")
    machines.who(folder)
    calls = machines.sts.calls("AssumeRoleWithWebIdentity")
    assert [sent(call)["policy"] for call in calls] == [True, False]
    assert sent(calls[1]) == NOTHING | {"role_session_name": "by-profile"}


def test_a_tokens_role_on_the_way_is_restricted(machines):
    """A chain in the file: the first role's policy is sent with the token, the second's with AssumeRole."""
    name, _ = web_identity(machines)
    may = POLICY.replace("s3:GetObject", "sts:AssumeRole")
    file = (f'default_role = "b"\n[role.a]\nprofile = "{name}"\n{may}'
            f'[role.b]\nsource_role = "a"\n{TAGGED}policy_arns = ["{READ_ONLY}"]\n')
    folder = machines.project("shop", file, allow=True)
    machines.who(folder)
    [first], [second] = machines.sts.calls("AssumeRoleWithWebIdentity"), machines.sts.calls("AssumeRole")
    assert (first["policy_arns"], first["has_policy"]) == ([], True)
    assert (second["policy_arns"], second["has_policy"]) == ([READ_ONLY], False)
    # It is in force: without the right to assume roles the second isn't had.
    (folder / ".awsrole.toml").write_text(file.replace("sts:AssumeRole", "s3:GetObject"))
    machines.allow(folder)
    assert f"STS refused arn:aws:iam::{THERE}:role/Tagged: AccessDenied\n" in machines.refused(folder)


@pytest.mark.parametrize("source", [static, environment], ids=lambda source: source.__name__)
def test_a_session_of_keys_is_sent_duration_and_code(machines, source):
    name, env = source(machines)
    machines.write("code", machines.sts.unused_totp("alice"))
    machines.write(".config/awsrole/config.toml", f"mfa_process = 'cat {machines.home}/code'\n")
    folder = machines.project("shop", named(name, "profile") + KEYS["duration_seconds"] + KEYS["mfa_serial"], allow=True)
    assert machines.who(folder, env=env).endswith(":user/alice")
    [call] = machines.sts.calls("GetSessionToken")
    assert sent(call) == NOTHING | {"duration_seconds": "1800", "mfa_serial": SERIAL, "code": True}


def test_limits_of_a_tokens_session(machines):
    name, _ = web_identity(machines)
    for seconds in (899, 43201):
        said = machines.refused(machines.project("shop", f'profile = "{name}"\nduration_seconds = {seconds}\n', allow=True), code=1)
        assert ".awsrole.toml:2: duration_seconds" in said
    # The role's own limit is STS's to say.
    said = machines.refused(machines.project("long", f'profile = "{name}"\nduration_seconds = "2h"\n', allow=True))
    assert "MaxSessionDuration" in said and "hint: lower duration_seconds" in said


# --- an MFA device with temporary credentials
# ------------------------------------------------------------------------------

@pytest.fixture
def no_code(machines):
    """The program for codes leaves a trace if it is called."""
    program = machines.program("echo 000000", "asked")
    machines.write(".config/awsrole/config.toml", f"mfa_process = '{program}'\n")
    yield machines
    assert machines.starts("asked") == 0, "a code was asked for"


@pytest.mark.parametrize("where", ["source", "role"])
@pytest.mark.parametrize("source", [session, process, identity_center], ids=lambda source: source.__name__)
def test_a_profiles_device_beside_temporary_credentials(no_code, source, where):
    """The role is assumed directly: STS would refuse the code."""
    name, env = source(no_code)
    role = role_profile("dev", "Tagged", source=name)
    device = f"mfa_serial = {SERIAL}\n"
    config = no_code.home / ".aws/config"
    if where == "source":
        config.write_text(config.read_text().replace(f"[profile {name}]\n", f"[profile {name}]\n{device}"))
    no_code.config(role + (device if where == "role" else ""))
    if where == "source":
        expected = no_code.by_cli("dev", env=env)
        no_code.sts.reset()
    folder = no_code.project("shop", 'profile = "dev"\n', allow=True)
    assert ":assumed-role/Tagged/" in no_code.who(folder, env=env)
    [call] = no_code.sts.calls("AssumeRole")
    assert sent(call) == NOTHING | {"role_session_name": "alice"}
    assert no_code.sts.calls("GetSessionToken") == []
    if where == "source":
        assert ":assumed-role/Tagged/" in expected


def test_a_profiles_device_and_no_role(no_code):
    """A session is exported as it is."""
    name, env = process(no_code)
    config = no_code.home / ".aws/config"
    config.write_text(config.read_text().replace(f"[profile {name}]\n", f"[profile {name}]\nmfa_serial = {SERIAL}\n"))
    folder = no_code.project("shop", f'profile = "{name}"\n', allow=True)
    assert no_code.who(folder).endswith("/minted")
    assert [call["action"] for call in no_code.sts.calls()] == ["GetCallerIdentity"]


def test_a_profiles_device_in_a_long_session(no_code):
    """More than an hour: the code would have gone into the role's own call."""
    name, _ = process(no_code)
    no_code.config(f"[profile dev]\nrole_arn = arn:aws:iam::{THERE}:role/Tagged\nsource_profile = {name}\nmfa_serial = {SERIAL}\n"
                   "duration_seconds = 7200\n")
    said = no_code.refused(no_code.project("shop", 'profile = "dev"\n', allow=True))
    assert "role chaining" in said
    [call] = no_code.sts.calls("AssumeRole")
    assert sent(call) == NOTHING | {"role_session_name": "alice", "duration_seconds": "7200"}


@pytest.mark.parametrize("more", ["", TAGGED, TAGGED + 'duration_seconds = "2h"\n'], ids=["no role", "a role", "a long role"])
def test_the_files_device_and_a_process(no_code, more):
    """Only the program's answer shows that no code can be sent: then the file is refused, and nothing is exported."""
    name, _ = process(no_code)
    folder = no_code.project("shop", f'{KEYS["mfa_serial"]}source_profile = "{name}"\n{more}', allow=True)
    said = no_code.refused(folder)
    assert f"shop/.awsrole.toml:1: cannot send mfa_serial: profile {name} (credential_process) returned temporary credentials" in said
    assert no_code.sts.calls() == []
    statements = no_code.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder, env=no_code.env)
    assert statements.out.startswith("__awsrole_done blocked "), statements


@pytest.mark.parametrize("more", ["", TAGGED], ids=["no role", "a role"])
def test_the_files_device_and_a_process_with_a_users_keys(machines, more):
    name, _ = process(machines)
    machines.write("keys.json", keys_json(ALICE))
    machines.write("code", machines.sts.unused_totp("alice"))
    machines.write(".config/awsrole/config.toml", f"mfa_process = 'cat {machines.home}/code'\n")
    machines.who(machines.project("shop", f'{KEYS["mfa_serial"]}source_profile = "{name}"\n{more}', allow=True))
    [call] = machines.sts.calls("GetSessionToken")
    assert sent(call) == NOTHING | {"mfa_serial": SERIAL, "code": True}


def test_a_device_above_two_roles(machines):
    """The first role is the keys themselves, the second is assumed: one session with one code."""
    machines.write("code", machines.sts.unused_totp("alice"))
    machines.write(".config/awsrole/config.toml", f"mfa_process = 'cat {machines.home}/code'\n")
    file = f'default_role = "b"\n{KEYS["mfa_serial"]}[role.a]\nprofile = "jump"\n[role.b]\nsource_role = "a"\n{TAGGED}'
    assert ":assumed-role/Tagged/" in machines.who(machines.project("shop", file, allow=True))
    actions = [call["action"] for call in machines.sts.calls() if call["action"] != "GetCallerIdentity"]
    assert actions == ["GetSessionToken", "AssumeRole"]
