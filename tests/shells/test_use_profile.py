"""Tests `awsrole use --profile`: a profile that a shell uses wherever no project applies."""

import json

import pytest
from conftest import BLOCKED, DEV, aws, fall_due

from support.aws_files import access_keys, aws_profile, role_file, role_profile
from support.hooked_shell import PLACEHOLDER, HookedWorld, wait_for
from support.local_sts import trust
from support.prompts import ASK
from support.terminal import SHELLS
from support.world import ALICE, HERE, SEED, SERIAL, THERE

PROD = {"AWS_ACCESS_KEY_ID": "ASIAPROD", "AWS_SECRET_ACCESS_KEY": "secret-of-prod", "AWSROLE_ROLE": "prod"}
ODD = "it's $(touch x) é"


def assign(tty, name, value):
    return f"set -gx {name} {value}" if tty.shell == "fish" else f"export {name}={value}"


def status(tty):
    out = tty.file()
    tty.run(f"echo {'$status' if tty.shell == 'fish' else '$?'} > {out}")
    return out.read_text().strip()


def test_what_a_profile_costs_and_where_it_applies(shell, terminal, project, stand_in):
    """Processes are counted with the fake binary."""
    tty = terminal(shell, env={"AWS_PROFILE": "home"}, cwd="/")

    def run(line, starts, expected):
        before = len(stand_in.starts())
        tty.run(line)
        assert len(stand_in.starts()) - before == starts, (line, stand_in.starts()[before:])
        env = aws(tty.env())
        assert expected.items() <= env.items() and ("AWSROLE_STATE" in env) == (expected != {"AWS_PROFILE": "home"}), line

    home = {"AWS_PROFILE": "home"}
    run("awsrole use --profile refused", 1, home)
    run("awsrole use --profile prod", 2, PROD)
    words = stand_in.starts()[-1]["argv"]
    assert "--ask" in words and words[-3:] == ["--profile", "00=prod", "--"]
    # Directories without a project: no process, neither at the prompt nor on `cd`.
    for line in ("", "cd /usr/bin", "", "cd -", "pushd /tmp && popd" if shell != "zsh" else "cd /tmp; cd -"):
        run(line, 0, PROD)
    # The project's role takes precedence, also if the profile is chosen there. Leaving is one process.
    run(f"cd {project}", 1, DEV)
    run("", 0, DEV)
    run("awsrole use --profile=other", 2, DEV)
    run("awsrole use -", 1, home)  # the project's own `use -`
    run("awsrole use -", 2, DEV)
    run("cd /usr", 1, {"AWSROLE_ROLE": "other"})
    run("awsrole use -", 1, PROD)
    # A file that doesn't apply, and one that blocks.
    (project / ".awsrole.toml").write_text('state = "outer"\n')
    run(f"cd {project}", 1, PROD)
    run("cd deep", 0, PROD)
    run("cd ..", 0, PROD)
    run("awsrole use -", 2, {"AWSROLE_ROLE": "other"})
    (project / ".awsrole.toml").write_text('state = "blocked"\n')
    run("", 1, BLOCKED | {"AWSROLE_CHOSEN_PROFILE": "00=other"})
    run("cd /", 1, {"AWSROLE_ROLE": "other"})
    # A manual change ends with `refresh`, as in a project.
    assert "changed manually" in tty.run(assign(tty, "AWS_PROFILE", "mine"))
    assert aws(tty.env()) == {"AWS_PROFILE": "mine"}
    assert "__awsrole" not in tty.run("")
    assert aws(tty.env()) == {"AWS_PROFILE": "mine"}
    tty.run("cd /usr")
    tty.run(assign(tty, "AWS_PROFILE", "home"))
    assert aws(tty.env()) == home
    run("awsrole refresh", 2, {"AWSROLE_ROLE": "other"})
    run("awsrole off", 0, home)
    run("awsrole use -", 1, {"AWSROLE_ROLE": "other"})
    run("awsrole off", 0, home)
    run("awsrole on", 1, {"AWSROLE_ROLE": "other"})
    run("awsrole use --profile other", 2, {"AWSROLE_ROLE": "other"})
    # The one before stays the one before, and it can be nothing.
    run("awsrole use -", 1, PROD)
    tty = terminal(shell, env={"AWS_PROFILE": "home"}, cwd="/")
    outside = tty.env()
    run("awsrole use --profile prod", 2, PROD)
    assert "your environment is back: `awsrole use -` uses profile prod again" in tty.run("awsrole use -")
    assert tty.env() == outside
    run("", 0, home)
    run("awsrole use -", 1, PROD)
    tty.run(fall_due(tty))
    tty.run("")
    assert stand_in.events()[-1] == "due" and aws(tty.env())["AWSROLE_ROLE"] == "prod"


@pytest.fixture
def world(tmp_path):
    """Profiles of roles, one of which STS refuses, and one with a name that shells could misread."""
    with HookedWorld(tmp_path) as world:
        config = world.home / ".aws/config"
        world.write(".aws/config", config.read_text() + role_profile("shut", "Closed") + role_profile("-x", "Build", HERE)
                    + role_profile(f'"{ODD}"', "Build", HERE))
        yield world


def inherited(tty):
    return {name.decode(): value.decode() for name, value in tty.env().items() if name.startswith(b"AWS")}


def test_a_profile_in_a_shell(shell, world):
    shop = world.project("shop", role_file("Build", HERE, region="eu-west-1"), allow=True)
    unknown = world.project("unknown", role_file("Build", HERE))
    tty = world.terminal(shell, env={"AWS_PROFILE": "mine", "AWS_REGION": "us-west-2"})
    outside = tty.env()
    for line, code, parts in (
        ("awsrole use --profile shop-dve", "1", ["there is no profile `shop-dve`", "did you mean `shop-dev`?"]),
        ("awsrole use --profile other", "1", ["profile `other` has no credentials"]),
        ("awsrole use --profile=", "1", ["the name is empty"]),
        ("awsrole use shop-dev", "3", ["hint: `awsrole use --profile shop-dev` uses the profile of this name"]),
        ("awsrole use prod --profile shop-dev", "2", ["cannot be used with"]),
        ("awsrole use --profile shop-dev --yes", "2", ["cannot be used with"]),
    ):
        said = tty.run(line)
        assert all(part in said for part in parts) and status(tty) == code, said
        assert tty.env() == outside
    assert f"awsrole: shop-dev in {THERE}, renews in" in tty.run("awsrole use --profile shop-dev")
    assert status(tty) == "0"
    env = inherited(tty)
    assert env["AWSROLE_PROFILE"] == env["AWSROLE_ROLE"] == "shop-dev" and env["AWS_REGION"] == "eu-central-1"
    assert "AWS_PROFILE" not in env
    # These commands show the profile, and how to end its use.
    assert f"shop-dev {THERE}" in tty.run("awsrole status")
    ends = "`awsrole use --none` ends the use of this profile, `use -` goes back"
    for command in ("status --long", "why", "doctor"):
        assert ends in tty.run(f"awsrole {command}"), command
    assert "awsrole use --profile shop-dev" in tty.run("awsrole status --long")
    assert THERE in tty.run("awsrole exec -- sh -c 'echo $AWSROLE_ACCOUNT_ID'")
    assert "there is no .awsrole.toml" in tty.run("awsrole exec --role x -- true")
    assert tty.run("awsrole history").count("--profile shop-dev") == 2
    # A file that was never approved doesn't apply. An approved one does, until the shell leaves.
    assert "isn't allowed" in (said := tty.run(f"cd {unknown}")) and f"shop-dev in {THERE}" in said
    assert f"Build in {HERE}" in tty.run(f"cd {shop}")
    assert "`awsrole use --profile shop-dev` uses the profile of this name" in tty.run("awsrole use shop-dev")
    said = tty.run("awsrole use --profile 'two words'")
    assert "profile two words is used outside of this project, whose own role applies here" in said
    assert "profile two words is used" in tty.run("awsrole status --long")
    # Nested shells use it, too: from a project, and from a blocked parent.
    for wanted in ("Build", PLACEHOLDER):
        inner = world.terminal(shell, shop, env=inherited(tty))
        assert (inner.variable("AWSROLE_ROLE") or inner.variable("AWS_PROFILE")) == wanted
        inner.run("cd /")
        assert inner.variable("AWSROLE_ROLE") == "two words"
        inner.run("awsrole use -")
        assert not [name for name in inherited(inner) if name.startswith("AWSROLE")]
        assert inner.variable("AWS_PROFILE") == "mine" and inner.variable("AWS_REGION") == "us-west-2"
        world.write("src/shop/.awsrole.toml", "region = 1\n")
        tty.run("")
    # The word is neither another profile's nor a role's, and nobody else can write one.
    state = json.loads(env["AWSROLE_STATE"])
    assert state["profile"].endswith("=shop-dev")
    for forged in (state["profile"].replace("shop-dev", "two words"), "0" * 80 + "=shop-dev"):
        for given in (env | {"AWSROLE_STATE": json.dumps(state | {"profile": forged})},
                      {name: PLACEHOLDER for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
                      | {"AWSROLE_STATE": "blocked", "AWSROLE_CHOSEN_PROFILE": forged}):
            inner = world.terminal(shell, env=given)
            assert "awsrole did not set that" in inner.greeting + inner.run("") and inner.variable("AWSROLE_ROLE") is None
            assert inner.variable("AWS_ACCESS_KEY_ID") is None
    # Names that a shell could misread.
    for name in ("-x", ODD):
        tty.run(f"cd {world.home}")
        tty.run("awsrole use --profile '" + name.replace("'", "'\\''") + "'")
        assert tty.variable("AWSROLE_ROLE") == name
        inner = world.terminal(shell, env=inherited(tty))
        assert inner.variable("AWSROLE_ROLE") == name
    assert not list(world.home.rglob("x"))
    # Refused by STS: a shell with a role keeps it. Another one is blocked, explains it, and can go back.
    held = tty.key()
    said = tty.run("awsrole use --profile shut")
    assert "AccessDenied" in said and f"this shell keeps {name}" in said and status(tty) == "4" and tty.key() == held
    tty.run("awsrole off")
    said = tty.run("awsrole use --profile shut")
    assert "AccessDenied" in said and ends in said and status(tty) == "1"
    assert tty.variable("AWS_PROFILE") == PLACEHOLDER
    tty.run("cd /usr")
    said = tty.run("awsrole why")
    assert "AccessDenied" in said and "blocked" in said
    assert "awsrole use --profile shut" in tty.run("awsrole status --long")
    calls = len(world.assumed())
    assert "AccessDenied" in tty.run("awsrole refresh") and len(world.assumed()) == calls + 1
    for _ in range(2):  # never to the one that failed
        tty.run("awsrole use -")
        assert tty.variable("AWSROLE_ROLE") == name
    tty.run("awsrole use --profile shop-dev")
    said = tty.run("awsrole logout")
    assert "removed the credentials of profile shop-dev" in said and tty.variable("AWS_PROFILE") == PLACEHOLDER
    tty.run("awsrole use --profile shop-dev")
    assert tty.variable("AWSROLE_ROLE") == "shop-dev"
    world.awsrole("deny", shop)
    tty.run(f"cd {shop}")
    assert tty.variable("AWSROLE_ROLE") == "shop-dev"
    tty.run("cd /; awsrole use --none")
    assert not [name for name in inherited(tty) if name.startswith("AWSROLE")]
    # After the keys are unset, it is still the profile that is refreshed.
    for later in ("; awsrole refresh", "\nawsrole refresh"):
        tty.run("awsrole use --profile shop-dev")
        unset = "set -e" if shell == "fish" else "unset"
        said = "".join(tty.run(line) for line in (f"{unset} AWS_ACCESS_KEY_ID{later}").split("\n"))
        assert "there is no .awsrole.toml" not in said and tty.variable("AWSROLE_ROLE") == "shop-dev"
    fresh = world.terminal(shell, env={"AWS_PROFILE": "mine", "AWS_REGION": "us-west-2"})
    outside = fresh.env()
    fresh.run("awsrole use --profile shop-dev")
    fresh.run("awsrole use -")
    assert fresh.env() == outside


def test_one_code_for_many_terminals_and_renewals_without_one(tmp_path):
    """A shell of each kind uses the profile. One of them prompts, and all get the session."""
    owner = {**ALICE, "mfa_serial": SERIAL, "mfa_seed": SEED}
    needs_mfa = trust(f"arn:aws:iam::{HERE}:root", condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})
    with HookedWorld(tmp_path, {"user": [owner], "role": [{"name": "Deploy", "account": THERE, "trust": needs_mfa}]}) as world:
        config = aws_profile("jump", mfa_serial=SERIAL, endpoint_url=world.sts.url)
        world.write(".aws/config", config + role_profile("deploy", "Deploy"))
        world.write(".aws/credentials", access_keys(jump=ALICE))
        world.sts.fault(action="AssumeRole", lifetime_seconds=20)
        first, *others = ttys = [world.terminal(shell) for shell in SHELLS]
        first.type("awsrole use --profile deploy")
        assert f"deploy in {THERE}: " in first.asked()
        for tty in others:
            tty.type("awsrole use --profile deploy")
        assert f"deploy in {THERE}" in first.answer(world.sts.unused_totp("alice"))
        for tty in others:
            assert ASK not in (said := tty.wait()) and f"deploy in {THERE}" in said
        keys = {tty.key() for tty in ttys}
        assert len(keys) == len(world.assumed()) == 1
        for tty in ttys:
            tty.run("cd /usr")
            wait_for(lambda tty=tty: ASK not in tty.run("") and tty.key() not in keys, 40)
            assert tty.key().startswith("ASIA")
        assert len([call for call in world.sts.calls() if call["has_token_code"]]) == 1
