"""Helpers for tests of sources: new botocore sessions in a given environment, and manual HTTP requests."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import botocore.session
import pytest
from botocore.exceptions import ClientError
from stations import tool

ACCOUNT = "111111111111"


@contextlib.contextmanager
def surroundings(environment: dict[str, str]) -> Iterator[None]:
    """Sets the environment of this process, which botocore reads."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def who_am_i(environment: dict[str, str], profile: str | None = None) -> str:
    """Returns the ARN of the identity that botocore's default chain finds."""
    with surroundings(environment):
        session = botocore.session.Session(profile=profile)
        return session.create_client("sts").get_caller_identity()["Arn"]


def cli(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess:
    """Runs AWS CLI v1; Debian's v2 ignores AWS_ENDPOINT_URL and would call AWS."""
    program = tool("aws", "pip install awscli")
    if program is None:
        pytest.skip("the AWS CLI is not installed: pip install awscli")
    version = subprocess.run([program, "--version"], env=environment, capture_output=True, text=True)
    if not version.stdout.startswith("aws-cli/1."):
        pytest.skip(f"only version 1 from PyPI is safe here, not {version.stdout}")
    return subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, timeout=60)


def cli_arn(environment: dict[str, str], *arguments: str) -> str:
    """Returns the ARN that `aws sts get-caller-identity` prints."""
    done = cli(environment, "sts", "get-caller-identity", "--query", "Arn", "--output", "text", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def http(method: str, url: str, body: dict | None = None, **headers: str) -> tuple[int, str, dict[str, str]]:
    """Makes a request and returns status, body and headers. `_` in a header's name becomes `-`. It follows no redirect.
    """
    data = None if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=data, method=method, headers=named)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay())
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)


def code_of(call: Callable, **arguments: object) -> str:
    """Returns the code of the error with which a call must fail."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def who_am_i_apart(environment: dict[str, str], profile: str) -> tuple[str, str]:
    """Returns the ARN that boto3 finds in a separate process with its own HOME, and its output on stderr."""
    program = f"import boto3; print(boto3.Session(profile_name={profile!r}).client('sts').get_caller_identity()['Arn'])"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    return done.stdout.strip(), done.stderr
