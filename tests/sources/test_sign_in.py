"""Tests `awsrole login` with a browser on this machine, sign-ins of an SSO session, and `awsrole logout --sso`."""

import json
import re
import signal
import subprocess
import urllib.parse

import pexpect
from source_fixtures import ADMIN, PERSON, SSO, sign_in

from support import other
from support.hooked_shell import PLACEHOLDER, wait_for
from support.world import HERE

SCREEN = {"DISPLAY": ":0"}
FOLLOW = 'printf %s "$1" > "$HOME/argument"; curl -sL "$1" > "$HOME/page"'
FIRST_WAITS = f'while [ ! -e "$HOME/go" ]; do sleep 0.05; done; {FOLLOW}'
ELSEWHERE = "[sso-session acme]\nsso_start_url = https://corp.example.com/start\nsso_region = eu-central-1\n"


class Login:
    """`awsrole login` on a terminal, with a browser that is a script."""

    def __init__(self, place, *words, browser=FOLLOW, cwd=None, **env):
        place.write("bin/xdg-open", f"#!/bin/sh\n{browser}\n").chmod(0o755)
        cwd = cwd or place.project("nowhere")
        env = place.environment(**place.env | SCREEN | env, PWD=str(cwd))
        env["PATH"] = f"{place.home}/bin:{env['PATH']}"
        self.process = pexpect.spawn(str(place.binary), ["login", *words], cwd=str(cwd), env=env, timeout=30, dimensions=(24, 1000), encoding="utf-8")

    def reads(self, pattern):
        self.process.expect(pattern)
        return self.process.match

    def end(self):
        """Waits for its end; returns its code and what else it said."""
        self.process.expect(pexpect.EOF)
        self.process.close()
        return self.process.exitstatus, self.process.before


def token(place, session="corp"):
    """Returns the token file's content, all secrets of which must stay there."""
    path = place.sts.sso_cache_path(place.home, session)
    assert path.stat().st_mode & 0o077 == 0
    found = json.loads(path.read_text())
    place.secrets |= {found["accessToken"], found["clientSecret"], found["refreshToken"]}
    return found


def registrations(place):
    files = [json.loads(path.read_text()) for path in (place.home / ".aws/sso/cache").iterdir()]
    return [file for file in files if "accessToken" not in file]


def test_a_browser_on_this_machine(corp):
    """Without a project. The AWS CLI uses the token, and awsrole and the AWS CLI renew it."""
    login = Login(corp, "corp")
    url = login.reads(r"sign in to corp in the browser. If it does not open: (\S+)\r\n")[1]
    code, said = login.end()
    assert code == 0 and said.rstrip().endswith("awsrole: signed in to corp"), said
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/oauth/callback", query["redirect_uri"])
    assert (query["code_challenge_method"], query["scopes"]) == ("S256", "sso:account:access")
    # A user who knows the state could have this user work with their identity.
    argument = (corp.home / "argument").read_text()
    assert argument.startswith("http://127.0.0.1:") and query["state"] not in argument
    assert "You can close this tab" in (corp.home / "page").read_text()
    assert [call["grant_type"] for call in corp.sts.calls("CreateToken")] == ["authorization_code"]
    found = token(corp)
    assert not any(secret in said + url for secret in corp.secrets)
    [registration] = registrations(corp)
    assert set(registration) == {"clientId", "clientSecret", "expiresAt", "scopes", "grantTypes"}
    assert (registration["clientId"], registration["grantTypes"]) == (found["clientId"], ["authorization_code", "refresh_token"])

    folder = corp.project("shop", SSO, allow=True)
    corp.sts.reset()
    assert corp.who(folder) == ADMIN == corp.by_cli("sso") and corp.sts.calls("CreateToken") == []
    path = corp.sts.sso_cache_path(corp.home, "corp")
    for uses in (lambda: corp.who(folder), lambda: corp.by_cli("sso")):
        for entry in corp.entries():
            entry.unlink()
        corp.sts.expire_sso()
        path.write_text(json.dumps(json.loads(path.read_text()) | {"expiresAt": "2020-01-01T00:00:00Z"}))
        assert uses() == ADMIN
    assert [call["grant_type"] for call in corp.sts.calls("CreateToken")] == ["refresh_token"] * 2
    # The registration is used until it expires.
    corp.sts.reset()
    assert Login(corp, cwd=folder).end()[0] == 0
    assert corp.sts.calls("RegisterClient") == [] and token(corp)["clientId"] == found["clientId"]


def test_where_the_browser_is_not_on_this_machine(corp):
    for words, env in (([], {"SSH_TTY": "/dev/pts/0"}), ([], {"DISPLAY": ""}), ([], {"container": "podman"}), (["--use-device-code"], {}),
                       (["--no-browser"], {}), (["--profile", "legacy"], {})):
        login = Login(corp, *words, browser="exit 0", **env)
        login.reads("confirm the code [A-Z-]+")
        login.process.sendintr()
        assert "awsrole: sign-in cancelled" in login.end()[1]
        assert login.process.signalstatus == signal.SIGINT
    assert list((corp.home / ".aws/sso/cache").iterdir()) and not any("accessToken" in file for file in registrations(corp))


def test_refusals(corp):
    corp.sts.browser(deny=True)
    code, said = Login(corp).end()
    assert code == 4 and "cannot sign in at https://corp.example.com/start" in said and "caused by: it was denied in the browser" in said
    assert "the sign-in was denied" in (corp.home / "page").read_text()
    config = corp.home / ".aws/config"
    config.write_text(config.read_text().replace("https://corp.", "https://other."))
    code, said = Login(corp, "corp").end()
    assert code == 4 and "`https://other.example.com/start` is no start URL" in said and "are start URL and region (eu-central-1)" in said
    assert not corp.sts.sso_cache_path(corp.home, "corp").exists()


def test_terminals_sign_in_one_after_the_other(corp):
    first = Login(corp, "corp", browser=FIRST_WAITS)
    first.reads("waiting for your confirmation")
    second = Login(corp, "corp", browser=FIRST_WAITS)
    second.reads("waiting for the sign-in of another terminal to corp")
    # If the first one gives up, the next one signs in itself.
    first.process.sendintr()
    assert first.end()[0] is None
    second.reads("waiting for your confirmation")
    third = Login(corp, "corp", browser=FIRST_WAITS)
    third.reads("waiting for the sign-in of another terminal to corp")
    (corp.home / "go").touch()
    assert second.end()[0] == 0
    code, said = third.end()
    assert code == 0 and "signed in to corp in another terminal" in said
    assert len(corp.sts.calls("CreateToken")) == 1


@other.root_only
def test_another_user_who_knows_the_url(corp):
    """Even with the state, nobody else signs this user in."""
    login = Login(corp, "corp", browser="exit 0")
    url = login.reads(r"does not open: (\S+)\r\n")[1]
    page = subprocess.run([*other.as_user(), "curl", "-sL", url], capture_output=True, text=True, timeout=30).stdout
    assert "this page is for the user who started it" in page
    code, said = login.end()
    assert code == 4 and f"another user of this machine (uid {other.UID}) answered" in said
    assert not corp.sts.sso_cache_path(corp.home, "corp").exists()


def test_the_users_browser(corp):
    program = corp.write("work", f'#!/bin/sh\necho "$1 $2" > "$HOME/words"; shift 2; {FOLLOW}\n')
    program.chmod(0o755)
    assert Login(corp, "corp", browser="exit 1", BROWSER=f"nothing:{program} --window work %s").end()[0] == 0
    assert (corp.home / "words").read_text() == "--window work\n"
    corp.write(".config/awsrole/config.toml", f'[browser]\ncommand = ["{program}", "-P", "corp", "{{url}}"]\n')
    assert Login(corp, "corp", browser="exit 1", BROWSER="false").end()[0] == 0
    assert (corp.home / "words").read_text() == "-P corp\n"


def test_a_new_session(corp):
    config = corp.home / ".aws/config"
    before = config.read_text()
    where = ["--start-url", "https://corp.example.com/start", "--region", "eu-central-1"]
    corp.sts.browser(deny=True)
    assert Login(corp, *where, "acme").end()[0] == 4
    assert config.read_text() == before, "a session that nobody can sign in to isn't kept"
    corp.sts.browser()
    code, said = Login(corp, *where, "acme").end()
    assert code == 0 and "wrote [sso-session acme] to ~/.aws/config" in said and "signed in to acme" in said
    assert config.read_text() == f"{before}\n{ELSEWHERE}sso_registration_scopes = sso:account:access\n"
    assert token(corp, "acme")["startUrl"] == where[1]
    # The values of the existing session, under another region.
    refused = corp.awsrole("login", *where[:3], "eu-west-1", "acme")
    assert refused.code == 1 and "[sso-session acme] has other values" in refused.err
    assert corp.awsrole("login", *where, "--profile", "sso").code == 2 == corp.awsrole("login", *where[:2]).code


def test_the_session_is_selected_from_a_list(corp):
    config = corp.home / ".aws/config"
    config.write_text(config.read_text() + ELSEWHERE)
    listed = corp.awsrole("login")
    assert listed.code == 2 and "the sessions are: corp, acme" in listed.err
    unknown = corp.awsrole("login", "crop")
    assert unknown.code == 1 and "~/.aws/config has no [sso-session crop]" in unknown.err and "did you mean `corp`?" in unknown.err
    login = Login(corp)
    login.reads(r"1  corp  https://corp.example.com/start\r\n +2  acme  https")
    login.reads("number or name of a session: ")
    login.process.send("3\r")
    login.reads("no such session")
    login.process.send("2\r")
    code, said = login.end()
    assert code == 0 and "signed in to acme" in said


def test_sign_out(corp):
    """Every shell notices it, and the AWS CLI."""
    path = sign_in(corp)
    folder = corp.project("shop", SSO, allow=True)
    # As the AWS CLI, version 2, caches credentials.
    cached = corp.write(".aws/cli/cache/a.json", '{"ProviderType": "sso", "Credentials": {}}')
    kept = corp.write(".aws/cli/cache/b.json", '{"ProviderType": "assume-role", "Credentials": {}}')
    tty = corp.terminal("bash", env=corp.env | {"HOME": str(corp.home)})
    (tty.home / ".aws").symlink_to(corp.home / ".aws")
    tty.run(f"cd {folder}")
    assert tty.variable("AWSROLE_ACCOUNT_ID") == HERE and corp.entries()
    corp.sts.reset()
    result = corp.awsrole("logout", "--sso", "corp", env=corp.env)
    assert result.code == 0 and "awsrole: signed out of corp" in result.err
    assert [(call["action"], call["sso_user"]) for call in corp.sts.calls()] == [("Logout", PERSON)]
    assert not path.exists() and not cached.exists() and kept.exists() and corp.entries() == []
    assert "the user hasn't signed in yet, or has signed out" in tty.run("") and tty.key() == PLACEHOLDER
    again = corp.awsrole("logout", "--sso", cwd=folder, env=corp.env)
    assert again.code == 0 and "you were not signed in to corp" in again.err
    # Outside a project it is the session of the profile that the shell uses, without a question.
    config = corp.home / ".aws/config"
    config.write_text(config.read_text() + ELSEWHERE)
    path = sign_in(corp)
    assert "awsrole: sso in" in tty.run(f"cd {corp.project('nowhere')}; awsrole use --profile sso")
    assert "awsrole: signed out of corp" in tty.run("awsrole logout --sso") and not path.exists()


def test_sign_out_without_a_network(corp):
    path = sign_in(corp)
    result = corp.awsrole("logout", "--sso", env={"AWS_ENDPOINT_URL_SSO": "http://127.0.0.1:1"})
    assert result.code == 4 and "signed out of corp only on this machine" in result.err and not path.exists()


def test_a_browser_that_does_not_come(corp):
    """The user opens the URL that was printed."""
    login = Login(corp, "corp", browser="exit 1")
    url = login.reads(r"does not open: (\S+)\r\n")[1]
    # Pages that the user visits can't end the sign-in.
    back = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))["redirect_uri"]
    answer = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"{back}?error=access_denied&state=x"], capture_output=True, text=True)
    assert answer.stdout == "400"
    page = wait_for(lambda: subprocess.run(["curl", "-sL", url], capture_output=True, text=True, timeout=30).stdout)
    assert "You can close this tab" in page
    assert login.end()[0] == 0


def test_a_renewal_does_not_undo_a_sign_out(corp):
    path = sign_in(corp, expired=True)
    corp.sts.expire_sso()
    folder = corp.project("shop", SSO, allow=True)
    corp.sts.fault(action="CreateToken", latency_ms=1000)
    renews = subprocess.Popen([corp.binary, "exec", "--", "true"], cwd=folder, env=corp.environment(**corp.env, PWD=str(folder)),
                              stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: corp.sts.calls("CreateToken"))
    assert corp.awsrole("logout", "--sso", "corp", env=corp.env).code == 0
    renews.wait(timeout=60)
    assert not path.exists()
