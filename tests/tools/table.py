"""Prints what tools reported, or writes what README's table is held against.

table.py REPORT               prints each tool with its version and its own last lines
table.py REPORT RESULTS       writes them to RESULTS, without the lines, unless a command of the examples wasn't typed
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))
from documents import blocks  # noqa: E402

report, *results = map(Path, sys.argv[1:])
rows = sorted((json.loads(path.read_text()) for path in report.glob("*.json")), key=lambda row: row["tool"].lower())
if results:
    typed = (report / "typed").read_text().split()
    if left_out := [block.name for block in blocks() if block.world == "tools" and block.name not in typed]:
        sys.exit(f"tests/tools/run: never typed: {', '.join(left_out)}")
    kept = [{key: row[key] for key in ("tool", "version", "shown")} for row in rows]
    results[0].write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n")
else:
    widths = [max((len(row[key]) for row in rows), default=0) for key in ("tool", "version")]
    for row in rows:
        print(f"\n{row['tool']:{widths[0]}}  {row['version']:{widths[1]}}  {row['shown']}")
        for line in row["lines"]:
            print(f"    {line}")
