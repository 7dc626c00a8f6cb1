"""Tests names and colors of accounts."""

import json
import re

import pexpect
import pytest

from support.local_sts import binary
from support.terminal import need
from support.world import DEPLOY, HERE, THERE

CONFIG = ".config/awsrole/config.toml"
NAMED = f'[accounts.{THERE}]\nname = "shop-prod"\ncolor = "red"\n'
SHOWN = f"shop-prod ({THERE})"


def test_the_name_is_shown_beside_the_id(world):
    world.write(CONFIG, NAMED)
    folder = world.project("shop", DEPLOY + f'account_id = "{THERE}"\n')
    allowed = world.allow(folder)
    assert re.search(rf"account +{re.escape(SHOWN)}\n +pinned to +{re.escape(SHOWN)}", allowed.err)
    entered = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder)
    assert f"awsrole: Deploy in {SHOWN}, renews in" in entered.err
    assert f"account   {SHOWN}" in world.awsrole("why", cwd=folder).out
    assert json.loads(world.awsrole("why", "--json", cwd=folder).out)["chain"]["account_name"] == "shop-prod"
    long = world.awsrole("status", "--long", cwd=folder)
    assert f"account   {SHOWN}\n" in long.out and "account_name" not in long.out
    machine = json.loads(world.awsrole("status", "--json", cwd=folder).out)
    assert (machine["account"], machine["account_name"]) == (THERE, "shop-prod")
    assert f"# account {SHOWN}: trust policy of role Deploy" in world.awsrole("policy", cwd=folder).out


def test_prompts_get_variables(world, shop):
    plain = world.exec_env(shop)
    assert plain["AWSROLE_ACCOUNT"] == THERE and "AWSROLE_COLOR" not in plain
    end = world.run("date", "-d", plain["AWS_CREDENTIAL_EXPIRATION"], "+%s").out.strip()
    assert plain["AWSROLE_EXPIRES"] == end
    world.write(CONFIG, NAMED)
    named = world.exec_env(shop, env={"AWSROLE_COLOR": "blue", "AWSROLE_ACCOUNT": "mine"})
    assert (named["AWSROLE_ACCOUNT"], named["AWSROLE_COLOR"]) == ("shop-prod", "red")
    world.write(CONFIG, f"[accounts.{HERE}]\nname = 'other'\ncolor = 'blue'\n")
    other = world.exec_env(shop, env={"AWSROLE_COLOR": "green"})
    assert other["AWSROLE_ACCOUNT"] == THERE and "AWSROLE_COLOR" not in other


@pytest.mark.parametrize(("environment", "colour"), [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False),
                                                     ({"TERM": "dumb"}, False)])
def test_status_is_coloured_on_a_terminal(world, shop, environment, colour):
    world.write(CONFIG, NAMED)
    inside = {**world.exec_env(shop), **environment}
    piped = world.awsrole("status", cwd=shop, env=inside)
    assert re.fullmatch(r"Deploy shop-prod (1h0m|59m)\n", piped.out)
    on_terminal = world.run(need("script"), "-qec", f"{binary('awsrole')} status", "/dev/null", cwd=shop, env=inside).out
    assert re.fullmatch(r"\x1b\[31mDeploy shop-prod (1h0m|59m)\x1b\[0m\r\n", on_terminal) if colour else "\x1b" not in on_terminal


def test_the_list_to_choose_from_has_the_names(world):
    world.write(CONFIG, NAMED)
    folder = world.project("shop", f'default_role = "prod"\n[role.prod]\n{DEPLOY}', allow=True)
    tty = pexpect.spawn(str(binary("awsrole")), ["use"], cwd=str(folder), env=world.environment(PWD=str(folder)), timeout=30)
    tty.expect(re.escape(f"1  prod       {SHOWN}  (default)"))
    tty.sendline("1")
    tty.expect("prod\\s*$")
    tty.close(force=True)


def test_a_protected_role_without_a_name_is_not_assumed_by_cd(world):
    """`awsrole use` says what is missing instead."""
    folder = world.project("shop", DEPLOY, allow=True)
    assert "`cd` assumes it" in world.awsrole("use", cwd=folder).err
    world.write(CONFIG, NAMED + "protect = true\n")
    said = world.awsrole("use", cwd=folder).err
    assert "`cd` assumes it" not in said and f"account {SHOWN} is protected" in said
    assert "hint: move its keys into a table [role.NAME], and run `awsrole use NAME`" in said


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ('[accounts.222222222222]\nname = "x"\ncolor = "rde"\n', [":3: color: `rde` isn't one", "did you mean `red`?"]),
        ('[accounts.222222222222]\ncolor = "orange"\n', [":2: color: `orange`", "the colors are: black, red"]),
        ('[accounts.222222222222]\ncolour = "red"\n', [":2: unknown key `colour`", "did you mean `color`?"]),
        ('[accounts.prod]\nname = "x"\n', [":1: accounts: `prod`", "[accounts.222222222222]"]),
        ('[accounts.222222222222]\nname = "$(id)"\n', [":2: name: `$(id)` contains `$`", "hint"]),
        ('[accounts.222222222222]\nname = "x"\n[accounts.333333333333]\nname = "x"\n',
         [":3: account 222222222222 also has the name x", "hint"]),
        ('[browser]\ncommand = []\n', [":2: browser.command: needs a program", "firefox"]),
    ],
)
def test_what_is_wrong_is_named(world, shop, config, says):
    world.write(CONFIG, config)
    done = world.awsrole("exec", "--", "true", cwd=shop)
    assert done.code == 1 and all(text in done.err for text in says), done.err
