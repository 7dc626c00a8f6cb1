"""Tests `awsrole console`: the federation endpoint gets the session, and only the browser gets the URL."""

import subprocess
import time
import urllib.parse

import pytest

from support import other
from support.hooked_shell import wait_for
from support.local_sts import LocalSts, allow, trust
from support.terminal import need
from support.world import ALICE, DEPLOY, HERE, THERE, World

ROLE = f"arn:aws:sts::{THERE}:assumed-role/Deploy/alice"

CHAIN = f"""
default_role = "second"
[role.first]
role_arn = "arn:aws:iam::{THERE}:role/Deploy"
source_profile = "jump"
[role.second]
role_arn = "arn:aws:iam::{THERE}:role/Second"
source_role = "first"
"""

# A browser that says where it was sent to: to a page of this machine, and from there on.
BROWSER = """\
#!/bin/sh
printf %s "$1" > "$HOME/argument"
{before}
curl -s -o /dev/null -w '%{{redirect_url}}' "$1" > "$HOME/.address"
mv "$HOME/.address" "$HOME/address"
curl -s "$1" || echo gone > "$HOME/gone"
"""


@pytest.fixture
def here(world):
    """Returns the URL of AWS Sign-In."""
    return {"AWS_ENDPOINT_URL_SIGNIN": world.sts.url}


def printed(world, folder, *options, env):
    result = world.awsrole("console", "--print", *options, cwd=folder, env=env)
    assert result.code == 0, result.err
    assert result.out.count("\n") == 1
    return result.out.strip()


def query(address):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))


def follow(address):
    """Returns the page to which a browser is redirected from there."""
    done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", address],
                          capture_output=True, text=True, timeout=30)
    return done.stdout


def tokens(world):
    return world.sts.calls("GetSigninToken")


def test_the_address_signs_in_as_the_role(world, shop, here):
    address = printed(world, shop, env=here)
    assert address.startswith(f"{world.sts.url}/federation?")
    assert query(address)["Destination"] == "https://console.aws.amazon.com/console/home?region=eu-west-1"
    assert follow(address) == "302 https://console.aws.amazon.com/console/home?region=eu-west-1"
    [call] = tokens(world)
    assert (call["caller_arn"], call["duration_seconds"]) == (ROLE, "43200")
    assert world.sts.calls("ConsoleSignIn")[0]["caller_arn"] == ROLE
    # From the cache the second time.
    printed(world, shop, "--service", "s3", "--duration", "1h", env=here)
    assert tokens(world)[1]["duration_seconds"] == "3600" and len(world.assumed()) == 1


@pytest.fixture
def proxied(world):
    """A proxy that doesn't exist: no request leaves this machine, and the error names the intended host."""
    return {"HTTPS_PROXY": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1"}


AWS = "no response from https://signin.aws.amazon.com/federation"


def test_an_endpoint_for_everything_gets_no_keys(world, proxied):
    """Neither the environment's nor a profile's: the keys themselves would go there."""
    folder = world.project("other", DEPLOY + 'profile = "other"\n', allow=True)
    for more in ({}, {"AWS_ENDPOINT_URL": world.sts.url}):
        result = world.awsrole("console", "--print", cwd=folder, env=proxied | more)
        assert (result.code, result.out) == (4, "") and AWS in result.err, result
    assert len(world.assumed()) == 1 and tokens(world) == []


def test_an_endpoint_of_its_own_in_a_services_section(world, shop, proxied):
    config = world.home / ".aws/config"
    config.write_text(config.read_text().replace("[services local]\n", f"[services local]\nsignin =\n    endpoint_url = {world.sts.url}\n"))
    assert printed(world, shop, env=proxied).startswith(f"{world.sts.url}/federation?")


@pytest.mark.parametrize("url", ["http://signin.example.com", "http://127.0.0.1:1@signin.example.com", "signin.example.com"])
def test_no_keys_go_out_unencrypted(world, shop, url):
    result = world.awsrole("console", "--print", cwd=shop, env={"AWS_ENDPOINT_URL_SIGNIN": url})
    assert (result.code, result.out) == (1, "") and "must begin with https://" in result.err
    assert world.sts.calls() == []


def test_a_services_page(world, shop, here):
    address = printed(world, shop, "--service", "dynamodbv2", env=here)
    assert query(address)["Destination"] == "https://console.aws.amazon.com/dynamodbv2/home?region=eu-west-1"


def test_a_chains_session_has_no_duration_of_its_own(world, here):
    folder = world.project("chain", CHAIN, allow=True)
    printed(world, folder, env=here)
    assert tokens(world)[0]["duration_seconds"] is None
    assert tokens(world)[0]["caller_arn"].endswith(":assumed-role/Second/alice")
    world.sts.reset()
    result = world.awsrole("console", "--print", "--duration", "2h", cwd=folder, env=here)
    assert (result.code, result.out) == (1, "") and "role chaining" in result.err and tokens(world) == []
    printed(world, folder, "--role", "first", "--duration", "2h", env=here)


def test_a_users_session_is_refused_before_any_call(world, here):
    folder = world.project("jump", 'profile = "jump"\n', allow=True)
    result = world.awsrole("console", "--print", cwd=folder, env=here)
    assert (result.code, result.out) == (1, "") and "GetSessionToken" in result.err
    assert world.sts.calls() == []


@pytest.mark.parametrize(("profile", "code"), [("shop-dev", 0), ("jump", 4)])
def test_of_keys_in_a_profile_sts_says_whose_they_are(world, shop, here, profile, code):
    held = world.exec_env(world.project(profile, f'profile = "{profile}"\n', allow=True))
    world.write(".aws/credentials", (world.home / ".aws/credentials").read_text() + f"""
[temporary]
aws_access_key_id = {held['AWS_ACCESS_KEY_ID']}
aws_secret_access_key = {held['AWS_SECRET_ACCESS_KEY']}
aws_session_token = {held['AWS_SESSION_TOKEN']}
""")
    folder = world.project("temporary", 'profile = "temporary"\n', allow=True)
    result = world.awsrole("console", "--print", cwd=folder, env={**here, "AWS_ENDPOINT_URL_STS": world.sts.url})
    assert result.code == code and bool(result.out) == (code == 0), result
    assert len(tokens(world)) == (1 if code == 0 else 0)
    if code:
        assert f"requested by: arn:aws:iam::{HERE}:user/alice" in result.err


@pytest.mark.parametrize("options", [["--duration", "14m"], ["--duration", "13h"], ["--service", "s3/../ec2"], ["--service", ""]])
def test_what_can_not_be_is_refused_before_any_call(world, shop, here, options):
    result = world.awsrole("console", "--print", *options, cwd=shop, env=here)
    assert (result.code, result.out) == (1, "") and options[0] in result.err and "hint" in result.err
    assert world.sts.calls() == []


def test_a_session_that_was_ended(world, shop, here):
    printed(world, shop, env=here)
    world.sts.expire()
    result = world.awsrole("console", "--print", cwd=shop, env=here)
    assert (result.code, result.out) == (4, "")
    assert "rejected the session" in result.err and "the session is over" in result.err


def test_nobody_there(world, shop):
    result = world.awsrole("console", "--print", cwd=shop, env={"AWS_ENDPOINT_URL_SIGNIN": "http://127.0.0.1:1"})
    assert (result.code, result.out) == (4, "") and "no response from http://127.0.0.1:1/federation" in result.err


@pytest.mark.parametrize(("partition", "region", "console"), [
    ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
    ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
])
def test_other_partitions(tmp_path, partition, region, console):
    fixture = {"partition": partition, "user": [ALICE], "role": [
        {"name": "Deploy", "account": THERE, "trust": trust(f"arn:{partition}:iam::{HERE}:root")}]}
    with World(tmp_path, fixture) as world:
        text = DEPLOY.replace("arn:aws:", f"arn:{partition}:").replace("eu-west-1", region)
        folder = world.project("shop", text, allow=True)
        address = printed(world, folder, env={"AWS_ENDPOINT_URL_SIGNIN": world.sts.url})
        assert follow(address) == f"302 https://{console}/console/home?region={region}"


def open_console(world, folder, env, before=""):
    world.write("bin/xdg-open", BROWSER.format(before=before)).chmod(0o755)
    env = {**env, "PATH": f"{world.home}/bin:{world.environment()['PATH']}"}
    return world.awsrole("console", cwd=folder, env=env)


def text_of(path):
    """Waits for a file; returns its text."""
    wait_for(path.exists)
    return path.read_text()


def test_the_browser_gets_it_once_and_not_as_an_argument(world, shop, here):
    result = open_console(world, shop, here)
    assert (result.code, result.out) == (0, ""), result
    assert f"opened the console as Deploy in {THERE}" in result.err
    argument = text_of(world.home / "argument")
    assert argument.startswith("http://127.0.0.1:") and "Token" not in argument and len(argument.rsplit("/", 1)[1]) == 64
    assert query(text_of(world.home / "address"))["SigninToken"]
    assert follow((world.home / "address").read_text()).startswith("302 https://console.aws.amazon.com/")
    assert text_of(world.home / "gone") == "gone\n"


@pytest.mark.parametrize("options", [[], ["--dir", "shop"]], ids=" ".join)
def test_it_says_that_it_waits_for_the_browser(world, shop, here, options):
    """The browser starts only after the notice, which names the command for the same role."""
    selected = "".join(f" {option}" for option in options)
    notice = f"awsrole: waiting for the browser … If it does not open: `awsrole console --print{selected}`\n"
    world.write("bin/xdg-open", BROWSER.format(before='until grep -q waiting "$HOME/notices"; do sleep 0.1; done')).chmod(0o755)
    env = {**here, "PATH": f"{world.home}/bin:{world.environment()['PATH']}"}
    result = world.awsrole("console", *options, cwd=shop.parent if options else shop, env=env, wrapper=["sh", "-c", 'exec "$@" 2>"$HOME/notices"', "sh"])
    assert (result.code, result.out) == (0, ""), result
    said = (world.home / "notices").read_text()
    assert said.startswith(notice) and said.count("waiting") == 1 and "opened the console as Deploy" in said


@pytest.mark.parametrize("before", [
    'curl -s "${1}x"',
    'curl -s -X POST "$1"',
    'curl -s -H "Host: evil.example.com" "$1"',
    'curl -s --resolve evil.example.com:80:127.0.0.1 -H "Host: localhost" "$1"',
    'printf "GET / HTTP/1.1\\r\\n" | timeout 1 bash -c "cat > /dev/tcp/127.0.0.1/${1#http://127.0.0.1:}" || true',
])
def test_others_who_ask_get_nothing(world, shop, here, before):
    result = open_console(world, shop, here, f"({before}) > \"$HOME/others\" 2>&1")
    assert result.code == 0, result
    assert query(text_of(world.home / "address"))["SigninToken"]
    assert "SigninToken" not in (world.home / "others").read_text()


class Watcher:
    """Another user who searches the arguments of all processes for a URL of this test, and requests it at once. Other
    tests run at the same time.
    """

    SCRIPT = r"""
import os, re, socket, sys
os.write(1, b"r")
while True:
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/cmdline", "rb") as file:
                found = re.search(os.fsencode(sys.argv[2]) + rb"/bin/xdg-open\0http://(127\.0\.0\.1:(\d+))/([0-9a-f]{64})", file.read())
        except OSError:
            continue
        if not found:
            continue
        for _ in range(int(sys.argv[1])):
            try:
                peer = socket.create_connection(("127.0.0.1", int(found[2])), timeout=10)
                peer.sendall(b"GET /" + found[3] + b" HTTP/1.1\r\nHost: " + found[1] + b"\r\n\r\n")
                answer = b""
                while part := peer.recv(4096):
                    answer += part
            except OSError as error:
                answer = str(error).encode()
            os.write(1, answer + b"\n")
        sys.exit()
"""

    def __init__(self, world, times=1):
        words = [*other.as_user(), need("python3"), "-I", "-c", self.SCRIPT, str(times), world.home]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, cwd="/", env={"PATH": "/usr/local/bin:/usr/bin:/bin"})
        assert self.process.stdout.read(1) == b"r"

    def got(self):
        said, _ = self.process.communicate(timeout=60)
        assert said, "it found an address"
        return said.decode()


# The browser starts after the other user's attempt: the first request wins.
SLOW = "sleep 3"


@other.root_only
def test_another_user_gets_nothing(world, shop, here):
    watcher = Watcher(world)
    result = open_console(world, shop, here, before=SLOW)
    got = watcher.got()
    assert (result.code, result.out) == (1, "") and "has the console" not in result.err, result
    assert "another user of this machine requested the console URL: nothing was sent" in result.err
    assert f"uid {other.UID}" in result.err and "`awsrole console --print`" in result.err
    assert got.startswith("HTTP/1.1 403 ") and "Location" not in got and "SigninToken" not in got
    assert world.sts.calls("ConsoleSignIn") == []
    # The URL is invalid for the browser, too.
    assert text_of(world.home / "gone") == "gone\n"


@other.root_only
@pytest.mark.parametrize("number", range(8))
def test_in_a_race_the_address_is_this_users_or_nobodys(world, shop, here, number):
    watcher = Watcher(world, times=3)
    result = open_console(world, shop, here, before=f"sleep 0.0{number}")
    got = watcher.got()
    assert "Location" not in got and "SigninToken" not in got
    address = text_of(world.home / "address")
    if result.code == 0:
        assert "opened the console as Deploy" in result.err and query(address)["SigninToken"]
    else:
        assert result.code == 1 and "nothing was sent" in result.err and address == ""


@other.root_only
def test_another_user_who_knows_no_way_is_no_reason_to_stop(world, shop, here):
    """A scan of all ports, for instance."""
    before = f'{" ".join(other.as_user())} curl -s "${{1}}x" > "$HOME/others"'
    result = open_console(world, shop, here, before)
    assert result.code == 0 and "opened the console" in result.err, result
    assert (world.home / "others").read_text() == ""


def test_who_holds_a_connection_open_keeps_nobody_from_it(world, shop, here):
    before = 'bash -c "exec 3<>/dev/tcp/127.0.0.1/$(echo $1 | cut -d: -f3 | cut -d/ -f1); while printf x >&3; do sleep 0.5; done" "" "$1" 2>/dev/null &'
    began = time.monotonic()
    result = open_console(world, shop, here, before)
    assert result.code == 0 and time.monotonic() - began < 20, result


@other.root_only
def test_where_connections_are_not_listed_nothing_is_tried(world, shop, here):
    """Without /proc nobody can be told from anybody: no browser is started."""
    world.write("bin/xdg-open", BROWSER.format(before="")).chmod(0o755)
    empty = world.home / "empty"
    empty.mkdir()
    env = {**here, "PATH": f"{world.home}/bin:{world.environment()['PATH']}"}
    result = world.awsrole("console", cwd=shop, env=env, wrapper=other.mounted_over(empty, "/proc"))
    assert (result.code, result.out) == (1, "") and "`awsrole console --print`" in result.err, result
    assert not (world.home / "argument").exists()


def test_without_a_browser_it_says_what_to_do(world, shop, here):
    only = world.home / "bin"
    only.mkdir()
    result = world.awsrole("console", cwd=shop, env={**here, "PATH": str(only)})
    assert (result.code, result.out) == (1, "") and "`awsrole console --print`" in result.err


class TestTheEndpoint:
    """What local-sts refuses, so that the tests above mean something."""

    @pytest.fixture
    def sts(self):
        with_policy = {**ALICE, "policy": allow("sts:*", "*")}
        deploy = {"name": "Deploy", "account": THERE, "trust": trust(f"arn:aws:iam::{HERE}:root", f"arn:aws:iam::{THERE}:role/Deploy"),
                  "policy": allow("sts:*", "*")}
        sts = LocalSts({"user": [with_policy], "role": [deploy]})
        yield sts
        sts.stop()

    def sessions(self, sts):
        import boto3

        def client(**keys):
            return boto3.client("sts", region_name="us-east-1", endpoint_url=sts.url, **keys)

        def keys(answer):
            of = answer["Credentials"]
            return {"aws_access_key_id": of["AccessKeyId"], "aws_secret_access_key": of["SecretAccessKey"],
                    "aws_session_token": of["SessionToken"]}

        alice = client(aws_access_key_id=ALICE["access_key_id"], aws_secret_access_key=ALICE["secret_access_key"])
        wanted = {"RoleArn": f"arn:aws:iam::{THERE}:role/Deploy", "RoleSessionName": "s1"}
        role = keys(alice.assume_role(**wanted))
        return {"role": role, "chained": keys(client(**role).assume_role(**wanted)), "user": keys(alice.get_session_token())}

    def ask(self, sts, session, method="POST", **more):
        import json
        form = {"Action": "getSigninToken", "Session": json.dumps(
            {"sessionId": session["aws_access_key_id"], "sessionKey": session["aws_secret_access_key"],
             "sessionToken": session["aws_session_token"]}), **more}
        text = urllib.parse.urlencode(form)
        words = ["-d", text, f"{sts.url}/federation"] if method == "POST" else [f"{sts.url}/federation?{text}"]
        return subprocess.run(["curl", "-s", "-w", "%{http_code}", *words], capture_output=True, text=True, timeout=30).stdout

    def test_its_rules(self, sts):
        of = self.sessions(sts)
        assert "SigninToken" in self.ask(sts, of["role"], SessionDuration="43200")
        assert "SigninToken" in self.ask(sts, of["chained"])
        assert self.ask(sts, of["role"], method="GET").endswith("405")
        for session, more, part in [
            (of["user"], {}, "GetSessionToken"),
            (of["chained"], {"SessionDuration": "900"}, "role chaining"),
            (of["role"], {"SessionDuration": "899"}, "900 and 43200"),
            (of["role"], {"SessionDuration": "43201"}, "900 and 43200"),
            ({**of["role"], "aws_session_token": "x"}, {}, "no such session"),
            ({**of["role"], "aws_secret_access_key": "x"}, {}, "no such session"),
            (of["role"], {"Action": "x"}, "Action is"),
        ]:
            said = self.ask(sts, session, **more)
            assert part in said and said.endswith("400"), (part, said)
        sts.expire()
        assert "the session is over" in self.ask(sts, of["role"])

    def test_sign_ins(self, sts):
        import json
        said = self.ask(sts, self.sessions(sts)["role"])
        token = json.loads(said[:-3])["SigninToken"]
        login = f"{sts.url}/federation?Action=login&Destination="
        assert follow(f"{login}https%3A%2F%2Fconsole.aws.amazon.com%2F&SigninToken={token}").startswith("302 ")
        assert follow(f"{login}https%3A%2F%2Fevil.example.com%2F&SigninToken={token}").startswith("400")
        assert follow(f"{login}https%3A%2F%2Fconsole.aws.amazon.com%2F&SigninToken=x").startswith("400")


