"""Tests the static x86_64 programs where nothing but themselves can help them: no C library, no Rust, no resolver."""

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from support.bare import Busybox, Debian, works
from support.file_server import serve_files
from support.name_server import serve_name
from support.terminal import need
from support.tls import https_front, new_authority, new_server

pytestmark = pytest.mark.musl
ROOT = Path(__file__).resolve().parents[2]
NAME, RESOLVER = "sts.example.test", "127.0.0.53"
# Where Debian and Alpine have the system's CA bundle.
BUNDLES = {Debian: "etc/ssl/certs/ca-certificates.crt", Busybox: "etc/ssl/cert.pem"}


@pytest.fixture
def remote(world, tmp_path):
    """An STS that is reached by HTTPS and by a name of DNS. Yields its CA's certificate and the DNS queries."""
    authority = tmp_path / "authority"
    authority.mkdir()
    certificate = new_authority(authority, "authority")
    new_server(authority, f"DNS:{NAME}")
    config = world.home / ".aws/config"
    with https_front(authority, int(world.sts.url.rsplit(":", 1)[1])) as port, serve_name(NAME, RESOLVER) as queries:
        config.write_text(config.read_text().replace(world.sts.url, f"https://{NAME}:{port}"))
        yield certificate, queries


@pytest.mark.parametrize("kind", [Debian, Busybox])
def test_from_the_installer_to_a_role(kind, release, remote, world, tmp_path, capsys):
    certificate, queries = remote
    root = kind(tmp_path / "root")
    shutil.copy(need("busybox"), root.root / "usr/local/bin/wget")
    (root.root / "etc/resolv.conf").write_text(f"nameserver {RESOLVER}\n")
    bundle = root.root / BUNDLES[kind]
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_text(certificate)
    files = tmp_path / "files"
    shutil.copytree(release, files)
    shutil.copy(ROOT / "packaging/install.sh", files)
    started = time.monotonic()
    with serve_files(files) as url:
        root.run("sh", "-c", f"wget -q -O - {url}/install.sh | sh -s -- --from {url} --to /usr/local/bin")
    installed = time.monotonic()
    works(root.use(world))
    assert queries and len(world.assumed()) >= 1
    with capsys.disabled():
        print(f"\n{kind.__name__}: installed in {installed - started:.1f} s, a role after {time.monotonic() - installed:.1f} s more")
    root.run("sh", "-c", "/usr/local/bin/awsrole --version")


def test_programs_are_static_and_of_one_build(release, tmp_path):
    [tarball] = release.glob("awsrole-*-x86_64-unknown-linux-musl.tar.gz")
    subprocess.run(["tar", "-xzf", tarball, "-C", tmp_path, "--strip-components=1"], check=True)
    versions = []
    for name in ("awsrole", "awsrole-hook"):
        program = tmp_path / "bin" / name
        headers = subprocess.run([need("readelf"), "--wide", "--program-headers", "--dynamic", program], check=True, capture_output=True,
                                 text=True).stdout
        assert "INTERP" not in headers and "(NEEDED)" not in headers
        version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
        versions.append(re.fullmatch(rf"{name} \S+ \(([0-9a-f]{{12}}(?:-modified)?), protocol \d+\)\n", version)[1])
    assert versions[0] == versions[1]
