"""A home directory with AWS files and projects, and a local STS that knows the keys.

A plain module: no pytest here. The binary is looked for in the directory that AWSROLE_TEST_BIN_DIR names.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from support import sealed
from support.aws_files import HERE, THERE
from support.local_sts import LocalSts, allow, binary, trust, user
from support.processes import command_lines

# The names of the installed programs.
PROGRAMS = ("awsrole", "awsrole-hook")

ALICE = user("alice", HERE, policy=allow(["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"], "*"))
# The identity of clients that fall back to [default]. Any call of hers is a leak.
BYSTANDER = user("bystander", HERE, policy=allow("sts:*", "*"))

# The MFA device of alice in some tests.
SERIAL, SEED = f"arn:aws:iam::{HERE}:mfa/alice", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

ANYONE_HERE = trust(f"arn:aws:iam::{HERE}:root", actions=["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"])

FIXTURE = {
    "user": [ALICE, BYSTANDER],
    "role": [
        {"name": "Deploy", "account": THERE, "trust": ANYONE_HERE, "max_session_duration": 14400,
         "policy": allow("sts:AssumeRole", "*")},
        {"name": "Build", "account": HERE, "trust": ANYONE_HERE},
        {"name": "Closed", "account": THERE, "trust": trust(f"arn:aws:iam::{THERE}:role/Nobody")},
        {"name": "Second", "account": THERE, "trust": trust(f"arn:aws:iam::{THERE}:role/Deploy")},
        {"name": "Partner", "account": THERE,
         "trust": trust(f"arn:aws:iam::{HERE}:root", condition={"StringEquals": {"sts:ExternalId": "shop/42"}})},
    ],
}

DEPLOY = """\
role_arn = "arn:aws:iam::222222222222:role/Deploy"
source_profile = "jump"
region = "eu-west-1"
"""
BLOCKED = DEPLOY.replace("Deploy", "Closed")

# Files of a typical user after some years.
CONFIG = """\
# work
[default]
region = us-east-1
output = json
cli_pager =
s3 =
    max_concurrent_requests = 20
    multipart_threshold = 64MB
color = on # the AWS CLI takes this for the value
endpoint_url = {url}
[profile jump]
region=ap-northeast-1
services = local

[services local]
sts =
    endpoint_url = {url}

[profile shop-dev]
role_arn = arn:aws:iam::222222222222:role/Deploy
source_profile = jump
region = eu-central-1

[profile "two words"]
role_arn = arn:aws:iam::111111111111:role/Build
source_profile = jump
; an old one
[profile other]
region = us-west-2
endpoint_url = {url}

[preview]
cloudsearch = true
"""

CREDENTIALS = """\
[default]
aws_access_key_id = {bystander[access_key_id]}
aws_secret_access_key = {bystander[secret_access_key]}
aws_security_group = left over from a tool that is gone

[jump]
aws_access_key_id={alice[access_key_id]}
aws_secret_access_key={alice[secret_access_key]}

# role profiles are in this file, too
[legacy]
role_arn = arn:aws:iam::222222222222:role/Deploy
source_profile = jump
"""


@dataclass(frozen=True)
class Result:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out)


@functools.cache
def protocol() -> str:
    """Returns the protocol version of the programs' snippets."""
    with tempfile.TemporaryDirectory() as home:
        env = {"HOME": home, "PATH": os.environ["PATH"]}
        snippet = subprocess.run([binary("awsrole"), "hook", "bash"], env=env, check=True, capture_output=True, text=True).stdout
    return re.search(r"--protocol (\d+)", snippet)[1]


def asked(folder: Path, shell: str = "bash", event: str = "cd") -> list[str | Path]:
    """Returns the arguments with which a snippet requests a directory's role."""
    return ["hook", "export", shell, "--event", event, "--protocol", protocol(), "--views", "--", folder / ".awsrole.toml"]


class World:
    """A context manager. `stop()` ends it, too."""

    def __init__(self, root: Path, fixture: dict | None = None):
        self.home = root / "home"
        self.cache = self.home / ".cache/awsrole"
        (self.home / ".aws").mkdir(parents=True)
        self.sts = LocalSts(fixture or FIXTURE)
        self.secrets = {ALICE["secret_access_key"], BYSTANDER["secret_access_key"]}
        self.write(".aws/config", CONFIG.replace("{url}", self.sts.url))
        self.write(".aws/credentials", CREDENTIALS.format(alice=ALICE, bystander=BYSTANDER)).chmod(0o600)

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.sts.stop()

    def write(self, name: str, content: str | bytes) -> Path:
        """Writes a file below the home directory."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def project(self, name: str, content: str | bytes | None = None, *, allow: bool = False) -> Path:
        """Creates the directory `src/NAME`, with a `.awsrole.toml` if there is a content. `allow` approves it."""
        folder = self.home / "src" / name
        folder.mkdir(parents=True, exist_ok=True)
        if content is not None:
            self.write(f"src/{name}/.awsrole.toml", content)
        if allow:
            self.allow(folder)
        return folder

    def allow(self, folder: Path) -> Result:
        """Runs `awsrole allow`, which must succeed."""
        result = self.awsrole("allow", folder)
        assert result.code == 0, result.err
        return result

    def environment(self, **more: str) -> dict[str, str]:
        """Returns the environment of a login, without variables of AWS or of the machine's user."""
        return {
            "HOME": str(self.home),
            "USER": "alice",
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            **more,
        }

    def awsrole(self, *words: object, cwd: Path | None = None, env: dict[str, str] | None = None,
                wrapper: tuple[object, ...] = (), timeout: float = 60, **options: object) -> Result:
        """Runs awsrole and waits for its end. `env` is added to the environment of a login. `wrapper` is a prefix of
        the command.
        """
        return self.run(*wrapper, binary("awsrole"), *words, cwd=cwd, env=env, timeout=timeout, **options)

    def run(self, *words: object, cwd: Path | None = None, env: dict[str, str] | None = None, timeout: float = 60,
            **options: object) -> Result:
        """Runs a command and waits for its end. It must not panic, and its output must not contain a secret."""
        where = cwd or self.home
        done = subprocess.run(
            [os.fspath(word) if isinstance(word, os.PathLike) else word for word in words],
            cwd=where, env=self.environment(**{"PWD": str(where), **(env or {})}), stdin=subprocess.DEVNULL,
            capture_output=True, timeout=timeout, **options,
        )
        result = Result(done.returncode, *(text.decode(errors="backslashreplace") for text in (done.stdout, done.stderr)))
        assert result.code != 101 and "panicked" not in result.err, result.err
        assert not any(secret in result.err for secret in self.secrets), "a secret on stderr"
        return result

    def exec_env(self, cwd: Path, *options: object, env: dict[str, str] | None = None) -> dict[str, str]:
        """Returns the environment of a command under `awsrole exec`. Its secrets are added to those that must not be
        printed.
        """
        result = self.awsrole("exec", *options, "--", "env", "-0", cwd=cwd, env=env)
        assert result.code == 0, result.err
        found = dict(pair.split("=", 1) for pair in result.out.split("\0") if pair)
        self.secrets |= {found[name] for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN") if name in found}
        return found

    def assumed(self) -> list[dict]:
        """Returns the AssumeRole calls."""
        return self.sts.calls("AssumeRole")

    def renewals(self) -> list[int]:
        """Returns the process IDs of running renewals of this home directory."""
        return [pid for pid, words in command_lines().items()
                if words[1:3] == [b"hook", b"renew"] and any(os.fsencode(self.home) in word for word in words)]

    def entries(self, kind: str = "session") -> list[Path]:
        """Returns the files of the cache with this extension."""
        return sorted(self.cache.glob(f"*.{kind}"))

    def age_sessions(self, seconds: int) -> None:
        """Changes cached sessions as if they had been issued earlier."""
        for path in self.entries():
            sealed.change(path, issued=sealed.read(path)["issued"] - seconds)
