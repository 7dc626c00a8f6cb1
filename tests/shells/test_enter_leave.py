"""`cd` in: the role; `cd` out: everything as it was."""

import os

import pytest
from conftest import CLOSED, DEV, aws, need, read_env


def test_cd_in_and_out(shell, terminal, project, stand_in):
    tty = terminal(shell)
    before = tty.env()
    assert not stand_in.starts()
    tty.run(f"cd {project}")
    assert aws(tty.env()).items() >= DEV.items()
    tty.run("cd deep/er")
    tty.run("cd ..")
    assert aws(tty.env()).items() >= DEV.items()
    tty.run("cd /")
    assert tty.env() == before
    assert [start["argv"] for start in stand_in.starts()] == [
        ["hook", "export", shell, "--event", "cd", "--ask", "--", f"{project}/.awsrole.toml"]
    ]


def test_first_prompt_inside_asks_nothing(shell, terminal, project, stand_in):
    tty = terminal(shell, cwd=project)
    assert aws(tty.env()).items() >= DEV.items()
    assert stand_in.events() == ["prompt"]
    assert "--ask" not in stand_in.starts()[0]["argv"]


def test_the_rest_of_the_line_has_the_role(shell, terminal, project):
    tty = terminal(shell)
    inside, outside = tty.file(), tty.file()
    tty.run(f"cd {project} && command env -0 > {inside} && cd / && command env -0 > {outside}")
    assert aws(read_env(inside)).items() >= DEV.items()
    assert aws(read_env(outside)) == {}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_subshell_has_the_role_and_asks_nothing(shell, terminal, project, stand_in):
    tty = terminal(shell)
    inside = tty.file()
    tty.run(f"(cd {project} && command env -0 > {inside})")
    assert aws(read_env(inside)).items() >= DEV.items()
    assert aws(tty.env()) == {}
    assert "--ask" not in stand_in.starts()[0]["argv"]


def test_fish_moves_in_a_command_substitution_and_asks_nothing(terminal, project, stand_in):
    tty = terminal("fish")
    tty.run(f"set x (cd {project}; pwd)")
    assert aws(tty.env()).items() >= DEV.items()
    assert "--ask" not in stand_in.starts()[0]["argv"]


def test_pushd_popd_and_cd_minus(shell, terminal, project):
    tty = terminal(shell)
    inside, outside, back = tty.file(), tty.file(), tty.file()
    tty.run(f"pushd {project} && command env -0 > {inside} && popd && command env -0 > {outside}")
    assert aws(read_env(inside)).items() >= DEV.items()
    assert aws(read_env(outside)) == {}
    tty.run(f"cd - && command env -0 > {back}")
    assert aws(read_env(back)).items() >= DEV.items()


def test_from_project_to_project(shell, terminal, project, stand_in):
    other = project.parent / "other"
    other.mkdir()
    (other / ".awsrole.toml").write_text('role = "prod"\n')
    tty = terminal(shell)
    tty.run(f"cd {project}")
    tty.run(f"cd {other}")
    assert aws(tty.env())["AWS_ACCESS_KEY_ID"] == "ASIAPROD"
    # The binary sees the outer environment, never the role that is left.
    assert stand_in.starts()[1]["env"] == {}
    tty.run("cd /")
    assert aws(tty.env()) == {}


def test_changes_are_seen_at_the_next_prompt(shell, terminal, project, stand_in):
    tty = terminal(shell, cwd=project)
    file = project / ".awsrole.toml"

    def key():
        return aws(tty.env()).get("AWS_ACCESS_KEY_ID")

    file.write_text('role = "one"\n')
    tty.run("")
    assert key() == "ASIAONE"
    stat = file.stat()
    file.write_text('role = "two"\n')  # of the same size, within the same second, with the same time
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    tty.run("")
    assert key() == "ASIATWO"
    tty.run("cd deep/er")
    (project / "deep/.awsrole.toml").write_text('role = "closer"\n')
    tty.run("")
    assert key() == "ASIACLOSER"
    (project / "deep/.awsrole.toml").unlink()
    tty.run("")
    assert key() == "ASIATWO"
    starts = len(stand_in.starts())
    stand_in.touch_generation("1")  # `awsrole allow` in another shell
    tty.run("")
    assert len(stand_in.starts()) == starts + 1
    file.unlink()
    tty.run("")
    assert aws(tty.env()) == {}
    assert set(stand_in.events()) == {"prompt"}


def test_files_that_inherit_are_compared_as_deep_as_they_count(shell, terminal, project, stand_in):
    upper = project.parent / ".awsrole.toml"
    upper.write_text('role = "upper"\n')
    tty = terminal(shell, cwd=project)
    assert stand_in.starts()[0]["argv"][-2:] == [f"{project}/.awsrole.toml", str(upper)]
    upper.write_text("# one file counts\n")
    tty.run("")
    assert len(stand_in.starts()) == 1
    (project / ".awsrole.toml").write_text('role = "dev"\ndepth = 2\n')
    tty.run("")
    upper.write_text("# two files count\n")
    tty.run("")
    assert len(stand_in.starts()) == 3
    upper.unlink()
    tty.run("")
    assert len(stand_in.starts()) == 4


def test_deadline(shell, terminal, project, stand_in):
    (project / ".awsrole.toml").write_text('role = "dev"\ndeadline = 60\n')
    tty = terminal(shell, cwd=project)
    tty.run("")
    assert stand_in.events() == ["prompt"]
    tty.run(("set -g " if shell == "fish" else "") + "__awsrole_deadline" + (" 1" if shell == "fish" else "=1"))
    tty.run("")
    tty.run("")
    assert stand_in.events() == ["prompt", "due"]


def test_closed_is_retried_at_its_deadline_without_a_word(shell, terminal, project, stand_in):
    (project / ".awsrole.toml").write_text('state = "closed"\n')
    tty = terminal(shell, cwd=project)
    assert aws(tty.env()) == CLOSED
    tty.run("")
    tty.run(("set -g " if shell == "fish" else "") + "__awsrole_deadline" + (" 1" if shell == "fish" else "=1"))
    tty.run("")
    assert stand_in.events() == ["prompt", "retry"]
    tty.run("cd /")
    assert aws(tty.env()) == {}


def test_a_file_that_was_never_allowed_leaves_the_outer_environment(shell, terminal, project, stand_in):
    (project / ".awsrole.toml").write_text('state = "outer"\n')
    tty = terminal(shell, env={"AWS_PROFILE": "home"})
    tty.run(f"cd {project}")
    assert aws(tty.env()) == {"AWS_PROFILE": "home"}
    tty.run("")
    assert len(stand_in.starts()) == 1


def test_no_process_where_nothing_changes(shell, terminal, project, stand_in, tmp_path):
    trace = tmp_path / "trace"
    wrapper = (need("strace"), "-f", "-qq", "-e", "trace=clone,clone3,fork,vfork,execve", "-o", str(trace))
    tty = terminal(shell, wrapper=wrapper, timeout=60)

    def processes():
        # fish has threads, which are no processes.
        return [line for line in trace.read_text().splitlines() if "CLONE_THREAD" not in line and "exited" not in line]

    tty.run(f"cd {project}")
    tty.run("cd deep")
    before = len(processes())
    for _ in range(100):
        tty.run("")
    tty.run("cd er")
    tty.run(f"cd {project}")
    tty.run("cd /")
    tty.run("cd /tmp")
    for _ in range(20):
        tty.run("")
    assert processes()[before:] == []
    assert len(stand_in.starts()) == 1


def test_nothing_is_said(shell, terminal, project):
    tty = terminal(shell)
    assert tty.greeting == ""
    for command in (f"cd {project}", "cd deep", "true", "cd /"):
        output = tty.run(command)
        assert "awsrole" not in output and (shell == "fish" or not output)
