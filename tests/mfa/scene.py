"""What the tests of codes share: the user, her device, her roles, and shells that are asked."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import time
from pathlib import Path

from support import sealed
from support.local_sts import allow, binary, trust
from support.terminal import Terminal
from support.world import ALICE, BYSTANDER, HERE, PROGRAMS, THERE, World

SERIAL = f"arn:aws:iam::{HERE}:mfa/alice"
OWNER = {**ALICE, "mfa_serial": SERIAL, "mfa_seed": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}
ASK = f"code of {SERIAL}: "
BLOCKED = "awsrole-blocked--run-awsrole-why"
# For how many seconds the role Strict takes a session of a code.
MFA_AGE = 6


def guarded(**more: object) -> dict:
    """A trust policy for users with a code, perhaps with further conditions."""
    condition = {"Bool": {"aws:MultiFactorAuthPresent": "true"}, **more}
    return trust(f"arn:aws:iam::{HERE}:root", condition=condition)


FIXTURE = {
    "user": [OWNER, BYSTANDER],
    "role": [
        {"name": "Deploy", "account": THERE, "trust": guarded(), "max_session_duration": 14400, "policy": allow("sts:*", "*")},
        {"name": "Audit", "account": HERE, "trust": guarded()},
        {"name": "Strict", "account": THERE, "trust": guarded(NumericLessThan={"aws:MultiFactorAuthAge": str(MFA_AGE)})},
        {"name": "Shut", "account": THERE, "trust": trust(f"arn:aws:iam::{THERE}:role/Nobody")},
        {"name": "Plain", "account": THERE, "trust": trust(f"arn:aws:iam::{HERE}:root")},
    ],
}

CONFIG = """\
[profile jump]
mfa_serial = {serial}
endpoint_url = {url}
[profile plain]
endpoint_url = {url}
"""
CREDENTIALS = """\
[default]
aws_access_key_id = {bystander[access_key_id]}
aws_secret_access_key = {bystander[secret_access_key]}
[jump]
aws_access_key_id = {alice[access_key_id]}
aws_secret_access_key = {alice[secret_access_key]}
[plain]
aws_access_key_id = {alice[access_key_id]}
aws_secret_access_key = {alice[secret_access_key]}
"""


def file(role: str, account: str = THERE, **more: str) -> str:
    """A project's file for one of the roles."""
    keys = {"role_arn": f"arn:aws:iam::{account}:role/{role}", "source_profile": "jump", **more}
    return "".join(f'{key} = "{value}"\n' for key, value in keys.items())


class Tty(Terminal):
    """A shell with the hook, in which questions can be answered."""

    said = ""

    def wait(self) -> str:
        """Waits for the next prompt; what was said until then is kept in `said`, too."""
        now = super().wait()
        self.said += now
        return now

    def type(self, line: str) -> None:
        """Types a command and doesn't wait for it."""
        self.send(line + ("\r" if self.shell == "fish" else "\n"))

    def asked(self) -> str:
        """Waits for the question; returns what was said before it."""
        self.process.expect_exact(ASK.encode())
        return self.process.before.decode(errors="backslashreplace")

    def answer(self, text: str) -> str:
        """Answers a question and waits for the prompt."""
        self.send(text + "\r")
        return self.wait()

    def enter(self, folder: Path, code: str) -> str:
        """`cd`, where it must lead to a question."""
        self.type(f"cd {folder}")
        said = self.asked()
        return said + self.answer(code)

    def key(self) -> str | None:
        """AWS_ACCESS_KEY_ID as a command would see it."""
        return self.variable("AWS_ACCESS_KEY_ID")

    def variable(self, name: str) -> str | None:
        value = self.env().get(name.encode())
        return None if value is None else value.decode()

    def modes(self) -> str:
        """The terminal's modes."""
        out = self.home / ".modes"
        self.run(f"command stty -a > {out}")
        return out.read_text()


class Scene(World):
    """Use it as a context manager: it ends the STS and closes the terminals."""

    def __init__(self, root: Path, fixture: dict | None = None):
        self.terminals: list[Tty] = []
        self.numbers = itertools.count()
        super().__init__(root, fixture or FIXTURE)
        self.binary = binary("awsrole")
        self.write(".aws/config", CONFIG.format(serial=SERIAL, url=self.sts.url))
        self.write(".aws/credentials", CREDENTIALS.format(alice=ALICE, bystander=BYSTANDER))

    def stop(self) -> None:
        for terminal in self.terminals:
            terminal.close()
        super().stop()

    def shop(self, name: str = "shop", role: str = "Deploy", account: str = THERE, **more: str) -> Path:
        """An allowed project with one of the roles."""
        return self.project(name, file(role, account, **more), allow=True)

    def rc(self, shell: str) -> str:
        """The line that a user has in the rc file."""
        if shell == "fish":
            return f"{self.binary} hook fish | source"
        return f'eval "$({self.binary} hook {shell})"'

    def terminal(self, shell: str, cwd: Path | None = None, rc: str = "", env: dict[str, str] | None = None,
                 **options: object) -> Tty:
        """Opens a shell with the hook in this home."""
        # Each has a rc file of its own, as one that is rewritten might just be read; the rest of the home they share.
        home = self.home / f"terminal-{next(self.numbers)}"
        shared = {f"XDG_{kind}_HOME": str(self.home / path) for kind, path in
                  (("CACHE", ".cache"), ("DATA", ".local/share"), ("STATE", ".local/state"))}
        aws = {"AWS_CONFIG_FILE": str(self.home / ".aws/config"), "AWS_SHARED_CREDENTIALS_FILE": str(self.home / ".aws/credentials")}
        if (self.home / ".config").exists():
            home.mkdir()
            shutil.copytree(self.home / ".config", home / ".config")
        # fish takes no USER that isn't the process's, and the session's name is part of what is cached.
        env = {"USER": pwd.getpwuid(os.getuid()).pw_name, **shared, **aws, **(env or {})}
        tty = Tty(shell, home, self.rc(shell) + "\n" + rc, env=env, cwd=cwd or self.home, **options)
        self.terminals.append(tty)
        return tty

    def code(self) -> str:
        """What stands on the authenticator, unless it was used."""
        return self.sts.unused_totp("alice")

    def wrong_code(self) -> str:
        """Six digits that are no code of now."""
        valid = {self.sts.totp("alice", steps) for steps in (-1, 0, 1, 2)}
        return next(digits for digits in ("000000", "111111", "222222", "333333", "444444") if digits not in valid)

    def asked_for_codes(self) -> list[dict]:
        """The calls that carried a code."""
        return [call for call in self.sts.calls() if call["has_token_code"]]

    def use_up_the_current_step(self) -> int:
        """Makes this machine remember that the current code was sent; returns its step."""
        # So near to its end the next one would come before anything can be looked at.
        wait_for(lambda: time.time() % 30 < 24)
        step = int(time.time()) // 30
        for device in self.entries("mfa"):
            device.write_text(f'{{"used_step":{step}}}')
        return step

    def outlive_mfa(self) -> None:
        """Waits until the role Strict doesn't take the session of the code any more, and lets it look ten minutes old."""
        youngest = max(sealed.read(path)["issued"] for path in self.entries())
        wait_for(lambda: time.time() > youngest + MFA_AGE + 1)
        self.age_sessions(600)


def descendants(pid: int) -> list[int]:
    """The processes below one, as far as they are there at this moment."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def awsroles(pid: int) -> list[int]:
    """The processes of awsrole below a shell."""
    return [child for child in descendants(pid) if program(child) in PROGRAMS]


def program(pid: int) -> str:
    try:
        # Not `exe`: awsrole hides it from all but root.
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def wait_for(condition, seconds: float = 20):
    """Waits until something is so, and returns it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it didn't become so"
        time.sleep(0.05)
    return found
