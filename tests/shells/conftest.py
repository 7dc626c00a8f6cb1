"""Fixtures of the shell tests: a project, a fake binary, and shells that have sourced the snippet."""

import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from support.hooked_shell import wait_for
from support.local_sts import binary
from support.terminal import SHELLS, Terminal, need, read_env

ROOT = Path(__file__).parents[2]

# The variables of the fake role "dev", and those of a blocked shell.
DEV = {
    "AWS_ACCESS_KEY_ID": "ASIADEV",
    "AWS_SECRET_ACCESS_KEY": "secret-of-dev",
    "AWS_SESSION_TOKEN": "token-of-dev",
    "AWS_REGION": "dev-region-1",
    "AWSROLE_ROLE": "dev",
}
BLOCKED = {
    "AWS_PROFILE": "awsrole-blocked--run-awsrole-why",
    "AWS_ACCESS_KEY_ID": "awsrole-blocked--run-awsrole-why",
    "AWS_SECRET_ACCESS_KEY": "awsrole-blocked--run-awsrole-why",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWSROLE_STATE": "blocked",
}
# The same where AWS_PROFILE is exported outside.
BLOCKED_AT_HOME = BLOCKED | {"AWSROLE_PRIOR_AWS_PROFILE": "home"}


@functools.cache
def rendered(shell: str) -> str:
    """What `awsrole hook SHELL` prints, with words in the place of its paths and its build."""
    with tempfile.TemporaryDirectory() as home:
        env = {"HOME": home, "PATH": os.environ["PATH"]}
        text = subprocess.run([binary("awsrole"), "hook", shell, "--with", "direnv"], env=env, check=True, capture_output=True, text=True).stdout
        state = Path(home, ".local/state/awsrole")
        for path, word in ((binary("awsrole"), "@BIN@"), (state / "generations", "@GENERATIONS@"), (state / "clock", "@CLOCK@")):
            text = text.replace(str(path), word)
        return re.sub(r"--protocol \d+", "--protocol 1", text)


class FakeAwsrole:
    """The program `fake_awsrole.py`, where a test can count its starts."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.program = folder / "awsrole"
        self.log, self.digest_log = folder / "starts", folder / "digests"
        self.digests_allowed = False
        folder.mkdir()
        source = (ROOT / "tests/shells/fake_awsrole.py").read_text().split("\n", 1)[1]
        self.program.write_text(f"#!{sys.executable} -SEs\n{source}")
        self.program.chmod(0o755)
        (folder / "generations").mkdir()
        (folder / "generations/1").touch()
        clock = folder / "clock"
        clock.touch()
        os.utime(clock, (0, 0))

    def starts(self) -> list:
        """Every start so far: its arguments and its AWS* environment."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def digests(self) -> int:
        """How often a shell asked for what it doesn't open itself."""
        self.digests_allowed = True
        return len(self.digest_log.read_text().splitlines()) if self.digest_log.exists() else 0

    def events(self) -> list:
        """The events of every `hook export` so far."""
        return [start["argv"][start["argv"].index("--event") + 1] for start in self.starts() if "--event" in start["argv"]]

    def snippet(self, shell: str) -> Path:
        """The snippet as `awsrole hook SHELL` prints it."""
        text = rendered(shell)
        for word, value in (("@BIN@", self.program), ("@GENERATIONS@", self.folder / "generations"), ("@CLOCK@", self.folder / "clock")):
            text = text.replace(word, str(value))
        snippet = self.folder / f"awsrole.{shell}"
        snippet.write_text(text)
        return snippet

    def source(self, shell: str) -> str:
        """Returns the line that a user has in the rc file."""
        snippet = self.snippet(shell)
        return f"command cat {snippet} | source" if shell == "fish" else f'eval "$(command cat {snippet})"'

    def bump_generation(self) -> None:
        """What `awsrole allow` in another shell does."""
        (present,) = (self.folder / "generations").iterdir()
        present.rename(present.with_name(str(int(present.name) + 1)))


@pytest.fixture(params=SHELLS)
def shell(request):
    return request.param


@pytest.fixture
def stand_in(tmp_path):
    """A shell asks it for a digest only where a test counts these."""
    stand_in = FakeAwsrole(tmp_path / "bin")
    yield stand_in
    assert stand_in.digests_allowed or not stand_in.digest_log.exists()


@pytest.fixture
def project(tmp_path):
    """A folder with a role, and a folder below it."""
    folder = tmp_path / "work/shop"
    (folder / "deep/er").mkdir(parents=True)
    (folder / ".awsrole.toml").write_text('role = "dev"\n')
    return folder


@pytest.fixture
def terminal(tmp_path, stand_in):
    """Starts shells that have sourced the snippet: `terminal(shell, before="…", after="…")`."""
    open_terminals = []

    def start(shell, before="", after="", sourced=1, **options):
        rc = "\n".join([before, *[stand_in.source(shell)] * sourced, after])
        open_terminals.append(Terminal(shell, tmp_path / f"home{len(open_terminals)}", rc, **options))
        return open_terminals[-1]

    yield start
    for one in open_terminals:
        one.close()


def fall_due(tty) -> str:
    """The statement after which the deadline is over."""
    return "set -g __awsrole_deadline 1; set -g __awsrole_due 1" if tty.shell == "fish" else "__awsrole_deadline=1"


def takes_the_short_way(tty) -> bool:
    """Would a prompt now find everything unchanged, and without a process and a look into a folder?"""
    out = tty.file()
    if tty.shell != "fish":
        tty.run(f"[[ -n $__awsrole_generation && -z $__awsrole_digest ]] && __awsrole_unchanged && echo yes >| {out}")
    else:
        tty.run(f"set -q __awsrole_generation[1]; and not set -q __awsrole_digest[1]; and __awsrole_unchanged; and echo yes > {out}")
    return out.exists()


def aws(env: dict) -> dict:
    """The part of an environment that awsrole deals with, as text."""
    return {name.decode(): os.fsdecode(value) for name, value in env.items() if name.startswith((b"AWS", b"SECRET"))}


__all__ = ["BLOCKED", "BLOCKED_AT_HOME", "DEV", "FakeAwsrole", "Terminal", "aws", "fall_due", "need", "read_env", "takes_the_short_way", "wait_for"]
