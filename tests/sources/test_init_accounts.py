"""Tests `awsrole init` with the accounts and permission sets of IAM Identity Center, listed or by options."""

import json
import re
import tomllib
from pathlib import Path

import pexpect
import pytest
from source_fixtures import SourceWorld, liar

from support.world import ALICE, HERE, THERE

START = "https://corp.example.com/start"
PERSON = "ana@example.com"
HOSTILE = "\x1b[31mevil\"\n\u202ename = 1"
CORP = f"[sso-session corp]\nsso_start_url = {START}\nsso_region = eu-central-1\n"


def assignment(account, role, name, **more):
    return {"user": PERSON, "account": account, "role": role, "account_name": name, "start_url": START, "region": "eu-central-1", **more}


MANY = [assignment(f"{100_000_000_000 + number}", "ReadOnly", f"team-{number:03}") for number in range(495)]
ACCOUNTS = {
    "user": [ALICE],
    "sso_assignment": [
        assignment(HERE, "Admin", "shop-prod"), assignment(HERE, "ReadOnly", "shop-prod"), assignment(THERE, "Admin", "shop-prod-größe"),
        assignment("333333333333", "Admin", HOSTILE), assignment("444444444444", "Admin", "twin"), *MANY,
        assignment("555555555555", "Admin", "twin"),
    ],
}


@pytest.fixture
def corp(tmp_path):
    """A home with one session, and 500 accounts in it."""
    with SourceWorld(tmp_path, ACCOUNTS) as place:
        place.write(".aws/config", CORP)
        place.write(".aws/credentials", "")
        place.project("new")
        yield place


def sign_in(place):
    place.sts.write_sso_cache(place.home, place.sts.sso_sign_in())
    place.sts.reset()


def pages(place):
    return [call["outcome"] for call in place.sts.calls() if call["action"] == "ListAccounts"]


def init(place, *options, code=0, env=None, session="corp"):
    """Runs `awsrole init` without a terminal, and returns the file or the error."""
    folder = place.home / "src/new"
    (folder / ".awsrole.toml").unlink(missing_ok=True)
    result = place.awsrole("init", "--sso-session", session, *options, cwd=folder, env=place.env | (env or {}), wrapper=("setsid", "-w"))
    assert result.code == code, result
    return (folder / ".awsrole.toml").read_text() if code == 0 else result.err


class Init:
    """Runs `awsrole init` on a terminal."""

    def __init__(self, place, *options, **env):
        folder = place.home / "src/new"
        env = place.environment(**place.env | {"PWD": str(folder), "TERM": "dumb"} | env)
        self.process = pexpect.spawn(str(place.binary), ["init", *options], cwd=str(folder), env=env, timeout=30, dimensions=(24, 1000), encoding="utf-8")
        self.said = ""

    def answer(self, question, text):
        self.process.expect_exact(question)
        self.said += self.process.before
        self.process.send(text + "\r")

    def end(self):
        self.process.expect(pexpect.EOF)
        self.process.close()
        self.said += self.process.before
        return self.process.exitstatus


WHICH = "or ARN of a role: "


def test_from_a_sign_in_to_a_file(corp):
    """Nobody is signed in: init offers it, lists 500 accounts, and asks."""
    run = Init(corp)
    run.answer(WHICH, "corp")
    run.answer("sign in to corp now? [Y/n] ", "")
    run.process.expect(r"confirm the code ([A-Z-]+)")
    corp.sts.approve(run.process.match[1], PERSON)
    run.answer("awsrole: account: ", "nonsense")
    run.answer("awsrole: account: ", "shop-")
    run.answer("awsrole: account: ", "shop-prod")
    run.answer("awsrole: permission set: ", "admin")
    run.answer("(empty: none)? ", "eu-west-1")
    run.answer(f"pin account shop-prod ({HERE}), so that no other account's credentials are exported? [Y/n] ", "")
    run.answer("write this to ~/src/new/.awsrole.toml? [Y/n] ", "")
    run.answer("allow it now? [Y/n] ", "")
    assert run.end() == 0, run.said
    assert "no such account" in run.said and "shop-prod, shop-prod-größe?" in run.said
    assert re.search(rf"\d+  shop-prod +{HERE}\r\n +\d+  shop-prod-größe +{THERE}\r\n", run.said)
    lines = (corp.home / "src/new/.awsrole.toml").read_text().splitlines()[1:]
    assert lines == ['sso_session = "corp"', f'sso_account_id = "{HERE}"', 'sso_role_name = "Admin"', 'region = "eu-west-1"',
                     f'account_id = "{HERE}"   # the pin, shop-prod: no other account\'s credentials are ever exported']
    held = corp.exec_env(corp.home / "src/new", env=corp.env)
    assert (held["AWSROLE_ACCOUNT"], held["AWSROLE_ROLE"]) == ("shop-prod", "Admin")
    names = json.loads((corp.home / ".local/state/awsrole/account-names.json").read_text())
    assert len(names) == 499 and names["100000000007"] == "team-007", "all but those that a prompt couldn't show"


def test_an_agent_is_offered_neither_a_sign_in_nor_an_approval(corp):
    run = Init(corp, CLAUDECODE="1")
    assert run.end() == 2 and "`awsrole init --sso-session corp --account ACCOUNT --role-name NAME`" in run.said, run.said
    options = ("--sso-session", "corp", "--account", "shop-prod", "--role-name", "Admin")
    run = Init(corp, *options[:4], CLAUDECODE="1")
    assert run.end() == 4 and "sign in to corp now?" not in run.said, run.said
    assert "hint: only your user can run `awsrole login`" in " ".join(run.said.split()), run.said
    sign_in(corp)
    run = Init(corp, *options, CLAUDECODE="1")
    assert run.end() == 0 and "?" not in run.said and "wrote ~/src/new/.awsrole.toml" in run.said, run.said
    assert corp.awsrole("exec", "--", "true", cwd=corp.home / "src/new").code == 3


@pytest.mark.parametrize("options", [[], ["--sso-session", "corp", "--account", "shop-prod"]])
def test_several_permission_sets_become_a_role_each(corp, options):
    sign_in(corp)
    run = Init(corp, *options)
    if not options:
        run.answer(WHICH, "corp")
        run.answer("awsrole: account: ", HERE)
    run.answer("awsrole: permission set: ", "2 1")
    run.answer("(empty: none)? ", "eu-west-1")
    run.answer(f"pin account shop-prod ({HERE}), so that no other account's credentials are exported? [Y/n] ", "")
    run.answer("write this to ~/src/new/.awsrole.toml? [Y/n] ", "")
    run.answer("allow it now? [Y/n] ", "")
    assert run.end() == 0, run.said
    folder = corp.home / "src/new"
    role = {"sso_session": "corp", "sso_account_id": HERE, "region": "eu-west-1", "account_id": HERE}
    roles = {name: role | {"sso_role_name": name} for name in ("ReadOnly", "Admin")}
    assert tomllib.loads((folder / ".awsrole.toml").read_text()) == {"default_role": "ReadOnly", "role": roles}
    assert corp.exec_env(folder, "--role", "Admin", env=corp.env)["AWSROLE_ROLE"] == "Admin"


def test_a_name_from_the_server_is_only_a_comment(corp):
    sign_in(corp)
    run = Init(corp, "--sso-session", "corp", "--region", "eu-west-1")
    run.answer("awsrole: account: ", "33333333333")
    run.answer("[Y/n] ", "")
    run.answer("[Y/n] ", "y")
    run.answer("[Y/n] ", "n")
    assert run.end() == 0 and "\x1b" not in run.said and "\u202e" not in run.said
    text = (corp.home / "src/new/.awsrole.toml").read_text()
    assert tomllib.loads(text) == {"sso_session": "corp", "sso_account_id": "333333333333", "sso_role_name": "Admin",
                                   "region": "eu-west-1", "account_id": "333333333333"}
    assert r"the pin, \u{1b}[31mevil" in text


def test_options(corp):
    """Only what the options don't say is listed, and it is listed once in ten minutes and for each sign-in."""
    written = init(corp, "--account", HERE, "--role-name", "Admin", "--region", "eu-west-1")
    assert f'sso_account_id = "{HERE}"' in written and 'region = "eu-west-1"' in written
    assert corp.sts.calls() == [], "nobody needs to be signed in"
    sign_in(corp)
    corp.sts.fault(action="ListAccounts", throttle=True, times=2)
    assert 'sso_role_name = "ReadOnly"' in init(corp, "--account", "team-494")
    assert sorted(pages(corp)) == ["OK"] * 5 + ["TooManyRequestsException"] * 2
    assert f'"{THERE}"   # the pin, shop-prod-größe' in init(corp, "--account", "shop-prod-größe", "--role-name", "Admin")
    assert "`--role-name`: Admin, ReadOnly" in init(corp, "--account", "shop-prod", code=1)
    assert "did you mean `shop-prod`?" in init(corp, "--account", "shopprod", code=1)
    assert "444444444444, 555555555555" in init(corp, "--account", "twin", code=1)
    assert "corp has 500 accounts for you" in init(corp, code=1)
    assert len(pages(corp)) == 7
    sign_in(corp)
    assert "team-003" in init(corp, "--account", "team-003")
    assert len(pages(corp)) == 5, "the list of another sign-in isn't used"


def test_the_document(corp):
    """docs/configuration.md: the command writes the file, but for the comments."""
    sign_in(corp)
    text = (Path(__file__).parents[2] / "docs/configuration.md").read_text()
    [file], [command] = (re.findall(rf"<!-- test: {world} -->\n```\w+\n(.*?)```", text, re.S) for world in ("permission-set", "sso"))
    [program, name, *options] = command.split()
    assert (program, name, options[:2]) == ("awsrole", "init", ["--sso-session", "corp"])
    assert tomllib.loads(init(corp, *options[2:], "--region", "eu-central-1")) == tomllib.loads(file)


def test_sessions_and_options_that_fit_nowhere(corp):
    assert "--sso-session: there is no [sso-session crop]" in (said := init(corp, session="crop", code=1)) and "did you mean `corp`?" in said
    for options in (("--role-name", "a b", "--account", HERE), ("--role-name", "", "--account", HERE)):
        assert "--role-name" in init(corp, *options, code=1)
    corp.write(".aws/config", CORP.replace("eu-central-1", "Europe"))
    assert ".aws/config:3: sso_region" in init(corp, "--account", HERE, "--role-name", "Admin", code=1)


@pytest.mark.parametrize("how", ["nobody signed in", "revoked", "between two pages", "no permission set", "no end"])
def test_what_cannot_be_listed(corp, how):
    if how != "nobody signed in":
        sign_in(corp)

    def lie(answer):
        if how == "between two pages" and answer.get("nextToken") == "200":
            corp.sts.expire_sso(refresh=True)
        if "roleList" in answer and how == "no permission set":
            answer["roleList"] = []
        return answer | ({"nextToken": "100"} if how == "no end" else {})

    options, code = ("--account", "team-003"), 4
    if how == "revoked":
        corp.sts.expire_sso(refresh=True)
    if how == "no permission set":
        code = 1
    with liar(corp.sts.url, lie) as url:
        said = init(corp, *options, code=code, env={"AWS_ENDPOINT_URL_SSO": url})
    says = {
        "nobody signed in": "the user hasn't signed in yet", "revoked": "or correct `sso_region` of corp",
        "between two pages": "UnauthorizedException", "no permission set": "you have no permission set in account 100000000003",
        "no end": "the list in the response has no end",
    }
    assert says[how] in said and "hint: " in said
    if how in ("nobody signed in", "revoked", "between two pages"):
        assert "`aws sso login --sso-session corp`" in said
    assert not (corp.home / "src/new/.awsrole.toml").exists()
    assert not list((corp.home / ".cache/awsrole").glob("accounts-*")) or how == "no permission set", "nothing incomplete is kept"
