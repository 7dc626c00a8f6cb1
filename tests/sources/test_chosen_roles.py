"""Tests `[role.NAME]`: selected for a shell, by name with `manual`, or from a list."""

import re

import pytest

from support.aws_files import role_file
from support.hooked_shell import PLACEHOLDER
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
"""


@pytest.fixture
def shop(chain):
    return chain.project("shop", FILE, allow=True)


@pytest.fixture
def tty(chain, shop, shell):
    tty = chain.terminal(shell, env=chain.env)
    tty.run(f"cd {shop}")
    assert tty.variable("AWSROLE_ROLE") == "near"
    return tty


def test_another_role_and_back(tty, chain):
    said = tty.run("awsrole use far")
    assert f"far in {THERE}" in said
    assert (tty.variable("AWSROLE_ROLE"), tty.variable("AWSROLE_ACCOUNT_ID")) == ("far", THERE)
    assert chain.callers() == [("alice", "Near"), ("Near", "Far")]
    assert tty.run("") == "" or tty.shell == "fish"
    assert tty.variable("AWSROLE_ROLE") == "far"
    assert f"near in {HERE}" in tty.run("awsrole use -")
    assert tty.variable("AWSROLE_ROLE") == "near"
    assert len(chain.callers()) == 2


def test_back_and_forth(tty):
    for command, role in (("use far", "far"), ("use other", "other"), ("use -", "far"), ("use -", "other"), ("use other", "other"),
                          ("use -", "far"), ("off", None), ("use -", "far")):
        tty.run(f"awsrole {command}")
        assert tty.variable("AWSROLE_ROLE") == role, command


def test_without_a_role_before_the_environment_is_back(chain, shop, shell):
    """As it was outside, and until the person says otherwise."""
    tty = chain.terminal(shell, env=chain.env | {"AWS_PROFILE": "mine"})
    outside = tty.env()
    tty.run(f"cd {shop}")
    said = tty.run("awsrole use -")
    assert "your environment is back" in said
    assert tty.env() == outside
    tty.run("")
    assert tty.env() == outside
    tty.run("awsrole use -")
    assert tty.variable("AWSROLE_ROLE") == "near"
    tty.run("awsrole off")
    tty.run("awsrole use far")
    tty.run("awsrole use -")
    assert tty.env() == outside


def test_outside_of_projects_there_is_nothing_to_go_back_to(tty, shop):
    tty.run("cd /")
    assert "your environment" not in tty.run("awsrole use -")
    tty.run(f"cd {shop}")
    assert tty.variable("AWSROLE_ROLE") == "near"


def test_a_role_of_another_project_is_none_to_go_back_to(tty, chain, shop):
    tty.run("awsrole use far")
    other = chain.project("elsewhere", FILE, allow=True)
    tty.run(f"cd {other}")
    tty.run("awsrole use other")
    tty.run("awsrole use -")
    assert tty.variable("AWSROLE_ROLE") == "near"


def test_other_shells_keep_theirs(tty, chain, shop):
    other = chain.terminal("bash", shop, env=chain.env)
    tty.run("awsrole use far")
    other.run("")
    assert (tty.variable("AWSROLE_ROLE"), other.variable("AWSROLE_ROLE")) == ("far", "near")


def test_it_ends_with_leaving(tty, shop):
    tty.run("awsrole use far")
    tty.run("cd /")
    assert tty.variable("AWSROLE_ROLE") is None
    tty.run(f"cd {shop}")
    assert tty.variable("AWSROLE_ROLE") == "near"


def test_a_shell_within_it_goes_on(tty, chain, shop):
    tty.run("awsrole use far")
    inherited = {name.decode(): value.decode() for name, value in tty.env().items() if name.startswith(b"AWS")}
    inner = chain.terminal(tty.shell, shop, env=inherited)
    assert inner.variable("AWSROLE_ROLE") == "far"
    inner.run("awsrole use -")
    assert inner.variable("AWSROLE_ROLE") == "near"
    assert tty.variable("AWSROLE_ROLE") == "far"


@pytest.fixture
def refused(chain, shell):
    """A shell that `awsrole use shut` has blocked, because STS refuses that role."""
    folder = chain.project("shop", FILE + f"""\
[role.shut]
role_arn = "arn:aws:iam::{THERE}:role/Nowhere"
source_profile = "jump"
""", allow=True)
    tty = chain.terminal(shell, folder, env=chain.env)
    tty.run("awsrole off")  # a shell with a role would keep it
    assert "role/Nowhere" in tty.run("awsrole use shut")
    assert tty.key() == PLACEHOLDER
    return tty, folder


def test_a_shell_with_a_role_keeps_it_if_another_is_refused(tty, chain, shop):
    chain.write("src/shop/.awsrole.toml", FILE + f'[role.shut]\nrole_arn = "arn:aws:iam::{THERE}:role/Nowhere"\nsource_profile = "jump"\n')
    chain.allow(shop)
    tty.run("awsrole use far")
    held = tty.key()
    said = tty.run("awsrole use shut")
    assert "this shell keeps far. Run `awsrole why --role shut` for all causes" in said and "blocked" not in said
    assert tty.key() == held
    # A session that `use` fetched is a new one in the history.
    assert [entry["new"] for entry in chain.awsrole("history", "--json").json if entry["role"] == "far"] == [True]
    # `use -` goes back to the role before, and never to the one that was refused.
    for role in ("near", "far"):
        tty.run("awsrole use -")
        assert tty.variable("AWSROLE_ROLE") == role


@pytest.mark.parametrize("command", ["exec -- true", "env", "why", "policy", "console --print"])
def test_commands_in_a_blocked_shell_are_for_the_role_that_was_chosen(refused, command):
    tty, _ = refused
    said = tty.run(f"awsrole {command}")
    assert "role/Nowhere" in said and "role/Near" not in said, said


def test_a_shell_within_a_blocked_one_goes_on(refused, chain):
    tty, folder = refused
    tty.run("")
    word = tty.variable("AWSROLE_CHOSEN").removeprefix(f"{folder}/.awsrole.toml=")
    assert re.fullmatch("[0-9a-f]{80}=shut", word)
    inherited = {name.decode(): value.decode() for name, value in tty.env().items() if name.startswith(b"AWS")}
    inner = chain.terminal(tty.shell, folder, env=inherited)
    assert (inner.key(), inner.variable("AWSROLE_CHOSEN")) == (PLACEHOLDER, f"{folder}/.awsrole.toml={word}")
    inner.run("awsrole use -")
    assert (inner.variable("AWSROLE_ROLE"), inner.variable("AWSROLE_CHOSEN")) == ("near", None)
    elsewhere = chain.project("elsewhere", FILE, allow=True)
    other = chain.terminal(tty.shell, elsewhere, env=inherited)
    assert (other.variable("AWSROLE_ROLE"), other.variable("AWSROLE_CHOSEN")) == ("near", None)
    for leave in ("cd /", "awsrole off"):
        left = chain.terminal(tty.shell, folder, env=inherited)
        left.run(leave)
        assert (left.key(), left.variable("AWSROLE_CHOSEN")) == (None, None), leave


@pytest.mark.parametrize("form", ["shut", "other", "0" * 80 + "=other"])
def test_a_shell_enters_no_role_that_only_its_environment_names(chain, shop, shell, form):
    """Another program that sets variables, such as an editor with settings from a clone, cannot make a choice for the
    user.
    """
    file = f"{shop}/.awsrole.toml"
    forged = {"AWSROLE_STATE": "blocked", "AWS_PROFILE": PLACEHOLDER, "AWS_ACCESS_KEY_ID": PLACEHOLDER, "AWSROLE_CHOSEN": f"{file}={form}"}
    tty = chain.terminal(shell, shop, env=chain.env | forged)
    assert (tty.variable("AWSROLE_ROLE"), tty.variable("AWSROLE_CHOSEN")) == ("near", None)
    tty.run("cd .")
    assert tty.variable("AWSROLE_ROLE") == "near"
    assert chain.callers() == [("alice", "Near")]


def test_a_shell_within_a_manual_role_goes_on(chain, shop, shell):
    tty = chain.terminal(shell, shop, env=chain.env)
    tty.run("awsrole use other")
    inherited = {name.decode(): value.decode() for name, value in tty.env().items() if name.startswith(b"AWS")}
    inner = chain.terminal(shell, shop, env=inherited)
    assert inner.variable("AWSROLE_ROLE") == "other"
    inner.run("cd .")
    assert inner.variable("AWSROLE_ROLE") == "other"


def test_no_such_role(tty, chain):
    """A slip of the fingers takes no role away."""
    tty.run("awsrole use far")
    said = tty.run("awsrole use nobody")
    assert "there is no [role.nobody] in" in said and "the roles are: far, near, other" in said
    assert tty.variable("AWSROLE_ROLE") == "far"
    tty.run("")
    assert tty.variable("AWSROLE_ROLE") == "far"
    tty.run("cd /")
    assert "there is no .awsrole.toml in / or above" in tty.run("awsrole use far")
    tty.run("awsrole off")
    tty.run(f"cd {chain.home}/src/shop")
    tty.run("awsrole use nobody")
    assert tty.variable("AWSROLE_ROLE") is None, "still off"


def test_a_manual_role_is_assumed_by_name_alone(chain, shell):
    folder = chain.project("shop", FILE.replace('"near"', '"other"', 1), allow=True)
    tty = chain.terminal(shell, env=chain.env)
    said = tty.run(f"cd {folder}")
    assert "role other has `manual = true`" in said and "run `awsrole use other`" in said
    assert tty.key() == PLACEHOLDER and chain.sts.calls() == []
    assert "awsrole:" not in tty.run("")
    assert f"other in {THERE}" in tty.run("awsrole use other")
    assert tty.variable("AWSROLE_ROLE") == "other"
    tty.run("")
    assert tty.variable("AWSROLE_ROLE") == "other"
    # Coming back by `cd` alone has to be confirmed again.
    tty.run("cd /")
    tty.run(f"cd {folder}")
    assert tty.key() == PLACEHOLDER


def test_an_empty_name_is_no_role_and_changes_nothing(tty, chain):
    tty.run("awsrole use far")
    calls = len(chain.callers())
    assert "awsrole: the role's name is empty" in tty.run('awsrole use ""')
    tty.run("cd .")
    assert tty.variable("AWSROLE_ROLE") == "far" and len(chain.callers()) == calls
    out = tty.file()
    tty.run(f'awsrole use "" || echo refused > {out}' if tty.shell != "fish" else f'awsrole use ""; or echo refused > {out}')
    assert out.exists()


def choose(tty, answer):
    """Types `awsrole use`, answers, and returns the list that was shown and what was said after it."""
    tty.type("awsrole use")
    tty.process.expect_exact("awsrole: which role? ")
    shown = tty.process.before.decode(errors="replace")
    tty.send(answer)
    return shown, tty.wait()


@pytest.mark.parametrize("answer", ["3\r", "other\r", "9\x7f3\r"], ids=["number", "name", "mended"])
def test_from_a_list(tty, answer):
    shown, _ = choose(tty, answer)
    rows = re.findall(r"  (\d)  (\w+) +(\d{12})((?:  \(\w+\))*)\r?\n", shown)
    assert rows == [("1", "near", HERE, "  (current)  (default)"), ("2", "far", THERE, ""), ("3", "other", THERE, "  (manual)")]
    assert tty.variable("AWSROLE_ROLE") == "other"


def test_a_list_has_the_role_without_a_name(chain, shell):
    """Settings above all tables, without a default table, are a role, too, which `cd` assumes."""
    other = FILE[FILE.index("[role.other]") : FILE.index("[role.far]")]
    content = role_file("Near", HERE) + "[role.same]\n" + other
    tty = chain.terminal(shell, chain.project("shop", content, allow=True), env=chain.env)
    first = [("Near", "  (current)  (default)"), ("other", "  (manual)"), ("same", "")]
    then = [("other", "  (current)  (manual)"), ("Near", "  (default)"), ("same", "")]
    for answer, role, names in ("2\r", "other", first), ("2\r", "Near", then):
        shown, said = choose(tty, answer)
        assert re.findall(r"  \d  (\w+) +\d{12}((?:  \(\w+\))*)\r?\n", shown) == names
        assert f"{role} in " in said and tty.variable("AWSROLE_ROLE") == role


@pytest.mark.parametrize(("answer", "part"), [("7\r", "no such role"), ("\r", "no such role"), ("\x03", "")],
                         ids=["number", "nothing", "ctrl-c"])
def test_from_a_list_nothing(tty, chain, answer, part):
    modes = tty.modes()
    _, said = choose(tty, answer)
    assert part in said + tty.run("")
    assert tty.variable("AWSROLE_ROLE") == "near"
    assert tty.modes() == modes
    assert len(chain.callers()) == 1


def test_a_list_with_a_role_without_a_name_and_profiles(chain, shell):
    """The project's role is the first, whatever was used last, and ends `awsrole off`."""
    folder = chain.project("plain", role_file("Near", HERE), allow=True)
    tty = chain.terminal(shell, env=chain.env)
    tty.run(f"cd {folder}")
    tty.run("cd /; awsrole use --profile jump; awsrole use --none")
    tty.run(f"cd {folder}; awsrole off")
    shown, said = choose(tty, "1\r")
    assert re.findall(r"  (\d)  (\w+) .*?((?:  \(\w+\))*)\r?\n", shown)[:2] == [("1", "Near", "  (default)"), ("2", "jump", "  (outside)")]
    assert f"Near in {HERE}" in said and tty.variable("AWSROLE_ROLE") == "Near"
    assert f"has one role, without a name: Near in {HERE}" in " ".join(tty.run("awsrole use Plain").split())


def test_a_manual_role_without_a_name_is_not_picked(chain):
    """The shell keeps the role that it has."""
    folder = chain.project("shop", "manual = true\n" + role_file("Near", HERE) + f"""\
[role.other]
role_arn = "arn:aws:iam::{THERE}:role/Other"
""", allow=True)
    tty = chain.terminal("bash", folder, env=chain.env)
    tty.run("awsrole use other")
    held = tty.key()
    shown, said = choose(tty, "Near\r")
    assert "(default)  (manual)" in shown and "into a table [role.NAME]" in " ".join(said.split())
    assert tty.key() == held != PLACEHOLDER


def test_no_list_without_roles(chain):
    folder = chain.project("empty", "# no role\n", allow=True)
    tty = chain.terminal("bash", folder, env=chain.env)
    assert "has no role to choose from" in tty.run("awsrole use")


def test_no_list_without_a_terminal(chain, shop):
    result = chain.awsrole("use", cwd=shop, wrapper=("setsid", "-w"))
    assert result.code == 1 and result.out == ""
    assert "there is no terminal to prompt on" in result.err and "far, near, other" in result.err


def test_login_is_for_the_role_that_was_chosen(chain):
    config, credentials = chain.home / ".aws/config", chain.home / ".aws/credentials"
    config.write_text(config.read_text() + f"\n[profile also]\nendpoint_url = {chain.sts.url}\n")
    text = credentials.read_text()
    credentials.write_text(f"{text}\n[also]\n" + text.split("[jump]\n")[1])
    folder = chain.project("two", FILE + f"""\
[role.also]
role_arn = "arn:aws:iam::{HERE}:role/Near"
source_profile = "also"
""", allow=True)
    result = chain.awsrole("exec", "--role", "also", "--", binary("awsrole"), "login", cwd=folder)
    assert "nothing to sign in to: the source is profile also" in result.err, result
    assert result.code == 1


def test_refresh_is_for_the_role_of_the_shell(chain, shop):
    """Sessions of other roles stay, unless all are refreshed."""
    def callers(*roles):
        chain.sts.reset()
        for role in roles:
            assert chain.awsrole("exec", "--role", role, "--", "true", cwd=shop, env=chain.env).code == 0
        return [role for _, role in chain.callers()]

    assert callers("near", "other") == ["Near", "Other"] and callers("near", "other") == []
    assert chain.awsrole("refresh", cwd=shop, env=chain.env).code == 0
    assert callers("near", "other") == ["Near"]
    assert chain.awsrole("refresh", "--all", cwd=shop, env=chain.env).code == 0
    assert callers("near", "other") == ["Near", "Other"]
    assert chain.awsrole("refresh", "--bogus", cwd=shop, env=chain.env).code == 2


def test_cd_does_not_assume_a_role_through_a_manual_one(chain, shell):
    """The session of the source role would be made, too. By name the role is assumed."""
    text = FILE.replace('default_role = "near"', 'default_role = "far"').replace("[role.other]", "manual = true\n[role.other]")
    folder = chain.project("shop", text, allow=True)
    tty = chain.terminal(shell, env=chain.env)
    said = " ".join(tty.run(f"cd {folder}").split())
    assert "`cd` does not assume role far" in said and ".awsrole.toml:5: its source role near has `manual = true`" in said
    assert tty.key() == PLACEHOLDER and chain.callers() == []
    tty.run("awsrole use far")
    assert (tty.variable("AWSROLE_ROLE"), chain.callers()) == ("far", [("alice", "Near"), ("Near", "Far")])
