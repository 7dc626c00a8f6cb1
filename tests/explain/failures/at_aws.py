"""AWS refuses a call."""

import json

from broken import ALICE, FIXTURE, HERE, PROVIDER, SERIAL, THERE, failure, role, typed

from support.clock import Clock

WHO = (f"User: arn:aws:iam::{HERE}:user/alice is not authorized to perform: sts:AssumeRole on resource: "
       f"arn:aws:iam::{THERE}:role/Plain")
NETWORK = "(?i)network|proxy"


@failure(r"no MFA code was sent.* set mfa_serial in \.awsrole\.toml", misleading="policy")
def mfa_is_missing(home):
    home.shop("Guarded")
    said = yield
    assert "`aws iam list-mfa-devices --profile alice`" in said
    home.answer_with_a_code()
    home.add(f'mfa_serial = "{SERIAL}"')


@failure(r"no MFA code was sent")
def mfa_is_missing_and_the_policy_is_pasted(home):
    """What `awsrole policy` prints isn't printed without a warning: it would let in who has no MFA."""
    home.shop("Guarded")
    yield
    printed = home.type("policy").out
    warning, document = printed.index("If role Guarded requires MFA, don't add this"), printed.index("trust policy of role Guarded")
    assert warning < document
    home.answer_with_a_code()
    home.add(f'mfa_serial = "{SERIAL}"')
    # With the device the printed statement has the condition.
    assert '"aws:MultiFactorAuthPresent": "true"' in home.type("policy").out


@failure(r"code was entered 180 minutes ago.*awsrole refresh", misleading="policy")
def mfa_is_too_old(home):
    home.shop("Plain", source="alice-mfa")
    home.answer_with_a_code()
    assert home.type("exec -- true").code == 0
    home.shop("Fresh", source="alice-mfa")
    home.age_sessions(3 * 3600)
    home.aws_says(WHO.replace("Plain", "Fresh"), action="AssumeRole", times=1)
    yield
    for device in home.entries("mfa"):
        device.unlink()  # so that nothing waits for the next code
    home.answer_with_a_code(unused=True)


@failure(r"sent: session name alice, no external ID")
def external_id_is_missing(home):
    home.shop("Partner")
    said = yield
    home.add(typed(said, r"requires (external_id) ") + ' = "shop/42"')


@failure(r"sent: session name alice, external ID shop/24")
def external_id_is_wrong(home):
    home.shop("Partner", external_id="shop/24")
    said = yield
    assert "requires another external_id" in said
    home.add('external_id = "shop/42"')


@failure(r"sent: session name build,")
def session_name_must_be_the_users(home):
    home.shop("Named", role_session_name="build")
    said = yield
    assert "another role_session_name" in said
    home.add(typed(home.type("why").out.replace("\n", " "), r'set (role_session_name\s+=\s+"alice")'))


@failure(r"STS refused arn:aws:iam::222222222222:role/Plian")
def role_is_misspelt(home):
    home.shop("Plian")
    said = yield
    assert "wrong role_arn" in said
    home.add(f'role_arn = "arn:aws:iam::{THERE}:role/Plain"')


@failure(r"caller: arn:aws:iam::111111111111:user/newcomer")
def identity_policy_is_missing(home):
    home.shop("Plain", source="newcomer")
    said = yield
    assert "`awsrole policy`" in said
    assert len(home.paste_policies()) == 2


@failure(r"no identity-based policy allows.*`awsrole policy` prints the statement", misleading="MFA|trust policy")
def aws_names_the_identity_policy(home):
    home.aws_says(f"{WHO} because no identity-based policy allows the sts:AssumeRole action", action="AssumeRole")
    home.shop("Plain")
    yield
    [heading] = home.paste_policies()
    assert f"account {HERE}" in heading and "user alice" in heading


@failure(r"no role trust policy allows.*`awsrole policy` prints the statement", misleading="doesn't exist|identity")
def aws_names_the_trust_policy(home):
    home.aws_says(f"{WHO.replace('Plain', 'Closed')} because no role trust policy allows the sts:AssumeRole action", action="AssumeRole")
    home.shop("Closed")
    yield
    [heading] = home.paste_policies()
    assert f"account {THERE}" in heading and "trust policy of role Closed" in heading


@failure(r"no permissions boundary allows.*`awsrole policy` prints the statement", misleading="trust policy")
def aws_names_the_permissions_boundary(home):
    home.aws_says(f"{WHO} because no permissions boundary allows the sts:AssumeRole action", action="AssumeRole")
    home.shop("Plain")
    yield
    [heading] = home.paste_policies()
    assert heading.endswith("permissions boundary of user alice")


@failure(r"explicit deny in a service control policy.*organization", misleading="awsrole policy|trust")
def the_organization_denies_it(home):
    home.aws_says(f"{WHO} with an explicit deny in a service control policy: arn:aws:organizations::{HERE}:policy/o-1/p-1", action="AssumeRole")
    home.shop("Plain")
    said = yield
    assert f"account {HERE}" in said
    home.sts.clear_faults()


@failure(r"explicit deny in an identity-based policy.*aws iam-toolbox get-request-authorization-details --authorization-id a1b2c3")
def aws_gives_an_authorization_id(home):
    home.aws_says(f"{WHO} with an explicit deny in an identity-based policy: arn:aws:iam::{HERE}:policy/NoMfa. Go to https://us-east-1."
                  "console.aws.amazon.com/iam/home?region=us-east-1#/authorization-details/a1b2c3 for complete details, or call the "
                  "GetRequestAuthorizationDetails API with the following authorization id: a1b2c3", action="AssumeRole")
    home.shop("Plain")
    yield
    home.sts.clear_faults()


@failure(r"no MFA code was sent", misleading="ask its administrators")
def a_policy_denies_calls_without_mfa(home):
    home.aws_says(f"{WHO} with an explicit deny in an identity-based policy", action="AssumeRole", times=1)
    home.shop("Plain")
    yield
    home.answer_with_a_code()
    home.add(f'mfa_serial = "{SERIAL}"')


@failure(r"caller: arn:aws:iam::111111111111:user/alice")
def trust_policy_in_one_account(home):
    home.shop("Own", HERE)
    said = yield
    assert "`awsrole policy`" in said
    home.paste_policies()


@failure(r"AccessDenied for sts:TagSession.*`awsrole policy`")
def session_tags_are_not_allowed(home):
    home.shop("Plain", more='session_tags = { team = "shop" }\n')
    yield
    home.paste_policies()


@failure(r"AccessDenied for sts:SetSourceIdentity.*`awsrole policy`")
def source_identity_is_not_allowed(home):
    home.shop("Plain", source_identity="alice")
    yield
    home.paste_policies()


@failure(r"caller: arn:aws:sts::222222222222:assumed-role/Plain/alice.*`awsrole policy`", misleading="MFA code")
def second_role_of_a_chain_does_not_trust_the_first(home):
    home.shop_with(f'default_role = "second"\n[role.first]\nrole_arn = "arn:aws:iam::{THERE}:role/Plain"\nsource_profile = "alice"\n'
                   f'[role.second]\nrole_arn = "arn:aws:iam::{THERE}:role/Second"\nsource_role = "first"\n')
    yield
    # Those of the first call aren't missing.
    assert all("Plain" in heading or "Second" in heading for heading in home.paste_policies())


@failure(r"caller: arn:aws:sts::111111111111:assumed-role/App/i-0123456789abcdef0.*both accounts", misleading="MFA code")
def trust_policy_names_another_session(home):
    home.shop_with(f'role_arn = "arn:aws:iam::{THERE}:role/BySession"\ncredential_source = "Ec2InstanceMetadata"\n')
    home.more = {"AWS_ENDPOINT_URL": home.sts.url, "AWS_EC2_METADATA_SERVICE_ENDPOINT": home.sts.url}
    yield
    home.paste_policies()
    # Sessions are those of one server.
    home.more = dict.fromkeys(home.more, home.later_sts[-1].url)


@failure(r"assumed-role/AWSReservedSSO_Admin_")
def trust_policy_names_a_permission_set_without_its_path(home):
    home.shop("ByPermissionSet", source="sso")
    home.sts.write_sso_cache(home.home, home.sts.sso_sign_in())
    home.more = {"AWS_ENDPOINT_URL": home.sts.url}
    yield
    [trust] = [pair["trust"] for pair in json.loads(home.type("policy --json").out)]
    roles = [one if one["name"] != "ByPermissionSet" else role("ByPermissionSet", trust) for one in FIXTURE["role"]]
    # Sessions are those of one server.
    home.replace_sts(role=roles)
    home.more["AWS_ENDPOINT_URL"] = home.later_sts[-1].url
    home.later_sts[-1].write_sso_cache(home.home, home.later_sts[-1].sso_sign_in())


@failure(r"hasn't enabled ap-east-1.*aws account enable-region --region-name ap-east-1", misleading="deleted")
def region_is_not_enabled(home):
    home.aws_says("The security token included in the request is invalid", code="InvalidClientTokenId")
    home.shop("Plain", region="ap-east-1")
    said = yield
    assert "us-east-1" not in said, "no other region is advised"
    home.sts.clear_faults()


@failure(r"cn-north-1 is in partition aws-cn", misleading="deleted|us-east-1")
def keys_of_another_partition(home):
    """Nothing says where the keys are from."""
    home.aws_says("The security token included in the request is invalid", code="InvalidClientTokenId")
    home.shop_with(f'role_arn = "arn:aws-cn:iam::{THERE}:role/Plain"\nsource_profile = "alice"\n')
    yield
    home.sts.clear_faults()
    home.add(f'role_arn = "arn:aws:iam::{THERE}:role/Plain"')


@failure(r"key was deleted or deactivated.*aws configure --profile alice", misleading="region|clock")
def access_key_was_deleted(home):
    home.credentials(alice={**ALICE, "access_key_id": "AKIA" + "X" * 16})
    home.shop("Plain")
    said = yield
    home.run_typed(typed(said, r"`(aws configure --profile alice)`"), f"{ALICE['access_key_id']}\n{ALICE['secret_access_key']}\n\n\n")


@failure(r"secret access key doesn't belong.*aws configure --profile alice", misleading="deleted|policy")
def secret_is_wrong(home):
    home.credentials(alice={**ALICE, "secret_access_key": "x" * 40})
    home.shop("Plain")
    said = yield
    home.run_typed(typed(said, r"`(aws configure --profile alice)`"), f"{ALICE['access_key_id']}\n{ALICE['secret_access_key']}\n\n\n")


@failure(r"aws_session_token.*remove aws_session_token", misleading="deleted")
def session_token_is_left_over_beside_long_term_keys(home):
    home.credentials()
    text = (home.home / ".aws/credentials").read_text()
    home.write(".aws/credentials", text.replace("[alice]\n", "[alice]\naws_session_token = FwoGZXIvYXdzEXAMPLE\n")).chmod(0o600)
    home.shop("Plain")
    yield
    home.credentials()


@failure(r"clock is 2h fast", misleading="secret")
def clock_is_fast(home):
    clock = Clock(home.root)
    clock.set(2 * 3600)
    home.shop("Plain")
    home.more = clock.environment
    yield
    clock.set(0)


@failure(r"clock", misleading="secret access key")
def request_has_expired(home):
    home.aws_says("Request has expired.", code="RequestExpired", status=400)
    home.shop("Plain")
    yield
    home.sts.clear_faults()


@failure(r"DurationSeconds exceeds.*lower duration_seconds")
def duration_is_beyond_the_roles_maximum(home):
    home.shop("Plain", duration_seconds=14400)
    yield
    home.add("duration_seconds = 3600")


@failure(r"eu-nowhere isn't a region")
def region_does_not_exist(home):
    home.shop("Plain", region="eu-nowhere")
    yield
    home.add('region = "eu-west-1"')


@failure(r"make them shorter")
def tags_and_policy_are_too_large(home):
    tags = ", ".join(f'k{i:02} = "{"v" * 80}"' for i in range(50))
    home.shop("Tagged", more=f"session_tags = {{ {tags} }}\n")
    yield
    home.shop("Tagged", more='session_tags = { k00 = "v" }\n')


@failure(r"Rate exceeded", misleading="policy")
def sts_is_asked_too_often(home):
    home.sts.fault(throttle=True)
    home.shop("Plain")
    yield
    home.sts.clear_faults()


@failure(r"aud another.*add-client-id-to-open-id-connect-provider .*--client-id another", misleading="expired|trust policy")
def token_has_another_audience(home):
    home.write("token", home.sts.id_token(audience="another", subject="repo:org/app:main"))
    home.shop_with('profile = "web"\n')
    yield
    home.replace_sts(oidc_provider=[{**PROVIDER, "client_ids": ["sts.amazonaws.com", "another"]}])
    home.write("token", home.later_sts[-1].id_token(audience="another", subject="repo:org/app:main"))


@failure(r"exp 20.*token has expired: .*must write a new one", misleading="audience|provider")
def token_has_expired(home):
    home.write("token", home.sts.id_token(subject="repo:org/app:main", lifetime_seconds=-60))
    home.shop_with('profile = "web"\n')
    yield
    home.write("token", home.sts.id_token(subject="repo:org/app:main"))


@failure(r"iss https://other\.example\.com.*create-open-id-connect-provider --url https://other\.example\.com", misleading="expired")
def token_has_another_issuer(home):
    home.write("token", home.sts.id_token(subject="repo:org/app:main", claims={"iss": "https://other.example.com"}))
    home.shop_with('profile = "web"\n')
    yield
    home.write("token", home.sts.id_token(subject="repo:org/app:main"))


@failure(r"sub repo:org/other:main.*`awsrole policy` prints the statement", misleading="expired|audience")
def token_has_another_subject(home):
    home.write("token", home.sts.id_token(subject="repo:org/other:main"))
    home.shop_with('profile = "web"\n')
    yield
    [heading] = home.paste_policies()
    assert heading.endswith(f"{HERE}: trust policy of role Ci")
    home.write("token", home.later_sts[-1].id_token(subject="repo:org/other:main"))
