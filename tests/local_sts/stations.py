"""The local STS and ministack behind a common interface, with the same users and roles."""

from __future__ import annotations

import datetime
import itertools
import json
import os
import re
import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass
from unittest import mock

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from rules import DEVICE_USERS, FIXTURE, HOME, role_arn

from support.local_sts import LocalSts
from support.ministack import MinistackServer

IDENTITY = "Action=GetCallerIdentity&Version=2011-06-15"
QUIET = Config(parameter_validation=False, retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    """An error code, or `OK`, the message, and the response."""

    code: str
    text: str
    content: dict


class Station:
    """A server that a rule calls. `strict` is true if it checks one-time codes."""

    strict: bool
    url: str

    def __init__(self) -> None:
        self._devices = itertools.cycle(DEVICE_USERS[1:])

    def keys(self, name: str) -> tuple[str, str]:
        raise NotImplementedError

    def serial(self, name: str) -> str:
        raise NotImplementedError

    def code(self, name: str) -> str:
        raise NotImplementedError

    def wrong_code(self) -> str:
        """Returns six digits that are neither the current nor an adjacent code of holder0."""
        raise NotImplementedError

    def client(self, credentials: str | tuple, service: str = "sts"):
        keys = self.keys(credentials) if isinstance(credentials, str) else credentials
        token = keys[2] if len(keys) > 2 else None
        return boto3.client(service, endpoint_url=self.url, region_name="us-east-1", config=QUIET,
                            aws_access_key_id=keys[0], aws_secret_access_key=keys[1], aws_session_token=token)

    def _ask(self, credentials: str | tuple, operation: str, service: str = "sts", **parameters: object) -> Answer:
        try:
            return Answer("OK", "", getattr(self.client(credentials, service), operation)(**parameters))
        except ClientError as error:
            return Answer(error.response["Error"]["Code"], error.response["Error"].get("Message", ""), {})

    def identity(self, credentials: str | tuple) -> Answer:
        return self._ask(credentials, "get_caller_identity")

    def assume(self, caller: str | tuple, role: str, account: str = HOME, session: str = "s1", **more) -> Answer:
        return self.assume_arn(caller, role_arn(role, account), session, **more)

    def assume_arn(self, caller: str | tuple, arn: str, session: str = "s1", **more) -> Answer:
        return self._ask(caller, "assume_role", RoleArn=arn, RoleSessionName=session, **more)

    def session_token(self, caller: str | tuple, **more) -> Answer:
        return self._ask(caller, "get_session_token", **more)

    def iam(self, caller: str | tuple, operation: str, parameters: dict | None = None, **more: object) -> Answer:
        return self._ask(caller, operation, "iam", **(parameters or {}), **more)

    def key_info(self, caller: str, key: str) -> Answer:
        return self._ask(caller, "get_access_key_info", AccessKeyId=key)

    def decode(self, caller: str) -> Answer:
        return self._ask(caller, "decode_authorization_message", EncodedMessage="xxxx")

    def must(self, answer: Answer) -> tuple:
        """Returns the credentials of a response. A refusal fails the test here, not in a later step."""
        assert answer.code == "OK", f"a step before the question failed: {answer.code}: {answer.text}"
        return self.credentials(answer)

    @staticmethod
    def credentials(answer: Answer | tuple) -> tuple:
        if isinstance(answer, tuple):
            return answer
        issued = answer.content["Credentials"]
        return issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"]

    def session_of(self, caller: str, role: str, **more) -> tuple:
        return self.must(self.assume(caller, role, **more))

    def fresh_device(self) -> Holder:
        return Holder(self, next(self._devices))

    def raw(self, *, service: str = "sts", skew: int = 0, tamper: bool = False, body: str = IDENTITY,
            drop: bool = False, by: str = "alice") -> Answer:
        """Returns a request that botocore signed and that is then damaged."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        request = AWSRequest("POST", f"{self.url}/", data=body, headers=headers)
        then = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(seconds=skew)
        with mock.patch("botocore.auth.get_current_datetime", lambda *_, **__: then):
            SigV4Auth(Credentials(*self.keys(by)), service, "us-east-1").add_auth(request)
        headers = dict(request.headers.items())
        if drop:
            del headers["Authorization"]
        data = (body + "&X=1" if tamper else body).encode()
        sent = urllib.request.Request(f"{self.url}/", data=data, headers=headers, method="POST")
        try:
            with DIRECT.open(sent, timeout=10) as answer:
                return Answer("OK", "", {"status": answer.status})
        except urllib.error.HTTPError as error:
            text = error.read().decode()
        found = [re.search(rf"<{name}>(.*?)</{name}>", text, re.S) for name in ("Code", "Message")]
        return Answer(*(match.group(1) if match else text for match in found), {})


@dataclass(frozen=True)
class Holder:
    """A user with a device."""

    station: Station
    name: str

    @property
    def serial(self) -> str:
        return self.station.serial(self.name)

    def code(self) -> str:
        return self.station.code(self.name)


class Ours(Station):
    """The local STS."""

    strict = True

    def __init__(self) -> None:
        super().__init__()
        self.server = LocalSts(FIXTURE)
        self.url = self.server.url
        self._users = {entry["name"]: entry for entry in FIXTURE["user"]}

    def keys(self, name: str) -> tuple[str, str]:
        return self._users[name]["access_key_id"], self._users[name]["secret_access_key"]

    def serial(self, name: str) -> str:
        return self._users.get(name, {}).get("mfa_serial", f"arn:aws:iam::{HOME}:mfa/{name}")

    def code(self, name: str) -> str:
        return self.server.unused_totp(name)

    def wrong_code(self) -> str:
        taken = {self.server.totp("holder0", steps) for steps in (-2, -1, 0, 1, 2)}
        return next(code for code in (f"{n:06}" for n in range(6)) if code not in taken)

    def stop(self) -> None:
        self.server.stop()


class Ministack(Station):
    """ministack with its authorization on, filled through its IAM API."""

    strict = False

    def __init__(self, program: str) -> None:
        super().__init__()
        self._server = MinistackServer(program)
        self.url = self._server.url
        try:
            self._keys = self._fill()
        except BaseException:
            self.stop()
            raise

    def _fill(self) -> dict[str, tuple[str, str]]:
        keys = {}
        # An access key ID of twelve digits identifies the root user of that account.
        iam = {account: self.client((account, "test"), "iam")
               for account in {entry["account"] for kind in ("user", "role") for entry in FIXTURE[kind]}}
        for entry in FIXTURE["user"]:
            api, name = iam[entry["account"]], {"UserName": entry["name"]}
            api.create_user(**name)
            if "policy" in entry:
                api.put_user_policy(**name, PolicyName="p", PolicyDocument=json.dumps(entry["policy"]))
            if "mfa_serial" in entry:
                api.create_virtual_mfa_device(VirtualMFADeviceName=entry["name"])
                api.enable_mfa_device(**name, SerialNumber=entry["mfa_serial"], AuthenticationCode1="123456",
                                      AuthenticationCode2="654321")
            issued = api.create_access_key(**name)["AccessKey"]
            keys[entry["name"]] = (issued["AccessKeyId"], issued["SecretAccessKey"])
            if not entry.get("active", True):
                api.update_access_key(**name, AccessKeyId=issued["AccessKeyId"], Status="Inactive")
        for entry in FIXTURE["role"]:
            api, name = iam[entry["account"]], {"RoleName": entry["name"]}
            api.create_role(**name, AssumeRolePolicyDocument=json.dumps(entry["trust"]),
                            MaxSessionDuration=entry.get("max_session_duration", 3600))
            if "policy" in entry:
                api.put_role_policy(**name, PolicyName="p", PolicyDocument=json.dumps(entry["policy"]))
        return keys

    def keys(self, name: str) -> tuple[str, str]:
        return self._keys[name]

    def serial(self, name: str) -> str:
        return f"arn:aws:iam::{HOME}:mfa/{name}"

    def code(self, name: str) -> str:
        return "123456"

    def wrong_code(self) -> str:
        return "000000"

    def stop(self) -> None:
        self._server.stop()


def tool(name: str, why: str) -> str | None:
    """A tool's path; where `CI` is set its absence is a failure, else the caller skips."""
    path = shutil.which(name)
    if path is None and os.environ.get("CI"):
        raise RuntimeError(f"{name} is missing: {why}")
    return path
