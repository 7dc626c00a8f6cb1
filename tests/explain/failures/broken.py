"""A home in which something is wrong, and what judges a message by its essence instead of its wording.

A failure is a generator: it breaks something, yields, gets what awsrole printed, and does what that says. Its decorator
names what a person must read within the first rows, and what would mislead them.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from support.failing_account import ALICE, NEWCOMER, PROVIDER, RETIRED, ROOT, account, role
from support.local_sts import LocalSts, allow, binary, federated_trust, trust
from support.world import HERE, SERIAL, THERE, Result, World

COLUMNS, FIRST, ALL = 80, 5, 8

NOBODY = trust("arn:aws:iam::999999999999:role/Nobody")

FIXTURE = account("sts:*", [
    role("Plain", trust(ROOT), policy=allow("sts:*", "*")),
    role("Tagged", trust(ROOT, actions=["sts:AssumeRole", "sts:TagSession"])),
    role("Closed", NOBODY),
    role("Own", trust(f"arn:aws:iam::{HERE}:user/nobody"), HERE),
    role("Named", trust(ROOT, condition={"StringEquals": {"sts:RoleSessionName": "${aws:username}"}})),
    role("Second", trust(f"arn:aws:iam::{THERE}:role/Nobody")),
    role("Ci", federated_trust(PROVIDER, {"StringEquals": {"token.actions.example.com:sub": "repo:org/app:main"}}), HERE,
         policy=allow("sts:*", "*")),
])

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
[profile process]
endpoint_url = {url}
credential_process = {process}
[profile web]
endpoint_url = {url}
role_arn = arn:aws:iam::111111111111:role/Ci
web_identity_token_file = ~/token
[sso-session corp]
sso_start_url = https://corp.example.com/start
sso_region = us-east-1
sso_registration_scopes = sso:account:access
[profile sso]
sso_session = corp
sso_account_id = 111111111111
sso_role_name = Admin
"""


class Home(World):
    """A home with a project whose role should be assumed."""

    def __init__(self, root: Path):
        super().__init__(root, FIXTURE)
        self.root = root
        # On top of a fresh login's, for everything that is run.
        self.more: dict[str, str] = {}
        # Words to put in front of each command.
        self.wrapper: tuple[object, ...] = ()
        self.later_sts: list[LocalSts] = []
        self.secrets = {one["secret_access_key"] for one in (ALICE, NEWCOMER, RETIRED)}
        self.config()
        self.credentials()

    def stop(self) -> None:
        for sts in self.later_sts:
            sts.stop()
        super().stop()

    def config(self, process: str = "false", more: str = "") -> None:
        self.write(".aws/config", CONFIG.format(url=self.sts.url, serial=SERIAL, process=process) + more)

    def credentials(self, more: str = "", **other: dict) -> None:
        """Writes the keys of everybody, or other ones for a profile."""
        people = {"alice": ALICE, "alice-mfa": ALICE, "newcomer": NEWCOMER, "retired": RETIRED, **other}
        keys = "[{0}]\naws_access_key_id = {1[access_key_id]}\naws_secret_access_key = {1[secret_access_key]}\n"
        self.write(".aws/credentials", "".join(keys.format(*one) for one in people.items()) + more).chmod(0o600)

    @property
    def folder(self) -> Path:
        return self.home / "src/shop"

    def shop(self, role: str, account: str = THERE, source: str = "alice", more: str = "", **keys: object) -> None:
        """Writes the project's file and allows it."""
        named = {"role_arn": f"arn:aws:iam::{account}:role/{role}", "source_profile": source, **keys}
        self.shop_with("".join(f"{key} = {json.dumps(value)}\n" for key, value in named.items()) + more)

    def shop_with(self, content: str) -> None:
        self.project("shop", content, allow=True)

    def add(self, line: str) -> None:
        """Adds a line to the project's file, or replaces the key's, and allows the file."""
        key = line.split("=", maxsplit=1)[0].strip()
        before = (self.folder / ".awsrole.toml").read_text().splitlines(keepends=True)
        self.shop_with("".join(kept for kept in before if kept.split("=")[0].strip() != key) + line + "\n")

    def type(self, words: str, **options: object) -> Result:
        """Types a command of awsrole's in the project."""
        return self.awsrole(*words.split(), cwd=self.folder, env=self.more, wrapper=self.wrapper, **options)

    def run_typed(self, command: str, text: str = "") -> None:
        """Types a command that a message names, which must succeed."""
        env = self.environment(PWD=str(self.folder), **self.more)
        done = subprocess.run(["sh", "-c", command], cwd=self.folder, env=env, text=True, capture_output=True, input=text, timeout=60)
        assert done.returncode == 0, (command, done.stderr)

    def answer_with_a_code(self, name: str = "alice", *, unused: bool = False) -> None:
        """Makes the person's own program answer the question for a code."""
        code = self.sts.unused_totp(name) if unused else self.sts.totp(name)
        self.write(".config/awsrole/config.toml", f'mfa_process = "echo {code}"\n')

    def aws_says(self, text: str, code: str = "AccessDenied", status: int = 403, **more: object) -> None:
        self.sts.fault(error={"status": status, "code": code, "message": text}, **more)

    def paste_policies(self) -> list[str]:
        """Adds each statement that `awsrole policy` prints where its heading says. Returns the headings."""
        headings, people, roles = [], {}, {}
        for one in FIXTURE["user"]:
            people[one["account"], one["name"]] = dict(one, policy=[one["policy"]] if "policy" in one else [])
        for one in FIXTURE["role"]:
            roles[one["account"], one["name"]] = dict(one)
        printed = self.type("policy")
        assert printed.code == 0, printed.err
        assert "add this statement to the existing policy, don't replace it" in printed.out
        for heading, document in re.findall(r"^(# \S[^\n]*)\n(\{\n.*?^\})$", printed.out, re.MULTILINE | re.DOTALL):
            headings.append(heading)
            document = json.loads(document)
            assert document["Version"] == "2012-10-17" and document["Statement"]
            [account] = re.findall(r"\b\d{12}\b", heading)
            if found := re.search(r"trust policy of role (\S+)$", heading):
                existing = roles[account, found[1]]["trust"]
                roles[account, found[1]]["trust"] = {**existing, "Statement": existing["Statement"] + document["Statement"]}
            else:
                kind, name = re.search(r"\b(user|role) (\S+)$", heading).groups()
                holder = (people if kind == "user" else roles)[account, name]
                policies = holder.get("policy", [])
                holder["policy"] = (policies if isinstance(policies, list) else [policies]) + [document]
        self.replace_sts(user=[one if one["policy"] else {k: v for k, v in one.items() if k != "policy"} for one in people.values()],
                  role=list(roles.values()))
        return headings

    def replace_sts(self, **tables: object) -> None:
        """Goes on with an STS whose fixture has other tables."""
        sts = LocalSts({**FIXTURE, **tables})
        self.later_sts.append(sts)
        self.more = {**self.more, "AWS_ENDPOINT_URL_STS": sts.url}

    def had(self) -> tuple[bool, str]:
        """Whether a command gets the role, after what each refusal says to type in the end."""
        self.type("refresh")
        result = self.type("exec -- env")
        return result.code == 0 and "AWS_SESSION_TOKEN=" in result.out, result.err


@dataclass(frozen=True)
class Failure:
    """One failure."""

    build: Callable[[Home], Generator[None, str, None]]
    # What must be read within the first rows.
    cause: str
    # What must not be read before.
    misleading: str
    # The words to type.
    words: str

    @property
    def name(self) -> str:
        return self.build.__name__.replace("_", " ")

    def __str__(self) -> str:
        return self.build.__name__


FAILURES: list[Failure] = []


def failure(cause: str, *, misleading: str = r"\Z.", words: str = "exec -- true"):
    """Registers a failure."""

    def register(build):
        FAILURES.append(Failure(build, cause, misleading, words))
        return build

    return register


def rows(text: str) -> list[str]:
    """The rows of a text on a terminal, without those that say that awsrole waits."""
    lines = [line for line in text.splitlines() if not line.startswith("awsrole: waiting for ")]
    return [line[start:start + COLUMNS] for line in lines for start in range(0, max(len(line), 1), COLUMNS)]


def typed(said: str, pattern: str) -> str:
    """What a message says to type: the one match of a pattern."""
    found = set(re.findall(pattern, said))
    assert len(found) == 1, (pattern, found, said)
    return found.pop()


def sign_in(home: Home) -> None:
    """`awsrole login`, and the browser's part."""
    env = home.environment(PWD=str(home.folder), **home.more)
    running = subprocess.Popen([binary("awsrole"), "login", "--no-browser"], cwd=home.folder, env=env, stderr=subprocess.PIPE, text=True)
    [code] = re.findall(r"confirm the code (\S+)", running.stderr.readline())
    home.sts.approve(code)
    assert running.wait(30) == 0, running.stderr.read()
    running.stderr.close()
