"""Tests that a change is noticed at the next prompt with one process, and that an unchanged prompt starts none."""

import os
import shlex
import subprocess

import pytest
from conftest import aws, fall_due, need, takes_the_short_way, wait_for

DEV, NEW = 'role = "dev"\n', 'role = "new"\n'


def edit(file):
    """Of the same size, within the same second."""
    file.write_text(NEW)


def edit_with_the_same_time(file):
    stat = file.stat()
    file.write_text(NEW)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def edit_in_place(file):
    with open(file, "r+") as text:
        text.write(NEW)


def an_older_file_in_its_place(file):
    older = file.with_name("older")
    older.write_text(NEW)
    os.utime(older, (1, 1))
    older.rename(file)


def rename_over(file):
    other = file.with_name("other")
    other.write_text(NEW)
    other.rename(file)


def a_link_in_its_place(file):
    other = file.with_name("other")
    other.write_text(NEW)
    file.unlink()
    file.symlink_to("other")


def a_nearer_file(file):
    (file.parent / "deep/.awsrole.toml").write_text(NEW)


def a_nearer_link(file):
    a_nearer_file(file)
    (file.parent / "deep/.awsrole.toml").rename(file.parent / "deep/other")
    (file.parent / "deep/.awsrole.toml").symlink_to("other")


def a_file_right_here(file):
    (file.parent / "deep/er/.awsrole.toml").write_text(NEW)


def a_git_branch(file):
    git = [need("git"), "-C", str(file.parent), "-c", "user.name=n", "-c", "user.email=e"]
    now = file.read_text()
    for step in (["init", "-q", "-b", "one"], ["add", ".awsrole.toml"], ["commit", "-qm", "one"], ["checkout", "-qb", "two"]):
        subprocess.run([*git, *step], check=True)
    file.write_text(NEW)
    subprocess.run([*git, "commit", "-qam", "two"], check=True)
    subprocess.run([*git, "checkout", "-q", "one"], check=True)
    assert file.read_text() == now
    subprocess.run([*git, "checkout", "-q", "two"], check=True)


CHANGES = [
    edit, edit_with_the_same_time, edit_in_place, an_older_file_in_its_place, rename_over, a_link_in_its_place, a_nearer_file,
    a_nearer_link, a_file_right_here, a_git_branch,
]  # fmt: skip


@pytest.fixture
def inside(shell, terminal, project):
    """A shell below the project's file, two prompts old."""
    tty = terminal(shell, cwd=project / "deep/er")
    tty.run("")
    return tty


def key(tty):
    return aws(tty.env()).get("AWS_ACCESS_KEY_ID")


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_of_the_file(inside, project, stand_in, change):
    assert key(inside) == "ASIADEV" and takes_the_short_way(inside)
    change(project / ".awsrole.toml")
    inside.run("")
    assert stand_in.events() == ["prompt", "prompt"]
    assert key(inside) == "ASIANEW" and takes_the_short_way(inside)
    assert len(stand_in.starts()) == 2


def test_no_attribute_of_a_variable_evaluates_a_file(terminal, project, tmp_path):
    """bash evaluates what an integer variable gets, and can give a local variable the attributes of the user's."""
    ran = tmp_path / "ran"
    (project / ".awsrole.toml").write_text(f"a[$(touch {ran})]")
    tty = terminal("bash", before="shopt -s localvar_inherit; declare -i REPLY")
    tty.run(f"cd {project}")
    tty.run("")
    assert not ran.exists()


def test_a_nearer_file_above_eight_directories(shell, terminal, project, stand_in):
    """bash and zsh keep eight paths, and search again at each prompt if there are more."""
    folder = project / "1/2/3/4/5/6/7/8/9/10"
    folder.mkdir(parents=True)
    tty = terminal(shell, cwd=folder)
    tty.run("")
    assert key(tty) == "ASIADEV" and takes_the_short_way(tty)
    (project / "1/.awsrole.toml").write_text(NEW)
    tty.run("")
    assert key(tty) == "ASIANEW" and takes_the_short_way(tty) and len(stand_in.starts()) == 2


def test_a_nearer_file_beside_a_link_to_the_directory(shell, terminal, project, tmp_path, stand_in):
    """The directories above are those of the path that the shell shows, not those above the link's target."""
    (tmp_path / "else/where/er").mkdir(parents=True)
    (project / "deep/link").symlink_to(tmp_path / "else/where")
    tty = terminal(shell)
    tty.run(f"cd {project}/deep/link/er")
    tty.run("")
    (project / "deep/.awsrole.toml").write_text(NEW)
    tty.run("")
    assert key(tty) == "ASIANEW" and takes_the_short_way(tty) and len(stand_in.starts()) == 2
    (tmp_path / "else/.awsrole.toml").write_text(DEV)
    tty.run("")
    assert key(tty) == "ASIANEW" and takes_the_short_way(tty) and len(stand_in.starts()) == 2


@pytest.mark.parametrize("more", [b"\0", b"\0\0", b"\0more", b"\n\0\n", b"\xff", b" "], ids=str)
def test_any_byte_at_the_end_is_a_change(inside, project, stand_in, more):
    """With most of them it is no text any more. A single NUL at the very end is nothing that fish could read."""
    if more == b"\0" and inside.shell == "fish":
        more = b"\0\n"
    with (project / ".awsrole.toml").open("ab") as file:
        file.write(more)
    inside.run("")
    assert key(inside) == ("ASIADEV" if more == b" " else "awsrole-blocked--run-awsrole-why")
    assert takes_the_short_way(inside) and len(stand_in.starts()) == 2


def test_a_huge_file_is_read_as_far_as_the_binary_would(inside, project, stand_in):
    for starts, more in ((2, b"#" * 20_000), (2, b"more"), (2, b"\0\n")):
        with (project / ".awsrole.toml").open("ab") as file:
            file.write(more)
        inside.run("")
        assert takes_the_short_way(inside) and len(stand_in.starts()) == starts, more[:4]
    # What no binary would read isn't kept either.
    os.truncate(project / ".awsrole.toml", 1 << 40)
    inside.run("")
    assert takes_the_short_way(inside) and len(stand_in.starts()) == 2


@pytest.mark.parametrize("size", [4095, 4096, 4097, 8192, 9000])
def test_the_last_byte_of_a_long_file(inside, project, stand_in, size):
    file = project / ".awsrole.toml"
    for last in b"ab":
        file.write_bytes((DEV.encode() + b"#" * size)[: size - 1] + bytes([last]))
        starts = len(stand_in.starts())
        inside.run("")
        assert len(stand_in.starts()) == starts + 1 and takes_the_short_way(inside)
        inside.run("")
        assert len(stand_in.starts()) == starts + 1


def test_deleted_and_there_again(inside, project, stand_in):
    file = project / ".awsrole.toml"
    file.unlink()
    inside.run("")
    assert aws(inside.env()) == {} and takes_the_short_way(inside)
    assert len(stand_in.starts()) == 1
    file.write_text(DEV)
    inside.run("")
    assert key(inside) == "ASIADEV" and takes_the_short_way(inside)
    assert len(stand_in.starts()) == 2


@pytest.mark.parametrize("level", [1, 2, 4, 5, 12])
def test_a_nearer_file_far_below(terminal, shell, project, stand_in, level):
    folders = [project.joinpath(*map(str, range(1, depth + 1))) for depth in range(13)]
    folders[-1].mkdir(parents=True)
    tty = terminal(shell, cwd=folders[-1])
    assert key(tty) == "ASIADEV" and takes_the_short_way(tty)
    (folders[level] / ".awsrole.toml").write_text('role = "new"\n')
    tty.run("")
    assert key(tty) == "ASIANEW" and takes_the_short_way(tty)
    assert len(stand_in.starts()) == 2


def test_written_anew_with_the_same_content_is_no_change(inside, project, stand_in):
    file = project / ".awsrole.toml"
    file.unlink()
    file.write_text(DEV)
    inside.run("")
    assert key(inside) == "ASIADEV" and len(stand_in.starts()) == 1


def test_what_a_nearer_file_hid_is_in_force_again(inside, project, stand_in):
    a_nearer_file(project / ".awsrole.toml")
    inside.run("")
    (project / "deep/.awsrole.toml").unlink()
    inside.run("")
    assert key(inside) == "ASIADEV"
    assert stand_in.events() == ["prompt"] * 3


def test_a_nearer_link_to_nowhere_is_seen_on_the_next_move(inside, project, stand_in):
    (project / "deep/.awsrole.toml").symlink_to("nowhere")
    inside.run("")
    assert key(inside) == "ASIADEV"
    inside.run("cd .")
    if inside.shell == "fish":  # It hasn't moved.
        inside.run("cd ..")
    assert aws(inside.env()) == {} and len(stand_in.starts()) == 2


@pytest.mark.parametrize("kind", ["a directory", "a link to nowhere", "unreadable"])
def test_what_is_no_text_any_more_is_a_change(inside, project, stand_in, kind):
    if kind == "unreadable" and os.getuid() == 0:
        # For root everything can be read.
        kind = "a directory"
    file = project / ".awsrole.toml"
    if kind == "unreadable":
        file.chmod(0)
    else:
        file.unlink()
        file.mkdir() if kind == "a directory" else file.symlink_to("nowhere")
    inside.run("")
    assert aws(inside.env()) == {} and len(stand_in.starts()) == 2
    inside.run("")
    assert len(stand_in.starts()) == 2


@pytest.mark.parametrize("kind", ["a directory", "a FIFO", "a link to nowhere"])
def test_what_is_no_file_hides_others_only_while_it_is_there(inside, project, stand_in, kind):
    nearer = project / "deep/.awsrole.toml"
    if kind == "a directory":
        nearer.mkdir()
    elif kind == "a FIFO":
        os.mkfifo(nearer)
    else:
        nearer.symlink_to("nowhere")
    inside.run("cd ..")
    assert aws(inside.env()) == {} and takes_the_short_way(inside)
    nearer.rmdir() if kind == "a directory" else nearer.unlink()
    inside.run("")
    assert key(inside) == "ASIADEV" and takes_the_short_way(inside)


def test_a_directory_that_was_removed_and_created_again(inside, project, stand_in):
    """As by two `git checkout`s in another terminal. The shell's working directory isn't that of its path any more."""
    (project / "deep/er").rmdir()
    (project / "deep").rmdir()
    (project / "deep/er").mkdir(parents=True)
    a_nearer_file(project / ".awsrole.toml")
    inside.run("")
    assert key(inside) == "ASIANEW" and takes_the_short_way(inside) and len(stand_in.starts()) == 2


def test_a_nearer_file_that_is_written_during_an_answer(shell, terminal, project, stand_in):
    """After a manual change, the path of the nearest file is all that is compared."""
    (project / ".awsrole.toml").write_text('role = "dev"\nsleep = 2\n')
    tty = terminal(shell, cwd=project / "deep/er")
    export = "set -gx AWS_PROFILE mine" if shell == "fish" else "export AWS_PROFILE=mine"
    write = f"sleep 1; echo 'role = \"new\"' > {project}/deep/.awsrole.toml"
    tty.run(f"sh -c {shlex.quote(write)} & {export}")
    tty.run("wait")
    tty.run("")
    assert key(tty) == "ASIANEW" and stand_in.events() == ["prompt", "changed", "prompt"]


def test_inherited_files_count_as_deep_as_the_answer_says(shell, terminal, project, stand_in):
    upper, top = project.parent / ".awsrole.toml", project.parents[1] / ".awsrole.toml"
    (project / ".awsrole.toml").write_text('role = "dev"\ndepth = 2\n')
    upper.write_text("# inherited\n")
    tty = terminal(shell, cwd=project)
    assert takes_the_short_way(tty)
    top.write_text("# beyond what counts\n")
    assert takes_the_short_way(tty) and len(stand_in.starts()) == 1
    upper.write_text("# edited\n")
    tty.run("")
    assert takes_the_short_way(tty) and len(stand_in.starts()) == 2
    upper.unlink()
    tty.run("")
    assert len(stand_in.starts()) == 3


CHAIN = {
    "the base is gone": lambda base: base.unlink(),
    "the base is edited": lambda base: base.write_text("# edited\n"),
    "one between": lambda base: (base.parent / "mid/.awsrole.toml").write_text("# new\n"),
    "one above": lambda base: (base.parents[1] / ".awsrole.toml").write_text("# new\n"),
}


@pytest.mark.parametrize("change", CHAIN.values(), ids=CHAIN)
def test_any_change_of_a_chain_of_files(shell, terminal, tmp_path, stand_in, change):
    """The last file inherits, too: so the answer counts one more than there are, and one that appears above is a change."""
    leaf, base = tmp_path / "top/base/mid/leaf/.awsrole.toml", tmp_path / "top/base/.awsrole.toml"
    leaf.parent.mkdir(parents=True)
    leaf.write_text('role = "dev"\ndepth = 3\n')
    base.write_text("# base\n")
    tty = terminal(shell, cwd=leaf.parent)
    tty.run("")
    assert key(tty) == "ASIADEV" and takes_the_short_way(tty) and len(stand_in.starts()) == 1
    change(base)
    tty.run("")
    assert len(stand_in.starts()) == 2 and takes_the_short_way(tty)


@pytest.mark.parametrize("command", ["allow", "deny", "refresh", "logout"])
def test_a_command_in_another_terminal(inside, shell, terminal, stand_in, command):
    other = terminal(shell)
    other.run(f"awsrole {command}")
    starts = len(stand_in.starts())
    inside.run("")
    assert stand_in.events() == ["prompt", "prompt"] and len(stand_in.starts()) == starts + 1
    assert takes_the_short_way(inside)


def test_a_command_in_another_terminal_while_the_answer_is_awaited(shell, terminal, project, stand_in):
    (project / ".awsrole.toml").write_text('role = "dev"\nsleep = 1\n')
    tty = terminal(shell)
    tty.send(f"cd {project}\r")
    assert wait_for(stand_in.starts)
    stand_in.bump_generation()
    tty.wait()
    tty.run("")
    assert stand_in.events() == ["cd", "prompt"] and takes_the_short_way(tty)


def test_where_nothing_was_ever_typed(shell, terminal, project, stand_in):
    """The longer way, but no process, until there is what to look for."""
    folder = stand_in.folder / "generations"
    (folder / "1").rename(stand_in.folder / "1")
    folder.rmdir()
    tty = terminal(shell, cwd=project)
    tty.run("")
    assert key(tty) == "ASIADEV" and len(stand_in.starts()) == 1 and not takes_the_short_way(tty)
    folder.mkdir()
    tty.run("")
    assert len(stand_in.starts()) == 1
    (stand_in.folder / "1").rename(folder / "1")
    tty.run("")
    assert len(stand_in.starts()) == 2 and takes_the_short_way(tty)


@pytest.mark.parametrize("shell, option", [
    ("bash", "set -f"), ("bash", "shopt -s failglob nullglob dotglob"), ("zsh", "setopt no_glob"), ("zsh", "setopt sh_glob ksh_glob"),
])
def test_a_command_in_another_terminal_whatever_globbing_is(shell, terminal, project, stand_in, option):
    tty = terminal(shell, before=option, cwd=project)
    stand_in.bump_generation()
    tty.run("")
    assert stand_in.events() == ["prompt", "prompt"] and takes_the_short_way(tty)
    (stand_in.folder / "generations/2").unlink()
    for step in (lambda: None, (stand_in.folder / "generations").rmdir):
        step()
        output = tty.run("") + tty.run("")
        assert "awsrole" not in output and "match" not in output
        assert stand_in.events() == ["prompt"] * 3
    assert key(tty) == "ASIADEV"


def test_expiry_is_one_process_at_the_deadline(shell, terminal, project, stand_in):
    (project / ".awsrole.toml").write_text('role = "dev"\ndeadline = 60\n')
    tty = terminal(shell, cwd=project)
    assert takes_the_short_way(tty)
    tty.run(fall_due(tty))
    tty.run("")
    assert stand_in.events() == ["prompt", "due"] and takes_the_short_way(tty)


def test_fish_asks_the_clock_before_a_command_and_where_nothing_else_tells_time(terminal, project, stand_in):
    (project / ".awsrole.toml").write_text('role = "dev"\ndeadline = 60\n')
    tty = terminal("fish", cwd=project)
    # The clock jumps; how long the machine is up doesn't.
    tty.run("set -g __awsrole_deadline 1")
    tty.run("")
    assert stand_in.events() == ["prompt"]
    tty.run(":")
    assert stand_in.events() == ["prompt", "due"]
    tty.run("set -g __awsrole_uptime /dev/null")
    tty.run("awsrole refresh")
    assert takes_the_short_way(tty)
    tty.run("set -g __awsrole_deadline 1")
    tty.run("")
    assert stand_in.events() == ["prompt", "due", "cd", "due"]


@pytest.mark.parametrize("answer", [DEV, 'state = "blocked"\n', 'state = "outer"\n', None], ids=["role", "blocked", "outer", "no file"])
def test_the_short_way_in_each_state(shell, terminal, project, stand_in, answer):
    if answer:
        (project / ".awsrole.toml").write_text(answer)
    else:
        (project / ".awsrole.toml").unlink()
    tty = terminal(shell)
    tty.run(f"cd {project}/deep")
    assert takes_the_short_way(tty)
    tty.run("cd er")
    assert takes_the_short_way(tty)
    assert len(stand_in.starts()) == (1 if answer else 0)


@pytest.mark.parametrize("name", ["a]b", "(r)x", "$(x)`y`", "back\\", "q\"u'o", "*?", "-x"])
def test_the_short_way_with_any_name_and_content(shell, terminal, tmp_path, stand_in, name):
    folder = tmp_path / name
    folder.mkdir()
    (folder / ".awsrole.toml").write_text(f"role = 'dev'\n# ]{name} \\ \t é\n  \n\n")
    tty = terminal(shell, cwd=folder)
    assert key(tty) == "ASIADEV" and takes_the_short_way(tty)
    assert len(stand_in.starts()) == 1
