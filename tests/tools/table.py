"""Prints the reports of the tools, and compares them with the table of tested tools.

table.py REPORT                       prints each tool with its version and its own last lines
table.py REPORT RESULTS all|some      writes them, without the lines, to RESULTS: all, unless a command of the examples
                                      was never typed, or in the place of their like
"""

import json
import sys
from pathlib import Path

from support.documents import blocks


def show(rows: list[dict]) -> None:
    widths = [max((len(row[key]) for row in rows), default=0) for key in ("tool", "version")]
    for row in rows:
        print(f"\n{row['tool']:{widths[0]}}  {row['version']:{widths[1]}}  {row['shown']}")
        for line in row["lines"]:
            print(f"    {line}")


def keep(rows: list[dict], report: Path, results: Path, which: str) -> None:
    kept = {row["tool"]: {key: row[key] for key in ("tool", "version", "shown")} for row in rows}
    if which == "all":
        typed = (report / "typed").read_text().splitlines()
        if left_out := [block.name for block in blocks() if block.world == "tools" and block.name not in typed]:
            sys.exit(f"tests/tools/run: never typed: {', '.join(left_out)}")
    else:
        kept = {row["tool"]: row for row in json.loads(results.read_text())} | kept
    rows = sorted(kept.values(), key=lambda row: row["tool"].lower())
    results.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")


report = Path(sys.argv[1])
rows = sorted((json.loads(path.read_text()) for path in report.glob("*.json")), key=lambda row: row["tool"].lower())
if sys.argv[2:]:
    keep(rows, report, Path(sys.argv[2]), sys.argv[3])
else:
    show(rows)
