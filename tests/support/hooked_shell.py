"""Interactive shells with the hook, and functions that wait for their output."""

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
    """Returns the line of the rc file that evaluates the hook of `program`, by default of the tested binary."""
    program = binary("awsrole") if program is None else program
    return f"{program} hook fish | source" if shell == "fish" else f'eval "$({program} hook {shell})"'


def wait_for(condition: Callable[[], object], seconds: float = 20, message: object = "it didn't become so"):
    """Waits until a condition is true, and returns its value."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, message
        time.sleep(0.02)
    return found


class HookedShell(Terminal):
    """A shell with the hook in which prompts can be answered."""

    said = ""

    def wait(self) -> str:
        """Waits for the next prompt. The output until then is also kept in `said`."""
        now = super().wait()
        self.said += now
        return now

    def type(self, line: str) -> None:
        """Types a command without waiting for its end."""
        self.send(line + ("\r" if self.shell == "fish" else "\n"))

    def asked(self) -> str:
        """Waits for the prompt, one line, and returns the output up to its end."""
        self.process.expect_exact(ASK.encode(), timeout=max(self.timeout, 60))  # up to 30 s for an unused code
        before = self.process.before.decode(errors="backslashreplace")
        self.process.expect(rb"^[^\r\n]*?: ")
        return before + ASK + self.process.match[0].decode()

    def answer(self, text: str) -> str:
        """Answers awsrole's prompt and waits for the shell's prompt."""
        self.send(text + "\r")
        return self.wait()

    def enter(self, folder: Path, code: str) -> str:
        """Runs `cd` and waits for awsrole's prompt."""
        self.type(f"cd {folder}")
        said = self.asked()
        return said + self.answer(code)

    def key(self) -> str | None:
        """Returns AWS_ACCESS_KEY_ID in the environment of a command."""
        return self.variable("AWS_ACCESS_KEY_ID")

    def variable(self, name: str) -> str | None:
        value = self.env().get(name.encode())
        return None if value is None else value.decode()

    def modes(self) -> str:
        """Returns the modes of the terminal."""
        out = self.home / ".modes"
        self.run(f"command stty -a > {out}")
        return out.read_text()


class HookedWorld(World):
    """A home directory in which shells with the hook run. As a context manager it closes the shells."""

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
        """Returns the line that a user has in the rc file."""
        return hook_line(shell, self.binary)

    def terminal(self, shell: str, cwd: Path | None = None, rc: str = "", env: dict[str, str] | None = None,
                 **options: object) -> HookedShell:
        """Starts a shell with the hook in this home directory."""
        # Each shell has its own rc file, because another shell might be reading a shared one while it is written. They
        # share the rest of the home directory.
        home = self.home / f"terminal-{next(self.numbers)}"
        shared = {f"XDG_{kind}_HOME": str(self.home / path) for kind, path in
                  (("CACHE", ".cache"), ("DATA", ".local/share"), ("STATE", ".local/state"))}
        aws = {"AWS_CONFIG_FILE": str(self.home / ".aws/config"), "AWS_SHARED_CREDENTIALS_FILE": str(self.home / ".aws/credentials")}
        # Otherwise every fish parses all manual pages in the background, for minutes.
        (self.home / ".local/share/fish/generated_completions").mkdir(parents=True, exist_ok=True)
        if (self.home / ".config").exists():
            home.mkdir()
            shutil.copytree(self.home / ".config", home / ".config")
        # fish replaces USER by the user of the process, and the session name is part of the cache key.
        env = {"USER": pwd.getpwuid(os.getuid()).pw_name, **shared, **aws, **(env or {})}
        tty = HookedShell(shell, home, self.rc(shell) + "\n" + rc, env=env, cwd=cwd or self.home, **options)
        self.terminals.append(tty)
        return tty


def awsroles(pid: int) -> list[int]:
    """Returns the processes of awsrole below a shell."""
    return [child for child in descendants(pid) if program(child) in PROGRAMS]
