"""Interactive nushell, xonsh, elvish and tcsh on a pseudo-terminal, with the module of awsrole."""

from __future__ import annotations

import itertools
import os
import re
import signal
import time
from pathlib import Path

import pexpect

from support.documents import blocks
from support.hooked_shell import HookedWorld
from support.local_sts import binary
from support.prompts import ASK
from support.terminal import ESCAPES, need, read_env
from support.world import ALICE, BYSTANDER, FIXTURE, PROGRAMS, SEED, SERIAL

SHELLS = ("nu", "xonsh", "elvish", "tcsh")
CACHE = Path(__file__).parents[2] / ".cache/tests"

# Where tests/setup installs those that aren't packages of the system.
INSTALLED = {
    "nu": CACHE / "other_shells/nu/node_modules/@nushell/linux-x64/bin/nu",
    "xonsh": CACHE / "other_shells/xonsh/bin/xonsh",
}

PROMPT = re.compile(rb"@@ready:(\d+)@@")
# Reedline, the editor of nushell, asks where the cursor is.
WHERE = b"\x1b[6n"

# Variables that these shells change themselves.
OWN = (b"_", b"PWD", b"OLDPWD", b"SHLVL", b"LAST_EXIT_CODE", b"CMD_DURATION_MS", b"PATH", b"LAST_RETURN_CODE", b"LINES",
       b"COLUMNS", b"XONSH_INTERACTIVE", b"XONSH_LOGIN", b"XONSH_VERSION", b"VENDOR", b"HOST", b"HOSTTYPE", b"MACHTYPE",
       b"OSTYPE", b"GROUP", b"LOGNAME", b"FILE_PWD", b"ready_count", b"NU_VERSION", b"INFOPATH")


def program(shell: str) -> str:
    """Returns the path of a shell."""
    installed = INSTALLED.get(shell)
    return str(installed) if installed and installed.is_file() else need(shell)


# The blocks of docs/shells.md.
LINES = {block.world: block.text for block in blocks() if block.document.name == "shells.md"}


class Dialect:
    """How a shell writes what the tests type."""

    def __init__(self, shell: str, home: Path):
        self.shell, self.home = shell, home

    def start(self, rc: str) -> list[str]:
        """Writes the startup file and returns the command."""
        rc = rc + getattr(self, f"_rc_{self.shell}")() if self.shell == "tcsh" else getattr(self, f"_rc_{self.shell}")() + rc
        name = {"nu": ".config/nushell/config.nu", "xonsh": "rc.xsh", "elvish": "rc.elv", "tcsh": ".tcshrc"}[self.shell]
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(rc)
        return {
            "nu": [],
            "xonsh": ["--rc", str(path), "--shell-type", "readline", "-i"],
            "elvish": ["-rc", str(path)],
            "tcsh": [],
        }[self.shell]

    def _rc_nu(self) -> str:
        return (
            "$env.config.show_banner = false\n$env.config.use_ansi_coloring = false\n"
            "$env.ready_count = 0\n$env.PROMPT_COMMAND = {|| $'@@ready:($env.ready_count)@@' }\n"
            "$env.PROMPT_INDICATOR = ''\n$env.PROMPT_COMMAND_RIGHT = ''\n"
            f"{LINES['rc-nu']}"
            "$env.config.hooks.pre_prompt = [{|| $env.ready_count = ($env.ready_count | into int) + 1 }]\n"
        )

    def _rc_xonsh(self) -> str:
        return (
            "ready = [0]\ndef count_ready():\n    ready[0] += 1\n    return '@@ready:%d@@' % ready[0]\n"
            "$PROMPT = count_ready\n$MULTILINE_PROMPT = ''\n$SUPPRESS_BRANCH_TIMEOUT_MESSAGE = True\n"
            "$COMMANDS_CACHE_SAVE_INTERMEDIATE = False\n$XONSH_HISTORY_BACKEND = 'dummy'\n"
            f"{LINES['rc-xonsh']}"
        )

    def _rc_elvish(self) -> str:
        return (
            f"{LINES['rc-elvish']}set edit:rprompt = {{ }}\nset edit:prompt = {{ put '> ' }}\nvar ready = 0\n"
            # Its editor paints only what differs from the last prompt.
            "set edit:before-readline = [$@edit:before-readline { set ready = (+ $ready 1); echo '@@ready:'$ready'@@' > /dev/tty }]\n"
        )

    def _rc_tcsh(self) -> str:
        return f"unset edit\nset prompt='@@ready:%h@@'\n{LINES['rc-tcsh']}"

    def write_env(self, path: Path) -> str:
        return {
            "nu": f"^env -0 | save -f --raw {path}",
            "xonsh": f"env -0 > {path}",
            "elvish": f"e:env -0 > {path}",
            "tcsh": f"env -0 >! {path}",
        }[self.shell]

    def export(self, name: str, value: str) -> str:
        """Returns the statement that exports a value without quotes and blanks."""
        return {
            "nu": f"$env.{name} = '{value}'",
            "xonsh": f"${name} = '{value}'",
            "elvish": f"set-env {name} '{value}'",
            "tcsh": f"setenv {name} '{value}'",
        }[self.shell]

    def unset(self, name: str) -> str:
        return {
            "nu": f"hide-env {name}",
            "xonsh": f"del ${name}",
            "elvish": f"unset-env {name}",
            "tcsh": f"unsetenv {name}",
        }[self.shell]


class ModuleShell:
    """One interactive shell. Its variables are those of `support.terminal.Terminal`."""

    def __init__(self, shell: str, home: Path, *, rc: str = "", env=None, cwd=None, timeout=120):
        self.shell, self.home, self.timeout = shell, home, timeout
        self.files = itertools.count()
        self.count, self.said = 0, ""
        home.mkdir(parents=True, exist_ok=True)
        self.dialect = Dialect(shell, home)
        words = self.dialect.start(rc)
        base = {"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "xterm" if shell == "nu" else "dumb", "LANG": "C.UTF-8",
                "SHELL": "/bin/sh"}
        self.process = pexpect.spawn(program(shell), words, cwd=str(cwd or home), env=base | (env or {}), dimensions=(50, 400),
                                     timeout=timeout, echo=False)
        self.process.delaybeforesend = None
        self.greeting = self.wait()

    def wait(self) -> str:
        """Waits for the next prompt and returns the output before it."""
        seen, deadline = b"", time.monotonic() + self.timeout
        while True:
            found = self.process.expect([PROMPT, re.escape(WHERE)], timeout=max(1, deadline - time.monotonic()))
            seen += self.process.before
            if found == 1:
                self.process.send(b"\x1b[1;1R")
                continue
            count = int(self.process.match[1])
            if count > self.count:
                self.count = count
                text = ESCAPES.sub(b"", seen).decode(errors="backslashreplace").strip("\n")
                self.said += text
                return text

    def send(self, text: str) -> None:
        self.process.send(text.encode())

    def type(self, line: str) -> None:
        """Types a command without waiting for its end."""
        self.send(line + ("\n" if self.shell in ("tcsh", "xonsh") else "\r"))

    def run(self, line: str) -> str:
        """Types a command, waits for the next prompt, and returns its output."""
        self.type(line)
        return self.wait()

    def asked(self) -> str:
        """Waits for awsrole's prompt, and returns the output up to its end."""
        while self.process.expect([re.escape(ASK.encode()), re.escape(WHERE)], timeout=self.timeout):
            self.process.send(b"\x1b[1;1R")
        before = self.process.before.decode(errors="backslashreplace")
        self.process.expect(rb"^[^\r\n]*?: ")
        return before + ASK + self.process.match[0].decode()

    def answer(self, text: str) -> str:
        self.send(text + "\r")
        return self.wait()

    def interrupt(self) -> str:
        """Types Ctrl-C at awsrole's prompt."""
        self.send("\x03")
        if self.shell == "nu":
            # Its own prompt may be interrupted, too, so the one after a command is awaited.
            self.process.expect_exact(b"this shell is blocked", timeout=self.timeout)
            self.type("print (6 * 7000007)")
            while self.process.expect([b"42000042", re.escape(WHERE)], timeout=self.timeout):
                self.process.send(b"\x1b[1;1R")
        return self.wait()

    def file(self, name: str = "out") -> Path:
        """Returns a new path for the output of a command."""
        return self.home / f"{name}-{next(self.files)}"

    def env(self) -> dict[str, str]:
        """Returns the exported variables, without those that shells change themselves."""
        out = self.file("env")
        self.run(self.dialect.write_env(out))
        return {name.decode(): value.decode() for name, value in read_env(out).items() if name not in OWN}

    def variable(self, name: str) -> str | None:
        return self.env().get(name)

    def export(self, name: str, value: str) -> str:
        return self.run(self.dialect.export(name, value))

    def unset(self, name: str) -> str:
        return self.run(self.dialect.unset(name))

    def close(self) -> None:
        """Ends the shell like closing a terminal window."""
        if self.process.isalive():
            self.process.kill(signal.SIGHUP)
        self.process.close(force=True)


class ModuleWorld(HookedWorld):
    """A home directory in which these shells run. As a context manager it closes them.

    Modules call programs that write a line for each start and execute the tested ones.
    """

    def __init__(self, root: Path):
        super().__init__(root, FIXTURE | {"user": [{**ALICE, "mfa_serial": SERIAL, "mfa_seed": SEED}, BYSTANDER]})
        config = self.home / ".aws/config"
        config.write_text(config.read_text() + f"[profile phone]\nmfa_serial = {SERIAL}\nservices = local\n")
        keys = self.home / ".aws/credentials"
        keys.write_text(keys.read_text() + keys.read_text().split("[jump]")[1].split("#")[0].join(["[phone]", ""]))
        self.log = self.home / "starts"
        self.log.touch()
        self.program = self.home / "bin/awsrole"
        for name in PROGRAMS:
            script = self.write(f"bin/{name}", f'#!/bin/bash\necho "${{*:1:2}}" >>{self.log}\nexec -a "$0" {binary(name)} "$@"\n')
            script.chmod(0o755)

    def starts(self) -> list[str]:
        """Returns the first two words of every request of a shell so far."""
        return [line for line in self.log.read_text().splitlines() if line in ("hook export", "hook command")]

    def shell(self, shell: str, cwd: Path | None = None, env: dict[str, str] | None = None, rc: str = "") -> ModuleShell:
        home = self.home / f"terminal-{next(self.numbers)}"
        shared = {f"XDG_{kind}_HOME": str(self.home / path) for kind, path in
                  (("CACHE", ".cache"), ("DATA", ".local/share"), ("STATE", ".local/state"))}
        aws = {"AWS_CONFIG_FILE": str(self.home / ".aws/config"), "AWS_SHARED_CREDENTIALS_FILE": str(self.home / ".aws/credentials")}
        path = f"{self.program.parent}:{os.environ['PATH']}"
        env = {"USER": "alice", "PATH": path, **shared, **aws, **(env or {})}
        tty = ModuleShell(shell, home, rc=rc, env=env, cwd=cwd or self.home)
        self.terminals.append(tty)
        return tty
