"""Tests that the approval of a main worktree allows the same file in its linked git worktrees, and nowhere else."""

import os
import shutil
import subprocess
from contextlib import closing

import pytest

from support import other
from support.hooked_shell import hook_line
from support.terminal import Terminal, need
from support.world import DEPLOY

EDITED = DEPLOY.replace("eu-west-1", "eu-west-3")


class Repository:
    """A repository `src/shop` with an approved file, and its linked worktree `src/feature`."""

    def __init__(self, world):
        self.world, self.main, self.feature = world, world.home / "src/shop", world.home / "src/feature"
        world.project("shop", DEPLOY)
        self.git("init", "--quiet", ".")
        self.commit()
        world.allow(self.main)
        self.git("worktree", "add", "--quiet", self.feature)

    def git(self, *words, cwd=None):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.world.home), "GIT_CONFIG_NOSYSTEM": "1"}
        settings = ("-c", "user.name=alice", "-c", "user.email=alice@example.com", "-c", "protocol.file.allow=always")
        subprocess.run([need("git"), *settings, *map(str, words)], cwd=cwd or self.main, env=env, check=True, timeout=60,
                       capture_output=True)

    def commit(self, cwd=None):
        self.git("add", ".", cwd=cwd)
        self.git("commit", "--quiet", "--message", "change", cwd=cwd)

    def state(self, folder):
        """Returns the state that a shell gets in a directory."""
        statements = self.world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder).out
        return statements.rsplit("__awsrole_done ", 1)[1].split()[0]


@pytest.fixture
def repository(world):
    return Repository(world)


def test_the_same_file_is_allowed(world, repository):
    assert repository.state(repository.feature) == "role"
    assert world.awsrole("exec", "--", "true", cwd=repository.feature).code == 0
    status = world.awsrole("status", "--json", cwd=repository.feature).json
    assert status["approval"] == f"allowed in the main worktree {repository.main}"
    assert "approval  allowed in the main worktree ~/src/shop\n" in world.awsrole("why", cwd=repository.feature).out
    shown = world.allow(repository.feature).err
    assert "git worktree    the same file is allowed in the main worktree ~/src/shop\n" in shown and "same file  " not in shown
    assert world.awsrole("status", "--json", cwd=repository.feature).json["approval"] == "allowed"


def test_another_file_needs_an_approval_and_its_difference_is_shown(world, repository):
    world.project("feature", EDITED)
    result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=repository.feature)
    assert "__awsrole_done outer " in result.out and "isn't allowed yet" in result.err
    shown = world.allow(repository.feature).err
    assert "~/src/feature/.awsrole.toml differs from the file that is allowed in ~/src/shop:" in shown
    assert '-region = "eu-west-1"' in shown and '+region = "eu-west-3"' in shown
    assert "another file is allowed in the main worktree ~/src/shop" in shown
    assert repository.state(repository.feature) == "role"
    world.project("feature", EDITED + "\n")
    assert "~/src/feature/.awsrole.toml changed since it was allowed:" in world.allow(repository.feature).err


def test_an_open_shell_follows_decisions_in_the_main_worktree(world, repository):
    """Files of the main worktree don't matter: an approval is for a content at a path."""
    with closing(Terminal("bash", world.home, hook_line("bash"), cwd=repository.feature, timeout=60)) as shell:
        assert shell.env()[b"AWSROLE_ROLE"] == b"Deploy"
        world.project("shop", EDITED)
        shell.run("true")
        assert shell.env()[b"AWSROLE_ROLE"] == b"Deploy"
        world.awsrole("deny", repository.main)
        assert "isn't allowed yet" in shell.run("true")
        assert b"AWSROLE_ROLE" not in shell.env()
        world.project("shop", DEPLOY)
        world.allow(repository.main)
        shell.run("true")
        assert shell.env()[b"AWSROLE_ROLE"] == b"Deploy"
        world.awsrole("deny", repository.feature)
        shell.run("true")
        assert b"AWSROLE_ROLE" not in shell.env(), "the decision in the worktree takes precedence"


def moved(repository):
    repository.git("worktree", "move", repository.feature, repository.feature.with_name("moved"))
    return repository.feature.with_name("moved")


def inside(repository):
    repository.git("worktree", "add", "--quiet", "--detach", "below/wt")
    return repository.main / "below/wt"


def deleted(repository):
    (repository.main / ".awsrole.toml").unlink()
    return repository.feature


def repaired(repository):
    """Moved without git, and then repaired."""
    repository.feature.rename(repository.feature.with_name("moved"))
    repository.git("worktree", "repair", repository.feature.with_name("moved"))
    return repository.feature.with_name("moved")


def linked(repository):
    """A symbolic link to the worktree is the worktree."""
    link = repository.world.home / "link"
    link.symlink_to(repository.feature)
    return link


@pytest.mark.parametrize("change", [moved, inside, deleted, repaired, linked])
def test_a_worktree_stays_one(repository, change):
    assert repository.state(change(repository)) == "role"


def renamed(repository):
    return repository.feature.rename(repository.feature.with_name("moved"))


def pruned(repository):
    renamed(repository)
    repository.git("worktree", "prune")
    return repository.feature.with_name("moved")


def copied(repository):
    shutil.copytree(repository.feature, repository.feature.with_name("copy"))
    return repository.feature.with_name("copy")


def cloned(repository):
    repository.git("clone", "--quiet", repository.main, repository.main.with_name("clone"))
    return repository.main.with_name("clone")


def bare(repository):
    """The main repository is bare, and an approved file is next to it."""
    place = repository.world.project("bare", DEPLOY, allow=True)
    repository.git("clone", "--quiet", "--bare", repository.main, place / ".git")
    repository.git("worktree", "add", "--quiet", place.with_name("of-bare"), cwd=place / ".git")
    return place.with_name("of-bare")


def separate(repository):
    """The main worktree's `.git` is a file."""
    repository.git("init", "--quiet", "--separate-git-dir", repository.world.home / "store")
    repository.git("worktree", "repair")
    return repository.feature


def submodule(repository):
    repository.git("submodule", "add", "--quiet", repository.main, "sub")
    return repository.main / "sub"


def forged(repository):
    """A directory of somebody else's that calls itself the worktree."""
    evil = repository.world.project("evil", DEPLOY)
    shutil.copy(repository.feature / ".git", evil / ".git")
    return evil


def symbolic(repository):
    evil = repository.world.project("evil", DEPLOY)
    (evil / ".git").symlink_to(repository.feature / ".git")
    return evil


def below(repository):
    """Another relative path."""
    repository.world.project("feature/below", DEPLOY)
    return repository.feature / "below"


def writable(repository):
    (repository.main / ".git/worktrees").chmod(0o777)
    return repository.feature


def foreign(repository):
    if os.geteuid() != 0:
        pytest.skip(other.root_only.kwargs["reason"])
    os.chown(repository.main / ".git/worktrees/feature/gitdir", other.UID, -1)
    return repository.feature


@pytest.mark.parametrize("change", [
    renamed, pruned, copied, cloned, bare, separate, submodule, forged, symbolic, below, writable, foreign])
def test_everything_else_needs_its_own_approval(world, repository, change):
    folder = change(repository)
    assert (folder / ".awsrole.toml").read_text() == DEPLOY
    assert repository.state(folder) == "outer"
    assert world.awsrole("exec", "--", "true", cwd=folder).code == 3
    assert world.sts.calls() == []
    world.allow(folder)
    assert repository.state(folder) == "role"


def test_a_chain_corresponds_as_a_whole(world, repository):
    leaf = world.project("shop/leaf", "inherit = true\nregion = \"eu-north-1\"\n")
    repository.commit()
    world.allow(leaf)
    repository.git("reset", "--quiet", "--hard", "HEAD")
    repository.git("worktree", "add", "--quiet", "--detach", world.home / "src/second")
    assert repository.state(world.home / "src/second/leaf") == "role"
    world.project("second", EDITED)
    assert repository.state(world.home / "src/second/leaf") == "outer"


def test_allow_says_where_git_is_not_trusted(world, repository):
    (repository.main / ".git").chmod(0o775)
    shown = " ".join(world.allow(repository.feature).err.split())
    assert "an approval of the main worktree doesn't count" in shown and "src/shop/.git is writable by others" in shown


def test_allow_of_a_moved_clone_says_where_it_was_allowed(world):
    for name in ("one", "two", "three"):
        world.project(name, DEPLOY, allow=True)
    old, new = world.home / "src/one", world.home / "src/one-moved"
    old.rename(new)
    shown = world.allow(new).err
    assert "  same file       allowed at ~/src/one/.awsrole.toml, which no longer exists\n" in shown, shown
    assert "                  allowed at ~/src/three/.awsrole.toml\n" in shown and "                  and 1 more\n" in shown
    assert "same file" not in world.allow(world.project("other", EDITED)).err
