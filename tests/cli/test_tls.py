"""Real TLS: whom awsrole trusts, and whom not."""

import os
import socket
import ssl
import subprocess
import threading

import pytest
from support.terminal import need


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """An authority of our own, and a server's key and certificate from it."""
    folder = tmp_path_factory.mktemp("authority")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    for words in (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority",
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=server",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names",
    ):
        subprocess.run([need("openssl"), *words.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def address(world, authority):
    """Where the local STS is reached by TLS. Every connection is passed on, byte for byte."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem", authority / "server.key")
    behind = ("127.0.0.1", int(world.sts.url.rsplit(":", 1)[1]))

    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            sink.close()

    def serve(listener):
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                front = context.wrap_socket(plain, server_side=True)
            except OSError:
                continue
            back = socket.create_connection(behind)
            for pair in ((front, back), (back, front)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"


def env(address, **more):
    return {"AWS_ENDPOINT_URL": address, "AWS_ENDPOINT_URL_STS": address, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "", **more}


@pytest.fixture
def shop(world):
    """A project whose profiles name no endpoint."""
    config = world.home / ".aws/config"
    config.write_text("".join(line for line in config.read_text().splitlines(True) if "services = local" not in line))
    return world.project("shop", 'role_arn = "arn:aws:iam::222222222222:role/Deploy"\nsource_profile = "jump"\n', allow=True)


def test_an_authority_of_ca_bundle_is_trusted(world, shop, address, authority):
    result = world.awsrole("exec", "--", "sh", "-c", "echo $AWSROLE_ROLE", cwd=shop,
                           env=env(address, AWS_CA_BUNDLE=str(authority / "ca.pem")))
    assert (result.code, result.out) == (0, "Deploy\n"), result
    assert len(world.assumed()) == 1


def test_an_authority_of_the_machine_is_trusted(world, shop, address, authority):
    """Where a machine keeps its own is told by SSL_CERT_FILE, as OpenSSL and others read it."""
    result = world.awsrole("exec", "--", "true", cwd=shop, env=env(address, SSL_CERT_FILE=str(authority / "ca.pem")))
    assert result.code == 0, result
    assert len(world.assumed()) == 1


def test_an_unknown_authority_is_refused_before_anything_is_sent(world, shop, address):
    result = world.awsrole("exec", "--", "true", cwd=shop, env=env(address))
    assert result.code == 4 and "certificate" in result.err and "AWS_CA_BUNDLE" in result.err
    assert world.sts.calls() == []


@pytest.fixture
def bare(world):
    """The environment of a container without ca-certificates."""
    return {"SSL_CERT_FILE": str(world.write("none.pem", "")), "SSL_CERT_DIR": str(world.home / "none")}


def test_a_machine_without_authorities_trusts_no_server(world, shop, address, bare):
    result = world.awsrole("exec", "--", "true", cwd=shop, env=env(address, **bare))
    assert result.code == 4 and "this machine has no certificates of authorities" in result.err, result
    assert "ca-certificates" in result.err and "AWS_CA_BUNDLE" in result.err
    assert world.sts.calls() == []


def test_a_machine_without_authorities_trusts_those_of_ca_bundle(world, shop, address, authority, bare):
    result = world.awsrole("exec", "--", "true", cwd=shop, env=env(address, AWS_CA_BUNDLE=str(authority / "ca.pem"), **bare))
    assert result.code == 0, result


def test_the_machines_authorities_are_read_once(world, shop, address, authority):
    trace = world.home / "trace"
    wrapper = (need("strace"), "-f", "-e", "trace=openat", "-o", trace)
    bundle = authority / "ca.pem"
    result = world.awsrole("exec", "--", "true", cwd=shop, env=env(address, SSL_CERT_FILE=str(bundle)), wrapper=wrapper)
    assert result.code == 0, result
    assert trace.read_text().count(os.fspath(bundle)) == 1
