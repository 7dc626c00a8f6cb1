"""Tests `awsrole import`: a project file made from the files of other tools, without running anything."""

import pytest

from support.world import HERE, THERE

ENVRC = """\
use nix
export AWS_PROFILE=via-vault AWS_PAGER=
touch {marker}
if [ -n "$CI" ]; then
  export AWS_PROFILE=other
fi
export AWS_REGION=$(touch {marker})
export AWS_SECRET_ACCESS_KEY=canary-of-the-file
"""
MISE = f"""\
[env]
AWS_REGION = "eu-west-3"
AWS_ROLE_SESSION_NAME = {{ value = "alice-mise" }}
AWS_MFA_SERIAL = "arn:aws:iam::{HERE}:mfa/{{{{env.USER}}}}"
[tasks.ci.env]
AWS_PROFILE = "other"
"""
CONFIG = """
[profile via-vault]
credential_process = /usr/local/bin/aws-vault --prompt ykman exec --json --duration=1h shop-dev
[profile grant]
granted_sso_start_url = https://corp.awsapps.com/start
granted_sso_region = eu-west-1
granted_sso_account_id = 222222222222
granted_sso_role_name = Dev
credential_process = granted credential-process --profile grant
[profile vaulted]
include_profile = jump
role_arn = arn:aws:iam::222222222222:role/Deploy
source_profile = jump
session_tags = team=shop, cost center=42
transitive_session_tags = team
source_identity = alice
[profile "in words"]
credential_process = aws-vault export --format=json "in words"
"""


@pytest.fixture
def new(world):
    """A project of somebody who uses other tools."""
    world.secrets |= {"canary-of-the-file"}
    world.write(".aws/config", (world.home / ".aws/config").read_text() + CONFIG)
    return world.project("new")


def lines(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_what_is_printed_is_a_project_file(world, new):
    marker = new / "ran"
    (new / ".envrc").write_text(ENVRC.format(marker=marker))
    (new / "mise.toml").write_text(MISE)
    (new / ".env").write_text("X=1\nAWS_PROFILE=jump\nAWS_REGION=eu-west-3\n")
    result = world.awsrole("import", cwd=new)
    assert result.code == 0, result.err
    assert lines(result.out) == [
        'profile = "shop-dev"  # ~/src/new/.envrc:2',
        'role_session_name = "alice-mise"  # ~/src/new/mise.toml:3',
        'region = "eu-west-3"  # ~/src/new/mise.toml:2',
    ]
    for remark in (
        "skipped ~/src/new/.envrc:2: AWS_PAGER: ", "skipped ~/src/new/.envrc:5: it is in a condition",
        "skipped ~/src/new/.envrc:7: the value of AWS_REGION is known only",
        "~/src/new/.envrc:8 holds an access key: run `awsrole keys add`", "~/src/new/.envrc: 4 lines without AWS settings",
        "skipped ~/src/new/mise.toml:4: the value of AWS_MFA_SERIAL", "skipped ~/src/new/mise.toml:6: AWS_PROFILE is set for the task ci",
        "skipped ~/src/new/.env:2: ~/src/new/.envrc:2 sets profile", "runs aws-vault for profile `shop-dev`",
        "write this to ~/src/new/.awsrole.toml",
    ):
        assert remark in result.err, (remark, result.err)
    assert not marker.exists(), "nothing is run"
    (new / ".awsrole.toml").write_text(result.out)
    world.allow(new)
    assert world.exec_env(new)["AWSROLE_ACCOUNT_ID"] == THERE
    assert "exists already" in world.awsrole("import", new / ".envrc").err


def test_the_profiles_of_aws_vault_and_granted(world, new):
    result = world.awsrole("import", "~/.aws/config")
    assert result.code == 0, result.err
    assert [line.split("  #")[0] for line in lines(result.out)] == [
        "[role.grant]", 'profile = "grant"',
        "[role.vaulted]", 'profile = "vaulted"', 'source_identity = "alice"',
        'session_tags = { "team" = "shop", "cost center" = "42" }', 'transitive_session_tags = ["team"]',
        "[role.via-vault]", 'profile = "shop-dev"',
    ]
    for remark in ("only granted reads keys that begin with granted_sso_", "runs granted for its own profile: remove the line",
                   "awsrole has no include_profile", "if in words has long-lived keys, `awsrole keys add in words`",
                   ": a role's name can't begin with `-` or contain white space"):
        assert remark in result.err, (remark, result.err)


def test_a_role_of_mairu(world, new):
    (new / ".mairu.json").write_text(
        '{\n  "server": "corp", "role": "222222222222/Dev",\n  "mode": "ecs",\n  "assume_role": {"role_arn":\n'
        '    "arn:aws:iam::222222222222:role/Deploy", "duration_seconds": 1800}\n}\n')
    result = world.awsrole("import", cwd=new)
    assert [line.split("  #")[0] for line in lines(result.out)] == [
        'role_arn = "arn:aws:iam::222222222222:role/Deploy"', 'source_profile = "grant"', "duration_seconds = 1800"]
    assert "skipped ~/src/new/.mairu.json:3: `mode` isn't needed" in result.err
    (new / ".mairu.json").write_text('{"server": "corp",\n"role": "111111111111/Nobody"}\n')
    result = world.awsrole("import", cwd=new)
    assert (result.code, result.out) == (1, "") and ".mairu.json:2: no profile has the sso_account_id 111111111111" in result.err


@pytest.mark.parametrize(("name", "content", "remark"), [
    (".envrc", "export AWS_REGION='no region'\n", "skipped ~/src/new/.envrc:1: "),
    (".envrc", "eval \"$(aws-vault export shop-dev)\"\n", "skipped ~/src/new/.envrc:1: it isn't the literal export"),
    (".envrc", b"export AWS_PROFILE=\xff\n", "skipped ~/src/new/.envrc: it isn't UTF-8"),
    ("mise.toml", "[env]\nAWS_PROFILE = x\n", "skipped ~/src/new/mise.toml:2: the file isn't valid TOML"),
    (".mairu.json", "{\n\"role\": }\n", "skipped ~/src/new/.mairu.json:2: the file isn't valid JSON"),
    (".env", "AWS_ACCESS_KEY_ID=AKIACANARY\nAWS_SESSION_TOKEN=canary-of-the-file\n", "~/src/new/.env:1 holds an access key"),
    ("README", "nothing", ""),
])
def test_nothing_to_import_is_an_error(world, new, name, content, remark):
    path = world.write(f"src/new/{name}", content)
    for words in ([], [path]):
        result = world.awsrole("import", *words, cwd=new)
        assert (result.code, result.out) == (1, "") and "hint: " in result.err and "AKIACANARY" not in result.err
        assert remark in result.err, result.err
    assert "cannot read" in world.awsrole("import", new / "none").err
