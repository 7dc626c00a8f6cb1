"""The modules of nushell, xonsh, elvish and tcsh: what a user sees in a real shell."""

import pytest
from other_shells_world import LINES

from support.hooked_shell import PLACEHOLDER, wait_for
from support.world import DEPLOY

# Values that a shell could expand, and one that isn't exported as it is.
HOSTILE = {
    "AWS_PROFILE": "it's $(touch pwned) `touch pwned` \"x\" !! \\! é *",
    "AWS_SESSION_TOKEN": "a\nb; touch pwned; $HOME {a,b} ~ \\",
    "AWS_REGION": "",
}
ROLES = DEPLOY + '[role.build]\nrole_arn = "arn:aws:iam::111111111111:role/Build"\n[role.dev]\n'


def test_enters_and_leaves(place, other):
    """The outer environment is restored exactly, an unchanged prompt is one process, and `$?` is kept."""
    shop = place.project("shop", DEPLOY, allow=True)
    (shop / "deep").mkdir()
    side = place.project("side", DEPLOY.replace("eu-west-1", "us-west-2"), allow=True)
    inner = place.project("shop/inner", DEPLOY.replace("eu-west-1", "ap-south-1"), allow=True)
    shell = place.shell(other, env=HOSTILE)
    before = shell.env()
    assert HOSTILE.items() <= before.items() and "AWSROLE_STATE" not in before
    assert "awsrole: Deploy in 222222222222" in shell.run(f"cd {shop}")
    inside = shell.env()
    assert inside["AWS_ACCESS_KEY_ID"].startswith("ASIA") and inside["AWS_REGION"] == "eu-west-1"
    assert "AWS_PROFILE" not in inside and inside["AWSROLE_ROLE"] == "Deploy"
    starts = len(place.starts())
    assert "awsrole" not in shell.run("cd deep")
    # elvish and tcsh, and xonsh, compare after `cd`, too, so that `cd x && COMMAND` has the role.
    assert len(place.starts()) - starts == (1 if other == "nu" else 2)
    starts = len(place.starts())
    for _ in range(3):
        shell.run("true")
    assert len(place.starts()) - starts == 3
    for folder, region in ((side, "us-west-2"), (inner, "ap-south-1"), (shop, "eu-west-1")):
        shell.run(f"cd {folder}")
        assert shell.variable("AWS_REGION") == region
    shell.run(f"cd {place.home}")
    assert shell.env() == before
    if other != "nu":
        together = {"xonsh": "cd {} && env -0 > {}", "elvish": "cd {}; e:env -0 > {}", "tcsh": "cd {} && env -0 >! {}"}[other]
        out = shell.file()
        shell.run(together.format(shop, out))
        assert b"AWSROLE_ROLE=Deploy" in out.read_bytes().split(b"\0")
        shell.run(f"cd {place.home}")
    out = shell.file()
    shell.run("sh -c 'exit 7'")
    status = {"nu": f"$env.LAST_EXIT_CODE | save {out}", "xonsh": f"echo @(__xonsh__.env['LAST_RETURN_CODE']) > {out}",
              "tcsh": f"echo $status >! {out}"}
    if other in status:  # elvish has none
        shell.run(status[other])
        assert out.read_text().strip() == "7"
    assert not list(place.home.rglob("pwned"))


def test_edits_and_manual_changes(place, other):
    """An edited file blocks the shell until it is allowed. After a manual change awsrole is inactive."""
    shop = place.project("shop", DEPLOY, allow=True)
    shell = place.shell(other, env={"AWS_PROFILE": "home"})
    before = shell.env()
    shell.run(f"cd {shop}")
    (shop / ".awsrole.toml").write_text(DEPLOY + "# edited\n")
    assert "blocked" in shell.run("true")
    blocked = shell.env()
    assert blocked["AWS_ACCESS_KEY_ID"] == blocked["AWS_PROFILE"] == PLACEHOLDER and blocked["AWSROLE_STATE"] == "blocked"
    assert blocked["AWSROLE_PRIOR_AWS_PROFILE"] == "home" and "AWS_SESSION_TOKEN" not in blocked
    shell.run(f"cd {place.home}")
    assert shell.env() == before
    shell.run(f"cd {shop}")
    shell.run("awsrole allow --yes")
    assert shell.variable("AWSROLE_ROLE") == "Deploy"
    assert "AWS_PROFILE was changed manually" in shell.export("AWS_PROFILE", "mine")
    inactive = shell.env()
    assert inactive["AWS_PROFILE"] == "mine" and not {"AWS_ACCESS_KEY_ID", "AWSROLE_STATE"} & inactive.keys()
    assert "active again" in shell.unset("AWS_PROFILE")
    assert shell.variable("AWSROLE_ROLE") == "Deploy"
    shell.export("AWS_ACCESS_KEY_ID", "AKIAMINE")
    shell.run(f"cd {place.home}")
    assert shell.variable("AWS_ACCESS_KEY_ID") == "AKIAMINE" and shell.variable("AWS_SESSION_TOKEN") is None


def test_awsrole_use_and_off(place, other):
    """`use`, `use -`, `off` and `on` act at once, in this shell only."""
    shop = place.project("shop", ROLES, allow=True)
    shell = place.shell(other, env={"AWS_PROFILE": "home"})
    before = shell.env()
    shell.run(f"cd {shop}")
    assert shell.variable("AWSROLE_ROLE") == "Deploy"
    assert "awsrole: build in 111111111111" in shell.run("awsrole use build")
    assert shell.variable("AWSROLE_ACCOUNT_ID") == "111111111111"
    assert "no [role.nothing]" in shell.run("awsrole use nothing")
    shell.run("awsrole use -")
    assert shell.variable("AWSROLE_ROLE") == "Deploy"
    assert "off: your environment is back in this shell" in shell.run("awsrole off")
    assert shell.env() == before
    assert "no role applies here" not in shell.run("true")
    assert "is off" in shell.run("awsrole doctor") or other == "xonsh"
    assert shell.variable("AWSROLE_ROLE") is None
    shell.run("awsrole on")
    assert shell.variable("AWSROLE_ROLE") == "Deploy"
    shell.run(f"cd {place.home}")
    shell.run("awsrole use --profile shop-dev")
    assert shell.variable("AWSROLE_PROFILE") == "shop-dev"
    assert "your environment is back" in shell.run("awsrole use -")
    assert shell.env() == before


def test_output_and_failures(place, other):
    """Output can be piped, captured and redirected, every argument is passed on, and a refusal ends the line."""
    shop = place.project("shop", ROLES, allow=True)
    shell = place.shell(other, cwd=shop)
    wait_for(lambda: shell.variable("AWSROLE_ROLE") == "Deploy")
    piped = {"nu": "awsrole status | str uppercase | print"}.get(other, "awsrole status | tr a-z A-Z")
    assert "DEPLOY 2222" in shell.run(piped)
    captured = {"nu": "print $'<(awsrole status | str trim)>'", "xonsh": "print('<' + $(awsrole status).strip() + '>')",
                "elvish": "echo '<'(awsrole status)'>'", "tcsh": 'set a="`awsrole status`"; echo "<$a>"'}[other]
    assert "<Deploy 2222" in shell.run(captured)
    out = shell.file()
    shell.run({"nu": f"awsrole status | save --raw {out}"}.get(other, f"awsrole status > {out}"))
    assert out.read_text().startswith("Deploy 2222")
    shell.run({"nu": f"awsrole exec -- printf '<%s>' true 'a; b' | save -f --raw {out}"}.get(
        other, f"awsrole exec -- printf '<%s>' true 'a; b' {'>!' if other == 'tcsh' else '>'} {out}"))
    assert out.read_text() == "<true><a; b>"
    assert "awsrole 0." in shell.run("awsrole --version")
    assert "blocked" not in shell.run("awsrole --")
    for command in ("use", "on", "off"):
        said = shell.run(f"awsrole {command} --help")
        assert f"Usage: awsrole {command}" in said and "rror" not in said and "xception" not in said, said
    assert shell.variable("AWSROLE_ROLE") == "Deploy"
    # Their exceptions end a line. The text isn't in what is typed.
    both = {"nu": "awsrole {}; print ('R' ++ 'AN')", "xonsh": "awsrole {} && echo R@('A')N", "elvish": "awsrole {}; echo R'A'N",
            "tcsh": "awsrole {} && echo R'A'N"}[other]
    assert "RAN" in shell.run(both.format("use build"))
    said = shell.run(both.format("use nothing"))
    assert "no [role.nothing]" in said and "RAN" not in said and "from-json" not in said, said
    assert shell.variable("AWSROLE_ACCOUNT_ID") == "111111111111"
    (shop / ".awsrole.toml").write_text(ROLES + "# edited\n")
    said = shell.run(both.format("use dev"))
    assert "RAN" not in said, said
    assert shell.variable("AWSROLE_STATE") == "blocked"
    # A refresh that leaves the shell blocked fails, except in elvish, where it would print a traceback.
    shut = place.project("shut", DEPLOY.replace("role/Deploy", "role/Missing"), allow=True)
    shell.run(f"cd {shut}")
    for words in ("refresh", "refresh --all"):
        said = shell.run(both.format(words))
        assert "AccessDenied" in said and ("RAN" in said) == (other == "elvish") and "Traceback" not in said, said
    assert "RAN" in shell.run(both.format("refresh --help"))
    assert shell.variable("AWSROLE_STATE") == "blocked"


def test_setup_and_doctor(place, other):
    """`awsrole setup` prints the lines of the calling shell, and `awsrole doctor` reports a module that isn't loaded."""
    shell = place.shell(other)
    said = shell.run("awsrole setup --dry-run")
    # The other two read files of the test.
    assert "loads the hook" in said if other in ("nu", "tcsh") else LINES[f"rc-{other}"].strip() in said
    assert "this shell  has the hook" in shell.run("awsrole doctor")
    said = shell.run({"nu": "^awsrole doctor", "elvish": "e:awsrole doctor", "tcsh": "\\awsrole doctor"}.get(other, "env awsrole doctor"))
    assert "has no hook" in said, said


def test_secrets_are_not_echoed(place):
    """tcsh prints no statements, also with its two options that print what it runs."""
    shop = place.project("shop", DEPLOY, allow=True)
    shell = place.shell("tcsh")
    for option in ("echo", "verbose"):
        shell.run(f"set {option}")
        said = shell.run(f"cd {shop}")
        secret = shell.variable("AWS_SECRET_ACCESS_KEY")
        assert secret and secret not in said + shell.run(f"cd {place.home}")
        assert "1" in shell.run(f"echo $?{option}").split()
        shell.run(f"unset {option}")


def test_asks_for_a_code(place, other):
    """The prompt for an MFA code works on the terminal, also after Ctrl-C, which leaves the shell blocked."""
    shop = place.project("shop", DEPLOY.replace("jump", "phone"), allow=True)
    shell = place.shell(other, cwd=shop, env={"AWS_PROFILE": "home"})
    # The first prompt never asks.
    assert shell.variable("AWSROLE_STATE") == "blocked"
    shell.run(f"cd {place.home}")
    assert shell.variable("AWS_PROFILE") == "home"
    shell.type(f"cd {shop}")
    shell.asked()
    shell.interrupt()
    blocked = shell.env()
    assert blocked["AWSROLE_STATE"] == "blocked" and blocked["AWSROLE_PRIOR_AWS_PROFILE"] == "home"
    shell.type("awsrole refresh")
    shell.asked()
    shell.answer(place.sts.unused_totp("alice"))
    assert shell.variable("AWSROLE_ROLE") == "Deploy"
    shell.run(f"cd {place.home}")
    assert shell.variable("AWS_PROFILE") == "home"


def test_nested_shells(place, other):
    """A shell inside a project starts with the parent's role, and restores the environment before it on leaving."""
    shop = place.project("shop", ROLES, allow=True)
    shell = place.shell(other, env={"AWS_PROFILE": "home"})
    before = shell.env()
    shell.run(f"cd {shop}")
    shell.run("awsrole use build")
    inside = shell.env()
    nested = place.shell(other, cwd=shop, env={name: value for name, value in inside.items() if name.startswith("AWS")})
    assert nested.variable("AWSROLE_ACCOUNT_ID") == "111111111111"
    nested.run(f"cd {place.home}")
    left = nested.env()
    assert {name: value for name, value in left.items() if name.startswith("AWS")} == \
        {name: value for name, value in before.items() if name.startswith("AWS")}


def test_without_an_answer(place, other):
    """A shell without an answer is blocked, and recovers."""
    shop = place.project("shop", DEPLOY, allow=True)
    shell = place.shell(other, env={"AWS_PROFILE": "home"})
    before = shell.env()
    shell.run(f"cd {shop}")
    hook = place.program.with_name("awsrole-hook")
    works = hook.read_text()
    hook.write_text("#!/bin/sh\nprintf '{\"version\": 1, \"chan'\nexit 0\n")
    assert "this shell is blocked" in shell.run("true")
    assert shell.variable("AWS_ACCESS_KEY_ID") == PLACEHOLDER
    hook.write_text(works)
    shell.run("true")
    assert shell.variable("AWSROLE_ROLE") == "Deploy"
    shell.run(f"cd {place.home}")
    assert shell.env() == before


@pytest.mark.parametrize("name", ["it's \"a\" $(touch pwned) `x` !! é", "a\nb"], ids=["quotes", "newline"])
def test_hostile_directories(place, other, name):
    """The path of a project is in AWSROLE_STATE. tcsh is given it, too, because it is escaped there."""
    folder = place.project(name, DEPLOY, allow=True)
    shell = place.shell(other, cwd=folder)
    wait_for(lambda: shell.variable("AWSROLE_ROLE") == "Deploy")
    shell.run(f"cd {place.home}")
    assert shell.variable("AWSROLE_ROLE") is None
    assert not list(place.home.rglob("pwned"))


def test_prompts(place, other):
    """The prompt of the document shows the role."""
    shop = place.project("shop", DEPLOY, allow=True)
    shell = place.shell(other, rc=LINES[f"prompt-{other}"].replace("%~ %# ", "@@ready:%h@@"))
    shell.run(f"cd {shop}")
    typed = {"nu": "print (do $env.PROMPT_COMMAND_RIGHT)", "xonsh": "echo @($PROMPT_FIELDS['awsrole']())", "tcsh": "echo $prompt:q"}.get(other, "true")
    # elvish computes its prompt in the background.
    wait_for(lambda: "Deploy" in shell.run(typed))
