"""Tests faults of the network and of STS."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support.world import DEPLOY, HERE, THERE


def outcome(world, folder):
    """Returns the message of `exec`. Checks that no command ran, and that a shell would be blocked."""
    result = world.awsrole("exec", "--", "echo", "ran", cwd=folder)
    assert (result.code, result.out) == (4, ""), result
    statements = world.awsrole("hook", "export", "bash", cwd=folder).out
    assert statements.startswith("__awsrole_done blocked ")
    assert world.entries() == []
    return result.err


def test_a_slow_answer_is_waited_for_and_said(world, shop):
    world.sts.fault(latency_ms=900)
    result = world.awsrole("exec", "--", "echo", "ran", cwd=shop)
    assert (result.code, result.out) == (0, "ran\n")
    assert result.err.startswith("awsrole: waiting for ") and result.err.count("\n") == 1


def test_a_quick_answer_says_nothing(world, shop):
    world.awsrole("exec", "--", "true", cwd=shop)
    assert world.awsrole("exec", "--", "true", cwd=shop).err == ""


def test_no_answer_ends_by_itself(world, shop):
    world.sts.fault(latency_ms=120_000)
    assert "is unreachable" in outcome(world, shop)


@pytest.mark.parametrize(
    ("fault", "part"),
    [
        ({"throttle": True}, "Throttling"),
        ({"unavailable": True}, "temporary failure"),
        ({"error": {"status": 500, "code": "InternalFailure", "message": "sorry"}}, "InternalFailure"),
        ({"error": {"status": 403, "code": "RegionDisabledException", "message": "STS is not activated"}}, "RegionDisabled"),
        ({"error": {"status": 400, "code": "ExpiredToken", "message": "The security token is expired"}}, "ExpiredToken"),
        ({"error": {"status": 400, "code": "PackedPolicyTooLarge", "message": "too large"}}, "shorter"),
        ({"error": {"status": 400, "code": "InvalidContextAssertion", "message": "bad"}}, "sends no context assertion"),
        ({"error": {"status": 400, "code": "Novelty", "message": "nobody knows this"}}, "nobody knows this"),
        ({"drop": True}, "caused by"),
        ({"truncate": True}, "caused by"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_failure_is_said(world, shop, fault, part):
    world.sts.fault(**fault)
    said = outcome(world, shop)
    assert part in said
    assert f"arn:aws:iam::{THERE}:role/Deploy" in said


@pytest.mark.parametrize("fault", [{"throttle": True}, {"unavailable": True}, {"drop": True}])
def test_what_passes_is_tried_again_within_the_command(world, shop, fault):
    world.sts.fault(**fault, times=1)
    assert world.awsrole("exec", "--", "true", cwd=shop).code == 0


@pytest.mark.parametrize("offset", [7200, -7200])
def test_a_wrong_clock_is_named(world, shop, offset):
    world.sts.fault(clock_offset_seconds=offset)
    assert "clock" in world.awsrole("exec", "--", "true", cwd=shop).err


def test_a_clock_that_is_fast_makes_no_storm(world, shop):
    world.sts.fault(clock_offset_seconds=-7200)
    for _ in range(4):
        world.awsrole("hook", "export", "bash", "--event", "due", cwd=shop)
    assert len([call for call in world.assumed() if call["outcome"] == "OK"]) == 1


def test_a_wrong_secret_is_no_wrong_clock(world, shop):
    path = world.home / ".aws/credentials"
    path.write_text(path.read_text().replace("aws_secret_access_key=", "aws_secret_access_key=x"))
    said = outcome(world, shop)
    assert "SignatureDoesNotMatch" in said and "clock" not in said and "secret access key" in said


def test_nobody_listens(world, shop):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    config = world.home / ".aws/config"
    config.write_text(config.read_text().replace(world.sts.url, f"http://127.0.0.1:{port}"))
    said = outcome(world, shop)
    assert "is unreachable" in said and f"127.0.0.1:{port}" in said and "refused" in said.lower()


ANSWER = """\
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser>
<AssumedRoleId>AROA:x</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser><Credentials><AccessKeyId>{key}</AccessKeyId>
<SecretAccessKey>canary-of-a-liar</SecretAccessKey><SessionToken>{token}</SessionToken><Expiration>{expiration}</Expiration>
</Credentials></AssumeRoleResult><ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></AssumeRoleResponse>
"""
GOOD = {"arn": f"arn:aws:sts::{THERE}:assumed-role/Deploy/alice", "key": "ASIALIAR000000000000", "token": "t",
        "expiration": "2099-01-01T00:00:00Z"}


@pytest.fixture
def liar(world):
    """A fake STS with a given response: `liar(body, status)`."""
    answer = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(answer["status"])
            self.send_header("content-length", str(len(answer["body"])))
            self.end_headers()
            self.wfile.write(answer["body"])

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = world.home / ".aws/config"
        config.write_text(config.read_text().replace(world.sts.url, f"http://127.0.0.1:{server.server_port}"))
        yield lambda body, status=200: answer.update(body=body.encode(), status=status)
        server.shutdown()


def test_the_liar_can_be_believed(world, shop, liar):
    """So that the tests below can fail."""
    liar(ANSWER.format(**GOOD))
    assert world.exec_env(shop)["AWS_ACCESS_KEY_ID"] == "ASIALIAR000000000000"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 200),
        ("<html>Sign in to the hotel's network</html>", 200),
        ("<html>Bad gateway</html>", 502),
        ("{}", 200),
        (ANSWER.format(**GOOD | {"expiration": "soon"}), 200),
        (ANSWER.format(**GOOD | {"key": ""}), 200),
        (ANSWER.format(**GOOD | {"token": ""}), 200),
        (ANSWER.format(**GOOD)[:-200], 200),
        ("<AssumeRoleResponse/>", 200),
    ],
)
def test_an_answer_that_is_not_stss(world, shop, liar, body, status):
    liar(body, status)
    said = outcome(world, shop)
    assert "an invalid response" in said or "is unreachable" in said
    assert "canary" not in said


def test_the_answers_account_is_held_against_the_pin(world, liar):
    folder = world.project("pinned", DEPLOY + f'account_id = "{THERE}"\n', allow=True)
    liar(ANSWER.format(**GOOD | {"arn": f"arn:aws:sts::{HERE}:assumed-role/Deploy/alice"}))
    said = outcome(world, folder)
    assert HERE in said and THERE in said and "canary" not in said


def test_a_value_that_would_break_out_of_its_quotes(world, shop, liar):
    token = "a'b;touch$IFS/tmp/x`id`$(id)"
    liar(ANSWER.format(**GOOD | {"token": token}))
    for shell in ("bash", "zsh", "fish"):
        statements = world.awsrole("hook", "export", shell, "--event", "cd", cwd=shop).out
        helpers = ("set -f __awsrole_seen; function __awsrole_set; test $argv[1] = AWS_SESSION_TOKEN; and printf %s $argv[2]; end; "
                   "function __awsrole_hide; end; function __awsrole_done; end; " if shell == "fish" else
                   "__awsrole_set() { [ $1 != AWS_SESSION_TOKEN ] || printf %s \"$2\"; }; __awsrole_hide() { :; }; __awsrole_done() { :; }; ")
        result = world.run(shell, "-c", helpers + "\n" + statements)
        assert result.out == token, (shell, result)


def test_text_of_a_server_can_not_paint_the_terminal(world, shop):
    world.sts.fault(error={"status": 403, "code": "AccessDenied", "message": "\x1b[2J\x1b]0;title\x07 no"})
    said = outcome(world, shop)
    assert "\x1b" not in said and "\x07" not in said
