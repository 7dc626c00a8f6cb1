"""Runs programs many times, alternately, and measures the time from start to end of each."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Program:
    """A program to measure. `check` gets its output and returns whether it is correct."""

    words: list[str]
    env: dict[str, str]
    cwd: Path
    check: Callable[[str], bool]
    # Restores the state of a first run. Not measured.
    before: Callable[[], None] = field(default=lambda: None)
    # It takes part in one of this many rounds. Slow programs need fewer samples.
    every: int = 1


def spread(samples: list[float]) -> dict:
    """Returns median and quartiles of samples in microseconds."""
    low, middle, high = statistics.quantiles(samples, n=4)
    return {"median": round(middle, 1), "q1": round(low, 1), "q3": round(high, 1), "n": len(samples)}


def compare(rounds: list[dict[str, float]]) -> dict[str, dict]:
    """Returns the spread of each name's samples, and its ratio to each other name.

    A ratio is the median of those within one round. The speed of a virtual machine changes from second to second, and
    two samples of one round were taken at about the same speed.
    """
    names = {name: None for samples in rounds for name in samples}
    found = {name: spread([samples[name] for samples in rounds if name in samples]) for name in names}
    for name, one in found.items():
        one["against"] = {}
        for other in names:
            ratios = [samples[name] / samples[other] for samples in rounds if name in samples and other in samples]
            one["against"][other] = round(statistics.median(ratios), 3)
    return found


def verify(name: str, program: Program) -> None:
    """Runs a program once and checks its output, so that no failing program is measured."""
    program.before()
    done = subprocess.run(program.words, env=program.env, cwd=program.cwd, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)
    if done.returncode != 0 or not program.check(done.stdout):
        raise RuntimeError(f"{name} didn't do its work: {done}")


def in_turns(programs: dict[str, Program], rounds: int) -> dict[str, dict]:
    """Measures programs alternately, so that load of the machine affects all of them alike."""
    for name, program in programs.items():
        verify(name, program)
    null = os.open(os.devnull, os.O_RDWR)
    files = [(os.POSIX_SPAWN_DUP2, null, number) for number in (0, 1, 2)]
    samples: list[dict[str, float]] = []
    here = os.getcwd()
    for turn in range(rounds):
        samples.append({})
        for name, program in programs.items():
            # At least two of each, because quartiles need two.
            if turn > 1 and turn % program.every:
                continue
            program.before()
            os.chdir(program.cwd)
            start = time.perf_counter_ns()
            child = os.posix_spawn(program.words[0], program.words, program.env, file_actions=files)
            _, status = os.waitpid(child, 0)
            samples[-1][name] = (time.perf_counter_ns() - start) / 1000
            if status:
                raise RuntimeError(f"{name} ended with {os.waitstatus_to_exitcode(status)}")
    os.chdir(here)
    os.close(null)
    for name, program in programs.items():
        verify(name, program)
    return compare(samples)


def peak_memory(program: Program) -> int:
    """Returns the maximum resident size in KiB as reported by GNU time, the largest of three runs."""
    def once() -> int:
        program.before()
        done = subprocess.run(["/usr/bin/time", "-f", "%M", *program.words], env=program.env, cwd=program.cwd,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
        return int(done.stderr.splitlines()[-1])
    return max(once() for _ in range(3))
