"""`--profile` and `--dir`: a role without a folder, and the role of another folder."""

import subprocess

import pytest

from support.local_sts import binary
from support.world import BLOCKED, DEPLOY, HERE, THERE

ROLES = """\
default_role = "deploy"
source_profile = "jump"
[role.deploy]
role_arn = "arn:aws:iam::222222222222:role/Deploy"
[role.admin]
role_arn = "arn:aws:iam::111111111111:role/Build"
manual = true
confirm = true
"""
# What each command is called with, and what it prints if it works.
COMMANDS = [
    (["exec"], ["--", "sh", "-c", "echo $AWSROLE_ACCOUNT_ID"], THERE),
    (["env", "--format", "json"], [], THERE),
    (["console", "--print"], [], "SigninToken="),
    (["why"], [], "role/Deploy"),
    (["policy"], [], "role/Deploy"),
    (["credential-process"], [], "ASIA"),
    (["logout"], [], ""),
]


def profile(world, name, *lines):
    """Adds a profile to the config file; returns the line of its header."""
    path = world.home / ".aws/config"
    text = path.read_text()
    world.write(".aws/config", text + f"[profile {name}]\n" + "".join(f"{line}\n" for line in lines))
    return text.count("\n") + 1


@pytest.mark.parametrize(("command", "more", "part"), COMMANDS, ids=[words[0][0] for words in COMMANDS])
def test_each_command_takes_both(world, shop, command, more, part):
    nowhere = world.project("nowhere")
    federation = {"AWS_ENDPOINT_URL_SIGNIN": world.sts.url}
    assert world.awsrole(*command, *more, cwd=nowhere, env=federation).code in (0 if command == ["why"] else 3,)
    for options in (["--profile", "shop-dev"], ["--dir", "../shop"]):
        result = world.awsrole(*command, *options, *more, cwd=nowhere, env=federation)
        assert result.code == 0 and part in result.out, result


def test_a_profile_anywhere(world):
    env = world.exec_env(world.home, "--profile", "shop-dev", env={"AWS_PROFILE": "other", "AWS_REGION": "us-west-2"})
    assert env["AWSROLE_ROLE"] == env["AWSROLE_PROFILE"] == "shop-dev" and env["AWSROLE_ACCOUNT_ID"] == THERE
    assert env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == "eu-central-1"
    assert "AWS_PROFILE" not in env
    code = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    result = world.run("python", "-c", code, env={**env, "AWS_ENDPOINT_URL": world.sts.url})
    assert result.out == f"arn:aws:sts::{THERE}:assumed-role/Deploy/alice\n", result.err


def test_keys_become_a_session(world):
    env = world.exec_env(world.home, "--profile", "jump")
    assert env["AWS_ACCESS_KEY_ID"].startswith("ASIA") and len(world.sts.calls("GetSessionToken")) == 1


def test_the_session_is_the_one_of_projects(world):
    """So one MFA code and one call serve both."""
    folder = world.project("same", 'profile = "shop-dev"\n', allow=True)
    world.exec_env(folder)
    world.exec_env(world.home, "--profile", "shop-dev")
    assert len(world.assumed()) == 1


@pytest.mark.parametrize("content", [None, DEPLOY, BLOCKED, "broken ="])
def test_the_folders_file_does_not_count(world, content):
    """Neither one that isn't allowed nor one that is."""
    folder = world.project("other", content)
    if content == BLOCKED:
        world.allow(folder)
    assert world.exec_env(folder, "--profile", "two words")["AWSROLE_ACCOUNT_ID"] == HERE
    told = world.awsrole("why", "--json", "--profile", "two words", cwd=folder).json
    assert told["files"] == [str(world.home / ".aws/config")] and told["chain"]["profile"] == "two words"


def test_inside_of_a_role_it_is_planned_over_the_outer_environment(world, shop):
    profile(world, "of-env", f"role_arn = arn:aws:iam::{THERE}:role/Deploy", "credential_source = Environment")
    inside = world.exec_env(shop)
    result = world.awsrole("exec", "--profile", "of-env", "--", "true", env=inside)
    assert result.code == 1 and "AWS_ACCESS_KEY_ID" in result.err
    nested = world.exec_env(world.home, "--profile", "two words", env=inside)
    assert nested["AWSROLE_ACCOUNT_ID"] == HERE
    assert world.assumed()[-1]["caller_arn"].endswith(":user/alice")
    # And the other way round: what `exec --profile` set is no source either.
    assert world.exec_env(shop, env=nested)["AWSROLE_ACCOUNT_ID"] == THERE
    assert all(call["caller_arn"].endswith(":user/alice") for call in world.assumed())


def test_dir_selects_the_project_and_nothing_else(world, shop):
    here = world.project("here")
    for written in (shop, "../shop", "~/src/shop", "../shop/.awsrole.toml"):
        result = world.awsrole("exec", "--dir", written, "--", "sh", "-c", "pwd; echo $AWSROLE_ROLE", cwd=here)
        assert result.out == f"{here}\nDeploy\n", result


def test_the_history_names_the_folder_of_the_project(world, shop):
    here = world.project("here")
    world.exec_env(here, "--dir", "~/src/shop")
    world.exec_env(here, "--profile", "shop-dev")
    told = world.awsrole("history").out.splitlines()
    assert "src/shop" in told[-2] and "src/here" in told[-1]


def test_a_role_of_another_folder(world):
    folder = world.project("roles", ROLES, allow=True)
    here = world.project("here", DEPLOY, allow=True)
    assert world.exec_env(here, "--dir", folder, "--role", "admin", "--yes")["AWSROLE_ACCOUNT_ID"] == HERE
    result = world.awsrole("exec", "--dir", folder, "--role", "admin", "--", "true", cwd=here)
    assert result.code == 3 and "confirmed" in result.err


def test_what_awsrole_use_chose_counts_for_its_own_project_only(world):
    folder = world.project("roles", ROLES.replace("manual = true\nconfirm = true\n", ""), allow=True)
    inside = world.exec_env(folder, "--role", "admin")
    assert inside["AWSROLE_ROLE"] == "admin"
    assert world.exec_env(world.home, "--dir", folder, env=inside)["AWSROLE_ROLE"] == "admin"
    other = world.project("other", ROLES, allow=True)
    assert world.exec_env(folder, "--dir", other, env=inside)["AWSROLE_ROLE"] == "deploy"
    assert world.exec_env(folder, "--profile", "shop-dev", env=inside)["AWSROLE_ROLE"] == "shop-dev"


@pytest.mark.parametrize("command", [["exec", "--", "true"], ["why"], ["env"], ["policy"], ["console"], ["login"], ["credential-process"]],
                         ids=lambda words: words[0])
def test_a_profile_excludes_role_and_dir(world, shop, command):
    for options in (["--role", "x"], ["--dir", "."]):
        result = world.awsrole(command[0], "--profile", "shop-dev", *options, *command[1:], cwd=shop)
        assert result.code == 2 and "cannot be used with" in result.err and options[0] in result.err


@pytest.mark.parametrize("options", [["--profile", "shop-dev"], ["--dir", "."]])
def test_logout_of_all_excludes_both(world, shop, options):
    assert world.awsrole("logout", "--all", *options, cwd=shop).code == 2


class TestNames:
    @pytest.mark.parametrize("name", ["two words", "größe", "-x", "a'b", "a,b", "$(id)"])
    def test_odd_names_are_found(self, world, name):
        if name != "two words":
            quoted = f'"{name}"' if "'" in name or " " in name else f"'{name}'"
            profile(world, quoted, f"role_arn = arn:aws:iam::{HERE}:role/Build", "source_profile = jump")
        assert world.exec_env(world.home, f"--profile={name}")["AWSROLE_PROFILE"] == name
        assert world.awsrole("exec", "--renew", f"--profile={name}", "--", "aws", "sts", "get-caller-identity",
                             env={"AWS_ENDPOINT_URL": world.sts.url}).json["Account"] == HERE

    @pytest.mark.parametrize(("name", "parts"), [
        ("shop-dve", ["there is no profile `shop-dve`", "did you mean `shop-dev`?"]),
        ("Shop-Dev", ["there is no profile", "did you mean `shop-dev`?"]),
        ("", ["--profile", "empty"]),
        (" ", ["there is no profile"]),
        ('"two words"', ["there is no profile", "quotes"]),
        ("a\x1b[31mb", ["there is no profile", "\\u{1b}"]),
        ("nothing-like-it", ["there is no profile", "aws configure list-profiles"]),
    ])
    def test_names_that_do_not_exist(self, world, name, parts):
        for command in (["exec", "--profile", name, "--", "true"], ["env", "--profile", name], ["logout", "--profile", name],
                        ["credential-process", "--profile", name], ["policy", "--profile", name]):
            result = world.awsrole(*command)
            assert (result.code, result.out) == (1, ""), result
            assert all(part in result.err for part in parts), result.err
        why = world.awsrole("why", "--profile", name)
        assert why.code == 0 and "there is no profile" in why.out or "empty" in why.out

    def test_a_name_that_looks_like_an_option(self, world):
        for words in (["exec", "--profile", "-x", "--", "true"], ["exec", "--profile", "--renew", "--", "true"]):
            result = world.awsrole(*words)
            assert result.code == 1 and f"there is no profile `{words[2]}`" in result.err, result
        result = world.awsrole("exec", "--profile", "--", "true")
        assert result.code == 2 and "--profile" in result.err, result

    def test_a_profile_without_credentials(self, world):
        result = world.awsrole("exec", "--profile", "other", "--", "true")
        assert result.code == 1 and "profile `other` has no credentials" in result.err and "config:" in result.err


def test_the_hint_about_a_code_is_for_the_profile(world):
    profile(world, "coded", f"role_arn = arn:aws:iam::{HERE}:role/Build", "source_profile = jump",
            f"mfa_serial = arn:aws:iam::{HERE}:mfa/alice")
    for command in (["exec", "--profile", "coded", "--", "true"], ["credential-process", "--profile", "coded"]):
        result = world.awsrole(*command)
        assert result.code != 0 and "`awsrole exec --profile=coded -- true`" in result.err, result
        assert "awsrole refresh" not in result.err


@pytest.mark.parametrize(("dir", "code", "part"), [
    ("nowhere", 1, "cannot enter"), (".aws/config", 1, "isn't a directory"), ("src/none", 3, "there is no .awsrole.toml"),
    ("src/unknown", 3, "awsrole allow"), ("", 2, "--dir"),
])
def test_folders_without_a_role(world, dir, code, part):
    world.project("none")
    world.project("unknown", DEPLOY)
    result = world.awsrole("exec", "--dir", dir, "--", "true")
    assert (result.code, result.out) == (code, "") and part in result.err, result


class TestCircle:
    """A profile whose program asks awsrole for the same profile."""

    def program(self, *words):
        return f"credential_process = {binary('awsrole')} credential-process " + " ".join(words)

    def test_a_profile_that_calls_itself(self, world):
        line = profile(world, "loop", self.program("--profile", "loop")) + 1
        for command in (["exec", "--profile", "loop", "--", "true"], ["env", "--profile", "loop"],
                        ["credential-process", "--profile", "loop"]):
            result = world.awsrole(*command)
            assert (result.code, result.out) == (1, "")
            assert f"config:{line}" in result.err and "loop → loop" in result.err, result.err

    def test_two_profiles_that_call_each_other(self, world):
        profile(world, "one", self.program("--profile=two"))
        line = profile(world, "two", self.program("--profile", "one")) + 1
        result = world.awsrole("exec", "--profile", "one", "--", "true")
        assert result.code == 1 and "one → two → one" in result.err, result.err
        assert f"config:{line - 2}" in result.err

    def test_through_a_project(self, world):
        folder = world.project("p", 'profile = "loop"\n', allow=True)
        line = profile(world, "loop", self.program("--dir", str(folder))) + 1
        result = world.awsrole("exec", "--profile", "loop", "--", "true")
        assert (result.code, result.out) == (1, ""), result
        assert f"{folder}/.awsrole.toml:1: profile `loop` leads back to itself" in result.err, result.err
        assert f"config:{line}: it runs awsrole for a project" in result.err, result.err

    def test_through_a_source_profile(self, world):
        line = profile(world, "outer", self.program("--profile", "role")) + 1
        profile(world, "role", f"role_arn = arn:aws:iam::{HERE}:role/Build", "source_profile = outer")
        for name, circle in (("outer", "outer → outer"), ("role", "outer → outer")):
            result = world.awsrole("exec", "--profile", name, "--", "true")
            assert (result.code, result.out) == (1, "") and f"config:{line}: " in result.err and circle in result.err, result.err

    def test_the_aws_cli_ends_as_well(self, world):
        profile(world, "loop", self.program("--profile", "loop"), "region = eu-west-1")
        result = world.run("aws", "--profile", "loop", "sts", "get-caller-identity")
        assert result.code != 0 and "loop → loop" in result.err, result.err

    def test_a_program_for_another_profile_is_none(self, world):
        profile(world, "via", self.program("--profile", "shop-dev"), f"endpoint_url = {world.sts.url}", "region = eu-west-1")
        result = world.run("aws", "--profile", "via", "sts", "get-caller-identity")
        assert result.code == 0 and result.json["Account"] == THERE, result.err
        assert world.exec_env(world.home, "--profile", "via")["AWS_ACCESS_KEY_ID"].startswith("ASIA")


class TestRenew:
    def test_the_command_renews_the_profile(self, world):
        """In a directory whose project is another one."""
        folder = world.project("other", BLOCKED, allow=True)
        code = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
        result = world.awsrole("exec", "--renew", "--profile", "two words", "--", "python", "-c", code, cwd=folder,
                               env={"AWS_ENDPOINT_URL": world.sts.url})
        assert result.out == f"arn:aws:sts::{HERE}:assumed-role/Build/alice\n", result.err

    def test_the_command_renews_the_role_of_a_folder(self, world, shop):
        code = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
        result = world.awsrole("exec", "--renew", "--dir", shop, "--", "python", "-c", code,
                               env={"AWS_ENDPOINT_URL": world.sts.url})
        assert result.out == f"arn:aws:sts::{THERE}:assumed-role/Deploy/alice\n", result.err


class TestLogout:
    def sessions(self, world):
        return len(world.entries())

    def test_of_a_profile(self, world, shop):
        world.exec_env(shop)
        world.exec_env(shop, "--profile", "two words")
        before = self.sessions(world)
        inside = world.exec_env(shop)
        result = world.awsrole("logout", "--profile", "two words", cwd=shop, env=inside)
        assert result.code == 0 and "profile two words" in result.err
        assert self.sessions(world) == before - 1
        calls = len(world.assumed())
        world.exec_env(shop)
        assert len(world.assumed()) == calls, "the role of this shell stays"

    def test_of_a_folder(self, world, shop):
        here = world.project("here", DEPLOY, allow=True)
        build = world.project("build", f'role_arn = "arn:aws:iam::{HERE}:role/Build"\nsource_profile = "jump"\n', allow=True)
        inside = world.exec_env(here)
        world.exec_env(build)
        before = self.sessions(world)
        result = world.awsrole("logout", "--dir", build, cwd=here, env=inside)
        assert result.code == 0 and "src/build" in result.err
        assert self.sessions(world) == before - 1


def test_the_tip_for_people_who_come_from_aws_vault(world):
    result = world.awsrole("exec", "shop-dev", "--", "true")
    assert result.code == 2 and "'--profile NAME'" in result.err and "'--role NAME'" in result.err
    assert "'--'" in world.awsrole("exec", "true").err


def test_a_shell_with_the_hook_gives_it_back(world):
    """What docs/credentials.md says: the role is the command's alone."""
    world.write(".bashrc", f'eval "$({binary("awsrole")} hook bash)"\n')
    script = 'echo "role:$AWSROLE_ROLE key:$AWS_ACCESS_KEY_ID profile:$AWS_PROFILE"\n'
    done = subprocess.run([binary("awsrole"), "exec", "--profile", "shop-dev", "--", "bash", "-i"], cwd=world.home,
                          env=world.environment(AWS_PROFILE="other"), input=script, capture_output=True, text=True, timeout=60)
    assert "role: key: profile:other" in done.stdout, done


def test_hints_name_the_role_that_an_option_selects(world):
    """Without the option they would be about the role of the shell."""
    roles = f'default_role = "near"\n[role.near]\n{DEPLOY}[role.shut]\n{DEPLOY.replace("Deploy", "Closed")}'
    folder = world.project("shop", roles, allow=True)
    for command in (["exec"], ["env"], ["credential-process"]):
        words = [*command, "--role", "shut", *(["--", "true"] if command == ["exec"] else [])]
        said = world.awsrole(*words, cwd=folder).err
        assert "`awsrole why --" in said and "--role shut` for all causes, then repeat the command" in said, said
        assert "`awsrole policy`" not in said and "awsrole refresh" not in said, said
    assert "`awsrole policy --role shut`" in world.awsrole("why", "--role", "shut", cwd=folder).out
    assert f"`awsrole why --dir {folder}`" in world.awsrole("credential-process", cwd=world.project("shop", roles.replace('"near"', '"shut"'), allow=True)).err


def test_a_directory_in_a_hint_is_absolute(world):
    """The SDK runs `credential-process` somewhere else than a user would type the command of the hint."""
    shop = world.project("shop", DEPLOY.replace("role/Deploy", "role/Closed"), allow=True)
    result = world.awsrole("credential-process", "--dir", "../shop", cwd=world.project("other"))
    assert result.code == 4 and f"`awsrole why --dir {shop.parent}/other/../shop`" in result.err, result
