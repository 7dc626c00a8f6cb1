"""A proxy in front of the strict STS and an emulator of all other services, so that a real deployment uses both.

local-sts checks codes, MFA sessions, policies and limits, but implements no other service. ministack implements
CloudFormation, S3, IAM and others, but checks no code. Each knows only the keys that it issued. So:

- A request is passed to the server that issued its key. Requests with any other key, or none, are passed to local-sts,
which rejects unknown keys.
  doesn't know.
- When local-sts grants an AssumeRole, the role is also assumed at ministack, by a user there who has permission, and
the caller gets that response. So local-sts alone decides whether there is a session, and ministack checks each use of
it.
  what the caller gets. So local-sts alone decides whether there is a session, and ministack checks its every use.

Requests are not signed again or changed, Host included, so both servers check the signatures of the tools. Deployment
buckets require TLS. A header tells ministack that TLS was terminated here, as a load balancer does.
"""

from __future__ import annotations

import http.client
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

# What only local-sts is to see of an AssumeRole.
CODE = ("SerialNumber", "TokenCode")
# Headers of one connection, not of the request.
HOP = ("connection", "keep-alive", "transfer-encoding", "expect", "content-length")
KEY = re.compile(r"Credential=([A-Z0-9]+)/|AWS ([A-Z0-9]+):|X-Amz-Credential=([A-Z0-9]+)")


class RecordingProxy:
    """Listens on a free port of 127.0.0.1 until `stop()`. `keys` are those of ministack's user."""

    def __init__(self, sts: str, ministack: str, keys: tuple[str, str]):
        self.sts, self.ministack, self.keys = sts, ministack, Credentials(*keys)
        self.issued: set[str] = set()
        # What ministack was asked, one line for each request.
        self.asked: list[str] = []
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:
                    self.close_connection = True

            def __getattr__(self, name: str):
                if name.startswith("do_"):
                    return lambda: front.handle(self)
                raise AttributeError(name)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Forwards one request, and returns its response."""
        body = read_body(request)
        found = KEY.search(request.headers.get("Authorization", "")) or KEY.search(request.path)
        known = bool(found) and next(filter(None, found.groups())) in self.issued
        if known:
            self.asked.append(f"{request.command} {request.path} {parameters(body).get('Action', '')}".strip())
        status, headers, answer = send(self.ministack if known else self.sts, request.command, request.path,
                                       [*request.headers.items(), *([("X-Forwarded-Proto", "https")] if known else [])], body)
        asked = parameters(body)
        if status == 200 and asked.get("Action") == "AssumeRole" and not known:
            status, headers, answer = self.assume(asked)
        if status == 200 and asked.get("Action") == "AssumeRole":
            self.issued.update(re.findall(r"<AccessKeyId>([A-Z0-9]+)<", answer.decode()))
        request.send_response_only(status)
        for name, value in headers:
            if name.lower() not in HOP:
                request.send_header(name, value)
        # The answer to HEAD has the length of what isn't sent.
        length = dict((name.lower(), value) for name, value in headers).get("content-length") if request.command == "HEAD" else None
        request.send_header("Content-Length", length or str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def assume(self, asked: dict[str, str]) -> tuple[int, list, bytes]:
        """Returns ministack's response to its own user with the same request."""
        body = urlencode({name: value for name, value in asked.items() if name not in CODE}).encode()
        signed = AWSRequest("POST", self.ministack, data=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
        SigV4Auth(self.keys, "sts", "us-east-1").add_auth(signed)
        return send(self.ministack, "POST", "/", [("Host", urlsplit(self.ministack).netloc), *signed.headers.items()], body)


def parameters(body: bytes) -> dict[str, str]:
    """Returns the parameters of a call of the query protocol, or none for other requests."""
    if not body.startswith(b"Action=") and b"&Action=" not in body[:4096]:
        return {}
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


def read_body(request: BaseHTTPRequestHandler) -> bytes:
    """Returns the body of a request, whatever its transfer encoding."""
    if "chunked" not in request.headers.get("Transfer-Encoding", ""):
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))
    body = b""
    while size := int(request.rfile.readline().split(b";")[0], 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    while request.rfile.readline().strip():
        pass
    return body


def send(url: str, method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> tuple[int, list, bytes]:
    """Forwards a request unchanged, and returns its response."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            if name.lower() not in HOP:
                connection.putheader(name, value)
        if body or method in ("POST", "PUT"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()
