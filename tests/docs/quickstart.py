"""Runs of examples/quickstart/run without a terminal."""

import os
import re
import subprocess
from pathlib import Path

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


def plain(text: str) -> str:
    """A terminal's text without colours and other orders."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\(B|\r", "", text)
