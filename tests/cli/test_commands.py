"""Tests of each command its help, its examples, its exit code, and its output streams."""

import os
import re
import stat

import pytest

from support.local_sts import binary
from support.world import BLOCKED, DEPLOY, HERE, THERE

COMMANDS = ["allow", "deny", "on", "off", "status", "refresh", "logout", "exec", "credential-process", "init", "completions",
            "use", "why", "login", "hook", "hook export"]

TWO_ROLES = """\
default_role = "dev"
source_profile = "jump"
[role.dev]
role_arn = "arn:aws:iam::222222222222:role/Deploy"
[role.admin]
role_arn = "arn:aws:iam::111111111111:role/Build"
duration_seconds = "1h"
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_for_people_who_asked(world, command):
    result = world.awsrole(*command.split(), "--help")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(result.out.splitlines()[0]) and f"Usage: awsrole {command}" in result.out


def test_help_names_every_command_and_every_code(world):
    result = world.awsrole("--help")
    listed = re.findall(r"^  ([a-z-]+)  ", result.out.split("Options:")[0], re.MULTILINE)
    assert {name.split()[0] for name in COMMANDS} <= set(listed)
    for command in {*listed} - {"help"}:
        assert world.awsrole(command, "--help").code == 0
        assert world.awsrole("help", command).out == world.awsrole(command, "--help").out
    assert re.search(r"0 done; 1 failed; 2 .*; 3 no role.*\n4 AWS", result.out)


def examples(world):
    """Returns (command, line) for each line below `Example(s):` in a help text."""
    found = []
    for command in COMMANDS:
        text = world.awsrole(*command.split(), "--help").out
        if "Example" not in text:
            continue
        for line in re.split(r"^Examples?:\n", text, flags=re.MULTILINE)[1].split("\n\n")[0].splitlines():
            found.append((command, re.sub(r"\s+#.*", "", line.strip())))
    return found


def test_every_example_of_the_help_texts_works(world):
    project = world.project("shop", TWO_ROLES, allow=True)
    tools = world.home / "bin"
    tools.mkdir()
    os.symlink(binary("awsrole"), tools / "awsrole")
    for tool in (tools / "terraform", tools / "claude", project / "migrate.sh"):
        tool.write_text("#!/bin/sh\necho ran as $AWSROLE_ROLE\n")
        tool.chmod(0o755)
    path = f"{tools}:{os.environ['PATH']}"
    found = examples(world)
    assert len(found) >= 12
    empty = world.project("new")
    for command, line in found:
        if command in ("use", "on", "off", "login") or "--sso" in line:
            # They have nothing to act on here: tests/shells and tests/sources type them.
            continue
        world.awsrole("allow", "--yes", cwd=project)
        if command == "init":
            (empty / ".awsrole.toml").unlink(missing_ok=True)
        shell = next((shell for shell in ("zsh", "fish") if f"hook {shell}" in line or f"completions {shell}" in line), "bash")
        result = world.run(shell, "-c", line, cwd=empty if command == "init" else project,
                           env={"PATH": path, "AWS_ENDPOINT_URL": world.sts.url})
        assert result.code == 0, (line, result)
        assert "error" not in result.err, (line, result)
        if command == "exec":
            expected = "assumed-role/Build" if "admin" in line else "ran as shop-dev" if "--profile" in line else "ran as dev"
            assert expected in result.out, (line, result)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], 2),
        (["--version"], 0),
        (["nonsense"], 2),
        (["status", "--json", "--long"], 2),
        (["exec"], 2),
        (["exec", "env"], 2),
        (["exec", "--min-ttl", "soon", "--", "env"], 2),
        (["init"], 2),
        (["init", "--role-arn", f"arn:aws:iam::{THERE}:role/Deploy"], 2),
        (["completions", "csh"], 2),
        (["hook", "export"], 2),
        (["hook", "export", "csh"], 2),
        # No project here.
        (["status"], 0),
        (["status", "--json"], 0),
        (["exec", "--", "env"], 3),
        (["credential-process"], 3),
        (["allow"], 3),
        (["deny"], 3),
        (["refresh"], 3),
        (["allow", "nowhere"], 1),
        (["on"], 1),
        (["off"], 1),
        (["use", "prod"], 1),
        (["login"], 3),
        (["why"], 0),
        (["why", "--json"], 0),
    ],
)
def test_codes_where_no_project_is(world, words, code):
    result = world.awsrole(*words)
    assert result.code == code, result
    assert (result.err == "") == (code == 0)
    assert (result.out == "") == (code != 0 or words == ["status"])
    assert world.sts.calls() == []


def test_the_four_codes_in_a_project(world, shop):
    assert world.awsrole("exec", "--", "true", cwd=shop).code == 0
    assert world.awsrole("exec", "--role", "nobody", "--", "true", cwd=shop).code == 1
    assert world.awsrole("exec", "--", "true", cwd=world.project("new", DEPLOY)).code == 3
    assert world.awsrole("exec", "--", "true", cwd=world.project("blocked", BLOCKED, allow=True)).code == 4


def test_why_tells_the_way(world, shop):
    for _ in range(2):
        result = world.awsrole("why", cwd=shop)
        for part in ("~/src/shop/.awsrole.toml", "allowed", f"arn:aws:iam::{THERE}:role/Deploy", "profile jump", "as alice", "eu-west-1"):
            assert part in result.out, part
    assert "not cached" in result.out
    world.exec_env(shop)
    assert "not cached" not in world.awsrole("why", cwd=shop).out
    assert world.awsrole("why", "--json", cwd=shop).json["chain"]["links"][0]["cached_until"]


def test_a_refusal_is_advice(world):
    project = world.project("blocked", BLOCKED, allow=True)
    result = world.awsrole("exec", "--", "true", cwd=project)
    assert result.out == ""
    for part in (
        f"STS refused arn:aws:iam::{THERE}:role/Closed", "AccessDenied", "profile jump", "session name alice",
        "no external ID", "no MFA", "`awsrole policy`", "`awsrole why`", "`awsrole refresh`",
    ):
        assert part in result.err, part
    causes = "\n".join(world.awsrole("why", "--json", cwd=project).json["problem"]["hints"])
    for part in (f"in account {HERE}", f"in account {THERE}", "trust policy", f"must allow sts:AssumeRole on arn:aws:iam::{THERE}:role/Closed"):
        assert part in causes, part


def test_what_is_sent_is_what_the_file_says(world):
    project = world.project("partner", f"""\
role_arn = "arn:aws:iam::{THERE}:role/Partner"
source_profile = "jump"
external_id = "shop/42"
role_session_name = "alice@laptop"
duration_seconds = "15m"
policy = {{ Version = "2012-10-17", Statement = [{{ Effect = "Allow", Action = "s3:*", Resource = "*" }}] }}
policy_arns = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
""", allow=True)
    assert world.awsrole("exec", "--", "true", cwd=project).code == 0
    call, = world.assumed()
    assert call["external_id"] == "shop/42"
    assert call["role_session_name"] == "alice@laptop"
    assert call["duration_seconds"] == "900"
    assert call["has_policy"] and call["policy_arns"] == ["arn:aws:iam::aws:policy/ReadOnlyAccess"]


def test_tags_and_source_identity_are_sent(world):
    project = world.project("tagged", DEPLOY + """\
source_identity = "alice"
session_tags = { team = "shop", stage = "dev" }
transitive_session_tags = ["team"]
""", allow=True)
    assert world.awsrole("exec", "--", "true", cwd=project).code == 0
    call, = world.assumed()
    assert call["source_identity"] == "alice"
    assert call["tags"] == {"team": "shop", "stage": "dev"}
    assert call["transitive_tag_keys"] == ["team"]


def test_the_session_is_named_after_the_person(world, shop):
    assert world.awsrole("exec", "--", "true", cwd=shop, env={"USER": "Ana María"}).code == 0
    assert world.assumed()[0]["role_session_name"] == "Ana-Mar-a"


@pytest.mark.parametrize("profile", ["shop-dev", "two words", "legacy"])
def test_a_profile_of_either_file_says_everything(world, profile):
    project = world.project("shop", f'profile = "{profile}"\n', allow=True)
    env = world.exec_env(project)
    assert world.assumed()[0]["caller_arn"].endswith(":user/alice")
    region = {"shop-dev": "eu-central-1"}.get(profile)
    assert env.get("AWS_REGION") == env.get("AWS_DEFAULT_REGION") == region


def test_the_aws_files_may_lie_elsewhere(world, shop):
    aws = world.home / ".aws"
    aws.rename(world.home / "elsewhere")
    assert world.awsrole("exec", "--", "true", cwd=shop).code == 1
    env = {"AWS_CONFIG_FILE": "~/elsewhere/config", "AWS_SHARED_CREDENTIALS_FILE": str(world.home / "elsewhere/credentials")}
    assert world.awsrole("exec", "--", "true", cwd=shop, env=env).code == 0


def test_a_chain_of_roles_in_the_file(world):
    project = world.project("chain", f"""\
default_role = "second"
[role.first]
source_profile = "jump"
role_arn = "arn:aws:iam::{THERE}:role/Deploy"
[role.second]
role_arn = "arn:aws:iam::{THERE}:role/Second"
source_role = "first"
""", allow=True)
    env = world.exec_env(project)
    assert env["AWSROLE_ROLE"] == "second"
    assert [call["caller_arn"].split("/")[1] for call in world.assumed()] == ["alice", "Deploy"]
    world.exec_env(project)
    world.exec_env(project, "--role", "first")
    assert len(world.assumed()) == 2, "each link is cached by itself"


class TestStatus:
    def test_says_nothing_outside_and_one_line_inside(self, world, shop):
        assert world.awsrole("status").out == ""
        assert world.awsrole("status", cwd=shop).out == "", "the shell holds no role without the hook"
        assert "`awsrole doctor`" in world.awsrole("status", "--json", cwd=shop).json["hint"]
        env = world.exec_env(shop)
        line = world.awsrole("status", cwd=shop, env=env).out
        assert re.fullmatch(rf"Deploy {THERE} \S+\n", line)
        assert "hint" not in world.awsrole("status", "--json", cwd=shop, env=env).json

    @pytest.mark.parametrize("words", [["status"], ["status", "--json"], ["status", "--long"], ["why"], ["why", "--json"]], ids=" ".join)
    def test_asks_no_network(self, world, shop, words):
        env = world.exec_env(shop)
        world.sts.reset()
        for where, more in ((shop, env), (shop, {}), (world.project("new", DEPLOY), {}), (world.home, {})):
            assert world.awsrole(*words, cwd=where, env=more).code == 0
        assert world.sts.counts().get("connections", 0) == 0
        assert world.sts.calls() == []

    def test_json_for_machines(self, world, shop):
        world.exec_env(shop)
        known = world.awsrole("status", "--json", cwd=shop / ".").json
        assert known["role_arn"] == f"arn:aws:iam::{THERE}:role/Deploy"
        assert known["account"] == THERE
        assert known["approval"] == "allowed"
        assert known["source"] == "profile jump"
        assert known["region"] == "eu-west-1"
        assert known["file"] == str(shop / ".awsrole.toml")
        assert known["cached"].startswith("until 2")

    def test_json_of_a_directory_without_a_role(self, world):
        assert "none" in world.awsrole("status", "--json").json["file"]
        assert world.awsrole("status", "--json", cwd=world.project("new", DEPLOY)).json["approval"] == "not allowed"
        broken = world.project("broken", "nonsense", allow=False)
        known = world.awsrole("status", "--json", cwd=broken)
        assert known.code == 0 and known.json["file"].endswith("broken/.awsrole.toml")


class TestInit:
    def test_writes_a_file_that_works(self, world):
        folder = world.project("new")
        result = world.awsrole("init", "--profile", "shop-dev", cwd=folder)
        assert (result.code, result.out, result.err) == (0, "", "awsrole: wrote ~/src/new/.awsrole.toml\n")
        world.allow(folder)
        assert world.exec_env(folder)["AWSROLE_ACCOUNT_ID"] == THERE

    def test_writes_what_it_is_told(self, world):
        folder = world.project("new")
        arn = f"arn:aws:iam::{THERE}:role/Deploy"
        words = ("init", "--role-arn", arn, "--source-profile", "jump", "--region", "ap-northeast-1", folder)
        assert world.awsrole(*words).code == 0
        world.allow(folder)
        assert world.exec_env(folder)["AWS_REGION"] == "ap-northeast-1"

    def test_never_writes_over_anything(self, world):
        folder = world.project("new", "# mine\n")
        result = world.awsrole("init", "--profile", "shop-dev", cwd=folder)
        assert result.code == 1 and "already exists" in result.err
        assert (folder / ".awsrole.toml").read_text() == "# mine\n"
        linked = world.project("linked")
        (linked / ".awsrole.toml").symlink_to(world.home / "target")
        assert world.awsrole("init", "--profile", "shop-dev", cwd=linked).code == 1
        assert not (world.home / "target").exists()

    def test_asks_where_it_would_apply_to_everything(self, world):
        refused = world.awsrole("init", "--profile", "shop-dev", cwd=world.home)
        assert refused.code == 1 and "would apply to every directory below" in refused.err and "`--yes`" in refused.err
        assert not (world.home / ".awsrole.toml").exists()
        assert world.awsrole("init", "--profile", "shop-dev", "-y", cwd=world.home).code == 0

    def test_writes_nothing_that_would_not_work(self, world):
        folder = world.project("new")
        result = world.awsrole("init", "--profile", "shop-dve", cwd=folder)
        assert result.code == 1 and "no profile `shop-dve`" in result.err
        assert list(folder.iterdir()) == []

    def test_does_not_approve(self, world):
        folder = world.project("new")
        world.awsrole("init", "--profile", "shop-dev", cwd=folder)
        assert world.awsrole("exec", "--", "true", cwd=folder).code == 3


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions(world, shell):
    result = world.awsrole("completions", shell)
    assert result.code == 0 and result.err == ""
    assert world.awsrole("completions", "elvish").code == 2, "its module completes"
    comment = next(line for line in result.out.splitlines() if line.startswith("# Completion for"))
    assert {"bash": "bash-completion/completions/awsrole", "zsh": "$fpath", "fish": "completions/awsrole.fish"}[shell] in comment


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_load_in_their_shell(world, shell):
    script = world.write("completions", world.awsrole("completions", shell).out)
    before = {"zsh": "autoload -U compinit; compinit -D;"}.get(shell, "")
    result = world.run(shell, "-c", f"{before} source {script}")
    assert (result.code, result.err) == (0, "")


def test_a_blocked_pipe_is_no_error(world):
    result = world.run("bash", "-c", f"set -o pipefail; {binary('awsrole')} completions bash | head -n 1")
    assert result.err == ""


def test_files_of_its_own_are_private(world, shop):
    world.exec_env(shop)
    world.awsrole("refresh", cwd=shop)
    owned = [path for part in (".cache", ".local", ".config") for path in (world.home / part).rglob("*")]
    ours = [path for path in owned if "awsrole" in path.parts]
    assert len(ours) > 4
    for path in ours:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_an_unknown_command_may_be_another_name(world, shop):
    """A role, a profile or a program, which have commands of their own."""
    world.project("roles", f"[role.admin]\n{DEPLOY}")
    world.write("bin/frobnicate", "#!/bin/sh\n").chmod(0o755)
    env = {"PATH": f"{world.home}/bin:{os.environ['PATH']}"}
    for word, tip in (("admin", "'awsrole use admin' assumes the role of this name"), ("frobnicate", "'awsrole exec -- frobnicate' runs this program"),
                      ("shop-dev", "'awsrole use --profile shop-dev' uses the profile"), ("stauts", "a similar command exists: 'status'")):
        result = world.awsrole(word, cwd=world.home / "src/roles", env=env)
        assert result.code == 2 and f"tip: {tip}" in result.err and result.err.count("tip:") == 1, result
    assert "tip:" not in world.awsrole("xyzzy").err
