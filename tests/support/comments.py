"""Extracts prose from files, as numbered lines: from documents, comments, docstrings and messages."""

import ast
import io
import re
import tokenize

Lines = list[tuple[int, str]]

# A Rust file as comments, strings and character literals. A quote that nothing closes belongs to a lifetime.
RUST = re.compile(r"""
    (?P<before>^[ \t]*)?//[/!]?(?P<line>[^\n]*)
  | r(?P<hashes>\#*)"(?P<raw>.*?)"(?P=hashes)
  | "(?P<string>(?:\\.|[^"\\])*)"
  | '(?:\\[^\n]{1,10}?|[^'\\\n])'
""", re.X | re.S | re.M)

# A line of a shell script or of TOML. A comment begins with `#` and a space, outside of quotes and words.
HASH = re.compile(r"""(?P<before>(?:[^#'"\\]|\\.|'[^']*'|"(?:\\.|[^"\\])*"|(?<=\S)\#|\#(?![ ]))*?)
                      (?:^|(?<=\s))\#[ ](?P<line>.*)$""", re.X)


def prose(text: str) -> Lines:
    """Returns the lines of a document with their numbers, without code, comments and the targets of links."""
    def blank(match: re.Match) -> str:
        return "\n" * match[0].count("\n")

    text = re.sub(r"^```.*?^```$|<!--.*?-->", blank, text, flags=re.M | re.S)
    text = re.sub(r"\]\([^)\s]+\)", "]", text)
    return list(enumerate(text.splitlines(), 1))


def rust_comments(text: str) -> Lines:
    """Returns the comments and doc comments of a Rust file, without examples between ```."""
    lines = []
    for match in RUST.finditer(text):
        if match["line"] is not None:
            number = text.count("\n", 0, match.start("line")) + 1
            lines += own_line(number, match["line"]) if match["before"] is not None else apart(number, match["line"])
    return without_examples(lines)


def rust_strings(text: str) -> Lines:
    """Returns the string literals of a Rust file, each apart from the others."""
    lines = []
    for match in RUST.finditer(text):
        string = match["string"] if match["string"] is not None else match["raw"]
        if string:
            number = text.count("\n", 0, match.start()) + 1
            string = re.sub(r"\\\n\s*", "", string).replace(r"\n", "\n").replace(r"\"", '"')
            lines += [*enumerate(string.splitlines(), number), (number, "")]
    return lines


def python_comments(text: str) -> Lines:
    """Returns the comments and docstrings of a Python file."""
    lines = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and not re.match(r"#!|# noqa|# type:", token.string):
            is_own = not token.line[: token.start[1]].strip()
            comment = token.string.lstrip("#")
            lines += own_line(token.start[0], comment) if is_own else apart(token.start[0], comment)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, documented) and ast.get_docstring(node):
            string = node.body[0].value
            lines += [*enumerate(string.value.splitlines(), string.lineno), (string.end_lineno, "")]
    return sorted(lines, key=lambda line: line[0])


def hash_comments(text: str) -> Lines:
    """Returns the comments of a shell script or a TOML file."""
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        match = HASH.match(line)
        if match and not match["line"].startswith("shellcheck "):
            lines += own_line(number, match["line"]) if not match["before"].strip() else apart(number, match["line"])
    return lines


def snapshot(text: str) -> Lines:
    """Returns what a snapshot of tests/messages says: its first line, and everything that awsrole printed."""
    lines = text.splitlines()
    first = next((number for number, line in enumerate(lines, 1) if line.startswith("$ ")), len(lines))
    return [part for number, line in enumerate(lines, 1) if number == 1 or number > first for part in apart(number, line)]


def own_line(number: int, text: str) -> Lines:
    """Returns a comment with a line of its own, which continues the comment in the line before."""
    return [(number, text)]


def apart(number: int, text: str) -> Lines:
    """Returns a comment that neither continues the one before nor is continued."""
    return [(number, ""), (number, text), (number, "")]


def without_examples(lines: Lines) -> Lines:
    """Leaves out the lines from ``` to the next ```."""
    kept, inside = [], False
    for number, line in lines:
        fence = line.strip().startswith("```")
        if not inside and not fence:
            kept.append((number, line))
        inside ^= fence
    return kept


def paragraphs(lines: Lines) -> list[Lines]:
    """Groups the lines of each paragraph. List items, rows of tables and headings are paragraphs of their own."""
    groups: list[Lines] = []
    previous = None
    for number, line in lines:
        text = line.strip()
        if not text:
            previous = None
        else:
            if previous is None or number > previous + 1 or re.match(r"[-*] |\d+\. |\||#+ ", text):
                groups.append([])
            groups[-1].append((number, text))
            previous = number
    return groups
