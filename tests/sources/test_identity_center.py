"""Tests IAM Identity Center: the AWS CLI's token, its refresh, and `awsrole login`, which renews it for both."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pexpect
import pytest
from source_fixtures import ADMIN, PERSON, SSO, liar, sign_in

from support import other
from support.aws_files import role_file
from support.hooked_shell import PLACEHOLDER, wait_for
from support.world import HERE, THERE, asked

DEPLOY = role_file("Deploy", source="sso")


def actions(place):
    return [call["action"] for call in place.sts.calls()]


def forget_failures(place):
    for path in place.entries("failure"):
        path.unlink()


def test_a_fresh_token(corp):
    sign_in(corp)
    folder = corp.project("shop", SSO, allow=True)
    assert corp.who(folder) == ADMIN == corp.by_cli("sso")
    corp.sts.reset()
    held = corp.exec_env(folder, env=corp.env)
    assert corp.sts.calls() == [], "it is kept"
    assert held["AWSROLE_ACCOUNT_ID"] == HERE and held["AWSROLE_ROLE"] == "sso"


def test_the_next_role(corp):
    sign_in(corp)
    assert f"{THERE}:assumed-role/Deploy/" in corp.who(corp.project("shop", DEPLOY, allow=True))
    [(by, role)] = corp.callers()
    assert (by, role) == ("AWSReservedSSO_Admin_0123456789abcdef", "Deploy")


def test_a_profile_of_the_old_form(corp):
    sign_in(corp, session=None, scopes=())
    folder = corp.project("shop", 'profile = "legacy"\n', allow=True)
    assert corp.who(folder) == ADMIN == corp.by_cli("legacy")


def test_endpoints_by_service(corp):
    sign_in(corp)
    folder = corp.project("shop", SSO, allow=True)
    env = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_SSO": corp.sts.url, "AWS_ENDPOINT_URL_SSO_OIDC": corp.sts.url}
    assert corp.awsrole("exec", "--", "true", cwd=folder, env=env).code == 0


def test_an_expired_token_is_refreshed(corp):
    path = sign_in(corp, expired=True)
    corp.sts.expire_sso()
    before = json.loads(path.read_text())
    assert corp.who(corp.project("shop", SSO, allow=True)) == ADMIN
    assert actions(corp)[:2] == ["CreateToken", "GetRoleCredentials"]
    after = json.loads(path.read_text())
    corp.secrets |= {after["accessToken"], after["refreshToken"]}
    assert after["accessToken"] != before["accessToken"] and after["refreshToken"] != before["refreshToken"]
    assert path.stat().st_mode & 0o077 == 0
    corp.sts.reset()
    assert corp.by_cli("sso") == ADMIN
    assert "CreateToken" not in actions(corp), "the AWS CLI goes on with the token that awsrole wrote"


@pytest.mark.parametrize("how", ["nobody signed in", "expired for good", "no refresh"])
def test_signed_out(corp, how):
    if how != "nobody signed in":
        sign_in(corp, expired=True, scopes=("sso:account:access",) if how == "expired for good" else ())
        corp.sts.expire_sso(refresh=True)
    said = corp.refused(corp.project("shop", SSO, allow=True))
    assert f"cannot get credentials for Admin in {HERE} from IAM Identity Center" in said
    assert "`awsrole login`" in said and "`aws sso login --sso-session corp`" in said
    assert {call["outcome"] for call in corp.sts.calls()} <= {"InvalidGrantException", "UnauthorizedException"}


def test_an_expired_token_of_the_old_form_is_not_sent(corp):
    path = sign_in(corp, session=None, scopes=(), expired=True)
    for suffix in ("Z", "UTC"):
        path.write_text(path.read_text().replace('Z", "', f'{suffix}", "'))
        forget_failures(corp)
        said = corp.refused(corp.project("shop", 'profile = "legacy"\n', allow=True))
        assert "the sign-in has expired" in said and "`aws sso login --profile legacy`" in said
    assert actions(corp) == []


def test_signed_out_in_the_old_form(corp):
    said = corp.refused(corp.project("shop", 'profile = "legacy"\n', allow=True))
    assert "`awsrole login`" in said and "`aws sso login --profile legacy`" in said


def test_a_token_that_the_server_no_longer_knows(corp):
    """It looks fresh, but it was revoked."""
    sign_in(corp)
    corp.sts.expire_sso(refresh=True)
    said = corp.refused(corp.project("shop", SSO, allow=True))
    assert "`awsrole login`" in said and "caused by: " in said


def test_a_permission_set_that_is_not_assigned(corp):
    path = corp.home / ".aws/config"
    path.write_text(path.read_text().replace("sso_role_name = Admin", "sso_role_name = Owner"))
    sign_in(corp)
    said = corp.refused(corp.project("shop", SSO, allow=True))
    assert f"Owner in {HERE}" in said and "caused by: " in said


@pytest.mark.parametrize("end", [-1000, 253_402_300_800_000, 2**62, -(2**62)])
def test_an_end_that_can_not_be(corp, end):
    """No time that can be written down: no panic, and nothing to keep."""
    sign_in(corp)
    folder = corp.project("shop", SSO, allow=True)

    def lie(answer):
        answer["roleCredentials"]["expiration"] = end
        return answer

    with liar(corp.sts.url, lie) as url:
        assert "caused by: " in corp.refused(folder, env={"AWS_ENDPOINT_URL_SSO": url})
    assert corp.entries() == []


class Login:
    """Runs `awsrole login` on a terminal, without a browser if its script isn't given."""

    def __init__(self, place, folder, *options, browser=None, **env):
        env = place.environment(**place.env | env, PWD=str(folder))
        words = ["login", *options] if browser else ["login", "--no-browser", *options]
        if browser:
            place.write("bin/xdg-open", f"#!/bin/sh\n{browser}\n").chmod(0o755)
            env["PATH"] = f"{place.home}/bin:{env['PATH']}"
        self.process = pexpect.spawn(str(place.binary), words, cwd=str(folder), env=env, timeout=30, dimensions=(24, 1000), encoding="utf-8")
        self.process.expect(r"open (https?://\S+) and confirm the code (\S+)\r\n")
        self.url, self.user_code = self.process.match.groups()

    def end(self):
        """Waits for its end; returns its code and what else it said."""
        self.process.expect(pexpect.EOF)
        self.process.close()
        return self.process.exitstatus, self.process.before


@pytest.mark.parametrize("profile", ["sso", "legacy"])
def test_login(corp, profile):
    folder = corp.project("shop", f'profile = "{profile}"\n', allow=True)
    assert "`awsrole login`" in corp.refused(folder)
    login = Login(corp, folder)
    assert login.user_code in login.url and re.fullmatch(r"[A-Z]{4}-[A-Z]{4}", login.user_code)
    corp.sts.approve(login.user_code, PERSON)
    code, said = login.end()
    assert code == 0 and "signed in" in said
    path = corp.sts.sso_cache_path(corp.home, "corp" if profile == "sso" else "https://corp.example.com/start")
    assert path.stat().st_mode & 0o077 == 0
    token = json.loads(path.read_text())
    corp.secrets |= {token["accessToken"], token["clientSecret"]}
    assert token["accessToken"] not in said
    forget_failures(corp)
    corp.sts.reset()
    assert corp.who(folder) == ADMIN == corp.by_cli(profile)
    assert "CreateToken" not in actions(corp)
    # The sign-in showed the name of the account, unless the user has one for it.
    [(account, name)] = json.loads((corp.home / ".local/state/awsrole/account-names.json").read_text()).items()
    assert account == HERE and corp.exec_env(folder, env=corp.env)["AWSROLE_ACCOUNT"] == name
    corp.write(".config/awsrole/config.toml", f'[accounts.{HERE}]\nname = "mine"\n')
    assert corp.exec_env(folder, env=corp.env)["AWSROLE_ACCOUNT"] == "mine"


def test_ctrl_c_cancels_a_login(corp):
    login = Login(corp, corp.project("shop", SSO, allow=True))
    login.process.send("\x03")
    _, said = login.end()
    assert "^C\r\nawsrole: sign-in cancelled\r\n" in said and login.process.signalstatus == signal.SIGINT


def test_a_signed_out_user_is_told_to_sign_in(corp):
    """Also where nothing has failed yet, and after the token has expired."""
    folder = corp.project("shop", SSO, allow=True)
    assert "`awsrole login` signs in, then credentials are fetched" in corp.awsrole("why", cwd=folder, env=corp.env).out
    sign_in(corp, session="corp", scopes=(), expired=True)
    told = corp.awsrole("why", cwd=folder, env=corp.env).out
    assert "`awsrole login` signs in" in told and f"permission set Admin\n         profile   sso\n         account   {HERE}" in told
    sign_in(corp)
    assert "signs in" not in corp.awsrole("why", cwd=folder, env=corp.env).out
    shown = corp.awsrole("allow", cwd=folder, env=corp.env).err
    assert f"  role            permission set Admin in {HERE}\n" in shown, shown


def test_login_of_a_profile(corp):
    """In a directory without a project. The hint is the command that works there."""
    folder = corp.project("nowhere")
    refused = corp.awsrole("exec", "--profile", "sso", "--", "true", cwd=folder, env=corp.env)
    assert refused.code == 4 and "`awsrole login --profile=sso`" in refused.err, refused
    login = Login(corp, folder, "--profile=sso")
    corp.sts.approve(login.user_code, PERSON)
    assert login.end()[0] == 0
    held = corp.exec_env(folder, "--profile", "sso", env=corp.env)
    assert held["AWSROLE_ACCOUNT_ID"] == HERE and held["AWSROLE_PROFILE"] == "sso"


def test_the_steps_of_the_document(corp):
    """docs/credentials.md: a profile, a project file, a sign-in."""
    text = (Path(__file__).parents[2] / "docs/credentials.md").read_text()
    profile, files, sign_in = re.findall(r"<!-- test: sso -->\n```\w+\n(.*?)```", text, re.S)
    corp.write(".aws/config", profile)
    folder = corp.project("shop")
    for line in files.splitlines():
        result = corp.awsrole(*line.split()[1:], cwd=folder)
        assert result.code == 0, result.err
    assert sign_in == "awsrole login\n" and f"`{sign_in.strip()}`" in corp.refused(folder)
    login = Login(corp, folder)
    corp.sts.approve(login.user_code, PERSON)
    assert login.end()[0] == 0
    forget_failures(corp)
    assert corp.who(folder) == ADMIN
    assert corp.exec_env(folder, env=corp.env)["AWS_REGION"] == "eu-central-1"


FOLLOW = 'printf %s "$1" > $HOME/.argument; curl -s -o /dev/null -w "%{redirect_url}" "$1" > $HOME/.address; mv $HOME/.address $HOME/address'


def test_the_browser_gets_the_code_and_no_argument_does(corp):
    """A user who sees the code could confirm it as themselves, and awsrole would use their identity."""
    folder = corp.project("shop", SSO, allow=True)
    login = Login(corp, folder, browser=FOLLOW)
    wait_for(lambda: (corp.home / "address").exists())
    assert (corp.home / "address").read_text() == login.url and login.user_code in login.url
    argument = (corp.home / ".argument").read_text()
    assert argument.startswith("http://127.0.0.1:") and login.user_code not in argument
    corp.sts.approve(login.user_code, PERSON)
    assert login.end()[0] == 0


@other.root_only
def test_another_user_is_not_led_to_the_code(corp):
    folder = corp.project("shop", SSO, allow=True)
    login = Login(corp, folder, browser=f"exec {' '.join(other.as_user())} curl -s -i \"$1\" > $HOME/seen")
    login.process.expect(r"another user of this machine \(uid (\d+)\) requested the URL: nothing was sent")
    assert login.process.match[1] == str(other.UID)
    seen = wait_for((corp.home / "seen").read_text)
    assert "403 Forbidden" in seen and login.user_code not in seen
    corp.sts.approve(login.user_code, PERSON)
    assert login.end()[0] == 0


@pytest.mark.parametrize("browser", ["exit 1", "sleep 100 &"])
def test_a_browser_that_does_not_come_holds_up_nothing(corp, browser):
    folder = corp.project("shop", SSO, allow=True)
    login = Login(corp, folder, browser=browser)
    corp.sts.approve(login.user_code, PERSON)
    assert login.end()[0] == 0


def test_the_token_of_a_login_can_be_refreshed(corp):
    folder = corp.project("shop", SSO, allow=True)
    login = Login(corp, folder)
    corp.sts.approve(login.user_code, PERSON)
    assert login.end()[0] == 0
    path = corp.sts.sso_cache_path(corp.home, "corp")
    corp.sts.expire_sso()
    token = json.loads(path.read_text())
    path.write_text(json.dumps(token | {"expiresAt": "2020-01-01T00:00:00Z"}))
    assert corp.by_cli("sso") == ADMIN
    path.write_text(json.dumps(json.loads(path.read_text()) | {"expiresAt": "2020-01-01T00:00:00Z"}))
    assert corp.who(folder) == ADMIN


@pytest.mark.parametrize(("end", "written"), [(2**62, "9999-12-31T23:59:59Z"), (-1, "1970-01-01T00:00:00Z")])
def test_a_registration_whose_end_can_not_be(corp, end, written):
    folder = corp.project("shop", SSO, allow=True)

    def lie(answer):
        return answer | ({"clientSecretExpiresAt": end} if "clientSecretExpiresAt" in answer else {})

    with liar(corp.sts.url, lie) as url:
        login = Login(corp, folder, AWS_ENDPOINT_URL_SSO_OIDC=url)
        corp.sts.approve(login.user_code, PERSON)
        code, said = login.end()
    assert code == 0, said
    assert json.loads(corp.sts.sso_cache_path(corp.home, "corp").read_text())["registrationExpiresAt"] == written


def test_login_denied(corp):
    folder = corp.project("shop", SSO, allow=True)
    login = Login(corp, folder)
    corp.sts.approve(login.user_code, PERSON, deny=True)
    code, said = login.end()
    assert code == 4 and "cannot sign in at https://corp.example.com/start" in said and "signed in" not in said
    assert not corp.sts.sso_cache_path(corp.home, "corp").exists()


def test_login_in_a_shell_heals_it_and_the_others(corp, shell):
    """The shell that signs in has the role at once, another one at its next prompt."""
    folder = corp.project("shop", SSO, allow=True)
    (folder / "deep").mkdir()
    tty, other = corp.terminal(shell, env=corp.env), corp.terminal("bash", cwd=folder, env=corp.env)
    for one in (tty, other):
        # A terminal's own home has no ~/.aws; the token belongs into the one where the AWS CLI looks.
        os.symlink(corp.home / ".aws", one.home / ".aws")
    corp.sts.reset()
    forget_failures(corp)
    tty.type(f"cd {folder}")
    tty.process.expect_exact("sign in to corp now? [Y/n] ")
    assert tty.answer("n").count("`awsrole login`") == 1
    for one in (tty, other):
        assert "awsrole" not in one.run("") and one.key() == PLACEHOLDER
    tty.type("awsrole login --no-browser")
    tty.process.expect(r"confirm the code ([A-Z-]+)")
    corp.sts.approve(tty.process.match[1].decode(), PERSON)
    tty.wait()
    assert tty.variable("AWSROLE_ACCOUNT_ID") == HERE
    other.run("")
    assert other.key() == tty.key()


def test_login_where_there_is_nothing_to_sign_in_to(corp):
    corp.config("[profile jump]\n")
    folder = corp.project("plain", role_file("Deploy"), allow=True)
    result = corp.awsrole("login", "--no-browser", cwd=folder, env=corp.env)
    assert result.code == 1 and "there is nothing to sign in to: the source is profile jump" in result.err
    assert corp.sts.calls() == []


def test_login_is_for_allowed_files(corp):
    folder = corp.project("evil", SSO)
    result = corp.awsrole("login", "--no-browser", cwd=folder, env=corp.env)
    assert result.code == 3 and "isn't allowed yet" in result.err and corp.sts.calls() == []


def test_login_for_another_role_of_the_file(corp):
    folder = corp.project("shop", f'default_role = "plain"\n[role.plain]\nprofile = "jump"\n[role.admin]\n{SSO}', allow=False)
    corp.config("[profile jump]\n")
    corp.allow(folder)
    login = Login(corp, folder, "--role", "admin")
    corp.sts.approve(login.user_code, PERSON)
    assert login.end()[0] == 0
    assert corp.who(folder, "--role", "admin") == ADMIN


def test_ctrl_c_while_it_waits(corp):
    folder = corp.project("shop", SSO, allow=True)
    login = Login(corp, folder)
    login.process.sendintr()
    login.process.expect(pexpect.EOF)
    login.process.close()
    assert login.process.exitstatus != 0
    assert not corp.sts.sso_cache_path(corp.home, "corp").exists()


def test_many_shells_refresh_once(corp):
    """A refresh token works once: those who come second must take what the first one wrote."""
    sign_in(corp, expired=True)
    corp.sts.expire_sso()
    folder = corp.project("shop", SSO, allow=True)
    corp.sts.fault(action="CreateToken", latency_ms=500)
    env = corp.environment(**corp.env, PWD=str(folder))
    running = [subprocess.Popen([corp.binary, "exec", "--", "true"], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(5)]
    assert [(process.communicate(timeout=60)[1], process.returncode)[1] for process in running] == [0] * 5
    assert actions(corp).count("CreateToken") == 1 and actions(corp).count("GetRoleCredentials") == 1


def test_a_session_that_was_fetched_without_a_pin_is_fetched_again(corp):
    """The portal's credentials have no ARN, so a cached session cannot be compared with the expected account."""
    sign_in(corp)
    assert corp.awsrole("exec", "--profile", "sso", "--", "true", env=corp.env).code == 0
    pinned = corp.project("pinned", f'profile = "sso"\naccount_id = "{HERE}"\n', allow=True)
    result = corp.awsrole(*asked(pinned), cwd=pinned, env=corp.env)
    assert "__awsrole_done role " in result.out, result.err
