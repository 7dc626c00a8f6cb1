"""Tests real TLS connections: which servers awsrole trusts."""

import os
import re

import pytest

from support import other
from support.aws_files import role_file
from support.terminal import need
from support.tls import https_front, new_authority, new_server
from support.world import THERE


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A CA of the tests, and a server's key and certificate that it signed."""
    folder = tmp_path_factory.mktemp("authority")
    new_authority(folder, "authority")
    new_server(folder, "IP:127.0.0.1")
    return folder


@pytest.fixture
def address(world, authority):
    """Returns the HTTPS URL of the local STS. Every connection is passed on, byte for byte."""
    with https_front(authority, int(world.sts.url.rsplit(":", 1)[1])) as port:
        yield f"https://127.0.0.1:{port}"


def env(address, **more):
    return {"AWS_ENDPOINT_URL": address, "AWS_ENDPOINT_URL_STS": address, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "", **more}


@pytest.fixture
def shop(world):
    """A project whose profiles name no endpoint."""
    config = world.home / ".aws/config"
    config.write_text("".join(line for line in config.read_text().splitlines(True) if "services = local" not in line))
    return world.project("shop", role_file("Deploy"), allow=True)


def test_an_authority_of_ca_bundle_is_trusted(world, shop, address, authority):
    result = world.awsrole("exec", "--", "sh", "-c", "echo $AWSROLE_ROLE", cwd=shop,
                           env=env(address, AWS_CA_BUNDLE=str(authority / "ca.pem")))
    assert (result.code, result.out) == (0, "Deploy\n"), result
    assert len(world.assumed()) == 1


def test_an_authority_of_the_machine_is_trusted(world, shop, address, authority):
    """SSL_CERT_FILE names the system's CA bundle, as for OpenSSL and other programs."""
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
    assert result.code == 4 and "this machine has no CA certificates" in result.err, result
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


class Machine:
    """A system with these CA certificates for one process: in its bundle, and in its directory."""

    def __init__(self, folder, *, file, others=()):
        self.folder = folder
        folder.mkdir()
        (folder / "ca-certificates.crt").write_text(file)
        for number, pem in enumerate(others):
            (folder / f"{number:08x}.0").write_text(pem)

    def run(self, world, shop, **env):
        """Makes a call, and returns the files that were read and the result."""
        trace = self.folder.with_suffix(".trace")
        wrapper = (*other.mounted_over(self.folder, "/etc/ssl/certs"), need("strace"), "-f", "-e", "trace=openat", "-o", trace)
        result = world.awsrole("exec", "--", "true", cwd=shop, env=env, wrapper=wrapper)
        read = re.findall(r'"/etc/ssl/certs/([^"]+)"', trace.read_text())
        return sorted(read), result


@pytest.fixture(scope="module")
def another(tmp_path_factory):
    """A CA that didn't sign the server's certificate."""
    return new_authority(tmp_path_factory.mktemp("another"), "another")


def test_for_a_server_that_the_file_vouches_for_no_other_is_read(world, shop, address, authority, another, tmp_path):
    ours = (authority / "ca.pem").read_text()
    machine = Machine(tmp_path / "machine", file=another + ours, others=[another, ours])
    read, result = machine.run(world, shop, **env(address))
    assert result.code == 0, result
    assert read == ["ca-certificates.crt"]


@pytest.mark.parametrize("file", ["another", "nothing", "broken"])
def test_an_authority_in_the_folder_alone_is_trusted(world, shop, address, authority, another, tmp_path, file):
    file = {"another": another, "nothing": "", "broken": another.replace("MII", "MIJ", 1)}[file]
    machine = Machine(tmp_path / "machine", file=file, others=[another, (authority / "ca.pem").read_text()])
    read, result = machine.run(world, shop, **env(address))
    assert result.code == 0, result
    assert set(read) == {"ca-certificates.crt", "00000000.0", "00000001.0"}
    assert len(world.assumed()) == 1, "asked once, over the connection that is trusted"


@pytest.fixture(scope="module")
def namesake(tmp_path_factory):
    """A CA with the same name as the server's CA but another key, as before its renewal."""
    return new_authority(tmp_path_factory.mktemp("namesake"), "authority")


def test_an_authority_whose_older_key_is_in_the_file(world, shop, address, authority, namesake, tmp_path):
    ours = (authority / "ca.pem").read_text()
    machine = Machine(tmp_path / "machine", file=namesake, others=[namesake, ours])
    _, result = machine.run(world, shop, **env(address))
    assert result.code == 0, result
    assert len(world.assumed()) == 1


def test_ca_bundle_replaces_the_machines_authorities(world, shop, address, authority, another, tmp_path):
    ours = (authority / "ca.pem").read_text()
    machine = Machine(tmp_path / "machine", file=ours, others=[ours])
    (tmp_path / "another.pem").write_text(another)
    read, result = machine.run(world, shop, **env(address, AWS_CA_BUNDLE=str(tmp_path / "another.pem")))
    assert result.code == 4 and "only the certificates in" in result.err and "AWS_CA_BUNDLE" in result.err, result
    assert read == [] and world.sts.calls() == []
    for failure in world.entries("failure"):
        failure.unlink()
    read, result = machine.run(world, shop, **env(address, AWS_CA_BUNDLE=str(authority / "ca.pem")))
    assert result.code == 0 and read == [], result


CORPORATE = f'''
[profile corporate]
role_arn = arn:aws:iam::{THERE}:role/Deploy
source_profile = jump
ca_bundle = BUNDLE
'''


def add_profile(world, text):
    config = world.home / ".aws/config"
    # Its profiles name the STS without TLS.
    config.write_text("".join(line for line in config.read_text().splitlines(True) if "services = local" not in line) + text)


@pytest.mark.parametrize(("of_profile", "variables", "trusted"), [
    ("ca.pem", {}, True),
    ("another.pem", {}, False),
    ("another.pem", {"AWS_CA_BUNDLE": "ca.pem"}, True),
    ("ca.pem", {"AWS_CA_BUNDLE": "another.pem"}, False),
    (None, {"REQUESTS_CA_BUNDLE": "ca.pem"}, True),
    ("another.pem", {"REQUESTS_CA_BUNDLE": "ca.pem"}, False),
    ("ca.pem", {"REQUESTS_CA_BUNDLE": "another.pem"}, True),
    (None, {"REQUESTS_CA_BUNDLE": "another.pem", "AWS_CA_BUNDLE": "ca.pem"}, True),
])
def test_certificates_are_chosen_as_by_boto3(world, address, authority, another, tmp_path, of_profile, variables, trusted):
    (tmp_path / "another.pem").write_text(another)
    places = {"ca.pem": str(authority / "ca.pem"), "another.pem": str(tmp_path / "another.pem")}
    config = CORPORATE.replace("BUNDLE", places[of_profile]) if of_profile else CORPORATE.replace("ca_bundle = BUNDLE\n", "")
    add_profile(world, config)
    folder = world.project("corporate", 'profile = "corporate"\n', allow=True)
    variables = env(address, **{name: places[file] for name, file in variables.items()})
    result = world.awsrole("exec", "--", "sh", "-c", "echo $AWS_CA_BUNDLE", cwd=folder, env=variables)
    assert (result.code == 0) == trusted, result
    if trusted:
        # What the hidden profile says is said to the tools inside.
        assert result.out.strip() == variables.get("AWS_CA_BUNDLE", places.get(of_profile, ""))
    else:
        assert result.code == 4 and "certificate" in result.err
    code = "import boto3; boto3.Session(profile_name='corporate', region_name='us-east-1').client('sts').get_caller_identity()"
    theirs = world.run("python", "-c", code, env=variables | {"AWS_MAX_ATTEMPTS": "1"})
    assert (theirs.code == 0) == trusted, theirs
    assert trusted or "CERTIFICATE_VERIFY_FAILED" in theirs.err


def test_a_profiles_bundle_that_can_not_be_used_is_named_with_its_line(world, address):
    add_profile(world, CORPORATE.replace("BUNDLE", "/home/nobody/ca.pem"))
    folder = world.project("corporate", 'profile = "corporate"\n', allow=True)
    result = world.awsrole("exec", "--", "true", cwd=folder, env=env(address))
    place = f"{world.home}/.aws/config:{(world.home / '.aws/config').read_text().splitlines().index('ca_bundle = /home/nobody/ca.pem') + 1}"
    assert result.code == 4 and f"{place}: ca_bundle /home/nobody/ca.pem can't be read" in result.err, result
    assert "HTTPS_PROXY" not in result.err and world.sts.calls() == []


def test_a_server_for_which_nobody_vouches_is_refused(world, shop, address, another, tmp_path):
    machine = Machine(tmp_path / "machine", file=another, others=[another])
    read, result = machine.run(world, shop, **env(address))
    assert result.code == 4 and "certificate" in result.err and "AWS_CA_BUNDLE" in result.err
    assert "no CA certificates" not in result.err
    assert world.sts.calls() == []
