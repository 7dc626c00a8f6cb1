"""Tests `awsrole exec`: a command gets the directory's role and no other identity."""

import os
import signal
import subprocess

import pytest

from support.aws_files import role_file
from support.local_sts import binary
from support.world import ALICE, BLOCKED, BYSTANDER, DEPLOY, HERE, THERE

BUILD = f"""\
role_arn = "arn:aws:iam::{HERE}:role/Build"
source_profile = "jump"
region = "us-west-1"
"""

# What a person may have in the environment who works with other tools, too.
BEFORE = {
    "AWS_PROFILE": "other",
    "AWS_DEFAULT_PROFILE": "other",
    "AWS_ACCESS_KEY_ID": BYSTANDER["access_key_id"],
    "AWS_SECRET_ACCESS_KEY": BYSTANDER["secret_access_key"],
    "AWS_SESSION_TOKEN": "stale",
    "AWS_SECURITY_TOKEN": "stale",
    "AWS_ACCESS_KEY": "stale",
    "AWS_SECRET_KEY": "stale",
    "SECRET_ACCESS_KEY": "stale",
    "AWS_CREDENTIAL_EXPIRATION": "2001-01-01T00:00:00Z",
    "AWS_REGION": "us-west-2",
    "AWS_DEFAULT_REGION": "sa-east-1",
    "AWS_ACCOUNT_ID": HERE,
}


def who(world, env):
    """Returns the identity of a client with these variables."""
    code = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    result = world.run("python", "-c", code, env={**env, "AWS_ENDPOINT_URL": world.sts.url})
    assert result.code == 0, result.err
    return result.out.strip()


def test_the_command_holds_the_role(world, shop):
    env = world.exec_env(shop)
    assert env["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert env["AWSROLE_ROLE"] == "Deploy" and env["AWSROLE_ACCOUNT_ID"] == THERE
    assert env["AWS_CREDENTIAL_EXPIRATION"].endswith("Z")
    assert who(world, env) == f"arn:aws:sts::{THERE}:assumed-role/Deploy/alice"


def test_nothing_of_another_identity_is_left(world, shop):
    env = world.exec_env(shop, env=BEFORE)
    assert world.assumed()[0]["caller_arn"].endswith(":user/alice")
    assert env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == "eu-west-1"
    for name, value in BEFORE.items():
        assert env.get(name) != value, name
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN", "AWS_ACCESS_KEY", "AWS_SECRET_KEY",
                 "SECRET_ACCESS_KEY", "AWS_ACCOUNT_ID"):
        assert name not in env, f"{name} is emptied, not unset"


def test_what_is_not_ours_is_passed_on(world, shop):
    env = world.exec_env(shop, env={"EDITOR": "vi", "EMPTY": "", "AWS_PAGER": "", "AWS_ACCOUNT_ID": THERE})
    assert (env["EDITOR"], env["EMPTY"], env["AWS_PAGER"], env["AWS_ACCOUNT_ID"]) == ("vi", "", "", THERE)


def test_the_region_stays_where_the_file_names_none(world):
    folder = world.project("shop", role_file("Deploy"), allow=True)
    env = world.exec_env(folder, env={"AWS_REGION": "us-west-2"})
    assert env["AWS_REGION"] == "us-west-2"


def test_arguments_stay_as_they_are(world, shop):
    words = ["", " ", "$HOME", "a\nb", "--role", "-x", "é"]
    result = world.awsrole("exec", "--", "printf", "<%s>", *words, cwd=shop)
    assert result.out == "".join(f"<{word}>" for word in words)


def test_bytes_that_are_no_text_pass_through(world, shop):
    done = subprocess.run([binary("awsrole"), "exec", "--", "sh", "-c", 'printf "$1$X"', "-", b"\xff"], cwd=shop,
                          env={**{k.encode(): v.encode() for k, v in world.environment().items()}, b"X": b"\xfe"},
                          capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, b"\xff\xfe"), done.stderr


def test_the_command_takes_the_place_of_awsrole(world, shop):
    process = subprocess.Popen([binary("awsrole"), "exec", "--", "sh", "-c", "echo $$; exec sleep 60"], cwd=shop,
                               env=world.environment(), stdout=subprocess.PIPE, text=True)
    assert int(process.stdout.readline()) == process.pid
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == -signal.SIGTERM
    process.stdout.close()


@pytest.mark.parametrize("code", [0, 1, 3, 4, 42, 255])
def test_ends_with_the_commands_code(world, shop, code):
    assert world.awsrole("exec", "--", "sh", "-c", f"exit {code}", cwd=shop).code == code


def test_a_command_that_can_not_be_run(world, shop):
    plain = world.write("plain", "no program")
    plain.chmod(0o644)
    for command, code in (("nowhere-to-be-found", 127), ("./nowhere", 127), (plain, 126), (world.home, 126)):
        result = world.awsrole("exec", "--", command, cwd=shop)
        assert result.code == code, result
        assert str(command) in result.err and result.out == ""


def test_stdin_is_the_commands(world, shop):
    done = subprocess.run([binary("awsrole"), "exec", "--", "cat"], cwd=shop, env=world.environment(), input=b"through",
                          capture_output=True, timeout=60)
    assert done.stdout == b"through"


class TestRole:
    ROLES = f"""\
default_role = "deploy"
source_profile = "jump"
[role.deploy]
role_arn = "arn:aws:iam::{THERE}:role/Deploy"
[role.build]
role_arn = "arn:aws:iam::{HERE}:role/Build"
manual = true
"""

    def test_chooses_a_table_of_the_file(self, world):
        folder = world.project("shop", self.ROLES, allow=True)
        assert world.exec_env(folder)["AWSROLE_ROLE"] == "deploy"
        env = world.exec_env(folder, "--role", "build")
        assert env["AWSROLE_ROLE"] == "build" and env["AWSROLE_ACCOUNT_ID"] == HERE

    def test_names_those_that_are_there(self, world):
        folder = world.project("shop", self.ROLES, allow=True)
        result = world.awsrole("exec", "--role", "bulid", "--", "true", cwd=folder)
        assert result.code == 1 and "bulid" in result.err and "did you mean `build`?" in result.err
        result = world.awsrole("exec", "--role", "x", "--", "true", cwd=folder)
        assert "build, deploy" in result.err


class TestMinTtl:
    FILE = DEPLOY + "duration_seconds = 3600\n"

    def test_is_no_reason_to_ask_twice(self, world):
        folder = world.project("shop", self.FILE, allow=True)
        for ttl in ("45m", "10m", "30m"):
            world.exec_env(folder, "--min-ttl", ttl)
        assert len(world.assumed()) == 1

    def test_gets_new_ones_when_the_old_ones_end_too_soon(self, world):
        folder = world.project("shop", self.FILE, allow=True)
        world.sts.fault(lifetime_seconds=1800, times=1)
        first = world.exec_env(folder)
        assert world.exec_env(folder)["AWS_ACCESS_KEY_ID"] == first["AWS_ACCESS_KEY_ID"]
        second = world.exec_env(folder, "--min-ttl", "45m")
        assert second["AWS_ACCESS_KEY_ID"] != first["AWS_ACCESS_KEY_ID"]

    def test_says_when_it_can_not_be_had(self, world):
        folder = world.project("shop", self.FILE, allow=True)
        result = world.awsrole("exec", "--min-ttl", "2h", "--", "echo", "ran", cwd=folder)
        assert result.code == 4 and result.out == ""
        assert "2h" in result.err and "duration_seconds" in result.err


class TestInsideAProject:
    """The exports of project A are inherited; the command goes to project B."""

    @pytest.fixture
    def other(self, world):
        return world.project("other", BUILD, allow=True)

    def nested(self, world, outer, inner, *command, env=None):
        script = 'cd "$1" && shift && exec "$@"'
        words = ("exec", "--", "sh", "-c", script, "-", inner, binary("awsrole"), *command)
        return world.awsrole(*words, cwd=outer, env=env)

    def test_b_is_entered_by_the_person_and_not_by_a(self, world, shop, other):
        result = self.nested(world, shop, other, "exec", "--", "env", env={"AWS_PROFILE": "other"})
        assert result.code == 0, result.err
        assert [call["caller_arn"] for call in world.assumed()] == [f"arn:aws:iam::{HERE}:user/alice"] * 2
        found = dict(line.split("=", 1) for line in result.out.splitlines())
        assert found["AWSROLE_ROLE"] == "Build" and found["AWS_REGION"] == "us-west-1"
        assert who(world, found) == f"arn:aws:sts::{HERE}:assumed-role/Build/alice"

    def test_a_again_needs_no_call(self, world, shop):
        assert self.nested(world, shop, shop, "exec", "--", "true").code == 0
        assert len(world.assumed()) == 1

    def test_where_b_is_refused_nothing_of_a_is_left(self, world, shop):
        blocked = world.project("blocked", BLOCKED, allow=True)
        assert self.nested(world, shop, blocked, "exec", "--", "env").code == 4
        assert world.assumed()[-1]["caller_arn"] == f"arn:aws:iam::{HERE}:user/alice"

    def test_where_b_is_not_allowed_nothing_runs(self, world, shop):
        new = world.project("new", BUILD)
        result = self.nested(world, shop, new, "exec", "--", "env")
        assert (result.code, result.out) == (3, "")
        assert len(world.assumed()) == 1

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_the_hook_gives_back_what_was_there_before_a(self, world, shop, shell):
        words = ("hook", "export", shell, "--event", "cd")
        before = {"AWS_PROFILE": "other", "AWS_REGION": "us-west-2"}
        result = self.nested(world, shop, world.home, *words, env=before)
        statements = result.out.splitlines()
        assert "__awsrole_adopt AWS_PROFILE exported 'other'" in statements
        assert "__awsrole_adopt AWS_REGION exported 'us-west-2'" in statements
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"):
            assert f"__awsrole_adopt {name} unset" in statements
        assert statements[-1].startswith("__awsrole_done outer ")

    def test_a_forged_state_restores_nothing_but_our_own(self, world):
        state = ('{"v":1,"file":"","role":"x","account":"","key":"ASIA","expires":"","set":{"PATH":"/"},'
                 '"prior":{"LD_PRELOAD":"/evil.so"}}')
        result = world.awsrole("hook", "export", "bash", env={"AWSROLE_STATE": state, "AWS_ACCESS_KEY_ID": "ASIA"})
        assert "evil" not in result.out and "PATH" not in result.out

    def test_status_knows_what_it_inherited(self, world, shop):
        result = self.nested(world, shop, shop, "status")
        assert result.out.startswith(f"Deploy {THERE} ")


def test_from_the_blocked_state_the_persons_own_profile_is_the_source(world, shop):
    blocked = {"AWSROLE_STATE": "blocked", "AWS_PROFILE": "awsrole-blocked--run-awsrole-why", "AWS_ACCESS_KEY_ID": "awsrole-blocked--run-awsrole-why",
              "AWS_SECRET_ACCESS_KEY": "awsrole-blocked--run-awsrole-why", "AWS_EC2_METADATA_DISABLED": "true"}
    env = world.exec_env(shop, env=blocked)
    assert who(world, env).endswith("assumed-role/Deploy/alice")
    assert "AWS_EC2_METADATA_DISABLED" not in env and "awsrole-blocked--run-awsrole-why" not in env.values()


def test_a_session_of_long_term_keys_never_exports_the_keys(world):
    folder = world.project("jump", 'profile = "jump"\n', allow=True)
    env = world.exec_env(folder)
    assert ALICE["access_key_id"] not in env.values() and ALICE["secret_access_key"] not in env.values()
    assert [call["action"] for call in world.sts.calls()] == ["GetSessionToken"]
    assert who(world, env) == f"arn:aws:iam::{HERE}:user/alice"


def test_temporary_keys_are_passed_on(world, shop):
    env = world.exec_env(shop)
    world.write(".aws/credentials", (world.home / ".aws/credentials").read_text() + f"""
[temporary]
aws_access_key_id = {env['AWS_ACCESS_KEY_ID']}
aws_secret_access_key = {env['AWS_SECRET_ACCESS_KEY']}
aws_session_token = {env['AWS_SESSION_TOKEN']}
""")
    folder = world.project("temporary", 'profile = "temporary"\n', allow=True)
    world.sts.reset()
    passed = world.exec_env(folder)
    assert passed["AWS_SESSION_TOKEN"] == env["AWS_SESSION_TOKEN"]
    assert "AWS_CREDENTIAL_EXPIRATION" not in passed, "nobody knows when they end"
    assert world.sts.calls() == []


def test_nothing_is_left_behind_by_a_missing_home(world, shop):
    env = {**world.environment(), "HOME": ""}
    done = subprocess.run([binary("awsrole"), "exec", "--", "true"], cwd=shop, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1, 3) and "panicked" not in done.stderr
    assert not os.path.exists(shop / ".cache")


@pytest.mark.parametrize("words, tip", [
    (["ls"], "put the command after '--'"),
    (["aws", "sts"], "put the command after '--'"),
    (["prod", "--", "ls"], "use '--role NAME' for another role of the file"),
])
def test_other_tools_ways_to_write_it_get_a_tip(world, shop, words, tip):
    result = world.awsrole("exec", *words, cwd=shop)
    assert result.code == 2 and tip in result.err


def test_a_mistyped_option_gets_no_other_tip(world, shop):
    result = world.awsrole("exec", "--rolle", "x", "--", "ls", cwd=shop)
    assert "a similar argument exists: '--role'" in result.err and "the project file selects" not in result.err
