"""Tests `awsrole exec --renew`: the environment of the command, and that its files are removed when it ends."""

import configparser
import json
import os
import select
import signal
import subprocess

import pytest

from support.aws_files import role_file
from support.hooked_shell import hook_line, wait_for
from support.local_sts import binary
from support.processes import command_lines
from support.terminal import SHELLS, Terminal, need
from support.world import ALICE, BYSTANDER, DEPLOY, HERE, THERE, asked

RUNS = ".cache/awsrole/runs"


def runs(world):
    """Returns the directories of runs."""
    return sorted((world.home / RUNS).glob("*"))


def gone(world):
    """Waits until there are none."""
    wait_for(lambda: not runs(world), message=runs(world))


def start(world, folder, script, **env):
    """Starts a command that continues to run after its first output."""
    process = subprocess.Popen([binary("awsrole"), "exec", "--renew", "--", "sh", "-c", f"echo; {script}"], cwd=folder,
                               env=world.environment(**env), stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


def end(process, number):
    process.send_signal(number)
    process.wait(timeout=20)
    process.stdout.close()


def test_the_command_holds_no_keys(world, shop):
    env = world.exec_env(shop, "--renew", env={
        "AWS_PROFILE": "other", "AWS_ACCESS_KEY_ID": BYSTANDER["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": BYSTANDER["secret_access_key"], "AWS_SECURITY_TOKEN": "x",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "x", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/x", "AWS_ROLE_ARN": "x", "AWS_ROLE_SESSION_NAME": "x"})
    found = {name: value for name, value in env.items() if name.startswith(("AWS_", "AWSROLE_"))}
    folder = world.home / RUNS
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        assert found.pop(name).startswith(f"{folder}/run-")
    state = json.loads(found.pop("AWSROLE_STATE"))
    assert BYSTANDER["secret_access_key"] not in str(state) and state["key"] == ""
    found.pop("AWS_ENDPOINT_URL_STS", None)
    assert found == {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true",
                     "AWSROLE_ROLE": "Deploy", "AWSROLE_ACCOUNT_ID": THERE, "AWSROLE_ACCOUNT": THERE}


def test_what_the_environment_had_is_sealed(world, shop):
    """The keys that the command must not find are needed for renewing, by awsrole alone."""
    world.project("env", f'role_arn = "arn:aws:iam::{THERE}:role/Deploy"\ncredential_source = "Environment"\n', allow=True)
    keys = {"AWS_ENDPOINT_URL": world.sts.url, "AWS_ACCESS_KEY_ID": ALICE["access_key_id"], "AWS_SECRET_ACCESS_KEY": ALICE["secret_access_key"]}
    process = start(world, world.home / "src/env", "exec sleep 60", **keys)
    try:
        [run] = runs(world)
        record = (run / "outside").read_bytes()
        assert record[0] == 2 and ALICE["secret_access_key"].encode() not in record
    finally:
        end(process, signal.SIGTERM)


def test_the_copies_are_private_and_the_default_profile_has_no_keys(world, shop):
    process = start(world, shop, "exec sleep 60")
    try:
        [run] = runs(world)
        assert run.stat().st_mode & 0o777 == 0o700
        assert {file.name: file.stat().st_mode & 0o777 for file in run.iterdir()} == {
            "config": 0o600, "credentials": 0o600, "outside": 0o600}
        files = {name: configparser.RawConfigParser() for name in ("config", "credentials")}
        for name, parser in files.items():
            parser.read_string((run / name).read_text())
            assert parser["default"]["credential_process"].endswith(f"credential-process --run {run.name}")
            assert not {"aws_access_key_id", "aws_secret_access_key", "role_arn"} & set(parser["default"])
        assert files["config"]["default"]["output"] == "json"
        assert files["credentials"]["jump"]["aws_access_key_id"] == ALICE["access_key_id"]
        assert BYSTANDER["secret_access_key"] not in (run / "credentials").read_text()
    finally:
        end(process, signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_however_the_command_ends(world, shop, number):
    process = start(world, shop, "exec sleep 60")
    assert len(runs(world)) == 1
    end(process, number)
    assert process.returncode == -number, "the command takes the place of awsrole"
    gone(world)


@pytest.mark.parametrize("script", ["exit 3", "exec nowhere-to-be-found", "kill -9 $$"])
def test_nothing_is_left_of_a_short_command(world, shop, script):
    world.awsrole("exec", "--renew", "--", "sh", "-c", script, cwd=shop)
    gone(world)


def test_nothing_is_left_of_a_command_that_can_not_be_run(world, shop):
    result = world.awsrole("exec", "--renew", "--", "nowhere-to-be-found", cwd=shop)
    assert result.code == 127 and runs(world) == []


def test_what_the_command_leaves_running_keeps_the_copies(world, shop):
    """And a program that closes what it inherits keeps them to its own end."""
    process = start(world, shop, "sleep 60 & echo $!")
    child = int(process.stdout.readline())
    process.stdout.close()
    assert process.wait(timeout=20) == 0
    assert len(runs(world)) == 1
    os.kill(child, signal.SIGKILL)
    gone(world)

    code = "import os, sys, time; os.closerange(3, 256); print(flush=True); time.sleep(60)"
    process = subprocess.Popen([binary("awsrole"), "exec", "--renew", "--", "python", "-c", code], cwd=shop,
                               env=world.environment(), stdout=subprocess.PIPE)
    process.stdout.readline()
    watcher = watchers(world)
    assert len(watcher) == 1 and len(runs(world)) == 1
    end(process, signal.SIGTERM)
    gone(world)


def test_the_watcher_holds_none_of_the_callers_files(world, shop):
    """Such as a lock, or a pipe whose reader waits for its end."""
    reader, writer = os.pipe()
    script = f"exec {writer}>&-; echo; sleep 60"
    process = subprocess.Popen([need("bash"), "-c", 'exec "$0" exec --renew -- bash -c "$1"', binary("awsrole"), script], cwd=shop,
                               env=world.environment(), stdout=subprocess.PIPE, pass_fds=[writer])
    os.close(writer)
    process.stdout.readline()
    assert wait_for_watcher(world)
    assert select.select([reader], [], [], 10)[0] and os.read(reader, 1) == b""
    os.close(reader)
    end(process, signal.SIGTERM)
    gone(world)


def watchers(world):
    """Returns the watchers of this world's runs."""
    names = {os.fsencode(run.name) for run in runs(world)}
    return [pid for pid, words in command_lines().items()
            if b"watch" in words and b"--start" not in words and names & set(words)]


def wait_for_watcher(world):
    return wait_for(lambda: watchers(world))


def killed(world, folder, script="exec sleep 60"):
    """Starts a run, kills its command and watcher as a reboot does, and returns the directory that is left."""
    process = start(world, folder, script)
    for watcher in wait_for_watcher(world):
        os.kill(watcher, signal.SIGKILL)
    [left] = runs(world)
    end(process, signal.SIGKILL)
    assert ALICE["secret_access_key"] in (left / "credentials").read_text(), "a key is left to be found"
    return left


COMMANDS = [["status"], ["why"], ["doctor"], ["exec", "--", "true"], ["credential-process"], ["refresh"], ["logout"], ["logout", "--all"],
            ["history"], ["keys", "list"], ["hook", "bash"], ["hook", "renew"], ["exec", "--renew", "--", "true"], ["allow"]]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_removes_what_a_killed_run_left(world, shop, words):
    left = killed(world, shop)
    result = world.awsrole(*words, cwd=shop)
    assert not left.exists(), result
    assert (words == ["doctor"]) == (f"removed ~/{RUNS}/{left.name}: copies of AWS files" in result.out)


def test_a_shell_removes_it_where_the_cache_has_no_answer(world, shop, tmp_path):
    left = killed(world, shop)
    hit = world.awsrole(*asked(shop, event="prompt"), cwd=shop)
    assert "__awsrole_done role " in hit.out and left.exists(), "a hit looks for nothing"
    for session in world.cache.glob("*.session"):
        session.unlink()
    miss = world.awsrole(*asked(shop, event="prompt"), cwd=shop)
    assert "__awsrole_done role " in miss.out and not left.exists(), miss


def test_what_can_not_be_removed_is_bad(world, shop, tmp_path):
    left = killed(world, shop)
    folder = world.home / RUNS
    if os.geteuid() == 0:
        # Root may do anything but to what is immutable or mounted.
        if subprocess.run(["chattr", "+i", left / "credentials"], capture_output=True).returncode:
            pytest.skip("this system makes no file immutable")
    else:
        left.chmod(0o500)
    try:
        result = world.awsrole("doctor", cwd=shop)
        assert result.code == 1 and "cannot remove" in result.out and str(folder) in result.out, result
    finally:
        subprocess.run(["chattr", "-i", left / "credentials"], capture_output=True)
        left.chmod(0o700)


@pytest.mark.parametrize("words", [["status"], ["logout", "--all"], ["doctor"], ["exec", "--renew", "--", "true"]], ids=" ".join)
def test_what_a_living_command_needs_stays(world, shop, words):
    """Even if it closed what it inherited, and nobody waits for its end any more."""
    code = "import os, sys, time; os.closerange(3, 256); print(flush=True); time.sleep(60)"
    closing = subprocess.Popen([binary("awsrole"), "exec", "--renew", "--", "python", "-c", code], cwd=shop,
                               env=world.environment(), stdout=subprocess.PIPE)
    closing.stdout.readline()
    process = start(world, shop, "exec sleep 60")
    try:
        for watcher in wait_for_watcher(world):
            os.kill(watcher, signal.SIGKILL)
        before = runs(world)
        assert len(before) == 2
        assert "panicked" not in world.awsrole(*words, cwd=shop).err
        assert set(before) <= set(runs(world))
    finally:
        end(closing, signal.SIGKILL)
        end(process, signal.SIGKILL)
    world.awsrole("status", cwd=shop)
    assert not any(run.exists() for run in before)


def test_the_next_run_removes_what_a_killed_one_left(world, shop):
    process = start(world, shop, "exec sleep 60")
    for watcher in wait_for_watcher(world):
        os.kill(watcher, signal.SIGKILL)
    [left] = runs(world)
    assert world.awsrole("exec", "--renew", "--", "true", cwd=shop).code == 0
    assert left.exists(), "the command is alive"
    end(process, signal.SIGKILL)
    assert world.awsrole("exec", "--renew", "--", "true", cwd=shop).code == 0
    assert not left.exists()


def test_the_command_is_no_ones_parent(world, shop):
    """A program that waits for all of its children finds none that it didn't start."""
    code = "import os\ntry: os.wait()\nexcept ChildProcessError: print('none')"
    result = world.awsrole("exec", "--renew", "--", "python", "-c", code, cwd=shop)
    assert result.out == "none\n", result.err


@pytest.mark.parametrize("code", [0, 1, 3, 4, 42, 255])
def test_ends_with_the_commands_code(world, shop, code):
    assert world.awsrole("exec", "--renew", "--", "sh", "-c", f"exit {code}", cwd=shop).code == code


def inside(world, folder, *words, env=None):
    """Runs awsrole in a command that renews its role."""
    return world.awsrole("exec", "--renew", "--", binary("awsrole"), *words, cwd=folder, env=env)


def test_commands_inside_stand_outside(world, shop):
    """They see the person's own files and variables, and go on with their role."""
    assert inside(world, shop, "status").out.startswith(f"Deploy {THERE}")
    other = world.project("other", role_file("Build", HERE), allow=True)
    result = inside(world, shop, "exec", "--", "env", "-C", other, binary("awsrole"), "exec", "--", "env",
                    env={"AWS_PROFILE": "other", "AWS_REGION": "us-west-2"})
    assert result.code == 0, result.err
    found = dict(line.split("=", 1) for line in result.out.splitlines())
    assert "AWS_CONFIG_FILE" not in found and "AWS_EC2_METADATA_DISABLED" not in found
    assert found["AWSROLE_ROLE"] == "Build" and found["AWS_REGION"] == "us-west-2"
    assert json.loads(found["AWSROLE_STATE"])["prior"]["AWS_PROFILE"] == "other"


def test_a_run_in_a_run(world, shop):
    result = inside(world, shop, "exec", "--renew", "--", "aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text")
    assert result.out == f"arn:aws:sts::{THERE}:assumed-role/Deploy/alice\n", result.err
    assert len(world.assumed()) == 1


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_inside_gives_back_what_was_outside(world, shop, shell):
    need(shell)
    load = hook_line(shell)
    terminal = Terminal("bash", world.home, "", env={"USER": "alice", "AWS_PROFILE": "other"}, timeout=60)
    inner = None
    try:
        script = world.write("inside", "\n".join([load, f"cd {shop}", "cd ~", "env -0 > after"]))
        quiet = {"bash": "bash --norc --noprofile", "zsh": "zsh -f", "fish": "fish -N"}[shell]
        terminal.run(f"cd {shop}")
        terminal.run(f"{binary('awsrole')} exec --renew -- {quiet} -i -c 'source {script}'")
        inner = dict(pair.split("=", 1) for pair in (world.home / "after").read_text().split("\0") if pair)
    finally:
        terminal.close()
    assert inner["AWS_PROFILE"] == "other"
    left = {name for name in inner if name.startswith("AWS")} - {"AWS_PROFILE"}
    assert left == set(), left


def test_keys_of_the_environment_are_the_source(world):
    """They are hidden in the command, but the role is still renewed with them."""
    folder = world.project("env", DEPLOY.replace('source_profile = "jump"', 'credential_source = "Environment"'), allow=True)
    env = {"AWS_ACCESS_KEY_ID": ALICE["access_key_id"], "AWS_SECRET_ACCESS_KEY": ALICE["secret_access_key"],
           "AWS_ENDPOINT_URL": world.sts.url}
    script = "rm -r ~/.cache/awsrole/*.session; aws sts get-caller-identity --query Arn --output text"
    result = world.awsrole("exec", "--renew", "--", "sh", "-c", script, cwd=folder, env=env)
    assert result.out == f"arn:aws:sts::{THERE}:assumed-role/Deploy/alice\n", result.err
    assert len(world.assumed()) == 2
    assert ALICE["access_key_id"] not in world.exec_env(folder, "--renew", env=env).values()


def test_a_chosen_role_stays_chosen(world):
    folder = world.project("two", f"""
default_role = "deploy"
source_profile = "jump"
[role.deploy]
role_arn = "arn:aws:iam::{THERE}:role/Deploy"
[role."it's"]
role_arn = "arn:aws:iam::{HERE}:role/Build"
manual = true
""", allow=True)
    result = world.awsrole("exec", "--renew", "--role", "it's", "--", "aws", "sts", "get-caller-identity", "--query",
                           "Arn", "--output", "text", cwd=folder, env={"AWS_ENDPOINT_URL": world.sts.url})
    assert result.out == f"arn:aws:sts::{HERE}:assumed-role/Build/alice\n", result.err


def test_temporary_keys_in_a_profile_can_not_be_renewed(world, shop):
    keys = world.exec_env(shop)
    world.write(".aws/credentials", (world.home / ".aws/credentials").read_text() + f"""
[temporary]
aws_access_key_id = {keys['AWS_ACCESS_KEY_ID']}
aws_secret_access_key = {keys['AWS_SECRET_ACCESS_KEY']}
aws_session_token = {keys['AWS_SESSION_TOKEN']}
""")
    folder = world.project("temporary", 'profile = "temporary"\n', allow=True)
    result = world.awsrole("exec", "--renew", "--", "echo", "ran", cwd=folder)
    assert (result.code, result.out) == (1, "") and "can't be renewed" in result.err and runs(world) == []


def test_the_copies_are_no_ones_when_the_command_is_over(world, shop):
    result = world.awsrole("credential-process", "--run", "run-gone", cwd=shop)
    assert (result.code, result.out) == (3, "") and "has ended" in result.err


def test_a_run_that_can_not_begin_leaves_no_copies(world, shop):
    """The AWS files are copied before it is found that no variable can hold where they are."""
    cache = world.home / "cache-\udcff"
    result = world.awsrole("exec", "--renew", "--", "echo", "ran", cwd=shop, env={"XDG_CACHE_HOME": str(cache)})
    assert (result.code, result.out) == (1, "") and "isn't valid UTF-8" in result.err
    assert list((cache / "awsrole/runs").iterdir()) == []
