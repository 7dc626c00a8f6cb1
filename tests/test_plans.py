"""Tests each row of `plans.toml`, the results of profiles and files, with the real binary, the local STS and the AWS
CLI.
"""

import contextlib
import functools
import hashlib
import json
import os
import re
import shutil
import string
import subprocess
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import botocore.session
import pexpect
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from support.aws_files import role_profile
from support.local_sts import LocalSts, allow, federated_trust, service_trust, trust, user
from support.world import BYSTANDER, HERE, THERE, World

TABLE = tomllib.loads((Path(__file__).parent / "plans.toml").read_text())
FAR = "333333333333"
ASSUME = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
MAY_ASSUME = allow([*ASSUME, "sts:GetScopedCredentials"], "*")
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PROVIDER = {"account": THERE, "url": "https://ci.example.com", "client_ids": ["sts.amazonaws.com"]}
# What most rows need and none wants to repeat.
CREDENTIALS = "[default]\n$keys_of_bystander\n[jump]\n$keys_of_alice\n[mia]\n$keys_of_mia\n"


def role(name, account, *principals, condition=None, **more):
    # In the caller's own account a trust policy that names it is enough; elsewhere the caller's policy counts, too.
    arns = [f"arn:aws:iam::{principal}" for principal in principals]
    return {"name": name, "account": account, "policy": MAY_ASSUME,
            "trust": trust(*arns, actions=ASSUME, condition=condition), **more}


def mia(number):
    """Each row that needs a code has its own device, because STS accepts a code only once in 30 seconds."""
    return user(f"mia-{number}", HERE, policy=MAY_ASSUME, mfa_serial=f"arn:aws:iam::{HERE}:mfa/mia-{number}", mfa_seed=SEED)


ROWS = [{"kind": kind, "number": number, "name": row.get("of"), **row} for kind in ("plan", "pair", "host", "error") for number, row in enumerate(TABLE[kind])]
ALICE = user("alice", HERE, policy=MAY_ASSUME)
BEA, CARL, DORA = (user(name, HERE, policy=MAY_ASSUME) for name in ("bea", "carl", "dora"))
MIAS = {row["number"]: mia(row["number"]) for row in ROWS if row["kind"] == "plan" and "mia" in json.dumps(row)}
HUMANS = f"{HERE}:root"
FIXTURE = {
    "user": [ALICE, BEA, CARL, DORA, BYSTANDER, *MIAS.values()],
    "role": [
        role("Deploy", THERE, HUMANS, max_session_duration=14400),
        role("Pathed", THERE, HUMANS, path="/team/shop/"),
        role("Any", FAR, HUMANS, f"{THERE}:role/team/shop/Pathed", f"{THERE}:role/Ci"),
        role("Partner", THERE, HUMANS, condition={"StringEquals": {"sts:ExternalId": "shop/42"}}),
        role("Named", THERE, HUMANS, condition={"StringLike": {"sts:RoleSessionName": "ci@*"}}),
        role("Guarded", THERE, HUMANS, condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}, max_session_duration=7200),
        role("AfterGuarded", FAR, f"{THERE}:role/Guarded"),
        role("Far", FAR, f"{THERE}:role/Deploy"),
        role("Further", FAR, f"{FAR}:role/Far", condition={"StringEquals": {"sts:ExternalId": "f:1"}}),
        role("FromMachines", FAR, f"{HERE}:role/Machine", f"{HERE}:role/Task", f"{THERE}:role/Ci", max_session_duration=43200),
        {"name": "Machine", "account": HERE, "trust": service_trust(), "policy": MAY_ASSUME},
        {"name": "Task", "account": HERE, "trust": service_trust("ecs-tasks.amazonaws.com"), "policy": MAY_ASSUME},
        {"name": "Ci", "account": THERE, "trust": federated_trust(PROVIDER), "policy": MAY_ASSUME},
    ],
    "instance": {"role": "Machine", "account": HERE, "instance_id": "i-0123456789abcdef0"},
    "container": {"role": "Task", "account": HERE, "token": "token-of-the-task", "path": "/task"},
    "oidc_provider": [PROVIDER],
}
FAST = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)


@pytest.fixture(scope="module")
def sts():
    """One STS for all rows of a worker, which run one after the other."""
    with LocalSts(FIXTURE) as sts:
        yield sts


@pytest.fixture(scope="module")
def session(sts):
    """A session of the role Deploy, as somebody pasted it."""
    client = boto3.client("sts", endpoint_url=sts.url, region_name="us-east-1", aws_access_key_id=ALICE["access_key_id"],
                          aws_secret_access_key=ALICE["secret_access_key"], config=FAST)
    given = client.assume_role(RoleArn=f"arn:aws:iam::{THERE}:role/Deploy", RoleSessionName="minted")["Credentials"]
    return {"access_key_id": given["AccessKeyId"], "secret_access_key": given["SecretAccessKey"],
            "session_token": given["SessionToken"], "expiration": given["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ")}


class Home(World):
    """A home directory as a row describes it. Other tests use the same STS."""

    def __init__(self, root, sts, session, row):
        self.home = root / "home"
        self.sts = sts
        self.row = row
        self.mia = MIAS.get(row["number"], BYSTANDER) if row["kind"] == "plan" else MIAS[min(MIAS)]
        self.people = {"alice": ALICE, "bea": BEA, "carl": CARL, "dora": DORA, "bystander": BYSTANDER, "mia": self.mia,
                       "session": session}
        self.secrets = {person["secret_access_key"] for person in self.people.values()} | {session["session_token"]}
        self.words = {"url": sts.url, "url_in_capitals": sts.url.replace("http:", "HTTP:"), "home": str(self.home), "serial_of_mia": self.mia.get("mfa_serial", "")}
        for name, person in self.people.items():
            lines = {f"aws_{key}": person[key] for key in ("access_key_id", "secret_access_key", "session_token") if key in person}
            self.words[f"keys_of_{name}"] = "\n".join(f"{key} = {value}" for key, value in lines.items())
            self.words |= {f"{word}_of_{name}": person.get(key, "") for word, key in
                           (("id", "access_key_id"), ("secret", "secret_access_key"), ("token", "session_token"))}
            self.write(f"keys-of-{name}.json", json.dumps({"Version": 1, "AccessKeyId": person["access_key_id"],
                       "SecretAccessKey": person["secret_access_key"]} | ({"SessionToken": person["session_token"],
                       "Expiration": person["expiration"]} if "session_token" in person else {})))
        self.write(".aws/config", self.fill(row.get("config", "")))
        self.write(".aws/credentials", self.fill(row.get("credentials", CREDENTIALS)))
        for name, text in row.get("files", {}).items():
            self.write(name, self.fill(text))
        # A profile's name in JSON is one in TOML.
        self.file = self.fill(row["file"]) if "file" in row else f"profile = {json.dumps(row['profile'])}\n"
        self.env = {"AWS_ENDPOINT_URL": sts.url, "AWS_EC2_METADATA_DISABLED": "true"}
        self.env |= {name: self.fill(value) for name, value in row.get("env", {}).items()}
        self.env = {name: value for name, value in self.env.items() if value}
        if "token" in json.dumps(row.get("config", "")):
            self.write("token", sts.id_token())
        if "sign_in" in row:
            self.sign_in(row["sign_in"] == "expired", row.get("sign_in_region"))
        if "above" in row:
            self.allow(self.project(".", self.fill(row["above"])))

    def fill(self, text):
        return string.Template(text).substitute(self.words)

    def sign_in(self, expired, region):
        """Writes token files as `aws sso login` and `aws login` leave them."""
        token = {"accessToken": "token", "expiresAt": "2020-01-01T00:00:00Z" if expired else "2099-01-01T00:00:00Z",
                 "clientId": "client", "clientSecret": "secret", "registrationExpiresAt": "2099-01-01T00:00:00Z",
                 "refreshToken": "refresh"}
        self.write(f".aws/sso/cache/{hashlib.sha1(b'corp').hexdigest()}.json", json.dumps(token))
        arn = "arn:aws:iam::111111111111:user/alice"
        keys = {"accessKeyId": "ASIAEXPIRED", "secretAccessKey": "secret", "sessionToken": "token",
                "accountId": "111111111111", "expiresAt": "2020-01-01T00:00:00Z"}
        login = {"accessToken": keys, "refreshToken": "refresh", "dpopKey": _ec_key(), "clientId": "client", "tokenType": "aws_sigv4"}
        login |= {"signInRegion": region} if region else {}
        self.write(f".aws/login/cache/{hashlib.sha256(arn.encode()).hexdigest()}.json", json.dumps(login))

    def give_code(self):
        """Writes a code to the file that `mfa_process` reads."""
        if self.mia in MIAS.values():
            self.write("code", self.sts.unused_totp(self.mia["name"]))
            self.write(".config/awsrole/config.toml", f"mfa_process = 'cat {self.home}/code'\n")

    def exec(self, *command):
        options = ["--role", self.row["role"]] if "role" in self.row else []
        return self.awsrole("exec", *options, "--", *command, cwd=self.home / "src/shop", env=self.env)

    def cli(self, profile, **env):
        """`aws sts get-caller-identity --profile`, on a terminal since it asks for codes."""
        aws = shutil.which("aws")
        if aws is None or not _version(aws).startswith("aws-cli/1."):
            return pytest.skip("the AWS CLI, version 1, isn't there: only that heeds AWS_ENDPOINT_URL everywhere")
        words = ["sts", "get-caller-identity", "--query", "Arn", "--output", "text", "--profile", profile]
        with contextlib.closing(pexpect.spawn(aws, words, env=self.environment(**self.env | env), cwd=str(self.home),
                                              timeout=60, dimensions=(24, 1000), encoding="utf-8")) as process:
            said = ""
            while process.expect(["Enter MFA code for .*: ", pexpect.EOF]) == 0:
                said += process.before
                process.sendline(self.sts.unused_totp(self.mia["name"]))
            return said + process.before

    def boto3(self, profile, monkeypatch):
        """Returns boto3's identity with a profile, in the same environment."""
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in self.environment(**self.env).items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(self.home)
        client = botocore.session.Session(profile=profile).create_client("sts", region_name="us-east-1", config=FAST)
        return client.get_caller_identity()["Arn"]

    def shown(self, call):
        """Formats a call as in plans.toml."""
        caller = (call["caller_arn"] or "-").split(":")[-1].removeprefix("user/").removeprefix("assumed-role/")
        words = [] if call["action"] == "AssumeRole" else [call["action"]]
        if call["role_arn"]:
            account, name = re.fullmatch(r"arn:[^:]+:iam::(\d+):role/(.+)", call["role_arn"]).groups()
            words.append(f"{name}@{account} as {call['role_session_name']}")
        for key, field in (("external_id", "external_id"), ("duration", "duration_seconds"), ("serial", "serial_number"),
                           ("source_identity", "source_identity")):
            if call[field] is not None:
                words.append(f"{key}={call[field].split(f'::{HERE}:')[-1]}")
            if key == "serial" and call["has_token_code"]:
                words[-1] += "+code"
        if call["tags"]:
            words.append("tags=" + ",".join(f"{key}:{value}" for key, value in sorted(call["tags"].items())))
        if call["transitive_tag_keys"]:
            words.append("transitive=" + ",".join(call["transitive_tag_keys"]))
        if call["has_policy"]:
            words.append("policy")
        if call["policy_arns"]:
            words.append("policies=" + ",".join(arn.split("/")[-1] for arn in call["policy_arns"]))
        return f"{caller}: {' '.join(words)}".replace(self.mia["name"], "mia")


@functools.cache
def _ec_key():
    words = ["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@functools.cache
def _version(aws):
    return subprocess.run([aws, "--version"], capture_output=True, text=True, env={"PATH": os.environ["PATH"]}).stdout


def rows(kind, wanted=lambda row: True):
    chosen = [row for row in ROWS if row["kind"] == kind and wanted(row)]
    return pytest.mark.parametrize("row", chosen, ids=[row["name"].replace(" ", "-") for row in chosen])


@pytest.fixture
def home(row, tmp_path, sts, session):
    sts.reset()
    return Home(tmp_path, sts, session, row)


def identity_of(sts, env):
    """Returns the identity of a shell with these variables, as `ACCOUNT:KIND/NAME`."""
    client = boto3.client("sts", endpoint_url=sts.url, region_name="us-east-1", aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
                          aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"], aws_session_token=env["AWS_SESSION_TOKEN"], config=FAST)
    return short(client.get_caller_identity()["Arn"])


def short(arn):
    """`arn:aws:sts::222222222222:assumed-role/Deploy/alice` → `222222222222:assumed-role/Deploy/alice`."""
    return re.search(r"arn:aws:\w+::(\d+:\S+)", arn)[1]


@rows("plan")
def test_it_leads_there(row, home, sts):
    home.project("shop", home.file, allow=True)
    home.give_code()
    result = home.exec("env", "-0")
    made = [home.shown(call) for call in sts.calls()]
    assert made == row["steps"], result.err
    if "refused" in row:
        assert (result.code, result.out) == (4, "") and row["refused"] in result.err
        return
    assert result.code == 0, result.err
    env = dict(pair.split("=", 1) for pair in result.out.split("\0") if pair)
    assert identity_of(sts, env).replace(home.mia["name"], "mia") == row["identity"]
    assert (env.get("AWS_REGION"), env.get("AWS_DEFAULT_REGION")) == (row.get("region"),) * 2
    wanted = {name: home.fill(value) for name, value in row.get("exports", {}).items()}
    assert wanted.items() <= env.items()
    assert not set(row.get("not_exported", ())) & env.keys()
    assert not {"AWS_PROFILE", "AWS_SECURITY_TOKEN"} & env.keys()
    notices = [line for line in result.err.splitlines() if not line.startswith("awsrole: waiting for ")]
    assert len(notices) == ("notice" in row) and row.get("notice", "") in result.err
    # The last step is cached: a second command makes no call.
    before = len(sts.calls())
    assert home.exec("true").code == 0
    assert len(sts.calls()) == before or not row["steps"] or row["steps"][-1].endswith("GetCallerIdentity")


# How awsrole and boto3 say where they ended.
ENDS = {
    "sso": ("from IAM Identity Center", "SSOTokenLoadError"),
    "login": ("the console session of", "LoginTokenLoadError"),
    "two sources": ("`source_profile` and `credential_source` exclude each other", "InvalidConfigError"),
}


def pair_home(row, tmp_path, sts, session):
    """A profile `it` with the settings of a row, and `through` whose source it is."""
    lines = {"config": {}, "credentials": {}}
    for setting in row["of"].split():
        for file, text in TABLE["setting"][setting].items():
            for line in text.splitlines():
                # A profile has one role; with a token it is the token's.
                lines[file].setdefault(line.split(" =")[0], line)
    config = "[profile it]\n" + "\n".join(lines["config"].values())
    through = role_profile("through", "Any", "333333333333", source="it")
    credentials = "[it]\n" + "\n".join(lines["credentials"].values()) if lines["credentials"] else ""
    env = {"AWS_ACCESS_KEY_ID": "$id_of_dora", "AWS_SECRET_ACCESS_KEY": "$secret_of_dora"}
    return Home(tmp_path, sts, session, {**row, "config": f"{config}\n{through}", "credentials": f"{CREDENTIALS}{credentials}\n",
                                         "env": env, "profile": "it"})


def walked(sts, arn):
    """Formats the calls of a chain: the first caller, and the roles."""
    calls = [call for call in sts.calls() if call["role_arn"]]
    first = calls[0]["caller_arn"] if calls else arn
    names = ["token" if first is None else first.split("/")[1], *(call["role_arn"].split("/")[-1] for call in calls)]
    return " → ".join(names)


@rows("pair")
def test_which_setting_counts(row, tmp_path, sts, session, monkeypatch):
    home = pair_home(row, tmp_path, sts, session)
    for profile, wanted in (("it", row["direct"]), ("through", row["chain"])):
        ours, theirs = ENDS.get(wanted, (None, None))
        shutil.rmtree(home.home / ".cache", ignore_errors=True)
        sts.reset()
        folder = home.project(profile, f'profile = "{profile}"\n', allow=True)
        result = home.awsrole("exec", "--", "env", "-0", cwd=folder, env=home.env)
        if ours:
            assert result.code != 0 and ours in result.err, result
        else:
            assert result.code == 0, result.err
            env = dict(pair.split("=", 1) for pair in result.out.split("\0") if pair)
            assert walked(sts, identity_of(sts, env)) == wanted
        sts.reset()
        if theirs:
            with pytest.raises(Exception) as raised:
                home.boto3(profile, monkeypatch)
            assert type(raised.value).__name__ == theirs
        else:
            assert walked(sts, home.boto3(profile, monkeypatch)) == wanted


def is_for_the_cli(row):
    return "profile" in row and "differs" not in row


@rows("plan", is_for_the_cli)
def test_the_aws_cli_reaches_the_same(row, home):
    env = {} if "region" in row else {"AWS_DEFAULT_REGION": "us-east-1"}
    said = home.cli(row["profile"], **env)
    assert re.search(r"arn:\S+", said), said
    reached = short(said).replace(home.mia["name"], "mia")
    wanted = row["identity"]
    if re.search(r"/botocore-session-\d+$", reached):  # where no file names the session
        reached, wanted = (identity.rsplit("/", 1)[0] for identity in (reached, wanted))
    assert reached == wanted


@pytest.fixture
def proxy():
    """A proxy that rejects all requests and records their hosts."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self):
            asked.append(self.path)
            self.send_error(403)

        do_POST = do_CONNECT

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"HTTPS_PROXY": f"http://127.0.0.1:{server.server_port}"}, asked
        server.shutdown()


@rows("host")
def test_there_it_is_asked(row, home, sts, proxy):
    env, asked = proxy
    if "AWS_ENDPOINT_URL" not in row.get("env", {}):
        del home.env["AWS_ENDPOINT_URL"]
    home.env |= env
    home.project("shop", home.file, allow=True)
    result = home.exec("true")
    assert result.code == 4, result
    assert set(asked) == {row["host"]}, result.err
    if is_for_the_cli(row):
        asked.clear()
        if "sign_in" in row:  # boto3 knows what is new in token files; where they are it finds out on import.
            said = home.run("python", "-c", CALL.format(row["profile"]), env=home.env | {"AWS_MAX_ATTEMPTS": "1"})
        else:
            said = home.cli(row["profile"], AWS_MAX_ATTEMPTS="1")
        assert set(asked) == {row["host"]}, said
    assert sts.calls() == []


CALL = """
import botocore.session
botocore.session.Session(profile={!r}).create_client("sts", region_name="us-east-1").get_caller_identity()
"""
DEV = role_profile("dev", "Deploy")
DEAD = "http://127.0.0.1:1"


@pytest.mark.parametrize("proxied, variables", [
    (True, {"HTTP_PROXY": "PROXY"}),
    (True, {"http_proxy": "PROXY", "HTTP_PROXY": DEAD}),
    (False, {"http_proxy": "", "HTTP_PROXY": "PROXY"}),
    (False, {"HTTP_PROXY": "PROXY", "NO_PROXY": "*"}),
    (False, {"HTTP_PROXY": "PROXY", "NO_PROXY": "127.0.0.1"}),
    (True, {"HTTP_PROXY": "PROXY", "NO_PROXY": "*", "no_proxy": "example.com"}),
    (True, {"HTTP_PROXY": "PROXY", "HTTPS_PROXY": "PROXY"}),
    (False, {"HTTPS_PROXY": "PROXY"}),
    (False, {"ALL_PROXY": "PROXY", "all_proxy": "PROXY"}),
])
def test_proxies_count_as_for_boto3(proxied, variables, tmp_path, sts, session, proxy, monkeypatch):
    env, asked = proxy
    sts.reset()
    home = Home(tmp_path, sts, session, {"kind": "host", "number": 0, "config": DEV, "profile": "dev"})
    home.env |= {name: value.replace("PROXY", env["HTTPS_PROXY"]) for name, value in variables.items()}
    home.project("shop", home.file, allow=True)
    result = home.exec("true")
    assert (result.code, bool(asked)) == ((4, True) if proxied else (0, False)), result.err
    asked.clear()
    if proxied:
        with pytest.raises((BotoCoreError, ClientError, ResponseParserError)):
            home.boto3("dev", monkeypatch)
    else:
        home.boto3("dev", monkeypatch)
    assert bool(asked) == proxied


@rows("error")
def test_there_is_no_way(row, home, sts):
    folder = home.project("shop", home.file)
    result = home.awsrole("allow", folder, env=home.env)
    if result.code == 0:
        result = home.exec("echo", "ran")
    assert (result.code, "ran" in result.out) == (1, False), result
    for text in row["says"]:
        assert text in result.err
    assert result.err.count("\nawsrole: ") <= 1
    assert sts.calls() == []


@rows("error", is_for_the_cli)
def test_there_is_none_for_boto3_either(row, home, monkeypatch):
    # A runtime error: its signer, to which nobody gave a key.
    with pytest.raises((BotoCoreError, ClientError, ValueError, RuntimeError)):
        home.boto3(row["profile"], monkeypatch)


def test_differences_are_documented():
    """What a person may wonder about is in docs/profiles.md, word by word."""
    text = (Path(__file__).parents[1] / "docs/profiles.md").read_text()
    listed = set(re.findall(r"^\| (.+) \| (.+) \|$", text.split("## Differences")[1], re.M)) - {("case", "the AWS CLI")}
    assert listed == {(row["name"], row["differs"]) for row in ROWS if "differs" in row}


def test_the_table():
    """It has what was promised, and each row a name of its own."""
    names = [(row["kind"], row["name"]) for row in ROWS]
    assert len(names) == len(set(names)) >= 60
    assert len(list(filter(is_for_the_cli, TABLE["plan"]))) >= 30
