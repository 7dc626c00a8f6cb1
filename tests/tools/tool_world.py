"""A home directory with the examples, the tools of tests/setup on PATH, and both servers behind one address."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from recording_proxy import RecordingProxy

from support.aws_files import FAR
from support.documents import Block, blocks
from support.hooked_shell import HookedShell, hook_line
from support.local_sts import LocalSts, allow, binary, service_trust, trust, user
from support.ministack import MinistackIam
from support.terminal import need
from support.world import HERE, SEED, SERIAL, THERE

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".cache/tests/tools"
ALICE = user("alice", HERE, mfa_serial=SERIAL, mfa_seed=SEED,
             policy=allow(["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"], "*"))
FROM_HERE = f"arn:aws:iam::{HERE}:root"
WITH_CODE = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
INSTANCE = "i-0123456789abcdef0"

FIXTURE = {
    "user": [ALICE],
    "role": [
        {"name": "Deploy", "account": THERE, "trust": trust(FROM_HERE, condition=WITH_CODE), "policy": allow("sts:AssumeRole", "*")},
        {"name": "Deploy", "account": FAR, "trust": trust(FROM_HERE, condition={"StringEquals": {"sts:ExternalId": "shop-prod"}})},
        {"name": "Admin", "account": THERE, "trust": trust(FROM_HERE, condition=WITH_CODE)},
        {"name": "Read", "account": THERE, "trust": trust(FROM_HERE), "policy": allow("sts:AssumeRole", "*")},
        {"name": "Audit", "account": FAR, "trust": trust(f"arn:aws:iam::{THERE}:role/Read")},
        {"name": "Runner", "account": HERE, "trust": service_trust(), "policy": allow("sts:AssumeRole", "*")},
        {"name": "Release", "account": THERE, "trust": trust(f"arn:aws:iam::{HERE}:role/Runner")},
    ],
    "instance": {"role": "Runner", "account": HERE, "instance_id": INSTANCE, "region": "eu-central-1"},
    "sso_assignment": [{"user": "alice@example.com", "account": HERE, "role": "Developer", "region": "eu-central-1",
                        "start_url": "https://shop.example.com/start", "policy": allow("sts:*", "*")}],
}

CONFIG = """\
[default]
region = us-east-1

[profile personal]
region = us-west-2
output = json

[profile jump]
region = eu-central-1
"""

# Role profiles are also in this file. The first two keys are invalid.
CREDENTIALS = """\
[default]
aws_access_key_id = AKIAFORGOTTENKEYS000
aws_secret_access_key = these/keys/are/nobodys/and/should/do/no0

[personal]
aws_access_key_id = AKIAPERSONALKEYS0000
aws_secret_access_key = these/keys/are/yours/and/are/never/used0

[jump]
aws_access_key_id = {alice[access_key_id]}
aws_secret_access_key = {alice[secret_access_key]}

[shop-dev]
role_arn = arn:aws:iam::222222222222:role/Deploy
source_profile = jump
mfa_serial = arn:aws:iam::111111111111:mfa/alice
region = eu-central-1

[admin]
role_arn = arn:aws:iam::222222222222:role/Admin
source_profile = jump
mfa_serial = arn:aws:iam::111111111111:mfa/alice
region = eu-central-1
"""


@dataclass
class Said:
    """The exit code and the output of a typed command."""

    code: int
    text: str
    lines: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.lines = [line.rstrip() for line in self.text.splitlines() if line.strip()]


class Person(HookedShell):
    """A shell of a simulated user, with the hook, in a home directory of the stage."""

    def do(self, command: str, code=None) -> Said:
        """Types a command to its end; a question for a code is answered with what `code()` gives, that of `allow` with yes."""
        out, ended = self.file(), self.file("ended")
        status = "$status" if self.shell == "fish" else "$?"
        # A shell's own commands are seen on its terminal, those of tools in a file, without what they draw for people.
        own = command.split(maxsplit=1)[0] in ("cd", "awsrole") and not command.startswith("awsrole exec")
        self.type(f"{command}{'' if own else f' >{out} 2>&1'}; echo {status} >{ended}")
        said = ""
        if command.startswith("awsrole allow"):
            self.process.expect_exact(b"Allow? [y/N] ")
            said = self.process.before.decode(errors="backslashreplace")
            self.send("y\r")
        if code:
            said += self.asked() + self.answer(code())
        else:
            said += self.wait()
        text = said if own else out.read_text(errors="replace")
        return Said(int(ended.read_text()), re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text))

    def talk(self, command: str, answers: list[tuple[str, str]]) -> str:
        """Types a command; each question must come, in this order, and gets its answer. Returns what its stdout got."""
        out = self.file()
        self.type(f"{command} >{out}")
        for question, answer in answers:
            self.process.expect_exact(question.encode())
            self.send(answer + "\r")
        self.wait()
        return out.read_text()


class ToolWorld:
    """Use it as a context manager."""

    def __init__(self, root: Path, ministack: str = "ministack"):
        self.home = root / "home"
        (self.home / ".aws").mkdir(parents=True)
        self.people: list[Person] = []
        self.sts = LocalSts(FIXTURE)
        self.ministack = MinistackIam(need(ministack))
        self.ministack.iam[HERE].put_user_policy(UserName="alice", PolicyName="all", PolicyDocument=json.dumps(allow("sts:*", "*")))
        for role in FIXTURE["role"]:
            iam = self.ministack.iam[role["account"]]
            source = f"arn:aws:iam::{THERE}:role/Read" if role["name"] == "Audit" else FROM_HERE
            iam.create_role(RoleName=role["name"], AssumeRolePolicyDocument=json.dumps(trust(source)))
            iam.put_role_policy(RoleName=role["name"], PolicyName="all", PolicyDocument=json.dumps(allow("*", "*")))
        self.front = RecordingProxy(self.sts.url, self.ministack.url, self.ministack.keys)
        self.write(".aws/config", CONFIG)
        self.write(".aws/credentials", CREDENTIALS.format(alice=ALICE)).chmod(0o600)

    def __enter__(self) -> ToolWorld:
        return self

    def __exit__(self, *_: object) -> None:
        for person in self.people:
            person.close()
        self.front.stop()
        self.ministack.stop()
        self.sts.stop()

    def write(self, name: str, content: str) -> Path:
        """Writes a file below the home."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def example(self, name: str) -> Path:
        """Creates a copy of an example at the path of a clone."""
        return Path(shutil.copytree(ROOT / "examples" / name, self.home / "src" / name, ignore=shutil.ignore_patterns("README.md")))

    def person(self, shell: str = "bash", cwd: Path | None = None, tool: str | None = None, **more: str) -> Person:
        """Starts a shell with awsrole and a tool of tests/setup on PATH. AWS_PROFILE has another value."""
        env = {"USER": pwd.getpwuid(os.getuid()).pw_name, "PATH": self.path(tool), "AWS_PROFILE": "personal",
               "AWS_ENDPOINT_URL": self.front.url, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "",
               "NODE_NO_WARNINGS": "1", **more}
        person = Person(shell, self.home, hook_line(shell, "awsrole"), env=env, cwd=cwd or self.home, timeout=300)
        self.people.append(person)
        return person

    def path(self, tool: str | None = None) -> str:
        """Returns a PATH with awsrole, the programs of the home directory, and optionally a tool."""
        first = [binary("awsrole").parent, self.home / "bin", *([found(tool)] if tool else [])]
        return ":".join([*map(os.fspath, first), os.environ["PATH"]])

    def version(self, command: str, tool: str | None = None) -> str:
        """Returns a tool's version: the first text in its output that looks like one."""
        env = {"HOME": str(self.home), "PATH": self.path(tool), "CHECKPOINT_DISABLE": "1"}
        done = subprocess.run(command.split(), env=env, cwd=self.home, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)[0]

    def code(self) -> str:
        """Returns the code of the authenticator, unless it was used."""
        return self.sts.unused_totp("alice")

    def codes(self) -> int:
        """Returns the number of calls with an MFA code."""
        return sum(call["has_token_code"] for call in self.sts.calls())


def found(tool: str) -> Path:
    """Returns the directory of a tool's programs. If it is missing, the test fails in CI, and is skipped with a message
    elsewhere.
    """
    for folder in (TOOLS / tool / "node_modules/.bin", TOOLS / tool / "bin"):
        if folder.is_dir():
            return folder
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{tool} is missing; run tests/tools/run, or tests/setup {tool}")


def commands(example: str, heading: str) -> list[str]:
    """Returns the commands below a heading of an example's README."""
    [block] = [block for block in of(example, "sh") if heading_of(block) == heading]
    if report := os.environ.get("TOOLS_REPORT"):
        (Path(report) / "typed").open("a").write(block.name + "\n")
    return block.lines


def texts(example: str) -> list[str]:
    """Returns the parts of AWS files in an example's README."""
    return [block.text for block in of(example, "text")]


def of(example: str, language: str) -> list[Block]:
    """Returns the blocks of an example's README in one language."""
    return [block for block in blocks() if block.document == ROOT / f"examples/{example}/README.md" and block.language == language]


def heading_of(block: Block) -> str:
    """Returns the heading above a block."""
    above = block.document.read_text().splitlines()[: block.line]
    return next(line.lstrip("# ") for line in reversed(above) if line.startswith("#"))
