"""A DNS server that knows one name."""

import contextlib
import socketserver
import struct
import threading


def answer(query: bytes, name: str) -> bytes:
    """Returns the response of RFC 1035: 127.0.0.1 for the name, no record for its other types, NXDOMAIN for others."""
    end, labels = 12, []
    while length := query[end]:
        labels.append(query[end + 1:end + 1 + length].decode())
        end += 1 + length
    question = query[12:end + 5]
    kind = struct.unpack("!H", question[-4:-2])[0]
    known = ".".join(labels).lower() == name
    has_address = known and kind == 1
    flags = 0x8180 | (0 if known else 3)
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes((127, 0, 0, 1)) if has_address else b""
    return query[:2] + struct.pack("!HHHHH", flags, 1, int(has_address), 0, 0) + question + record


@contextlib.contextmanager
def serve_name(name: str, address: str):
    """Answers queries on port 53 of a loopback address. Yields the list of the queries so far."""
    queries: list[bytes] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            query, server = self.request
            queries.append(query)
            server.sendto(answer(query, name), self.client_address)

    with socketserver.UDPServer((address, 53), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield queries
        server.shutdown()
