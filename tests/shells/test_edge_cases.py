"""Tests edge cases: deep, deleted and blocked directories, loops, jobs, other shells, tmux."""

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from conftest import BLOCKED_AT_HOME, DEV, SHELLS, Terminal, aws, need, read_env, wait_for

OUTER = {"AWS_PROFILE": "home", "AWS_REGION": "home-1"}
LOOPS = {
    "bash": "while read -r dir; do cd {0}/$dir; command env -0 > {1}/$dir; done < {2}",
    "zsh": "while read -r dir; do cd {0}/$dir; command env -0 > {1}/$dir; done < {2}",
    "fish": "while read dir; cd {0}/$dir; command env -0 > {1}/$dir; end < {2}",
}


def assign(shell, name, value):
    return f"set -g {name} {value}" if shell == "fish" else f"{name}={value}"


def test_250_levels(shell, terminal, project, stand_in):
    deep = project.joinpath(*["d"] * 250)
    deep.mkdir(parents=True)
    tty = terminal(shell, env=OUTER)
    tty.run(f"cd {deep}")
    assert aws(tty.env()).items() >= DEV.items()
    (deep / ".awsrole.toml").write_text('role = "deep"\n')
    tty.run("")
    assert aws(tty.env())["AWS_ACCESS_KEY_ID"] == "ASIADEEP"
    (deep / ".awsrole.toml").unlink()
    tty.run("")
    assert aws(tty.env())["AWS_ACCESS_KEY_ID"] == "ASIADEV"
    tty.run("cd /")
    assert aws(tty.env()) == OUTER
    assert len(stand_in.starts()) == 3


def test_a_deleted_working_directory(shell, terminal, project, stand_in):
    tty = terminal(shell, cwd=project / "deep/er", env=OUTER)
    shutil.rmtree(project / "deep")
    assert "awsrole" not in tty.run("")
    assert aws(tty.env()).items() >= DEV.items()
    shutil.rmtree(project)
    assert "awsrole" not in tty.run("")
    assert aws(tty.env()) == OUTER
    tty.run("cd /")
    assert aws(tty.env()) == OUTER and len(stand_in.starts()) == 1


def test_a_shell_that_starts_in_a_deleted_directory(shell, terminal, project, stand_in, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    wrapper = (need("sh"), "-c", f'rmdir {gone} && exec "$@"', "sh")
    tty = terminal(shell, cwd=gone, env=OUTER, wrapper=wrapper)
    assert "awsrole" not in tty.greeting
    assert aws(tty.env()) == OUTER
    tty.run(f"cd {project}")
    assert aws(tty.env()).items() >= DEV.items()


@pytest.fixture
def somewhere():
    """A folder that other users may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="awsrole-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    subprocess.run(["chmod", "-R", "u+rwx", folder], check=True)
    shutil.rmtree(folder)


# Another user cannot run the Python of the fake binary, which may be in a private directory.
FOR_NOBODY = """#!/bin/sh
for file; do :; done
if [ -r "$file" ]; then echo "__awsrole_set AWS_ACCESS_KEY_ID 'ASIADEV'"; echo '__awsrole_done role 0 1'
else echo '__awsrole_done outer 0 1'; fi
"""


def test_a_folder_that_may_be_entered_but_not_read(shell, somewhere, stand_in):
    """And one above it that may not even be searched. As root all of it could be read, so that nobody does it."""
    as_nobody = () if os.getuid() else (need("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups")
    stand_in.program.write_text(FOR_NOBODY)
    program = shutil.copytree(stand_in.folder, somewhere / "bin")
    stand_in.folder, stand_in.program = program, program / "awsrole"
    project, home = somewhere / "project", somewhere / "home"
    inside = project / "unreadable/inside"
    inside.mkdir(parents=True)
    home.mkdir()
    (project / ".awsrole.toml").write_text("")
    source = stand_in.source(shell)
    subprocess.run(["chmod", "-R", "a+rwX", somewhere], check=True)
    (project / "unreadable").chmod(0o111)
    tty = Terminal(shell, somewhere / "home", source, env=OUTER, wrapper=as_nobody, cwd="/")

    def key():
        out = home / f"env-{next(tty.files)}"
        tty.run(f"command env -0 > {out}")
        return aws(read_env(out)).get("AWS_ACCESS_KEY_ID")

    try:
        for file in home.rglob("*"):
            file.chmod(0o777)
        said = tty.run(f"cd {inside}")
        assert key() == "ASIADEV"
        project.chmod(0)
        said += tty.run("")
        assert key() is None
        project.chmod(0o755)
        said += tty.run("")
        assert key() == "ASIADEV"
        (project / ".awsrole.toml").chmod(0)
        said += tty.run("")
        assert key() is None
        said += tty.run("cd /")
        assert "awsrole:" not in said and "denied" not in said
    finally:
        tty.close()


def test_a_loop_that_reads_and_changes_directory(shell, terminal, project, stand_in, tmp_path):
    """The binary must not eat the loop's input, and each round has its own role."""
    out, names = tmp_path / "out", tmp_path / "names"
    out.mkdir()
    names.write_text("one\ntwo\nthree\n")
    for name in ("one", "two", "three"):
        (project / name).mkdir()
        (project / name / ".awsrole.toml").write_text(f'role = "{name}"\n')
    tty = terminal(shell)
    tty.run(LOOPS[shell].format(project, out, names))
    for name in ("one", "two", "three"):
        assert aws(read_env(out / name))["AWS_ACCESS_KEY_ID"] == f"ASIA{name.upper()}"
    assert len(stand_in.starts()) == 3


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_background_job_has_the_role_and_asks_nothing(terminal, project, stand_in, shell):
    """fish runs no functions in the background."""
    tty = terminal(shell, env=OUTER)
    out = tty.file()
    tty.run(f"{{ cd {project} && command env -0 > {out}.new && mv {out}.new {out}; }} &")
    assert wait_for(out.exists)
    assert aws(read_env(out)).items() >= DEV.items()
    assert aws(tty.env()) == OUTER
    assert "--ask" not in stand_in.starts()[0]["argv"]


def test_a_job_keeps_what_it_was_started_with(shell, terminal, project):
    tty = terminal(shell, cwd=project)
    go, out = tty.file("go"), tty.file()
    wait = shlex.quote(f"while ! test -e {go}; do sleep 0.02; done; env -0 > {out}.new; mv {out}.new {out}")
    tty.run(f"command sh -c {wait} &")
    tty.run("cd /")
    go.touch()
    assert wait_for(out.exists)
    assert aws(read_env(out)).items() >= DEV.items()
    assert aws(tty.env()) == {}


@pytest.fixture(params=["role", "blocked"])
def held(project, request):
    """What a shell holds in the project: its role, or nothing because it's blocked."""
    if request.param == "role":
        return DEV
    (project / ".awsrole.toml").write_text('state = "blocked"\n')
    return BLOCKED_AT_HOME


@pytest.mark.parametrize("inner", SHELLS)
def test_a_shell_of_another_kind_inside(shell, terminal, project, inner, held):
    """A shell passes everything to another one in its environment, whatever kind of shell that is."""
    tty = terminal(shell, env=OUTER)
    tty.run(f"cd {project}")
    inherited = {name.decode(): value.decode() for name, value in tty.env().items() if name != b"HOME"}
    nested = terminal(inner, env=inherited, cwd=project)
    assert aws(nested.env()).items() >= held.items()
    nested.run("cd /")
    assert aws(nested.env()) == OUTER
    nested.run(f"cd {project}")
    assert aws(nested.env()).items() >= held.items()
    # The outer one doesn't notice.
    tty.run("cd /")
    assert aws(tty.env()) == OUTER


@pytest.mark.parametrize("other", SHELLS)
def test_exec(shell, terminal, project, other, held):
    # Prompts are distinguished by their numbers.
    tty, model = terminal(shell, env=OUTER), terminal(other, after=assign(other, "ready_count", 1000))
    model.close()
    tty.run(f"cd {project}")
    argv = " ".join(map(str, model.process.args))
    tty.send(f"exec env HOME={model.home} {argv}" + ("\r" if shell == "fish" else "\n"))
    tty.shell, tty.count, tty.home = other, 1000, model.home
    tty.wait()
    assert aws(tty.env()).items() >= held.items()
    tty.run("cd /")
    assert aws(tty.env()) == OUTER


def test_tmux_with_the_environment_of_an_old_server(shell, terminal, project, tmp_path, held):
    """The server was started inside a project; a window that is opened elsewhere doesn't have its role."""
    tmux = [need("tmux"), "-f", "/dev/null", "-S", str(tmp_path / "socket")]
    tty, model = terminal(shell, env=OUTER), terminal(shell)
    model.close()
    tty.run(f"cd {project}")
    server = {name.decode(): value.decode() for name, value in tty.env().items()} | {"HOME": str(model.home), "TERM": "xterm"}
    window = " ".join(map(str, model.process.args))
    out = tmp_path / "windows"
    out.mkdir()

    def environment(name):
        write = f"command env -0 > {out}/new && mv {out}/new {out}/{name}"
        subprocess.run([*tmux, "send-keys", "-t", name, write, "Enter"], check=True, env=server)
        assert wait_for((out / name).exists)
        return aws(read_env(out / name))

    subprocess.run([*tmux, "new-session", "-d", "-s", "s", "-n", "inside", "-c", project, window], check=True, env=server)
    try:
        assert environment("inside").items() >= held.items()
        subprocess.run([*tmux, "new-window", "-d", "-t", "s", "-n", "outside", "-c", "/", window], check=True, env=server)
        assert environment("outside") == OUTER
        subprocess.run([*tmux, "send-keys", "-t", "outside", f"cd {project}", "Enter"], check=True, env=server)
        (out / "outside").unlink()
        assert environment("outside").items() >= held.items()
    finally:
        subprocess.run([*tmux, "kill-server"], check=True, env=server)


def test_an_upgraded_binary(shell, terminal, project, stand_in):
    """A new file in the old one's place: nothing at an unchanged prompt, and the next entry uses it."""
    tty = terminal(shell, env=OUTER)
    tty.run(f"cd {project}")
    new = stand_in.program.with_name("new")
    new.write_text(stand_in.program.read_text().replace('f"ASIA{role.upper()}"', '"ASIAUPGRADED"'))
    new.chmod(0o755)
    new.rename(stand_in.program)
    tty.run("")
    assert aws(tty.env())["AWS_ACCESS_KEY_ID"] == "ASIADEV" and len(stand_in.starts()) == 1
    tty.run("cd /")
    assert aws(tty.env()) == OUTER
    tty.run(f"cd {project}")
    assert aws(tty.env())["AWS_ACCESS_KEY_ID"] == "ASIAUPGRADED"


def test_a_signal_handler_of_fish_is_kept(terminal, project, stand_in):
    (project / ".awsrole.toml").write_text('role = "dev"\nsleep = 30\n')
    tty = terminal("fish", before="function on_int --on-signal INT; end")
    tty.send(f"cd {project}\r")
    assert wait_for(stand_in.starts)
    tty.interrupt()
    tty.wait()
    assert stand_in.digests()
    out = tty.file()
    tty.run(f"functions --handlers-type signal | string match -e on_int > {out}")
    assert "on_int" in out.read_text()
