"""Tests console sessions of `aws login`, with botocore's provider, and with manual requests for errors that botocore
never makes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
import uuid

import boto3
import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, LoginError, LoginInsufficientPermissions, LoginRefreshRequired
from callers import ACCOUNT, cli, http, surroundings, who_am_i

from support.local_sts import LocalSts, allow, trust, user

try:
    from awscrt.crypto import EC
except ImportError:
    if os.environ.get("CI"):
        raise
    pytest.skip("botocore needs it for `aws login`: pip install awscrt", allow_module_level=True)

REGION = "eu-central-1"
SIGN_IN = ["signin:AuthorizeOAuth2Access", "signin:CreateOAuth2Token"]
HERE = f"arn:aws:signin:{REGION}:{ACCOUNT}:oauth2/public-client/localhost"
WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
ALICE, BOB = f"arn:aws:iam::{ACCOUNT}:user/alice", f"arn:aws:iam::{ACCOUNT}:user/bob"
ADMIN = f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/ana@example.com"
FIXTURE = {
    "user": [
        user("alice", policy=[allow(SIGN_IN, HERE), allow("sts:*", "*")]),
        user("bob", policy=allow("sts:*", "*")),
    ],
    "role": [
        {"name": "Admin", "account": ACCOUNT, "trust": trust(ACCOUNT), "policy": allow([*SIGN_IN, "sts:*"], "*")},
        {"name": "Guarded", "account": ACCOUNT, "trust": trust(ACCOUNT, condition=WITH_MFA)},
    ],
    "console_session": [
        {"login_session": ALICE, "region": REGION, "mfa": True},
        {"login_session": ADMIN, "region": REGION, "access_token_seconds": 600, "session_seconds": 3600},
        {"login_session": BOB, "region": REGION},
    ],
}


@pytest.fixture
def server():
    with LocalSts(FIXTURE) as server:
        yield server


@pytest.fixture
def home(tmp_path):
    (tmp_path / ".aws").mkdir()
    profiles = {"console": ALICE, "admin": ADMIN, "bob": BOB}
    sections = [f"[profile {name}]\nlogin_session = {arn}\nregion = {REGION}\n" for name, arn in profiles.items()]
    (tmp_path / ".aws/config").write_text("".join(sections))
    return tmp_path


@pytest.fixture
def environment(server, home):
    return server.environment(HOME=str(home), AWS_CONFIG_FILE=str(home / ".aws/config"))


def held(home, arn: str = ALICE) -> dict:
    return json.loads(LocalSts.console_cache_path(home, arn).read_text())


def code_of_identity(environment: dict[str, str], profile: str) -> str:
    with pytest.raises(ClientError) as caught:
        who_am_i(environment, profile)
    return caught.value.response["Error"]["Code"]


def refuses(environment: dict[str, str], error: type[Exception], profile: str = "console") -> None:
    """Returns botocore's error for a refused refresh."""
    with pytest.raises(error):
        who_am_i(environment, profile)


@pytest.mark.parametrize(("profile", "arn"), [("console", ALICE), ("admin", ADMIN), ("bob", BOB)])
def test_a_fresh_session_needs_no_refresh(server, home, environment, profile, arn):
    token = server.console_session(home, arn)
    assert who_am_i(environment, profile) == arn
    assert server.calls("CreateOAuth2Token") == [] and held(home, arn) == token
    assert token["accessToken"]["accountId"] == ACCOUNT and token["tokenType"] == "aws_sigv4"
    assert server.calls("GetCallerIdentity")[-1]["access_key_id"] == token["accessToken"]["accessKeyId"]


@pytest.mark.parametrize(("profile", "arn", "seconds"), [("console", ALICE, 900), ("admin", ADMIN, 600)])
def test_an_expired_session_is_refreshed(server, home, environment, profile, arn, seconds):
    token = server.console_session(home, arn, expired=True)
    before = time.time()
    assert who_am_i(environment, profile) == arn
    after = held(home, arn)
    kept = ("dpopKey", "clientId", "idToken", "tokenType")
    assert {name: token[name] for name in kept} == {name: after[name] for name in kept}
    assert after["refreshToken"] != token["refreshToken"] and after["accessToken"] != token["accessToken"]
    ends = time.mktime(time.strptime(after["accessToken"]["expiresAt"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert before + seconds - 2 <= ends <= time.time() + seconds
    [call] = server.calls("CreateOAuth2Token")
    assert (call["outcome"], call["grant_type"], call["login_session"]) == ("OK", "refresh_token", arn)
    # The next process has what this one left.
    assert who_am_i(environment, profile) == arn and len(server.calls("CreateOAuth2Token")) == 1


def test_old_credentials_are_really_over(server, home, environment):
    token = server.console_session(home, expired=True)
    token["accessToken"]["expiresAt"] = "2999-01-01T00:00:00Z"
    server.write_console_cache(home, token, ALICE)
    assert code_of_identity(environment, "console") == "ExpiredToken"


def test_refreshing_goes_on_with_each_new_token(server, home, environment):
    server.console_session(home, expired=True)
    for count in (1, 2, 3):
        assert who_am_i(environment, "console") == ALICE
        assert len(server.calls("CreateOAuth2Token")) == count
        token = held(home)
        server.expire(token["accessToken"]["accessKeyId"])
        token["accessToken"]["expiresAt"] = "2020-01-01T00:00:00Z"
        server.write_console_cache(home, token, ALICE)


def test_mfa_at_the_console_counts_at_sts(server, home, environment):
    arn = f"arn:aws:iam::{ACCOUNT}:role/Guarded"
    wish = {"RoleArn": arn, "RoleSessionName": "s1"}
    for expired in (False, True):
        server.console_session(home, ALICE, expired=expired)
        with surroundings(environment):
            botocore.session.Session(profile="console").create_client("sts").assume_role(**wish)
    server.console_session(home, BOB)
    with surroundings(environment), pytest.raises(ClientError, match="AccessDenied"):
        botocore.session.Session(profile="bob").create_client("sts").assume_role(**wish)


def test_the_cli(server, home, environment):
    server.console_session(home, expired=True)
    done = cli(environment, "sts", "get-caller-identity", "--query", "Arn", "--output", "text", "--profile", "console")
    assert (done.returncode, done.stdout.strip()) == (0, ALICE), done.stderr


def test_sessions_that_are_over(server, home, environment):
    server.console_session(home, expired=True)
    for error, status in (("TOKEN_EXPIRED", 401), ("USER_CREDENTIALS_CHANGED", 403)):
        assert server.end_console(error, ALICE) == 1
        refuses(environment, LoginRefreshRequired)
        assert server.calls("CreateOAuth2Token")[-1]["outcome"] == error
        answer, body, headers = Proof(server, held(home)).send()
        assert (answer, json.loads(body)["error"], headers["x-amzn-errortype"]) == (status, error, "AccessDeniedException")
    # A new sign-in helps.
    server.console_session(home)
    assert who_am_i(environment, "console") == ALICE


def test_a_session_ends_by_itself(server, home):
    token = server.console_session(home, ADMIN)
    server.fault(clock_offset_seconds=3400)
    status, body, _ = Proof(server, token, ahead=3400).send()
    assert (status, json.loads(body)["expiresIn"]) in [(200, left) for left in range(190, 201)], "no longer than itself"
    server.clear_faults()
    server.fault(clock_offset_seconds=3600)
    status, body, _ = Proof(server, {**token, "refreshToken": json.loads(body)["refreshToken"]}, ahead=3600).send()
    assert (status, json.loads(body)["error"]) == (401, "TOKEN_EXPIRED")


def test_permissions(server, home, environment):
    server.console_session(home, BOB, expired=True)
    refuses(environment, LoginInsufficientPermissions, "bob")
    assert server.calls("CreateOAuth2Token")[-1]["outcome"] == "INSUFFICIENT_PERMISSIONS"
    # Alice may do it on the device where her browser is, and nowhere else; Ana everywhere.
    server.console_session(home, ALICE, expired=True, cross_device=True)
    refuses(environment, LoginInsufficientPermissions)
    server.console_session(home, ADMIN, expired=True, cross_device=True)
    assert who_am_i(environment, "admin") == ADMIN


def test_another_sessions_key_or_token(server, home, environment):
    one, other = (server.console_session(home, expired=True) for _ in range(2))
    server.write_console_cache(home, {**one, "dpopKey": other["dpopKey"]}, ALICE)
    with pytest.raises(ClientError, match="bound to") as caught:
        who_am_i(environment, "console")
    assert (caught.value.response["Error"]["Code"], caught.value.response["error"]) == (
        "ValidationException", "INVALID_REQUEST")


@pytest.mark.parametrize(("fault", "code"), [
    ({"throttle": True}, "TooManyRequestsError"), ({"unavailable": True}, "InternalServerException")])
def test_faults_speak_its_language(server, home, environment, fault, code):
    server.console_session(home, expired=True)
    server.fault(action="CreateOAuth2Token", **fault)
    with pytest.raises(ClientError) as caught:
        who_am_i(environment, "console")
    assert caught.value.response["Error"]["Code"] == code
    server.clear_faults()
    server.fault(action="CreateOAuth2Token", error={"status": 403, "code": "AUTHCODE_EXPIRED", "message": "m"})
    refuses(environment, LoginError)


def test_credentials_that_live_as_a_fault_orders(server, home):
    token = server.console_session(home)
    server.fault(action="CreateOAuth2Token", lifetime_seconds=60)
    assert json.loads(Proof(server, token).send()[1])["expiresIn"] == 60


# The tests below make manual requests.


class Proof:
    """Makes a refresh with a proof that can be damaged."""

    def __init__(self, server: LocalSts, token: dict, *, ahead: int = 0):
        self.url = f"{server.url}/v1/token"
        lines = [line for line in token["dpopKey"].splitlines() if not line.startswith("-")]
        self.key = EC.new_key_from_der_data(base64.b64decode("".join(lines)))
        x, y = (encoded(part) for part in self.key.get_public_coords())
        self.header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": {"kty": "EC", "x": x, "y": y, "crv": "P-256"}}
        self.claims = {"htm": "POST", "htu": self.url, "iat": int(time.time()) + ahead, "jti": str(uuid.uuid4())}
        self.body = {"clientId": token["clientId"], "grantType": "refresh_token", "refreshToken": token["refreshToken"]}

    def text(self) -> str:
        signed = ".".join(encoded(json.dumps(part).encode()) for part in (self.header, self.claims))
        signature = self.key.sign(hashlib.sha256(signed.encode()).digest())
        return f"{signed}.{encoded(EC.decode_der_signature_to_padded_pair(signature, pad_to=32))}"

    def send(self, method: str = "POST", url: str | None = None, **headers: str) -> tuple[int, str, dict[str, str]]:
        named = {"DPoP": self.text(), "Content_Type": "application/json", **headers}
        return http(method, url or self.url, self.body, **{name: value for name, value in named.items() if value})


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def refused(answer: tuple[int, str, dict[str, str]], part: str) -> None:
    status, body, headers = answer
    told = json.loads(body)
    assert (status, told["error"], headers["x-amzn-errortype"]) == (400, "INVALID_REQUEST", "ValidationException")
    assert part in told["message"], told


@pytest.mark.parametrize(("where", "name", "value", "part"), [
    ("header", "typ", "JWT", "typ"),
    ("header", "alg", "none", "alg"),
    ("header", "jwk", None, "jwk"),
    ("claims", "htm", "GET", "htm"),
    ("claims", "htu", "https://eu-central-1.signin.aws.amazon.com/v1/token", "htu"),
    ("claims", "iat", 1700000000, "iat"),
    ("claims", "jti", "", "jti"),
    ("body", "clientId", "arn:aws:signin:::devtools/other", "clientId"),
    ("body", "clientId", "arn:aws:signin:::devtools/cross-device", "another client's"),
    ("body", "grantType", "authorization_code", "codeVerifier"),
    ("body", "grantType", "password", "grantType"),
    ("body", "refreshToken", "", "refreshToken"),
    ("body", "refreshToken", "x" * 43, "unknown"),
    ("body", "scope", "openid", "unknown field"),
])
def test_each_part_of_a_refresh_is_checked(server, home, where, name, value, part):
    token = server.console_session(home)
    proof = Proof(server, token)
    getattr(proof, where)[name] = value
    refused(proof.send(), part)
    assert Proof(server, token).send()[0] == 200, "the token isn't used up"


def test_requests_that_are_none(server, home):
    token = server.console_session(home)
    proof = Proof(server, token)
    refused(proof.send(DPoP=""), "one DPoP header")
    refused(proof.send(DPoP=proof.text()[:-8] + "AAAAAAAA"), "")
    refused(proof.send(Content_Type="application/x-www-form-urlencoded"), "JSON")
    refused(proof.send(url=f"{proof.url}?x-amz-client-auth-method=iam"), "only CreateOAuth2Token")
    refused(proof.send(method="PUT"), "only CreateOAuth2Token")
    assert proof.send()[0] == 200


def test_a_proof_works_once(server, home):
    proof = Proof(server, server.console_session(home))
    assert proof.send()[0] == 200
    refused(proof.send(), "jti")


def test_a_used_token_gives_the_same_while_that_lives(server, home):
    token = server.console_session(home)
    first, again = (json.loads(Proof(server, token).send()[1]) for _ in range(2))
    assert first["tokenType"] == "aws_sigv4" and first["expiresIn"] == 900 and "idToken" not in first
    assert {**first, "expiresIn": 0} == {**again, "expiresIn": 0} and 895 <= again["expiresIn"] <= 900
    server.expire(first["accessToken"]["accessKeyId"])
    status, body, _ = Proof(server, token).send()
    assert (status, json.loads(body)["error"]) == (401, "TOKEN_EXPIRED")
    assert Proof(server, {**token, "refreshToken": first["refreshToken"]}).send()[0] == 200


def test_the_record_has_no_secrets(server, home):
    token = server.console_session(home)
    answer = json.loads(Proof(server, token).send()[1])
    record = json.dumps(server.calls())
    for secret in (token["refreshToken"], answer["refreshToken"], answer["accessToken"]["secretAccessKey"]):
        assert secret not in record


def test_without_the_table_it_is_not_there():
    with LocalSts({"user": FIXTURE["user"]}) as server:
        client = boto3.client("signin", endpoint_url=server.url, region_name=REGION,
                              config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}))
        wish = {"clientId": "arn:aws:signin:::devtools/same-device", "grantType": "refresh_token", "refreshToken": "x"}
        with pytest.raises(ClientError):
            client.create_o_auth2_token(tokenInput=wish)
        with pytest.raises(RuntimeError, match="no console session"):
            server._control("POST", "console-login", {})
