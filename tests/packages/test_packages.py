"""Tests each way of installing awsrole in a minimal Debian, and its use there without root."""

import contextlib
import fnmatch
import os
import re
import shutil
import subprocess
from pathlib import Path

import pexpect
import pytest

from support.local_sts import binary
from support.terminal import need

ROOT = Path(__file__).resolve().parents[2]
BARE = ROOT / ".cache/tests/root"
DEV = 1000


@pytest.fixture(scope="session")
def package(stripped, tmp_path_factory):
    """The .deb."""
    need("dpkg-shlibdeps")
    done = subprocess.run([ROOT / "packaging/deb", "--binary", stripped, "--into", tmp_path_factory.mktemp("deb")],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def test_paths_of_the_machine_that_built_a_package_are_found(tmp_path):
    """What packaging/deb builds is checked by this: the tests' own programs do contain such paths."""
    clean = tmp_path / "clean"
    clean.write_bytes(b"\x7fELF /rustc/59807616/library/std/src/panicking.rs cargo/registry/src/x.rs awsrole/crates/core/src/lib.rs")
    check = ROOT / "packaging/no-machine-paths"
    assert subprocess.run([check, clean], capture_output=True).returncode == 0
    found = subprocess.run([check, clean, binary("awsrole")], capture_output=True, text=True)
    assert found.returncode == 1 and ".cargo/ " in found.stderr and str(clean) not in found.stderr


class Bare:
    """A machine with nothing but Debian's smallest set of packages, and a person."""

    def __init__(self, root: Path):
        self.root = root
        subprocess.run(["cp", "-a", "--reflink=auto", f"{BARE}/.", root], check=True)
        self.run("useradd", "--create-home", "--shell", "/bin/bash", "--uid", DEV, "dev")

    def run(self, *words):
        """Runs a command as root, and returns its output."""
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(["chroot", self.root, *map(str, words)], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def files(self):
        """Returns every installed file of the programs."""
        return {path.relative_to(self.root).as_posix() for path in (self.root / "usr").rglob("*") if not path.is_dir()}

    def use(self, world):
        """The first role, as README has it, in a shell that the person opens; what `env` and `status` say inside."""
        home = self.root / "home/dev"
        shutil.copytree(world.home / ".aws", home / ".aws")
        (home / ".bashrc").write_text('eval "$(awsrole hook bash)"\nPS1="@@"\n')
        (home / "shop").mkdir()
        subprocess.run(["chown", "-R", f"{DEV}:{DEV}", home], check=True)
        words = [f"--userspec={DEV}:{DEV}", str(self.root), "/bin/bash", "--noediting", "-i"]
        env = {"HOME": "/home/dev", "USER": "dev", "PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "dumb", "LANG": "C.UTF-8"}
        with contextlib.closing(pexpect.spawn(need("chroot"), words, env=env, echo=False, encoding="utf-8", timeout=30,
                                              dimensions=(50, 2000))) as shell:
            said = {}
            shell.expect_exact("@@")
            for line in ["cd ~/shop", "awsrole init --profile shop-dev", "awsrole allow --yes", "echo in $AWSROLE_ROLE, $AWS_REGION",
                         "awsrole status", "cd /", "echo out $AWSROLE_ROLE,"]:
                shell.sendline(line)
                shell.expect_exact("@@")
                said[line] = shell.before.strip()
            return said


def works(said):
    print(said)
    assert said["echo in $AWSROLE_ROLE, $AWS_REGION"] == "in shop-dev, eu-central-1", said
    assert "222222222222" in said["awsrole status"]
    assert said["echo out $AWSROLE_ROLE,"] == "out ,"


@pytest.fixture
def bare(tmp_path):
    need("chroot")
    if os.geteuid() or not (BARE / ".complete").exists():
        if os.environ.get("CI"):
            pytest.fail("a bare root is needed: tests/setup root, as root")
        pytest.skip("a bare root is needed: tests/setup root, as root")
    return Bare(tmp_path / "bare")


def test_the_debian_package(bare, package, world):
    before = bare.files()
    shutil.copy(package, bare.root / "awsrole.deb")
    # Only what it says that it depends on is there: nothing else may be needed.
    bare.run("dpkg", "--install", "/awsrole.deb")
    works(bare.use(world))
    new = bare.files() - before
    assert {"usr/bin/awsrole", "usr/bin/awsrole-hook"} <= new
    commands = {line.split()[0] for line in bare.run("awsrole", "--help").split("Options:")[0].splitlines()
                if line.startswith("  ") and line[2] != " "} - {"help"}
    assert {f"usr/share/man/man1/awsrole-{command}.1.gz" for command in commands} <= new
    pages = {f"usr/share/doc/awsrole/{page.relative_to(ROOT)}" for page in (ROOT / "docs").glob("*.md")}
    assert "usr/share/doc/awsrole/docs/prompts.md" in pages and pages <= new, "README's links lead somewhere"
    assert "usr/share/man/man5/awsrole.toml.5.gz" in new
    completes = bare.run("bash", "-c", "source /usr/share/bash-completion/completions/awsrole; complete -p awsrole")
    assert "awsrole" in completes
    bare.run("dpkg", "--remove", "awsrole")
    assert bare.files() == before


def test_the_documents_name_what_is_tried_here(package):
    [block] = re.findall(r"<!-- test: package -->\n```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    made, installed = block.splitlines()
    assert made == "packaging/deb" and fnmatch.fnmatch(f"./target/debian/{package.name}", installed.split()[-1])


def test_cargo_install(bare, world, tmp_path):
    """As README has it, but unoptimized, and into the bare machine, which has no Rust."""
    need("cargo")
    [line] = re.findall(r"<!-- test: install -->\n```sh\n(.*)\n```", (ROOT / "README.md").read_text())
    env = {**os.environ, "CARGO_INSTALL_ROOT": str(tmp_path / "installed")}
    done = subprocess.run([*line.split(), "--debug", "--no-track"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    programs = sorted((tmp_path / "installed/bin").iterdir())
    assert [program.name for program in programs] == ["awsrole", "awsrole-hook"], "local-sts is never shipped"
    for program in programs:
        shutil.copy(program, bare.root / "usr/local/bin")
    works(bare.use(world))


def test_the_man_pages_are_right(tmp_path):
    subprocess.run([binary("awsrole"), "man", tmp_path], check=True)
    pages = sorted([*tmp_path.iterdir(), ROOT / "packaging/awsrole.toml.5"])
    assert len(pages) > 20
    judged = subprocess.run([need("mandoc"), "-T", "lint", "-W", "error", *pages], capture_output=True, text=True)
    assert (judged.returncode, judged.stdout) == (0, "")
    shown = subprocess.run(["mandoc", "-T", "utf8", tmp_path / "awsrole-exec.1"], capture_output=True, text=True)
    assert "--min-ttl" in shown.stdout
