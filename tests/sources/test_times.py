"""Tests times in files of other programs: each form of ISO 8601 that botocore accepts, and no invalid time."""

import contextlib
import datetime
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from source_fixtures import foreign_session, liar
from test_programs import session_keys

from support.aws_files import aws_profile
from support.world import HERE

PERSON = f"arn:aws:iam::{HERE}:user/alice"
FORMS = {
    "Z": "%Y-%m-%dT%H:%M:%SZ", "offset with a colon": "%Y-%m-%dT%H:%M:%S+00:00", "offset": "%Y-%m-%dT%H:%M:%S+0000",
    "UTC": "%Y-%m-%dT%H:%M:%SUTC", "in words": "%Y-%m-%d %H:%M:%S UTC", "fractions": "%Y-%m-%dT%H:%M:%S.123456Z",
    "basic": "%Y%m%dT%H%M%SZ",
}
# Two hours ahead of UTC, written as such.
AHEAD = {"ahead with a colon": "%Y-%m-%dT%H:%M:%S+02:00", "ahead": "%Y-%m-%dT%H:%M:%S+0200"}
BAD = {"words": ("tomorrow", "isn't a time"), "no zone": ("2099-01-02T03:04:05", "is a time without a zone"),
       "a day that isn't": ("2099-02-30T03:04:05Z", "isn't a time"), "before all": ("0001-01-01T00:00:00Z", "is a time before 1970")}


def written(form):
    """Returns the time in one hour in a format, and the expiration that a shell must have then."""
    end = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(hours=1)
    shifted = end + datetime.timedelta(hours=2 if form in AHEAD else 0)
    return shifted.strftime((FORMS | AHEAD)[form]), end.strftime("%Y-%m-%dT%H:%M:%SZ")


@contextlib.contextmanager
def metadata(machines, end):
    """Starts a metadata service that returns this expiration. Yields its address."""
    answer = foreign_session(machines, "alice") | {"Expiration": end}

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self):
            self.answer("token")

        def do_GET(self):
            self.answer("Machine" if self.path.endswith("/") else json.dumps(answer))

        def answer(self, text):
            self.send_response(200)
            self.send_header("x-aws-ec2-metadata-token-ttl-seconds", "21600")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def container(machines, end):
    """Starts a container endpoint that returns this expiration. Yields its address."""
    with liar(machines.sts.url, lambda answer: answer | {"Expiration": end}) as url:
        yield url


def environment(kind, address):
    if kind is container:
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{address}/task", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic token-of-the-task"}
    return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": address}


KINDS = {metadata: 'credential_source = "Ec2InstanceMetadata"\n', container: 'credential_source = "EcsContainer"\n'}


@pytest.mark.parametrize("form", [*FORMS, *AHEAD])
def test_a_process(machines, form):
    text, expected = written(form)
    machines.write("keys.json", json.dumps(json.loads(session_keys(machines)) | {"Expiration": text}))
    machines.config(aws_profile("vault", credential_process=f"cat {machines.home}/keys.json"))
    folder = machines.project("shop", 'profile = "vault"\n', allow=True)
    assert machines.exec_env(folder, env=machines.env)["AWS_CREDENTIAL_EXPIRATION"] == expected
    assert machines.by_cli("vault").endswith("/minted")


@pytest.mark.parametrize("form", [*FORMS, *AHEAD])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_machines(machines, kind, form):
    text, expected = written(form)
    folder = machines.project("shop", KINDS[kind], allow=True)
    with kind(machines, text) as address:
        held = machines.exec_env(folder, env=machines.env | environment(kind, address))
    assert held["AWS_CREDENTIAL_EXPIRATION"] == expected


@pytest.mark.parametrize("case", BAD)
def test_a_process_that_writes_no_time(machines, case):
    text, why = BAD[case]
    machines.write("keys.json", json.dumps(json.loads(session_keys(machines)) | {"Expiration": text}))
    machines.config(aws_profile("vault", credential_process=f"cat {machines.home}/keys.json"))
    said = machines.refused(machines.project("shop", 'profile = "vault"\n', allow=True))
    assert "the credential_process of profile vault returned no credentials" in said and f"its Expiration {why}" in said
    assert "network" not in said and "proxies" not in said


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_machines_that_write_no_time(machines, kind, case):
    text, why = BAD[case]
    folder = machines.project("shop", KINDS[kind], allow=True)
    with kind(machines, text) as address:
        said = machines.refused(folder, env=environment(kind, address))
    assert address in said and f"the Expiration in the response {why}" in said
    assert "running" not in said and "network" not in said and "hop limit" not in said


def sso_token(machines, end):
    """Creates a sign-in to Identity Center whose token file has this expiration. Returns the file and a project file.
    """
    machines.sts.write_sso_config(machines.home)
    path = machines.sts.write_sso_cache(machines.home, machines.sts.sso_sign_in())
    path.write_text(json.dumps(json.loads(path.read_text()) | {"expiresAt": end}))
    return path, "expiresAt", 'profile = "sso"\n'


def console_token(machines, end):
    """The same of `aws login`, with the keys of a session."""
    machines.config(aws_profile("console", login_session=PERSON, region="eu-central-1"))
    keys = json.loads(session_keys(machines))
    keys = {"accessKeyId": keys["AccessKeyId"], "secretAccessKey": keys["SecretAccessKey"], "sessionToken": keys["SessionToken"],
            "accountId": HERE, "expiresAt": end}
    token = {"accessToken": keys, "refreshToken": "refresh", "dpopKey": "key", "clientId": "client"}
    return machines.sts.write_console_cache(machines.home, token, PERSON), "accessToken.expiresAt", 'profile = "console"\n'


@pytest.mark.parametrize("form", [*FORMS, *AHEAD])
@pytest.mark.parametrize("kind", [sso_token, console_token], ids=lambda kind: kind.__name__)
def test_token_files(machines, kind, form):
    text, expected = written(form)
    _, _, file = kind(machines, text)
    machines.sts.reset()
    held = machines.exec_env(machines.project("shop", file, allow=True), env=machines.env)
    assert kind is sso_token or held["AWS_CREDENTIAL_EXPIRATION"] == expected
    assert not [call for call in machines.sts.calls() if call["action"].startswith("Create")], "nothing is renewed an hour before"
    assert machines.by_cli("sso" if kind is sso_token else "console")


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("kind", [sso_token, console_token], ids=lambda kind: kind.__name__)
def test_token_files_without_a_time(machines, kind, case):
    text, why = BAD[case]
    path, key, file = kind(machines, text)
    machines.sts.reset()
    said = machines.refused(machines.project("shop", file, allow=True))
    assert f"{path} has an invalid `{key}`: it {why}" in said and "sign in" in said
    assert "network" not in said and "proxies" not in said and machines.sts.calls() == []


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "null", '{"accessToken": 7}', "\0", "{\"accessToken\": \"canary\""])
@pytest.mark.parametrize("kind", [sso_token, console_token], ids=lambda kind: kind.__name__)
def test_token_files_that_are_none(machines, kind, content):
    path, _, file = kind(machines, "2099-01-02T03:04:05Z")
    path.write_text(content)
    machines.sts.reset()
    said = machines.refused(machines.project("shop", file, allow=True))
    assert f"caused by: {path} " in said and "sign in" in said and "canary" not in said
    assert "network" not in said and "panicked" not in said and machines.sts.calls() == []
