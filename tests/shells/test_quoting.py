"""Tests any value and any directory name, byte for byte."""

import os

import pytest
from conftest import DEV, aws

VALUES = [
    "x'\\\"$HOME`id`$(touch PWNED) \\ é ;#*?[a]~{1,2}",
    "x\\",
    "'; touch PWNED; #",
    "two\nlines\n",
    "",
    " ",
    "-n",
    "=ls",
    "%s\\n!!",
    "\\x41\\101\\Xff",
]


def quoted(name: bytes, shell: str) -> bytes:
    if shell == "fish":
        return b"".join(b"\\X%02x" % byte for byte in name)
    return b"$'" + b"".join(b"\\%03o" % byte for byte in name) + b"'"


@pytest.mark.parametrize("values", [VALUES[:5], VALUES[5:]], ids=["first", "second"])
def test_values_of_the_answer(shell, terminal, project, values):
    names = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWSROLE_ACCOUNT_ID"]
    wanted = dict(zip(names, values))
    table = ", ".join(f"{name} = {toml(value)}" for name, value in wanted.items())
    (project / ".awsrole.toml").write_text(f'role = "dev"\nvalues = {{ {table} }}\n')
    tty = terminal(shell)
    before = tty.env()
    tty.run(f"cd {project}")
    assert aws(tty.env()).items() >= wanted.items()
    tty.run("cd /")
    assert tty.env() == before
    assert not list(tty.home.rglob("PWNED")) and not (project / "PWNED").exists()


def toml(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@pytest.mark.parametrize("value", [value.encode() for value in VALUES] + [b"\xff\xfe\x80"], ids=str)
def test_values_that_stood_there_before(shell, terminal, project, value):
    tty = terminal(shell, env={"AWS_PROFILE": os.fsdecode(value), "AWS_SECRET_ACCESS_KEY": os.fsdecode(value), "AWS_REGION": os.fsdecode(value)})
    before = tty.env()
    assert before[b"AWS_PROFILE"] == value
    tty.run(f"cd {project}")
    assert aws(tty.env()).items() >= DEV.items()
    tty.run("cd /")
    assert tty.env() == before


NAMES = [
    b"a b  c",
    b"it's \"quoted\"",
    b"$(touch PWNED)`touch PWNED`$HOME",
    b"new\nline",
    b"last\n",
    b"-dash",
    b"--",
    b"[br]*?",
    b"{a,b}",
    b"back\\slash",
    b"last\\",
    b"; touch PWNED #",
    b"~",
    "uml-ä-日本".encode(),
    b"\xff\xfe not utf-8",
    b"%s\x01\t!",
]


@pytest.mark.parametrize("name", NAMES, ids=str)
def test_names_of_folders(shell, terminal, tmp_path, name, stand_in):
    folder = os.path.join(os.fsencode(tmp_path), name, b"sub")
    os.makedirs(folder)
    with open(os.path.join(os.fsencode(tmp_path), name, b".awsrole.toml"), "w") as file:
        file.write('role = "dev"\n')
    tty = terminal(shell, cwd=tmp_path)
    output = tty.run(b"cd -- " + quoted(name, shell))
    assert aws(tty.env()).items() >= DEV.items()
    tty.run("cd sub")
    tty.run("")
    tty.run("cd ..")
    tty.run("cd ..")
    assert aws(tty.env()) == {}
    assert len(stand_in.starts()) == 1
    file = stand_in.starts()[0]["argv"][-1]
    assert os.fsencode(file) == os.path.join(os.fsencode(tmp_path), name, b".awsrole.toml")
    assert "awsrole:" not in output and not list(tmp_path.rglob("PWNED"))


def test_symlinked_folders_are_spelled_as_the_user_went(shell, terminal, project, tmp_path, stand_in):
    (tmp_path / "link").symlink_to(project / "deep")
    tty = terminal(shell)
    tty.run(f"cd {tmp_path}/link")
    # Upward from the link there is no file.
    assert aws(tty.env()) == {} and not stand_in.starts()
    (tmp_path / "shop").symlink_to(project)
    tty.run(f"cd {tmp_path}/shop/deep")
    assert aws(tty.env()).items() >= DEV.items()
    assert stand_in.starts()[0]["argv"][-1] == f"{tmp_path}/shop/.awsrole.toml"


@pytest.mark.parametrize("kind", ["fifo", "directory", "dangling", "unreadable", "huge", "empty"])
def test_files_of_other_kinds(shell, terminal, project, kind, stand_in):
    file = project / ".awsrole.toml"
    file.unlink()
    match kind:
        case "fifo":
            os.mkfifo(file)
        case "directory":
            file.mkdir()
        case "dangling":
            file.symlink_to("nowhere")
        case "unreadable":
            file.write_text("# no\n")
            file.chmod(0)
        case "huge":
            file.write_text("#" * 200_000 + "\n")
        case "empty":
            file.write_text("")
    tty = terminal(shell, timeout=10)
    assert "awsrole" not in tty.run(f"cd {project}")
    assert aws(tty.env()) == {}
    tty.run("")
    assert len(stand_in.starts()) == 1
    # What it becomes is seen.
    file.rmdir() if kind == "directory" else file.unlink()
    file.write_text('role = "dev"\n')
    tty.run("")
    assert aws(tty.env()).items() >= DEV.items()
