"""Tests the cache: files are private and complete, and many requests cause one call."""

import os
import stat
import subprocess

import pytest

from support.aws_files import role_file
from support.local_sts import binary
from support.world import ALICE, BLOCKED, DEPLOY, HERE, THERE

MANY = 30


def start(world, folder, *words):
    return subprocess.Popen([binary("awsrole"), *words], cwd=folder, env=world.environment(), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(processes):
    return [(*process.communicate(timeout=120), process.returncode) for process in processes]


def test_many_at_once_make_one_call(world, shop):
    # The call takes so long that all of them are there before it ends.
    world.sts.fault(latency_ms=1500)
    ended = finish([start(world, shop, "exec", "--", "sh", "-c", "echo $AWS_ACCESS_KEY_ID") for _ in range(MANY)])
    assert {code for _, _, code in ended} == {0}, ended
    assert len({out for out, _, _ in ended}) == 1
    assert len(world.assumed()) == 1


def test_many_at_once_are_refused_with_one_call(world):
    folder = world.project("blocked", BLOCKED, allow=True)
    world.sts.fault(latency_ms=1500)
    ended = finish([start(world, folder, "credential-process") for _ in range(MANY)])
    assert {code for _, _, code in ended} == {4}
    assert all("AccessDenied" in err for _, err, _ in ended)
    assert len(world.assumed()) == 1


def test_the_lock_of_a_process_that_died_is_free(world, shop):
    world.sts.fault(latency_ms=60_000, times=1)
    process = start(world, shop, "exec", "--", "true")
    while not world.entries("lock"):
        assert process.poll() is None
    # It says so when it has waited for a while.
    assert "waiting for" in process.stderr.readline()
    process.kill()
    process.communicate()
    assert world.awsrole("exec", "--", "true", cwd=shop).code == 0


def test_files_are_private_whatever_the_umask(world, shop):
    done = subprocess.run([binary("awsrole"), "exec", "--", "true"], cwd=shop, env=world.environment(), timeout=60,
                          preexec_fn=lambda: os.umask(0))
    assert done.returncode == 0
    blocked = world.project("blocked", BLOCKED, allow=True)
    assert world.awsrole("credential-process", cwd=blocked).code == 4
    folder = world.home / ".cache/awsrole"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    kinds = {path.suffix for path in folder.iterdir()}
    assert {".session", ".failure", ".lock"} <= kinds
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_broken_entry_is_a_miss(world, shop):
    first = world.exec_env(shop)
    entry, = world.entries()
    whole = entry.read_bytes()
    entry.write_bytes(whole[: len(whole) // 2])
    second = world.exec_env(shop)
    assert second["AWS_ACCESS_KEY_ID"] != first["AWS_ACCESS_KEY_ID"]
    assert len(world.assumed()) == 2
    assert world.exec_env(shop)["AWS_ACCESS_KEY_ID"] == second["AWS_ACCESS_KEY_ID"], "a new one replaces it"


@pytest.mark.parametrize("what", ["directory", "fifo", "link"])
def test_what_is_no_entry_is_a_miss(world, shop, what):
    world.exec_env(shop)
    entry, = world.entries()
    entry.unlink()
    if what == "directory":
        entry.mkdir()
    elif what == "fifo":
        os.mkfifo(entry)
    else:
        entry.symlink_to(world.home / "nowhere")
    assert world.awsrole("exec", "--", "true", cwd=shop).code == 0
    assert not (world.home / "nowhere").exists()


def test_a_failure_is_remembered_for_prompts(world):
    folder = world.project("blocked", BLOCKED, allow=True)
    for event in ("cd", "prompt", "due", "retry", "prompt"):
        result = world.awsrole("hook", "export", "bash", "--event", event, cwd=folder)
        assert result.out.splitlines()[-1].startswith("__awsrole_done blocked ")
    assert len(world.assumed()) == 1


def test_refresh_asks_again_after_a_failure(world):
    folder = world.project("blocked", BLOCKED, allow=True)
    for _ in range(2):
        assert world.awsrole("credential-process", cwd=folder).code == 4
        assert world.awsrole("refresh", cwd=folder).code == 0
    assert world.awsrole("credential-process", cwd=folder).code == 4
    assert len(world.assumed()) == 3


def test_refresh_gets_new_ones(world, shop):
    first = world.exec_env(shop)
    assert world.awsrole("refresh", cwd=shop).code == 0
    second = world.exec_env(shop)
    assert second["AWS_ACCESS_KEY_ID"] != first["AWS_ACCESS_KEY_ID"]
    assert len(world.assumed()) == 2


def test_refresh_loses_nothing_when_sts_is_away(world, shop):
    first = world.exec_env(shop)
    world.awsrole("refresh", cwd=shop)
    world.sts.fault(drop=True)
    result = world.awsrole("exec", "--", "sh", "-c", "echo $AWS_ACCESS_KEY_ID", cwd=shop)
    assert result.code == 0 and result.out.strip() == first["AWS_ACCESS_KEY_ID"]
    assert "is unreachable" in result.err or "an invalid response" in result.err, "the reason is told"


def test_logout_forgets_this_directorys_role_alone(world, shop):
    other = world.project("other", role_file("Build", HERE), allow=True)
    for folder in (shop, other):
        world.exec_env(folder)
    assert world.awsrole("logout", cwd=shop).code == 0
    assert len(world.entries()) == 1
    world.exec_env(other)
    assert len(world.assumed()) == 2


def test_logout_of_all(world, shop):
    other = world.project("other", role_file("Build", HERE), allow=True)
    for folder in (shop, other):
        world.exec_env(folder)
    result = world.awsrole("logout", "--all")
    assert result.code == 0
    assert world.entries() == []


def test_after_logout_prompts_stay_blocked_until_someone_acts(world, shop):
    world.exec_env(shop)
    world.awsrole("logout", cwd=shop)
    for event in ("prompt", "due", "retry"):
        answer = world.awsrole("hook", "export", "bash", "--event", event, cwd=shop)
        said = ("awsrole: logged out of this role: `awsrole refresh` gets it again\n"
                "  blocked: AWS commands fail here until a role is assumed\n")
        assert answer.err == ("" if event == "retry" else said), event
        out = answer.out
        assert out.startswith("__awsrole_done blocked "), event
    assert len(world.assumed()) == 1
    assert "__awsrole_set AWS_ACCESS_KEY_ID" in world.awsrole("hook", "export", "bash", "--event", "cd", cwd=shop).out


def test_no_secret_of_a_logged_out_role_is_left_on_the_disk(world, shop):
    world.exec_env(shop)
    world.awsrole("logout", cwd=shop)
    for path in world.home.rglob("*"):
        if path.is_file() and ".aws" not in path.parts:
            content = path.read_bytes()
            assert not any(secret.encode() in content for secret in world.secrets), path


def test_another_users_name_makes_another_entry(world, shop):
    world.exec_env(shop)
    world.exec_env(shop, env={"USER": "bob"})
    assert [call["role_session_name"] for call in world.assumed()] == ["alice", "bob"]


def test_two_projects_of_one_role_share_it(world, shop):
    world.exec_env(shop)
    world.exec_env(world.project("second", DEPLOY + "# another\n", allow=True))
    assert len(world.assumed()) == 1


def test_rotated_keys_of_the_source_make_another_entry(world, shop):
    world.exec_env(shop)
    config = world.home / ".aws/credentials"
    config.write_text(config.read_text().replace("[jump]\n", "[jump]\n").replace("aws_access_key_id=AKIA", "aws_access_key_id=AKIB"))
    result = world.awsrole("exec", "--", "true", cwd=shop)
    assert result.code == 4 and "InvalidClientTokenId" in result.err


class TestPin:
    def test_is_checked_before_the_call(self, world):
        folder = world.project("pinned", DEPLOY + f'account_id = "{HERE}"\n', allow=True)
        result = world.awsrole("exec", "--", "true", cwd=folder)
        assert result.code == 1 and ".awsrole.toml:4" in result.err
        assert HERE in result.err and THERE in result.err
        assert world.sts.calls() == [] and world.entries() == []
        statements = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder).out
        assert statements.startswith("__awsrole_done blocked ")
        assert world.sts.calls() == []

    def test_lets_the_right_one_pass(self, world):
        folder = world.project("pinned", DEPLOY + f'account_id = "{THERE}"\n', allow=True)
        assert world.exec_env(folder)["AWSROLE_ACCOUNT_ID"] == THERE

    def test_is_checked_after_the_call_where_no_role_names_an_account(self, world):
        for account, code in ((HERE, 0), (THERE, 4)):
            folder = world.project(account, f'profile = "jump"\naccount_id = "{account}"\n', allow=True)
            result = world.awsrole("exec", "--", "echo", "ran", cwd=folder)
            assert result.code == code and (result.out != "") == (code == 0), result
            if code:
                assert HERE in result.err and THERE in result.err
        assert [call["action"] for call in world.sts.calls()][:2] == ["GetSessionToken", "GetCallerIdentity"]

    @pytest.mark.parametrize("neighbour", ["", f'account_id = "{HERE}"\n'], ids=["no pin", "the right pin"])
    def test_a_wrong_pin_says_nothing_of_a_neighbour(self, world, neighbour):
        """Its refusal isn't remembered for a directory that pins another account, or none; nor is there a second call."""
        wrong = world.project("wrong", f'profile = "jump"\naccount_id = "{THERE}"\n', allow=True)
        right = world.project("right", f'profile = "jump"\n{neighbour}', allow=True)
        for folder, done in ((wrong, "blocked"), (right, "role"), (wrong, "blocked"), (right, "role")):
            for event in ("prompt", "cd"):
                said = world.awsrole("hook", "export", "bash", "--event", event, cwd=folder)
                assert f"__awsrole_done {done} " in said.out, (folder, event, said.err)
        assert len(world.sts.calls("GetSessionToken")) == 1

    def test_an_entry_of_the_cache_is_checked_too(self, world):
        world.exec_env(world.project("free", 'profile = "jump"\n', allow=True))
        folder = world.project("pinned", f'profile = "jump"\naccount_id = "{THERE}"\n', allow=True)
        result = world.awsrole("exec", "--", "echo", "ran", cwd=folder)
        assert result.code != 0 and result.out == ""


def test_logging_out_works_where_the_role_can_not_be_planned_again(world):
    """A command inside cannot see the keys of the outer environment. The cached session of the shell is still removed.
    """
    text = f'role_arn = "arn:aws:iam::{THERE}:role/Deploy"\ncredential_source = "Environment"\n'
    project = world.project("env", text, allow=True)
    keys = {"AWS_ACCESS_KEY_ID": ALICE["access_key_id"], "AWS_SECRET_ACCESS_KEY": ALICE["secret_access_key"],
            "AWS_ENDPOINT_URL": world.sts.url}
    inside = world.exec_env(project, env=keys)
    assert world.entries()
    held = {name: value for name, value in inside.items() if name.startswith("AWS")}
    assert world.awsrole("logout", cwd=project, env=held).code == 0
    assert not world.entries()


def test_logging_out_of_a_chain_leaves_the_directory_of_its_first_role(world):
    first = world.project("first", 'profile = "shop-dev"\n', allow=True)
    text = role_file("Second", source="shop-dev", region="eu-central-1")
    second = world.project("second", text, allow=True)
    world.exec_env(first)
    world.exec_env(second)
    assert len(world.assumed()) == 2, "the first link is shared"
    assert world.awsrole("logout", cwd=second).code == 0
    assert world.awsrole("credential-process", cwd=first).code == 0
    assert world.awsrole("credential-process", cwd=second).code != 0
    assert len(world.assumed()) == 2
