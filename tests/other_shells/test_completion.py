"""Completion in nushell, xonsh, elvish and tcsh: what Tab writes into a command."""

import pytest
from test_modules import ROLES

from support.hooked_shell import wait_for


@pytest.fixture
def shell(place, other):
    """A shell in a project, with a line editor that has Tab."""
    shop = place.project("shop", ROLES, allow=True)
    shell = place.shell(other, cwd=shop, env={"TERM": "xterm"} if other == "tcsh" else {})
    wait_for(lambda: shell.variable("AWSROLE_ROLE") == "Deploy")
    if other == "tcsh":
        shell.run("set edit")
    return shell


def test_roles_commands_and_options(shell):
    shell.run("awsrole use bui\t")
    assert shell.variable("AWSROLE_ROLE") == "build"
    assert '"role":"build"' in shell.run("awsrole status --js\t")
    assert "222222222222:role/Deploy" in shell.run("awsrole why --role de\t")


def test_a_name_is_not_evaluated(place, shell):
    """A directory's name may be anything. tcsh offers its words, because it gets words."""
    (place.home / "evil $(touch pwned); 'x'").mkdir()
    shell.run(f"cd {place.home}")
    # elvish lists a name that it quotes, and the first Enter selects it.
    said = shell.run("awsrole allow evi\t" + ("\r" if shell.shell == "elvish" else ""))
    assert not list(place.home.rglob("pwned"))
    assert shell.shell == "tcsh" or ("evil $(touch pwned)" in said and "cannot enter" not in said), said
