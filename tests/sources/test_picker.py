"""Tests the fuzzy list of `awsrole use` and `awsrole init`, and fzf in its place."""

import json
import os
import re
import signal
import time

import pexpect
import pytest

from support.local_sts import binary
from support.world import HERE, THERE

FILE = f"""\
default_role = "near"
[role.near]
role_arn = "arn:aws:iam::{HERE}:role/Near"
source_profile = "jump"
[role.other]
role_arn = "arn:aws:iam::{THERE}:role/Other"
source_profile = "jump"
manual = true
[role.far]
role_arn = "arn:aws:iam::{THERE}:role/Far"
source_role = "near"
confirm = true
"""
HOSTILE = "evil \x1b[31m名前"
ACCOUNTS = f'[accounts.{THERE}]\nname = "shop-prod"\ncolor = "red"\n'
UP, DOWN = "\x1b[A", "\x1b[B"


class List:
    """The list on the terminal: what it shows now, as lines without colors."""

    def __init__(self, tty, command: str):
        self.tty, self.raw = tty, ""
        tty.type(command)
        self.sees(r"\d+/\d+")

    def press(self, keys: str, pattern: str) -> list[str]:
        """Presses keys and waits until the list that is drawn last matches."""
        self.raw = ""
        self.tty.send(keys)
        return self.sees(pattern)

    def sees(self, pattern: str) -> list[str]:
        end = time.monotonic() + 20
        while not re.search(pattern, "\n".join(self.lines())):
            assert time.monotonic() < end, f"{pattern} isn't in {self.raw!r}"
            try:
                self.raw += self.tty.process.read_nonblocking(65536, 1).decode(errors="replace")
            except pexpect.TIMEOUT:
                pass
        return self.lines()

    def lines(self) -> list[str]:
        """Returns the lines of the last complete drawing."""
        drawn = re.findall(r"\r\x1b\[J((?:(?!\r\x1b\[J).)*?)\x1b\[\d+A\r\x1b\[\d+C", self.raw, re.S)
        return re.sub(r"\x1b\[[\d;]*m|\r", "", drawn[-1]).split("\n") if drawn else []

    def end(self, keys: str) -> str:
        """Presses keys that close the list, and returns the output up to the prompt of the shell."""
        self.tty.send(keys)
        return self.tty.wait()


@pytest.fixture
def tty(chain, shell):
    chain.write(".config/awsrole/config.toml", ACCOUNTS)
    with (chain.home / ".aws/config").open("a") as config:
        config.write(f"\n[profile shop]\nrole_arn = arn:aws:iam::{THERE}:role/Shop\nsource_profile = jump\n")
        config.write(f"\n[profile '{HOSTILE}']\nrole_arn = arn:aws:iam::{HERE}:role/Evil\nsource_profile = jump\n")
    folder = chain.project("shop", FILE, allow=True)
    tty = chain.terminal(shell, env=chain.env | {"TERM": "xterm-256color"})
    tty.process.setwinsize(24, 80)
    tty.run(f"cd {folder}")
    assert tty.variable("AWSROLE_ROLE") == "near"
    return tty


def test_a_role_is_picked(tty, chain):
    """Roles and profiles, the last used first, with marks and in the color of the account."""
    chosen = List(tty, "awsrole use")
    rows = [row[2:].split("  ", 1) for row in chosen.lines()[1:-1]]
    assert [name.strip() for name, _ in rows][:3] == ["near", "far", "other"]
    about = {name.strip(): text.strip() for name, text in rows}
    assert about["near"].endswith("(current)  (default)") and about["other"] == f"shop-prod ({THERE})  (manual)"
    assert about["far"] == f"shop-prod ({THERE})  (confirm)" and about["shop"] == f"Shop in shop-prod ({THERE})  (outside)"
    assert "evil \\u{1b}[31m名前" in about and chosen.lines()[1].startswith("> near")
    assert re.search(r"\x1b\[31mother +\x1b\[0m", chosen.raw) and "evil \x1b" not in chosen.raw

    assert chosen.press("oth", r"which role\? oth\n")[1].startswith("> other")
    assert "other in shop-prod" in chosen.end("\r")
    assert tty.variable("AWSROLE_ROLE") == "other"

    # Enter takes the first, which is the last used. A smaller terminal shows fewer rows.
    chosen = List(tty, "awsrole use")
    assert chosen.lines()[1].startswith("> other") and "(current)" in chosen.lines()[1]
    chosen.raw = ""
    tty.process.setwinsize(5, 40)
    assert len(chosen.sees("> other")) == 5 and max(map(len, chosen.lines())) < 40
    assert chosen.press(DOWN, "> near")[1].startswith("  other")
    assert chosen.press("\x1b[6~" + UP, "> ")[-1].strip()
    assert "near in" in chosen.end("\x15near\r")
    assert tty.variable("AWSROLE_ROLE") == "near"

    # Without a history the default role is the first.
    (chain.home / ".local/state/awsrole/history").unlink()
    chosen = List(tty, "awsrole use")
    assert [row.split()[1 if row[0] == ">" else 0] for row in chosen.lines()[1:3]] == ["near", "far"]
    chosen.end("\x1b")


def test_nothing_is_picked(tty, chain):
    """Esc, Ctrl-C, a profile for outside of the project, and SIGTERM leave the role and the modes of the terminal."""
    modes = tty.modes()
    for keys in ("\x1b", "\x03", "\x04"):
        List(tty, "awsrole use").end(keys)
        assert tty.modes() == modes
    refused = List(tty, "awsrole use")
    assert "no such role" in refused.end("nonsense\r")
    for query, name in (("shop", "shop"), ("evil", "evil \\u{1b}[31m名前")):
        said = " ".join(List(tty, "awsrole use").end(f"{query}\r").split())
        assert f"awsrole: profile {name} is used outside of this project, whose own role applies here" in said, said
        assert tty.variable("AWSROLE_ROLE") == "near" and tty.modes() == modes

    out = tty.file("pid")
    waiting = List(tty, f"sh -c 'echo $$ >{out}; exec {binary('awsrole')} use'")
    waiting.press("ne", r"which role\? ne\n> near")
    os.kill(int(out.read_text()), signal.SIGTERM)
    tty.wait()
    assert tty.modes() == modes
    assert tty.variable("AWSROLE_ROLE") == "near" and len(chain.callers()) == 1


NAMELESS = f"""\
role_arn = "arn:aws:iam::{THERE}:role/Other"
source_profile = "jump"
confirm = true
[role.near]
role_arn = "arn:aws:iam::{HERE}:role/Near"
confirm = false
"""


def test_the_role_without_a_name_is_confirmed_before_the_shell_gives_up_another(tty, chain):
    chain.project("shop", NAMELESS, allow=True)
    tty.run("awsrole use near")
    held = tty.key()
    question = rf"Assume Other in shop-prod \({THERE}\)\? \[y/N\] "

    def pick(answer, command="awsrole use"):
        List(tty, command).press("Other", "> Other")
        tty.send("\r")
        tty.process.expect(question)
        return tty.answer(answer)

    said = pick("n")
    assert "Other was not confirmed" in said and "this shell keeps what it held" in said
    assert tty.variable("AWSROLE_ROLE") == "near" and tty.key() == held

    said = pick("y")
    assert "[y/N]" not in said and f"Other in shop-prod ({THERE})" in said
    for line in ("awsrole refresh", "cd .", ""):
        assert "[y/N]" not in tty.run(line)
    assert tty.variable("AWSROLE_ROLE") == "Other"
    tty.run("awsrole use -")
    assert tty.variable("AWSROLE_ROLE") == "near"
    if tty.shell != "fish":
        assert "only this subshell uses the default role" in pick("y", "awsrole use | cat")


def test_a_refused_role_without_a_name_leaves_the_shell_another(tty, chain):
    refused = NAMELESS.replace("confirm = true\n", "").replace("role/Other", "role/Closed")
    chain.project("shop", refused, allow=True)
    tty.run("awsrole use near")
    said = List(tty, "awsrole use").end("Closed\r")
    assert "AccessDenied" in said and "this shell keeps near" in said, said
    assert tty.variable("AWSROLE_ROLE") == "near"


def test_outside_of_projects_there_are_the_profiles(tty, chain):
    tty.run("cd /")
    chosen = List(tty, "awsrole use")
    names = {row[2:].split("  ")[0] for row in chosen.lines()[1:-1]}
    assert names == {"default", "jump", "shop", "evil \\u{1b}[31m名前"}
    assert "awsrole: jump, renews in" in chosen.end("jump\r")
    assert tty.variable("AWSROLE_PROFILE") == tty.variable("AWSROLE_ROLE") == "jump"
    tty.run("awsrole use -")
    assert tty.variable("AWSROLE_PROFILE") is None


def test_exec_and_console_outside_of_projects(tty, chain):
    """Only a command that a user typed, and only if nothing selects a role."""
    tty.run("cd /")
    out = tty.file()
    shown = f"sh -c 'echo $AWSROLE_PROFILE >{out}'"
    List(tty, f"awsrole exec -- {shown}").end("jump\r")
    assert out.read_text() == "jump\n" and tty.variable("AWSROLE_PROFILE") is None
    assert ".awsrole.toml" not in List(tty, "awsrole console --print").end("\x1b")
    assert "jump" in List(tty, "awsrole console --print").end("jump\r").split("awsrole: ")[-1], "a session of a user gets no console"
    for command in (f"true | awsrole exec -- {shown}", f"awsrole exec -- {shown} 2>/dev/null", "awsrole env"):
        assert not re.search(r"which role\?", tty.run(command)), command
    tty.run("awsrole use --profile jump")
    assert "which role?" not in tty.run(f"awsrole exec -- {shown}") and out.read_text() == "jump\n"
    tty.run(f"cd {chain.home / 'src/shop'}")
    assert "which role?" not in tty.run(f"awsrole exec -- {shown}") and out.read_text() == "\n"


def test_init_picks_several_profiles_or_an_arn(tty, chain):
    folder = chain.project("new")
    tty.run(f"cd {folder}")
    chosen = List(tty, "awsrole init")
    chosen.press("shop", "> +shop")
    chosen.press("\t", "1 marked")
    chosen.press("\x15evil", "> +evil")
    assert "* evil" in "\n".join(chosen.press("\t", "2 marked"))
    tty.send("\r")
    for question in (b"pin their accounts, so that no other account's credentials are exported? [Y/n] ", b"write this to ", b"allow it now? [Y/n] "):
        tty.process.expect_exact(question)
        tty.send("\r")
    said = tty.wait()
    lines = (folder / ".awsrole.toml").read_text().splitlines()
    assert [line.split("   #")[0] for line in lines[1:] if line] == [
        'default_role = "shop"',
        "[role.shop]", 'profile = "shop"', f'account_id = "{THERE}"',
        '[role."evil-\\u001b[31m名前"]'.replace("\\u001b", "-"), f"profile = {json.dumps(HOSTILE, ensure_ascii=False)}", f'account_id = "{HERE}"',
    ], lines
    # STS knows no role Shop.
    assert "role/Shop" in said

    arn = f"arn:aws:iam::{HERE}:role/Near"
    other = chain.project("other")
    tty.run(f"cd {other}")
    chosen = List(tty, "awsrole init")
    tty.send(f"{arn}\r")
    tty.process.expect_exact("profile that assumes it: ")
    tty.send("jump\r")
    for question, answer in ((b"(empty: none)? ", "eu-west-3"), (b"[Y/n] ", "n"), (b"[Y/n] ", "y"), (b"[Y/n] ", "n")):
        tty.process.expect_exact(question)
        tty.send(f"{answer}\r")
    tty.wait()
    assert (other / ".awsrole.toml").read_text().splitlines()[1:] == [f'role_arn = "{arn}"', 'source_profile = "jump"', 'region = "eu-west-3"']


FZF = """\
#!/usr/bin/env python3
import os, sys
lines = sys.stdin.read().split(chr(0))[:-1]
print(repr(sys.argv[1:]), repr(lines), file=open(os.environ["HOME"] + "/fzf", "w"))
if os.environ["FZF_PICKS"] == "cancel":
    sys.exit(130)
found = [line for line in lines if os.environ["FZF_PICKS"] in line]
sys.stdout.write("query" + chr(0) + "".join(line + chr(0) for line in found))
sys.exit(not found)
"""


def test_fzf_takes_the_place_of_the_list(chain):
    folder = chain.project("shop", FILE, allow=True)
    fzf = chain.write("bin/fzf", FZF)
    fzf.chmod(0o755)
    tty = chain.terminal("bash", folder, env=chain.env | {"AWSROLE_PICKER": "fzf"})
    assert "there is no fzf in PATH" in tty.run(f"PATH={fzf.parent.parent} awsrole use")
    tty.run(f"PATH={fzf.parent}:$PATH; export FZF_PICKS=other")
    assert "other in" in tty.run("awsrole use") and tty.variable("AWSROLE_ROLE") == "other"
    seen = (tty.home / "fzf").read_text()
    assert "'--no-multi'" in seen and "'--prompt=awsrole: which role? '" in seen and re.search(rf"other +{THERE}  \(manual\)", seen)
    for picks, said in (("cancel", "no role was chosen"), ("nothing", "no such role")):
        assert said in tty.run(f"FZF_PICKS={picks} awsrole use")
    said = tty.run("AWSROLE_PICKER=skim awsrole use")
    assert "AWSROLE_PICKER is `skim`" in said and "export AWSROLE_PICKER=fzf" in said
    assert tty.variable("AWSROLE_ROLE") == "other"
