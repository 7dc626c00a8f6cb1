"""The check of the wording finds banned phrases in documents, comments and messages, and nothing in code."""

import pytest
from check_language import BANNED, NOTES, checked, findings, problems

from support.comments import hash_comments, paragraphs, prose, python_comments, rust_comments, rust_strings, snapshot


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
    assert (1, phrase) in [(line, found) for line, found, _ in findings(prose(text))]


@pytest.mark.parametrize("text", [
    "```sh\na; b # beside\n```\n", "`a; b` is code", "<!-- it stands -->\n", "[x](beside.md)",
    "The same directory, as well as others.", "What is a project?", "`a\nb; c` spans lines",
])
def test_code_is_not_checked(text):
    assert list(findings(prose(text))) == []


@pytest.mark.parametrize("text, found", [
    ("one\n```text\n;\n;\n```\n`a\nb` whoever\n", [(7, "whoever")]),
    ("It is\ntold\n\nOne\ntwo; three\n", [(1, "is told"), (5, ";")]),
    ("It is\n\ntold\n\n- one;\n- two;\n- three.\n", []),
])
def test_a_phrase_may_span_the_lines_of_a_paragraph(text, found):
    assert [(line, phrase) for line, phrase, _ in findings(prose(text))] == found


RUST = r"""//! Of the file.
use a; // Beside code.

/// Of an item,
/// in two lines.
///
/// ```
/// let hidden = 1;
/// ```
fn f<'a>(x: &'a str, c: char) {
    // In code.
    let _ = ("// no \\" comment", r#"" // none"#, '"', '\'', b"https://x"); // Last.
}
"""


def texts(lines):
    return [" ".join(text for _, text in group) for group in paragraphs(lines)]


def test_comments_of_rust_are_read():
    lines = rust_comments(RUST)
    assert texts(lines) == ["Of the file.", "Beside code.", "Of an item, in two lines.", "In code.", "Last."]
    assert {text.strip(): number for number, text in lines}["Last."] == 12


def test_strings_of_rust_are_read():
    text = '''f("one \\"quoted\\"", 'a', "two\\
        lines\\nand three"); // "none"\n'''
    assert texts(rust_strings(text)) == ['one "quoted"', "two" "lines and three"]
    assert rust_strings("\n\nf(r\"x\")")[0] == (3, "x")


def test_comments_and_docstrings_of_python_are_read():
    text = '#!/bin/sh\n"""Of the file."""\n\ndef f():\n    """Of f,\n    in two lines."""\n    x = "# no"  # Last.\n    # noqa: E1\n'
    assert texts(python_comments(text)) == ["Of the file.", "Of f, in two lines.", "Last."]


def test_comments_of_shells_and_toml_are_read():
    text = """#!/bin/sh
# shellcheck disable=SC1
# One,
# two.
a = "x # no" # Three.
b=${c##* } # Four.
printf '%s # no' "$#" "it's # no" \\# # Five.
"""
    assert texts(hash_comments(text)) == ["One, two.", "Three.", "Four.", "Five."]


def test_what_awsrole_printed_is_read():
    assert texts(snapshot("Title.\n\n    key = 1\n\n$ awsrole\nawsrole: failed\n  hint: try\n")) == [
        "Title.", "awsrole: failed", "hint: try"]


def test_every_kind_of_file_is_checked():
    kinds = {path.rsplit("/")[-1].rsplit(".")[-1] for path in checked()}
    assert kinds >= {"md", "rs", "py", "txt", "bash", "zsh", "fish", "toml", "run"} and len(checked()) > 500
    assert "ARCHITECTURE.md" in checked() and problems("Cargo.lock") == []


def test_notes_may_contain_semicolons():
    assert [phrase for _, phrase, _ in findings([(1, "one; two beside")], NOTES)] == ["beside"]


def test_each_rule_says_what_to_write():
    assert all(BANNED.values())
