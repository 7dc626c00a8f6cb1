"""Tests that prior values are restored, and that the user's changes are kept."""

import pytest
from conftest import BLOCKED, DEV, aws, takes_the_short_way

OUTER = {"AWS_PROFILE": "home", "AWS_REGION": "", "AWS_ACCESS_KEY_ID": "AKIAHOME", "AWS_SECRET_ACCESS_KEY": "it's \"mine\" $HOME\\"}

UNEXPORTED = {
    "bash": ("AWS_DEFAULT_PROFILE='shell only'", "declare -p AWS_DEFAULT_PROFILE"),
    "zsh": ("AWS_DEFAULT_PROFILE='shell only'", "typeset -p AWS_DEFAULT_PROFILE"),
    "fish": ("set -g AWS_DEFAULT_PROFILE 'shell only'", "set --show AWS_DEFAULT_PROFILE"),
}


def export(shell, name, value):
    return f"set -gx {name} {value}" if shell == "fish" else f"export {name}={value}"


def unset(shell, name):
    return f"set -e {name}" if shell == "fish" else f"unset {name}"


def test_unset_empty_exported_and_unexported(shell, terminal, project):
    assign, show = UNEXPORTED[shell]
    tty = terminal(shell, before=assign, env=OUTER)
    before, shown = tty.env(), tty.run(show)
    assert "shell only" in shown
    tty.run(f"cd {project}")
    inside = aws(tty.env())
    assert inside.items() >= DEV.items() and "AWS_PROFILE" not in inside
    assert "shell only" not in tty.run(show)
    tty.run("cd /")
    assert tty.env() == before
    assert tty.run(show) == shown


def test_blocked_and_back(shell, terminal, project):
    (project / ".awsrole.toml").write_text('state = "blocked"\n')
    outer = OUTER | {"AWS_REGION": "home-1", "AWS_ROLE_ARN": "arn", "AWS_WEB_IDENTITY_TOKEN_FILE": "/f", "AWS_SESSION_TOKEN": "t"}
    tty = terminal(shell, env=outer)
    before = tty.env()
    tty.run(f"cd {project}")
    assert aws(tty.env()) == BLOCKED | {"AWS_REGION": "home-1"} | prior(AWS_PROFILE="home", AWS_ROLE_ARN="arn", AWS_WEB_IDENTITY_TOKEN_FILE="/f")
    tty.run("cd /")
    assert tty.env() == before


OPEN = {
    "AWS_PROFILE": "",
    "AWS_DEFAULT_PROFILE": "two\nlines\n",
    "AWS_ACCOUNT_ID": "a=b c",
    "AWS_EC2_METADATA_DISABLED": "false",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "'$(touch PWNED)`touch PWNED`",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "\"\\",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "\udcff\udcfe'\udce2",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "-n",
    "AWS_ROLE_ARN": "x\\",
    "AWS_ROLE_SESSION_NAME": "é",
}
SECRETS = [
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_SECRET_KEY", "SECRET_ACCESS_KEY",
    "AWS_BEARER_TOKEN_BEDROCK", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
]  # fmt: skip


def test_blocked_exports_what_stood_there_but_for_secrets_and_what_was_no_childs(shell, terminal, project):
    (project / ".awsrole.toml").write_text('state = "blocked"\n')
    assign, _ = UNEXPORTED[shell]
    exported = {name: value for name, value in OPEN.items() if name != "AWS_DEFAULT_PROFILE"}
    tty = terminal(shell, before=assign, env=exported | {name: "canary" for name in SECRETS} | {"AWS_ACCESS_KEY_ID": "AKIAHOME"})
    before = tty.env()
    tty.run(f"cd {project}")
    assert aws(tty.env()) == BLOCKED | prior(**exported)
    assert takes_the_short_way(tty)
    tty.run(export(shell, "AWS_PROFILE", "mine"))
    assert "AWSROLE_PRIOR_AWS_PROFILE" not in aws(tty.env())
    tty.run("cd /")
    assert tty.env() == before | {b"AWS_PROFILE": b"mine"}


def prior(**values):
    """Returns the variables with prior values of a blocked shell."""
    return {f"AWSROLE_PRIOR_{name}": value for name, value in values.items()}


def test_sourced_three_times_the_way_back_is_kept(shell, terminal, project, stand_in):
    tty = terminal(shell, sourced=3, env=OUTER, cwd=project, editing=True)
    tty.run("cd /")
    tty.run(f"cd {project}")
    tty.run(stand_in.source(shell))
    assert aws(tty.env()).items() >= DEV.items()
    tty.run("")
    assert len(stand_in.starts()) == 2
    tty.run("cd /")
    assert aws(tty.env()) == OUTER


def test_sourced_after_an_older_snippet(terminal, project, stand_in):
    """Texts became keys of arrays in bash."""
    tty = terminal("bash", env=OUTER, cwd=project)
    names = "__awsrole_at __awsrole_prompted __awsrole_seen"
    tty.run("unset -v PROMPT_COMMAND; PROMPT_COMMAND=()")
    tty.run(f"unset -v {names}; for name in {names}; do declare \"$name=$PWD\"; done")
    tty.run(stand_in.source("bash"))
    assert tty.run("") == "" and aws(tty.env()).items() >= DEV.items()
    tty.run("cd /")
    assert aws(tty.env()) == OUTER


@pytest.mark.parametrize(
    "name, value", [("AWS_PROFILE", "mine"), ("AWS_ACCESS_KEY_ID", "AKIAMINE"), ("AWS_DEFAULT_PROFILE", "mine")]
)
def test_changed_by_hand(shell, terminal, project, stand_in, name, value):
    tty = terminal(shell, env=OUTER)
    tty.run(f"cd {project}")
    output = tty.run(export(shell, name, value))
    assert f"awsrole: {name} was changed manually" in output
    # A secret next to another key ID may be the user's own, pasted with it. Without its key ID it is useless.
    beside = {"AWS_SECRET_ACCESS_KEY": DEV["AWS_SECRET_ACCESS_KEY"]} if name == "AWS_ACCESS_KEY_ID" else {}
    assert aws(tty.env()) == {name: value, "AWS_REGION": ""} | beside
    # It is said once, and neither an edit nor a generation ends it.
    (project / ".awsrole.toml").write_text('role = "edited"\n')
    stand_in.bump_generation()
    assert "changed manually" not in tty.run("cd deep")
    assert aws(tty.env()) == {name: value, "AWS_REGION": ""} | beside
    assert stand_in.events() == ["cd", "changed"]
    assert "__awsrole" not in tty.run("cd /"), "no error of the shell itself"
    expected = dict(OUTER)
    assert aws(tty.env()) == expected | {name: value} | beside
    assert stand_in.events() == ["cd", "changed"], "leaving is no process"


@pytest.mark.parametrize("key", ["ASIAMINE", "AKIAMINE"])
def test_keys_pasted_in_one_line_are_kept_together(shell, terminal, project, key):
    tty = terminal(shell, env={"AWS_PROFILE": "home"})
    tty.run(f"cd {project}")
    mine = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "mine"}
    if key == "ASIAMINE":
        mine["AWS_SESSION_TOKEN"] = "my-token"
    assert "changed manually" in tty.run("; ".join(export(shell, name, value) for name, value in mine.items()))
    assert aws(tty.env()) == mine
    tty.run("cd /")
    assert aws(tty.env()) == mine | {"AWS_PROFILE": "home"}


def test_a_secret_that_was_unset_by_hand(shell, terminal, project):
    tty = terminal(shell, env=OUTER)
    tty.run(f"cd {project}")
    assert "awsrole: AWS_SESSION_TOKEN was changed" in tty.run(unset(shell, "AWS_SESSION_TOKEN"))
    tty.run("cd /")
    assert aws(tty.env()) == {"AWS_PROFILE": "home", "AWS_REGION": ""}


@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
def test_the_role_comes_back_when_what_was_set_is_gone(shell, terminal, project, stand_in, shared):
    if shared:
        project.chmod(0o777)
    tty = terminal(shell, env={"AWS_DEFAULT_PROFILE": "home"})
    tty.run(f"cd {project}")
    tty.run(export(shell, "AWS_PROFILE", "mine"))
    tty.run(export(shell, "AWS_ACCESS_KEY_ID", "AKIAMINE"))
    with (project / ".awsrole.toml").open("a") as file:
        file.write("# edited\n")
    tty.run(unset(shell, "AWS_PROFILE"))
    assert aws(tty.env()) == {"AWS_ACCESS_KEY_ID": "AKIAMINE"} and stand_in.events() == ["cd", "changed"]
    assert "awsrole: active again" in tty.run(unset(shell, "AWS_ACCESS_KEY_ID"))
    assert aws(tty.env()).items() >= DEV.items() and stand_in.events() == ["cd", "changed", "prompt"]
    assert not [start for start in stand_in.starts()[1:] if "--ask" in start["argv"]]
    if shared:
        assert stand_in.digests()
    assert "awsrole:" not in tty.run("")
    tty.run("cd /")
    assert aws(tty.env()) == {"AWS_DEFAULT_PROFILE": "home"}


def test_the_outer_value_is_restored_when_a_manual_one_is_gone(shell, terminal, project, stand_in):
    tty = terminal(shell, env=OUTER | {"AWS_DEFAULT_PROFILE": "other"})
    outside = tty.env()
    for lines in (["cd /"], ["true", "cd /"], ["awsrole refresh", "cd /"], ["awsrole off", "awsrole on", "cd /"]):
        tty.run(f"cd {project}")
        tty.run(export(shell, "AWS_PROFILE", "mine"))
        tty.run(f"{export(shell, 'AWS_DEFAULT_PROFILE', 'mine')}; {unset(shell, 'AWS_PROFILE')}")
        tty.run(f"{unset(shell, 'AWS_DEFAULT_PROFILE')}; {lines[0]}")
        for line in lines[1:]:
            assert line == "awsrole on" or aws(tty.env()).items() >= (DEV if line != "awsrole off" else OUTER).items()
            tty.run(line)
        assert tty.env() == outside, lines
    # Leaving with it, or blocked, makes it an outer value.
    tty.run(f"cd {project}")
    tty.run(export(shell, "AWS_PROFILE", "mine"))
    for line in ("awsrole refresh", "cd /"):
        tty.run(line)
    assert aws(tty.env()) == aws(outside) | {"AWS_PROFILE": "mine"}
    tty.run(f"cd {project}")
    stand_in.program.chmod(0)
    assert "this shell is blocked" in tty.run(export(shell, "AWS_PROFILE", "new"))
    assert aws(tty.env()).items() >= BLOCKED.items()
    stand_in.program.chmod(0o755)
    tty.run("cd /")
    assert aws(tty.env()) == aws(outside) | {"AWS_PROFILE": "new"}


def test_what_was_only_unset_does_not_come_back_by_itself(shell, terminal, project, stand_in):
    tty = terminal(shell, cwd=project)
    tty.run(unset(shell, "AWS_ACCESS_KEY_ID"))
    for step in ("", export(shell, "AWS_PROFILE", "mine"), unset(shell, "AWS_PROFILE")):
        assert "active again" not in tty.run(step)
    assert stand_in.events() == ["prompt", "changed"] and "AWS_ACCESS_KEY_ID" not in aws(tty.env())


def test_changed_by_hand_in_the_same_line_as_leaving(shell, terminal, project):
    tty = terminal(shell, env=OUTER)
    tty.run(f"cd {project}")
    assert "changed manually" not in tty.run(export(shell, "AWS_PROFILE", "mine") + " && cd /")
    assert aws(tty.env()) == OUTER | {"AWS_PROFILE": "mine"}


def test_changed_by_hand_while_blocked(shell, terminal, project):
    (project / ".awsrole.toml").write_text('state = "blocked"\n')
    tty = terminal(shell, env=OUTER)
    tty.run(f"cd {project}")
    tty.run(export(shell, "AWS_PROFILE", "mine"))
    assert aws(tty.env()) == {"AWS_PROFILE": "mine", "AWS_REGION": ""}
    tty.run("cd /")
    assert aws(tty.env()) == OUTER | {"AWS_PROFILE": "mine"}


def test_refresh_ends_inactive(shell, terminal, project, stand_in):
    tty = terminal(shell)
    tty.run(f"cd {project}")
    tty.run(export(shell, "AWS_PROFILE", "mine"))
    tty.run("awsrole refresh")
    inside = aws(tty.env())
    assert inside.items() >= DEV.items() and "AWS_PROFILE" not in inside
    tty.run("cd /")
    assert aws(tty.env()) == {"AWS_PROFILE": "mine"}


def test_a_region_changed_by_hand_stays_by_itself(shell, terminal, project):
    tty = terminal(shell, env=OUTER)
    tty.run(f"cd {project}")
    assert "awsrole:" not in tty.run(export(shell, "AWS_REGION", "mine-1"))
    assert aws(tty.env())["AWS_ACCESS_KEY_ID"] == "ASIADEV"
    tty.run("cd /")
    assert aws(tty.env()) == OUTER | {"AWS_REGION": "mine-1"}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_read_only(shell, terminal, project, stand_in):
    tty = terminal(shell, before="readonly AWS_REGION=fixed", env={"AWS_PROFILE": "home"})
    output = tty.run(f"cd {project}")
    assert output.count("AWS_REGION") == 1 and "secret" not in output
    assert aws(tty.env()) == BLOCKED | prior(AWS_PROFILE="home")
    assert tty.run("") == ""
    assert len(stand_in.starts()) == 1
    tty.run("cd /")
    assert aws(tty.env()) == {"AWS_PROFILE": "home"}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_made_read_only_inside(shell, terminal, project):
    tty = terminal(shell, env=OUTER)
    tty.run(f"cd {project}")
    tty.run("readonly AWS_REGION")
    output = tty.run("cd /")
    assert output.count("AWS_REGION") == 1
    assert aws(tty.env()) == OUTER | {"AWS_REGION": "dev-region-1"}


def test_an_exported_universal_cannot_be_hidden(terminal, project):
    tty = terminal("fish")
    tty.run("set -Ux AWS_PROFILE everywhere")
    output = tty.run(f"cd {project}")
    assert "awsrole: AWS_PROFILE: an exported universal variable" in output
    assert aws(tty.env()) == BLOCKED | prior(AWS_PROFILE="everywhere")
    tty.run("cd /")
    assert aws(tty.env()) == {"AWS_PROFILE": "everywhere"}


def test_universals_are_shadowed_and_never_erased(terminal, project):
    tty = terminal("fish")
    tty.run("set -Ux AWS_REGION everywhere-1")
    tty.run("set -U AWS_PROFILE unexported")
    tty.run(f"cd {project}")
    assert aws(tty.env()).items() >= DEV.items()
    tty.run("cd /")
    assert aws(tty.env()) == {"AWS_REGION": "everywhere-1"}
    assert "unexported" in tty.run("set --show AWS_PROFILE")


def test_a_nested_shell_goes_on_and_leaves(shell, terminal, project, stand_in):
    tty = terminal(shell, env=OUTER)
    tty.run(f"cd {project}")
    inherited = {name: value for name, value in aws(tty.env()).items()}
    nested = terminal(shell, env=inherited, cwd="/")
    assert aws(nested.env()) == {"AWS_PROFILE": "home", "AWS_REGION": ""}
    nested.run(f"cd {project}")
    assert aws(nested.env()).items() >= DEV.items()
    other = terminal(shell, env=inherited, cwd=project)
    assert aws(other.env()).items() >= DEV.items()
    other.run("cd /")
    assert aws(other.env()) == {"AWS_PROFILE": "home", "AWS_REGION": ""}


def test_a_nested_shell_inherits_blocked(shell, terminal):
    nested = terminal(shell, env=BLOCKED, cwd="/")
    assert aws(nested.env()) == {}


def test_a_blocked_shell_within_a_blocked_one_gives_back_any_bytes(shell, terminal, project):
    (project / ".awsrole.toml").write_text('state = "blocked"\n')
    inherited = BLOCKED | prior(**OPEN)
    nested = terminal(shell, env=inherited, cwd=project)
    assert aws(nested.env()) == inherited
    nested.run("cd /")
    assert aws(nested.env()) == OPEN
    nested.run(f"cd {project}")
    assert aws(nested.env()) == inherited
    assert not list(project.parents[1].rglob("PWNED"))


def test_what_is_inherited_stays_where_no_answer_comes(shell, terminal, project, stand_in):
    inherited = BLOCKED | prior(AWS_PROFILE="home")
    program = stand_in.program.read_bytes()
    stand_in.program.unlink()
    nested = terminal(shell, env=inherited, cwd=project)
    assert aws(nested.env()) == inherited
    stand_in.program.write_bytes(program)
    stand_in.program.chmod(0o755)
    nested.run("cd /")
    assert aws(nested.env()) == {"AWS_PROFILE": "home"}


def test_secrets_stand_once(shell, terminal, project):
    tty = terminal(shell, cwd=project)
    assert list(aws(tty.env()).values()).count("secret-of-dev") == 1
    listing = tty.run("set" if shell != "fish" else "set --show")
    assert len([line for line in listing.splitlines() if "secret-of-dev" in line]) == 1
    assert len([line for line in listing.splitlines() if "token-of-dev" in line]) == 1
