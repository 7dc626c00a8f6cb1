"""A CA of the tests, and an HTTPS server in front of a server that speaks HTTP."""

import contextlib
import socket
import ssl
import subprocess
import threading
from pathlib import Path

from support.terminal import need


def openssl(folder: Path, words: str) -> None:
    subprocess.run([need("openssl"), *words.split()], cwd=folder, check=True, capture_output=True)


def new_authority(folder: Path, name: str) -> str:
    """Creates a CA with a name: `ca.key` and `ca.pem`. Returns the certificate."""
    openssl(folder, "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 "
                    f"-subj /CN={name}")
    return (folder / "ca.pem").read_text()


def new_server(folder: Path, names: str) -> None:
    """Creates the key and certificate of a server, signed by the CA in the same folder: `server.key`, `server.pem`."""
    (folder / "names").write_text(f"subjectAltName={names}\n")
    for words in (
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=server",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names",
    ):
        openssl(folder, words)


def _pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        sink.close()


def _serve(listener, context, behind):
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
            threading.Thread(target=_pump, args=pair, daemon=True).start()


@contextlib.contextmanager
def https_front(folder: Path, port: int):
    """Terminates TLS with the server's certificate in a folder. Every connection is passed on to a port, byte for byte.
    Yields the port of the front on 127.0.0.1.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, context, ("127.0.0.1", port)), daemon=True).start()
        yield listener.getsockname()[1]
