"""Tests the sign-in to IAM Identity Center with boto3's `sso-oidc`: device codes, codes with PKCE, and refresh tokens.
"""

from __future__ import annotations

import base64
import hashlib
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from callers import ACCOUNT, code_of, http

from support.hooked_shell import wait_for
from support.local_sts import LocalSts

START = "https://corp.example.com/start"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
SCOPES = ["sso:account:access"]
CALLBACK = "http://127.0.0.1/oauth/callback"
VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
FIXTURE = {
    "sso": {"interval_seconds": 1},
    "sso_assignment": [
        {"user": name, "account": ACCOUNT, "role": "Admin", "start_url": START} for name in ("alice", "bob")],
}


@pytest.fixture
def server():
    with LocalSts(FIXTURE) as server:
        yield server


@pytest.fixture
def oidc(server):
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    return boto3.client("sso-oidc", endpoint_url=server.url, region_name="us-east-1", config=config)


def register(oidc, **more: object) -> dict:
    answer = oidc.register_client(**{"clientName": "tests", "clientType": "public", "scopes": SCOPES, **more})
    assert answer["clientSecretExpiresAt"] - answer["clientIdIssuedAt"] == 90 * 86400
    return {name: answer[name] for name in ("clientId", "clientSecret")}


def user_of(server, token: dict) -> str:
    portal = boto3.client("sso", endpoint_url=server.url, region_name="us-east-1",
                          config=Config(signature_version=UNSIGNED))
    portal.list_accounts(accessToken=token["accessToken"])
    return server.calls("ListAccounts")[-1]["sso_user"]


def test_device_code(server, oidc):
    client = register(oidc)
    device = oidc.start_device_authorization(**client, startUrl=START)
    assert device["verificationUriComplete"] == f"{server.url}/device?user_code={device['userCode']}"
    assert (device["expiresIn"], device["interval"]) == (600, 1)
    wish = {**client, "grantType": DEVICE, "deviceCode": device["deviceCode"]}
    assert code_of(oidc.create_token, **wish) == "AuthorizationPendingException"
    assert code_of(oidc.create_token, **wish) == "SlowDownException"
    server.approve(device["userCode"].lower(), "bob")
    time.sleep(1)  # The interval is the subject here.
    token = oidc.create_token(**wish)
    assert (token["tokenType"], token["expiresIn"]) == ("Bearer", 28800) and token["refreshToken"]
    assert user_of(server, token) == "bob"
    time.sleep(1)
    assert code_of(oidc.create_token, **wish) == "InvalidGrantException", "a device code works once"
    with pytest.raises(RuntimeError, match="doesn't wait any more"):
        server.approve(device["userCode"])


def test_device_codes_denied_expired_and_foreign(server, oidc):
    client = register(oidc)
    device = oidc.start_device_authorization(**client, startUrl=START)
    wish = {"grantType": DEVICE, "deviceCode": device["deviceCode"]}
    assert code_of(oidc.create_token, **register(oidc), **wish) == "InvalidGrantException"
    server.approve(device["userCode"], deny=True)
    with pytest.raises(oidc.exceptions.AccessDeniedException) as caught:
        oidc.create_token(**client, **wish)
    assert caught.value.response["error"] == "access_denied" and caught.value.response["error_description"]
    server.fault(action="StartDeviceAuthorization", lifetime_seconds=0)
    device = oidc.start_device_authorization(**client, startUrl=START)
    wish["deviceCode"] = device["deviceCode"]
    assert code_of(oidc.create_token, **client, **wish) == "ExpiredTokenException"
    for user_code in (device["userCode"], "NONE-SUCH"):
        with pytest.raises(RuntimeError):
            server.approve(user_code)


def test_the_page_for_device_codes(server, oidc):
    client = register(oidc)
    device = oidc.start_device_authorization(**client, startUrl=START)
    server.browser("bob")
    assert http("GET", device["verificationUriComplete"])[0] == 200
    assert http("GET", device["verificationUriComplete"])[0] == 400, "only once"
    assert http("GET", device["verificationUri"])[0] == 400, "which code?"
    token = oidc.create_token(**client, grantType=DEVICE, deviceCode=device["deviceCode"])
    assert user_of(server, token) == "bob"


def test_refresh_tokens_rotate(server, oidc):
    held = server.sso_sign_in()
    client = {name: held[name] for name in ("clientId", "clientSecret")}
    wish = {"grantType": "refresh_token", "refreshToken": held["refreshToken"]}
    assert code_of(oidc.create_token, **register(oidc), **wish) == "InvalidGrantException", "another client's"
    second = oidc.create_token(**client, **wish)
    assert second["refreshToken"] != held["refreshToken"] and second["accessToken"] != held["accessToken"]
    assert code_of(oidc.create_token, **client, **wish) == "InvalidGrantException", "it was used"
    third = oidc.create_token(**client, grantType="refresh_token", refreshToken=second["refreshToken"])
    assert user_of(server, third) == "alice"
    assert code_of(oidc.create_token, **client, grantType="refresh_token") == "InvalidRequestException"


def test_clients(server, oidc):
    client = register(oidc)
    wish = {"startUrl": START}
    assert code_of(oidc.start_device_authorization, clientId=client["clientId"], clientSecret="x", **wish) == \
        "InvalidClientException"
    assert code_of(oidc.start_device_authorization, **client, startUrl=START + "/") == "InvalidRequestException"
    unsupported = {**client, "grantType": "password"}
    assert code_of(oidc.create_token, **unsupported) == "UnsupportedGrantTypeException"
    assert code_of(oidc.create_token, **client, grantType="authorization_code") == "UnauthorizedClientException"
    server.fault(action="RegisterClient", lifetime_seconds=1, times=1)
    short = oidc.register_client(clientName="tests", clientType="public")
    named = {name: short[name] for name in ("clientId", "clientSecret")}

    def is_over() -> bool:
        try:
            oidc.start_device_authorization(**named, **wish)
        except oidc.exceptions.InvalidClientException:
            return True
        return False

    wait_for(is_over, 4)


@pytest.mark.parametrize(("change", "code"), [
    ({"clientType": "confidential"}, "InvalidClientMetadataException"),
    ({"clientName": ""}, "InvalidRequestException"),
    ({"scopes": ["openid"]}, "InvalidScopeException"),
    ({"grantTypes": ["password"]}, "UnsupportedGrantTypeException"),
    ({"grantTypes": ["authorization_code"], "issuerUrl": START}, "InvalidRedirectUriException"),
    ({"grantTypes": ["authorization_code"], "issuerUrl": START, "redirectUris": ["https://example.com/x"]},
     "InvalidRedirectUriException"),
    ({"grantTypes": ["authorization_code"], "redirectUris": [CALLBACK]}, "InvalidRequestException"),
])
def test_registrations(oidc, change, code):
    assert code_of(register, oidc=oidc, **change) == code


def test_bodies_that_the_model_does_not_have(server):
    for body in ({"clientName": "x"}, {"clientName": "x", "clientType": "public", "more": 1}, {}):
        status, text, headers = http("POST", server.url + "/client/register", body)
        assert (status, headers["x-amzn-errortype"]) == (400, "InvalidRequestException"), text
    assert http("GET", server.url + "/token")[0] == 405


@pytest.fixture
def with_codes(oidc):
    return register(oidc, grantTypes=["authorization_code", "refresh_token"], redirectUris=[CALLBACK], issuerUrl=START)


def authorize(server, client: dict, **change: str | None) -> tuple[int, dict[str, str]]:
    asked = {"response_type": "code", "client_id": client["clientId"], "state": "s+1 /",
             "redirect_uri": "http://127.0.0.1:4711/oauth/callback", "code_challenge_method": "S256",
             "code_challenge": CHALLENGE, "scopes": "sso:account:access", **change}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    status, _, headers = http("GET", f"{server.url}/authorize?{query}")
    where = urlsplit(headers.get("location", ""))
    if status == 302:
        assert (where.scheme, where.netloc, where.path) == ("http", "127.0.0.1:4711", "/oauth/callback")
    return status, {name: values[0] for name, values in parse_qs(where.query).items()}


def by_code(client: dict, answer: dict, **change: str) -> dict:
    return {**client, "grantType": "authorization_code", "code": answer["code"], "codeVerifier": VERIFIER,
            "redirectUri": "http://127.0.0.1:4711/oauth/callback", **change}


def test_authorization_code(server, oidc, with_codes):
    status, answer = authorize(server, with_codes)
    assert status == 302 and answer["state"] == "s+1 /"
    token = oidc.create_token(**by_code(with_codes, answer))
    assert user_of(server, token) == "alice"
    assert code_of(oidc.create_token, **by_code(with_codes, answer)) == "InvalidGrantException", "a code works once"
    oidc.create_token(**with_codes, grantType="refresh_token", refreshToken=token["refreshToken"])
    wish = {**with_codes, "startUrl": START}
    assert code_of(oidc.start_device_authorization, **wish) == "UnauthorizedClientException"


def test_wrong_proofs(server, oidc, with_codes):
    for change in ({"codeVerifier": "w" * 50}, {"codeVerifier": CHALLENGE}, {"redirectUri": CALLBACK}, {"code": "x"}):
        wish = by_code(with_codes, authorize(server, with_codes)[1], **change)
        assert code_of(oidc.create_token, **wish) == "InvalidGrantException", change
    wish = by_code(with_codes, authorize(server, with_codes)[1])
    del wish["codeVerifier"]
    assert code_of(oidc.create_token, **wish) == "InvalidRequestException"
    server.fault(action="Authorize", lifetime_seconds=0, times=1)
    wish = by_code(with_codes, authorize(server, with_codes)[1])
    assert code_of(oidc.create_token, **wish) == "InvalidGrantException", "the code is over"


@pytest.mark.parametrize("change", [
    {"response_type": "token"}, {"client_id": "unknown"}, {"state": None}, {"code_challenge": "short"},
    {"code_challenge": None}, {"code_challenge_method": "plain"}, {"code_challenge_method": None}, {"scopes": None},
    {"redirect_uri": "http://127.0.0.1:4711/other"}, {"redirect_uri": "http://example.com/oauth/callback"},
], ids=str)
def test_wrong_authorizations_stay_in_the_browser(server, with_codes, change):
    status, answer = authorize(server, with_codes, **change)
    assert (status, answer) == (400, {})


def test_a_person_who_denies(server, with_codes):
    server.browser(deny=True)
    status, answer = authorize(server, with_codes)
    assert status == 302 and answer["error"] == "access_denied" and "code" not in answer


def test_the_record_holds_no_secret(server, oidc):
    held = server.sso_sign_in()
    record = str(server.calls())
    assert [call["action"] for call in server.calls()] == ["RegisterClient", "StartDeviceAuthorization", "CreateToken"]
    for secret in ("accessToken", "refreshToken", "clientSecret"):
        assert held[secret] not in record
