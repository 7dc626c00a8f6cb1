"""Measures the time until the list of `awsrole use` is on the terminal."""

from __future__ import annotations

import os
import pty
import re
import termios
import time
from pathlib import Path

from processes import spread

# The list is complete when the cursor is back at the prompt.
DRAWN = re.compile(rb"\x1b\[\d+A\r\x1b\[\d+C")
ESCAPE = b"\x1b"


def opened(program: str, env: dict[str, str], folder: Path, rounds: int) -> dict:
    """Returns the microseconds from the start of the program until its list is drawn."""
    return spread([once(program, {**env, "TERM": "xterm-256color"}, folder) for _ in range(rounds)])


def once(program: str, env: dict[str, str], folder: Path) -> float:
    start = time.perf_counter_ns()
    child, terminal = pty.fork()
    if child == 0:
        termios.tcsetwinsize(0, (24, 80))
        os.chdir(folder)
        os.execve(program, [program, "use"], env)
    try:
        seen = b""
        while not DRAWN.search(seen):
            seen += os.read(terminal, 65536)
        taken = (time.perf_counter_ns() - start) / 1000
        os.write(terminal, ESCAPE)
        os.waitpid(child, 0)
    except OSError as error:
        raise RuntimeError(f"awsrole use ended without a list: {seen!r}") from error
    finally:
        os.close(terminal)
    return taken
