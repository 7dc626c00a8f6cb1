"""The processes of the machine, as /proc shows them at this moment."""

from __future__ import annotations

from pathlib import Path


def command_lines() -> dict[int, list[bytes]]:
    """The arguments of every process that is there, by process ID."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
    return found


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


def likely_descendants(pid: int) -> list[int]:
    """The same, but only their own folders are read: a hundred times faster, and one that just starts may be missing."""
    try:
        direct = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return direct + [one for child in direct for one in likely_descendants(child)]


def program(pid: int) -> str:
    """The name of the program that a process runs; empty if it is gone."""
    try:
        # Not `exe`: awsrole hides it from all but root.
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
