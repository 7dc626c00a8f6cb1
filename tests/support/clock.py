"""Provides a clock that a test sets, for programs that get its environment."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.terminal import need


class Clock:
    """A clock that is correct until it is set. `folder` contains its files."""

    def __init__(self, folder: Path):
        self.file = folder / "clock"
        self.set(0)
        library = folder / "clock.so"
        source = Path(__file__).with_suffix(".c")
        command = [need("cc"), "-shared", "-fPIC", "-O1", f'-DCLOCK_FILE="{self.file}"', "-o", library, source]
        subprocess.run(command, check=True, timeout=60)
        self.environment = {"LD_PRELOAD": str(library)}

    def set(self, seconds: float) -> None:
        """Returns the difference from the real clock."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{seconds:.0f}\n")
        fresh.rename(self.file)
