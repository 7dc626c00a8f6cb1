"""Tests packaging/install.sh: it installs a tarball of packaging/tarball, or nothing at all."""

import contextlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from support.bare import works
from support.file_server import serve_files
from support.tarball import TARGET, make_tarball

ROOT = Path(__file__).resolve().parents[2]
SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "zsh": ["zsh", "--emulate", "sh"]}


@pytest.fixture
def server(release):
    """The files of a release behind HTTP."""
    with serve_files(release) as url:
        yield url


def install(home: Path, *words: object, shell: str = "dash", path: str | None = None):
    home.mkdir(exist_ok=True)
    env = {"HOME": str(home), "PATH": path or os.environ["PATH"], "SHELL": "/bin/zsh", "TMPDIR": str(home.parent)}
    return subprocess.run([*SHELLS[shell], ROOT / "packaging/install.sh", *words], env=env, cwd=home, capture_output=True, text=True,
                          timeout=120)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def test_same_programs_give_the_same_bytes(built, stripped, tmp_path):
    again = make_tarball(stripped, tmp_path / "again")
    assert again.read_bytes() == (built / again.name).read_bytes()
    assert (tmp_path / "again/SHA256SUMS").read_text() == (built / "SHA256SUMS").read_text()
    with tarfile.open(again) as tarball:
        members = tarball.getmembers()
    assert {(member.uid, member.gid, member.uname) for member in members} == {(0, 0, "")}
    assert {member.name.split("/")[0] for member in members} == {again.name.removesuffix(".tar.gz")}


@pytest.mark.parametrize("shell", SHELLS)
def test_installs_and_uninstalls(server, tmp_path, shell):
    home = tmp_path / "home"
    done = install(home, "--from", server, shell=shell)
    assert done.returncode == 0, done.stderr
    assert "not in PATH" in done.stderr and 'eval "$(awsrole hook zsh)"' in done.stderr
    found = files(home)
    assert {".local/bin/awsrole", ".local/bin/awsrole-hook", ".local/share/man/man1/awsrole.1",
            ".local/share/zsh/site-functions/_awsrole"} <= found
    # A second run replaces the files, and leaves nothing else.
    again = install(home, "--from", server, shell=shell, path=f"{home}/.local/bin:{os.environ['PATH']}")
    assert again.returncode == 0 and "not in PATH" not in again.stderr and files(home) == found
    own = home / ".local/share/man/man1/mine.1"
    own.touch()
    gone = install(home, "--uninstall", shell=shell)
    assert gone.returncode == 0 and files(home) == {own.relative_to(home).as_posix()}, gone.stderr
    assert install(home, "--uninstall").returncode == 1


def damage_checksum(release: Path) -> None:
    sums = release / "SHA256SUMS"
    sums.write_text("0" * 64 + sums.read_text()[64:])


def cut_download(release: Path) -> None:
    [tarball] = release.glob("*.tar.gz")
    os.truncate(tarball, tarball.stat().st_size // 2)


def remove_tarball(release: Path) -> None:
    [tarball] = release.glob("*.tar.gz")
    tarball.unlink()


def no_target(release: Path) -> None:
    sums = release / "SHA256SUMS"
    sums.write_text(sums.read_text().replace(TARGET, "riscv64-unknown-linux-musl"))


@pytest.mark.parametrize(("fault", "said"), [
    (damage_checksum, "checksum"), (cut_download, "checksum"), (remove_tarball, "cannot get"), (no_target, "lists no awsrole"),
], ids=lambda value: getattr(value, "__name__", None))
def test_a_bad_release_changes_nothing(release, server, tmp_path, fault, said):
    home = tmp_path / "home"
    assert install(home, "--from", server).returncode == 0
    before = {name: (home / name).stat().st_ino for name in files(home)}
    fault(release)
    done = install(home, "--from", server)
    assert done.returncode == 1 and said in done.stderr and "hint:" in done.stderr, done.stderr
    assert {name: (home / name).stat().st_ino for name in files(home)} == before
    assert not list(tmp_path.glob("awsrole.*")), "the temporary directory is removed"


def test_a_full_disk_changes_nothing(server, tmp_path):
    if os.geteuid():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("mounting needs root")
    home, disk = tmp_path / "home", tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True)
    try:
        done = install(home, "--from", server, "--to", disk / "bin")
        assert done.returncode == 1 and "nothing was installed" in done.stderr, done.stderr
        assert files(disk) == set()
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize(("words", "said"), [
    (("--nonsense",), "unknown option"), (("--to",), "--to needs a value"), (("--version", "../x", "--from", "/x"), "not a version"),
    ((), "names no release"), (("--from", "/nowhere"), "cannot get /nowhere/SHA256SUMS"),
])
def test_bad_usage(tmp_path, words, said):
    done = install(tmp_path / "home", *words)
    assert done.returncode == 1 and said in done.stderr and done.stdout == ""
    assert files(tmp_path / "home") == set()


def test_help_and_versions(release, tmp_path):
    home = tmp_path / "home"
    shown = install(home, "--help")
    assert shown.returncode == 0 and shown.stdout.startswith("Installs awsrole") and "--uninstall" in shown.stdout
    assert install(home, "--from", release, "--version", "9.9.9").returncode == 1
    [tarball] = release.glob("*.tar.gz")
    version = tarball.name.split("-")[1]
    assert install(home, "--from", release, "--version", f"v{version}", "--to", "relative/bin").returncode == 0
    assert (home / "relative/bin/awsrole").exists()


def test_first_role_on_a_bare_machine(release, world, bare):
    """A minimal Debian without Rust, without curl: the tarball is next to the script."""
    shutil.copytree(release, bare.root / "release")
    shutil.copy(ROOT / "packaging/install.sh", bare.root / "release")
    bare.run("sh", "/release/install.sh", "--from", "/release", "--to", "/usr/local/bin")
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(bare.root / "release")
    works(bare.use(world))
