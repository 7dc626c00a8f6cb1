"""Tests what agents don't get: roles, commands, prompts. Nothing is exported instead."""

import re

import pexpect
import pytest
from agent_fixtures import CLAUDE, LIMIT, may_chain, variables

from support.local_sts import binary
from support.world import DEPLOY, THERE

ROLES = f"""
default_role = "dev"
[agent]
role = "ci"
[role.dev]
{DEPLOY}
[role.ci]
{DEPLOY}
[role.sure]
confirm = true
{DEPLOY}
[role.careful]
manual = true
{DEPLOY}
"""


def shell_state(world, folder, env):
    """Returns the variables after the hook for single commands."""
    script = f'eval "$({binary("awsrole")} hook agent)"; env -0'
    return variables(world.run("sh", "-c", script, cwd=folder, env=env).out)


def test_the_role_for_agents_is_the_only_one(world):
    folder = world.project("shop", ROLES, allow=True)
    assert world.exec_env(folder, env=CLAUDE)["AWSROLE_ROLE"] == "ci"
    assert shell_state(world, folder, CLAUDE)["AWSROLE_ROLE"] == "ci"
    assert world.exec_env(folder)["AWSROLE_ROLE"] == "dev"
    for words in (["exec", "--role", "dev", "--", "true"], ["env", "--role", "dev"], ["hook", "choose", "dev"],
                  ["credential-process", "--role", "dev"], ["exec", "--role", "sure", "--yes", "--", "true"]):
        result = world.awsrole(*words, cwd=folder, env=CLAUDE)
        assert (result.code, result.out) == (3, ""), words
        assert re.search(r"role (dev|sure) isn't for agents\n.*\.awsrole\.toml:4: agents get ci\n.*claude-code", result.err), result.err


@pytest.mark.parametrize("role", ["sure", "careful"])
def test_roles_with_manual_or_confirm_are_never_for_agents(world, role):
    folder = world.project("shop", ROLES.replace('role = "ci"', "").replace('"dev"', f'"{role}"'), allow=True)
    for words in (["exec", "--yes", "--"], ["exec", "--role", role, "--yes", "--"], ["exec", "--agent", "--yes", "--"]):
        result = world.awsrole(*words, "true", cwd=folder, env=CLAUDE)
        assert result.code == 3 and "isn't for agents" in result.err, result.err
    for words in (["credential-process", "--yes", "--role", role], ["hook", "choose", role, "--yes"]):
        assert world.awsrole(*words, cwd=folder, env=CLAUDE).out == ""
    assert shell_state(world, folder, CLAUDE)["AWSROLE_STATE"] == "blocked"
    assert world.assumed() == []
    assert world.exec_env(folder, "--role", role, "--yes")["AWSROLE_ROLE"] == role


@pytest.mark.parametrize("role", ["sure", "careful"])
def test_a_role_is_not_for_agents_if_its_source_role_is_not(world, role):
    """It isn't assumed in any way, and its source role isn't either."""
    second = f'[role.second]\nrole_arn = "arn:aws:iam::{THERE}:role/Second"\nsource_role = "{role}"\n'
    reason = re.compile(rf"role second isn't for agents\n.*: its source role {role} has `(manual|confirm)`")
    folder = world.home / "src/shop"
    for agent, default in (("", "dev"), ("", "second"), ('role = "second"', "dev")):
        text = ROLES.replace('role = "ci"', agent).replace('default_role = "dev"', f'default_role = "{default}"')
        world.project("shop", text + second, allow=True)
        words = ([["exec", "--yes", "--", "true"]] if agent or default == "second" else []) + [
            ["exec", "--role", "second", "--yes", "--", "true"], ["env", "--role", "second", "--yes"],
            ["credential-process", "--yes", "--role", "second"], ["hook", "choose", "second", "--yes"]]
        for command in words:
            result = world.awsrole(*command, cwd=folder, env=CLAUDE)
            assert (result.code != 0, result.out) == (True, "") and reason.search(result.err), (command, result.err)
        if agent or default == "second":
            assert shell_state(world, folder, CLAUDE)["AWSROLE_STATE"] == "blocked"
    assert world.assumed() == []
    assert world.exec_env(folder, "--role", "second", "--yes")["AWSROLE_ROLE"] == "second"


def test_a_choice_of_the_user_is_not_for_the_agent(world):
    """An agent that starts in a shell with another role gets its own."""
    folder = world.project("shop", ROLES, allow=True)
    chosen = {name: value for name, value in world.exec_env(folder, "--role", "careful").items() if name.startswith("AWS")}
    assert world.exec_env(folder, env=chosen)["AWSROLE_ROLE"] == "careful"
    assert world.exec_env(folder, env={**chosen, **CLAUDE})["AWSROLE_ROLE"] == "ci"
    assert shell_state(world, folder, {**chosen, **CLAUDE})["AWSROLE_ROLE"] == "ci"


@pytest.mark.parametrize("place", ["file", "settings"])
def test_deny(world, place):
    deny = "[agent]\ndeny = true\n"
    folder = world.project("shop", DEPLOY + (deny if place == "file" else LIMIT), allow=True)
    world.write(".config/awsrole/config.toml", deny if place == "settings" else "[agent]\ndeny = false\n")
    result = world.awsrole("exec", "--", "true", cwd=folder, env=CLAUDE)
    assert result.code == 3 and re.search(r"(\.awsrole|config)\.toml:\d: agents get no role", result.err), result.err
    assert shell_state(world, folder, CLAUDE)["AWSROLE_STATE"] == "blocked"
    profile = world.awsrole("exec", "--profile", "shop-dev", "--", "true", env=CLAUDE)
    assert (profile.code == 0) == (place == "file")
    for words in (["exec", "--profile", "shop-dev", "--", "true"], ["credential-process", "--profile", "shop-dev"],
                  ["hook", "choose", "--profile", "shop-dev"]):
        there = world.awsrole(*words, cwd=folder, env=CLAUDE)
        assert there.code != 0 and there.out == "" and "agents get no role" in there.err, words
    assert world.exec_env(folder)["AWSROLE_ROLE"] == "Deploy"


@pytest.mark.parametrize("table", ["deny = true\n", LIMIT.removeprefix("[agent]\n")])
def test_an_edit_gives_an_agent_no_profile(world, table):
    """An edited file blocks the shell, and an agent doesn't get around its table with `--profile`."""
    folder = world.project("shop", DEPLOY + "[agent]\n" + table, allow=True)
    file = folder / ".awsrole.toml"
    file.write_text(file.read_text() + "# edited\n")
    for words in (["exec", "--profile", "shop-dev", "--", "true"], ["credential-process", "--profile", "shop-dev"],
                  ["hook", "choose", "--profile", "shop-dev"]):
        result = world.awsrole(*words, cwd=folder, env=CLAUDE)
        assert result.code != 0 and result.out == "" and "was changed since it was allowed" in result.err, (words, result)
    assert world.awsrole("exec", "--profile", "shop-dev", "--", "true", cwd=folder).code == 0
    world.awsrole("deny", cwd=folder)
    assert world.awsrole("exec", "--profile", "shop-dev", "--", "true", cwd=folder, env=CLAUDE).code == 0


def test_a_denied_command_for_an_agent_names_the_table(world):
    """The user typed `--agent`, so no variable is the reason."""
    folder = world.project("shop", DEPLOY + "[agent]\ndeny = true\n", allow=True)
    for env in ({}, {"AWSROLE_AGENT": "limited:x"}):
        result = world.awsrole("exec", *([] if env else ["--agent"]), "--", "true", cwd=folder, env=env)
        assert result.code == 3 and re.search(r"shop/\.awsrole\.toml:5: agents get no role\n", result.err), result.err
        assert "(limited by an `--agent` option)" in result.err and "AWSROLE_AGENT" not in result.err
        assert "hint: ask your user to run the command in a terminal of their own" in result.err


def test_hints_that_only_the_user_can_follow_say_so(world):
    """An agent can't approve a file, sign in, or change settings."""
    folder = world.project("shop", DEPLOY)
    for change, expected in ((None, "only your user can run `awsrole allow`"), ("# edited\n", "`awsrole allow` shows the changes")):
        if change:
            world.allow(folder)
            world.write("src/shop/.awsrole.toml", DEPLOY + change)
        for words in (["exec", "--", "true"], ["hook", "export", "bash", "--event", "cd"]):
            said = " ".join(world.awsrole(*words, cwd=folder, env=CLAUDE).err.split())
            assert f"hint: {expected}" in said, said
            assert "your user" not in world.awsrole(*words, cwd=folder).err
        assert "only your user can run `awsrole allow`" in world.awsrole("why", cwd=folder, env=CLAUDE).out


def test_an_agent_picks_no_role(world):
    """On a terminal it would wait for an answer that never comes."""
    elevated = "[role.sure]\nconfirm = true\n" + DEPLOY
    for table, code, hint in (("", 1, "give one of these names: ci, dev"), ("[agent]\nrole = 'ci'\n", 1, "give one of these names: ci"),
                              ("[agent]\ndeny = true\n", 3, "ask your user to run the command in a terminal of their own")):
        folder = world.project("shop", f"default_role = 'dev'\n{table}[role.dev]\n{DEPLOY}[role.ci]\n{DEPLOY}{elevated}", allow=True)
        env = world.environment(**CLAUDE, PWD=str(folder))
        tty = pexpect.spawn(str(binary("awsrole")), ["use"], cwd=str(folder), env=env, timeout=30, encoding="utf-8")
        tty.expect(pexpect.EOF)
        tty.close()
        assert f"hint: {hint}" in tty.before.replace("\r\n", "\n").rstrip().splitlines()[-1] and tty.exitstatus == code, tty.before


def test_an_agent_loads_no_hook(world):
    folder = world.project("shop", f"[role.ci]\n{DEPLOY}", allow=True)
    said = world.awsrole("use", "ci", cwd=folder, env=CLAUDE).err
    assert "hint: `awsrole exec -- CMD` runs a command with the role" in said and "eval" not in said
    assert "eval" in world.awsrole("use", "ci", cwd=folder).err
    hooks = [finding for finding in world.awsrole("doctor", "--json", cwd=folder, env=CLAUDE).json if "awsrole hook" in (finding["hint"] or "")]
    assert hooks and all(finding["hint"].startswith("ask your user: ") for finding in hooks), hooks


def test_unreadable_settings_give_an_agent_nothing(world):
    """They may limit it."""
    folder = world.project("shop", DEPLOY, allow=True)
    world.write(".config/awsrole/config.toml", "[agent\n")
    for words in (["exec", "--profile", "shop-dev", "--", "true"], ["credential-process", "--profile", "shop-dev"]):
        assert world.awsrole(*words, env=CLAUDE).code != 0
    assert shell_state(world, folder, CLAUDE)["AWSROLE_STATE"] == "blocked"


@pytest.mark.parametrize("words", [
    ["allow"], ["allow", "--yes"], ["edit"], ["login"], ["console", "--print"], ["keys", "add", "jump"], ["keys", "rotate", "jump"],
    ["keys", "remove", "jump"], ["setup", "--yes"], ["setup", "--remove"],
    ["deny"], ["logout", "--all"], ["logout", "--sso"], ["profiles", "install"], ["profiles", "remove"],
    ["revoke", "--apply", "--profile", "jump", "--role", "arn:aws:iam::222222222222:role/Deploy"],
], ids=" ".join)
def test_commands_for_the_user_alone(world, words):
    folder = world.project("shop", DEPLOY)
    result = world.awsrole(*words, cwd=folder, env=CLAUDE)
    assert result.code == 1 and result.err.startswith("awsrole: agents can't "), result.err
    assert "an agent: claude-code" in result.err and "ask your user to run the command in a terminal of their own" in result.err
    assert world.awsrole("exec", "--", "true", cwd=folder).code == 3, "it isn't allowed"


@pytest.mark.parametrize(("table", "message"), [
    ("[agent]\nrole = 'nobody'", "toml:5: [agent] names `nobody`, which isn't a [role.NAME]"),
    ("[agent]\npreset = 'read-only'\npolicy = '{}'", "toml:6: `policy` and `preset` exclude each other in [agent]"),
    ("[agent]\npreset = 'write'", "toml:5: "),
    ("[agent]\npolicy = 'nope'", "toml:5: policy `nope` isn't JSON"),
    ("[agent]\npolicy = '{\"a\": \"" + 2048 * "x" + "\"}'", "toml:5: policy "),
    ("[agent]\nduration_seconds = 899", "toml:5: duration_seconds `899` is out of range: a role's session lasts from 900 (15m) to 43200 (12h)"),
    ("[agent]\ndeny = 'yes'", "toml:5: "),
    ("[agent]\ndenny = true", "toml:5: unknown key `denny` in [agent]"),
    ("[role.x]\nagent = 1", "toml:5: `agent` belongs to the top of the file"),
])
def test_invalid_tables_of_a_file(world, table, message):
    folder = world.project("shop", DEPLOY + table + "\n")
    result = world.awsrole("allow", cwd=folder)
    assert result.code == 1 and message in result.err, result.err


@pytest.mark.parametrize(("table", "message"), [
    ("role = 'ci'", "config.toml:2: `role` isn't allowed in [agent] here"),
    ("preset = 'read-only'\npolicy = '{}'", "config.toml:3: `policy` and `preset` exclude each other in [agent]"),
    ("nonsense = 1", "config.toml:2: unknown key `nonsense`"),
])
def test_invalid_tables_of_the_settings(world, table, message):
    folder = world.project("shop", DEPLOY, allow=True)
    world.write(".config/awsrole/config.toml", f"[agent]\n{table}\n")
    result = world.awsrole("exec", "--", "true", cwd=folder)
    assert result.code != 0 and message in result.err, result.err


def test_an_inherited_table_applies_too(world):
    """The inner file can only tighten it: either denies, and the shorter duration counts."""
    def both(base, own):
        world.project(".", base)
        return world.project("shop", "inherit = true\n" + DEPLOY + own, allow=True)

    for base, own, at in (("deny = true", "deny = false", r"src/\.awsrole.toml:2"), ("deny = false", "deny = true", r"shop/\.awsrole.toml:6"),
                          ("deny = true", None, r"src/\.awsrole.toml:2")):
        folder = both(f"[agent]\n{base}\n", f"[agent]\n{own}\n" if own else "")
        result = world.awsrole("exec", "--", "true", cwd=folder, env=CLAUDE)
        assert result.code == 3 and re.search(rf"{at}: agents get no role", result.err), result.err
        shown = world.awsrole("allow", cwd=folder, env={})
        assert re.search(r"agents get +no role\n", shown.err), shown.err
    for base, own in (("20m", "30m"), ("30m", "20m"), ("20m", None)):
        own = f"[agent]\nduration_seconds = '{own}'\n" if own else ""
        folder = both(f"[agent]\nduration_seconds = '{base}'\n", own)
        world.exec_env(folder, env=CLAUDE)
        assert world.assumed()[-1]["duration_seconds"] == "1200"


def test_policies_of_an_inherited_table_apply_too(world):
    """Each is a limit of its own, and the inner role is the one for agents."""
    wide = """policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'\n"""
    roles = f"[role.a]\n{DEPLOY}[role.b]\n{DEPLOY}"
    for base, own in ((LIMIT, "[agent]\n" + wide), ("[agent]\n" + wide, LIMIT), (LIMIT, LIMIT)):
        world.project(".", base + "role = 'a'\n" + roles)
        folder = world.project("shop", "inherit = true\ndefault_role = 'a'\n" + own + "role = 'b'\n", allow=True)
        keys = world.exec_env(folder, env=CLAUDE)
        assert keys["AWSROLE_ROLE"] == "b" and not may_chain(world, keys)
    shown = world.awsrole("allow", cwd=folder).err
    assert re.search(r'agents get +b, limited by \{.*GetCallerIdentity.*\}\n', shown) and shown.count("limited by") == 1, shown


def test_too_many_policies_name_their_lines(world):
    """GetScopedCredentials adds three policies to a session at most. Nothing is exported without one of them."""
    def table(name):
        return f"[agent]\npolicy = '{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Action\":\"{name}:*\",\"Resource\":\"*\"}}]}}'\n"

    for number, name in enumerate(("s3", "ec2", "sqs")):
        world.project("/".join(["x"] * number) or ".", ("inherit = true\n" if number else "") + table(name))
    world.write(".config/awsrole/config.toml", table("sns"))
    folder = world.project("x/x/x", "inherit = true\nprofile = 'shop-dev'\npreset = 'read-only'\n", allow=True)
    result = world.awsrole("exec", "--", "true", cwd=folder, env=CLAUDE)
    said = " ".join(result.err.split())
    assert result.code == 1 and re.search(r"\.config/awsrole/config\.toml:2: cannot limit shop-dev by policy", said), result.err
    for path in (r"x/x/\.awsrole\.toml:3", r"x/\.awsrole\.toml:3", r"src/\.awsrole\.toml:2"):
        assert re.search(rf"policy \(\S*{path}\)", said), result.err
    assert world.exec_env(folder)["AWSROLE_ROLE"] == "shop-dev"


def test_agents_are_not_asked_what_init_writes(world):
    """Not on a terminal either. The options that answer the questions are hints."""
    folder = world.home / "src/new"
    folder.mkdir(parents=True)
    tty = pexpect.spawn(str(binary("awsrole")), ["init"], cwd=str(folder), env=world.environment(**CLAUDE), timeout=30, encoding="utf-8")
    tty.expect(pexpect.EOF)
    tty.close()
    first, options, *_ = tty.before.replace("\r\n", "\n").splitlines()
    assert first == "awsrole: no role given, and agents are not asked" and "`awsrole init --profile NAME`" in options, tty.before
    assert tty.exitstatus == 2 and list(folder.iterdir()) == []
    assert world.awsrole("init", "--profile", "shop-dev", cwd=folder, env=CLAUDE).code == 0
