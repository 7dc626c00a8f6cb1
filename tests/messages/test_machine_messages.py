"""Tests the messages about the machine: directories, the disk, the hook, and arguments."""

import fcntl
import os
import resource
import shutil
import signal

import pytest
from failure_world import file

from support.local_sts import binary


@pytest.fixture
def bound():
    """Returns a prefix for a command with which file modes apply to root, too."""
    return () if os.geteuid() else (shutil.which("setpriv"), "--bounding-set", "-dac_override,-dac_read_search")


@pytest.fixture
def shop(world):
    return world.shop(file("Plain"))


def full():
    """As if the disk were full: no file can grow."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def test_cache_can_not_be_written(world, shop, says, bound):
    """The cache's directory is read-only."""
    world.write(".cache/awsrole/.keep", "")
    (world.home / ".cache/awsrole").chmod(0o500)
    says(wrapper=bound)
    (world.home / ".cache/awsrole").chmod(0o700)


def test_home_is_read_only(world, shop, says, bound):
    """The home directory is read-only, so `allow` cannot store the approval."""
    world.project("shop", file("Deploy"))
    folders = [world.home, *(path for path in world.home.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o500)
    result = world.awsrole("allow", cwd=shop, wrapper=bound)
    for folder in folders:
        folder.chmod(0o755)
    says.compare("$ awsrole allow", result.err[result.err.rindex("awsrole: "):], result.code, shop)


def test_disk_is_full(world, shop, says):
    """The disk is full when `deny` wants to write."""
    says("deny", preexec_fn=full)


def test_directory_is_gone(world, shop, says):
    """The working directory was removed in another terminal."""
    gone = shop / "gone"
    script = 'mkdir "$1" && cd "$1" && rmdir "$1" && shift && exec "$@"'
    result = world.run("sh", "-c", script, "-", gone, binary("awsrole"), "exec", "--", "true", cwd=shop, env={"PWD": str(gone)})
    says.compare("$ awsrole exec -- true", result.err, result.code, world.home)


def test_hook_is_not_loaded(shop, says):
    """`awsrole off` in a shell without the hook."""
    says("off")


def test_no_terminal_to_choose_on(world, says):
    """`awsrole use` without a name and without a terminal."""
    world.shop(f'default_role = "dev"\n[role.dev]\n{file("Plain")}[role.prod]\n{file("Deploy")}')
    says("use", start_new_session=True)


def test_nothing_to_refresh(world, says):
    """`awsrole refresh` in a shell without a role. It has no option that selects one."""
    says("refresh", world.home)


def test_nothing_to_choose(shop, says):
    """`awsrole use` in a project with one role, without a terminal."""
    says("use", start_new_session=True)


def test_no_such_program(shop, says):
    """The command after -- doesn't exist."""
    says("exec -- terrafrom plan")


def test_min_ttl_exceeds_the_session(shop, says):
    """The required lifetime exceeds that of the session."""
    says("exec --min-ttl 2h -- true")


def test_init_again(shop, says):
    """The file exists already."""
    says("init --profile alice")


def test_init_with_a_profile_that_is_not_there(world, says):
    """`init` with a misspelled profile."""
    world.project("shop")
    says("init --profile alcie")


def test_no_such_directory(shop, says):
    """The directory doesn't exist."""
    says("allow nowhere")


def test_stdout_is_full(world, shop, says):
    """The output can't be written."""
    result = world.run("sh", "-c", '"$@" >/dev/full', "-", binary("awsrole"), "why", cwd=shop)
    says.compare("$ awsrole why > /dev/full", result.err, result.code, shop)


def test_another_awsrole_asks(world, says):
    """Another terminal is prompting for the code."""
    world.shop(file("Guarded", source="alice-mfa"))
    world.awsrole("exec", "--", "true", cwd=world.home / "src/shop", start_new_session=True)
    locks = [open(path, "r+") for path in (world.home / ".cache/awsrole").glob("*.lock")]
    for one in locks:
        fcntl.flock(one, fcntl.LOCK_EX)
        one.truncate(0)
        one.write("awsrole is prompting for the MFA code in another terminal (process 4711)")
        one.flush()
    says()


def test_policy_without_a_role(world, says):
    """`awsrole policy` where no role is assumed."""
    world.shop('profile = "alice"\n')
    says("policy")
