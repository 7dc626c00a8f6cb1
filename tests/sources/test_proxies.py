"""Tests that metadata and container endpoints are never called through a proxy, whose identity would become the
shell's.
"""

import json
import os
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from source_fixtures import foreign_session

from support.proxy import VARIABLES, Proxy
from support.terminal import need
from support.world import HERE, THERE

MACHINE, TASK = (f"arn:aws:sts::{HERE}:assumed-role/{name}" for name in ("Machine", "Task"))
TOKEN = {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic token-of-the-task"}
INSTANCE, CONTAINER = ('credential_source = "Ec2InstanceMetadata"\n', 'credential_source = "EcsContainer"\n')


@pytest.fixture
def proxy(machines):
    with Proxy(foreign_session(machines)) as proxy:
        yield proxy


@pytest.mark.parametrize("variable", [*VARIABLES, "all"])
def test_no_variable_leads_there(machines, proxy, variable):
    env = proxy.everywhere if variable == "all" else {variable: proxy.url}
    env |= TOKEN | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": machines.sts.url,
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{machines.sts.url}/task"}
    assert machines.who(machines.project("instance", INSTANCE, allow=True), env=env).startswith(MACHINE)
    assert machines.who(machines.project("container", CONTAINER, allow=True), env=env).startswith(TASK)
    assert (proxy.asked, proxy.connections) == ([], 0)


def test_the_next_role_is_asked_for_through_it(machines, proxy):
    """Only the source's own endpoint is exempt: STS is where the user's proxy leads."""
    folder = machines.project("shop", f'role_arn = "arn:aws:iam::{THERE}:role/Deploy"\n' + CONTAINER, allow=True)
    env = proxy.everywhere | TOKEN | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{machines.sts.url}/task"}
    assert f"{THERE}:assumed-role/Deploy/" in machines.who(folder, env=env)
    assert machines.callers() == [("Task", "Deploy")]
    assert proxy.asked == [f"POST {machines.sts.url}/"]


@pytest.mark.parametrize("name", ["localhost", "[::1]"])
def test_other_names_of_this_machine(machines, proxy, name):
    port = machines.sts.url.rsplit(":", 1)[1]
    folder = machines.project("container", CONTAINER, allow=True)
    env = proxy.everywhere | TOKEN | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{name}:{port}/task"}
    if name == "localhost":
        assert machines.who(folder, env=env).startswith(TASK)
    else:
        # Nobody listens there, and nobody else steps in.
        assert "cannot get container credentials" in machines.refused(folder, env=env)
    assert (proxy.asked, proxy.connections) == ([], 0)


@pytest.mark.parametrize(("file", "env"), [
    (INSTANCE, {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://metadata.invalid"}),
    (INSTANCE, {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://192.0.2.1"}),
    (INSTANCE, {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "https://metadata.invalid"}),
    (CONTAINER, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "https://container.invalid/task"}),
    (CONTAINER, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://container.invalid/task"}),
    (CONTAINER, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/task"}),
    (CONTAINER, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "https://192.0.2.1/task"}),
], ids=str)
def test_any_other_host(machines, proxy, file, env):
    """An endpoint that isn't reachable directly fails, although the proxy would answer for it."""
    machines.write(".config/awsrole/config.toml", '[limits]\nconnect = "1s"\nwhole = "2s"\n')
    said = machines.refused(machines.project("shop", file, allow=True), env=proxy.everywhere | TOKEN | env, timeout=30)
    assert next(iter(env.values())) in said and "caused by: " in said
    assert (proxy.asked, proxy.connections) == ([], 0) and machines.entries() == []


def test_by_tls(machines, proxy, tmp_path):
    """A whole address with https may be any host; none is asked through a proxy."""
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=container", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run([need("openssl"), *words], cwd=tmp_path, check=True, capture_output=True)
    session = foreign_session(machines, "alice")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(session).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"https://127.0.0.1:{server.server_port}/task",
               "AWS_CA_BUNDLE": str(tmp_path / "cert.pem")}
        folder = machines.project("container", CONTAINER, allow=True)
        assert machines.who(folder, env=env | TOKEN | proxy.everywhere) == f"arn:aws:iam::{HERE}:user/alice"
        server.shutdown()
    assert (proxy.asked, proxy.connections) == ([], 0)


def test_the_addresses_of_aws(tmp_path):
    """Link-local and IPv6 addresses, in a network where nobody else has them."""
    alone = [need("unshare"), "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("this system lets us have no network of our own")
    need("ip")
    script = Path(__file__).with_name("link_local.py")
    env = {**os.environ, "PYTHONPATH": str(script.parents[1])}
    done = subprocess.run([*alone, sys.executable, script, tmp_path], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert (seen["proxy"], seen["connections"]) == ([], 0)
    assert len(seen["became"]) == 7
    for name, arn in seen["became"].items():
        assert arn.startswith(MACHINE if "IMDS" in name else TASK), (name, arn)


# --- the token that opens a container's endpoint
# -----------------------------------------------------------------------

BAD = {"line break": ("Basic canary-of-a-token\n", "has a line break"),
       "two lines": ("Basic canary-of-a-token\r\nX-Other: 1", "has a line break"),
       "NUL": ("Basic canary-\0of-a-token", "has a control character"),
       "nothing": ("", "is empty"),
       "too much": ("canary-of-a-token" * 8192, "larger than allowed"),
       "not there": (None, "No such file"),
       "a folder": ("/", "not a regular file")}


@pytest.mark.parametrize("kind", BAD)
def test_a_garbled_token_file(machines, kind):
    """The error names the file. Its content is neither shown nor sent."""
    content, why = BAD[kind]
    path = machines.home / "eks-token"
    if content == "/":
        path.mkdir()
    elif content is not None:
        path.write_text(content)
    machines.secrets.add("canary-of-a-token")
    env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{machines.sts.url}/task", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(path),
           # The file takes precedence, as for the AWS CLI: what else is set doesn't step in.
           **TOKEN}
    said = machines.refused(machines.project("shop", CONTAINER, allow=True), env=env)
    assert f"cannot send the token to {machines.sts.url}/task: {path} " in said and why in said
    assert "hint: the platform writes" in said and "network" not in said
    assert machines.sts.calls() == [] and machines.entries() == []


def test_a_garbled_token(machines):
    env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{machines.sts.url}/task", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "canary-of-a-token\n"}
    machines.secrets.add("canary-of-a-token")
    said = machines.refused(machines.project("shop", CONTAINER, allow=True), env=env)
    assert "/task: AWS_CONTAINER_AUTHORIZATION_TOKEN has a line break" in said
    assert machines.sts.calls() == []
