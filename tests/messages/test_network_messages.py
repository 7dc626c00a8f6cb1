"""Tests the messages if STS is unreachable, or if another server responds."""

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from failure_world import HERE, file


@pytest.fixture
def shop(world):
    return world.shop(file("Plain"))


@contextmanager
def server(answer):
    """An HTTP server on loopback: `answer(body)` gives status and text."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            status, text = answer(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(status)
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def at(url):
    return {"AWS_ENDPOINT_URL_STS": url}


def test_nobody_listens(shop, says):
    """The endpoint's port is closed."""
    says(env=at(f"http://127.0.0.1:{closed_port()}"))


def test_no_such_host(shop, says):
    """The endpoint's name doesn't resolve, for example without a network."""
    says(env=at("https://sts.nowhere.invalid"))


def test_no_answer_in_time(world, shop, says):
    """STS accepts the connection and doesn't respond."""
    world.write(".config/awsrole/config.toml", "[limits]\nwhole = 1\n")
    world.sts.fault(latency_ms=60_000)
    says()


def test_proxy_is_not_there(shop, says):
    """The proxy in HTTPS_PROXY is unreachable."""
    says(env=at("https://sts.us-east-1.amazonaws.com") | {"HTTPS_PROXY": f"http://127.0.0.1:{closed_port()}"})


def test_connection_breaks(world, shop, says):
    """STS closes the connection before it responds."""
    world.sts.fault(drop=True)
    says()


def test_half_an_answer(world, shop, says):
    """The response is incomplete."""
    world.sts.fault(truncate=True)
    says()


def test_answer_has_ended(world, shop, says):
    """The received session has already expired, as after a suspend during the call."""
    world.sts.fault(lifetime_seconds=1, clock_offset_seconds=-200)
    says()


def test_captive_portal(shop, says):
    """A hotel's network responds instead of STS."""
    with server(lambda _: (200, "<html>Please sign in to our network</html>")) as url:
        says(env=at(url))


def test_bad_gateway(shop, says):
    """A proxy responds instead of STS."""
    with server(lambda _: (502, "<html>Bad gateway</html>")) as url:
        says(env=at(url))


def test_no_tls(world, shop, says):
    """The endpoint doesn't support TLS."""
    says(env=at(world.sts.url.replace("http:", "https:")))


def test_ca_bundle_is_not_there(shop, says):
    """AWS_CA_BUNDLE names a file that doesn't exist."""
    says(env={"AWS_CA_BUNDLE": "/home/nobody/ca.pem"})


def test_ca_bundle_is_no_certificate(world, shop, says):
    """AWS_CA_BUNDLE names a file without certificates."""
    says(env=at("https://sts.nowhere.invalid") | {"AWS_CA_BUNDLE": str(world.write("ca.pem", "hello\n"))})


def test_ca_bundle_is_broken(world, shop, says):
    """AWS_CA_BUNDLE names a truncated file."""
    cut = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUe\n"
    says(env=at("https://sts.nowhere.invalid") | {"AWS_CA_BUNDLE": str(world.write("ca.pem", cut))})


def test_ca_bundle_is_no_real_certificate(world, shop, says):
    """AWS_CA_BUNDLE names a file with an invalid certificate."""
    other = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"
    says(env=at("https://sts.nowhere.invalid") | {"AWS_CA_BUNDLE": str(world.write("ca.pem", other))})


ANSWER = """\
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser>
<AssumedRoleId>AROA:x</AssumedRoleId><Arn>arn:aws:sts::{account}:assumed-role/Plain/alice</Arn></AssumedRoleUser><Credentials>
<AccessKeyId>ASIALIAR000000000000</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>x</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>
"""


def test_answer_for_another_account(shop, says):
    """The response isn't from AWS: the credentials belong to another account than the role's."""
    with server(lambda _: (200, ANSWER.format(account=HERE))) as url:
        says(env=at(url))


REFUSED = """\
<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>\
User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:AssumeRole on resource: \
arn:aws:iam::222222222222:role/Plain. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q</Message></Error></ErrorResponse>
"""
DECODED = """\
<DecodeAuthorizationMessageResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><DecodeAuthorizationMessageResult>
<DecodedMessage>{"allowed":false,"explicitDeny":true,"matchedStatements":{"items":[{"statementId":"OfficeOnly","effect":"DENY"}]},\
"failures":{"items":[]},"context":{"principal":{"id":"AIDA","name":"alice","arn":"arn:aws:iam::111111111111:user/alice"},\
"action":"sts:AssumeRole","resource":"arn:aws:iam::222222222222:role/Plain","conditions":{"items":\
[{"key":"aws:SourceIp","values":{"items":[{"value":"203.0.113.7"}]}}]}}}</DecodedMessage></DecodeAuthorizationMessageResult>
</DecodeAuthorizationMessageResponse>
"""


def test_encoded_reason_is_decoded(shop, says):
    """AWS encodes the reason, and the caller has permission to decode it."""
    with server(lambda body: (200, DECODED) if "Action=DecodeAuthorizationMessage" in body else (403, REFUSED)) as url:
        says(env=at(url))
