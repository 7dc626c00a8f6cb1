"""A proxy that records connections, and answers for metadata and container endpoints with a foreign identity."""

from __future__ import annotations

import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# In the order in which clients read them: for each URL scheme, and for all.
VARIABLES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


class Proxy:
    """Listens on a free port of 127.0.0.1. A context manager. `foreign` are the credentials that it returns."""

    def __init__(self, foreign: dict):
        # The request lines, and the number of connections.
        self.asked: list[str] = []
        self.connections = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self):
                proxy.connections += 1
                super().setup()

            def do_GET(self):
                proxy.asked.append(f"{self.command} {self.path}")
                self.answer(json.dumps(foreign) if not self.path.endswith("/security-credentials/") else "Foreign")

            def do_PUT(self):
                proxy.asked.append(f"{self.command} {self.path}")
                self.answer("token", ("x-aws-ec2-metadata-token-ttl-seconds", "21600"))

            def do_POST(self):
                """Calls to STS are passed on, because the user wants a proxy for them."""
                proxy.asked.append(f"{self.command} {self.path}")
                body = self.rfile.read(int(self.headers["content-length"]))
                passed = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
                request = urllib.request.Request(self.path, body, {**passed, "Host": urlsplit(self.path).netloc})
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
                    self.answer(answer.read().decode(), ("content-type", answer.headers["content-type"]))

            def do_CONNECT(self):
                proxy.asked.append(f"{self.command} {self.path}")
                self.send_error(502)

            def answer(self, text: str, *headers: tuple[str, str]):
                self.send_response(200)
                for name, value in (*headers, ("content-length", str(len(text.encode())))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def everywhere(self) -> dict[str, str]:
        """Returns all variables that set a proxy, and exceptions that don't apply."""
        return dict.fromkeys(VARIABLES, self.url) | {"NO_PROXY": "example.com", "no_proxy": "example.com"}
