"""Extracts commands, files, tables and links from the documents."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*.md")])

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
MARK = re.compile(r"<!-- test: ([a-z-]+) -->\n\Z")


@dataclass
class Block:
    """A fenced block. `world` is the requirement in the comment before it, or None."""

    document: Path
    line: int
    language: str
    world: str | None
    text: str

    @property
    def name(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"

    @property
    def lines(self) -> list[str]:
        return [line for line in self.text.splitlines() if line.strip()]


def blocks() -> list[Block]:
    """Returns every fenced block of every document."""
    found = []
    for document in DOCUMENTS:
        text = document.read_text()
        for match in FENCE.finditer(text):
            before = text[: match.start()]
            mark = MARK.search(before)
            found.append(Block(document, before.count("\n") + 1, match[1], mark and mark[1], match[2]))
    return found


def broken_links() -> list[str]:
    """Returns links to files or headings that don't exist, as `document: target`."""
    broken = []
    for document in DOCUMENTS:
        text = FENCE.sub("", document.read_text())
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if target.startswith("http"):
                continue
            path, _, anchor = target.partition("#")
            other = document.parent / path if path else document
            found = other.exists()
            if found and anchor:
                headings = re.findall(r"^#+ (.*)$", FENCE.sub("", other.read_text()), re.M)
                found = anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            if not found:
                broken.append(f"{document.relative_to(ROOT)}: {target}")
    return broken


def table(document: str, heading: str) -> list[list[str]]:
    """Returns the rows of the first table below a heading, without the table's header."""
    text = (ROOT / document).read_text()
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.M | re.S)
    assert section, f"{document} has no heading {heading!r}"
    first = re.search(r"(^\|.*\n)+", section[1], re.M)
    assert first, f"{document} has no table under {heading!r}"
    rows = first[0].splitlines()
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[2:]]


def quoted(cell: str) -> list[str]:
    """Returns the texts between backticks."""
    return re.findall(r"`([^`]+)`", cell)
