"""Tests each way of installing awsrole in a minimal Debian, and its use there without root."""

import fnmatch
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.bare import works
from support.local_sts import binary
from support.terminal import need

ROOT = Path(__file__).resolve().parents[2]


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


def test_a_package_for_another_processor(stripped, tmp_path):
    """The programs are not looked at, except for the libraries that they need."""
    words = [ROOT / "packaging/deb", "--binary", tmp_path / "awsrole", "--pages", stripped, "--into", tmp_path]
    for name in ("awsrole", "awsrole-hook"):
        shutil.copy(need("busybox"), tmp_path / name)
    done = subprocess.run([*words, "--target", "aarch64-unknown-linux-musl"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shown = subprocess.run(["dpkg-deb", "--field", done.stdout.strip()], check=True, capture_output=True, text=True).stdout
    assert "Architecture: arm64\n" in shown and "Depends" not in shown and done.stdout.endswith("_arm64.deb\n")
    assert subprocess.run([*words, "--target", "aarch64-apple-darwin"], capture_output=True).returncode == 2


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
