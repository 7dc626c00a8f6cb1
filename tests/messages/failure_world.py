"""Helpers for the message tests: users, roles with every condition, and the snapshots.

A snapshot is `AREA/NAME.txt`, of `test_AREA_messages.py::test_NAME`: what happened, the project's file, what was typed,
the whole text that a person then sees, and the exit code. UPDATE=1 writes them anew.
"""

from __future__ import annotations

import difflib
import inspect
import os
import re
from pathlib import Path

from support.aws_files import access_keys, role_file
from support.failing_account import ACTIONS, ALICE, NEWCOMER, PROVIDER, RETIRED, ROOT, WITH_MFA, account, role
from support.local_sts import allow, binary, federated_trust, trust, user
from support.world import HERE, SERIAL, THERE, Result, World

STRANGER = user("stranger", HERE)  # not in the fixture: STS doesn't know the key

OF_ORG = {"StringLike": {"token.actions.example.com:sub": "repo:org/app:*"}}

FIXTURE = account(ACTIONS, [
    role("Deploy", trust(ROOT, actions=ACTIONS), max_session_duration=7200, policy=allow(ACTIONS, "*")),
    role("Plain", trust(ROOT)),
    role("Long", trust(f"arn:aws:iam::{THERE}:root"), max_session_duration=7200),
    role("Closed", trust(f"arn:aws:iam::{THERE}:role/Nobody")),
    role("Next", trust(f"arn:aws:iam::{THERE}:role/Nobody"), HERE),
    role("Named", trust(ROOT, condition={"StringLike": {"sts:RoleSessionName": "${aws:username}"}})),
    role("GuardedSecond", trust(f"arn:aws:iam::{THERE}:role/Deploy", condition=WITH_MFA)),
    role("Ci", federated_trust(PROVIDER, OF_ORG), HERE),
    role("Console", trust(ROOT), HERE, policy=allow("signin:*", "*")),
]) | {"console_session": [{"login_session": f"arn:aws:sts::{HERE}:assumed-role/Console/bob"}]}

CONFIG = """\
[profile alice]
endpoint_url = {url}
[profile alice-mfa]
endpoint_url = {url}
mfa_serial = {serial}
[profile newcomer]
endpoint_url = {url}
[profile retired]
endpoint_url = {url}
[profile stranger]
endpoint_url = {url}
[profile process]
endpoint_url = {url}
credential_process = {{process}}
[profile web]
endpoint_url = {url}
role_arn = arn:aws:iam::111111111111:role/Ci
web_identity_token_file = ~/token
[sso-session corp]
sso_start_url = https://corp.example.com/start
sso_region = us-east-1
sso_registration_scopes = sso:account:access
[profile sso]
endpoint_url = {url}
sso_session = corp
sso_account_id = 111111111111
sso_role_name = Admin
[profile sso-other]
sso_session = corp
sso_account_id = 333333333333
sso_role_name = Admin
[profile console]
endpoint_url = {url}
login_session = arn:aws:iam::111111111111:user/alice
"""


def file(role: str, account: str = THERE, source: str = "alice", more: str = "", **keys: object) -> str:
    """A project's file."""
    return role_file(role, account, source, **keys) + more


def source(kind: str, role: str = "Deploy", account: str = THERE) -> str:
    """A project's file with a `credential_source`."""
    return f'role_arn = "arn:aws:iam::{account}:role/{role}"\ncredential_source = "{kind}"\n'


class FailureWorld(World):
    """A home whose projects fail."""

    def __init__(self, root: Path):
        super().__init__(root, FIXTURE)
        self.config(process="false")
        people = [ALICE, {**ALICE, "name": "alice-mfa"}, NEWCOMER, RETIRED, STRANGER]
        self.write(".aws/credentials", access_keys(**{one["name"]: one for one in people})).chmod(0o600)
        self.secrets = {one["secret_access_key"] for one in people}

    def config(self, process: str = "false", more: str = "") -> None:
        """Writes ~/.aws/config, with a program for profile `process`."""
        text = CONFIG.format(url=self.sts.url, serial=SERIAL).replace("{process}", process)
        self.write(".aws/config", text + more)

    def shop(self, content: str) -> Path:
        """An allowed project with this file."""
        return self.project("shop", content, allow=True)

    @property
    def binary(self) -> Path:
        return binary("awsrole")

    @property
    def endpoint(self) -> dict[str, str]:
        """Returns variables for sources without a profile."""
        return {"AWS_ENDPOINT_URL": self.sts.url, "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.sts.url}

    def give_code(self, text: str) -> None:
        """Makes the person's own program answer the question for a code with a text."""
        self.write("code", text)
        self.write(".config/awsrole/config.toml", 'mfa_process = "cat ~/code"\n')


class Snapshot:
    """Compares, or writes."""

    def __init__(self, node, world: World):
        area = node.path.stem.removeprefix("test_").removesuffix("_messages")
        self.path = node.path.parent / area / f"{node.originalname.removeprefix('test_').replace('_', '-')}.txt"
        self.about = inspect.cleandoc(node.function.__doc__)
        self.world = world

    def __call__(self, words: str = "exec -- true", folder: Path | None = None, **options: object) -> Result:
        """Types `awsrole WORDS` in a folder, which must fail, and compares what is said."""
        where = folder or self.world.home / "src/shop"
        result = self.world.awsrole(*words.split(), cwd=where, **options)
        self.compare(f"$ awsrole {words}", result.err, result.code, where)
        return result

    def compare(self, typed: str, said: str, code: int, folder: Path) -> None:
        project = folder / ".awsrole.toml"
        text = self.about + "\n\n"
        if project.is_file():
            content = project.read_bytes().decode(errors="backslashreplace")
            text += "".join(f"    {line}\n" for line in content.splitlines()) + "\n"
        # Whether a call takes long is chance.
        said = "".join(line for line in said.splitlines(keepends=True) if not line.startswith("awsrole: waiting for "))
        # So is how long ago a role was got.
        said = re.sub(r"\b59m \d+s\b", "59m 59s", said)
        text += f"{typed}\n{said}exit {code}\n"
        fresh = self.normal(text)
        assert code != 0 and "awsrole: " in said, text
        if os.environ.get("UPDATE"):
            self.path.parent.mkdir(exist_ok=True)
            self.path.write_text(fresh)
        assert self.path.is_file(), f"UPDATE=1 writes {self.path.name}; it would be:\n{fresh}"
        before = self.path.read_text()
        changed = "\n".join(difflib.unified_diff(before.splitlines(), fresh.splitlines(), lineterm="", n=0))
        assert not changed, f"other words than before; if they are better, UPDATE=1 takes them\n{changed}"

    def normal(self, text: str) -> str:
        """Without what differs from run to run."""
        text = text.replace(str(self.world.home), "/home/alice").replace(str(self.world.binary), "awsrole")
        for pattern, instead in (
            (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
            (r"\bASIA[A-Z0-9]{16}\b", "ASIA…"),
            (r"\b20\d{6}T\d{6}Z", "TIME"),
            (r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
            (r"\(process \d+\)", "(process PID)"),
            (r"mfa_process \(\d+\)", "mfa_process"),
            (r"confirm the code [A-Z0-9-]+", "confirm the code CODE"),
            (r"user_code=[A-Z0-9-]+", "user_code=CODE"),
            (r"If it does not open: \S+", "If it does not open: URL"),
            (r"\b[0-9a-f]{64}\b", "HASH"),
            # Words of the system's shell and resolver.
            (r"/bin/sh: .*no-such-program.*", "/bin/sh: no-such-program: not found"),
            (r"(failed to lookup address information): .*", r"\1: …"),
            (r"59m 5\ds", "59m 59s"),
            (r"date/time \d+", "date/time N"),
            (r"comes in \d+ s", "comes in N s"),
        ):
            text = re.sub(pattern, instead, text)
        return text
