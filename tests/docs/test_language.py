"""The check of the documents' wording finds what it should, and nothing in code."""

import pytest
from check_language import BANNED, CHECKED, findings


@pytest.mark.parametrize("text, phrase", [
    ("A key stands at the top.", "stands"),
    ("It goes before the profile's.", "goes before"),
    ("If none can be had, it ends.", "be had"),
    ("Whoever reads it.", "Whoever"),
    ("The file beside it.", "beside"),
    ("It works all the same.", "all the same"),
    ("For roles, too, as well.", "as well"),
    ("Then mend the line.", "mend"),
    ("What isn't six digits makes no call.", "What isn't six digits makes no call."),
    ("One clause; another.", ";"),
    ("A closed shell.", "closed shell"),
    ("| `x` | the same |", "the same"),
])
def test_a_banned_phrase_is_found(text, phrase):
    assert (1, phrase) in [(line, found) for line, found, _ in findings(text)]


@pytest.mark.parametrize("text", [
    "```sh\na; b # beside\n```\n", "`a; b` is code", "<!-- it stands -->\n", "[x](beside.md)",
    "The same directory, as well as others.", "What is a project?", "`a\nb; c` spans lines",
])
def test_code_is_not_checked(text):
    assert findings(text) == []


def test_lines_are_counted():
    assert [line for line, _, _ in findings("one\n```text\n;\n;\n```\n`a\nb` whoever\n")] == [7]


def test_each_rule_says_what_to_write():
    assert all(BANNED.values()) and len(CHECKED) > 20
