"""Tests that the JSON schema for editors accepts the files that awsrole accepts, from the tables of the other tests."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest
from test_bad_input import FILES

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs/awsrole.schema.json").read_text())
PLANS = tomllib.loads((ROOT / "tests/plans.toml").read_text())
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)

# What no schema can say: it depends on another key, a profile, a length in sum, the text inside of a text.
BEYOND = {
    "more than an hour in a chain", "duration too long",
    "a tag twice but for case", "a transitive tag that isn't there",
    "a policy too long", "policy and ARNs too long", "a policy that isn't JSON", "a policy that is a list",
    "a pin of another account", "a profile that isn't there", "a source that isn't there", "no source", "nothing",
    "comments", "two sources", "a source and a role", "no such role", "no such source_role", "itself", "a loop",
    "a loop of profiles", "a profile of nothing", "half a key", "an ARN in the AWS file", "a duration in the AWS file",
    "one byte too many", "16 MiB",
}


def parsed(content):
    """Returns the file as an editor parses it, or None if it isn't TOML."""
    try:
        return tomllib.loads(content if isinstance(content, str) else content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        return None


def test_it_is_a_schema_and_the_command_prints_it(world):
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert json.loads(world.awsrole("schema").out) == SCHEMA


def test_what_awsrole_refuses_the_schema_refuses():
    documents = {name: parsed(content) for name, (content, _) in FILES.items()}
    passed = {name for name, document in documents.items() if document is not None and VALIDATOR.is_valid(document)}
    assert passed == BEYOND
    assert len(documents) >= 100


@pytest.mark.parametrize("kind", ["plan", "host"])
def test_what_leads_somewhere_the_schema_lets_through(kind):
    files = [row.get("file") or f"profile = {json.dumps(row['profile'])}\n" for row in PLANS[kind]]
    files = [file.replace("$serial_of_mia", "arn:aws:iam::111111111111:mfa/mia") for file in files]
    for file in files:
        errors = [error.message for error in VALIDATOR.iter_errors(tomllib.loads(file))]
        assert not errors, file
    assert files
