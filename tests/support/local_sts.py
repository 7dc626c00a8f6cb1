"""Starts the strict local STS for a test and talks to its control endpoints.

A module without pytest, so that a demo or a shell driver can use it, too.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

BASE_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH")


def clean_environment(**more: str) -> dict[str, str]:
    """Returns an environment for a child, without AWS_* and proxies of the caller."""
    kept = {name: os.environ[name] for name in BASE_ENVIRONMENT if name in os.environ}
    return {**kept, **more}


def binary(name: str = "awsrole-local-sts") -> Path:
    """Returns the path of a binary of this workspace. The error for a missing one says how to build it."""
    directory = os.environ.get("AWSROLE_TEST_BIN_DIR")
    if not directory:
        raise RuntimeError("set AWSROLE_TEST_BIN_DIR to the directory that holds awsrole-local-sts")
    path = Path(directory) / name
    if not path.is_file():
        raise RuntimeError(f"{path} is missing: run `cargo build -p awsrole-local-sts`")
    return path


def to_toml(fixture: dict) -> str:
    """Converts a fixture to TOML. Dicts become tables, lists become arrays of tables. Policies may be dicts or lists of
    dicts.
    """
    tables = {kind: entry for kind, entry in fixture.items() if isinstance(entry, (dict, list))}
    lines = [f"{key} = {_value(value)}" for key, value in fixture.items() if key not in tables]
    for kind, entries in tables.items():
        for entry in entries if isinstance(entries, list) else [entries]:
            lines.append(f"[[{kind}]]" if isinstance(entries, list) else f"[{kind}]")
            lines += [f"{key} = {_value(value)}" for key, value in entry.items()]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, dict):
        value = json.dumps(value)
    # Strings, booleans and integers of JSON are valid in TOML.
    return json.dumps(value)


def user(name: str, account: str = "111111111111", **more: object) -> dict:
    """Returns a user whose key is derived from account and name. It has AWS's format, and is the same in every run."""
    tail = base64.b32encode(hashlib.sha256(f"{account}/{name}".encode()).digest()).decode()
    return {
        "name": name,
        "account": account,
        "access_key_id": "AKIA" + tail[:16],
        "secret_access_key": (f"{name}/{account}+" + "s3cr3t" * 7)[:40],
        **more,
    }


def trust(*principals: str, condition: dict | None = None, actions: list[str] | str = "sts:AssumeRole") -> dict:
    """Returns a trust policy that allows `actions` to `principals`, under `condition`."""
    return _trust({"AWS": list(principals)}, actions, condition)


def service_trust(service: str = "ec2.amazonaws.com") -> dict:
    """Returns a trust policy for the role of an instance, or of a container with `ecs-tasks.amazonaws.com`."""
    return _trust({"Service": service}, "sts:AssumeRole", None)


def federated_trust(provider: dict, condition: dict | None = None) -> dict:
    """Returns a trust policy for identity tokens of an `oidc_provider` entry, under `condition`."""
    arn = f"arn:aws:iam::{provider['account']}:oidc-provider/{provider['url'].removeprefix('https://')}"
    return _trust({"Federated": arn}, "sts:AssumeRoleWithWebIdentity", condition)


def _trust(principal: dict, actions: list[str] | str, condition: dict | None) -> dict:
    statement = {"Effect": "Allow", "Principal": principal, "Action": actions}
    if condition:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


def allow(actions: list[str] | str, resources: list[str] | str, **more: object) -> dict:
    """Returns an identity policy with one Allow statement."""
    statement = {"Effect": "Allow", "Action": actions, "Resource": resources, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


class LocalSts:
    """A running local STS. Use it as a context manager, or call `stop()`.

    It also ends by itself when this process does, since its stdin is a pipe that we hold.
    """

    def __init__(self, fixture: dict | str, *, port: int = 0, environment: dict[str, str] | None = None):
        self._directory = tempfile.TemporaryDirectory(prefix="local-sts-")
        self._fixture = fixture if isinstance(fixture, dict) else {}
        path = Path(self._directory.name) / "fixture.toml"
        path.write_text(fixture if isinstance(fixture, str) else to_toml(fixture))
        self._stderr = open(Path(self._directory.name) / "stderr", "w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [binary(), path, "--port", str(port), "--until-stdin-closes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=environment if environment is not None else clean_environment(),
            text=True,
        )
        # It prints one line when it listens, and nothing if it failed.
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            self._process.wait()
            self._stderr.seek(0)
            message = self._stderr.read()
            self.stop()
            raise RuntimeError(f"the local STS did not start: {message}")

    def __enter__(self) -> LocalSts:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def environment(self, who: dict | None = None, **more: str) -> dict[str, str]:
        """Returns an environment in which every AWS tool calls this server, with the long-term keys of `who` if given.
        """
        keys = {} if who is None else {
            "AWS_ACCESS_KEY_ID": who["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": who["secret_access_key"],
        }
        here = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
        }
        return clean_environment(**{**here, **keys, **more})

    def instance_environment(self, **more: str) -> dict[str, str]:
        """Returns an environment of the fixture's `[instance]`: no keys, and its metadata service."""
        metadata = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url}
        return self.environment(**{**metadata, **more})

    def container_environment(self, token_file: Path | None = None, **more: str) -> dict[str, str]:
        """Returns an environment of the fixture's `[container]`. The token is written to `token_file` if given, as in
        EKS.
        """
        container = self._fixture["container"]
        here = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": self.url + container["path"]}
        if token_file is None:
            here["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = container["token"]
        else:
            token_file.write_text(container["token"])
            here["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = str(token_file)
        return self.environment(**{**here, **more})

    def web_identity_environment(self, token_file: Path, role_arn: str, **more: str) -> dict[str, str]:
        """Returns an environment as in a CI job with OIDC. If `token_file` doesn't exist, a token is written to it."""
        if not token_file.exists():
            token_file.write_text(self.id_token())
        here = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file), "AWS_ROLE_ARN": role_arn}
        return self.environment(**{**here, **more})

    def id_token(self, **order: object) -> str:
        """Returns an identity token of an `oidc_provider`. crates/local-sts/README.md lists the keys of `order`."""
        return self._control("POST", "id-token", order)["token"]

    def sso_environment(self, home: Path, **more: str) -> dict[str, str]:
        """Returns an environment for `home`, with its `.aws/config` and `.aws/sso/cache`."""
        here = {"HOME": str(home), "AWS_CONFIG_FILE": str(home / ".aws/config"), "XDG_CACHE_HOME": str(home / ".cache")}
        return self.environment(**{**here, **more})

    def write_sso_config(self, home: Path, assignment: dict | None = None, more: str = "") -> None:
        """Writes `home`'s config: profile `sso` with `[sso-session corp]`, and profile `legacy` with its own start URL.
        """
        wanted = assignment or self._fixture["sso_assignment"][0]
        where = f"sso_start_url = {wanted['start_url']}\nsso_region = {wanted.get('region', 'us-east-1')}\n"
        role = f"sso_account_id = {wanted['account']}\nsso_role_name = {wanted['role']}\n"
        scopes = "sso_registration_scopes = sso:account:access\n"
        profiles = f"[profile sso]\nsso_session = corp\n{role}[profile legacy]\n{where}{role}"
        config = f"[sso-session corp]\n{where}{scopes}{profiles}"
        (home / ".aws").mkdir(parents=True, exist_ok=True)
        (home / ".aws/config").write_text(config + more)

    def sso_sign_in(self, user: str | None = None, scopes: tuple[str, ...] = ("sso:account:access",)) -> dict:
        """Signs in by device code, and returns the token as the AWS CLI caches it. Without scopes it cannot be
        refreshed.
        """
        wanted = next(one for one in self._fixture["sso_assignment"] if user in (None, one["user"]))
        registration = {"clientName": "tests", "clientType": "public", "scopes": list(scopes)}
        client = self._post("/client/register", registration)
        named = {"clientId": client["clientId"], "clientSecret": client["clientSecret"]}
        device = self._post("/device_authorization", {**named, "startUrl": wanted["start_url"]})
        self.approve(device["userCode"], user)
        grant = {"grantType": "urn:ietf:params:oauth:grant-type:device_code", "deviceCode": device["deviceCode"]}
        token = self._post("/token", {**named, **grant})
        now = datetime.datetime.now(datetime.UTC)
        refresh = {"refreshToken": token["refreshToken"]} if "refreshToken" in token else {}
        registered_until = datetime.datetime.fromtimestamp(client["clientSecretExpiresAt"], datetime.UTC)
        return {"startUrl": wanted["start_url"], "region": wanted.get("region", "us-east-1"),
                "accessToken": token["accessToken"], **named, **refresh,
                "expiresAt": _zulu(now + datetime.timedelta(seconds=token["expiresIn"])),
                "registrationExpiresAt": _zulu(registered_until)}

    def write_sso_cache(self, home: Path, token: dict, *, session: str | None = "corp", expired: bool = False) -> Path:
        """Writes the token file of an `[sso-session]`, or of the start URL if that is None. With `expired` the token
        has expired.
        """
        if expired:
            past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
            token = {**token, "expiresAt": _zulu(past)}
        path = self.sso_cache_path(home, session or token["startUrl"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(token))
        return path

    @staticmethod
    def sso_cache_path(home: Path, identifier: str) -> Path:
        """Returns the path of the AWS CLI's token for an `[sso-session]` or a start URL."""
        return home / ".aws/sso/cache" / (hashlib.sha1(identifier.encode()).hexdigest() + ".json")

    def approve(self, user_code: str, user: str | None = None, *, deny: bool = False) -> None:
        """Approves or denies the device that shows `user_code`."""
        self._control("POST", "approve", {"user_code": user_code, "user": user, "deny": deny})

    def browser(self, user: str | None = None, *, deny: bool = False) -> None:
        """Sets the user of the browser, and whether the user denies requests."""
        self._control("POST", "browser", {"user": user, "deny": deny})

    def expire_sso(self, *, refresh: bool = False) -> None:
        """Ends all access tokens of Identity Center. With `refresh` also the refresh tokens."""
        self._control("POST", "expire-sso", {"refresh": refresh})

    def console_session(self, home: Path, login_session: str | None = None, *, expired: bool = False,
                        cross_device: bool = False) -> dict:
        """Writes to `home` the files of `aws login`, for the fixture's first session if none is named, and returns the
        token.

        With `expired` its credentials are over, here and at STS, and only its refresh token helps.
        """
        login_session = login_session or self._fixture["console_session"][0]["login_session"]
        order = {"login_session": login_session, "cross_device": cross_device}
        token = self._control("POST", "console-login", order)
        if expired:
            self.expire(token["accessToken"]["accessKeyId"])
            past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
            token["accessToken"]["expiresAt"] = _zulu(past)
        self.write_console_cache(home, token, login_session)
        return token

    def write_console_cache(self, home: Path, token: dict, login_session: str) -> Path:
        """Writes the token file of a `login_session`, with the mode that `aws login` uses."""
        path = self.console_cache_path(home, login_session)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(token))
        path.chmod(0o600)
        return path

    @staticmethod
    def console_cache_path(home: Path, login_session: str) -> Path:
        """Returns the path at which clients look for the token of a `login_session`."""
        return home / ".aws/login/cache" / (hashlib.sha256(login_session.encode()).hexdigest() + ".json")

    def console_browser(self, login_session: str | None = None, *, deny: bool = False) -> None:
        """Sets the console session of the browser, and whether its user denies requests."""
        self._control("POST", "console-browser", {"login_session": login_session, "deny": deny})

    def end_console(self, error: str = "TOKEN_EXPIRED", login_session: str | None = None) -> int:
        """Ends console sessions, and returns their number. Refreshes then get `error`, TOKEN_EXPIRED or
        USER_CREDENTIALS_CHANGED.
        """
        return self._control("POST", "end-console", {"error": error, "login_session": login_session})["expired"]

    def calls(self, action: str | None = None) -> list[dict]:
        """Returns the calls in their order, all or those of one action."""
        return [call for call in self._control("GET", "calls") if action in (None, call["action"])]

    def counts(self) -> dict[str, int]:
        """Returns the number of calls of each action, and of `connections`."""
        return self._control("GET", "counts")

    def sessions(self) -> dict[str, str]:
        """Returns the owner's ARN of each issued session, by access key ID."""
        return self._control("GET", "sessions")

    def reset(self) -> None:
        """Clears the call log."""
        self._control("DELETE", "calls")

    def fault(self, **fault: object) -> None:
        """Adds a fault. crates/local-sts/README.md lists its keys."""
        self._control("POST", "faults", fault)

    def clear_faults(self) -> None:
        self._control("DELETE", "faults")

    def expire(self, access_key_id: str | None = None) -> int:
        """Expires one issued session, or all, and returns their number."""
        body = {} if access_key_id is None else {"access_key_id": access_key_id}
        return self._control("POST", "expire", body)["expired"]

    def totp(self, name: str, steps: int = 0) -> str:
        """Returns the code of `name`'s authenticator. With `steps` = -1 or 1 it is an adjacent one, which STS also
        accepts.
        """
        return self.authenticator(name, steps)["code"]

    def authenticator(self, name: str, steps: int = 0) -> dict:
        """Returns `{"code", "seconds_left", "used"}` of `name`'s authenticator."""
        return self._control("GET", f"totp?user={name}&steps={steps}")

    def unused_totp(self, name: str) -> str:
        """Returns a code that STS accepts. If all three were used, it waits for the next time step."""
        deadline = time.monotonic() + 35
        while time.monotonic() < deadline:
            for steps in (0, 1, -1):
                shown = self.authenticator(name, steps)
                # The code of the previous step may expire before it is used.
                if not shown["used"] and not (steps == -1 and shown["seconds_left"] < 5):
                    return shown["code"]
            time.sleep(0.2)
        raise RuntimeError("no unused code within one step")

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(timeout=10)
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            stream.close()
        self._directory.cleanup()

    def _control(self, method: str, what: str, body: dict | None = None):
        return self._request(method, f"/_local/{what}", body)

    def _post(self, path: str, body: dict):
        return self._request("POST", path, body)

    def _request(self, method: str, path: str, body: dict | None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()}") from error


def _zulu(time: datetime.datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def start(fixture: dict | str, **options: object) -> LocalSts:
    """Starts a local STS with `fixture` (a dict, or TOML text)."""
    return LocalSts(fixture, **options)
