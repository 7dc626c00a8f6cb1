"""Helpers for the tests of sources and chains: accounts, and a home directory with profiles."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest

from support import sealed
from support.aws_files import FAR, access_keys, aws_profile
from support.hooked_shell import HookedWorld
from support.local_sts import allow, federated_trust, service_trust, trust
from support.world import ALICE, ANYONE_HERE, BYSTANDER, HERE, THERE

ASSUME = allow(["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"], "*")


def only(*principals: str) -> dict:
    """Returns a trust policy for these roles."""
    return trust(*(f"arn:aws:iam::{principal}" for principal in principals))


CHAIN = {
    "user": [ALICE, BYSTANDER],
    "role": [
        {"name": "Near", "account": HERE, "trust": ANYONE_HERE, "policy": ASSUME, "max_session_duration": 14400},
        {"name": "Far", "account": THERE, "trust": only(f"{HERE}:role/Near"), "policy": ASSUME},
        {"name": "Further", "account": FAR, "trust": only(f"{THERE}:role/Far"), "policy": ASSUME},
        {"name": "Other", "account": THERE, "trust": ANYONE_HERE},
    ],
}

PROVIDER = {"account": THERE, "url": "https://ci.example.com", "client_ids": ["sts.amazonaws.com"]}
PERSON = "ana@example.com"
SSO = 'profile = "sso"\n'
RESERVED = f"{HERE}:role/aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_Admin_0123456789abcdef"
ADMIN = f"arn:aws:sts::{HERE}:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/{PERSON}"
MACHINES = {
    "user": [ALICE, BYSTANDER],
    "role": [
        {"name": "Machine", "account": HERE, "trust": service_trust(), "policy": ASSUME},
        {"name": "Task", "account": HERE, "trust": service_trust("ecs-tasks.amazonaws.com"), "policy": ASSUME},
        {"name": "Ci", "account": THERE, "trust": federated_trust(PROVIDER), "policy": ASSUME},
        {"name": "Deploy", "account": THERE, "trust": only(
            f"{HERE}:root", f"{HERE}:role/Machine", f"{HERE}:role/Task", f"{THERE}:role/Ci", RESERVED)},
    ],
    "instance": {"role": "Machine", "account": HERE, "instance_id": "i-0123456789abcdef0"},
    "container": {"role": "Task", "account": HERE, "token": "Basic token-of-the-task", "path": "/task"},
    "oidc_provider": [PROVIDER],
    "sso_assignment": [{"user": PERSON, "account": HERE, "role": "Admin", "start_url": "https://corp.example.com/start",
                        "region": "eu-central-1", "policy": ASSUME}],
}


class SourceWorld(HookedWorld):
    """A home directory without an MFA device. `jump` has alice's keys, and [default] those of a bystander, so that a
    fallback is detected.
    """

    def __init__(self, root: Path, fixture: dict):
        super().__init__(root, fixture)
        self.write(".aws/config", aws_profile("jump", endpoint_url=self.sts.url))
        self.write(".aws/credentials", access_keys(default=BYSTANDER, jump=ALICE))

    @property
    def env(self) -> dict[str, str]:
        """Returns variables with all endpoints."""
        return {"AWS_ENDPOINT_URL": self.sts.url}

    def config(self, text: str) -> None:
        """Adds profiles to ~/.aws/config."""
        path = self.home / ".aws/config"
        path.write_text(path.read_text() + text)

    def who(self, folder: Path, *options: object, env: dict[str, str] | None = None) -> str:
        """Returns the identity of a command under `awsrole exec`, from `aws` itself."""
        held = self.exec_env(folder, *options, env=self.env | (env or {}))
        return caller(self.sts, held)

    def refused(self, folder: Path, code: int = 4, env: dict[str, str] | None = None, **options: object) -> str:
        """Returns the message of `awsrole exec`, which must not run the command."""
        result = self.awsrole("exec", "--", "echo", "ran", cwd=folder, env=self.env | (env or {}), **options)
        assert (result.code, result.out) == (code, ""), result
        assert_no_secret(self, result.err)
        return result.err

    def callers(self) -> list[tuple[str, str]]:
        """Returns caller and role of each AssumeRole call."""
        return [(name(call["caller_arn"]), name(call["role_arn"])) for call in self.sts.calls("AssumeRole")]

    def aws(self, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
        """The AWS CLI, version 1: what Debian packages as version 2 ignores AWS_ENDPOINT_URL and would call AWS."""
        program = shutil.which("aws")
        if program is None or not cli_version(program).startswith("aws-cli/1."):
            pytest.skip("the AWS CLI, version 1, isn't there")
        env = self.environment(**{"AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"} | self.env | (env or {}))
        return subprocess.run([program, *words], env=env, cwd=self.home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def by_cli(self, profile: str, env: dict[str, str] | None = None) -> str:
        """Returns the identity of the AWS CLI with a profile."""
        done = self.aws("sts", "get-caller-identity", "--query", "Arn", "--output", "text", "--profile", profile, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def program(self, text: str, name: str = "program") -> Path:
        """Creates a program of the user. Each start adds a line to `NAME.starts`."""
        path = self.write(name, f"#!/bin/sh\necho x >> '{self.home}/{name}.starts'\n{text}\n")
        path.chmod(0o755)
        return path

    def starts(self, name: str = "program") -> int:
        path = self.home / f"{name}.starts"
        return path.read_text().count("x") if path.exists() else 0

    def forget(self, role: str) -> None:
        """Removes a role's session from the cache."""
        [path] = [path for path in self.entries() if f":assumed-role/{role}/" in sealed.read(path)["arn"]]
        path.unlink()


@contextmanager
def liar(honest: str, lie):
    """Starts a server that passes requests on to a correct one, and the JSON of the response to `lie`. Returns its
    address.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            passed = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
            request = urllib.request.Request(honest + self.path, body or None, passed, method=self.command)
            try:
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
                    status, body = 200, json.dumps(lie(json.load(answer))).encode()
            except urllib.error.HTTPError as refusal:
                status, body = refusal.code, refusal.read()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@functools.cache
def cli_version(program: str) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, env={"PATH": os.environ["PATH"]}).stdout


def name(arn: str | None) -> str:
    """Returns the last part of an ARN. For a session it is the role's name."""
    path = (arn or "-").split(":")[-1].split("/")
    return path[1] if path[0] == "assumed-role" else path[-1]


def caller(sts, held: dict[str, str]) -> str:
    """Returns the identity of a client with these variables."""
    client = boto3.client("sts", endpoint_url=sts.url, region_name="us-east-1", aws_access_key_id=held["AWS_ACCESS_KEY_ID"],
                          aws_secret_access_key=held["AWS_SECRET_ACCESS_KEY"], aws_session_token=held["AWS_SESSION_TOKEN"])
    return client.get_caller_identity()["Arn"]


def keys_json(person: dict, **more: object) -> str:
    """Returns the output of a credential_process."""
    return json.dumps({"Version": 1, "AccessKeyId": person["access_key_id"], "SecretAccessKey": person["secret_access_key"], **more})


def foreign_session(place: SourceWorld, name: str = "bystander") -> dict[str, str]:
    """Returns a user's session in the format of metadata and container endpoints, by default that of the bystander."""
    person = {"alice": ALICE, "bystander": BYSTANDER}[name]
    client = boto3.client("sts", endpoint_url=place.sts.url, region_name="us-east-1", aws_access_key_id=person["access_key_id"],
                          aws_secret_access_key=person["secret_access_key"])
    given = client.get_session_token()["Credentials"]
    place.secrets |= {given["SecretAccessKey"], given["SessionToken"]}
    place.sts.reset()
    return {"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": given["AccessKeyId"], "SecretAccessKey": given["SecretAccessKey"],
            "Token": given["SessionToken"], "Expiration": given["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ")}


def assert_no_secret(place: SourceWorld, text: str) -> None:
    assert not any(secret in text for secret in place.secrets)


def sign_in(place: SourceWorld, *, session: str | None = "corp", scopes: tuple[str, ...] = ("sso:account:access",),
            expired: bool = False) -> Path:
    """Writes the files of `aws sso login`."""
    token = place.sts.sso_sign_in(scopes=scopes)
    place.secrets |= {token["accessToken"], token["clientSecret"], token.get("refreshToken", token["accessToken"])}
    path = place.sts.write_sso_cache(place.home, token, session=session, expired=expired)
    place.sts.reset()
    return path
