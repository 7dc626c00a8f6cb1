"""`awsrole sudo`, `confirm = "account"` and protected accounts: what asks, what the answer leads to, and who is refused."""

import json
import shlex

import pexpect
import pytest

from support.hooked_shell import PLACEHOLDER as BLOCKED
from support.local_sts import binary
from support.world import HERE, THERE

NEAR = f"""\
[role.near]
role_arn = "arn:aws:iam::{HERE}:role/Near"
source_profile = "jump"
"""
PROD = f"""\
[role.prod]
role_arn = "arn:aws:iam::{THERE}:role/Other"
source_profile = "jump"
"""
FILE = f'default_role = "near"\nelevate = "prod"\n{NEAR}{PROD}manual = true\n'
NAMED = f'[accounts.{THERE}]\nname = "shop-prod"\n'
IN_PROD = f"in shop-prod ({THERE})?"
AWAY = ("setsid", "-w")


def settings(chain, text):
    chain.write(".config/awsrole/config.toml", text)


@pytest.fixture
def shop(chain):
    settings(chain, NAMED)
    return chain.project("shop", FILE, allow=True)


def rewrite(chain, folder, text):
    (folder / ".awsrole.toml").write_text(text)
    chain.awsrole("allow", "--yes", cwd=folder)


def asked(tty, line, question):
    """Types a command that asks."""
    tty.type(line)
    tty.process.expect_exact(question)


@pytest.mark.parametrize(("confirm", "asks", "answer"), [
    ("", "[y/N] ", "y"), ("confirm = true\n", "[y/N] ", "y"), ('confirm = "account"\n', "Type shop-prod to confirm: ", "shop-prod"),
])
def test_sudo_asks_once_and_the_shell_keeps_its_role(chain, shop, shell, confirm, asks, answer):
    rewrite(chain, shop, FILE + confirm)
    tty = chain.terminal(shell, shop, env=chain.env)
    before, out = tty.key(), tty.file()
    script = shlex.quote(f'echo "$AWSROLE_ROLE" > {out}; exit 7')
    status = "echo $status" if shell == "fish" else "echo $?"
    asked(tty, f"awsrole sudo sh -c {script}", f"Run as prod {IN_PROD} {asks}")
    assert "?" not in tty.answer(answer)
    assert "7" in tty.run(status) and out.read_text() == "prod\n"
    assert tty.key() == before and tty.variable("AWSROLE_ROLE") == "near"
    entries = json.loads(chain.awsrole("history", "--json", cwd=shop).out)
    assert [(entry["what"], entry["role"]) for entry in entries][-1] == ("sudo", "prod")


def test_sudo_replaces_itself_and_asks_in_a_color(chain, shop):
    env = chain.environment(**chain.env, TERM="xterm", PWD=str(shop))
    for account, code in (("", 35), ('color = "blue"\n', 34), ('color = "blue"\nprotect = true\n', 31)):
        settings(chain, NAMED + account)
        tty = pexpect.spawn(str(binary("awsrole")), ["sudo", "sh", "-c", "echo pid=$$; kill -TERM $$"], cwd=str(shop), env=env, timeout=60)
        tty.expect_exact(f"\x1b[1;{code}mRun as prod {IN_PROD}\x1b[0m [y/N] ")
        tty.sendline("y")
        tty.expect_exact(f"pid={tty.pid}")
        tty.expect(pexpect.EOF)
        tty.close()
        assert tty.signalstatus == 15


@pytest.mark.parametrize("answer", ["\r", "n\r", "prod\r", "\x03"])
def test_sudo_runs_nothing_without_the_answer(chain, shop, answer):
    tty = chain.terminal("bash", shop, env=chain.env)
    calls, out = len(chain.callers()), tty.file()
    asked(tty, f"awsrole sudo touch {out}", IN_PROD)
    tty.send(answer)
    tty.wait()
    tty.run("")
    assert not out.exists() and len(chain.callers()) == calls


@pytest.mark.parametrize(("words", "env", "code", "says"), [
    (["true"], {}, 3, "`awsrole exec --role prod --yes -- CMD`"),
    (["-r", "prod", "--", "true"], {}, 3, "without a terminal"),
    (["-r", "prdo", "true"], {}, 1, "there is no [role.prdo]"),
    (["no-such-program"], {}, 127, "cannot run no-such-program"),
    (["true"], {"AWSROLE_AGENT": "claude"}, 1, "agents can't use `awsrole sudo`"),
    ([], {}, 2, "<CMD>"),
])
def test_sudo_refuses_with_a_reason(chain, shop, words, env, code, says):
    result = chain.awsrole("sudo", *words, cwd=shop, env=env, wrapper=AWAY)
    assert (result.code, result.out) == (code, "") and says in result.err and chain.callers() == [], result


@pytest.mark.parametrize(("text", "allow", "code", "says"), [
    (FILE.replace('elevate = "prod"\n', ""), True, 1, "has no `elevate` for role near"),
    (FILE, False, 3, "`awsrole allow`"),
    (None, False, 3, "there is no .awsrole.toml"),
])
def test_sudo_needs_an_approved_file_with_elevate(chain, text, allow, code, says):
    folder = chain.project("other", text, allow=allow)
    result = chain.awsrole("sudo", "true", cwd=folder, wrapper=AWAY)
    assert result.code == code and says in result.err, result


@pytest.mark.parametrize(("name", "expected", "wrong"), [(NAMED, "shop-prod", "y"), ("", THERE, "shop-prod")])
def test_the_account_is_typed(chain, shop, name, expected, wrong):
    settings(chain, name)
    rewrite(chain, shop, FILE.replace("manual = true", 'confirm = "account"'))
    tty = chain.terminal("bash", shop, env=chain.env)
    for answer, role in ((wrong, "near"), ("", "near"), (expected, "prod")):
        asked(tty, "awsrole use prod", f"? Type {expected} to confirm: ")
        tty.answer(answer)
        assert tty.variable("AWSROLE_ROLE") == role, answer
    result = chain.awsrole("exec", "--role", "prod", "--yes", "--", "true", cwd=shop, wrapper=AWAY)
    assert result.code == 0, result


def test_the_account_of_a_source_role_is_typed(chain, shop):
    """Its file asks for the account because of the source role, not because of the role that follows."""
    settings(chain, NAMED + f'[accounts.{HERE}]\nname = "dev"\n')
    rewrite(chain, shop, f'{NEAR}[role.then]\nrole_arn = "arn:aws:iam::{HERE}:role/Near"\nsource_role = "prod"\n{PROD}confirm = "account"\n')
    tty = chain.terminal("bash", shop, env=chain.env)
    for answer, says in (("dev", "was not confirmed"), ("shop-prod", "AccessDenied")):
        asked(tty, "awsrole exec --role then -- true", f"Assume then in dev ({HERE}) through shop-prod ({THERE})? Type shop-prod to confirm: ")
        assert says in tty.answer(answer)


PROTECTED = NAMED + 'color = "green"\nprotect = true\n'


def test_a_protected_account_is_never_entered_by_cd(chain, shop, shell):
    """Whatever the file says. The role is named and confirmed, and shown in red."""
    settings(chain, PROTECTED)
    rewrite(chain, shop, f'default_role = "prod"\n{NEAR}{PROD}manual = false\nconfirm = false\n')
    tty = chain.terminal(shell, shop, env=chain.env)
    assert f"account shop-prod ({THERE}) is protected, so `cd` does not assume role prod" in tty.greeting
    assert tty.key() == BLOCKED and chain.callers() == []
    asked(tty, "awsrole use prod", f"Assume prod {IN_PROD} [y/N] ")
    tty.answer("y")
    assert (tty.variable("AWSROLE_ROLE"), tty.variable("AWSROLE_COLOR")) == ("prod", "red")
    for line in ("awsrole exec -- true", "awsrole refresh", ""):
        assert "[y/N]" not in tty.run(line)
    assert tty.variable("AWSROLE_ROLE") == "prod"
    report = chain.awsrole("why", "--role", "prod", cwd=shop).out
    assert "protected account, chosen by name, asks for confirmation" in report


@pytest.mark.parametrize("words", [["exec", "{}", "--", "true"], ["env", "{}"], ["console", "--print", "{}"], ["credential-process", "{}"]])
@pytest.mark.parametrize("target", ["--role=prod", "--profile=prod"])
def test_every_way_out_of_a_protected_account_needs_a_confirmation(chain, shop, words, target):
    chain.config(f"[profile prod]\nrole_arn = arn:aws:iam::{THERE}:role/Other\nsource_profile = jump\nendpoint_url = {chain.sts.url}\n")
    settings(chain, PROTECTED)
    words = [word.format(target) for word in words]
    result = chain.awsrole(*words, cwd=shop, wrapper=AWAY)
    assert (result.code, result.out) == (3, "") and "`--yes`" in result.err and chain.callers() == [], result
    if words[0] != "console":
        words.insert(1, "--yes")
        assert chain.awsrole(*words, cwd=shop, wrapper=AWAY).code == 0
    nameless = chain.awsrole("exec", "--yes", "--", "true", cwd=chain.project("top", PROD.split("\n", 1)[1], allow=True), wrapper=AWAY)
    assert nameless.code == 3 and "its roles are chosen by name" in nameless.err


def test_a_profile_of_a_protected_account_is_confirmed(chain, shell):
    chain.config(f"[profile prod]\nrole_arn = arn:aws:iam::{THERE}:role/Other\nsource_profile = jump\nendpoint_url = {chain.sts.url}\n")
    settings(chain, PROTECTED)
    tty = chain.terminal(shell, chain.home, env=chain.env)
    for answer, role in (("n", None), ("y", "prod")):
        asked(tty, "awsrole use --profile prod", f"Assume prod {IN_PROD} [y/N] ")
        tty.answer(answer)
        assert tty.variable("AWSROLE_ROLE") == role
    assert "[y/N]" not in tty.run("cd .") + tty.run("awsrole exec -- true")
    assert tty.variable("AWSROLE_ROLE") == "prod"
    for command in ("exec --profile prod -- true", "env --profile prod"):
        asked(tty, f"awsrole {command}", f"Assume prod {IN_PROD} [y/N] ")
        tty.answer("n")


def test_setup_does_not_assume_a_protected_profile(chain):
    chain.config(f"[profile prod]\nrole_arn = arn:aws:iam::{THERE}:role/Other\nsource_profile = jump\nendpoint_url = {chain.sts.url}\n")
    env = chain.env | {"AWS_PROFILE": "prod", "SHELL": "/bin/bash"}
    for settings_text, role in ((PROTECTED, False), ("", True)):
        settings(chain, settings_text)
        result = chain.awsrole("setup", "--yes", env=env)
        assert "your identity is" in result.err and ("assumed-role/Other" in result.err) == role, result.err


@pytest.mark.parametrize("words", [["exec", "--yes", "--", "true"], ["env", "--yes"], ["credential-process", "--yes"],
                                   ["hook", "export", "bash", "--event", "cd"]])
def test_an_account_that_only_the_answer_shows(chain, words):
    """The credentials of a program are in a protected account: nothing is exported, and the account can be pinned."""
    answer = chain.awsrole("credential-process", "--dir", chain.project("inner", PROD.split("\n", 1)[1], allow=True), env=chain.env).out
    chain.config(f"[profile vault]\ncredential_process = {chain.program(f'echo {shlex.quote(answer)}')}\nendpoint_url = {chain.sts.url}\n")
    text = '[role.vault]\nprofile = "vault"\n'
    shop = chain.project("shop", f'default_role = "vault"\n{text}', allow=True)
    assert chain.awsrole(*words, cwd=shop, env=chain.env).code == 0
    settings(chain, PROTECTED)
    result = chain.awsrole(*words, cwd=shop, env=chain.env)
    assert f"belongs to account {THERE}, which is protected" in result.err, result
    assert "AWS_SECRET_ACCESS_KEY '" not in result.out and "SecretAccessKey" not in result.out and "AWS_SECRET" not in result.out
    rewrite(chain, shop, f'{text}account_id = "{THERE}"\n')
    assert chain.awsrole("exec", "--role", "vault", "--yes", "--", "true", cwd=shop, env=chain.env).code == 0


def test_a_read_only_shell_and_the_whole_role_for_one_command(chain, shop):
    """The default role is limited by a preset, and the role of `sudo` isn't."""
    rewrite(chain, shop, f'default_role = "near"\nelevate = "prod"\n{NEAR}preset = "read-only"\n{PROD}')
    tty = chain.terminal("bash", shop, env=chain.env)
    out = tty.file()
    asked(tty, f"awsrole sudo sh -c 'echo $AWSROLE_ROLE > {out}'", f"Run as prod {IN_PROD} [y/N] ")
    tty.answer("y")
    assert out.read_text() == "prod\n" and tty.variable("AWSROLE_ROLE") == "near"
    limited = {call["role_arn"].split("/")[1]: call["policy_arns"] for call in chain.sts.calls("AssumeRole")}
    assert limited == {"Near": ["arn:aws:iam::aws:policy/ReadOnlyAccess"], "Other": []}
