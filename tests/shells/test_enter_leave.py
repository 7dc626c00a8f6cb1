"""Tests that `cd` into a project sets the role, and that leaving restores the environment."""

import pytest
from conftest import BLOCKED, DEV, aws, fall_due, need, read_env


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
        ["hook", "export", shell, "--event", "cd", "--protocol", "1", "--views", "--ask", "--", f"{project}/.awsrole.toml"]
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


def test_blocked_is_retried_at_its_deadline_without_a_word(shell, terminal, project, stand_in):
    (project / ".awsrole.toml").write_text('state = "blocked"\n')
    tty = terminal(shell, cwd=project)
    assert aws(tty.env()) == BLOCKED
    tty.run("")
    tty.run(fall_due(tty))
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


class Processes:
    """A shell under strace, and the processes that it has started since they were last asked for."""

    def __init__(self, terminal, shell, trace):
        wrapper = (need("strace"), "-f", "-qq", "-e", "trace=clone,clone3,fork,vfork,execve", "-o", str(trace))
        self.tty = terminal(shell, wrapper=wrapper, timeout=60)
        self.trace = trace
        self.seen = 0
        self.since()

    def since(self) -> tuple:
        """How many were forked, and how many programs were started."""
        lines = self.trace.read_text().splitlines()
        new, self.seen = lines[self.seen :], len(lines)
        # fish has threads, which aren't processes. strace may split a call into two lines, and it prints signals.
        new = [line for line in new if not any(word in line for word in ("CLONE_THREAD", "resumed>", "exited", "---"))]
        programs = [line for line in new if "execve(" in line]
        return len(new) - len(programs), len(programs)


def test_no_process_where_nothing_changes(shell, terminal, project, stand_in, tmp_path):
    processes = Processes(terminal, shell, tmp_path / "trace")
    tty = processes.tty
    tty.run(f"cd {project}")
    tty.run("cd deep")
    assert processes.since() == (1, 1)
    for _ in range(100):
        tty.run(":")
    tty.run("cd er")
    tty.run(f"cd {project}")
    tty.run("cd /")
    tty.run("cd /tmp")
    for _ in range(20):
        tty.run(":")
    assert processes.since() == (0, 0)
    assert len(stand_in.starts()) == 1


def test_one_process_where_something_changes(shell, terminal, project, stand_in, tmp_path):
    processes = Processes(terminal, shell, tmp_path / "trace")
    tty = processes.tty
    file = project / ".awsrole.toml"
    file.write_text('role = "dev"\ndeadline = 60\n')
    for change in (
        lambda: tty.run(f"cd {project} && :"),
        lambda: file.write_text('role = "new"\ndeadline = 60\n'),
        lambda: stand_in.bump_generation(),
        lambda: tty.run(fall_due(tty)),
        lambda: file.write_text('state = "blocked"\n'),
    ):
        change()
        for _ in range(3):
            tty.run(":")
        assert processes.since() == (1, 1)
    tty.run("cd /")
    tty.run(":")
    assert processes.since() == (0, 0)
    assert stand_in.events() == ["cd", "prompt", "prompt", "due", "prompt"]


def test_what_an_unchanged_prompt_asks_of_the_system(shell, terminal, project, stand_in, tmp_path):
    """Each path is tested for a file, the file is read once, and the generation is checked."""
    (project / ".awsrole.toml").write_text('role = "dev"\ndeadline = 60\n')
    trace = tmp_path / "trace"
    wrapper = (need("strace"), "-f", "-qq", "-e", "trace=%file", "-o", str(trace))
    tty = terminal(shell, wrapper=wrapper, timeout=60)
    tty.run(f"cd {project}/deep/er")
    tty.run(":")
    before = len(trace.read_text().splitlines())
    for _ in range(10):
        tty.run(":")
    calls = trace.read_text().splitlines()[before:]
    ours = [line for line in calls if ".awsrole.toml" in line or str(stand_in.folder) in line]
    read = [line for line in ours if "openat(" in line]
    assert len([line for line in read if f'"{project}/.awsrole.toml"' in line]) == 10
    assert len(read) == 10
    assert len([line for line in ours if f'"{stand_in.folder}/generations/1"' in line]) == 10
    for nearer in ("deep/er", "deep"):
        assert len([line for line in ours if f'"{project}/{nearer}/.awsrole.toml"' in line]) == 10
    # One for each nearer place, three for the file, one for the generation; fish's clock for the command.
    assert len(ours) == 10 * (2 + 3 + 1 + (shell == "fish"))


def test_nothing_is_said(shell, terminal, project):
    tty = terminal(shell)
    assert tty.greeting == ""
    for command in (f"cd {project}", "cd deep", "true", "cd /"):
        output = tty.run(command)
        assert "awsrole" not in output and (shell == "fish" or not output)
