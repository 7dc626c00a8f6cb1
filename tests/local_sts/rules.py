"""A table of AWS's documented rules, with the deviations of ministack.

The column `expects` is AWS's documented behavior (IAM User Guide and STS API Reference). No request was sent to AWS.
Two independent servers and the clients are compared instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from support.local_sts import allow, trust, user

HOME, AWAY = "111111111111", "222222222222"
ROOT = f"arn:aws:iam::{HOME}:root"
DEVICE_USERS = [f"holder{n}" for n in range(10)]
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def user_arn(name: str) -> str:
    return f"arn:aws:iam::{HOME}:user/{name}"


def role_arn(name: str, account: str = HOME) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def _role(name: str, document: dict, account: str = HOME, **more: object) -> dict:
    return {"name": name, "account": account, "trust": document, **more}


def _trusts(name: str, condition: dict, **more: object) -> dict:
    return _role(name, trust(ROOT, condition=condition), **more)


PRESENT = "aws:MultiFactorAuthPresent"
WITH_TAGS = ["sts:AssumeRole", "sts:TagSession"]
WITH_IDENTITY = ["sts:AssumeRole", "sts:SetSourceIdentity"]
EVERYTHING_OF_STS = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]

ROLES = [
    _role("Good", trust(ROOT), policy=allow(["sts:*", "sqs:*"], "*")),
    _role("Blank", trust(ROOT)),
    _role("Max2h", trust(ROOT), max_session_duration=7200),
    _role("NoIdent", trust(ROOT)),
    _role("OnlyBob", trust(user_arn("bob"))),
    _role("DirectNopol", trust(user_arn("nopol"))),
    _role("DirectDenied", trust(user_arn("denied"))),
    _role("Anyone", trust("*")),
    _role("BareAccount", trust(HOME)),
    _role("OtherAccount", trust("arn:aws:iam::999999999999:root")),
    _role("ByRole", trust(role_arn("Blank"))),
    _role("BySession", trust(f"arn:aws:sts::{HOME}:assumed-role/Blank/s1")),
    _role("Service", {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}),
    _role("TrustDenies", {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole"},
        {"Effect": "Deny", "Principal": {"AWS": user_arn("alice")}, "Action": "sts:AssumeRole"}]}),
    _role("TwoIds", trust(ROOT, condition={"StringEquals": {"sts:ExternalId": ["x1", "x2"]}})),
    _trusts("Mfa", {"Bool": {PRESENT: "true"}}),
    _trusts("MfaIfExists", {"BoolIfExists": {PRESENT: "true"}}),
    _trusts("MfaAge", {"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}),
    _trusts("KeyAbsent", {"Null": {PRESENT: "true"}}),
    _trusts("External", {"StringEquals": {"sts:ExternalId": "x1"}}),
    _trusts("ExternalNot", {"StringNotEquals": {"sts:ExternalId": "x1"}}),
    _trusts("SessionName", {"StringLike": {"sts:RoleSessionName": "${aws:username}"}}),
    _trusts("CallerArn", {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{HOME}:user/al*"}}),
    _role("Tagged", trust(ROOT, actions=WITH_TAGS)),
    _role("TaggedOnly", trust(ROOT, actions=WITH_TAGS, condition={"StringEquals": {"aws:RequestTag/team": "a"}})),
    _role("Identified", trust(ROOT, actions=WITH_IDENTITY), policy=allow(EVERYTHING_OF_STS, "*")),
    _role("IdentifiedAlice", trust(
        ROOT, actions=WITH_IDENTITY, condition={"StringEquals": {"sts:SourceIdentity": "alice"}})),
    _role("IdentifiedByRole", trust(role_arn("Blank"), actions=WITH_IDENTITY)),
    _role("Away", trust(ROOT, condition={"StringEquals": {"sts:ExternalId": "x1"}}), AWAY),
    _role("AwayDirect", trust(user_arn("nopol")), AWAY),
    _role("Chainer", trust(ROOT, actions=EVERYTHING_OF_STS), policy=allow(EVERYTHING_OF_STS, "*")),
]
SECOND_DENIED = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:*", "Resource": "*"},
    {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"}]}
ALICES_ROLES = [role_arn(role["name"], role["account"]) for role in ROLES if role["name"] != "NoIdent"]
FIXTURE = {
    "user": [
        user("alice", policy=allow(EVERYTHING_OF_STS, [*ALICES_ROLES, role_arn("Missing")])),
        user("bob", policy=allow("sts:AssumeRole", "*")),
        user("nopol"),
        user("retired", active=False),
        user("carol", policy=allow(["sts:GetAccessKeyInfo", "sts:DecodeAuthorizationMessage"], "*")),
        user("denied", policy=SECOND_DENIED),
        *(user(name, policy=allow("sts:AssumeRole", "*"),
               mfa_serial=f"arn:aws:iam::{HOME}:mfa/{name}", mfa_seed=SEED) for name in DEVICE_USERS),
    ],
    "role": ROLES,
}


@dataclass(frozen=True)
class Rule:
    """One request and its expected result.

    `ask` gets a station (see test_rules.py) and returns its answer's error code, or `OK`, with the message.
    `unchecked` marks what ministack is known to answer instead, and why; the test asserts that, too.
    """

    label: str
    expects: str
    ask: Callable
    says: str = ""
    unchecked: tuple[str, str] | None = None

    def __str__(self) -> str:
        return self.label


NO_MFA = "ministack never sets aws:MultiFactorAuthPresent or its age"
NO_CODES = "ministack never looks at SerialNumber and TokenCode"
NO_RANGES = "ministack takes any DurationSeconds"
NO_LIMITS = "ministack takes any length and characters here"
NO_DIRECT = "ministack wants the identity policy even where the trust policy names the user of the same account"
NO_SOURCE_IDENTITY = "ministack doesn't know source identities"


def _chain(station, first: str, second: str, first_more: dict | None = None, **more: object):
    return station.assume(station.session_of("alice", first, **(first_more or {})), second, **more)


def _with_code(station, role: str, **more: object):
    holder = station.fresh_device()
    return station.assume(holder.name, role, SerialNumber=holder.serial, TokenCode=holder.code(), **more)


def _code_twice(station):
    holder = station.fresh_device()
    given = {"SerialNumber": holder.serial, "TokenCode": holder.code()}
    station.must(station.assume(holder.name, "Mfa" if station.strict else "Good", **given))
    return station.assume(holder.name, "Mfa" if station.strict else "Good", **given)


def _code_in_both_calls(station):
    holder = station.fresh_device()
    given = {"SerialNumber": holder.serial, "TokenCode": holder.code()}
    station.must(station.session_token(holder.name, **given))
    return station.assume(holder.name, "Good", **given)


def _through_session(station, role: str, with_code: bool, **more: object):
    holder = station.fresh_device() if with_code else None
    given = {"SerialNumber": holder.serial, "TokenCode": holder.code()} if holder else {}
    session = station.must(station.session_token(holder.name if holder else "alice", **given))
    return station.assume(session, role, **more)


def _narrowed(station, policy: dict):
    return _chain(station, "Chainer", "Good", {"Policy": json.dumps(policy)})


def _tags(**tags: str) -> list[dict]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


DENIED = "is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::"
BAD_CODE = "MultiFactorAuthentication failed with invalid MFA one time pass code."
BAD_SERIAL = "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number"
ONE_ERROR = "1 validation error detected: Value "

RULES = [
    # Who is calling.
    Rule("right key", "OK", lambda s: s.identity("alice")),
    Rule("key without any policy", "OK", lambda s: s.identity("nopol")),
    Rule("wrong secret", "SignatureDoesNotMatch", lambda s: s.identity((s.keys("alice")[0], "w" * 40))),
    Rule("inactive key", "InvalidClientTokenId", lambda s: s.identity("retired")),
    Rule("unknown key", "InvalidClientTokenId", lambda s: s.identity(("AKIAZZZZZZZZZZZZZZZZ", "x" * 40))),
    Rule("unknown session", "InvalidClientTokenId", lambda s: s.identity(("ASIAZZZZZZZZZZZZZZZZ", "x" * 40, "token"))),
    Rule("long-term key with a token", "InvalidClientTokenId", lambda s: s.identity((*s.keys("alice"), "bogus"))),
    Rule("session", "OK", lambda s: s.identity(s.session_of("alice", "Good"))),
    Rule("session without its token", "InvalidClientTokenId",
         lambda s: s.identity(s.session_of("alice", "Good")[:2])),
    Rule("session with a garbled token", "InvalidClientTokenId",
         lambda s: s.identity((*(g := s.session_of("alice", "Good"))[:2], g[2][:-8] + "AAAAAAAA"))),
    Rule("session with another one's token", "InvalidClientTokenId",
         lambda s: s.identity((*s.session_of("alice", "Good")[:2], s.session_of("alice", "Good")[2]))),
    # Signatures.
    Rule("signed", "OK", lambda s: s.raw()),
    Rule("body changed after signing", "SignatureDoesNotMatch", lambda s: s.raw(tamper=True)),
    Rule("no signature", "MissingAuthenticationToken", lambda s: s.raw(drop=True)),
    Rule("clock 20 minutes slow", "SignatureDoesNotMatch", lambda s: s.raw(skew=-1200), "Signature expired: "),
    Rule("clock 20 minutes fast", "SignatureDoesNotMatch", lambda s: s.raw(skew=1200), "Signature not yet current: "),
    Rule("clock 14 minutes slow", "OK", lambda s: s.raw(skew=-840)),
    Rule("scope of another service", "SignatureDoesNotMatch", lambda s: s.raw(service="s3"),
         unchecked=("AccessDenied", "ministack takes the scope's service for the one that is asked")),
    Rule("no version", "InvalidAction", lambda s: s.raw(body="Action=GetCallerIdentity"),
         unchecked=("OK", "ministack doesn't look at Version")),
    Rule("unknown action", "InvalidAction", lambda s: s.raw(body="Action=Nope&Version=2011-06-15"),
         unchecked=("AccessDenied", "ministack asks the policies before it looks for the action")),
    # Trust and identity policies.
    Rule("account trusted, policy allows", "OK", lambda s: s.assume("alice", "Good")),
    Rule("account trusted by its bare number", "OK", lambda s: s.assume("alice", "BareAccount")),
    Rule("account trusted, policy lacks the role", "AccessDenied", lambda s: s.assume("alice", "NoIdent"), DENIED),
    Rule("account trusted, no policy", "AccessDenied", lambda s: s.assume("nopol", "Good"), DENIED),
    Rule("user trusted, no policy", "OK", lambda s: s.assume("nopol", "DirectNopol"),
         unchecked=("AccessDenied", NO_DIRECT)),
    Rule("user trusted, policy denies", "AccessDenied", lambda s: s.assume("denied", "DirectDenied"), DENIED),
    Rule("everyone trusted, no policy", "OK", lambda s: s.assume("nopol", "Anyone"),
         unchecked=("AccessDenied", NO_DIRECT)),
    Rule("another user trusted", "AccessDenied", lambda s: s.assume("alice", "OnlyBob"), DENIED),
    Rule("that other user", "OK", lambda s: s.assume("bob", "OnlyBob")),
    Rule("a service trusted", "AccessDenied", lambda s: s.assume("alice", "Service"), DENIED),
    Rule("another account trusted", "AccessDenied", lambda s: s.assume("alice", "OtherAccount"), DENIED),
    Rule("trust policy denies the user", "AccessDenied", lambda s: s.assume("alice", "TrustDenies"), DENIED),
    Rule("role that doesn't exist", "AccessDenied", lambda s: s.assume("alice", "Missing")),
    Rule("across accounts", "OK", lambda s: s.assume("alice", "Away", AWAY, ExternalId="x1")),
    Rule("across accounts, user trusted, no policy", "AccessDenied",
         lambda s: s.assume("nopol", "AwayDirect", AWAY), DENIED),
    Rule("role trusted", "OK", lambda s: _chain(s, "Blank", "ByRole"), unchecked=("AccessDenied", NO_DIRECT)),
    Rule("role trusted, user calls", "AccessDenied", lambda s: s.assume("alice", "ByRole"), DENIED),
    Rule("session trusted", "OK", lambda s: _chain(s, "Blank", "BySession"), unchecked=("AccessDenied", NO_DIRECT)),
    Rule("another session of that role", "AccessDenied",
         lambda s: _chain(s, "Blank", "BySession", {"session": "s2"}), DENIED),
    Rule("role without policy", "AccessDenied", lambda s: _chain(s, "Blank", "Good"), DENIED),
    Rule("session policy allows", "OK", lambda s: _narrowed(s, allow("sts:AssumeRole", "*"))),
    Rule("session policy lacks it", "AccessDenied", lambda s: _narrowed(s, allow("sqs:*", "*")), DENIED),
    # Conditions.
    Rule("external id missing", "AccessDenied", lambda s: s.assume("alice", "External"), DENIED),
    Rule("external id wrong", "AccessDenied", lambda s: s.assume("alice", "External", ExternalId="no"), DENIED),
    Rule("external id right", "OK", lambda s: s.assume("alice", "External", ExternalId="x1")),
    Rule("external id, second of two", "OK", lambda s: s.assume("alice", "TwoIds", ExternalId="x2")),
    Rule("negated operator, key absent", "OK", lambda s: s.assume("alice", "ExternalNot")),
    Rule("negated operator, value equal", "AccessDenied",
         lambda s: s.assume("alice", "ExternalNot", ExternalId="x1"), DENIED),
    Rule("session name is the user's", "OK", lambda s: s.assume("alice", "SessionName", session="alice"),
         unchecked=("AccessDenied", "ministack doesn't fill in variables of trust policies")),
    Rule("session name is another", "AccessDenied", lambda s: s.assume("alice", "SessionName", session="bob"), DENIED),
    Rule("caller's ARN fits", "OK", lambda s: s.assume("alice", "CallerArn")),
    Rule("caller's ARN doesn't fit", "AccessDenied", lambda s: s.assume("bob", "CallerArn"), DENIED),
    # MFA.
    Rule("MFA role, no MFA", "AccessDenied", lambda s: s.assume("alice", "Mfa"), DENIED),
    Rule("MFA if exists, long-term key", "OK", lambda s: s.assume("alice", "MfaIfExists")),
    Rule("MFA if exists, session without MFA", "AccessDenied",
         lambda s: _through_session(s, "MfaIfExists", False), DENIED),
    Rule("MFA key absent for long-term keys", "OK", lambda s: s.assume("alice", "KeyAbsent")),
    Rule("MFA age, no MFA", "AccessDenied", lambda s: s.assume("alice", "MfaAge"), DENIED),
    Rule("MFA code", "OK", lambda s: _with_code(s, "Mfa"), unchecked=("AccessDenied", NO_MFA)),
    Rule("MFA code, age", "OK", lambda s: _with_code(s, "MfaAge"), unchecked=("AccessDenied", NO_MFA)),
    Rule("MFA session", "OK", lambda s: _through_session(s, "Mfa", True), unchecked=("AccessDenied", NO_MFA)),
    Rule("MFA session, age", "OK", lambda s: _through_session(s, "MfaAge", True), unchecked=("AccessDenied", NO_MFA)),
    Rule("session without MFA", "AccessDenied", lambda s: _through_session(s, "Mfa", False), DENIED),
    Rule("MFA doesn't go on to a role's session", "AccessDenied",
         lambda s: s.assume(s.credentials(s.must(_with_code(s, "Chainer"))), "Mfa"), DENIED),
    Rule("code used twice", "AccessDenied", _code_twice, BAD_CODE, ("OK", NO_CODES)),
    Rule("code used for two actions", "AccessDenied", _code_in_both_calls, BAD_CODE, ("OK", NO_CODES)),
    Rule("wrong code", "AccessDenied", lambda s: s.assume(
         "holder0", "Good", SerialNumber=s.serial("holder0"), TokenCode=s.wrong_code()), BAD_CODE, ("OK", NO_CODES)),
    Rule("another user's device", "AccessDenied", lambda s: s.assume(
         "holder0", "Good", SerialNumber=s.serial("holder1"), TokenCode="123456"), BAD_SERIAL, ("OK", NO_CODES)),
    Rule("no such device", "AccessDenied", lambda s: s.assume(
         "holder0", "Good", SerialNumber=s.serial("nobody"), TokenCode="123456"), BAD_SERIAL, ("OK", NO_CODES)),
    Rule("serial without code", "AccessDenied", lambda s: s.assume(
         "holder0", "Good", SerialNumber=s.serial("holder0")), "must provide both MFA serial number", ("OK", NO_CODES)),
    Rule("code too short", "ValidationError", lambda s: s.assume(
         "holder0", "Good", SerialNumber=s.serial("holder0"), TokenCode="12345"),
         "'tokenCode' failed to satisfy constraint: Member must have length greater than or equal to 6",
         ("OK", NO_CODES)),
    Rule("code with letters", "ValidationError", lambda s: s.assume(
         "holder0", "Good", SerialNumber=s.serial("holder0"), TokenCode="12345a"),
         r"Member must satisfy regular expression pattern: [\d]*", ("OK", NO_CODES)),
    # GetSessionToken.
    Rule("session token without policy", "OK", lambda s: s.session_token("nopol")),
    Rule("session token from a session", "AccessDenied",
         lambda s: s.session_token(s.credentials(s.must(s.session_token("alice")))),
         "Cannot call GetSessionToken with session credentials"),
    Rule("session token from a role", "AccessDenied", lambda s: s.session_token(s.session_of("alice", "Good")),
         "Cannot call GetSessionToken with session credentials"),
    Rule("session token for 36 hours", "OK", lambda s: s.session_token("alice", DurationSeconds=129600)),
    Rule("session token beyond 36 hours", "ValidationError",
         lambda s: s.session_token("alice", DurationSeconds=129601), ONE_ERROR, ("OK", NO_RANGES)),
    Rule("session token with a wrong code", "AccessDenied", lambda s: s.session_token(
         "holder0", SerialNumber=s.serial("holder0"), TokenCode=s.wrong_code()), BAD_CODE, ("OK", NO_CODES)),
    # Durations.
    Rule("900 seconds", "OK", lambda s: s.assume("alice", "Good", DurationSeconds=900)),
    Rule("899 seconds", "ValidationError", lambda s: s.assume("alice", "Good", DurationSeconds=899),
         ONE_ERROR + "'899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or "
         "equal to 900", ("OK", NO_RANGES)),
    Rule("more than 12 hours", "ValidationError", lambda s: s.assume("alice", "Good", DurationSeconds=43201),
         ONE_ERROR, ("OK", NO_RANGES)),
    Rule("the role's maximum", "OK", lambda s: s.assume("alice", "Max2h", DurationSeconds=7200)),
    Rule("beyond the role's maximum", "ValidationError", lambda s: s.assume("alice", "Good", DurationSeconds=7200),
         "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", ("OK", NO_RANGES)),
    Rule("an hour in a chain", "OK", lambda s: _chain(s, "Good", "Max2h", DurationSeconds=3600)),
    Rule("two hours in a chain", "ValidationError", lambda s: _chain(s, "Good", "Max2h", DurationSeconds=7200),
         "exceeds the 1 hour session limit for roles assumed by role chaining.", ("OK", NO_RANGES)),
    Rule("two hours from a user's session", "ValidationError",
         lambda s: _through_session(s, "Max2h", False, DurationSeconds=7200),
         "exceeds the 1 hour session limit for roles assumed by role chaining.", ("OK", NO_RANGES)),
    # Parameters.
    Rule("session name with a space", "ValidationError", lambda s: s.assume("alice", "Good", session="a b"),
         ONE_ERROR + r"'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression "
         r"pattern: [\w+=,.@-]*", ("OK", NO_LIMITS)),
    Rule("session name of one letter", "ValidationError", lambda s: s.assume("alice", "Good", session="a"),
         "Member must have length greater than or equal to 2", ("OK", NO_LIMITS)),
    Rule("session name of 65 letters", "ValidationError", lambda s: s.assume("alice", "Good", session="a" * 65),
         "Member must have length less than or equal to 64", ("OK", NO_LIMITS)),
    Rule("two errors at once", "ValidationError", lambda s: s.assume("alice", "Good", session="a/" * 40),
         "2 validation errors detected: ", ("OK", NO_LIMITS)),
    Rule("source identity of 257 letters", "ValidationError",
         lambda s: s.assume("alice", "Identified", SourceIdentity="a" * 257),
         "Member must have length less than or equal to 256", ("OK", NO_LIMITS)),
    Rule("source identity of 256 letters", "OK", lambda s: s.assume("alice", "Identified", SourceIdentity="a" * 256)),
    Rule("external id of one letter", "ValidationError", lambda s: s.assume("alice", "Good", ExternalId="x"),
         "at 'externalId'", ("OK", NO_LIMITS)),
    Rule("no role", "ValidationError", lambda s: s.raw(by="bob", body="Action=AssumeRole&Version=2011-06-15&RoleSessionName=s1"),
         "Value null at 'roleArn' failed to satisfy constraint: Member must not be null"),
    Rule("ARN of no account", "ValidationError", lambda s: s.assume_arn("bob", "arn:aws:iam::x:role/NotGoodAtAll"),
         " is invalid"),
    Rule("ARN of a user", "ValidationError", lambda s: s.assume_arn("bob", user_arn("alice")), " is invalid"),
    Rule("policy that isn't JSON", "MalformedPolicyDocument",
         lambda s: s.assume("alice", "Good", Policy="{nope"), "This policy contains invalid Json"),
    Rule("policy too long", "ValidationError",
         lambda s: s.assume("alice", "Good", Policy=json.dumps(allow("sts:*", "x" * 2048))), "at 'policy'"),
    # Tags.
    Rule("tags", "OK", lambda s: s.assume("alice", "Tagged", Tags=_tags(team="a"))),
    Rule("tags without sts:TagSession in the trust", "AccessDenied",
         lambda s: s.assume("alice", "Good", Tags=_tags(team="a")), "is not authorized to perform: sts:TagSession on"),
    Rule("tags without sts:TagSession of the user", "AccessDenied",
         lambda s: s.assume("bob", "Tagged", Tags=_tags(team="a")), "is not authorized to perform: sts:TagSession on",
         ("OK", "ministack looks for sts:TagSession in the trust policy only")),
    Rule("tag as required", "OK", lambda s: s.assume("alice", "TaggedOnly", Tags=_tags(team="a"))),
    Rule("tag with another value", "AccessDenied",
         lambda s: s.assume("alice", "TaggedOnly", Tags=_tags(team="b")), DENIED),
    Rule("tag key twice", "InvalidParameterValue",
         lambda s: s.assume("alice", "Tagged", Tags=_tags(team="a", TEAM="b")), "Tag keys are case insensitive"),
    Rule("51 tags", "ValidationError",
         lambda s: s.assume("alice", "Tagged", Tags=_tags(**{f"k{n}": "v" for n in range(51)})),
         "Member must have length less than or equal to 50", ("OK", NO_LIMITS)),
    Rule("transitive key that isn't a tag", "ValidationError",
         lambda s: s.assume("alice", "Tagged", Tags=_tags(team="a"), TransitiveTagKeys=["other"]),
         "must be included in the requested tags", ("OK", "ministack ignores TransitiveTagKeys")),
    Rule("packed size", "PackedPolicyTooLarge",
         lambda s: s.assume("alice", "Tagged", Tags=_tags(**{f"k{n}": "v" * 256 for n in range(50)})),
         "of allotted space", ("OK", "ministack doesn't pack")),
    Rule("other tags don't go on", "OK", lambda s: _chain(s, "Chainer", "Good", {"Tags": _tags(team="a")})),
    Rule("transitive tags need sts:TagSession on", "AccessDenied",
         lambda s: _chain(s, "Chainer", "Good", {"Tags": _tags(team="a"), "TransitiveTagKeys": ["team"]}),
         "is not authorized to perform: sts:TagSession on", ("OK", "ministack ignores TransitiveTagKeys")),
    Rule("transitive tag can't be changed", "ValidationError",
         lambda s: _chain(s, "Chainer", "Tagged", {"Tags": _tags(team="a"), "TransitiveTagKeys": ["team"]},
                         Tags=_tags(team="b")),
         "conflicts with a transitive tag key", ("OK", "ministack ignores TransitiveTagKeys")),
    # Source identity.
    Rule("source identity", "OK", lambda s: s.assume("alice", "Identified", SourceIdentity="alice")),
    Rule("source identity as required", "OK", lambda s: s.assume("alice", "IdentifiedAlice", SourceIdentity="alice"),
         unchecked=("AccessDenied", NO_SOURCE_IDENTITY)),
    Rule("another source identity", "AccessDenied",
         lambda s: s.assume("alice", "IdentifiedAlice", SourceIdentity="mallory"), DENIED),
    Rule("source identity without sts:SetSourceIdentity", "AccessDenied",
         lambda s: s.assume("alice", "Good", SourceIdentity="alice"),
         "is not authorized to perform: sts:SetSourceIdentity on", ("OK", NO_SOURCE_IDENTITY)),
    Rule("source identity in a chain", "OK",
         lambda s: _chain(s, "Chainer", "IdentifiedAlice", {"SourceIdentity": "alice"}),
         unchecked=("AccessDenied", NO_SOURCE_IDENTITY)),
    Rule("source identity changed in a chain", "AccessDenied",
         lambda s: _chain(s, "Chainer", "Identified", {"SourceIdentity": "alice"}, SourceIdentity="bob"),
         "is not authorized to perform: sts:SetSourceIdentity on", ("OK", NO_SOURCE_IDENTITY)),
    Rule("source identity in a chain, the calling role's policy lacks it", "AccessDenied",
         lambda s: _chain(s, "Blank", "IdentifiedByRole", SourceIdentity="alice"),
         "is not authorized to perform: sts:SetSourceIdentity on"),
    Rule("source identity into a role that doesn't take one", "AccessDenied",
         lambda s: _chain(s, "Chainer", "Good", {"SourceIdentity": "alice"}),
         "is not authorized to perform: sts:SetSourceIdentity on", ("OK", NO_SOURCE_IDENTITY)),
    # The rest.
    Rule("whose key is this", "OK", lambda s: s.key_info("carol", s.keys("bob")[0])),
    Rule("whose key is this, no permission", "AccessDenied", lambda s: s.key_info("alice", s.keys("bob")[0])),
    Rule("key too short", "ValidationError", lambda s: s.key_info("carol", "AKIA"), "at 'accessKeyId'"),
    Rule("decode without permission", "AccessDenied", lambda s: s.decode("nopol")),
    Rule("decode what isn't encoded", "InvalidAuthorizationMessageException", lambda s: s.decode("carol"),
         unchecked=("InvalidAction", "ministack has no DecodeAuthorizationMessage")),
]
