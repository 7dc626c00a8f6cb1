#!/usr/bin/env python3
"""Checks the wording and the links of the documents. Prints each problem as `file:line: …`.

The rules are in CONTRIBUTING.md. Code blocks, inline code and comments are not checked.
"""

import re
import sys
from pathlib import Path

# It also runs without pytest, and without any package.
sys.path.insert(0, str(Path(__file__).parents[1]))
from support.documents import ROOT, broken_links  # noqa: E402

CHECKED = sorted(
    [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY")]
    + [*ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*.md")]
)

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
    r"(^|[.:] |\| )what (isn't|is|was|has|comes|stays|fails|stands) [^?|]*[.|]": "a noun as subject",
    r";(?!$)": "a full stop, or a comma: no semicolon between clauses",
    r"\b(colour|behaviour|honour|favour)": "the American spelling, as in AWS's documentation",
}


def prose(text: str) -> list[tuple[int, str]]:
    """Returns the lines of a document with their numbers, without code, comments and the targets of links."""
    def blank(match: re.Match) -> str:
        return "\n" * match[0].count("\n")

    text = re.sub(r"^```.*?^```$|<!--.*?-->", blank, text, flags=re.M | re.S)
    text = re.sub(r"`[^`]+`", lambda code: "`" + blank(code), text)
    text = re.sub(r"\]\([^)\s]+\)", "]", text)
    return list(enumerate(text.splitlines(), 1))


def findings(text: str) -> list[tuple[int, str, str]]:
    """Returns each banned phrase of a document: its line, the phrase, and what to write instead."""
    return [(number, match[0].strip(), instead) for number, line in prose(text)
            for pattern, instead in BANNED.items() for match in re.finditer(pattern, line, re.I)]


if __name__ == "__main__":
    wrong = [f"{path.relative_to(ROOT)}:{number}: `{phrase}`: write {instead}"
             for path in CHECKED for number, phrase, instead in findings(path.read_text())]
    wrong += [f"{link} is a broken link" for link in broken_links()]
    print("\n".join(wrong) if wrong else f"{len(CHECKED)} documents have no banned phrase and no broken link")
    sys.exit(bool(wrong))
