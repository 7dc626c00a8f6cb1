"""Gets the roles of an instance and of containers at AWS's own addresses while a proxy is set, and prints the
identities.

It needs a network of its own (`unshare --net`), where it may take these addresses. test_proxies.py starts it.
"""

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

from source_fixtures import MACHINES, SourceWorld, foreign_session

from support.proxy import Proxy

TOKEN = {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic token-of-the-task"}
CASES = {
    "IMDS": ("Ec2InstanceMetadata", {}),
    "IMDS by IPv6": ("Ec2InstanceMetadata", {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://[fd00:ec2::254]"}),
    "IMDS by its mode": ("Ec2InstanceMetadata", {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}),
    "ECS": ("EcsContainer", {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/task"}),
    "ECS by its whole address": ("EcsContainer", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/task"}),
    "EKS": ("EcsContainer", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/task"}),
    "EKS by IPv6": ("EcsContainer", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[fd00:ec2::23]/task"}),
}
ADDRESSES = ("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23")


def relay(address: str, port: int) -> None:
    """Forwards port 80 of an address to a port of this machine."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve(listener):
        while True:
            front = listener.accept()[0]
            back = socket.create_connection(("127.0.0.1", port))
            for pair in ((front, back), (back, front)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    listener = socket.create_server((address, 80), family=family)
    threading.Thread(target=serve, args=(listener,), daemon=True).start()


def main(root: Path) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in ADDRESSES:
        more = ["/128", "nodad"] if ":" in address else ["/32"]
        subprocess.run(["ip", "address", "add", address + more[0], "dev", "lo", *more[1:]], check=True)
    with SourceWorld(root, MACHINES) as place, Proxy(foreign_session(place)) as proxy:
        for address in ADDRESSES:
            relay(address, place.sts.port)
        became = {}
        for number, (name, (kind, env)) in enumerate(CASES.items()):
            folder = place.project(f"p{number}", f'credential_source = "{kind}"\n', allow=True)
            more = TOKEN if kind == "EcsContainer" else {}
            became[name] = place.who(folder, env=env | more | proxy.everywhere)
            # The next one must ask, too.
            for entry in place.entries():
                entry.unlink()
        print(json.dumps({"became": became, "proxy": proxy.asked, "connections": proxy.connections}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
