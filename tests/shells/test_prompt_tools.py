"""Tests awsrole together with direnv, registered before or after it: one identity inside, the outer environment
outside.
"""

import os
import subprocess

import pytest
from conftest import DEV, aws, need

OUTER = {"AWS_PROFILE": "home", "AWS_REGION": "home-1", "AWS_ACCESS_KEY_ID": "AKIAHOME", "AWS_SECRET_ACCESS_KEY": "mine"}
ENVRC = "export AWS_PROFILE=from-direnv AWS_REGION=direnv-1 OTHER=1\n"


class Direnv:
    def __init__(self, terminal, shell, order):
        self.program = need("direnv")
        self.seconds = 1_000_000_000
        hook = f"{self.program} hook fish | source" if shell == "fish" else f'eval "$({self.program} hook {shell})"'
        self.tty = terminal(shell, env=OUTER | {"DIRENV_LOG_FORMAT": ""}, **{order: hook})
        self.outside = self.tty.env()

    def write(self, folder, text):
        file = folder / ".envrc"
        file.write_text(text)
        # direnv compares whole seconds.
        self.seconds += 2
        os.utime(file, (self.seconds, self.seconds))
        env = self.tty.environment(self.tty.home)
        subprocess.run([self.program, "allow", file], env=env, check=True)

    def inside(self, **expected):
        """Checks that there is the role, no other identity, and direnv's own variables."""
        env = {name.decode(): value.decode() for name, value in self.tty.env().items()}
        assert env.items() >= (DEV | expected).items()
        assert "AWS_PROFILE" not in env
        return env


@pytest.fixture(params=["before", "after"])
def direnv(request, terminal, shell):
    return Direnv(terminal, shell, request.param)


def test_envrc_beside_our_file(direnv, project, stand_in):
    direnv.write(project, ENVRC)
    for _ in range(2):
        direnv.tty.run(f"cd {project}")
        direnv.inside(OTHER="1")
        direnv.tty.run("")
        direnv.tty.run("cd deep")
        direnv.inside(OTHER="1")
        starts = len(stand_in.starts())
        direnv.tty.run("")
        direnv.tty.run("true")
        assert len(stand_in.starts()) == starts
        direnv.tty.run("cd /")
        assert direnv.tty.env() == direnv.outside


def test_the_decision_is_made_over_what_direnv_set(direnv, project, stand_in):
    direnv.write(project, ENVRC)
    direnv.tty.run(f"cd {project}")
    direnv.inside()
    assert stand_in.starts()[-1]["env"] == OUTER | {"AWS_PROFILE": "from-direnv", "AWS_REGION": "direnv-1"}


def test_envrc_above(direnv, project):
    direnv.write(project.parent, ENVRC)
    direnv.tty.run(f"cd {project.parent}")
    between = direnv.tty.env()
    assert aws(between) == OUTER | {"AWS_PROFILE": "from-direnv", "AWS_REGION": "direnv-1"}
    direnv.tty.run(f"cd {project}")
    direnv.inside(OTHER="1")
    direnv.tty.run("cd ..")
    assert direnv.tty.env() == between
    direnv.tty.run(f"cd {project}")
    direnv.tty.run("cd /")
    assert direnv.tty.env() == direnv.outside


def test_envrc_below(direnv, project):
    direnv.write(project / "deep", ENVRC)
    direnv.tty.run(f"cd {project}")
    inside = direnv.inside()
    direnv.tty.run("cd deep")
    direnv.inside(OTHER="1")
    direnv.tty.run("cd ..")
    assert direnv.inside() == inside
    direnv.tty.run("cd deep/er")
    direnv.inside(OTHER="1")
    direnv.tty.run("cd /")
    assert direnv.tty.env() == direnv.outside


def test_envrc_edited_inside(direnv, project):
    direnv.write(project, ENVRC)
    direnv.tty.run(f"cd {project}")
    direnv.write(project, "export AWS_PROFILE=another OTHER=2\n")
    direnv.tty.run("true")
    direnv.inside(OTHER="2")
    direnv.write(project, "export OTHER=3\n")
    direnv.tty.run("true")
    direnv.inside(OTHER="3")
    direnv.tty.run("cd /")
    assert direnv.tty.env() == direnv.outside


def test_our_file_comes_and_goes(direnv, project):
    (project / ".awsrole.toml").unlink()
    direnv.write(project, ENVRC)
    direnv.tty.run(f"cd {project}")
    without = direnv.tty.env()
    assert without[b"AWS_PROFILE"] == b"from-direnv"
    (project / ".awsrole.toml").write_text('role = "dev"\n')
    direnv.tty.run("true")
    direnv.inside(OTHER="1")
    (project / ".awsrole.toml").unlink()
    direnv.tty.run("true")
    assert direnv.tty.env() == without


def test_changed_by_hand(direnv, project, shell):
    direnv.write(project, ENVRC)
    direnv.tty.run(f"cd {project}")
    output = direnv.tty.run("set -gx AWS_PROFILE mine" if shell == "fish" else "export AWS_PROFILE=mine")
    assert "AWS_PROFILE was changed manually" in output
    assert aws(direnv.tty.env())["AWS_PROFILE"] == "mine"
    assert "AWS_ACCESS_KEY_ID" not in aws(direnv.tty.env())


def test_a_terminal_opened_inside(terminal, shell, project):
    direnv = Direnv(terminal, shell, "after")
    direnv.write(project, ENVRC)
    direnv.tty.run(f"cd {project}")
    direnv.tty.run("")
    inherited = {name.decode(): value.decode() for name, value in direnv.tty.env().items()}
    hook = f"{direnv.program} hook fish | source" if shell == "fish" else f'eval "$({direnv.program} hook {shell})"'
    nested = terminal(shell, env=inherited, cwd=project, before=hook)
    nested.run("")
    inside = aws(nested.env())
    assert inside.items() >= DEV.items() and "AWS_PROFILE" not in inside
