#!/usr/bin/env python3
"""Checks the wording of documents, comments and messages, and the links. Prints each problem as `file:line: …`.

The rules are in CONTRIBUTING.md. Code and inline code are not checked. With paths as arguments it checks only files
whose path begins with one of them.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# It also runs without pytest, and without any package.
sys.path.insert(0, str(Path(__file__).parents[1]))
from support import comments  # noqa: E402
from support.documents import ROOT, broken_links  # noqa: E402

SEMICOLON = r";(?!$)"

# A pattern, matched without case, and what to write instead.
BANNED = {
    r"\b(stands?|stood|lies|lay)\b": "is, are",
    r"\bgo(es)? before\b": "take precedence over",
    r"\bgo(es)? (along )?with\b": "belong to, be sent with",
    r"\b(is|are|be|was|were|can) had\b": "is available, cannot be obtained",
    r"\b(whoever|whom)\b": "anyone who, or name the actor",
    r"\bwho asks\b": "the caller",
    r"\bwhat (is|was|were) (asked|told)\b": "the request, the message",
    r"\b(is|are|was|were) told\b": "awsrole prints",
    r"\bbesides?\b": "next to, with, in addition to",
    r"\b(all )?the same(?= *([.,:;|)]|$))": "nevertheless, or repeat the noun",
    r"\bas well(?! as)\b": "also, too",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\bown hand\b|\bby hand\b": "manually",
    r"\bhands off\b": "is inactive",
    r"\bheed(s|ed)?\b": "respect",
    r"\bsmall program\b": "hook binary",
    r"\bauthorit(y|ies)\b": "CA certificates",
    r"\ba question is put\b|\bis asked for\b|\basks? nobody\b": "awsrole prompts for",
    r"\bthe whole way\b": "each step",
    r"\bas you like\b": "at your option",
    r"\bclosed? shells?\b|\bshells? (is|are|was) closed\b|\bclos(es|ed) the shell\b": "blocked",
    r"(^|[.:] |\| )what (isn't|is|was|has|comes|stays|fails|stands) [^?|.]*([.|]|$)": "a noun as subject",
    SEMICOLON: "a full stop, or a comma: no semicolon between clauses",
    r"\b(colour|behaviour|honour|favour)": "the American spelling, as in AWS's documentation",
}

# Notes and lists may contain semicolons.
NOTES = {pattern: instead for pattern, instead in BANNED.items() if pattern != SEMICOLON}

# The reader and the rules for files whose path matches a pattern.
READERS = [
    (r"(README|ARCHITECTURE|CONTRIBUTING|CHANGELOG|SECURITY|docs/.*|examples/.*|crates/.*)\.md$", comments.prose, BANNED),
    (r"(crates|fuzz|benches)/.*\.rs$", comments.rust_comments, BANNED),
    (r"crates/awsrole/src/cli(/.*)?\.rs$", comments.rust_strings, NOTES),
    (r"tests/messages/.*\.txt$", comments.snapshot, NOTES),
    (r".*\.py$", comments.python_comments, NOTES),
    (r"(tests|benches)/.*(\.(sh|bash|zsh|fish|toml)|/run|/setup)$", comments.hash_comments, NOTES),
    (r"(?!tests/|benches/).*(\.(sh|bash|zsh|fish|toml)|/run|docs/picture)$", comments.hash_comments, BANNED),
]


def findings(lines: comments.Lines, banned: dict[str, str] = BANNED) -> Iterator[tuple[int, str, str]]:
    """Yields each banned phrase: the line in which it begins, the phrase, and what to write instead."""
    for paragraph in comments.paragraphs(lines):
        text = "\n".join(line for _, line in paragraph)
        # Inline code may span lines.
        text = re.sub(r"`[^`]+`", lambda code: "`" + "\n" * code[0].count("\n"), text)
        for pattern, instead in banned.items():
            for match in re.finditer(pattern, text.replace("\n", " "), re.I):
                number = paragraph[text.count("\n", 0, match.start())][0]
                yield number, match[0].strip(), instead


def problems(path: str) -> list[str]:
    """Returns the problems of a file, none if it is of a kind that is not checked."""
    return [f"{path}:{number}: `{phrase}`: write {instead}"
            for pattern, reader, rules in READERS if re.match(pattern, path)
            for number, phrase, instead in findings(reader((ROOT / path).read_text()), rules)]


def checked() -> list[str]:
    """Returns the paths of all files that are checked."""
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return [path for path in files if any(re.match(row[0], path) for row in READERS) and (ROOT / path).is_file()]


if __name__ == "__main__":
    paths = [path for path in checked() if path.startswith(tuple(sys.argv[1:]) or "")]
    wrong = [problem for path in paths for problem in problems(path)]
    wrong += [f"{link} is a broken link" for link in broken_links()]
    print("\n".join(wrong) if wrong else f"{len(paths)} files have no banned phrase, and the documents no broken link")
    sys.exit(bool(wrong))
