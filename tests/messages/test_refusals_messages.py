"""Tests the messages about refusals by STS."""


from failure_world import ALICE, HERE, THERE, file, source


def aws_says(world, text, code="AccessDenied", status=403, **more):
    world.sts.fault(error={"status": status, "code": code, "message": text}, **more)


NOT_AUTHORIZED = (f"User: arn:aws:iam::{HERE}:user/alice is not authorized to perform: sts:AssumeRole on resource: "
                  f"arn:aws:iam::{THERE}:role/Plain")


def test_trust_policy_names_another(world, says):
    """The role is in another account, and its trust policy names another principal."""
    world.shop(file("Closed"))
    says()


def test_identity_policy_is_missing(world, says):
    """No policy of the user allows it to assume the role of another account."""
    world.shop(file("Plain", source="newcomer"))
    says()


def test_role_is_deleted(world, says):
    """The role doesn't exist."""
    world.shop(file("Delpoy"))
    says()


def test_same_account(world, says):
    """Caller and role are in one account, and the trust policy names another principal."""
    world.shop(file("Next", HERE))
    says()


def test_aws_reports_a_missing_identity_policy(world, says):
    """AWS reports that the identity policy doesn't allow it."""
    aws_says(world, f"{NOT_AUTHORIZED} because no identity-based policy allows the sts:AssumeRole action")
    world.shop(file("Plain"))
    says()


def test_aws_reports_a_missing_trust_policy(world, says):
    """AWS reports that the trust policy doesn't allow it."""
    aws_says(world, f"{NOT_AUTHORIZED} because no resource-based policy allows the sts:AssumeRole action")
    world.shop(file("Plain"))
    says()


def test_explicit_deny_of_an_identity_policy(world, says):
    """An identity policy of the caller denies it."""
    aws_says(world, f"{NOT_AUTHORIZED} with an explicit deny in an identity-based policy")
    world.shop(file("Plain"))
    says()


def test_explicit_deny_of_the_organization(world, says):
    """A policy of the organization denies it."""
    aws_says(world, f"{NOT_AUTHORIZED} with an explicit deny in a service control policy")
    world.shop(file("Plain"))
    says()


def test_permissions_boundary(world, says):
    """The caller's permissions boundary doesn't allow it."""
    aws_says(world, f"{NOT_AUTHORIZED} because no permissions boundary allows the sts:AssumeRole action")
    world.shop(file("Plain"))
    says()


def test_external_id_is_missing(world, says):
    """The trust policy requires an external ID, and the file has none."""
    world.shop(file("Partner"))
    says()


def test_external_id_is_wrong(world, says):
    """The trust policy requires another external ID."""
    world.shop(file("Partner", external_id="shop/24"))
    says()


def test_source_identity_is_not_allowed(world, says):
    """The trust policy allows sts:AssumeRole, but not sts:SetSourceIdentity."""
    world.shop(file("Plain", source_identity="alice"))
    says()


def test_session_tags_are_not_allowed(world, says):
    """The trust policy allows sts:AssumeRole, but not sts:TagSession."""
    world.shop(file("Plain", more='session_tags = { team = "shop" }\n'))
    says()


def test_mfa_is_missing(world, says):
    """The trust policy requires MFA, and no device is set."""
    world.shop(file("Guarded"))
    says()


def test_mfa_in_a_chain(world, says):
    """The second role of a chain requires MFA, which the first role's session never has."""
    world.shop('default_role = "second"\n[role.first]\n' + file("Deploy", source="alice-mfa")
               + f'[role.second]\nrole_arn = "arn:aws:iam::{THERE}:role/GuardedSecond"\nsource_role = "first"\n')
    world.give_code(world.sts.totp("alice"))
    says(env=world.endpoint)


def test_mfa_from_an_instance(world, says):
    """The role requires MFA, which an instance never has."""
    world.shop(source("Ec2InstanceMetadata", "Guarded"))
    says(env=world.endpoint)


def test_mfa_session_is_too_old(world, says):
    """The trust policy limits the age of MFA (aws:MultiFactorAuthAge), and the MFA session is hours old."""
    world.shop(file("Plain", source="alice-mfa"))
    world.give_code(world.sts.totp("alice"))
    assert world.awsrole("exec", "--", "true", cwd=world.home / "src/shop").code == 0
    world.project("shop", file("Fresh", source="alice-mfa"), allow=True)
    world.age_sessions(3 * 3600)
    aws_says(world, NOT_AUTHORIZED.replace("Plain", "Fresh"), action="AssumeRole")
    says()


def test_session_name_must_be_the_user(world, says):
    """A condition requires the user's name as the session name (sts:RoleSessionName, ${aws:username})."""
    world.shop(file("Named", role_session_name="build-7"))
    says()


def test_trust_policy_names_a_session(world, says):
    """The trust policy names the session of another instance instead of its role."""
    world.shop(source("Ec2InstanceMetadata", "BySession"))
    says(env=world.endpoint)


def test_permission_set_is_not_trusted(world, says):
    """A user of IAM Identity Center is refused: the trust policy names the permission set's role without path."""
    world.shop(file("ByPermissionSet", source="sso"))
    world.sts.write_sso_cache(world.home, world.sts.sso_sign_in())
    says(env=world.endpoint)


def test_second_role_of_a_chain(world, says):
    """The first role of a chain is assumed, but the second one doesn't trust it."""
    world.shop('default_role = "second"\n[role.first]\n' + file("Deploy")
               + f'[role.second]\nrole_arn = "arn:aws:iam::{THERE}:role/Closed"\nsource_role = "first"\n')
    says(env=world.endpoint)


def test_encoded_message(world, says):
    """AWS encodes the reason, and the caller has no permission to decode it."""
    aws_says(world, f"{NOT_AUTHORIZED}. Encoded authorization failure message: " + "4GIOHlTkIaWHQD0Q" * 30, action="AssumeRole")
    world.shop(file("Plain"))
    says()


def test_access_key_is_unknown(world, says):
    """The access key was deleted."""
    world.shop(file("Plain", source="stranger"))
    says()


def test_access_key_is_inactive(world, says):
    """The access key was deactivated."""
    world.shop(file("Plain", source="retired"))
    says()


def test_secret_is_wrong(world, says):
    """The secret access key was mistyped."""
    path = world.home / ".aws/credentials"
    path.write_text(path.read_text().replace(ALICE["secret_access_key"], "x" + ALICE["secret_access_key"][1:]))
    world.shop(file("Plain"))
    says()


def test_clock_is_fast(world, says):
    """This machine's clock is two hours fast, so STS rejects the signature."""
    world.sts.fault(clock_offset_seconds=-7200)
    aws_says(world, "Signature not yet current: 20260102T050405Z is still later than 20260102T031905Z (20260102T030405Z + 15 min.)",
             code="SignatureDoesNotMatch")
    world.shop(file("Plain"))
    says()


def test_region_is_unknown(world, says):
    """The file sets a region that doesn't exist, and the endpoint is the same for all regions."""
    aws_says(world, "Credential should be scoped to a valid region.", code="SignatureDoesNotMatch")
    world.shop(file("Plain") + 'region = "eu-nowhere"\n')
    says()


def temporary(world):
    """Somebody's temporary keys in a profile."""
    env = world.exec_env(world.project("first", file("Deploy"), allow=True))
    world.write(".aws/credentials", (world.home / ".aws/credentials").read_text()
                + "[temporary]\n" + "".join(f"{name.lower()} = {env[name]}\n" for name in
                                            ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")))
    world.config(more=f"[profile temporary]\nendpoint_url = {world.sts.url}\n")
    return env


def test_source_is_expired(world, says):
    """The profile contains temporary keys that have expired."""
    temporary(world)
    world.sts.expire()
    world.shop(file("Plain", source="temporary"))
    says()


def test_session_token_is_damaged(world, says):
    """The profile contains temporary keys with a token of other keys."""
    env = temporary(world)
    path = world.home / ".aws/credentials"
    path.write_text(path.read_text().replace(env["AWS_SESSION_TOKEN"], env["AWS_SESSION_TOKEN"][:-8] + "AAAAAAAA"))
    world.shop(file("Plain", source="temporary"))
    says()


def test_mfa_with_temporary_keys(world, says):
    """A profile has temporary keys and mfa_serial, but STS accepts a code only with long-lived keys."""
    temporary(world)
    world.project("shop", file("Guarded", source="temporary", mfa_serial="arn:aws:iam::111111111111:mfa/alice"), allow=True)
    says()


def test_session_is_denied(world, says):
    """A session of the user (GetSessionToken) is denied."""
    aws_says(world, "Cannot call GetSessionToken with session credentials", action="GetSessionToken")
    world.shop('profile = "alice"\n')
    says()


def test_duration_beyond_the_roles_maximum(world, says):
    """The requested duration exceeds the role's maximum session duration."""
    world.shop(file("Deploy", duration_seconds=14400))
    says()


def test_duration_in_a_chain(world, says):
    """More than an hour is requested with role chaining. This is known without a call."""
    world.shop('default_role = "second"\n[role.first]\n' + file("Deploy")
               + f'[role.second]\nrole_arn = "arn:aws:iam::{THERE}:role/Closed"\nsource_role = "first"\nduration_seconds = 7200\n')
    says()


def test_duration_with_temporary_keys(world, says):
    """More than an hour is requested with temporary keys. STS reports that this is role chaining."""
    temporary(world)
    world.shop(file("Long", source="temporary", duration_seconds=7200))
    says()


def test_policy_is_malformed(world, says):
    """The session policy is JSON, but not a policy."""
    world.shop(file("Plain", more="policy = '{\"Statement\": 7}'\n"))
    says()


def test_packed_policy_is_too_large(world, says):
    """Policy and tags each comply with STS's limits, but not together."""
    tags = ", ".join(f'k{i:02} = "{"v" * 80}"' for i in range(50))
    world.shop(file("Deploy", more=f"session_tags = {{ {tags} }}\n"))
    says()


def test_region_is_disabled(world, says):
    """STS is disabled in the region."""
    aws_says(world, "STS is not activated in this region for account:111111111111. Your account administrator can activate "
             "STS in this region using the IAM Console.", code="RegionDisabledException")
    world.shop(file("Plain", region="ap-east-1"))
    says()


def test_region_does_not_know_the_key(world, says):
    """An opt-in region doesn't accept keys of other regions."""
    aws_says(world, "The security token included in the request is invalid", code="InvalidClientTokenId")
    world.shop(file("Plain", region="ap-east-1"))
    says()


def test_too_many_calls(world, says):
    """STS throttles the calls."""
    world.sts.fault(throttle=True)
    world.shop(file("Plain"))
    says()


def test_sts_has_an_internal_error(world, says):
    """STS has an internal error."""
    aws_says(world, "The request processing has failed because of an unknown error.", code="InternalFailure", status=500)
    world.shop(file("Plain"))
    says()


def test_unknown_code(world, says):
    """STS returns an unknown error code."""
    aws_says(world, "nobody knows this", code="Novelty", status=400)
    world.shop(file("Plain"))
    says()


def test_hostile_text(world, says):
    """The error message contains escape sequences for terminals."""
    aws_says(world, "\x1b]0;owned\x07\x1b[2J no\nawsrole: all is well \u202e!sdrawkcab")
    world.shop(file("Plain"))
    says()


LIMITED = 'profile = "alice"\npreset = "read-only"\n'


def test_limit_is_not_permitted(world, says):
    """The keys of a user without a role are limited, and no policy allows sts:GetScopedCredentials."""
    world.shop(LIMITED)
    says()


def test_limit_is_unknown_to_sts(world, says):
    """The STS is an older emulator that doesn't have the action."""
    aws_says(world, "Could not find operation GetScopedCredentials for version 2011-06-15", "InvalidAction", 400,
             action="GetScopedCredentials")
    world.shop(LIMITED)
    says()


def test_limit_is_not_a_policy(world, says):
    """The policy is JSON, but STS can't parse it as a policy."""
    aws_says(world, "Syntax errors in policy.", "MalformedPolicyDocument", 400, action="GetScopedCredentials")
    world.shop('profile = "alice"\npolicy = \'{"Statement": 7}\'\n')
    says()
