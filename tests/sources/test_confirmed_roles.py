"""Roles with `confirm`: what asks, what the answer leads to, and who never asks."""

import json

import pytest

from support.hooked_shell import PLACEHOLDER as BLOCKED
from support.local_sts import binary
from support.world import HERE, THERE

FILE = f"""\
default_role = "near"
[role.near]
role_arn = "arn:aws:iam::{HERE}:role/Near"
source_profile = "jump"
[role.prod]
role_arn = "arn:aws:iam::{THERE}:role/Other"
source_profile = "jump"
confirm = true
"""
PROD = FILE.replace('"near"', '"prod"', 1)
NAMELESS = f'role_arn = "arn:aws:iam::{THERE}:role/Other"\nsource_profile = "jump"\nconfirm = true\n'
ASK = f"Assume prod in shop-prod ({THERE})? [y/N] "


@pytest.fixture
def shop(chain):
    chain.write(".config/awsrole/config.toml", f'[accounts.{THERE}]\nname = "shop-prod"\n')
    return chain.project("shop", FILE, allow=True)


def asked(tty, line, question=ASK):
    """Types a command that asks."""
    tty.type(line)
    tty.process.expect_exact(question)


def without_a_question(tty, line):
    said = tty.run(line)
    assert "[y/N]" not in said
    return said


def inherited(tty):
    return {name.decode(): value.decode() for name, value in tty.env().items() if name.startswith(b"AWS")}


@pytest.mark.parametrize("command", ["awsrole use prod", "cd {shop}"])
def test_yes_enters_it_once(chain, shop, shell, command):
    (shop / ".awsrole.toml").write_text(FILE if "use" in command else PROD)
    chain.awsrole("allow", "--yes", cwd=shop)
    tty = chain.terminal(shell, shop if "use" in command else chain.home, env=chain.env)
    asked(tty, command.format(shop=shop))
    assert f"prod in shop-prod ({THERE})" in tty.answer("y")
    assert tty.variable("AWSROLE_ROLE") == "prod"
    # Nothing in this shell or below it asks again: commands, a refresh, another shell's `allow`, a nested shell.
    for line in ("awsrole exec -- true", "awsrole refresh", "cd .", "", "awsrole env"):
        without_a_question(tty, line)
    chain.awsrole("allow", "--yes", cwd=shop)
    without_a_question(tty, "")
    assert tty.variable("AWSROLE_ROLE") == "prod"
    inner = chain.terminal(shell, shop, env=inherited(tty))
    assert inner.variable("AWSROLE_ROLE") == "prod"
    # It is asked again by the next entry.
    without_a_question(tty, "cd /")
    if "cd" in command:
        asked(tty, f"cd {shop}")
        tty.answer("n")
    else:
        without_a_question(tty, f"cd {shop}")
        assert tty.variable("AWSROLE_ROLE") == "near"


@pytest.mark.parametrize("answer", ["\r", "n\r", "no\r", "Y es\r", "\x03", "\x04"])
def test_no_other_answer_enters_it(chain, shop, answer):
    """The shell keeps the role that it has."""
    tty = chain.terminal("bash", shop, env=chain.env)
    calls, before = len(chain.callers()), tty.key()
    asked(tty, "awsrole use prod")
    tty.send(answer)
    tty.wait()
    tty.run("")
    assert tty.key() == before and tty.variable("AWSROLE_ROLE") == "near" and len(chain.callers()) == calls
    assert "your environment is back" in without_a_question(tty, "awsrole use -")


def test_no_answer_leaves_the_shell_blocked(chain, shop, shell):
    (shop / ".awsrole.toml").write_text(PROD)
    chain.awsrole("allow", "--yes", cwd=shop)
    tty = chain.terminal(shell, chain.home, env=chain.env)
    asked(tty, f"cd {shop}")
    said = tty.answer("")
    assert "prod was not confirmed" in said and "`awsrole refresh` asks again" in said and "--yes" not in said
    for line in ("", "true", "cd .", "awsrole status"):
        without_a_question(tty, line)
    assert tty.key() == BLOCKED and chain.callers() == []
    told = without_a_question(tty, "awsrole why")
    assert "prod must be confirmed" in told and "the shell stays blocked until you confirm prod: `awsrole refresh` asks" in told
    asked(tty, "awsrole refresh")
    tty.answer("yes")
    assert tty.variable("AWSROLE_ROLE") == "prod"


def test_lines_are_wrapped_at_blanks(chain, shop):
    """Commands in backticks stay whole, so that they can be copied. After a label there is no blank before a path."""
    tty = chain.terminal("bash", shop, env=chain.env)
    tty.run("stty cols 60")
    texts = [tty.run(line) for line in ("awsrole exec --role prdo -- true", "awsrole why --role prod", "awsrole use nowhere")]
    lines = [line.rstrip() for text in texts for line in text.splitlines()]
    assert len([line for line in lines if line.startswith("    ")]) >= 5, lines
    label = len("approval ")
    assert [line for line in lines if len(line) > 60 and "`" not in line and line.rfind(" ") >= label] == []


def test_a_new_shell_and_a_prompt_never_ask(chain, shop, shell):
    (shop / ".awsrole.toml").write_text(PROD)
    chain.awsrole("allow", "--yes", cwd=shop)
    tty = chain.terminal(shell, shop, env=chain.env)
    assert "[y/N]" not in tty.greeting and "prod must be confirmed before it is assumed" in tty.greeting
    chain.awsrole("allow", "--yes", cwd=shop)
    without_a_question(tty, "")
    assert tty.key() == BLOCKED and chain.callers() == []


def test_yes_by_an_option(chain, shop, shell):
    tty = chain.terminal(shell, shop, env=chain.env)
    for line in ("awsrole use prod --yes", "awsrole use -", "awsrole use -y prod"):
        without_a_question(tty, line)
    assert tty.variable("AWSROLE_ROLE") == "prod"


def test_going_back_to_it_asks_again(chain, shop, shell):
    tty = chain.terminal(shell, shop, env=chain.env)
    without_a_question(tty, "awsrole use prod --yes")
    without_a_question(tty, "awsrole use -")
    assert tty.variable("AWSROLE_ROLE") == "near"
    asked(tty, "awsrole use -")
    said = tty.answer("n")
    assert "nothing was changed: this shell keeps what it held" in said and "--yes" not in said
    assert tty.variable("AWSROLE_ROLE") == "near"
    asked(tty, "awsrole use -")
    tty.answer("y")
    assert tty.variable("AWSROLE_ROLE") == "prod"


def test_the_role_at_the_top_asks_as_well(chain, shop, shell):
    (shop / ".awsrole.toml").write_text(NAMELESS)
    chain.awsrole("allow", "--yes", cwd=shop)
    tty = chain.terminal(shell, chain.home, env=chain.env)
    question = f"Assume Other in shop-prod ({THERE})? [y/N] "
    asked(tty, f"cd {shop}", question)
    tty.answer("y")
    assert tty.variable("AWSROLE_ROLE") == "Other"
    inner = chain.terminal(shell, shop, env=inherited(tty))
    assert inner.variable("AWSROLE_ROLE") == "Other"
    assert "chosen" not in json.loads(chain.awsrole("status", "--json", cwd=shop, env=inherited(tty)).out)


def test_another_role_behind_the_same_name_is_asked_for(chain, shop):
    """The answer was for the account and role that the question named."""
    tty = chain.terminal("bash", shop, env=chain.env)
    without_a_question(tty, "awsrole use prod --yes")
    text = FILE.replace("role/Other", "role/Another")
    (shop / ".awsrole.toml").write_text(text)
    chain.awsrole("allow", "--yes", cwd=shop)
    said = without_a_question(tty, "")
    assert "prod must be confirmed before it is assumed" in said and tty.key() == BLOCKED


@pytest.mark.parametrize("command", ["exec {} -- true", "env {}", "console --print {}"])
def test_commands_ask_on_the_terminal(chain, shop, command):
    tty = chain.terminal("bash", shop, env=chain.env)
    out = tty.file()
    for option, answer, code in (("--role prod", "n", "3"), ("--role prod", "y", "0"), ("--role prod --yes", None, "0")):
        line = f"awsrole {command.format(option)} >/dev/null; echo $? >| {out}"
        if answer is None:
            without_a_question(tty, line)
        else:
            asked(tty, line)
            said = tty.answer(answer)
            assert answer == "y" or "asks again" in said and "nothing was " in said and "--yes" not in said, said
        if "console" not in command or code == "3":
            assert out.read_text().strip() == code, (option, answer)


@pytest.mark.parametrize("words", [["exec", "{}", "--", "true"], ["env", "{}"], ["console", "--print", "{}"], ["credential-process", "{}"]])
def test_without_a_terminal_only_yes_enters(chain, shop, words):
    words = [word.format("--role=prod") for word in words]
    result = chain.awsrole(*words, cwd=shop, wrapper=("setsid", "-w"))
    assert (result.code, result.out) == (3, "") and "`--yes`" in result.err and chain.callers() == []
    if words[0] != "console":
        words.insert(1, "--yes")
        assert chain.awsrole(*words, cwd=shop, wrapper=("setsid", "-w")).code == 0
        assert chain.callers() == [("alice", "Other")]


def test_a_long_run_is_confirmed_when_it_starts(chain, shop):
    inside = ["exec", "--role", "prod", "--yes", "--renew", "--", "sh", "-c", 'sed -n "s/^credential_process *= *//p" "$AWS_CONFIG_FILE" | sh']
    result = chain.awsrole(*inside, cwd=shop, wrapper=("setsid", "-w"))
    assert '"AccessKeyId":"ASIA' in result.out.replace(" ", ""), result


def test_a_long_run_gets_no_other_role_than_the_confirmed_one(chain, shop):
    """The file leads to another role while the command runs."""
    (shop / "next.toml").write_text(FILE.replace("role/Other", "role/Another"))
    script = ('mv next.toml .awsrole.toml && env -u AWSROLE_STATE ' + str(binary("awsrole")) + ' allow --yes >&2; '
              'sed -n "s/^credential_process *= *//p" "$AWS_CONFIG_FILE" | sh')
    result = chain.awsrole("exec", "--role", "prod", "--yes", "--renew", "--", "sh", "-c", script, cwd=shop, wrapper=("setsid", "-w"))
    assert result.out == "" and "must be confirmed" in result.err, result


def test_a_program_below_the_role_goes_on(chain, shop):
    inside = chain.awsrole("exec", "--role", "prod", "--yes", "--", binary("awsrole"), "exec", "--", "env", cwd=shop, wrapper=("setsid", "-w"))
    assert "AWSROLE_ROLE=prod\n" in inside.out, inside


def test_a_role_is_confirmed_as_its_source_role(chain, shop):
    """Whatever it says itself, and only the stricter answer counts, with the account of the role that requires it."""
    far = f'[role.far]\nrole_arn = "arn:aws:iam::{THERE}:role/Far"\nsource_role = "near"\nconfirm = false\n'
    for confirm, expected in (("true", f"Assume far in shop-prod ({THERE})? [y/N] "), ('"account"', f"through {HERE}? Type {HERE} to confirm: ")):
        (shop / ".awsrole.toml").write_text(FILE.replace("[role.prod]", f"confirm = {confirm}\n[role.prod]") + far)
        chain.allow(shop)
        result = chain.awsrole("exec", "--role", "far", "--", "true", cwd=shop)
        assert result.code == 3 and "far must be confirmed" in result.err and chain.callers() == []
        tty = chain.terminal("bash", shop, env=chain.env)
        asked(tty, "awsrole use far", expected)
        tty.answer("n")
        assert chain.callers() == []
    assert chain.awsrole("exec", "--role", "far", "--yes", "--", "true", cwd=shop).code == 0
    assert chain.callers() == [("alice", "Near"), ("Near", "Far")]
