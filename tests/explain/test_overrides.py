"""Settings of other tools that would ignore the role: told at `init` and `allow`, by `doctor` and by `why`."""

import os

import pytest

from support.world import DEPLOY, HERE, THERE

SERVERLESS = "service: shop\nprovider:\n  name: aws\n  profile: {}\n"
TERRAFORM = 'provider "aws" {{\n  profile = "{}"\n}}\n'
SERIAL = f"arn:aws:iam::{HERE}:mfa/alice"


def overrides(world, folder, **options):
    """The findings of `doctor`: level and text."""
    told = world.awsrole("doctor", "--json", cwd=folder, **options).json
    return [(one["level"], one["text"]) for one in told if one["about"] == "overrides"]


def test_another_profile_is_told_everywhere(world):
    folder = world.project("shop", DEPLOY)
    (folder / "serverless.yml").write_text(SERVERLESS.format("other"))
    (folder / "infra/modules/net").mkdir(parents=True)
    (folder / "infra/modules/net/main.tf").write_text(TERRAFORM.format("nobody"))
    expected = ["~/src/shop/infra/modules/net/main.tf:2: profile = \"nobody\": there is no such profile, so Terraform will fail",
                "~/src/shop/serverless.yml:4: profile: other: another identity for Serverless"]
    said = world.allow(folder).err
    assert [line for line in expected if line in said] == expected and "is allowed" in said
    assert overrides(world, folder) == [("bad", line) for line in expected]
    (folder / "infra/app").mkdir()
    for where in (folder, folder / "infra/app"):
        text = world.awsrole("why", cwd=where).out
        assert all(line in text for line in expected)
    told = world.awsrole("why", "--json", cwd=folder).json["overrides"]
    assert [(os.path.basename(one["file"]), one["line"], one["tool"], one["effect"]) for one in told] == [
        ("main.tf", 2, "Terraform", "no-profile"), ("serverless.yml", 4, "Serverless", "other-identity")]


def test_init_tells_it(world):
    folder = world.project("new")
    (folder / "samconfig.toml").write_text('[default.deploy.parameters]\nprofile = "other"\n')
    said = world.awsrole("init", "--profile", "shop-dev", cwd=folder)
    assert said.code == 0 and "samconfig.toml:2: profile = other: another identity for SAM" in said.err


@pytest.mark.parametrize("file", ['profile = "shop-dev"\n', DEPLOY], ids=["the same profile", "the same role"])
def test_the_same_role_is_no_fault(world, file):
    folder = world.project("shop", file, allow=True)
    (folder / "serverless.yml").write_text(SERVERLESS.format("shop-dev"))
    [(level, text)] = overrides(world, folder)
    assert level == "note" and "same role, but Serverless will assume it by itself" in text
    config = world.home / ".aws/config"
    config.write_text(config.read_text().replace("[profile shop-dev]\n", f"[profile shop-dev]\nmfa_serial = {SERIAL}\n"))
    [(level, text)] = overrides(world, folder)
    assert level == "note" and "same role, but Serverless will ask for its own MFA code" in text


def test_a_variable_without_a_value_is_no_override(world):
    folder = world.project("shop", DEPLOY, allow=True)
    (folder / "main.tf").write_text('provider "aws" {\n  profile = var.profile\n}\nvariable "profile" {\n  default = null\n}\n')
    assert overrides(world, folder) == []
    [(level, text)] = overrides(world, folder, env={"TF_VAR_profile": "other"})
    assert level == "bad" and 'main.tf:2: profile = var.profile ("other"): another identity' in text


def test_a_kubeconfig_of_the_user(world):
    folder = world.project("shop", DEPLOY, allow=True)
    text = ("current-context: c\ncontexts:\n- name: c\n  context: {user: u}\nusers:\n- name: u\n  user:\n    exec:\n      command: aws\n"
            "      env:\n      - name: AWS_PROFILE\n        value: other\n")
    world.write(".kube/config", text)
    assert overrides(world, folder) == [("note", "~/.kube/config:12: AWS_PROFILE = other: another identity for kubectl")]
    elsewhere = world.write("kube.yaml", text.replace("other", "shop-dev"))
    [(level, text)] = overrides(world, folder, env={"KUBECONFIG": str(elsewhere)})
    assert level == "note" and "same role" in text


def test_what_is_not_the_projects_is_not_searched(world):
    folder = world.project("shop", DEPLOY, allow=True)
    for name in ("node_modules/x", ".terraform/modules/x", "a/b/c/d/e", "other"):
        (folder / name).mkdir(parents=True)
        (folder / name / "main.tf").write_text(TERRAFORM.format("other"))
    world.project("shop/other", DEPLOY)
    (folder / "linked").symlink_to(world.project("elsewhere"))
    (world.project("elsewhere") / "main.tf").write_text(TERRAFORM.format("other"))
    assert overrides(world, folder) == []


def test_no_secret_is_shown(world):
    folder = world.project("shop", DEPLOY, allow=True)
    world.secrets.add("hunter2hunter2")
    (folder / "main.tf").write_text('provider "aws" { access_key = "AKIAX", secret_key = "hunter2hunter2" }\n')
    (folder / "x.tf").write_text('provider "aws" {\n  access_key = "hunter2hunter2"\n  secret_key = "hunter2hunter2"\n}\n')
    (folder / ".env").write_text("AWS_ACCESS_KEY_ID=hunter2hunter2\nAWS_SECRET_ACCESS_KEY=hunter2hunter2\n")
    for command in (("why",), ("why", "--json"), ("doctor",), ("allow",)):
        result = world.awsrole(*command, cwd=folder)
        assert "hunter2" not in result.out + result.err
    assert len(overrides(world, folder)) == 2


def test_many_and_hostile_files_end(world):
    folder = world.project("shop", DEPLOY, allow=True)
    for number in range(2000):
        (folder / f"{number}.tf").write_text(TERRAFORM.format("other"))
    (folder / "0.tf").write_text("a = " + "[" * 500_000)
    (folder / "cdk.json").write_text("[" * 500_000)
    os.mkfifo(folder / "serverless.yml")
    (folder / "samconfig.yml").symlink_to("/dev/zero")
    said = world.allow(folder).err
    assert "and " in said and " more: `awsrole why` lists them" in said
    assert THERE in said


def test_entering_shows_them_once(world):
    """A project that a rule allows was never shown by `allow`. A project that was allowed shows them there."""
    folder = world.project("shop", DEPLOY)
    (folder / "serverless.yml").write_text(SERVERLESS.format("other"))
    config = world.home / ".config/awsrole/config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f'[[trust]]\npath = "{folder.parent}"\naccounts = ["{HERE}", "{THERE}"]\n')
    enter = ["hook", "export", "bash", "--event", "cd", "--", folder / ".awsrole.toml"]
    expected = "awsrole: override: ~/src/shop/serverless.yml:4: profile: other: another identity for Serverless\n"
    first = world.awsrole(*enter, cwd=folder)
    assert first.code == 0 and expected in first.err
    world.awsrole("refresh", cwd=folder)
    assert "overridden" not in world.awsrole(*enter, cwd=folder).err
    config.unlink()
    world.allow(folder)
    world.awsrole("refresh", cwd=folder)
    assert "overridden" not in world.awsrole(*enter, cwd=folder).err


def test_an_expression_is_no_fault(world):
    folder = world.project("shop", DEPLOY, allow=True)
    (folder / "serverless.yml").write_text(SERVERLESS.format("${self:custom.profiles.${opt:stage}}"))
    [(level, text)] = overrides(world, folder)
    assert level == "note" and text.endswith("Serverless decides this when it runs, so it may be another identity")
