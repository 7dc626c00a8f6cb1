"""Runs examples/quickstart/run without a terminal."""

import os
import re
import subprocess
from pathlib import Path

import pexpect

RUN = Path(__file__).resolve().parents[2] / "examples/quickstart/run"

# A command whose failure ends the run, in each shell.
OR_ELSE = {"bash": "test $? -eq 0 || exit 90", "zsh": "test $? -eq 0 || exit 90", "fish": "test $status -eq 0; or exit 90"}


def run(shell: str, lines: list[str], tmp: Path, *, each: bool = True, **more: str) -> tuple[int, str]:
    """Types lines; with `each`, the first that fails ends the run with code 90. Returns code and output."""
    script = tmp / f"script.{shell}"
    # fish takes each line of a script as a command of its own.
    typed = [part for line in lines for part in ([line, OR_ELSE[shell]] if each else [line])]
    script.write_text("\n".join(typed) + "\n")
    done = subprocess.run(
        [RUN, "--shell", shell, "--script", script],
        env={**os.environ, "TMPDIR": str(tmp), "USER": "alice", **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
    )
    return done.returncode, plain(done.stdout.decode(errors="replace"))


def transcript(before: str, commands: list[str], tmp: Path) -> str:
    """Types commands on a terminal, after `before`, and confirms what prompts. Returns each with what it prints."""
    env = {**os.environ, "TMPDIR": str(tmp), "USER": "alice", "TERM": "xterm", "LANG": "C.UTF-8"}
    terminal = pexpect.spawn(str(RUN), ["--shell", "bash"], env=env, dimensions=(60, 400), encoding="utf-8", timeout=60)
    prompt = re.compile(r"\x1b\[34m~[^\n]*\$ $")
    terminal.expect(prompt)
    text = ""
    for command in [before, *commands]:
        terminal.sendline(command)
        terminal.expect("\r\n")
        text += f"$ {command}\n"
        while terminal.expect([prompt, r"\[y/N\] "]):
            text += terminal.before + terminal.after
            terminal.sendline("y")
        text += terminal.before
        if command == before:
            text = ""
    terminal.sendline("exit")
    terminal.expect(pexpect.EOF)
    return plain(text)


def plain(text: str) -> str:
    """Returns a terminal's text without colors and other escape sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\(B|\r", "", text)
