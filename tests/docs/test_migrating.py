"""Tests that the tables for users of other tools name every command of those tools."""

import re

import pytest

from support.documents import quoted, table

# From the sources of each version: the commands, and for `assume` and awsume the options.
COMMANDS = {
    ("docs/aws-vault.md", "Commands"): "add clear exec export list ls login migrate-backend proxy server remove rm rotate version --duration "
        "--no-session --region --mfa-token --json --server --ec2-server --ecs-server --lazy --stdout --profile-env --format",
    ("docs/migrating.md", "granted"): "--console --terminal --env --export --export-sso-token --unset --url --service --region --console-destination "
        "--pass-through --active-role --verbose --auto-configure-shell --exec --duration --sso --sso-start-url --sso-region --account-id "
        "--role-name --browser-profile --mfa-token --save-to --export-all-env-vars --aws-config-file --chain --reason --confirm --wait "
        "--no-cache --browser-launch-template-arg --skip-profile-registry-sync --attach browser set set-sso settings print export-suffix "
        "profile-order request-url completion token sso-tokens list expiry clear uninstall sso generate populate login credentials add import "
        "import-from-env update remove export-plaintext rotate credential-process registry sync setup migrate console cache doctor",
    ("docs/migrating.md", "awsume"): "--version --output-profile --clean --refresh --show-commands --unset --auto-refresh --kill-refresher "
        "--list-profiles --tags --refresh-autocomplete --role-arn --principal-arn --source-profile --external-id --mfa-token --region "
        "--session-name --session-policy --session-policy-arns --role-duration --with-saml --with-web-identity --who --json "
        "--credentials-file --config-file --config --list-plugins --info --debug awsume-configure autoawsume",
    ("docs/migrating.md", "aws-sso"): "ecs list login setup tags time version cache console credentials eval exec logout process completions "
        "wizard profiles server docker unload profile load aws-sso-profile aws-sso-clear",
}


@pytest.mark.parametrize(("document", "heading"), COMMANDS)
def test_no_command_is_missing(document, heading):
    rows = table(document, heading)
    named = {word for row in rows for code in quoted(row[0]) for word in re.split(r"[ =]", code)}
    assert set(COMMANDS[document, heading].split()) - named == set()
    assert all(len(row) == 2 and row[1] for row in rows), "each has an answer"
