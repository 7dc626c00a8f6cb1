"""Tests `awsrole init` on a terminal without options, from the existing profiles to a role in the shell."""

import pytest

from support.hooked_shell import hook_line
from support.terminal import SHELLS, Terminal, need
from support.world import HERE, THERE

WHICH = "or ARN of a role: "
ACCOUNTS = f'[accounts.{THERE}]\nname = "shop-dev-account"\n'


@pytest.fixture
def new(world):
    """An empty folder, and a shell in it."""
    folder = world.project("new")
    world.write(".config/awsrole/config.toml", ACCOUNTS)
    world.terminals = []

    def terminal(shell="bash"):
        need(shell)
        load = hook_line(shell)
        opened = Terminal(shell, world.home, load, env={"USER": "alice"}, cwd=folder, timeout=60)
        world.terminals.append(opened)
        return opened

    yield folder, terminal
    for opened in world.terminals:
        opened.close()


def asked(terminal, question):
    """Waits for a question; returns what was shown before it."""
    terminal.process.expect_exact(question.encode())
    return terminal.process.before.decode(errors="backslashreplace").replace("\r", "")


def type_line(terminal, line):
    terminal.send(line + ("\r" if terminal.shell == "fish" else "\n"))


def talk(terminal, *pairs):
    """Types `awsrole init`, and answers; returns what was said from the first question on."""
    said = ""
    type_line(terminal, "awsrole init")
    for question, answer in pairs:
        said += asked(terminal, question) + question
        terminal.send(answer + "\r")
    return said + terminal.wait()


@pytest.mark.parametrize("shell", SHELLS)
def test_from_nothing_to_a_role(world, new, shell):
    folder, open_terminal = new
    terminal = open_terminal(shell)
    said = talk(terminal, (WHICH, "shop-d"), ("[Y/n] ", ""), (f"write this to {folder}/.awsrole.toml".replace(str(world.home), "~"), "y"), ("allow it now? [Y/n] ", ""))
    assert "Deploy in shop-dev-account (222222222222)" in said and "pin account shop-dev-account (222222222222)" in said
    text = (folder / ".awsrole.toml").read_text()
    assert all(f"  {line}\n" in said.replace("\r", "") for line in text.splitlines()), said
    assert terminal.env()[b"AWSROLE_ACCOUNT"] == b"shop-dev-account"
    assert "isn't allowed" not in said


def test_a_roles_arn(world, new):
    folder, open_terminal = new
    arn = f"arn:aws:iam::{HERE}:role/with/a/path/which-is-longer-than-thirty-two-characters/Build"
    talk(open_terminal(), (WHICH, "arn:aws:s3:::bucket"), (WHICH, arn), ("assumes it: ", "ju"), ("(empty: none)? ", "Europe"),
         ("(empty: none)? ", "eu-west-3"), ("[Y/n] ", "n"), ("[Y/n] ", "y"), ("[Y/n] ", "n"))
    lines = (folder / ".awsrole.toml").read_text().splitlines()[1:]
    assert lines == [f'role_arn = "{arn}"', 'source_profile = "jump"', 'region = "eu-west-3"']
    assert world.awsrole("exec", "--", "true", cwd=folder).code == 3, "it wasn't allowed"


@pytest.mark.parametrize("answer", ["n", "\x03"])
def test_a_no_writes_nothing(world, new, answer):
    folder, open_terminal = new
    said = talk(open_terminal(), (WHICH, "1"), ("[Y/n] ", ""), ("[Y/n] ", answer))
    assert "nothing was written" in said or answer == "\x03"
    assert list(folder.iterdir()) == []


def test_several_that_fit_are_named(world, new):
    _, open_terminal = new
    said = talk(open_terminal(), (WHICH, "e"), (WHICH, "nonsense"), (WHICH, "99"), (WHICH, "\x03"))
    assert "legacy, shop-dev" in said and said.count("no such profile") == 2


def test_what_is_there_is_not_asked_about(world, new):
    folder, open_terminal = new
    (folder / ".awsrole.toml").write_text("# mine\n")
    terminal = open_terminal()
    said = terminal.run("awsrole init")
    assert "already exists" in said and WHICH not in said
    assert (folder / ".awsrole.toml").read_text() == "# mine\n"


def test_without_a_terminal_it_says_what_to_say(world):
    result = world.awsrole("init", wrapper=("setsid", "-w"))
    assert (result.code, result.out) == (2, "")
    assert "--profile NAME" in result.err and "--role-arn ARN --source-profile NAME" in result.err and "shop-dev" in result.err


@pytest.mark.parametrize("shell", SHELLS)
def test_one_line_says_that_it_is_not_allowed(world, new, shell):
    _, open_terminal = new
    terminal = open_terminal(shell)
    said = terminal.run("awsrole init --profile shop-dev") + terminal.run("true")
    assert said.count("isn't allowed yet") == 1 and said.count("awsrole allow") == 1
