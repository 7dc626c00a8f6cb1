"""Tests directories in which another user can replace the file by a FIFO: no shell opens it, and no change is missed.
"""

import os
import subprocess
import time

import pytest
from conftest import aws, takes_the_short_way, wait_for

from support.other import Ground, as_user

# Alternately renames a FIFO and a regular file to the path, forever. Each is there half of the time.
SWAPS = """
import itertools, os, sys
place, name = sys.argv[1], sys.argv[1] + ".%d"
for number in itertools.count():
    new = name % number
    if number % 2:
        os.mkfifo(new, 0o666)
    else:
        open(new, "w").close()
        os.chmod(new, 0o666)
    os.rename(new, place)
"""


def key(tty):
    return aws(tty.env()).get("AWS_ACCESS_KEY_ID")


@pytest.fixture
def shared(project):
    """The project, in a folder that everybody can write to."""
    project.chmod(0o777)
    return project


def test_a_change_is_seen_by_a_digest(shell, terminal, shared, stand_in):
    file = shared / ".awsrole.toml"
    tty = terminal(shell, cwd=shared / "deep")
    assert key(tty) == "ASIADEV" and not takes_the_short_way(tty)
    asked = stand_in.digests()
    tty.run("")
    assert (len(stand_in.starts()), stand_in.digests()) == (1, asked + 1), "one process, and no decision"
    for number, content in enumerate(['role = "new"\n', 'role = "new"\n# more\n', "\0", 'role = "new"\n'], start=2):
        file.write_text(content)
        tty.run("")
        assert len(stand_in.starts()) == number
        tty.run("")
        assert len(stand_in.starts()) == number, "once"
    assert key(tty) == "ASIANEW"
    file.unlink()
    tty.run("")
    assert aws(tty.env()) == {}


def test_a_fifo_in_its_place_is_a_change(shell, terminal, shared, stand_in):
    file = shared / ".awsrole.toml"
    tty = terminal(shell, cwd=shared)
    file.unlink()
    os.mkfifo(file)
    tty.run("")
    assert aws(tty.env()) == {} and len(stand_in.starts()) == 2
    stand_in.digests()


def test_it_is_known_again_with_each_answer(shell, terminal, shared, stand_in):
    file = shared / ".awsrole.toml"
    tty = terminal(shell, cwd=shared)
    for mode, whose in ((0o755, "own"), (0o777, "shared"), (0o755, "own")):
        shared.chmod(mode)
        stand_in.bump_generation()
        tty.run("")
        # A file that was opened before is compared as before, or by the digest that preceded the answer.
        asked, starts = stand_in.digests(), len(stand_in.starts())
        tty.run("")
        assert (stand_in.digests() - asked, takes_the_short_way(tty)) == ((0, True) if whose == "own" else (1, False)), mode
        file.write_text(f'role = "r{mode:o}{starts}"\n')
        tty.run("")
        assert key(tty) == f"ASIAR{mode:o}{starts}" and len(stand_in.starts()) == starts + 1


def test_one_of_several_files(shell, terminal, project, stand_in):
    """The farther of the two files that count is in a directory that others can write to."""
    (project / ".awsrole.toml").write_text('role = "dev"\ndepth = 2\n')
    upper = project.parent / ".awsrole.toml"
    upper.write_text("# inherited\n")
    project.parent.chmod(0o777)
    tty = terminal(shell, cwd=project)
    assert key(tty) == "ASIADEV"
    upper.write_text("# edited\n")
    tty.run("")
    assert len(stand_in.starts()) == 2 and stand_in.digests()
    (project / ".awsrole.toml").write_text('role = "new"\n')
    tty.run("")
    asked = stand_in.digests()
    assert key(tty) == "ASIANEW" and takes_the_short_way(tty)
    tty.run("")
    assert stand_in.digests() == asked, "the farther one doesn't count any more"


@pytest.mark.parametrize("mode", [0o1777, 0o777], ids=oct)
def test_no_swap_hangs_a_prompt(shell, terminal, stand_in, mode):
    """Another user, if root runs the tests; the same race in any case."""
    become = as_user() if os.geteuid() == 0 else ()
    with Ground() as folder:
        folder.chmod(mode)
        (folder / "below").mkdir()
        tty = terminal(shell, timeout=10)
        swapping = subprocess.Popen([*become, "/usr/bin/python3", "-c", SWAPS, str(folder / ".awsrole.toml")])
        try:
            assert wait_for((folder / ".awsrole.toml").exists)
            end, prompts = time.monotonic() + 4, 0
            while time.monotonic() < end or prompts < 10:
                tty.run(f"cd {folder}/below")
                tty.run("")
                tty.run("cd /")
                prompts += 3
            assert swapping.poll() is None and stand_in.digests() > 0
        finally:
            swapping.kill()
            swapping.wait()
