"""Tests invalid files: the error names file and line or key, nothing is exported, and STS isn't called."""

import pytest

from support.world import ALICE, DEPLOY, HERE, THERE

ROLE = f'role_arn = "arn:aws:iam::{THERE}:role/Deploy"\n'
SOURCE = 'source_profile = "jump"\n'


def long(n):
    return "a" * n


def arn(text):
    return f'role_arn = "{text}"\n{SOURCE}'


def tags(n):
    return "session_tags = { " + ", ".join(f'k{i} = "v"' for i in range(n)) + " }\n"


def policy(n):
    """A policy of n characters."""
    return "policy = '" + '{"a":"' + "x" * (n - 8) + '"}' + "'\n"


# name: (the file, parts that the error must have). `:N` is the line.
FILES = {
    # TOML.
    "no value": ("role_arn =\n", [":1:"]),
    "no quotes": ("a = 1\n\nregion = eu-west-1\n", [":3:"]),
    "an open string": (DEPLOY + 'external_id = "x\n', [":4:"]),
    "an open table": (DEPLOY + "[role\n", [":4:"]),
    "twice": (DEPLOY + 'region = "eu-west-2"\n', [":4:", "`region` is defined twice, first in line 3"]),
    "a table twice": ("[role.a]\n[role.a]\n", [":2:", "`a` is defined twice, first in line 1"]),
    "nonsense": ("hello\n", [":1:"]),
    "yaml": ("role_arn: x\n", [":1:"]),
    # Keys.
    "a typing error": (DEPLOY + 'regoin = "x"\n', [":4:", "`regoin`", "`region`"]),
    "another typing error": ('role-arn = "x"\n', [":1:", "`role-arn`", "`role_arn`"]),
    "an unknown key": (DEPLOY + 'colour = "red"\n', [":4:", "`colour`"]),
    "in a role": ('[role.dev]\nprofil = "x"\n', [":2:", "`profil`", "`profile`"]),
    "an unknown table": (DEPLOY + "[roles.dev]\n", [":4:", "`roles`", "`role`"]),
    "a command": (DEPLOY + 'credential_process = "rm"\n', [":4:", "credential_process", "~/.aws/config"]),
    "an endpoint": (DEPLOY + 'endpoint_url = "http://evil"\n', [":4:", "endpoint_url", "~/.aws/config"]),
    "a proxy": (DEPLOY + 'proxy = "http://evil"\n', [":4:", "proxy"]),
    "a CA": (DEPLOY + 'ca_bundle = "/tmp/ca"\n', [":4:", "ca_bundle"]),
    "a key": (DEPLOY + 'aws_secret_access_key = "x"\n', [":4:", "aws_secret_access_key"]),
    # Types.
    "an account without quotes": (DEPLOY + "account_id = 222222222222\n", [":4:", "string", "quotes"]),
    "a number for a profile": ("profile = 1\n", [":1:", "string"]),
    "a list for a region": (ROLE + SOURCE + 'region = ["a"]\n', [":3:"]),
    "text for tags": (DEPLOY + 'session_tags = "a=b"\n', [":4:"]),
    "a number as a tag": (DEPLOY + "session_tags = { a = 1 }\n", [":4:"]),
    "text for a list": (DEPLOY + 'policy_arns = "x"\n', [":4:"]),
    "text for a switch": ('inherit = "yes"\n', [":1:"]),
    "text for manual": (DEPLOY + 'manual = "yes"\n', [":4:"]),
    "a text for role": ('role = "dev"\n', [":1:", "[role.NAME]"]),
    "a key in role": ('[role]\nprofile = "x"\n', [":2:", "[role.NAME]"]),
    "no duration": (DEPLOY + 'duration_seconds = "soon"\n', [":4:", "soon"]),
    "a negative duration": (DEPLOY + "duration_seconds = -900\n", [":4:", "-900"]),
    "a fraction": (DEPLOY + "duration_seconds = 900.5\n", [":4:"]),
    # STS's limits, one step outside.
    "duration too short": (DEPLOY + "duration_seconds = 899\n", [":4:", "duration_seconds", "899", "900"]),
    "duration too long": (DEPLOY + "duration_seconds = 43201\n", [":4:", "43201", "43200"]),
    "duration far too long": (DEPLOY + "duration_seconds = 9223372036854775807\n", [":4:", "duration_seconds"]),
    "more than an hour in a chain": (
        f'default_role = "b"\n[role.a]\n{ROLE}{SOURCE}[role.b]\n{ROLE}source_role = "a"\nduration_seconds = 3601\n',
        [":8:", "duration_seconds", "3600"]),
    "session of long-lived keys too long": ('profile = "jump"\nduration_seconds = 129601\n', [":2:", "129600"]),
    "session name too short": (DEPLOY + 'role_session_name = "a"\n', [":4:", "role_session_name", "2–64"]),
    "session name too long": (DEPLOY + f'role_session_name = "{long(65)}"\n', [":4:", "2–64"]),
    "session name with a space": (DEPLOY + 'role_session_name = "a b"\n', [":4:", "role_session_name"]),
    "session name with ä": (DEPLOY + 'role_session_name = "jürgen"\n', [":4:", "ü"]),
    "external id too short": (DEPLOY + 'external_id = "a"\n', [":4:", "external_id", "2–1224"]),
    "external id too long": (DEPLOY + f'external_id = "{long(1225)}"\n', [":4:", "external_id", "2–1224"]),
    "external id with a space": (DEPLOY + 'external_id = "a b"\n', [":4:", "external_id"]),
    "source identity too short": (DEPLOY + 'source_identity = "a"\n', [":4:", "source_identity", "2–256"]),
    "source identity too long": (DEPLOY + f'source_identity = "{long(257)}"\n', [":4:", "source_identity", "2–256"]),
    "source identity of AWS": (DEPLOY + 'source_identity = "aws:x"\n', [":4:", "source_identity", "aws:"]),
    "51 tags": (DEPLOY + tags(51), [":4:", "session_tags", "50"]),
    "an empty tag key": (DEPLOY + 'session_tags = { "" = "v" }\n', [":4:", "session_tags", "1–128"]),
    "a long tag key": (DEPLOY + f'session_tags = {{ {long(129)} = "v" }}\n', [":4:", "session_tags", "1–128"]),
    "a long tag value": (DEPLOY + f'session_tags = {{ k = "{long(257)}" }}\n', [":4:", "session_tags", "0–256"]),
    "a tag twice but for case": (DEPLOY + 'session_tags = { k = "1", K = "2" }\n', [":4:", "session_tags"]),
    "a tag of AWS": (DEPLOY + 'session_tags = { "aws:k" = "1" }\n', [":4:", "aws:"]),
    "a transitive tag that isn't there": (DEPLOY + 'transitive_session_tags = ["k"]\n', [":4:", "transitive"]),
    "a policy too long": (DEPLOY + policy(2049), [":4:", "policy", "2048"]),
    "policy and ARNs too long": (
        DEPLOY + policy(2020) + 'policy_arns = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]\n', [":4:", "policy", "2048"]),
    "a policy that isn't JSON": (DEPLOY + "policy = 'nope'\n", [":4:", "policy", "JSON"]),
    "a policy that is a list": (DEPLOY + "policy = '[]'\n", [":4:", "policy"]),
    "11 policies": (DEPLOY + f"policy_arns = {['arn:aws:iam::aws:policy/P'] * 11}\n", [":4:", "policy_arns", "10"]),
    "a policy's name": (DEPLOY + 'policy_arns = ["ReadOnlyAccess-of-this"]\n', [":4:", "policy_arns"]),
    "a region with a dot": (ROLE + SOURCE + 'region = "us-east-1.evil.example"\n', [":3:", "region"]),
    "a region in words": (ROLE + SOURCE + 'region = "Europe (Ireland)"\n', [":3:", "region"]),
    "an empty region": (ROLE + SOURCE + 'region = ""\n', [":3:", "region"]),
    # ARNs.
    "an ARN of another service": (arn("arn:aws:s3:::bucket"), [":1:", "role_arn"]),
    "an ARN of a user": (arn(f"arn:aws:iam::{HERE}:user/alice"), [":1:", "role_arn"]),
    "an ARN of a session": (arn(f"arn:aws:sts::{THERE}:assumed-role/Deploy/x"), [":1:", "role_arn"]),
    "no ARN": (arn("Deploy"), [":1:", "role_arn"]),
    "an empty ARN": (arn(""), [":1:", "role_arn"]),
    "an ARN without a name": (arn(f"arn:aws:iam::{THERE}:role/"), [":1:", "role_arn"]),
    "an ARN too long": (arn(f"arn:aws:iam::{THERE}:role/{long(2048)}"), [":1:", "role_arn"]),
    "a partition that isn't": (arn(f"arn:azure:iam::{THERE}:role/Deploy"), [":1:", "role_arn"]),
    "an account of 11 digits": (arn("arn:aws:iam::22222222222:role/Deploy"), [":1:", "role_arn"]),
    "an account of letters": (arn("arn:aws:iam::shopaccount1:role/Deploy"), [":1:", "role_arn"]),
    "a region in a role's ARN": (arn(f"arn:aws:iam:us-east-1:{THERE}:role/Deploy"), [":1:", "role_arn"]),
    "a pin of 11 digits": (DEPLOY + 'account_id = "22222222222"\n', [":4:", "account_id"]),
    "a pin of letters": (DEPLOY + 'account_id = "shop"\n', [":4:", "account_id"]),
    "a pin of another account": (DEPLOY + f'account_id = "{HERE}"\n', [":4:", HERE, THERE]),
    # Where it leads.
    "a profile that isn't there": ('profile = "shop-dve"\n', [":1:", "`shop-dve`", "`shop-dev`"]),
    "a source that isn't there": (ROLE + 'source_profile = "jmup"\n', [":2:", "`jmup`", "`jump`"]),
    "no source": (ROLE, [".awsrole.toml", "source_profile"]),
    "nothing": ("", [".awsrole.toml"]),
    "comments": ("# nothing\n", [".awsrole.toml"]),
    "two sources": (DEPLOY + 'credential_source = "Environment"\n', [":4:", "exclude"]),
    "a source and a role": (f"{DEPLOY}source_role = 'a'\n[role.a]\n{ROLE}", ["source_role"]),
    "no such role": ('default_role = "prod"\n[role.dev]\nprofile = "shop-dev"\n', [":1:", "prod", "dev"]),
    "no such source_role": (f'default_role = "a"\n[role.a]\n{ROLE}source_role = "b"\n', ["[role.b]"]),
    "itself": (f'default_role = "a"\n[role.a]\n{ROLE}source_role = "a"\n', [":4:", "circle", "a → a"]),
    "a loop": (
        f'default_role = "a"\n[role.a]\n{ROLE}source_role = "b"\n[role.b]\n{ROLE}source_role = "a"\n',
        ["circle", "a → b → a"]),
    "a loop of profiles": ('profile = "loop-a"\n', ["/.aws/config:", "circle", "loop-a"]),
    "a profile of nothing": ('profile = "empty"\n', ["/.aws/config:", "empty"]),
    "half a key": ('profile = "half"\n', ["/.aws/config:", "half", "aws_secret_access_key"]),
    "an ARN in the AWS file": ('profile = "bad-arn"\n', ["/.aws/config:", "role_arn", "s3"]),
    "a duration in the AWS file": ('profile = "bad-duration"\n', ["/.aws/config:", "duration_seconds", "never"]),
    # Bytes.
    "NUL": (DEPLOY.encode() + b'external_id = "a\0b"\n', [":4:", "NUL"]),
    "invalid UTF-8": (DEPLOY.encode() + b'external_id = "\xff\xfe"\n', [":4:", "UTF-8"]),
    "UTF-16": (DEPLOY.encode("utf-16"), [":1:", "UTF-8"]),
    "one byte too many": (DEPLOY + "#" * (16 * 1024 + 1 - len(DEPLOY)), [".awsrole.toml", "16 KiB"]),
    "16 MiB": (b"#" * (16 << 20), [".awsrole.toml", "16 KiB"]),
    "16 MiB of NUL": (bytes(16 << 20), [".awsrole.toml", "16 KiB"]),
    "deeply nested": (DEPLOY + "policy = " + "[" * 7000 + "]" * 7000, [".awsrole.toml:4:"]),
    "control characters": (DEPLOY.encode() + b'external_id = "\x1b[2J"\n', [":4:"]),
}

PROFILES = f"""
[profile loop-a]
role_arn = arn:aws:iam::{THERE}:role/Deploy
source_profile = loop-b
[profile loop-b]
role_arn = arn:aws:iam::{THERE}:role/Deploy
source_profile = loop-a
[profile empty]
region = us-east-1
[profile half]
aws_access_key_id = {ALICE["access_key_id"]}
[profile bad-arn]
role_arn = arn:aws:s3:::bucket
source_profile = jump
[profile bad-duration]
role_arn = arn:aws:iam::{THERE}:role/Deploy
source_profile = jump
duration_seconds = never
"""


def refusal(world, folder):
    """Returns the messages of `allow` and of the use. Some errors appear at the first, some at the second."""
    allowed = world.awsrole("allow", folder)
    result = world.awsrole("exec", "--", "echo", "ran", cwd=folder) if allowed.code == 0 else allowed
    assert (result.code, result.out) == (1, ""), result
    return result.err


@pytest.mark.parametrize(
    "name", FILES)
def test_a_new_file(world, name):
    content, parts = FILES[name]
    config = world.home / ".aws/config"
    config.write_text(config.read_text() + PROFILES)
    folder = world.project("shop", content)
    before = (folder / ".awsrole.toml").read_bytes()
    said = refusal(world, folder)
    for part in (".awsrole.toml" if "/.aws/config:" not in parts else "config", *parts):
        assert part in said, said
    assert "\x1b" not in said and len(said) < 2500
    for shell in ("bash", "fish"):
        statements = world.awsrole("hook", "export", shell, "--event", "cd", cwd=folder).out
        assert "__awsrole_set" not in statements
        assert statements.startswith(("__awsrole_done blocked ", "__awsrole_done outer ")), statements
    assert world.awsrole("status", "--long", cwd=folder).code == 0
    assert world.sts.calls() == [] and world.entries() == []
    assert (folder / ".awsrole.toml").read_bytes() == before


@pytest.mark.parametrize("name", ["no value", "a typing error", "NUL", "invalid UTF-8", "16 MiB", "a profile that isn't there"])
def test_an_edit_of_an_allowed_file_closes_and_loses_nothing(world, shop, name):
    world.exec_env(shop)
    content, parts = FILES[name]
    world.project("shop", content)
    for shell in ("bash", "zsh", "fish"):
        result = world.awsrole("hook", "export", shell, "--event", "prompt", cwd=shop)
        assert result.out.startswith("__awsrole_done blocked "), result
        assert ".awsrole.toml" in result.err
    # After the file is fixed, no new approval and no new call is needed.
    world.project("shop", DEPLOY)
    assert world.awsrole("exec", "--", "true", cwd=shop).code == 0
    assert len(world.assumed()) == 1


@pytest.mark.parametrize("name", ["no value", "NUL", "16 MiB"])
def test_a_denied_file_may_say_what_it_wants(world, name):
    folder = world.project("shop", DEPLOY)
    world.awsrole("deny", folder)
    world.project("shop", FILES[name][0])
    result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder)
    assert result.err == "" and result.out.startswith("__awsrole_done outer ")


@pytest.mark.parametrize(
    "text",
    [
        DEPLOY + "duration_seconds = 900\n",
        DEPLOY + 'duration_seconds = "4h"\n',
        DEPLOY + f'role_session_name = "{long(64)}"\n',
        DEPLOY + 'role_session_name = "ab"\n',
        DEPLOY + f'external_id = "{long(1224)}"\n',
        DEPLOY + f'source_identity = "{long(64)}"\n',
        DEPLOY + tags(50),
        DEPLOY + f'session_tags = {{ {long(128)} = "{long(256)}" }}\n',
        DEPLOY + f"policy_arns = {['arn:aws:iam::aws:policy/P' + str(i) for i in range(10)]}\n",
        DEPLOY + "#" * (16 * 1024 - len(DEPLOY)),
        "\ufeff" + DEPLOY,
        DEPLOY.replace("\n", "\r\n"),
    ],
    ids=range(12),
)
def test_one_step_inside_sts_takes_it(world, text):
    """The limits are STS's own: what we let through, it takes."""
    folder = world.project("shop", text, allow=True)
    result = world.awsrole("exec", "--", "true", cwd=folder)
    assert result.code == 0, result.err


AWS_FILES = {
    "a key before any section": ("region = x\n", ["config:1:"]),
    "nonsense": ("[default]\nnonsense\n", ["config:2:"]),
    "a section twice": ("[default]\n[default]\n", ["config:2:"]),
    "a key twice": ("[profile jump]\nregion = a\nregion = b\n", ["config:3:", "region"]),
    "invalid UTF-8": (b"[default]\nregion = \xff\n", ["config:2:", "UTF-8"]),
}


@pytest.mark.parametrize("name", AWS_FILES)
def test_an_aws_file_that_the_aws_cli_can_not_read_either(world, shop, name):
    content, parts = AWS_FILES[name]
    world.write(".aws/config", content)
    result = world.awsrole("exec", "--", "echo", "ran", cwd=shop)
    assert (result.code, result.out) == (1, "")
    for part in parts:
        assert part in result.err, result.err
    assert world.run("aws", "configure", "list").code != 0
    statements = world.awsrole("hook", "export", "bash", cwd=shop).out
    assert statements.startswith("__awsrole_done blocked ")
