"""Tests hints: the test does exactly what a message advises, and then the role works."""

import re
import subprocess

import pytest

from support.local_sts import LocalSts, allow, binary, trust, user
from support.world import HERE, THERE, World

SERIAL = f"arn:aws:iam::{HERE}:mfa/alice"
ALICE = user("alice", HERE, policy=allow("sts:AssumeRole", "*"), mfa_serial=SERIAL, mfa_seed="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
ROOT = f"arn:aws:iam::{HERE}:root"
FIXTURE = {
    "user": [ALICE],
    "role": [
        {"name": "Guarded", "account": THERE, "trust": trust(ROOT, condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})},
        {"name": "Partner", "account": THERE, "trust": trust(ROOT, condition={"StringEquals": {"sts:ExternalId": "shop/42"}})},
        {"name": "Named", "account": THERE, "trust": trust(ROOT, condition={"StringEquals": {"sts:RoleSessionName": "${aws:username}"}})},
        {"name": "Open", "account": THERE, "trust": trust(ROOT)},
        {"name": "Second", "account": THERE, "trust": trust(f"arn:aws:iam::{THERE}:role/Open"), "max_session_duration": 7200},
    ],
    "sso_assignment": [{"user": "alice@example.com", "account": HERE, "role": "Admin", "start_url": "https://corp.example.com/start",
                        "policy": allow("sts:*", "*")}],
}


@pytest.fixture
def world(tmp_path):
    with World(tmp_path, FIXTURE) as world:
        keys = f"aws_access_key_id = {ALICE['access_key_id']}\naws_secret_access_key = {ALICE['secret_access_key']}\n"
        world.write(".aws/config", f"[profile alice]\nendpoint_url = {world.sts.url}\n").chmod(0o600)
        world.write(".aws/credentials", f"[alice]\n{keys}").chmod(0o600)
        yield world


def file(role, source="alice", more=""):
    return f'role_arn = "arn:aws:iam::{THERE}:role/{role}"\nsource_profile = "{source}"\n{more}'


def had(world, **options):
    result = world.awsrole("exec", "--", "sh", "-c", 'test -n "$AWS_SESSION_TOKEN"', cwd=world.home / "src/shop", **options)
    return result.code == 0, result.err


def refused(world, content, **options):
    """Returns the messages about a project with this file."""
    world.project("shop", content, allow=True)
    granted, said = had(world, **options)
    assert not granted
    return said


def why(world):
    """All causes of a refusal, each on one line."""
    return "\n".join(world.awsrole("why", "--json", cwd=world.home / "src/shop").json["problem"]["hints"])


def hint(said, part):
    [found] = [line for line in said.splitlines() if line.startswith("  hint: ") and part in line]
    return found


def test_mfa(world):
    said = refused(world, file("Guarded"))
    assert "set mfa_serial in .awsrole.toml" in hint(said, "no MFA code was sent")
    world.write(".config/awsrole/config.toml", f'mfa_process = "echo {world.sts.totp("alice")}"\n')
    world.project("shop", file("Guarded", more=f'mfa_serial = "{SERIAL}"\n'))
    assert "`awsrole allow`" in had(world)[1]
    world.allow(world.home / "src/shop")
    assert had(world) == (True, "")


def test_a_selected_profile_is_in_the_aws_files(world):
    config = world.home / ".aws/config"
    for role, part in (("Guarded", "set mfa_serial in ~/.aws/config to a serial number"), ("Partner", "set external_id in ~/.aws/config")):
        world.write(".aws/config", f"{config.read_text()}\n[profile {role}]\nrole_arn = arn:aws:iam::{THERE}:role/{role}\nsource_profile = alice\n")
        result = world.awsrole("exec", "--profile", role, "--", "true")
        told = world.awsrole("why", "--json", "--profile", role).json["problem"]["hints"]
        assert result.code == 4 and part in "\n".join(told) and ".awsrole.toml" not in result.err + str(told), told


def test_an_old_code(world):
    """`awsrole refresh` after such a refusal asks for a new code; after another one it doesn't."""
    world.write(".config/awsrole/config.toml", f'mfa_process = "echo {world.sts.totp("alice")}"\n')
    mfa = f'mfa_serial = "{SERIAL}"\n'
    world.project("shop", file("Open", more=mfa), allow=True)
    assert had(world)[0]
    world.age_sessions(2 * 3600)
    message = f"User: arn:aws:iam::{HERE}:user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::{THERE}:role/Guarded"
    world.sts.fault(action="AssumeRole", times=1, error={"status": 403, "code": "AccessDenied", "message": message})
    said = refused(world, file("Guarded", more=mfa))
    assert "run `awsrole refresh` to enter a new one" in hint(said, "aws:MultiFactorAuthAge")
    for device in world.entries("mfa"):
        device.unlink()  # so that nothing waits for the next code
    world.write(".config/awsrole/config.toml", f'mfa_process = "echo {world.sts.unused_totp("alice")}"\n')
    assert world.awsrole("refresh", cwd=world.home / "src/shop").code == 0
    assert had(world) == (True, "")
    assert len(world.sts.calls("GetSessionToken")) == 2


def test_external_id(world):
    assert "external_id" in refused(world, file("Partner"))
    assert "set external_id in .awsrole.toml" in why(world)
    world.project("shop", file("Partner", more='external_id = "shop/42"\n'), allow=True)
    assert had(world) == (True, "")


def test_session_name(world):
    assert "role_session_name" in refused(world, file("Named", more='role_session_name = "build"\n'))
    [line] = re.findall(r'set (role_session_name = ".*")', why(world))
    world.project("shop", file("Named", more=line + "\n"), allow=True)
    assert had(world) == (True, "")


def test_duration(world):
    said = refused(world, file("Open", more="duration_seconds = 7200\n"))
    assert "lower duration_seconds" in said
    world.project("shop", file("Open", more="duration_seconds = 3600\n"), allow=True)
    assert had(world) == (True, "")


def test_duration_in_a_chain(world):
    content = (f'default_role = "b"\n[role.a]\n{file("Open")}[role.b]\nrole_arn = "arn:aws:iam::{THERE}:role/Second"\nsource_role = "a"\n'
               "duration_seconds = 7200\n")
    [line] = re.findall(r"set (duration_seconds = \d+)", refused(world, content))
    assert line == "duration_seconds = 3600"


def test_an_unknown_key(world):
    path = world.home / ".aws/credentials"
    path.write_text(path.read_text().replace(ALICE["access_key_id"], "AKIA" + "X" * 16))
    [command] = re.findall(r"`(aws configure --profile alice)` sets", refused(world, file("Open")))
    done = subprocess.run(command.split(), env=world.environment(), text=True, capture_output=True, timeout=60,
                          input=f"{ALICE['access_key_id']}\n{ALICE['secret_access_key']}\n\n\n")
    assert done.returncode == 0, done.stderr
    assert had(world) == (True, "")


def test_signing_in(world):
    world.sts.write_sso_config(world.home, more=f"[profile alice]\nendpoint_url = {world.sts.url}\n")
    env = {"AWS_ENDPOINT_URL": world.sts.url}
    assert "`awsrole login`" in refused(world, file("Open", source="sso"), env=env)
    running = subprocess.Popen([binary("awsrole"), "login", "--no-browser"], cwd=world.home / "src/shop",
                               env=world.environment(PWD=str(world.home / "src/shop"), **env), stderr=subprocess.PIPE, text=True)
    [code] = re.findall(r"confirm the code (\S+)", running.stderr.readline())
    world.sts.approve(code)
    assert running.wait(30) == 0, running.stderr.read()
    running.stderr.close()
    assert had(world, env=env) == (True, "")


def test_the_two_documents(tmp_path, world):
    """A trust policy that names nobody, and no identity policy: what `awsrole policy` prints is all that is missing."""
    said = refused(world, file("Second"))
    assert "`awsrole policy` prints it" in said
    [pair] = world.awsrole("policy", "--json", cwd=world.home / "src/shop").json
    mended = {"user": [{**ALICE, "policy": pair["identity"]}], "role": [{"name": "Second", "account": THERE, "trust": pair["trust"]}]}
    with LocalSts(mended) as sts:
        assert had(world, env={"AWS_ENDPOINT_URL_STS": sts.url}) == (True, "")
