"""Tests `awsrole exec --renew`: clients in a command continue with renewed credentials."""

import re
import subprocess
import time
from pathlib import Path

import pytest
from three_clients import CALLERS, NODE, need_clients

from support.local_sts import binary
from support.world import BYSTANDER, THERE

HERE = Path(__file__).parent
ROLE = f"arn:aws:sts::{THERE}:assumed-role/Deploy/alice"

LIVES = {
    "boto3": f"exec python {HERE / 'long_lived_client.py'}",
    "javascript": f"exec node {HERE / 'long_lived_client.cjs'}",
    "aws": f"while [ ! -e stop ]; do {CALLERS['aws']} || exit; done",
}

# Variables of the outer environment. With --renew there are no keys that take precedence over them.
BEFORE = {
    "nothing": {},
    "keys and a profile": {"AWS_PROFILE": "other", "AWS_ACCESS_KEY_ID": BYSTANDER["access_key_id"],
                           "AWS_SECRET_ACCESS_KEY": BYSTANDER["secret_access_key"]},
    "a container's role": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/"},
    "a web identity": {"AWS_WEB_IDENTITY_TOKEN_FILE": "/dev/null", "AWS_ROLE_ARN": "arn:aws:iam::111111111111:role/Build"},
}


def keys(world):
    """Returns the access key IDs of the clients' calls."""
    return {call["access_key_id"] for call in world.sts.calls("GetCallerIdentity") if call["outcome"] == "OK"}


@pytest.mark.parametrize("client", LIVES)
def test_three_lives(world, shop, client):
    need_clients()
    # New ones come when a fifth is left: that must do for a call on a busy machine.
    world.sts.fault(action="AssumeRole", lifetime_seconds=20)
    with subprocess.Popen([binary("awsrole"), "exec", "--renew", "--", "sh", "-c", LIVES[client]], cwd=shop,
                          env=world.environment(**NODE), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        deadline = time.monotonic() + 180
        while len(keys(world)) < 3 and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        (shop / "stop").touch()
        out, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    assert set(out.splitlines()) == {ROLE}
    calls = world.sts.calls("GetCallerIdentity")
    assert {call["outcome"] for call in calls} == {"OK"}
    # Clients ask at every call for credentials that live so short; STS is asked once in a life, the last one perhaps
    # for a call that wasn't made any more.
    assert 3 <= len(keys(world)) <= len(world.assumed()) <= len(keys(world)) + 1


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("client", CALLERS)
def test_whatever_was_there_before(world, shop, client, before):
    need_clients()
    result = world.awsrole("exec", "--renew", "--", "sh", "-c", CALLERS[client], cwd=shop, env={**NODE, **BEFORE[before]})
    assert (result.code, result.out.strip()) == (0, ROLE), result.err


@pytest.mark.parametrize("client", CALLERS)
def test_where_the_role_ends_nobody_steps_in(world, shop, client):
    """The file is edited while the command runs: its role isn't had any more, and no other identity instead."""
    need_clients()
    script = f"echo '# edited' >> .awsrole.toml; {CALLERS[client]}"
    result = world.awsrole("exec", "--renew", "--", "sh", "-c", script, cwd=shop, env={**NODE, **BEFORE["keys and a profile"]})
    assert (result.code != 0, result.out) == (True, ""), result
    # The JS SDK keeps to itself why.
    assert client == "javascript" or "was changed since it was allowed" in result.err
    assert world.sts.calls("GetCallerIdentity") == []


@pytest.mark.parametrize("name", ["a b", "it's", "a #b", "a ;b", "$(touch x)", "é", 'a"b', "a\\b", "a%b"])
def test_any_path_can_be_written(tmp_path_factory, world, shop, name):
    """The copies name the program: by a link to it of any name."""
    need_clients()
    folder = world.home / name
    folder.mkdir()
    (folder / "awsrole").symlink_to(binary("awsrole"))
    for client in CALLERS:
        result = world.run(folder / "awsrole", "exec", "--renew", "--", "sh", "-c", CALLERS[client], cwd=shop, env=NODE)
        assert (result.code, result.out.strip()) == (0, ROLE), (client, result.err)


@pytest.mark.parametrize("client", ["aws", "boto3"])
def test_other_profiles_give_what_they_gave(world, shop, client):
    need_clients()
    config = (world.home / ".aws/config").read_text()
    world.write(".aws/config", config + "\n[profile from-default]\nsource_profile = default\n"
                f"role_arn = arn:aws:iam::111111111111:role/Build\nendpoint_url = {world.sts.url}\n")
    arns = {}
    for profile in ("other", "from-default", "jump", "legacy", "shop-dev", "two words"):
        for words in ((), ("exec", "--renew", "--")):
            command = ["sh", "-c", CALLERS[client]]
            env = {**NODE, "AWS_PROFILE": profile, "AWS_ENDPOINT_URL": world.sts.url}
            result = (world.awsrole(*words, "env", f"AWS_PROFILE={profile}", *command, cwd=shop, env=env) if words
                      else world.run(*command, cwd=shop, env=env))
            answer = result.out.strip().split("/botocore-session")[0]
            assert arns.setdefault(profile, (result.code, answer)) == (result.code, answer), (profile, result)
    assert arns["jump"] == (0, "arn:aws:iam::111111111111:user/alice")
    assert arns["from-default"] == (0, "arn:aws:sts::111111111111:assumed-role/Build")


# Lines that some client, by its own rules, takes for keys of the default profile or of every profile. `{keys}` are
# those of the bystander, so a client that acts as her used them.
ODD = {
    "a section for all of configparser's others": "[DEFAULT]\n{keys}",
    "the default profile in the config file's form": "[profile default]\n{keys}",
    "white space in the brackets": "[ default ]\n{keys}",
    "capitals": "[Default]\n{keys}",
    "quotes": "[profile 'default']\n{keys}",
    "two spaces": "[profile  default]\n{keys}",
    "a tab": "[profile\tdefault]\n{keys}",
    "a comment after the header": "[default] # mine\n{keys}",
    "keys in a value": "[default]\ns3 =\n{indented}",
    "a section in a continued value": "[odd]\noutput = json\n  [default]\n{indented}",
    "keys in capitals": "[default]\n{capitals}",
    "keys with a colon": "[default]\n{colons}",
}


def place_odd(world, text):
    """Puts a text into both files, in the place of their default profile if it has one, and with nothing else in the way."""
    keys = f"aws_access_key_id = {BYSTANDER['access_key_id']}\naws_secret_access_key = {BYSTANDER['secret_access_key']}\n"
    text = text.format(keys=keys, indented="".join(f"  {line}\n" for line in keys.splitlines()),
                       capitals=keys.replace("aws_access_key_id", "AWS_ACCESS_KEY_ID").replace("aws_secret", "Aws_Secret"),
                       colons=keys.replace(" =", ":"))
    for name in ("config", "credentials"):
        path = world.home / ".aws" / name
        rest = re.sub(r"(?ms)^\[default\]\n.*?(?=^\[)", "", path.read_text())
        path.write_text(text + rest)
    world.awsrole("allow", cwd=world.home / "src/shop")


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("client", CALLERS)
def test_no_client_finds_keys_that_it_prefers(world, shop, client, odd):
    need_clients()
    place_odd(world, ODD[odd])
    result = world.awsrole("exec", "--renew", "--", "sh", "-c", CALLERS[client], cwd=shop, env=NODE)
    assert (result.code, result.out.strip()) == (0, ROLE), result.err


def test_a_section_in_a_value_is_refused_with_its_line(world, shop):
    """The JS SDK would take its keys for the default profile's; the AWS CLI can't read the file."""
    place_odd(world, "[profile odd]\ns3 =\n  max_concurrent_requests = 1\n  [default]\n{indented}")
    result = world.awsrole("exec", "--renew", "--", "echo", "ran", cwd=shop)
    assert (result.code, result.out) == (1, "") and "/.aws/config:4: " in result.err, result


@pytest.mark.parametrize("client", ["aws", "boto3"])
def test_the_section_for_all_is_one_that_clients_prefer(world, shop, client):
    """Checks the test above: without the copies, each of these files makes a client act as the bystander."""
    need_clients()
    place_odd(world, ODD["a section for all of configparser's others"] + f"[default]\nendpoint_url = {world.sts.url}\n")
    result = world.run("sh", "-c", CALLERS[client], cwd=shop, env={**NODE, "AWS_ENDPOINT_URL": world.sts.url})
    assert result.out.strip() == "arn:aws:iam::111111111111:user/bystander", result


def test_settings_of_tools_stay(world, shop):
    """Those of the AWS CLI's plug-ins, of S3, and of sections that profiles name."""
    need_clients()
    config = (world.home / ".aws/config").read_text()
    extra = "[sso-session corp]\nsso_start_url = https://corp.example.com/#/\nsso_region = eu-central-1\n"
    world.write(".aws/config", extra + config)
    script = "aws configure get s3.max_concurrent_requests; aws configure get region --profile other"
    assert world.awsrole("exec", "--renew", "--", "sh", "-c", script, cwd=shop).out == "20\nus-west-2\n"
    world.write(".aws/config", "[plugins]\ncli_legacy_plugin_path = /nowhere\n" + extra + config)
    copy = world.awsrole("exec", "--renew", "--", "sh", "-c", "cat $AWS_CONFIG_FILE", cwd=shop).out
    for part in ("[plugins]\ncli_legacy_plugin_path = /nowhere\n", "[sso-session corp]\nsso_start_url = https://corp.example.com/#/\n",
                 "[services local]\nsts =\n  endpoint_url = ", '[profile "two words"]\n', "[preview]\ncloudsearch = true\n"):
        assert part in copy, (part, copy)
