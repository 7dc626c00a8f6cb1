"""Tests permission sets of IAM Identity Center that the project file names itself, without a profile."""

import json
import os
import re

import pytest
from source_fixtures import ADMIN, PERSON, RESERVED

from support.aws_files import aws_profile, role_arn
from support.world import HERE, THERE

SET = f'sso_session = "corp"\nsso_account_id = "{HERE}"\nsso_role_name = "Admin"\n'
SHOWN = f"Admin in shop-prod ({HERE})"


@pytest.fixture
def corp(machines):
    """A home whose AWS files have the session `corp`, but no profile of it."""
    machines.write(".aws/config", "[sso-session corp]\nsso_start_url = https://corp.example.com/start\nsso_region = eu-central-1\n")
    machines.write(".config/awsrole/config.toml", f'[accounts.{HERE}]\nname = "shop-prod"\n')
    return machines


def sign_in(place):
    token = place.sts.sso_sign_in()
    place.secrets |= {token["accessToken"], token["clientSecret"], token["refreshToken"]}
    place.sts.write_sso_cache(place.home, token)
    place.sts.reset()


def actions(place):
    return [call["action"] for call in place.sts.calls()]


def test_every_command_knows_it(corp):
    sign_in(corp)
    folder = corp.project("shop", SET + f'region = "eu-west-1"\naccount_id = "{HERE}"\n')
    allowed = corp.allow(folder)
    assert allowed.code == 0 and re.search(r"permission set +" + re.escape(SHOWN), allowed.err) and "[sso-session corp]" in allowed.err
    assert corp.who(folder) == ADMIN
    assert actions(corp) == ["GetRoleCredentials", "GetCallerIdentity", "GetCallerIdentity"]
    corp.sts.reset()
    held = corp.exec_env(folder, env=corp.env)
    assert actions(corp) == [], "it is cached"
    assert (held["AWSROLE_ACCOUNT_ID"], held["AWSROLE_ACCOUNT"], held["AWSROLE_ROLE"], held["AWS_REGION"]) == (HERE, "shop-prod", "Admin", "eu-west-1")
    for command, says in (("why", f"permission set {SHOWN}"), ("policy", "Admin assumes no role"), ("doctor", f"the first caller is {ADMIN}"),
                          ("revoke", "AWSReservedSSO_Admin belongs to IAM Identity Center")):
        result = corp.awsrole(command, cwd=folder, env=corp.env)
        assert says in result.out + result.err, result
    assert json.loads(corp.awsrole("why", "--json", cwd=folder, env=corp.env).out)["chain"]["source"] == f"permission set {SHOWN}"
    assert corp.awsrole("logout", cwd=folder, env=corp.env).code == 0 and corp.entries() == []
    assert corp.awsrole("refresh", cwd=folder, env=corp.env).code == 0
    assert corp.who(folder) == ADMIN and "GetRoleCredentials" in actions(corp)


def test_the_next_role_and_a_session_for_all_roles(corp):
    """A session at top level is only a default: a role with another source ignores it."""
    sign_in(corp)
    folder = corp.project("shop", f"""
sso_session = "corp"
default_role = "deploy"
[role.admin]
sso_account_id = "{HERE}"
sso_role_name = "Admin"
[role.deploy]
source_role = "admin"
role_arn = "{role_arn("Deploy")}"
[role.direct]
sso_account_id = "{HERE}"
sso_role_name = "Admin"
role_arn = "{role_arn("Deploy")}"
[role.jump]
source_profile = "jump"
role_arn = "{role_arn("Deploy")}"
""", allow=True)
    for options in ((), ("--role", "direct")):
        assert f"{THERE}:assumed-role/Deploy/" in corp.who(folder, *options)
        assert corp.callers().pop() == (RESERVED.split("/")[-1], "Deploy")
    assert corp.who(folder, "--role", "admin") == ADMIN


def test_the_cache_belongs_to_the_sign_in_and_the_permission_set(corp):
    sign_in(corp)
    folder = corp.project("shop", SET, allow=True)
    assert corp.who(folder) == ADMIN
    sign_in(corp)
    corp.exec_env(folder, env=corp.env)
    assert actions(corp) == ["GetRoleCredentials"], "of another sign-in"
    corp.sts.reset()
    config = corp.home / ".aws/config"
    config.write_text(config.read_text() + aws_profile("sso", sso_session="corp", sso_account_id=HERE, sso_role_name="Owner"))
    assert f"Owner in {HERE}" in corp.refused(corp.project("other", 'profile = "sso"\n', allow=True))
    said = corp.refused(corp.project("third", SET.replace("Admin", "Owner"), allow=True))
    by_option = corp.awsrole("exec", "--account", HERE, "--role-name", "Owner", "--", "true", env=corp.env).err
    for text in (said, by_option):
        assert "permission set Owner isn't assigned to you" in text and "are both right?" in text


def test_sign_in_from_a_shell(corp, shell):
    """The shell is blocked until `awsrole login`, which needs no profile either."""
    folder = corp.project("shop", SET, allow=True)
    assert "`awsrole login`" in corp.refused(folder)
    tty = corp.terminal(shell, env=corp.env)
    os.symlink(corp.home / ".aws", tty.home / ".aws")
    said = tty.run(f"cd {folder}")
    assert f"cannot get credentials for Admin in {HERE}" in said and said.count("`awsrole login`") == 1
    tty.type("awsrole login --no-browser")
    tty.process.expect(r"confirm the code ([A-Z-]+)")
    corp.sts.approve(tty.process.match[1].decode(), PERSON)
    tty.wait()
    assert tty.variable("AWSROLE_ACCOUNT_ID") == HERE and tty.variable("AWSROLE_ROLE") == "Admin"


def test_a_permission_set_without_a_file_or_a_profile(corp):
    """The only session needs no name."""
    sign_in(corp)
    ask = ["--account", HERE, "--role-name", "Admin"]
    shown = ["--", "sh", "-c", "echo $AWSROLE_PROFILE $AWSROLE_ACCOUNT_ID"]
    for options in (ask, ["--sso-session", "corp", *ask], ["--profile", f"corp/{HERE}/Admin"]):
        result = corp.awsrole("exec", *options, *shown, env=corp.env)
        assert result.out == f"corp/{HERE}/Admin {HERE}\n", result
    inside = corp.awsrole("exec", *ask, "--", corp.binary, "why", env=corp.env).out
    assert f"shell    holds corp/{HERE}/Admin\n" in inside and "awsrole init" not in inside
    assert "nothing renews them here" in inside and f"`awsrole why --profile='corp/{HERE}/Admin'`" in inside
    assert f"permission set {SHOWN}" in corp.awsrole("why", *ask, env=corp.env).out
    word = corp.awsrole("hook", "choose", *ask, env=corp.env).out
    assert word.endswith(f"=corp/{HERE}/Admin")
    export = corp.awsrole("hook", "export", "bash", "--event", "cd", "--profile", word, env=corp.env)
    assert f"__awsrole_set AWSROLE_PROFILE 'corp/{HERE}/Admin'" in export.out
    config = corp.home / ".aws/config"
    config.write_text(config.read_text() + "[sso-session other]\n")
    for options, code, part in ((ask, 1, "name one with `--sso-session`: corp, other"),
                                (["--sso-session", "crop", *ask], 1, "there is no [sso-session crop]"),
                                (ask[:2], 2, "--role-name"), ([*ask, "--profile", "x"], 2, "cannot be used with"),
                                ([*ask, "--role", "x"], 2, "cannot be used with"), ([*ask, "--dir", "."], 2, "cannot be used with")):
        result = corp.awsrole("env", *options, env=corp.env)
        assert result.code == code and part in result.err, result


def test_an_account_is_named_by_the_user_or_by_the_portal(corp):
    """Without a call: the portal's names are those that an earlier command listed."""
    sign_in(corp)
    names = corp.home / ".local/state/awsrole/account-names.json"
    names.parent.mkdir(parents=True, exist_ok=True)
    names.write_text(json.dumps({HERE: "portal", THERE: "dev"}))
    names.chmod(0o600)
    for command, part in ((["exec"], f"corp/{HERE}/Admin"), (["env", "--format", "json"], HERE), (["why"], SHOWN), (["credential-process"], "ASIA"),
                          (["policy"], "Admin assumes no role"), (["logout"], f"corp/{HERE}/Admin"), (["hook", "choose"], f"=corp/{HERE}/Admin")):
        words = ["--", "sh", "-c", "echo $AWSROLE_PROFILE"] if command == ["exec"] else []
        result = corp.awsrole(*command, "--account", "shop-prod", "--role-name", "Admin", *words, env=corp.env)
        assert part in result.out + result.err, result
    assert f"Admin in dev ({THERE})" in corp.awsrole("why", "--account", "dev", "--role-name", "Admin", env=corp.env).out
    corp.sts.reset()
    for name, part in (("portal", "no account has this name"), ("shop-prdo", "did you mean `shop-prod`?"), ("1234", "12 digits")):
        result = corp.awsrole("exec", "--account", name, "--role-name", "Admin", "--", "true", env=corp.env)
        assert result.code == 1 and part in result.err and "--account" in result.err, result
    names.write_text(json.dumps({THERE: "shop-prod"}))
    result = corp.awsrole("exec", "--account", "shop-prod", "--role-name", "Admin", "--", "true", env=corp.env)
    assert result.code == 1 and f"name one by its ID: {HERE}, {THERE}" in result.err and actions(corp) == []


def test_init_checks_what_it_writes(corp):
    sign_in(corp)
    folder = corp.project("new")
    for options, part in ((["--role-name", "Admn"], f"you have no permission set `Admn` in account {HERE}"),
                          (["--role-name", "Admin", "--region", "eu-wst-1"], "did you mean `eu-west-1`?")):
        result = corp.awsrole("init", "--account", HERE, *options, cwd=folder, env=corp.env)
        assert result.code == 1 and part in result.err and not (folder / ".awsrole.toml").exists(), result
    result = corp.awsrole("init", "--account", HERE, "--role-name", "Admin", "--region", "eu-west-9", cwd=folder, env=corp.env)
    assert result.code == 0 and "`eu-west-9` isn't a region of AWS" in result.err
    assert SET in (folder / ".awsrole.toml").read_text()
    corp.allow(folder)
    assert corp.awsrole("status", "--json", cwd=folder, env=corp.env).json["account"] == HERE


@pytest.mark.parametrize("options", [["admin"], ["--all"]])
def test_signs_out_of_the_session_of_a_profile_or_of_all(corp, options):
    config = corp.home / ".aws/config"
    config.write_text(config.read_text() + aws_profile("admin", sso_session="corp", sso_account_id=HERE, sso_role_name="Admin"))
    sign_in(corp)
    result = corp.awsrole("logout", "--sso", *options, env=corp.env)
    assert result.code == 0 and "signed out of corp" in result.err
    assert "not signed in to corp" in corp.awsrole("logout", "--sso", *options, env=corp.env).err
