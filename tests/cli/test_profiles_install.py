"""Tests `awsrole profiles`: profiles for tools that only take profiles, in a block of ~/.aws/config."""

import pytest

from support.world import DEPLOY, HERE, THERE

ROLES = f"""\
{DEPLOY}
default_role = "build"
[role.build]
role_arn = "arn:aws:iam::{HERE}:role/Build"
[role.prod]
confirm = true
"""


@pytest.fixture
def two(world):
    """Two allowed projects, and one that isn't allowed."""
    world.project("unknown", DEPLOY)
    return world.project("shop", DEPLOY, allow=True), world.project("two words", ROLES, allow=True)


def config(world):
    return (world.home / ".aws/config").read_bytes()


def block(world):
    text = config(world).decode().replace("\r", "")
    return text.split("# >>> awsrole >>>")[1].split("# <<< awsrole <<<")[0].strip().split("\n")


def test_the_profiles_work_in_other_tools(world, two):
    before = config(world)
    result = world.awsrole("profiles", "install")
    assert result.code == 0, result.err
    assert "wrote 3 profiles to ~/.aws/config: shop, two-words/build, two-words" in result.err
    assert "no profile `two-words/prod`: the role has `confirm = true`" in result.err
    headers = [line for line in block(world) if line.startswith("[")]
    assert headers == ["[profile shop]", "[profile two-words/build]", "[profile two-words]"] and "region = eu-west-1" in block(world)
    env = {"AWS_ENDPOINT_URL": world.sts.url}
    for name, account in (("shop", THERE), ("two-words", HERE), ("two-words/build", HERE)):
        code = f"import boto3; s = boto3.Session(profile_name='{name}'); print(s.region_name, s.client('sts').get_caller_identity()['Account'])"
        assert world.run("python", "-c", code, env=env).out == f"eu-west-1 {account}\n"
    said = world.run("aws", "--profile", "shop", "sts", "get-caller-identity", env=env)
    assert said.json["Arn"] == f"arn:aws:sts::{THERE}:assumed-role/Deploy/alice", said.err
    after = config(world)
    assert after.startswith(before)
    again = world.awsrole("profiles", "install")
    assert "nothing to change in ~/.aws/config" in again.err and config(world) == after
    # Another project, which replaces the block.
    world.project("zoo", DEPLOY, allow=True)
    shown = world.awsrole("profiles", "install", "--dry-run").out
    assert "+[profile zoo]" in shown and "-[" not in shown and config(world) == after
    assert world.awsrole("profiles", "install").code == 0 and "[profile zoo]" in block(world)
    assert "-[profile zoo]" in world.awsrole("profiles", "remove", "--dry-run").out
    assert world.awsrole("profiles", "remove").code == 0
    assert config(world) == before
    assert "nothing to change" in world.awsrole("profiles", "remove").err


@pytest.mark.parametrize("before", [b"# mine\r\n[profile x]\r\naws_secret_access_key = canary-of-the-file", b"[profile x]\nregion = y", b"", None])
def test_every_byte_outside_of_the_block_is_kept(world, before):
    """In the file of AWS_CONFIG_FILE, which is a link. No line of it is ever shown."""
    world.project("shop", f'role_arn = "arn:aws:iam::{THERE}:role/Deploy"\nsource_profile = "legacy"\n', allow=True)
    world.write(".aws/credentials", "[legacy]\naws_access_key_id = AKIALEGACY0000000000\naws_secret_access_key = x\n")
    real, link = world.home / "dotfiles/aws", world.home / "aws-config"
    real.parent.mkdir()
    link.symlink_to("dotfiles/aws")
    if before is not None:
        real.write_bytes(before)
        real.chmod(0o640)
    env = {"AWS_CONFIG_FILE": "$HOME/aws-config"}
    shown = world.awsrole("profiles", "install", "--dry-run", env=env)
    assert shown.code == 0 and "+[profile shop]" in shown.out and "canary" not in shown.out
    assert world.awsrole("profiles", "install", env=env).code == 0
    after = real.read_bytes()
    assert link.is_symlink() and after.startswith(before or b"") and b"[profile shop]" in after
    assert (before or b"").count(b"\r") == 0 or after.count(b"\n") == after.count(b"\r\n")
    assert real.stat().st_mode & 0o777 == (0o600 if before is None else 0o640)
    assert "shop" in world.run("python", "-c", "import boto3; print(boto3.Session().available_profiles)", env={"AWS_CONFIG_FILE": str(link)}).out
    assert world.awsrole("profiles", "remove", env=env).code == 0
    assert link.is_symlink() and (real.read_bytes() if real.exists() else None) == before


def test_names_that_exist_are_refused(world, two):
    before = config(world) + b"\n[profile two-words]\nregion = x\n"
    world.write(".aws/config", before)
    with (world.home / ".aws/credentials").open("a") as file:
        file.write("[shop]\nregion = x\n")
    result = world.awsrole("profiles", "install")
    assert result.code == 1 and config(world) == before
    assert f"these profiles exist already: shop in {world.home}/.aws/credentials:" in result.err and f"two-words in {world.home}/.aws/config:" in result.err
    result = world.awsrole("profiles", "install", "--prefix", "my-")
    assert result.code == 0 and "my-shop, my-two-words/build, my-two-words" in result.err
    assert world.awsrole("profiles", "install", "--prefix", "a b]").code == 2


def test_projects_with_one_name_have_longer_names(world):
    for name in ("a/shop", "b/shop"):
        world.project(name, DEPLOY, allow=True)
    assert "a-shop, b-shop" in world.awsrole("profiles", "install").err


def test_a_profile_that_leads_to_itself_is_named(world, two):
    """Directly, or by way of another project. No awsrole starts another one."""
    assert world.awsrole("profiles", "install").code == 0
    shop, words = two

    def refused(place, name):
        said = world.awsrole("exec", "--", "true", cwd=shop)
        assert said.code == 1 and f"{place}: profile `{name}` leads back to itself" in said.err, said.err
        assert len(said.err.splitlines()) == 3 and world.assumed() == []
        shown = world.awsrole("profiles", "install", "--dry-run")
        assert f"no profile `shop`: {world.home}/src/shop/.awsrole.toml:" in shown.err and "leads back to itself" in shown.err

    (shop / ".awsrole.toml").write_text('region = "eu-west-1"\nprofile = "shop"\n')
    world.awsrole("allow", "--yes", shop)
    refused("src/shop/.awsrole.toml:2", "shop")
    (words / ".awsrole.toml").write_text(DEPLOY.replace('"jump"', '"shop"'))
    world.awsrole("allow", "--yes", words)
    (shop / ".awsrole.toml").write_text('profile = "two-words"\n')
    world.awsrole("allow", "--yes", shop)
    refused("src/shop/.awsrole.toml:1", "two-words")


def test_what_can_not_be_changed(world):
    result = world.awsrole("profiles", "install")
    assert result.code == 1 and "there is no allowed project" in result.err and "awsrole allow" in result.err
    world.project("shop", DEPLOY, allow=True)
    assert world.awsrole("profiles", "install", env={"AWS_CONFIG_FILE": ""}).code == 1
    path = world.home / ".aws/config"
    path.chmod(0o444)
    assert "it is read-only" in world.awsrole("profiles", "install").err
    path.chmod(0o600)
    broken = config(world) + b"# >>> awsrole >>>\n[profile x]\n"
    path.write_bytes(broken)
    result = world.awsrole("profiles", "install")
    assert result.code == 1 and "has no end line" in result.err and config(world) == broken


def test_a_file_that_no_tool_can_read_is_restored(world, two):
    before = config(world)
    assert world.awsrole("profiles", "install").code == 0
    twice = b"[profile shop]\nregion = x\n"
    world.write(".aws/config", config(world) + twice)
    assert "is already on line" in world.awsrole("profiles", "install").err
    assert world.awsrole("profiles", "remove").code == 0 and config(world) == before + twice
