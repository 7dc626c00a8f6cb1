"""Interactive shells with the hook loaded, and waiting for what they do."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from support.local_sts import binary
from support.processes import descendants, program
from support.prompts import ASK
from support.terminal import Terminal
from support.world import PROGRAMS, World

# The value of each placeholder in a blocked shell.
PLACEHOLDER = "awsrole-blocked--run-awsrole-why"


def hook_line(shell: str, program: object = None) -> str:
    """The line in the rc file that evaluates the hook of `program`, by default of the tested binary."""
    program = binary("awsrole") if program is None else program
    return f"{program} hook fish | source" if shell == "fish" else f'eval "$({program} hook {shell})"'


def wait_for(condition: Callable[[], object], seconds: float = 20, message: object = "it didn't become so"):
    """Waits until something is so, and returns it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, message
        time.sleep(0.02)
    return found


class HookedShell(Terminal):
    """A shell with the hook, in which prompts can be answered."""

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
        """Waits for the question, one line; returns what was said up to its end."""
        self.process.expect_exact(ASK.encode())
        before = self.process.before.decode(errors="backslashreplace")
        self.process.expect(rb"^[^\r\n]*?: ")
        return before + ASK + self.process.match[0].decode()

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


class HookedWorld(World):
    """A home in which shells with the hook are opened. Use it as a context manager: it also closes the shells."""

    def __init__(self, root: Path, fixture: dict | None = None):
        self.terminals: list[HookedShell] = []
        self.numbers = itertools.count()
        self.binary = binary("awsrole")
        super().__init__(root, fixture)

    def stop(self) -> None:
        for terminal in self.terminals:
            terminal.close()
        super().stop()

    def rc(self, shell: str) -> str:
        """The line that a user has in the rc file."""
        return hook_line(shell, self.binary)

    def terminal(self, shell: str, cwd: Path | None = None, rc: str = "", env: dict[str, str] | None = None,
                 **options: object) -> HookedShell:
        """Opens a shell with the hook in this home."""
        # Each has a rc file of its own, as one that is rewritten might just be read; the rest of the home they share.
        home = self.home / f"terminal-{next(self.numbers)}"
        shared = {f"XDG_{kind}_HOME": str(self.home / path) for kind, path in
                  (("CACHE", ".cache"), ("DATA", ".local/share"), ("STATE", ".local/state"))}
        aws = {"AWS_CONFIG_FILE": str(self.home / ".aws/config"), "AWS_SHARED_CREDENTIALS_FILE": str(self.home / ".aws/credentials")}
        # Otherwise every fish reads all manual pages in the background, for minutes.
        (self.home / ".local/share/fish/generated_completions").mkdir(parents=True, exist_ok=True)
        if (self.home / ".config").exists():
            home.mkdir()
            shutil.copytree(self.home / ".config", home / ".config")
        # fish takes no USER that isn't the process's, and the session's name is part of what is cached.
        env = {"USER": pwd.getpwuid(os.getuid()).pw_name, **shared, **aws, **(env or {})}
        tty = HookedShell(shell, home, self.rc(shell) + "\n" + rc, env=env, cwd=cwd or self.home, **options)
        self.terminals.append(tty)
        return tty


def awsroles(pid: int) -> list[int]:
    """The processes of awsrole below a shell."""
    return [child for child in descendants(pid) if program(child) in PROGRAMS]
