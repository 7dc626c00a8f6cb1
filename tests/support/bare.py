"""Roots without Rust and without awsrole, in which a test installs it and uses it as a person without root."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pexpect
import pytest

from support.terminal import need

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = ROOT / ".cache/tests/root"
DEV = 1000
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def need_root() -> None:
    """Skips the test, or fails it in CI, unless it may call chroot(2)."""
    need("chroot")
    if os.geteuid():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("chroot needs root")


class Root:
    """A directory that is the root of its programs."""

    # The shell with the hook.
    shell = "/bin/bash"

    def __init__(self, root: Path):
        self.root = root

    def run(self, *words: object) -> str:
        """Runs a command as root, and returns its output."""
        env = {"PATH": PATH, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "SHELL": self.shell}
        done = subprocess.run(["chroot", self.root, *map(str, words)], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def files(self) -> set[str]:
        """Returns every installed file of the programs."""
        return {path.relative_to(self.root).as_posix() for path in (self.root / "usr").rglob("*") if not path.is_dir()}

    def use(self, world) -> dict[str, str]:
        """The first role, as README has it, in a shell that the person opens. Returns the output of each line."""
        home = self.root / "home/dev"
        shutil.copytree(world.home / ".aws", home / ".aws")
        (home / ".bashrc").write_text('eval "$(awsrole hook bash)"\nPS1="@@"\n')
        (home / "shop").mkdir()
        subprocess.run(["chown", "-R", f"{DEV}:{DEV}", home], check=True)
        words = [f"--userspec={DEV}:{DEV}", str(self.root), self.shell, "--noediting", "-i"]
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


class Debian(Root):
    """A Debian with the smallest set of packages, and a person."""

    def __init__(self, root: Path):
        need_root()
        if not (DEBIAN / ".complete").exists():
            (pytest.fail if os.environ.get("CI") else pytest.skip)("a bare root is needed: tests/setup root, as root")
        super().__init__(root)
        subprocess.run(["cp", "-a", "--reflink=auto", f"{DEBIAN}/.", root], check=True)
        self.run("useradd", "--create-home", "--shell", "/bin/bash", "--uid", DEV, "dev")


class Busybox(Root):
    """An empty root with busybox, a static bash, and a person. It has neither a C library nor /proc."""

    def __init__(self, root: Path):
        need_root()
        super().__init__(root)
        for folder in ("bin", "dev", "etc/ssl", "tmp", "home/dev", "usr/local/bin"):
            (root / folder).mkdir(parents=True)
        (root / "tmp").chmod(0o1777)
        for device, minor in (("null", 3), ("urandom", 9)):
            os.mknod(root / "dev" / device, 0o20666, os.makedev(1, minor))
            (root / "dev" / device).chmod(0o666)
        shutil.copy(need("bash-static"), root / "bin/bash")
        shutil.copy(need("busybox"), root / "bin")
        self.run("/bin/busybox", "--install", "-s", "/bin")
        (root / "etc/passwd").write_text(f"root:x:0:0::/:/bin/sh\ndev:x:{DEV}:{DEV}::/home/dev:/bin/bash\n")


def works(said: dict[str, str]) -> None:
    """Checks what `Root.use` returned."""
    print(said)
    assert said["echo in $AWSROLE_ROLE, $AWS_REGION"] == "in shop-dev, eu-central-1", said
    assert "222222222222" in said["awsrole status"]
    assert said["echo out $AWSROLE_ROLE,"] == "out ,"
