"""Runs a real interactive shell on a pseudo-terminal, with an environment built from scratch."""

import itertools
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pexpect
import pytest

SHELLS = ("bash", "zsh", "fish")

# The prompt contains the number of commands, so that a repainted prompt isn't counted as the next one.
PROMPT = re.compile(rb"@@ready:(\d+)@@")
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>()][0B]?|\x1b\][^\x07]*\x07|[\r\x0f]")

# Variables that every shell changes itself. They are excluded from "byte-identical outside".
OWN = (b"_", b"PWD", b"OLDPWD", b"SHLVL")

RC = {
    "bash": ("ready_count=0 PS1='@@ready:$((++ready_count))@@'\n", "bind 'set enable-bracketed-paste off' 2>/dev/null\n"),
    "zsh": ("ready_count=0; setopt prompt_subst; unsetopt prompt_sp prompt_cr\nPROMPT='@@ready:$((++ready_count))@@' RPROMPT=\n", ""),
    "fish": (
        "set -g fish_greeting; set -g ready_count 0\n"
        "function count_ready --on-event fish_prompt; set -g ready_count (builtin math $ready_count + 1); end\n"
        "function fish_prompt; builtin printf '@@ready:%s@@' $ready_count; end\n"
        "function fish_right_prompt; end\nfunction fish_mode_prompt; end\nset -g fish_autosuggestion_enabled 0\n",
        "",
    ),
}


def need(program: str) -> str:
    """Returns the path of a program or a file. If it is missing, the test fails in CI, and is skipped with a message
    elsewhere.
    """
    path = program if Path(program).is_file() else shutil.which(program)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(f"{program} is missing")
        pytest.skip(f"{program} is missing")
    return path


def runs_in_ps0() -> bool:
    """Returns whether this bash can run code in the shell itself before a command."""
    words = [need("bash"), "-c", "echo $((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1]))"]
    return int(subprocess.run(words, capture_output=True).stdout) >= 503


class Terminal:
    """One interactive shell.

    `rc` is the content of the shell's rc file. `env` are variables in addition to HOME, PATH and TERM. Without
    `editing` the terminal doesn't echo (bash and zsh), so that `run` returns only the command's output. fish always
    edits.
    """

    def __init__(self, shell: str, home: Path, rc: str = "", *, env=None, cwd=None, editing=False, wrapper=(), timeout=20):
        self.shell = shell
        self.home = home
        self.timeout = timeout
        self.files = itertools.count()
        home.mkdir(parents=True, exist_ok=True)
        path = need(shell)
        first, last = RC[shell]
        rc = first + rc + "\n" + last
        if shell == "fish":
            (home / ".config/fish").mkdir(parents=True, exist_ok=True)
            (home / ".config/fish/config.fish").write_text(rc)
            # Otherwise fish parses all manual pages in the background at its first start.
            (home / ".local/share/fish/generated_completions").mkdir(parents=True, exist_ok=True)
            argv = [path, "-i"]
        else:
            (home / f".{shell}rc").write_text(rc)
            argv = [path, "--noprofile", "--rcfile", str(home / ".bashrc")] if shell == "bash" else [path, "-d"]
            argv += (["--noediting"] if shell == "bash" else ["+Z"]) * (not editing) + ["-i"]
        self.process = pexpect.spawn(
            (argv := [*wrapper, *argv])[0],
            argv[1:],
            cwd=str(cwd or home),
            env=self.environment(home) | (env or {}),
            dimensions=(50, 2000),
            echo=editing or shell == "fish",
            timeout=timeout,
        )
        self.process.delaybeforesend = None
        self.count = 0
        self.greeting = self.wait()

    @staticmethod
    def environment(home: Path) -> dict:
        """Returns the initial environment of every shell, without AWS_* or variables of the machine's user."""
        return {"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "dumb", "LANG": "C.UTF-8", "SHELL": "/bin/sh"}

    def wait(self) -> str:
        """Waits for the next prompt and returns the output before it."""
        seen = b""
        while True:
            self.process.expect(PROMPT, timeout=self.timeout)
            count = int(self.process.match[1])
            seen += self.process.before
            if count > self.count:
                self.count = count
                return ESCAPES.sub(b"", seen).decode(errors="backslashreplace").strip("\n")

    def send(self, text) -> None:
        """Types `text` unchanged."""
        self.process.send(text if isinstance(text, bytes) else text.encode())

    def run(self, command) -> str:
        """Types a command, waits for the next prompt, and returns its output. In fish the echo precedes it."""
        command = command if isinstance(command, bytes) else command.encode()
        self.send(command + (b"\r" if self.shell == "fish" else b"\n"))
        return self.wait()

    def interrupt(self) -> None:
        """Types Ctrl-C."""
        self.send(b"\x03")

    def file(self, name="out") -> Path:
        """Returns a new path for the output of a command."""
        return self.home / f".{name}-{next(self.files)}"

    def env(self) -> dict:
        """Returns the shell's exported variables, without those that every shell changes itself."""
        out = self.file("env")
        self.run(f"command env -0 > {out}")
        return read_env(out)

    def close(self) -> None:
        """Ends the shell like closing a terminal window."""
        if self.process.isalive():
            self.process.kill(signal.SIGHUP)
        self.process.close(force=True)


def read_env(path: Path) -> dict:
    """Returns the output of `env -0 > path`, as bytes."""
    pairs = (pair.split(b"=", 1) for pair in path.read_bytes().split(b"\0") if b"=" in pair)
    return {name: value for name, value in pairs if name not in OWN}
