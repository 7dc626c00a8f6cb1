"""Tests `awsrole-hook`: the requests that it answers itself, and those for which it executes `awsrole`."""

import fcntl
import os
import re
import shutil
import subprocess
import time

import pytest

from support import sealed
from support.local_sts import binary
from support.terminal import need
from support.world import BLOCKED, DEPLOY, Result, asked, protocol


class Programs:
    """The programs that one run executed, by name, and the other processes that it started."""

    def __init__(self, world, tmp_path, *words, within=(), **options):
        path = tmp_path / "programs"
        wrapper = (need("strace"), "-f", "-qq", "-s", "300", "-e", "trace=execve,clone,clone3,fork,vfork", "-o", path)
        self.result: Result = world.run(*within, *wrapper, binary("awsrole-hook"), *words, **options)
        lines = [line for line in path.read_text().splitlines() if not line.rstrip().endswith("ENOENT (No such file or directory)")]
        first = lines[0].split()[0]
        self.names = [re.search(r'execve\("(?:[^"]*/)?([^"/]+)"', line)[1] for line in lines
                      if line.startswith(first) and "execve(" in line]
        self.started = [line for line in lines if re.search(r" (clone|clone3|fork|vfork)\(", line)]


@pytest.fixture
def held(world, shop):
    """A project whose role is in the cache."""
    world.exec_env(shop)
    world.sts.reset()
    return shop


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("event", ["cd", "prompt", "due", "retry"])
def test_a_hit_is_its_own_and_the_same_as_awsroles(world, held, tmp_path, shell, event):
    words = asked(held, shell, event)
    hook = Programs(world, tmp_path, *words, cwd=held)
    whole = world.awsrole(*words, cwd=held)
    assert hook.names == ["awsrole-hook"] and hook.started == []
    assert hook.result.code == 0 and "__awsrole_done role " in hook.result.out
    steady = [re.sub(r"__awsrole_done role \d+", "", one.out) for one in (hook.result, whole)]
    assert steady[0] == steady[1]
    assert hook.result.err.split(", renewed")[0] == whole.err.split(", renewed")[0]
    assert world.sts.calls() == []


@pytest.mark.parametrize("content", [None, "region = ", BLOCKED + 'account_id = "333333333333"\n'],
                         ids=["never allowed", "no TOML", "edited"])
def test_what_closes_or_opens_without_a_call_is_its_own(world, shop, tmp_path, content):
    folder = shop if content else world.project("new", DEPLOY)
    if content:
        (folder / ".awsrole.toml").write_text(content)
    hook = Programs(world, tmp_path, *asked(folder), cwd=folder)
    assert hook.names == ["awsrole-hook"]
    assert hook.result == world.awsrole(*asked(folder), cwd=folder)
    assert hook.result.err.startswith("awsrole: ~/src/")


def test_what_shells_compare_where_others_can_write_is_its_own(world, shop, tmp_path):
    """A digest, without waiting for a FIFO; and the same one that the answer had."""
    file = shop / ".awsrole.toml"
    world.exec_env(shop)
    own = world.awsrole(*asked(shop), cwd=shop)
    assert f"__awsrole_file 1 own '{DEPLOY}'\n" in own.out and "__awsrole_digest" not in own.out
    shop.chmod(0o777)
    shared = world.awsrole(*asked(shop), cwd=shop)
    assert "__awsrole_file 1 shared\n" in shared.out and "__awsrole_done role " in shared.out
    digest = re.search(r"^__awsrole_digest (\w+)$", shared.out, re.M)[1]
    hook = Programs(world, tmp_path, "hook", "digest", "--", file, cwd=shop)
    assert (hook.names, hook.result.out) == (["awsrole-hook"], digest)
    assert world.awsrole("hook", "digest", "--", file, cwd=shop).out == digest
    file.write_text(DEPLOY + "# edited\n")
    edited = world.run(binary("awsrole-hook"), "hook", "digest", "--", file).out
    file.unlink()
    os.mkfifo(file)
    fifo = world.run(binary("awsrole-hook"), "hook", "digest", "--", file).out
    assert len({digest, edited, fifo}) == 3
    assert "isn't a regular file" in world.awsrole(*asked(shop), cwd=shop).err


def test_it_contains_neither_the_sdk_nor_an_argument_parser():
    """Both programs are binaries of one package: crates that a binary doesn't refer to aren't linked into it."""
    symbols = {name: subprocess.run([need("nm"), "-C", binary(name)], capture_output=True, text=True, check=True).stdout
               for name in ("awsrole-hook", "awsrole")}
    assert "awsrole_hook::answer::answer" in symbols["awsrole-hook"]
    for crate in ("aws_sdk_sts", "aws_config", "tokio", "rustls", "hyper", "clap_builder::parser"):
        found = {name: f" {crate}::" in text or f"<{crate}::" in text for name, text in symbols.items()}
        assert found == {"awsrole-hook": False, "awsrole": True}, crate


def test_a_miss_becomes_awsrole_at_once(world, shop, tmp_path):
    hook = Programs(world, tmp_path, *asked(shop), cwd=shop)
    assert hook.names == ["awsrole-hook", "awsrole"] and hook.started == []
    assert "__awsrole_done role " in hook.result.out
    assert hook.result.err.count("\n") == 1 and hook.result.err.startswith("awsrole: Deploy in 222222222222")
    assert len(world.assumed()) == 1
    # All locks are released.
    assert Programs(world, tmp_path, *asked(shop, event="prompt"), cwd=shop).names == ["awsrole-hook"]


def test_a_logout_while_it_waits_holds(world, shop):
    """As with awsrole: after a logout in the meantime, the role must not be used."""
    world.exec_env(shop)
    [lock] = [path for path in world.entries("lock") if path.stem != "key"]
    for entry in world.entries():
        entry.unlink()
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        waiting = subprocess.Popen([binary("awsrole-hook"), *asked(shop)], cwd=shop, env=world.environment(PWD=str(shop)),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # A logout is known by its second.
        time.sleep(1.2)
        assert world.awsrole("logout", cwd=shop).code == 0
    out, err = waiting.communicate(timeout=60)
    assert "__awsrole_done blocked " in out and "logged out" in err, (out, err)
    assert world.entries() == []


def test_a_refusal_is_remembered_for_it(world, tmp_path):
    folder = world.project("blocked", BLOCKED, allow=True)
    first = Programs(world, tmp_path, *asked(folder, event="prompt"), cwd=folder)
    again = Programs(world, tmp_path, *asked(folder, event="prompt"), cwd=folder)
    assert (first.names, again.names) == (["awsrole-hook", "awsrole"], ["awsrole-hook"])
    assert again.result.out == re.sub(r"blocked \d+", re.search(r"blocked \d+", again.result.out)[0], first.result.out)
    assert len(world.assumed()) == 1


def test_a_renewal_is_awsroles(world, tmp_path):
    world.sts.fault(lifetime_seconds=900)
    folder = world.project("short", DEPLOY, allow=True)
    world.exec_env(folder)
    (entry,) = world.entries()
    now = sealed.read(entry)
    sealed.change(entry, issued=now["issued"] - 800, expiration=now["expiration"] - 800)
    trace = tmp_path / "renewal"
    wrapper = (need("strace"), "-f", "-qq", "-s", "300", "-e", "trace=execve", "-o", trace)
    result = world.run(*wrapper, binary("awsrole-hook"), *asked(folder, event="due"), cwd=folder)
    assert "__awsrole_done role " in result.out
    assert re.search(r'execve\("[^"]*/awsrole", \["[^"]*/awsrole", "hook", "renew"', trace.read_text())


@pytest.mark.parametrize("number", ["0", "1", "3", "x"])
def test_a_snippet_of_another_protocol_is_answered_by_awsrole(world, held, tmp_path, number):
    """A shell that is older or newer than the programs: it says so, and what it gets is no complete answer."""
    words = [number if word == protocol() else word for word in asked(held)]
    hook = Programs(world, tmp_path, *words, cwd=held)
    assert hook.names == ["awsrole-hook", "awsrole"]
    assert hook.result.code != 0 and hook.result.out == ""
    if number != "x":
        assert "this shell loaded the hook of another version of awsrole" in hook.result.err
        assert f"protocol {number}, this awsrole speaks {protocol()}" in hook.result.err and "exec $SHELL" in hook.result.err


@pytest.mark.parametrize("program", ["awsrole-hook", "awsrole"])
def test_without_a_number_it_is_the_present_protocol(world, held, program):
    words = [word for word in asked(held) if word not in ("--protocol", protocol())]
    assert "__awsrole_done role " in world.run(binary(program), *words, cwd=held).out


def test_a_library_that_is_loaded_before_others_has_its_effect(world, held, tmp_path):
    """Such as a clock of somebody's own."""
    trace = tmp_path / "trace"
    wrapper = (need("strace"), "-f", "-e", "trace=openat", "-o", trace)
    result = world.run(*wrapper, binary("awsrole-hook"), *asked(held, event="prompt"), cwd=held, env={"LD_PRELOAD": "libm.so.6"})
    assert "__awsrole_done role " in result.out and "libm.so.6" in trace.read_text()


def test_a_home_that_only_the_system_knows(world, held, tmp_path):
    hook = Programs(world, tmp_path, *asked(held, event="prompt"), cwd=held, env={"HOME": ""})
    assert hook.result == world.awsrole(*asked(held, event="prompt"), cwd=held, env={"HOME": ""})


@pytest.mark.parametrize("others", [["status"], ["--help"], [], ["hook", "export", "tcsh"], ["hook", "export", "bash", "--evnt", "cd"]],
                         ids=" ".join)
def test_all_else_is_awsroles(world, tmp_path, others):
    hook = Programs(world, tmp_path, *others)
    whole = world.awsrole(*others)
    assert hook.names == ["awsrole-hook", "awsrole"] and hook.result == whole


def test_it_is_found_by_the_path(world, held):
    path = f"{binary('awsrole').parent}:/usr/bin:/bin"
    result = world.run("sh", "-c", "awsrole-hook --help", cwd=held, env={"PATH": path})
    assert result == world.awsrole("--help", cwd=held)


@pytest.mark.parametrize("name", ["awsrole", "awsrole-hook"])
def test_each_program_prints_its_own_version(world, tmp_path, name):
    result = world.run(binary(name), "--version", env={"PATH": "/nonexistent"})
    assert re.fullmatch(rf"{name} \d+\.\d+\.\d+ \(([0-9a-f]{{12}}, )?protocol \d+\)\n", result.out), result


@pytest.mark.parametrize("name", ["awsrole", "hook"])
def test_under_another_name_it_says_so(world, shop, tmp_path, name):
    """It would become itself otherwise, for ever."""
    renamed = shutil.copy(binary("awsrole-hook"), tmp_path / name)
    result = world.run(renamed, *asked(shop, event="prompt"), cwd=shop)
    assert result.code == 1 and result.out == ""
    assert "this program's name must be awsrole's, and -hook" in result.err


def test_awsrole_is_missing(world, shop, tmp_path):
    alone = shutil.copy(binary("awsrole-hook"), tmp_path / "awsrole-hook")
    result = world.run(alone, *asked(shop, event="prompt"), cwd=shop)
    assert result.code == 1 and result.out == ""
    assert result.err.startswith(f"awsrole: {tmp_path}/awsrole can't be started")
    assert "reinstall awsrole" in result.err
