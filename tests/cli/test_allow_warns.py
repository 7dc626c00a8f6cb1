"""`awsrole allow` warns about what can't work, before it asks; with --strict nothing of it is allowed."""

import pytest

from support.world import DEPLOY, HERE, THERE

FAULTS = {
    "pin": (DEPLOY + f'account_id = "{HERE}"\n', f"the role belongs to account {THERE}, but account_id pins {HERE}"),
    "empty": ("", "doesn't say which role to assume"),
    "no source": (f'role_arn = "arn:aws:iam::{THERE}:role/Deploy"\n', "doesn't say which credentials assume the role"),
    "no profile": (DEPLOY.replace("jump", "jmup"), "there is no profile `jmup`"),
    "region": (DEPLOY.replace("eu-west-1", "eu-wst-1"), "`eu-wst-1` isn't a region of AWS: did you mean `eu-west-1`?"),
    "region of the profile": ('profile = "odd"\n', "`eu-wst-1` isn't a region of AWS"),
    "one of two": (f'default_role = "a"\n[role.a]\n{DEPLOY}[role.b]\n{DEPLOY.replace("jump", "jmup")}', "there is no profile `jmup`"),
}


@pytest.fixture
def odd(world):
    config = world.home / ".aws/config"
    config.write_text(config.read_text() + "\n[profile odd]\nrole_arn = arn:aws:iam::222222222222:role/Deploy\nsource_profile = jump\n"
                      "region = eu-wst-1\n")
    return world


@pytest.mark.parametrize("name", FAULTS)
def test_what_can_not_work_is_allowed_with_a_warning(odd, name):
    text, expected = FAULTS[name]
    said = odd.allow(odd.project("new", text)).err
    [warning] = [line for line in said.splitlines() if line.startswith("awsrole: warning: ")]
    assert expected in warning and said.splitlines()[-1] == "awsrole: ~/src/new/.awsrole.toml is allowed"
    assert odd.awsrole("why", "--json", cwd=odd.project("new")).json["approval"] == "allowed"


@pytest.mark.parametrize("name", FAULTS)
def test_strictly_it_is_not_allowed(odd, name):
    text, expected = FAULTS[name]
    folder = odd.project("new", text)
    result = odd.awsrole("allow", "--yes", "--strict", cwd=folder)
    assert result.code == 1 and expected in result.err and "was not allowed" in result.err and "is allowed" not in result.err
    assert odd.awsrole("why", "--json", cwd=folder).json["approval"] == "not allowed"


def test_strictly_what_was_allowed_still_is(odd):
    folder = odd.project("new", FAULTS["pin"][0])
    odd.allow(folder)
    said = odd.awsrole("allow", "--yes", "--strict", cwd=folder).err
    assert "is still allowed\n" in said and "`awsrole deny` ends it" in said and "was not allowed" not in said


def test_a_session_that_does_not_exist_is_not_shown_as_a_source(world):
    said = world.allow(world.project("new", f'sso_session = "corp"\nsso_account_id = "{HERE}"\nsso_role_name = "Admin"\n')).err
    assert "role            unknown: there is no [sso-session corp]\n" in said and "none: a session" not in said


def test_each_thing_is_shown_once(world):
    """The reason of a failure is in the warning, and a role that inherits all its keys names the one that it equals."""
    roles = 'default_role = "a"\nprofile = "shop-dev"\n[role.a]\n[role.b]\n[role.c]\nregion = "eu-west-2"\n[role.d]\nprofile = "jmup"\n'
    said = world.allow(world.project("new", roles)).err
    assert "[role.b]\n  the same as [role.a]\n[role.c]\n  role    " in said, said
    assert said.count("there is no profile `jmup`") == 1 and said.count("profile jmup\n") == 2, said
    nameless = world.allow(world.project("other", 'profile = "shop-dev"\n[role.a]\n')).err
    assert "[role.a]\n  the same as the role without a name\n" in nameless, nameless


def test_what_works_has_no_warning(world):
    for text in (DEPLOY, 'profile = "shop-dev"\n', f'[role.a]\n{DEPLOY}[role.b]\nprofile = "shop-dev"\n'):
        folder = world.project("new", text)
        result = world.awsrole("allow", "--strict", cwd=folder)
        assert result.code == 0 and "warning" not in result.err and "is allowed" in result.err
