"""Tests that other users cannot read the memory of awsrole's processes, and that child programs are unaffected."""

import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from support import other
from support.aws_files import aws_profile
from support.local_sts import binary
from support.world import DEPLOY, World

# What a user may do to a process of their own, and what gdb and strace begin with.
LOOK = """
import ctypes, os, sys
pid, = map(int, sys.argv[1:])
seen = []
for name in ("environ", "mem", "maps"):
    try:
        os.close(os.open(f"/proc/{pid}/{name}", os.O_RDONLY)), open(f"/proc/{pid}/{name}", "rb").read(0 if name == "mem" else 1)
        seen.append(name)
    except OSError:
        pass
PTRACE_SEIZE = 0x4206
if ctypes.CDLL(None).ptrace(PTRACE_SEIZE, pid, None, None) == 0:
    seen.append("ptrace")
print(*seen)
"""


@pytest.fixture
def waiting(world, shop):
    """Starts a command that holds the source's keys and waits for STS, as a user or as this one."""
    started = []

    def start(wrapper=(), of=world, **options):
        of.sts.fault(latency_ms=120_000)
        process = subprocess.Popen([*wrapper, binary("awsrole"), "exec", "--", "true"], cwd=of.home / "src/shop",
                                   env=of.environment(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options)
        started.append(process)
        assert "waiting for" in process.stderr.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def look(pid):
    """Returns what another process of the same user can read of a process."""
    done = subprocess.run([*other.as_user(), "/usr/bin/python3", "-c", LOOK, str(pid)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@other.root_only
def test_the_same_user_can_not_look_into_it(waiting):
    with other.Ground() as ground, World(ground) as world:
        world.project("shop", DEPLOY)
        other.give(world.home)
        assert world.awsrole("allow", world.home / "src/shop", wrapper=other.as_user()).code == 0
        assert look(waiting(other.as_user(), of=world).pid) == set()
    ordinary = subprocess.Popen([*other.as_user(), "cat"], stdin=subprocess.PIPE)
    while open(f"/proc/{ordinary.pid}/comm").read().strip() != "cat":
        time.sleep(0.01)
    assert look(ordinary.pid) >= {"environ", "maps"}, "an ordinary process can be looked into"
    ordinary.communicate()


@pytest.mark.parametrize("name", ["SIGABRT", "SIGQUIT", "SIGILL"])
def test_no_signal_leaves_a_core(waiting, shop, name):
    def cores():
        most = resource.RLIM_INFINITY if os.geteuid() == 0 else resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (most, most))

    ordinary = subprocess.Popen(["cat"], stdin=subprocess.PIPE, cwd=shop, preexec_fn=cores)
    mine = waiting(preexec_fn=cores)
    dumped = {}
    for who, process in (("ordinary", ordinary), ("awsrole", mine)):
        process.send_signal(signal.Signals[name])
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -1
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.Signals[name]
        dumped[who] = os.WCOREDUMP(status)
    assert not dumped["awsrole"]
    if not dumped["ordinary"]:
        pytest.skip("this system makes no core dumps")


DUMPABLE = "import ctypes, resource; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))"


def test_a_command_is_as_any_other(world, shop):
    """prctl(2): PR_GET_DUMPABLE is 1, and the limit on core dumps is the one outside."""
    plain = subprocess.run([sys.executable, "-c", DUMPABLE], capture_output=True, text=True).stdout
    assert plain.startswith("1 ")
    assert world.awsrole("exec", "--", sys.executable, "-c", DUMPABLE, cwd=shop).out == plain


def test_a_source_that_is_a_program_is_as_any_other(world):
    program = world.write("program", f"#!/bin/sh\n{sys.executable} -c '{DUMPABLE}' > {world.home}/seen\nexit 1\n")
    program.chmod(0o755)
    config = world.home / ".aws/config"
    config.write_text(config.read_text() + aws_profile("vault", credential_process=program))
    folder = world.project("vault", DEPLOY.replace("jump", "vault"), allow=True)
    assert world.awsrole("exec", "--", "true", cwd=folder).code != 0
    plain = subprocess.run([sys.executable, "-c", DUMPABLE], capture_output=True, text=True).stdout
    assert (world.home / "seen").read_text() == plain
