"""Counts the system calls and network calls of `hook export`. benches/run measures times."""

import collections
import re

import pytest

from support.aws_files import role_file
from support.local_sts import binary
from support.terminal import need
from support.world import DEPLOY, THERE, asked

CHAIN = role_file("Second", source="shop-dev", region="eu-central-1")

# What makes a thread or a process, what talks to others, and what a runtime waits with.
CREATES = {"clone", "clone3", "fork", "vfork"}
TALKS = {"socket", "socketpair", "connect", "bind", "sendto", "sendmsg", "recvfrom", "recvmsg"}
WAITS = {"epoll_create1", "epoll_wait", "epoll_ctl", "eventfd2", "futex", "clock_nanosleep"}


class Trace:
    """The system calls of one run, from strace."""

    def __init__(self, world, tmp_path, *words, program="awsrole", cwd=None):
        path = tmp_path / "trace"
        self.result = world.run(need("strace"), "-f", "-qq", "-s", "200", "-o", path, binary(program), *words, cwd=cwd)
        self.lines = [line.split(maxsplit=1)[1] for line in path.read_text().splitlines()]
        self.names = collections.Counter(line.split("(")[0] for line in self.lines if re.match(r"\w+\(", line))

    def paths(self, below) -> list:
        """Returns the files below a directory whose paths were used, in order."""
        found = [re.search(rf'"({re.escape(str(below))}/[^"]*)"', line) for line in self.lines
                 if not line.startswith(("execve", "write"))]
        return [match[1].removeprefix(f"{below}/") for match in found if match]

    def bytes_read(self) -> int:
        return sum(int(line.rsplit("= ", 1)[1]) for line in self.lines if line.startswith("read(") and "= -1" not in line)


def export(world, tmp_path, folder, program="awsrole-hook"):
    trace = Trace(world, tmp_path, *asked(folder, event="prompt"), program=program, cwd=folder)
    assert "__awsrole_done role " in trace.result.out, trace.result
    return trace


@pytest.fixture(params=["awsrole-hook", "awsrole"])
def program(request):
    """What shells call, and what they call where that is missing."""
    return request.param


@pytest.fixture
def hit(world, shop, tmp_path, program):
    """The trace of an export whose role is in the cache."""
    world.exec_env(shop)
    world.sts.reset()
    trace = export(world, tmp_path, shop, program)
    assert world.sts.calls() == []
    return trace


def test_a_hit_starts_nothing_and_talks_to_nobody(hit):
    assert not hit.names.keys() & (CREATES | TALKS | WAITS), hit.names


def test_its_memory_is_blocked_before_it_holds_a_secret(hit, world):
    opened = next(number for number, line in enumerate(hit.lines) if line.startswith("openat(") and str(world.home) in line)
    assert any("prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE)" in line for line in hit.lines[:opened])


def test_a_hit_costs_few_system_calls(hit, world, tmp_path):
    """What a start of awsrole costs anyway is counted by `--version`."""
    started = Trace(world, tmp_path, "--version")
    more = hit.names - started.names
    # Two folders are named without links: once for the approval, once for the key.
    assert more["readlink"] <= len((world.home / "src/shop").parts) + len((world.home / ".cache/awsrole").parts)
    del more["readlink"]
    # Each folder on the way to the approvals is looked at once, and each on the way to the file, with that itself:
    # who else could put others in their place?
    data, file = world.home / ".local/share/awsrole", world.home / "src/shop/.awsrole.toml"
    ways = [*map(str, [data, *data.parents, file, *file.parents])]
    looked = [path for line in hit.lines if line.startswith(("statx(", "newfstatat(", "lstat(")) and "AT_SYMLINK_NOFOLLOW" in line
              for path in re.findall(r'"([^"]*)"', line) if path in ways]
    # One of the looks at the file tells whether it is a link.
    assert sorted(looked) == sorted([*ways, str(file)]), looked
    more["statx"] -= len(ways)
    # A debug build asks of each file that it closes whether it was still open.
    del more["fcntl"]
    # Four of them are for the owners and modes of the two folders above an approval, one for the generation's.
    assert more.total() <= 45, more


def test_settings_cost_a_look_at_each_folder_above_them(world, shop, tmp_path):
    """They are read once, and no folder is looked at twice for them."""
    world.exec_env(shop)
    without = export(world, tmp_path, shop)
    settings = world.write(".config/awsrole/config.toml", f'[[trust]]\npath = "~/src"\naccounts = ["{THERE}"]\n')
    for folder in settings.parents:
        if folder.is_relative_to(world.home):
            folder.chmod(0o755)
    more = export(world, tmp_path, shop).names - without.names
    assert more["statx"] <= len(settings.parts) + 2, more
    assert more["openat"] == 0 and more["read"] <= 2 and not more["readlink"], more
    assert more.total() - more["statx"] <= 12, more


def test_a_hit_looks_at_each_file_once(hit, world):
    looked = [path for path in hit.paths(world.home) if ".awsrole.toml" not in path]
    entry, = world.entries()
    approval, = (world.home / ".local/share/awsrole/approvals").glob("*/*")
    expected = [
        ".config/awsrole/config.toml",
        ".local/state/awsrole/account-names.json",
        str((approval.parent / "denied").relative_to(world.home)),
        str(approval.relative_to(world.home)),
        ".aws/config",
        ".aws/credentials",
        str(entry.relative_to(world.home)),
        ".local/state/awsrole/history",
    ]
    assert [path for path in looked if path in expected] == expected
    # Otherwise only directories on the path to the file.
    assert all((world.home / path).is_dir() for path in looked if path not in expected), looked
    opened = [line for line in hit.lines if line.startswith("openat(") and str(world.home) in line]
    # The names of accounts were looked for, and there are none.
    assert len(opened) == 7, opened
    # The directories of the project and of the cache are checked for symbolic links, without being read.
    checked = [line for line in hit.lines if line.startswith("openat2(") and str(world.home) in line]
    assert len(checked) == 2 and all("O_PATH" in line and "RESOLVE_NO_SYMLINKS" in line for line in checked), checked


def test_a_hit_looks_for_the_file_of_an_organization_once(hit):
    """The settings need it, and so does each plan."""
    assert len([line for line in hit.lines if '"/etc/awsrole/config.toml"' in line]) == 1


def test_what_is_not_asked_for_costs_nothing(world, shop, tmp_path):
    """A thousand profiles are read with their file and no more; approvals and entries of others not at all."""
    world.exec_env(shop)
    few = export(world, tmp_path, shop)
    (entry,) = world.entries()
    (approval,) = (world.home / ".local/share/awsrole/approvals").glob("*")
    for number in range(1000):
        name = f"{number:064x}"
        entry.with_name(entry.name.replace(entry.name.split(".")[0], name)).write_bytes(entry.read_bytes())
        approval.with_name(name).mkdir()
        (approval.with_name(name) / name).write_text(DEPLOY)
    config = world.home / ".aws/config"
    before = config.stat().st_size
    with config.open("a") as file:
        for number in range(1000):
            file.write(f"[profile team-{number}]\nrole_arn = arn:aws:iam::{THERE}:role/Team{number}\nsource_profile = jump\n\n")
    many = export(world, tmp_path, shop)
    # A larger file needs more reads and more memory, but no other system call.
    room = {"brk", "mmap", "munmap", "read"}
    assert (many.names - few.names).total() <= 12, many.names - few.names
    assert {n: c for n, c in many.names.items() if n not in room} == {n: c for n, c in few.names.items() if n not in room}
    assert many.paths(world.home) == few.paths(world.home)
    # What the loader reads of itself in /proc differs by a few bytes from run to run.
    assert abs(many.bytes_read() - few.bytes_read() - (config.stat().st_size - before)) < 200


@pytest.mark.parametrize("text, calls", [(DEPLOY, 1), (CHAIN, 2)], ids=["role", "chain"])
def test_a_miss_makes_the_plans_calls_over_one_connection(world, tmp_path, text, calls):
    folder = world.project("missed", text, allow=True)
    trace = export(world, tmp_path, folder)
    assert world.sts.counts() == {"AssumeRole": calls, "connections": 1}
    connected = [line for line in trace.lines if line.startswith("connect(")]
    assert len(connected) == 1 and f"htons({world.sts.port})" in connected[0], connected
    assert trace.names["socket"] == 1
    # All on one thread: nothing that a signal at a bad moment could leave half done.
    assert not trace.names.keys() & CREATES, trace.names


def test_role_profiles_read_the_aws_files_once(world, tmp_path):
    """The plan and the copies of `profiles = true` are made from the same bytes."""
    role = DEPLOY.replace("role_arn", "[role.deploy]\nrole_arn", 1)
    folder = world.project("several", f'profiles = true\ndefault_role = "deploy"\n{role}', allow=True)
    world.exec_env(folder)
    trace = export(world, tmp_path, folder)
    for name in ("config", "credentials"):
        path = f'"{world.home / ".aws" / name}"'
        assert len([line for line in trace.lines if line.startswith("openat(") and path in line]) == 1
