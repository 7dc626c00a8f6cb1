"""Tests the settings of an organization in /etc/awsrole/config.toml, which no user can change or escape."""

import json
import os
import subprocess

import pytest

from support import other
from support.documents import blocks
from support.local_sts import allow
from support.terminal import need
from support.world import DEPLOY, FIXTURE, HERE, THERE, World

pytestmark = other.root_only

SETTINGS = f"""\
role_session_name = "{{user}}@corp"
source_identity = "auto"
[accounts.{THERE}]
name = "shop-dev"
"""

# Gives a command an /etc of its own, in which only `awsrole` differs from the machine's.
PRIVATE_ETC = """
mkdir -p "$0/machine" && mount --bind /etc "$0/machine" && mount -t tmpfs -o mode=755 none /etc || exit
for entry in "$0"/machine/*; do ln -s "$entry" /etc/; done
rm -f /etc/awsrole && cp -a "$0/awsrole" /etc/awsrole && exec "$@"
"""


@pytest.fixture
def etc():
    """The organization's file, and the prefix of commands that find it in /etc."""
    if subprocess.run([need("unshare"), "--mount", "true"], capture_output=True).returncode:
        pytest.skip("this system lets us mount nothing")
    with other.Ground() as ground:
        yield Etc(ground)


class Etc:
    def __init__(self, root):
        self.path = root / "awsrole/config.toml"
        self.path.parent.mkdir(parents=True)
        self.wrapper = (need("unshare"), "--mount", "sh", "-c", PRIVATE_ETC, root)
        self.write(SETTINGS)

    def write(self, text):
        self.path.write_text(text)


def test_sts_gets_the_name_and_the_source_identity(world, shop, etc):
    assert world.awsrole("exec", "--", "true", cwd=shop, wrapper=etc.wrapper).code == 0
    profile = ("exec", "--profile", "two words", "--", "true")
    assert world.awsrole(*profile, wrapper=etc.wrapper).code == 0
    sent = [(call["role_session_name"], call["source_identity"]) for call in world.assumed()]
    assert sent == [("alice@corp", "alice")] * 2


def test_sessions_of_other_settings_are_not_used(world, shop, etc):
    """The cache key contains both."""
    assert world.awsrole("exec", "--", "true", cwd=shop).code == 0
    assert world.awsrole("exec", "--", "true", cwd=shop, wrapper=etc.wrapper).code == 0
    assert [call["role_session_name"] for call in world.assumed()] == ["alice", "alice@corp"]


def test_why_and_doctor_name_the_file(world, shop, etc):
    shown = " ".join(world.awsrole("why", cwd=shop, wrapper=etc.wrapper).out.split())
    assert "the organization's /etc/awsrole/config.toml applies: 1 account, session name {user}@corp, source identity" in shown
    assert "shop-dev (222222222222)" in shown
    shown = world.awsrole("doctor", wrapper=etc.wrapper).out
    assert "/etc/awsrole/config.toml: 1 account, session name {user}@corp, source identity" in " ".join(shown.split()), shown


def test_the_documented_settings(world, etc):
    [block] = [block for block in blocks() if block.world == "organization"]
    etc.write(block.text)
    folder = world.write("src/acme/.awsrole.toml", DEPLOY).parent
    assert world.awsrole("exec", "--", "true", cwd=folder, wrapper=etc.wrapper).code == 0
    assert world.assumed()[0]["role_session_name"] == "alice@corp"


AGENT = {"CLAUDECODE": "1"}


def test_agents_are_limited(world, shop, etc):
    etc.write('[agent]\npreset = "read-only"\n')
    for env in (AGENT, {}):
        assert world.awsrole("exec", "--", "true", cwd=shop, env=env, wrapper=etc.wrapper).code == 0
    limits = [call["policy_arns"] for call in world.assumed()]
    assert limits == [["arn:aws:iam::aws:policy/ReadOnlyAccess"], []]


def test_limits_of_the_user_and_of_the_organization_apply_both(tmp_path, etc):
    """STS adds up the policies of one call, so each limit is sent with a call of its own."""
    wide = {**FIXTURE, "role": [{**FIXTURE["role"][0], "policy": allow("*", "*")}]}
    etc.write('[agent]\npreset = "read-only"\n')
    with World(tmp_path, wide) as world:
        shop = world.project("shop", DEPLOY, allow=True)
        world.write(".config/awsrole/config.toml", f"[agent]\npolicy = '{json.dumps(allow('s3:*', '*'))}'\n")
        assert world.awsrole("exec", "--", "true", cwd=shop, env=AGENT, wrapper=etc.wrapper).code == 0
        sent = [(call["action"], call["has_policy"], len(call["policy_arns"])) for call in world.sts.calls()]
    assert sent == [("AssumeRole", True, 0), ("GetScopedCredentials", True, 0)]


def test_a_user_can_not_loosen_the_limits_of_agents(world, shop, etc):
    etc.write("[agent]\ndeny = true\n")
    world.write(".config/awsrole/config.toml", "[agent]\ndeny = false\n")
    world.project("shop", DEPLOY + "[agent]\ndeny = false\n")
    world.allow(shop)
    for words in (("exec", "--", "true"), ("exec", "--profile", "shop-dev", "--", "true")):
        result = world.awsrole(*words, cwd=shop, env=AGENT, wrapper=etc.wrapper)
        assert result.code in (1, 3) and "/etc/awsrole/config.toml:2: agents get no role" in result.err, result
    assert world.sts.calls() == []


def broken(etc):
    etc.write(SETTINGS + "[accounts")
    return "/etc/awsrole/config.toml:5: "


def command(etc):
    etc.write('\nmfa_process = "id"\n')
    return "/etc/awsrole/config.toml:2: `mfa_process` isn't a setting of an organization"


def writable(etc):
    etc.path.chmod(0o666)
    return "/etc/awsrole/config.toml is writable by others"


def writable_folder(etc):
    etc.path.parent.chmod(0o775)
    return "/etc/awsrole is writable by others"


def foreign(etc):
    os.chown(etc.path, other.UID, -1)
    return f"it belongs to another user (uid {other.UID})"


def dangling(etc):
    etc.path.unlink()
    etc.path.symlink_to("nowhere")
    return "/etc/awsrole/config.toml can't be read"


@pytest.mark.parametrize("change", [broken, command, writable, writable_folder, foreign, dangling])
def test_no_role_is_assumed_without_the_settings(world, shop, etc, change):
    """A session from the cache isn't used either."""
    assert world.awsrole("exec", "--", "true", cwd=shop, wrapper=etc.wrapper).code == 0
    expected = change(etc)
    world.sts.reset()
    for words in (("exec", "--", "echo", "ran"), ("credential-process",), ("exec", "--profile", "shop-dev", "--", "echo", "ran"),
                  ("exec", "--profile", "jump", "--", "echo", "ran"), ("env", "--profile", "shop-dev")):
        result = world.awsrole(*words, cwd=shop, wrapper=etc.wrapper)
        assert (result.code, result.out) == (1, ""), (words, result)
        assert expected in " ".join(result.err.split()), (words, result.err)
    result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=shop, wrapper=etc.wrapper)
    assert result.out.startswith("__awsrole_done blocked ") and expected in " ".join(result.err.split()), result
    assert world.sts.calls() == []


def test_a_user_can_not_provide_the_file(etc):
    """It must be root's, even if the user's own files are trusted otherwise."""
    with other.Ground() as ground, World(ground) as world:
        folder = world.project("shop", DEPLOY)
        other.give(world.home)
        user = (*etc.wrapper, *other.as_user())
        assert world.awsrole("allow", cwd=folder, wrapper=user).code == 0
        assert world.awsrole("exec", "--", "true", cwd=folder, wrapper=user).code == 0
        os.chown(etc.path, other.UID, -1)
        result = world.awsrole("exec", "--", "true", cwd=folder, wrapper=user)
        assert result.code == 1 and "`sudo chown root /etc/awsrole/config.toml`" in result.err, result.err


def test_trust_rules_are_added_to_those_of_the_user(world, etc):
    folder = world.project("shop", DEPLOY)
    etc.write(f'[[trust]]\npath = "~/src"\naccounts = ["{HERE}", "{THERE}"]\n')
    assert world.awsrole("exec", "--", "true", cwd=folder, wrapper=etc.wrapper).code == 0
    folder.chmod(0o777)
    result = world.awsrole("exec", "--", "true", cwd=folder, wrapper=etc.wrapper)
    assert result.code == 1 and "isn't trusted by the organization's [[trust]] rule" in result.err, result.err
