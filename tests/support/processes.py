"""Lists the processes of the machine from /proc."""

from __future__ import annotations

from pathlib import Path


def command_lines() -> dict[int, list[bytes]]:
    """Returns the arguments of every process, by process ID."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
    return found


def descendants(pid: int) -> list[int]:
    """Returns the descendants of a process that exist at this moment."""
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
    """Does what `descendants` does, but reads only the folders of these processes. It is a hundred times faster, and
    may miss a process that has just started.
    """
    try:
        direct = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return direct + [one for child in direct for one in likely_descendants(child)]


def program(pid: int) -> str:
    """Returns the name of the program that a process runs, or an empty text if it has ended."""
    try:
        # Not `exe`, which only root can read for awsrole.
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
