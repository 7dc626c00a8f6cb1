"""Tests instance metadata and container credentials, with botocore, the AWS CLI and manual requests."""

from __future__ import annotations

import json

import botocore.session
import pytest
from botocore.exceptions import CredentialRetrievalError, NoCredentialsError
from callers import ACCOUNT, cli_arn, http, surroundings, who_am_i

from support.hooked_shell import wait_for
from support.local_sts import LocalSts, service_trust, trust

INSTANCE = "i-0123456789abcdef0"
APP = f"arn:aws:sts::{ACCOUNT}:assumed-role/AppRole/{INSTANCE}"
TASK = f"arn:aws:sts::{ACCOUNT}:assumed-role/TaskRole/0123456789abcdef0123456789abcdef"
FIXTURE = {
    "role": [
        {"name": "AppRole", "account": ACCOUNT, "trust": service_trust()},
        {"name": "TaskRole", "account": ACCOUNT, "trust": service_trust("ecs-tasks.amazonaws.com")},
        {"name": "Untrusted", "account": ACCOUNT, "trust": trust(ACCOUNT)},
    ],
    "instance": {"role": "AppRole", "account": ACCOUNT, "instance_id": INSTANCE, "region": "eu-central-1"},
    "container": {"role": "TaskRole", "account": ACCOUNT, "token": "Basic c2VjcmV0", "path": "/v1/credentials"},
}
TTL, TOKEN = "X_aws_ec2_metadata_token_ttl_seconds", "X_aws_ec2_metadata_token"
CREDENTIALS = "/latest/meta-data/iam/security-credentials/"


@pytest.fixture
def server():
    with LocalSts(FIXTURE) as server:
        yield server


def metadata_token(server, seconds: int = 60) -> str:
    status, body, headers = http("PUT", server.url + "/latest/api/token", **{TTL: str(seconds)})
    assert status == 200 and headers["x-aws-ec2-metadata-token-ttl-seconds"] == str(seconds)
    return body


def metadata(server, path: str, token: str) -> tuple[int, str]:
    return http("GET", server.url + path, **{TOKEN: token})[:2]


def test_botocore_on_an_instance(server):
    assert who_am_i(server.instance_environment(AWS_EC2_METADATA_V1_DISABLED="true")) == APP
    counts = server.counts()
    assert {name: counts[name] for name in counts if name.startswith("Get")} == {
        "GetMetadataToken": 1, "GetInstanceRole": 1, "GetInstanceCredentials": 1, "GetCallerIdentity": 1}
    assert [call["outcome"] for call in server.calls()] == ["OK"] * 4


def test_cli_on_an_instance_and_with_credential_source(server, tmp_path):
    assert cli_arn(server.instance_environment()) == APP
    config = tmp_path / "config"
    config.write_text("[profile p]\ncredential_source = Ec2InstanceMetadata\n"
                      f"role_arn = arn:aws:iam::{ACCOUNT}:role/Untrusted\nrole_session_name = s1\n")
    environment = server.instance_environment(AWS_CONFIG_FILE=str(config))
    with pytest.raises(AssertionError, match="AccessDenied.*AppRole/i-0123456789abcdef0 is not authorized"):
        cli_arn(environment, "--profile", "p")


def test_metadata_of_an_instance(server):
    token = metadata_token(server)
    assert metadata(server, CREDENTIALS, token) == (200, "AppRole")
    assert metadata(server, "/latest/meta-data/placement/region", token) == (200, "eu-central-1")
    assert metadata(server, "/latest/meta-data/instance-id", token) == (200, INSTANCE)
    document = json.loads(metadata(server, "/latest/dynamic/instance-identity/document", token)[1])
    assert {"accountId": ACCOUNT, "instanceId": INSTANCE, "region": "eu-central-1"}.items() <= document.items()
    credentials = json.loads(metadata(server, CREDENTIALS + "AppRole", token)[1])
    assert credentials["Code"] == "Success" and credentials["Type"] == "AWS-HMAC"
    assert credentials == json.loads(metadata(server, CREDENTIALS + "AppRole", token)[1]), "the same until they are due"
    with surroundings(server.instance_environment()):
        fetcher = botocore.utils.InstanceMetadataRegionFetcher(base_url=server.url + "/")
        assert fetcher.retrieve_region() == "eu-central-1"


def test_refusals_of_an_instance(server):
    for value in ("0", "21601", "-1", "x", ""):
        assert http("PUT", server.url + "/latest/api/token", **{TTL: value})[0] == 400, value
    assert http("PUT", server.url + "/latest/api/token")[0] == 400
    assert http("GET", server.url + "/latest/api/token")[0] == 405
    assert http("PUT", server.url + "/latest/api/token", **{TTL: "60"}, X_Forwarded_For="10.0.0.1")[0] == 403
    assert http("GET", server.url + CREDENTIALS)[0] == 401, "version 1 is off"
    assert metadata(server, CREDENTIALS, "unknown")[0] == 401
    short = metadata_token(server, 1)
    wait_for(lambda: metadata(server, CREDENTIALS, short)[0] == 401, 10)
    token = metadata_token(server)
    assert metadata(server, CREDENTIALS + "Other", token)[0] == 404
    assert metadata(server, "/latest/user-data", token)[0] == 404
    assert http("POST", server.url + CREDENTIALS, **{TOKEN: token})[0] == 405


def test_renewal_on_an_instance(server):
    server.fault(action="GetInstanceCredentials", lifetime_seconds=2, times=1)
    token = metadata_token(server)
    first = json.loads(metadata(server, CREDENTIALS + "AppRole", token)[1])
    wait_for(lambda: json.loads(metadata(server, CREDENTIALS + "AppRole", token)[1])["Token"] != first["Token"], 10)


def test_a_role_that_does_not_trust_its_host():
    fixture = {**FIXTURE, "instance": {**FIXTURE["instance"], "role": "Untrusted"},
               "container": {**FIXTURE["container"], "role": "Untrusted"}}
    with LocalSts(fixture) as server:
        status, body = metadata(server, CREDENTIALS + "Untrusted", metadata_token(server))
        assert (status, json.loads(body)["Code"]) == (200, "AssumeRoleUnauthorizedAccess")
        with pytest.raises(NoCredentialsError):
            who_am_i(server.instance_environment())
        assert http("GET", server.url + "/v1/credentials", Authorization="Basic c2VjcmV0")[0] == 500


def test_a_fixture_without_them_has_no_metadata():
    with LocalSts({"role": FIXTURE["role"]}) as server:
        assert http("PUT", server.url + "/latest/api/token", **{TTL: "60"})[0] == 404


@pytest.mark.parametrize("with_file", [False, True])
def test_botocore_and_the_cli_in_a_container(server, tmp_path, with_file):
    environment = server.container_environment(tmp_path / "token" if with_file else None)
    assert who_am_i(environment) == TASK
    assert cli_arn(environment) == TASK
    assert server.counts()["GetContainerCredentials"] == 2


def test_refusals_of_a_container(server, monkeypatch):
    url = server.url + "/v1/credentials"
    assert http("GET", url)[0] == 401
    for wrong in ("Basic other", "Basic c2VjcmV0x", "basic c2VjcmV0", ""):
        assert http("GET", url, Authorization=wrong)[0] == 403, wrong
    assert http("POST", url, Authorization="Basic c2VjcmV0")[0] == 405
    assert http("GET", url + "/", Authorization="Basic c2VjcmV0")[0] == 404
    monkeypatch.setattr(botocore.utils.ContainerMetadataFetcher, "SLEEP_TIME", 0)
    with pytest.raises(CredentialRetrievalError, match="403.*AccessDenied"):
        who_am_i(server.container_environment(AWS_CONTAINER_AUTHORIZATION_TOKEN="Basic other"))


def test_faults_reach_them(server):
    server.fault(action="GetContainerCredentials", error={"status": 502, "code": "Broken", "message": "away"}, times=1)
    status, body, _ = http("GET", server.url + "/v1/credentials", Authorization="Basic c2VjcmV0")
    assert (status, json.loads(body)) == (502, {"code": "Broken", "message": "away"})
    server.fault(action="GetMetadataToken", drop=True)
    with pytest.raises(NoCredentialsError):
        who_am_i(server.instance_environment(AWS_EC2_METADATA_V1_DISABLED="false"))
    assert [call["outcome"] for call in server.calls()][:2] == ["Broken", "Dropped"]


@pytest.mark.parametrize(("table", "change", "message"), [
    ("instance", {"role": "Gone"}, "there is no .*`Gone` in account 111111111111"),
    ("instance", {"instance_id": "i-1"}, "not an instance's id"),
    ("container", {"path": "v1"}, "path must begin with a slash"),
    ("container", {"token": "a\nb"}, "token must be fit for a header"),
    ("container", {"tokn": "x"}, "unknown field `tokn`"),
])
def test_wrong_tables(table, change, message):
    with pytest.raises(RuntimeError, match=message):
        LocalSts({**FIXTURE, table: {**FIXTURE[table], **change}})
