"""Tests that a project file has no effect before the user approved it."""

import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.aws_files import role_file
from support.hooked_shell import hook_line
from support.local_sts import binary
from support.terminal import SHELLS, Terminal, need
from support.world import DEPLOY, HERE, THERE

BUILD = role_file("Build", HERE)


def acts(world, folder, **options) -> bool:
    """Returns whether the directory's role can be assumed. All three ways must agree."""
    codes = {world.awsrole(*words, cwd=folder, **options).code
             for words in (("exec", "--", "true"), ("credential-process",))}
    statements = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder, **options).out
    exported = "__awsrole_set AWS_ACCESS_KEY_ID" in statements
    assert codes == ({0} if exported else {3}), (codes, statements)
    return exported


def test_a_new_file_does_nothing(world):
    folder = world.project("new", DEPLOY)
    assert not acts(world, folder)
    result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder)
    assert "`awsrole allow`" in result.err
    assert result.out.startswith("__awsrole_done outer "), "a cloned repository takes nobody's credentials away"
    assert world.sts.calls() == []


def test_allow_shows_what_it_allows(world):
    folder = world.project("new", DEPLOY)
    result = world.allow(folder)
    assert result.out == ""
    for part in (f"arn:aws:iam::{THERE}:role/Deploy", THERE, "eu-west-1", "profile jump", "is allowed"):
        assert part in result.err, part
    assert acts(world, folder)


def test_allow_shows_every_key(world):
    folder = world.project("new", f"""\
role_arn = "arn:aws:iam::{THERE}:role/Deploy"
source_profile = "jump"
external_id = "external-42"
role_session_name = "session-43"
source_identity = "identity-44"
duration_seconds = "45m"
session_tags = {{ tag45 = "value46" }}
transitive_session_tags = ["tag45"]
policy = {{ Statement = "policy47" }}
policy_arns = ["arn:aws:iam::aws:policy/policy48"]
region = "region-49"
account_id = "{THERE}"
""")
    shown = world.allow(folder).err
    for part in ("external-42", "session-43", "identity-44", "2700", "tag45", "value46", "policy47", "policy48", "region-49"):
        assert part in shown, part


def test_allow_shows_what_the_profile_brings(world):
    shown = world.allow(world.project("new", 'profile = "shop-dev"\n')).err
    assert f"arn:aws:iam::{THERE}:role/Deploy" in shown and "jump" in shown and "eu-central-1" in shown


def test_allow_shows_every_role(world):
    folder = world.project("new", f"""\
default_role = "dev"
source_profile = "jump"
[role.dev]
role_arn = "arn:aws:iam::{THERE}:role/Deploy"
[role.build]
role_arn = "arn:aws:iam::{HERE}:role/Build"
""")
    shown = world.allow(folder).err
    assert "[role.dev]" in shown and "[role.build]" in shown and "role/Build" in shown and "role/Deploy" in shown


def test_an_edit_needs_a_new_approval_and_its_difference_is_shown(world, shop):
    assert acts(world, shop)
    world.project("shop", DEPLOY.replace("eu-west-1", "eu-west-3"))
    assert not acts(world, shop)
    result = world.awsrole("hook", "export", "bash", cwd=shop)
    assert result.out.startswith("__awsrole_done blocked ") and "was changed since it was allowed" in result.err
    shown = world.allow(shop).err
    assert '-region = "eu-west-1"' in shown and '+region = "eu-west-3"' in shown
    assert acts(world, shop)


@pytest.mark.parametrize(("environment", "color"), [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False)])
def test_a_difference_has_colors_on_a_terminal(world, shop, environment, color):
    world.project("shop", DEPLOY.replace("eu-west-1", "eu-west-3"))
    words = (need("script"), "-qec", f"{binary('awsrole')} allow --yes", "/dev/null")
    shown = world.run(*words, cwd=shop, env=environment).out
    removed, added = '-region = "eu-west-1"', '+region = "eu-west-3"'
    assert removed in shown and added in shown
    assert (f"  \x1b[31m{removed}\x1b[0m" in shown and f"  \x1b[32m{added}\x1b[0m" in shown) == color


def test_allow_says_which_role_cd_enters(world):
    roles = f"""\
[role.build]
role_arn = "arn:aws:iam::{HERE}:role/Build"
source_profile = "jump"
[role.dev]
role_arn = "arn:aws:iam::{THERE}:role/Deploy"
source_profile = "jump"
"""
    for text, expected in (
        (DEPLOY, "Deploy"),
        ('profile = "shop-dev"\n', "shop-dev"),
        ('default_role = "dev"\n' + roles, "dev"),
        ('default_role = "build"\n' + roles, "build"),
        ('default_role = "dev"\n' + roles + "manual = true\n", "nothing: dev is assumed only by `awsrole use dev`"),
        (roles, "nothing: there is no default role, and `awsrole use build` assumes one"),
        (DEPLOY + roles, "Deploy"),
        ('profile = "jump"\n' + roles, "jump"),
        ('profile = "nowhere"\n', "the role of profile nowhere"),
        ('source_profile = "nowhere"\n', "a session of the source"),
    ):
        shown = world.allow(world.project("new", text)).err
        assert f"  cd assumes      {expected}\n" in shown, (text, shown)
        assert "[role." not in text or shown.index("  cd assumes") < re.search(r"^\[role\.", shown, re.M).start(), "it isn't about a role"


def test_allow_shows_the_roles_in_the_order_of_the_file(world):
    world.project(".", f'[role.base]\n{DEPLOY}')
    roles = "".join(f"[role.{name}]\n{DEPLOY}" for name in ("prod", "admin", "dev"))
    folder = world.project("new", f'inherit = true\ndefault_role = "dev"\n{roles}[agent]\npreset = "read-only"\n')
    shown = world.allow(folder).err
    assert re.findall(r"^\[role.(\w+)]", shown, re.M) == ["prod", "admin", "dev", "base"]
    for line in ("agents get ", "inherits from", "cd assumes"):
        assert shown.index(f"\n  {line}") < shown.index("[role.") if line != "agents get " else shown.startswith(f"  {line}"), shown


def test_a_place_that_cannot_be_noted_forbids_nothing(world):
    """The note only lists the places of the same file."""
    folder = world.project("new", DEPLOY)
    places = world.home / ".local/share/awsrole/places"
    places.parent.mkdir(parents=True, mode=0o700)
    places.write_text("")
    world.allow(folder)
    assert world.awsrole("exec", "--", "true", cwd=folder).code == 0


def test_allow_shows_the_whole_way_to_each_role(world):
    """Source, permission set, each role of the chain, and the MFA device are shown."""
    center = """
[profile center]
sso_start_url = https://example.awsapps.com/start
sso_region = eu-west-1
sso_account_id = 999999999999
sso_role_name = PowerUser
[profile hub]
role_arn = arn:aws:iam::111111111111:role/Hub
source_profile = center
[profile guarded]
role_arn = arn:aws:iam::222222222222:role/Guarded
source_profile = jump
mfa_serial = arn:aws:iam::111111111111:mfa/alice
"""
    world.write(".aws/config", (world.home / ".aws/config").read_text() + center)
    world.write(".config/awsrole/config.toml", f'[accounts.{THERE}]\nname = "shop"\n[accounts.999999999999]\nname = "org"\n')
    shown = world.allow(world.project("new", f"""\
default_role = "far"
[role.far]
role_arn = "arn:aws:iam::{THERE}:role/Far"
source_role = "near"
[role.near]
role_arn = "arn:aws:iam::{THERE}:role/Near"
source_profile = "hub"
[role.session]
profile = "center"
[role.guarded]
profile = "guarded"
[role.plain]
role_arn = "arn:aws:iam::{THERE}:role/Plain"
source_profile = "jump"
""")).err
    roles = dict(part.split("]\n", 1) for part in shown.split("[role.")[1:])
    far = """\
  source          profile center (IAM Identity Center)
  permission set  PowerUser in org (999999999999)
  chain           profile center (IAM Identity Center)
                  → arn:aws:iam::111111111111:role/Hub
                  → arn:aws:iam::222222222222:role/Near (shop)
                  → arn:aws:iam::222222222222:role/Far (shop)
"""
    assert far in roles["far"], shown
    assert "role            permission set PowerUser in org (999999999999)\n  account         org (999999999999)\n" in roles["session"], shown
    assert "\n  permission set" not in roles["session"] and "chain" not in roles["session"]
    assert "MFA             arn:aws:iam::111111111111:mfa/alice\n" in roles["guarded"] and "MFA" not in roles["plain"]
    assert "account         shop (222222222222)" in roles["plain"] and "source          profile jump\n" in roles["plain"]
    assert "chain" not in roles["plain"] and "cd assumes      far" in shown


def test_what_can_not_be_resolved_is_allowed_and_said(world):
    result = world.allow(world.project("new", DEPLOY.replace("jump", "jmp")))
    assert "there is no profile `jmp`" in result.err and "role/Deploy" in result.err and "is allowed" in result.err
    assert world.sts.calls() == []


class TestQuestion:
    """On a terminal `allow` shows first and asks then."""

    @pytest.fixture
    def terminal(self, world):
        opened = []

        def start(shell="bash", hook=True):
            need(shell)
            load = hook_line(shell)
            load = load if hook else f"awsrole() {{ {binary('awsrole')} \"$@\"; }}"
            opened.append(Terminal(shell, world.home, load, cwd=world.project("new", DEPLOY), timeout=60))
            return opened[-1]

        yield start
        for one in opened:
            one.close()

    def ask(self, terminal, line="awsrole allow"):
        """Types a command that asks; returns what was shown before the question."""
        terminal.send(line + ("\r" if terminal.shell == "fish" else "\n"))
        terminal.process.expect_exact(b"Allow? [y/N] ")
        return terminal.process.before.decode()

    @pytest.mark.parametrize("shell", SHELLS)
    @pytest.mark.parametrize("answer, given", [("y", True), ("Yes", True), ("n", False), ("", False), ("yup", False)])
    def test_only_a_yes_allows(self, world, terminal, shell, answer, given):
        opened = terminal(shell)
        shown = self.ask(opened)
        assert f"arn:aws:iam::{THERE}:role/Deploy" in shown and "cd assumes" in shown, "it is shown first"
        assert not list((world.home / ".local/share/awsrole/approvals").glob("*/*")), "and nothing is recorded before"
        opened.send(answer + "\r")
        said = opened.wait()
        assert ("is allowed" in said) == given
        assert ("~/src/new/.awsrole.toml was not allowed" in said) == (not given)
        assert opened.env().get(b"AWSROLE_ROLE") == (b"Deploy" if given else None)
        assert acts(world, world.home / "src/new") == given

    def test_a_no_does_not_end_an_approval(self, world, terminal):
        folder = world.project("new", DEPLOY)
        world.allow(folder)
        world.allow(world.project("new", DEPLOY + "# edited\n"))
        opened = terminal(hook=False)
        assert "changed since" not in self.ask(opened), "this content is allowed, too"
        opened.send("n\r")
        said = opened.wait()
        assert "~/src/new/.awsrole.toml is still allowed" in said and "`awsrole deny` ends it" in said
        assert acts(world, folder)

    def test_the_exit_code_of_a_no(self, world, terminal):
        opened = terminal(hook=False)
        self.ask(opened, "awsrole allow; echo code $?")
        opened.send("n\r")
        assert opened.wait().endswith("code 1")

    @pytest.mark.parametrize("key", ["\x03", "\x04"])
    def test_an_interruption_is_a_no(self, world, terminal, key):
        opened = terminal()
        self.ask(opened, "awsrole allow && echo went on")
        opened.send(key)
        assert "went on" not in opened.wait()
        assert not acts(world, world.home / "src/new")

    @pytest.mark.parametrize("option", ["--yes", "-y"])
    def test_an_option_answers(self, world, terminal, option):
        said = terminal().run(f"awsrole allow {option}")
        assert "is allowed" in said and "[y/N]" not in said and acts(world, world.home / "src/new")

    @pytest.mark.parametrize("how", ["awsrole allow </dev/null", "awsrole allow 2>/dev/null", "true | awsrole allow"])
    def test_without_a_person_at_the_terminal_it_is_allowed_at_once(self, world, terminal, how):
        assert "[y/N]" not in terminal().run(how)
        assert acts(world, world.home / "src/new")

    def test_what_was_shown_is_what_is_recorded(self, world, terminal):
        """An edit while the confirmation prompt is open has no effect."""
        opened = terminal()
        self.ask(opened)
        world.project("new", BUILD)
        opened.send("y\r")
        opened.wait()
        assert opened.env()[b"AWSROLE_STATE"] == b"blocked"
        assert not acts(world, world.home / "src/new")
        world.project("new", DEPLOY)
        assert acts(world, world.home / "src/new")

    def test_a_base_that_appears_while_the_question_stands(self, world, terminal):
        opened = terminal()
        world.project("new", "inherit = true\n" + DEPLOY)
        self.ask(opened)
        world.write("src/.awsrole.toml", 'region = "eu-north-1"\n')
        opened.send("y\r")
        opened.wait()
        assert not acts(world, world.home / "src/new")


class TestMovedFolders:
    """A variable that moves awsrole's folders into a project gives nobody anything."""

    VARIABLES = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")

    def refused(self, world, folder, env, *, state="blocked", denies=True):
        name = next(iter(env))
        before = sorted(folder.rglob("*"))
        world.sts.reset()
        for words in (("exec", "--", "echo", "ran"), ("credential-process",), ("allow",), ("deny",))[: 3 + denies]:
            result = world.awsrole(*words, cwd=folder, env=env)
            assert (result.code, result.out) == (1, ""), (words, result)
            assert f"{name} points into this project" in result.err and f"unset {name}" in result.err, (words, result)
        result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder, env=env)
        assert result.out.startswith(f"__awsrole_done {state} ") and "__awsrole_set" not in result.out
        assert f"{name} points into this project" in result.err
        assert sorted(folder.rglob("*")) == before, "and nothing is stored there"
        assert world.sts.calls() == []

    @pytest.mark.parametrize("name", VARIABLES)
    @pytest.mark.parametrize("where", [".", ".folder", "a/b/c"])
    def test_a_folder_inside(self, world, shop, name, where):
        # Moved data has no approvals yet: nothing would be in force.
        state = "outer" if name == "XDG_DATA_HOME" else "blocked"
        self.refused(world, shop, {name: str(shop / where)}, state=state)

    @pytest.mark.parametrize("name", VARIABLES)
    def test_through_a_link(self, world, shop, name):
        (shop / "folder").mkdir()
        (world.home / "link").symlink_to(shop / "folder")
        self.refused(world, shop, {name: str(world.home / "link")}, state="outer" if name == "XDG_DATA_HOME" else "blocked")

    def test_a_clone_that_brings_approvals(self, world):
        """They are right in every byte, and still say nothing."""
        clone = world.project("clone", DEPLOY)
        assert world.awsrole("allow", cwd=clone, env={"XDG_DATA_HOME": str(world.home / "elsewhere")}).code == 0
        assert acts(world, clone, env={"XDG_DATA_HOME": str(world.home / "elsewhere")})
        (world.home / "elsewhere").rename(clone / ".data")
        self.refused(world, clone, {"XDG_DATA_HOME": str(clone / ".data")})

    def test_a_clone_that_brings_settings(self, world):
        clone = world.project("clone", DEPLOY)
        world.write("src/clone/.config/awsrole/config.toml", f'[[trust]]\npath = "{clone}"\naccounts = ["{HERE}", "{THERE}"]\n')
        self.refused(world, clone, {"XDG_CONFIG_HOME": str(clone / ".config")})

    def test_every_file_that_counts_has_a_folder(self, world):
        upper = world.project("upper", DEPLOY)
        leaf = world.project("upper/leaf", "inherit = true\n", allow=True)
        other = world.project("upper/other", DEPLOY, allow=True)
        env = {"XDG_CACHE_HOME": str(upper / ".cache")}
        self.refused(world, leaf, env, denies=False)
        assert acts(world, other, env=env), "the file above doesn't count there"

    def test_usual_places_are_fine_though_the_home_is_a_project(self, world):
        world.write(".awsrole.toml", DEPLOY)
        places = dict(zip(self.VARIABLES, (".config", ".local/share", ".local/state", ".cache")))
        usual = {name: f"{world.home}/{place}/" for name, place in places.items()}
        for env in ({}, usual):
            assert world.awsrole("allow", cwd=world.home, env=env).code == 0
            assert acts(world, world.home, env=env)
        self.refused(world, world.home, {"XDG_CACHE_HOME": f"{world.home}/.cache/other"})

    def test_folders_elsewhere_are_the_users_own_business(self, world, tmp_path):
        folder = world.project("shop", DEPLOY)
        env = {name: str(tmp_path / name.lower()) for name in self.VARIABLES} | {"XDG_RUNTIME_DIR": str(tmp_path)}
        assert not acts(world, folder, env=env)
        assert world.awsrole("allow", cwd=folder, env=env).code == 0
        assert acts(world, folder, env=env)
        assert not acts(world, folder), "it is another folder of approvals"


def test_back_to_a_branch_that_was_allowed(world, shop):
    world.project("shop", BUILD, allow=True)
    for text in (DEPLOY, BUILD, DEPLOY):
        world.project("shop", text)
        assert acts(world, shop)


def test_one_space_is_an_edit(world, shop):
    world.project("shop", DEPLOY + " ")
    assert not acts(world, shop)


def test_a_copy_elsewhere_is_not_allowed(world, shop):
    assert not acts(world, world.project("copy", DEPLOY))
    shop.rename(shop.parent / "moved")
    assert not acts(world, shop.parent / "moved")


def test_a_link_to_an_allowed_directory_is_allowed(world, shop):
    (world.home / "link").symlink_to(shop)
    assert acts(world, world.home / "link")


def test_below_an_allowed_directory(world, shop):
    deep = shop / "a/b c/d"
    deep.mkdir(parents=True)
    assert acts(world, deep)


@pytest.mark.parametrize(
    "env",
    [
        {"CI": "1"},
        {"CI": "true", "GITHUB_ACTIONS": "true"},
        {"AWSROLE_ALLOW": "1", "AWSROLE_TRUST": "/", "AWSROLE_YES": "1", "AWSROLE_CONFIG": "/dev/null"},
        {"AWSROLE_STATE": "blocked"},
        {"AWSROLE_STATE": '{"v":1,"file":"","role":"x","account":"","key":"","expires":"","set":{},"prior":{}}'},
        {"AWSROLE_ROLE": "dev", "AWSROLE_ACCOUNT_ID": THERE},
        {"DIRENV_DIR": "-/", "MISE_TRUSTED_CONFIG_PATHS": "/"},
    ],
)
def test_no_variable_approves(world, env):
    assert not acts(world, world.project("new", DEPLOY), env=env)


def test_deny_is_silent_whatever_the_content(world, shop):
    result = world.awsrole("deny", cwd=shop)
    assert result.code == 0 and "is denied" in result.err
    for text in (DEPLOY, DEPLOY + "# edited\n", "nonsense"):
        world.project("shop", text)
        assert not acts(world, shop)
        result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=shop)
        assert result.err == "" and result.out.startswith("__awsrole_done outer ")
    world.project("shop", DEPLOY, allow=True)
    assert acts(world, shop)


def test_deny_forgets_what_was_allowed(world, shop):
    world.awsrole("deny", cwd=shop)
    world.project("shop", BUILD, allow=True)
    world.project("shop", DEPLOY)
    assert not acts(world, shop)


def test_deny_of_a_file_that_was_never_allowed(world):
    folder = world.project("new", DEPLOY)
    assert world.awsrole("deny", folder).code == 0
    assert world.awsrole("hook", "export", "zsh", "--event", "cd", cwd=folder).err == ""


def test_every_open_shell_is_told(world, shop):
    folder = world.home / ".local/state/awsrole/generations"
    seen = {path.name for path in folder.iterdir()}
    for words in (("deny",), ("allow",), ("refresh",), ("logout",), ("logout", "--all")):
        assert world.awsrole(*words, cwd=shop).code == 0
        (generation,) = folder.iterdir()
        assert generation.name not in seen, words
        seen.add(generation.name)


def test_a_copy_beside_what_shells_look_for_is_gone_with_it(world, shop):
    folder = world.home / ".local/state/awsrole/generations"
    for name in ("0 (copy)", "!", "zzz"):
        (folder / name).touch()
    before = {path.name for path in folder.iterdir()}
    assert world.awsrole("refresh", cwd=shop).code == 0
    (generation,) = folder.iterdir()
    assert generation.name not in before


def test_many_deny_at_once(world, shop):
    with ThreadPoolExecutor(12) as pool:
        results = list(pool.map(lambda _: world.awsrole("deny", cwd=shop), range(36)))
    assert [result.err for result in results if result.code] == []
    assert not acts(world, shop)


PINNED = DEPLOY + f'account_id = "{THERE}"\npolicy = \'{{"Version":"2012-10-17","Statement":[]}}\'\n'
LEAF = 'inherit = true\nregion = "eu-north-1"\n'


class TestChain:
    """A file with `inherit` is allowed together with those from which it inherits."""

    @pytest.fixture
    def chain(self, world):
        """Creates three files: `upper` has pin and policy, `upper/lower/leaf` and `upper/lower` inherit."""
        self.upper, self.lower, self.leaf = (world.project(name) for name in ("upper", "upper/lower", "upper/lower/leaf"))
        world.project("upper", PINNED)
        world.project("upper/lower", 'inherit = true\nexternal_id = "external-42"\n')
        return world.project("upper/lower/leaf", LEAF, allow=True)

    def blocked(self, world, folder, *said):
        """Checks that the shell is blocked with this message, and that nothing is exported."""
        for words in (("exec", "--", "echo", "ran"), ("credential-process",)):
            result = world.awsrole(*words, cwd=folder)
            assert (result.code in (1, 3), result.out) == (True, ""), (words, result)
        result = world.awsrole("hook", "export", "bash", "--event", "prompt", cwd=folder)
        assert result.out.startswith("__awsrole_done blocked ") and "__awsrole_set" not in result.out, result
        for text in said:
            assert text in result.err, result.err

    def test_one_approval_is_for_all_of_it(self, world, chain):
        assert acts(world, chain) and world.exec_env(chain)["AWS_REGION"] == "eu-north-1"
        assert world.assumed()[-1]["external_id"] == "external-42"

    def test_what_is_inherited_is_not_allowed_by_itself(self, world, chain):
        assert not acts(world, self.upper) and not acts(world, self.lower)
        for folder in (self.upper, self.lower):
            said = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder)
            assert said.out.startswith("__awsrole_done outer ") and "isn't allowed yet" in said.err
        # Each has its own approval, and none says anything of another.
        world.allow(self.upper)
        assert acts(world, self.upper) and not acts(world, self.lower) and acts(world, chain)

    def test_approvals_of_each_by_itself_are_none_of_the_chain(self, world):
        world.project("upper", PINNED, allow=True)
        leaf = world.project("upper/leaf", "# by itself\n", allow=True)
        world.project("upper/leaf", LEAF)
        self.blocked(world, leaf, "upper/leaf/.awsrole.toml was changed since it was allowed")

    @pytest.mark.parametrize(
        "change, said",
        [
            (lambda self: (self.upper / ".awsrole.toml").unlink(), "upper/.awsrole.toml was removed"),
            (lambda self: (self.lower / ".awsrole.toml").unlink(), "lower/.awsrole.toml was removed"),
            (lambda self: (self.upper / ".awsrole.toml").write_text(DEPLOY), "upper/.awsrole.toml was changed"),
            (lambda self: (self.lower / ".awsrole.toml").write_text("inherit = true\n"), "lower/.awsrole.toml was changed"),
            (lambda self: (self.lower / ".awsrole.toml").write_text(DEPLOY), "lower/.awsrole.toml was changed"),
            (lambda self: (self.leaf / ".awsrole.toml").write_text(LEAF + "# edited\n"), "leaf/.awsrole.toml was changed"),
            (lambda self: (self.leaf / ".awsrole.toml").write_text(DEPLOY), "leaf/.awsrole.toml was changed"),
            (lambda self: (self.upper / ".awsrole.toml").write_text(PINNED + "nonsense"), "upper/.awsrole.toml:"),
            (lambda self: (self.upper / ".awsrole.toml").chmod(0o600) or (self.upper / ".awsrole.toml").unlink()
             or os.mkfifo(self.upper / ".awsrole.toml"), "isn't a regular file"),
        ],
        ids=["base-removed", "middle-removed", "policy-gone", "middle-edited", "middle-ends-it", "leaf-edited", "leaf-ends-it",
             "base-broken", "base-no-file"],
    )
    def test_any_change_closes_until_it_is_allowed(self, world, chain, change, said):
        before = {folder: (folder / ".awsrole.toml").read_text() for folder in (self.upper, self.lower, self.leaf)}
        world.exec_env(chain)
        change(self)
        calls = len(world.assumed())
        self.blocked(world, chain, said)
        assert len(world.assumed()) == calls, "nothing was asked of STS"
        for folder, text in before.items():
            (folder / ".awsrole.toml").unlink(missing_ok=True)
            (folder / ".awsrole.toml").write_text(text)
        assert acts(world, chain), "what was allowed still is"

    def test_one_that_appears_in_between_closes(self, world):
        world.project("upper", PINNED)
        leaf = world.project("upper/lower/leaf", LEAF, allow=True)
        assert acts(world, leaf)
        world.project("upper/lower", "inherit = true\n")
        self.blocked(world, leaf, "lower/.awsrole.toml was added")
        world.allow(leaf)
        assert acts(world, leaf)

    def test_one_that_appears_above_an_open_end_closes(self, world):
        leaf = world.project("upper/lower/leaf", "inherit = true\n" + DEPLOY, allow=True)
        assert acts(world, leaf)
        # Two are compared: this one, and none above.
        assert world.awsrole("hook", "export", "bash", cwd=leaf).out.splitlines()[-1].split()[-1] == "2"
        world.project("upper", 'region = "eu-north-1"\n')
        self.blocked(world, leaf, "upper/.awsrole.toml was added")
        world.allow(leaf)
        assert acts(world, leaf)

    def test_what_is_gone_is_shown_and_allowed_without_it(self, world, chain):
        (self.upper / ".awsrole.toml").write_text(DEPLOY)
        shown = world.allow(chain).err
        assert "upper/.awsrole.toml changed since it was allowed" in shown and f'-account_id = "{THERE}"' in shown
        (self.lower / ".awsrole.toml").unlink()
        shown = world.allow(chain).err
        assert "lower/.awsrole.toml was removed" in shown and '-external_id = "external-42"' in shown
        assert acts(world, chain) and world.exec_env(chain)["AWSROLE_ROLE"] == "Deploy"

    def test_what_is_inherited_is_shown(self, world, chain):
        shown = world.allow(chain).err
        assert "inherits from" in shown and "~/src/upper/lower/.awsrole.toml" in shown and "~/src/upper/.awsrole.toml" in shown
        assert "policy" in shown and "external-42" in shown
        assert "~/src/upper/lower/leaf/.awsrole.toml is allowed, together with ~/src/upper/lower/.awsrole.toml, " in shown
        assert "no file above this one" not in shown
        assert "no file above this one" in world.allow(world.project("alone", "inherit = true\n" + DEPLOY)).err

    @pytest.mark.parametrize("denied", ["upper", "lower"])
    def test_a_denied_base_stays_denied(self, world, chain, denied):
        folder = getattr(self, denied)
        assert world.awsrole("deny", folder).code == 0
        name = str(folder / ".awsrole.toml").replace(str(world.home), "~")
        self.blocked(world, chain, f"{name} was denied", "`awsrole allow")
        result = world.awsrole("allow", cwd=chain)
        assert (result.code, result.out) == (1, "") and f"{name} was denied" in result.err
        assert f"run `awsrole allow {name.removesuffix('/.awsrole.toml')}`, then allow this directory" in result.err
        self.blocked(world, chain)
        # It is taken back where it was said.
        world.allow(folder)
        assert acts(world, chain)

    def test_a_denied_leaf_is_allowed_where_it_was_denied(self, world, chain):
        world.awsrole("deny", chain)
        result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=chain)
        assert result.err == "" and result.out.startswith("__awsrole_done outer ")
        world.allow(chain)
        assert acts(world, chain) and not acts(world, self.upper)

    def test_one_that_was_never_allowed_takes_nobodys_identity_away(self, world):
        world.project("upper", PINNED, allow=True)
        leaf = world.project("upper/leaf", LEAF)
        for change in (lambda: None, lambda: world.awsrole("deny", leaf.parent), lambda: (leaf.parent / ".awsrole.toml").unlink()):
            change()
            result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=leaf)
            assert result.out.startswith("__awsrole_done outer ") and "upper/leaf/.awsrole.toml isn't allowed yet" in result.err

    def test_status_and_why_tell_it(self, world, chain):
        assert world.awsrole("status", "--json", cwd=chain).json["approval"] == "allowed"
        (self.upper / ".awsrole.toml").unlink()
        assert world.awsrole("status", "--json", cwd=chain).json["approval"] == "changed since it was allowed"
        assert "upper/.awsrole.toml was removed" in world.awsrole("why", cwd=chain).out

    @pytest.mark.parametrize("shell", SHELLS)
    def test_an_open_shell_sees_it_at_its_next_prompt(self, world, chain, shell):
        need(shell)
        load = hook_line(shell)
        terminal = Terminal(shell, world.home, load, cwd=chain, timeout=60)
        try:
            assert terminal.env()[b"AWSROLE_ROLE"] == b"Deploy"
            text = (self.upper / ".awsrole.toml").read_text()
            (self.upper / ".awsrole.toml").unlink()
            assert "was removed" in terminal.run("true")
            assert terminal.env()[b"AWSROLE_STATE"] == b"blocked"
            (self.upper / ".awsrole.toml").write_text(text)
            terminal.run("true")
            assert terminal.env()[b"AWSROLE_ROLE"] == b"Deploy"
            # An end that is open is looked at, too.
            world.project("open/leaf", "inherit = true\n" + DEPLOY, allow=True)
            terminal.run(f"cd {world.home}/src/open/leaf")
            assert terminal.env()[b"AWSROLE_ROLE"] == b"Deploy"
            world.project("open", 'region = "eu-north-1"\n')
            assert "was added" in terminal.run("true")
            assert terminal.env()[b"AWSROLE_STATE"] == b"blocked"
        finally:
            terminal.close()


def test_the_nearest_file_alone_counts_without_inherit(world):
    world.project("upper", DEPLOY, allow=True)
    lower = world.project("upper/lower", BUILD)
    assert not acts(world, lower), "an unknown file must not give the role of the one above"
    world.allow(lower)
    assert world.exec_env(lower)["AWSROLE_ACCOUNT_ID"] == HERE


class TestTrustRule:
    @pytest.fixture
    def rule(self, world):
        self.settings(world, THERE, HERE)
        return world.project("acme")

    def settings(self, world, *accounts, path="~/src/acme"):
        """Settings with a rule for these accounts. The keys of `jump` belong to HERE."""
        listed = ", ".join(f'"{account}"' for account in accounts)
        return world.write(".config/awsrole/config.toml", f'[[trust]]\npath = "{path}"\naccounts = [{listed}]\n')

    def private(self, world, name, text):
        folder = world.project(name, text)
        for path in (folder, folder.parent, folder / ".awsrole.toml"):
            path.chmod(path.stat().st_mode & ~0o022)
        return folder

    def test_allows_what_lies_below(self, world, rule):
        assert acts(world, self.private(world, "acme/shop", DEPLOY))
        world.project("acme/shop", DEPLOY + "# edited\n")
        assert acts(world, world.home / "src/acme/shop")

    def test_says_nothing_of_a_neighbour(self, world, rule):
        assert not acts(world, self.private(world, "acme-evil", DEPLOY))
        assert not acts(world, self.private(world, "other", DEPLOY))

    def test_says_nothing_of_another_account(self, world, rule):
        self.settings(world, THERE)
        folder = self.private(world, "acme/build", BUILD)
        result = world.awsrole("exec", "--", "true", cwd=folder)
        assert result.code != 0 and "[[trust]]" in result.err and HERE in result.err
        assert world.sts.calls() == []

    def test_says_nothing_of_another_account_on_the_way(self, world, rule):
        self.settings(world, THERE)
        way = (f'default_role = "last"\n[role.first]\n{BUILD}[role.last]\n'
               f'role_arn = "arn:aws:iam::{THERE}:role/Deploy"\nsource_role = "first"\n')
        folder = self.private(world, "acme/way", way)
        result = world.awsrole("exec", "--", "true", cwd=folder)
        assert result.code != 0 and f"your [[trust]] rule isn't for account {HERE}" in result.err, result
        assert f"arn:aws:iam::{HERE}:role/Build is in the chain to the role" in result.err
        assert world.sts.calls() == []
        # After the content is approved, STS is called.
        world.allow(folder)
        world.awsrole("exec", "--", "true", cwd=folder)
        assert [call["role_arn"] for call in world.assumed()][0].endswith("role/Build")

    def test_the_account_of_keys_is_asked_for_once(self, world, rule):
        """Only AWS knows the account, so GetCallerIdentity precedes AssumeRole. A hit makes no call."""
        folder = self.private(world, "acme/shop", DEPLOY)
        for _ in range(3):
            world.exec_env(folder)
        assert world.sts.counts() == {"GetCallerIdentity": 1, "AssumeRole": 1, "connections": 1}

    def test_keys_of_another_account_assume_nothing(self, world, rule):
        self.settings(world, THERE)
        folder = self.private(world, "acme/shop", DEPLOY)
        # A session that was cached under the approval of another file isn't used here, although both plans are equal.
        world.exec_env(world.project("elsewhere", DEPLOY, allow=True))
        world.sts.reset()
        for _ in range(2):
            result = world.awsrole("exec", "--", "echo", "ran", cwd=folder)
            assert (result.code, result.out) == (4, ""), result
            assert f"your [[trust]] rule isn't for account {HERE}" in result.err and "user/alice" in result.err
        assert world.assumed() == [] and world.sts.counts()["GetCallerIdentity"] <= 2
        statements = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder).out
        assert "__awsrole_set" not in statements and statements.startswith("__awsrole_done blocked ")
        # After the content is approved, the role is assumed.
        world.allow(folder)
        assert world.exec_env(folder)["AWSROLE_ROLE"] == "Deploy"

    def test_what_a_rule_was_for_is_a_part_of_what_is_remembered(self, world, rule):
        folder = self.private(world, "acme/shop", DEPLOY)
        world.exec_env(folder)
        self.settings(world, THERE)
        assert not world.awsrole("exec", "--", "echo", "ran", cwd=folder).out
        self.settings(world, THERE, HERE)
        assert world.awsrole("exec", "--", "echo", "ran", cwd=folder).out == "ran\n"

    @pytest.mark.parametrize("name, source", [
        ("center", "profile center (IAM Identity Center) is in the chain to the role"),
        ("token", "profile token (web identity) is in the chain to the role"),
        ("console", "profile console (aws login) is in the chain to the role"),
    ])
    def test_a_source_whose_account_is_known_is_refused_before_any_call(self, world, rule, name, source):
        profiles = """
[profile center]
sso_start_url = https://example.awsapps.com/start
sso_region = eu-west-1
sso_account_id = 999999999999
sso_role_name = Admin
[profile token]
role_arn = arn:aws:iam::999999999999:role/Ci
web_identity_token_file = /nowhere
[profile console]
login_session = arn:aws:sts::999999999999:assumed-role/Admin/alice
"""
        world.write(".aws/config", (world.home / ".aws/config").read_text() + profiles)
        folder = self.private(world, "acme/shop", DEPLOY.replace("jump", name))
        result = world.awsrole("exec", "--", "true", cwd=folder)
        assert result.code == 1 and "your [[trust]] rule isn't for account 999999999999" in result.err, result
        assert source in result.err and world.sts.calls() == []
        self.settings(world, THERE, "999999999999")
        assert "[[trust]]" not in world.awsrole("exec", "--", "true", cwd=folder).err

    def test_needs_an_account_in_the_file(self, world, rule):
        folder = self.private(world, "acme/session", 'profile = "jump"\n')
        result = world.awsrole("exec", "--", "true", cwd=folder)
        assert result.code != 0 and "account" in result.err
        assert world.sts.calls() == []

    @pytest.mark.parametrize("what", [".awsrole.toml", "."])
    def test_others_may_not_write_there(self, world, rule, what):
        folder = self.private(world, "acme/shop", DEPLOY)
        (folder / what).chmod(0o777)
        result = world.awsrole("exec", "--", "true", cwd=folder)
        assert result.code != 0 and "writable by others" in result.err
        assert world.sts.calls() == []

    @pytest.mark.parametrize("where", ["links", "target"])
    def test_a_rules_path_through_a_folder_that_others_can_write(self, world, rule, where):
        """A user who can replace a symlink or its target decides which directory the rule is for."""
        for name in ("links", "target/acme/shop"):
            world.project(name)
        (world.home / "src/links/acme").symlink_to(world.home / "src/target/acme")
        folder = self.private(world, "target/acme/shop", DEPLOY)
        self.settings(world, THERE, HERE, path="~/src/links/acme")
        assert acts(world, folder)
        writable = world.home / "src" / where
        writable.chmod(0o777)
        result = world.awsrole("exec", "--", "true", cwd=folder)
        assert result.code == 1 and "your [[trust]] rule for" in result.err, result
        assert f"{writable} is writable by others" in result.err and f"`chmod go-w {writable}`" in result.err
        # A sticky directory lets others add names, not exchange them.
        writable.chmod(0o1777)
        assert acts(world, folder)

    def test_a_broken_way_to_one_rule_harms_no_other_directory(self, world, rule, shop):
        self.settings(world, THERE, path=str(world.project("open") / "acme"))
        (world.home / "src/open").chmod(0o777)
        assert acts(world, shop)

    def test_a_link_out_of_the_folder_is_where_it_leads(self, world, rule):
        self.private(world, "elsewhere", DEPLOY)
        (rule / "link").symlink_to(world.home / "src/elsewhere")
        assert not acts(world, rule / "link")

    def test_a_denied_file_stays_denied(self, world, rule):
        folder = self.private(world, "acme/shop", DEPLOY)
        world.awsrole("deny", cwd=folder)
        assert not acts(world, folder)

    @pytest.mark.parametrize(
        ("text", "part"),
        [
            ("[[trust]]\npath = \"~/src\"\n", "accounts"),
            ("[[trust]]\npath = \"~/src\"\naccounts = []\n", "accounts"),
            ("[[trust]]\naccounts = [\"222222222222\"]\n", "path"),
            ("[[trust]]\npath = \"src\"\naccounts = [\"222222222222\"]\n", "path"),
            ("[[trust]]\npath = \"~/src\"\naccounts = [\"2222\"]\n", "2222"),
            ("[[trust]]\npath = \"~/src\"\naccounts = [222222222222]\n", ":3:"),
            ("[[trsut]]\n", "trsut"),
            ("nonsense", ":1:"),
        ],
    )
    def test_a_broken_rule_is_an_error(self, world, shop, text, part):
        world.write(".config/awsrole/config.toml", text)
        result = world.awsrole("exec", "--", "true", cwd=shop)
        assert result.code == 1 and "config.toml" in result.err and part in result.err, result.err
        assert world.sts.calls() == []


def test_what_is_shown_can_not_paint_the_terminal(world, shop):
    """`allow` shows the actual content: no escapes, no bidirectional text."""
    hostile = 'external_id = "\\u001b[2J\\u0007"\nsession_tags = { "a\\u202eb" = "\\u2066\\u200f\\r" }\n'
    world.project("shop", DEPLOY + hostile)
    for words in (("allow",), ("exec", "--", "true"), ("status", "--long"), ("why",)):
        result = world.awsrole(*words, cwd=shop)
        assert not set("\x1b\x07\u202e\u2066\u200f\r") & set(result.err + result.out), (words, result)


def test_a_link_is_a_file_of_its_own(world, shop):
    """A clone that ships a link to somebody's allowed file gets nothing by it, and denying it harms nobody."""
    clone = world.project("clone")
    (clone / ".awsrole.toml").symlink_to(shop / ".awsrole.toml")
    assert world.awsrole("exec", "--", "true", cwd=clone).code == 3
    world.awsrole("deny", clone)
    assert world.awsrole("exec", "--", "true", cwd=shop).code == 0
    world.allow(clone)
    assert world.awsrole("exec", "--", "true", cwd=clone).code == 0
    # The link was allowed with where it led.
    (clone / ".awsrole.toml").unlink()
    (clone / ".awsrole.toml").symlink_to(world.project("other", DEPLOY, allow=True) / ".awsrole.toml")
    assert world.awsrole("exec", "--", "true", cwd=clone).code == 3


def test_a_role_without_a_name_is_shown_beside_the_others(world):
    text = DEPLOY + '[role.build]\nrole_arn = "arn:aws:iam::111111111111:role/Build"\n'
    said = world.awsrole("allow", world.project("several", text)).err
    assert "role/Deploy" in said and "[role.build]" in said and "role/Build" in said
