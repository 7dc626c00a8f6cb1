"""Nothing acts on a file that the person hasn't allowed."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.world import DEPLOY, HERE, THERE

BUILD = f'role_arn = "arn:aws:iam::{HERE}:role/Build"\nsource_profile = "jump"\n'


def acts(world, folder, **options) -> bool:
    """Whether the directory's role can be had: all three ways agree."""
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
    assert result.out.startswith("__awsrole_done closed ") and "was changed since it was allowed" in result.err
    shown = world.allow(shop).err
    assert '-region = "eu-west-1"' in shown and '+region = "eu-west-3"' in shown
    assert acts(world, shop)


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
        {"AWSROLE_STATE": "closed"},
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


def test_inherit_needs_both_files(world):
    upper = world.project("upper", DEPLOY)
    lower = world.project("upper/lower", 'inherit = true\nregion = "eu-north-1"\n')
    assert not acts(world, lower)
    world.allow(lower)
    assert acts(world, lower)
    assert world.exec_env(lower)["AWS_REGION"] == "eu-north-1"
    world.project("upper", DEPLOY + "# edited\n")
    assert not acts(world, lower) and not acts(world, upper)


def test_the_nearest_file_alone_counts_without_inherit(world):
    world.project("upper", DEPLOY, allow=True)
    lower = world.project("upper/lower", BUILD)
    assert not acts(world, lower), "an unknown file must not give the role of the one above"
    world.allow(lower)
    assert world.exec_env(lower)["AWSROLE_ACCOUNT_ID"] == HERE


class TestTrustRule:
    @pytest.fixture
    def rule(self, world):
        world.write(".config/awsrole/config.toml", f'[[trust]]\npath = "~/src/acme"\naccounts = ["{THERE}"]\n')
        # What lies above must be nobody else's, either.
        folder = world.project("acme")
        for path in (folder, *folder.parents):
            if path.stat().st_uid == os.getuid() and path.stat().st_mode & 0o1000 == 0:
                path.chmod(path.stat().st_mode & ~0o022)
        return folder

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
        folder = self.private(world, "acme/build", BUILD)
        result = world.awsrole("exec", "--", "true", cwd=folder)
        assert result.code != 0 and "[[trust]]" in result.err and HERE in result.err
        assert world.sts.calls() == []

    def test_says_nothing_of_another_account_on_the_way(self, world, rule):
        way = (f'default_role = "last"\n[role.first]\n{BUILD}[role.last]\n'
               f'role_arn = "arn:aws:iam::{THERE}:role/Deploy"\nsource_role = "first"\n')
        folder = self.private(world, "acme/way", way)
        result = world.awsrole("exec", "--", "true", cwd=folder)
        assert result.code != 0 and f"your [[trust]] rule isn't for account {HERE}" in result.err, result
        assert f"arn:aws:iam::{HERE}:role/Build is on the way to the role" in result.err
        assert world.sts.calls() == []
        # Once the content was allowed, it is asked for.
        world.allow(folder)
        world.awsrole("exec", "--", "true", cwd=folder)
        assert [call["role_arn"] for call in world.assumed()][0].endswith("role/Build")

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
        assert result.code != 0 and "others may write" in result.err
        assert world.sts.calls() == []

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
    """What a person approves is what stands there: no escapes, no text that runs backwards."""
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
