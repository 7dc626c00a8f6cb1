"""Tests the control interface of the local STS: call log, faults, clock, expiration, start and end."""

from __future__ import annotations

import datetime
import http.client
import re
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.parsers import ResponseParserError
from callers import who_am_i

from support.local_sts import LocalSts, allow, binary, clean_environment, trust, user

ACCOUNT = "111111111111"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Good"
SERIAL = f"arn:aws:iam::{ACCOUNT}:mfa/alice"
ALICE = user("alice", policy=allow(["sts:*", "iam:*"], "*"), mfa_serial=SERIAL, mfa_seed="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
FIXTURE = {"user": [ALICE], "role": [{"name": "Good", "account": ACCOUNT, "trust": trust(ACCOUNT)}]}


@pytest.fixture
def server():
    with LocalSts(FIXTURE) as server:
        yield server


def client(server: LocalSts, issued: dict | None = None, service: str = "sts"):
    keys = issued or {"AccessKeyId": ALICE["access_key_id"], "SecretAccessKey": ALICE["secret_access_key"]}
    return boto3.client(
        service, endpoint_url=server.url, region_name="us-east-1", aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys.get("SessionToken"),
        config=Config(retries={"total_max_attempts": 1}))


def assume(server: LocalSts, **more):
    return client(server).assume_role(RoleArn=ROLE, RoleSessionName="s1", **more)["Credentials"]


def code_of(ask, *arguments, **more) -> str:
    with pytest.raises(ClientError) as caught:
        ask(*arguments, **more)
    return caught.value.response["Error"]["Code"]


def test_record_holds_what_was_asked_and_no_secret(server):
    code = server.totp("alice")
    assume(server, DurationSeconds=900, SerialNumber=SERIAL, TokenCode=code)
    code_of(assume, server, ExternalId="x/1", SourceIdentity="me")
    first, second = server.calls("AssumeRole")
    expected = {"caller_arn": f"arn:aws:iam::{ACCOUNT}:user/alice", "access_key_id": ALICE["access_key_id"],
                "role_arn": ROLE, "role_session_name": "s1", "duration_seconds": "900", "serial_number": SERIAL,
                "has_token_code": True, "outcome": "OK"}
    assert expected.items() <= first.items()
    assert {"external_id": "x/1", "source_identity": "me", "outcome": "AccessDenied"}.items() <= second.items()
    assert second["connection"] > first["connection"] and "Boto3" in first["user_agent"]
    assert code not in str(first) and ALICE["secret_access_key"] not in str(server.calls())
    assert server.counts() == {"AssumeRole": 2, "connections": 2}
    server.reset()
    assert server.calls() == [] and server.counts() == {"connections": 0}


def test_whose_a_session_is(server):
    issued = client(server).assume_role(RoleArn=ROLE, RoleSessionName="one")
    assert server.sessions() == {issued["Credentials"]["AccessKeyId"]: issued["AssumedRoleUser"]["Arn"]}


def test_a_kept_connection_counts_once(server):
    kept = client(server)
    for _ in range(3):
        kept.get_caller_identity()
    assert server.counts() == {"GetCallerIdentity": 3, "connections": 1}


@pytest.mark.parametrize(("fault", "status", "code"), [
    ({"throttle": True}, 400, "Throttling"),
    ({"unavailable": True}, 503, "ServiceUnavailable"),
    ({"error": {"status": 403, "code": "RegionDisabledException", "message": "off <here>"}}, 403,
     "RegionDisabledException"),
])
def test_ordered_errors(server, fault, status, code):
    server.fault(action="AssumeRole", times=1, **fault)
    client(server).get_caller_identity()
    with pytest.raises(ClientError) as caught:
        assume(server)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert caught.value.response["Error"]["Code"] == code == server.calls("AssumeRole")[0]["outcome"]
    assume(server)


def test_dropped_and_cut_off_answers(server):
    for fault, seen in (("drop", ConnectionClosedError), ("truncate", ResponseParserError)):
        server.fault(**{fault: True}, times=1)
        with pytest.raises(seen):
            assume(server)
    assert [call["outcome"] for call in server.calls()] == ["Dropped", "Truncated"]
    server.fault(truncate=True, times=1)
    raw = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    raw.request("GET", "/?Action=Nope&Version=2011-06-15")
    with pytest.raises(http.client.IncompleteRead) as caught:
        raw.getresponse().read()
    raw.close()
    assert caught.value.partial.startswith(b"<ErrorResponse")


def test_latency_lets_others_pass(server):
    server.fault(action="AssumeRole", latency_ms=700)
    with ThreadPoolExecutor() as pool:
        started = time.monotonic()
        slow = [pool.submit(assume, server) for _ in range(3)]
        while len(server.calls("AssumeRole")) < 3:
            time.sleep(0.01)
        client(server).get_caller_identity()
        assert server.calls("AssumeRole")[0]["outcome"] == "Pending"
        for future in slow:
            future.result()
        took = time.monotonic() - started
    assert 0.7 <= took < 2.1, took


def test_short_lives_and_expiry(server):
    server.fault(lifetime_seconds=1)
    issued = assume(server, DurationSeconds=900)
    left = (issued["Expiration"] - datetime.datetime.now(datetime.UTC)).total_seconds()
    assert left <= 1
    server.clear_faults()
    one, another = assume(server), assume(server)
    deadline = time.monotonic() + 5
    while True:
        try:
            client(server, issued).get_caller_identity()
            assert time.monotonic() < deadline
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ExpiredToken"
            break
    assert server.expire(one["AccessKeyId"]) == 1
    assert code_of(client(server, one).get_caller_identity) == "ExpiredToken"
    client(server, another).get_caller_identity()
    assert server.expire() == 1 and server.expire() == 0
    assert code_of(client(server, another).get_caller_identity) == "ExpiredToken"


def test_moved_clock(server):
    issued = assume(server)
    server.fault(clock_offset_seconds=3600)
    with pytest.raises(ClientError) as caught:
        client(server).get_caller_identity()
    error = caught.value.response
    assert error["Error"]["Code"] == "SignatureDoesNotMatch" and "Signature expired: " in error["Error"]["Message"]
    then = datetime.datetime.strptime(error["ResponseMetadata"]["HTTPHeaders"]["date"], "%a, %d %b %Y %H:%M:%S GMT")
    ahead = then - datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    assert 3590 < ahead.total_seconds() <= 3600
    assert code_of(client(server, issued).get_caller_identity) == "ExpiredToken"
    server.clear_faults()
    client(server, issued).get_caller_identity()


def test_a_new_key_is_unknown_for_a_while(server):
    server.fault(action="CreateAccessKey", key_delay_ms=600)
    issued = client(server, service="iam").create_access_key()["AccessKey"]
    assert code_of(client(server, issued).get_caller_identity) == "InvalidClientTokenId"
    deadline = time.monotonic() + 10
    while server.calls("GetCallerIdentity")[-1]["outcome"] != "OK":
        assert time.monotonic() < deadline
        try:
            client(server, issued).get_caller_identity()
        except ClientError:
            time.sleep(0.05)
    assert issued["SecretAccessKey"] not in str(server.calls())


def test_orders_that_cannot_be_read(server):
    with pytest.raises(RuntimeError, match="unknown field `latency`"):
        server.fault(latency=5)
    with pytest.raises(RuntimeError, match="no user `bob` has a device"):
        server.totp("bob")


@pytest.mark.parametrize("request_bytes", [
    b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n\xff\xfe\xfd\xfc",
    b"GET /?Action=AssumeRole&Version=2011-06-15 HTTP/1.1\r\nhost: x\r\nauthorization: AWS4-HMAC-SHA256 \xff=\xff\r\n\r\n",
    b"GET /?Action=%00%01&Version=2011-06-15 HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /?Action=AssumeRole&Version=2011-06-15 HTTP/1.1\r\nhost: x\r\nx-amz-date: \xc3\xa92015083T23600Z\r\n"
    b"authorization: AWS4-HMAC-SHA256 Credential=AKIAALICE00000000000/2/3/sts/aws4_request, SignedHeaders=;host, "
    b"Signature=zz\r\n\r\n",
    b"DELETE /_local/nothing HTTP/1.1\r\nhost: x\r\n\r\n",
    b"POST /_local/expire HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n[]",
    b"nonsense\r\n\r\n",
])
def test_nothing_that_comes_in_ends_it(server, request_bytes):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(request_bytes)
        assert b" 4" in raw.recv(100)
    client(server).get_caller_identity()


def test_listens_on_loopback_only_and_says_so_in_the_ready_file(tmp_path):
    fixture, ready = tmp_path / "f.toml", tmp_path / "ready"
    fixture.write_text("")
    process = subprocess.Popen([binary(), fixture, "--ready-file", ready], env=clean_environment(),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline()
        assert ready.read_text() == url and url.startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        assert process.stdout.read() == "" and process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()


def test_ends_with_its_stdin(tmp_path):
    fixture = tmp_path / "f.toml"
    fixture.write_text("")
    process = subprocess.Popen([binary(), fixture, "--until-stdin-closes"], env=clean_environment(),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline()
        process.stdin.close()
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_wrong_fixture_is_told_with_its_line():
    with pytest.raises(RuntimeError, match=r"line 3[\s\S]*unknown field `nam`"):
        LocalSts("\n[[user]]\nnam = 'a'\n")


def test_the_fixture_of_the_readme_works():
    readme = Path(__file__).parents[2] / "crates/local-sts/README.md"
    users, sources = re.findall(r"```toml\n(.*?)```", readme.read_text(), re.S)
    # TOML wants keys of no table first, and there they are.
    with LocalSts(users + sources) as server:
        keys = {"AccessKeyId": "AKIAALICE00000000000", "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
        wanted = {"RoleArn": "arn:aws:iam::222222222222:role/Deploy", "RoleSessionName": "s1"}
        assert code_of(client(server, keys).assume_role, **wanted) == "AccessDenied"
        client(server, keys).assume_role(**wanted, SerialNumber=SERIAL, TokenCode=server.totp("alice"))
        assert who_am_i(server.instance_environment()).endswith(":assumed-role/AppRole/i-0123456789abcdef0")
        token = server.id_token(subject="repo:org/app:main")
        wanted = {"RoleArn": "arn:aws:iam::111111111111:role/Ci", "RoleSessionName": "s1", "WebIdentityToken": token}
        client(server, keys).assume_role_with_web_identity(**wanted)
