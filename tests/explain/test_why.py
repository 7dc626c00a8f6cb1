"""Tests `awsrole why` in every state, as text and as JSON. It makes no network call."""

import json
import os
import re

import pexpect
import pytest

from support.local_sts import binary
from support.world import ALICE, BLOCKED, BYSTANDER, DEPLOY, HERE, THERE

SERIAL = f"arn:aws:iam::{HERE}:mfa/alice"
TOP = {"files", "approval", "chain", "shell", "problem", "overrides", "next"}
CHAIN_KEYS = {"name", "profile", "role_arn", "permission_set", "account", "account_name", "pin", "pin_name", "region", "endpoint", "source", "links",
       "notices", "guards", "protected"}
LINK = {"call", "what", "account", "account_name", "session_name", "external_id", "source_identity", "mfa_serial", "duration",
        "cached_until", "cached_for_seconds"}
HELD = {"state", "role", "key", "expires", "set", "hidden"}
CHAIN = f"""\
default_role = "second"
[role.first]
role_arn = "arn:aws:iam::{THERE}:role/Deploy"
source_profile = "jump"
mfa_serial = "{SERIAL}"
external_id = "shop/42"
[role.second]
role_arn = "arn:aws:iam::{THERE}:role/Second"
source_role = "first"
source_identity = "alice"
account_id = "{THERE}"
region = "eu-west-1"
"""


def why(world, folder, *words, **options):
    """Returns the text and the JSON, which must contain the same information. Neither makes a call or shows a secret.
    """
    before = world.sts.counts()
    text = world.awsrole("why", *words, cwd=folder, **options)
    told = world.awsrole("why", "--json", *words, cwd=folder, **options)
    assert (text.code, told.code, text.err, told.err) == (0, 0, "", "")
    assert world.sts.counts() == before, "it asked somebody"
    for secret in world.secrets | {ALICE["secret_access_key"], BYSTANDER["secret_access_key"]}:
        assert secret not in text.out and secret not in told.out
    assert not re.search(r"[^\x20-\x7e\n\u00a0-\u024f→…–]", text.out), text.out
    found = told.json
    assert set(found) == TOP and set(found["shell"]) == HELD
    if found["chain"]:
        assert set(found["chain"]) == CHAIN_KEYS and all(set(link) == LINK for link in found["chain"]["links"])
    assert found["next"] in text.out and found["approval"] in text.out
    return text.out, found


def section(text, title):
    """Returns the lines of a section, joined."""
    lines, inside = [], False
    for line in text.splitlines():
        if line[:9].strip():
            inside = line[:9].strip() == title
        if inside:
            lines.append(line[9:].strip())
    return "\n".join(lines)


def test_no_file(world):
    text, told = why(world, world.project("empty"))
    assert (told["files"], told["approval"], told["chain"]) == ([], "no file", None)
    assert "`awsrole init`" in told["next"]


def test_not_allowed(world):
    folder = world.project("shop", DEPLOY)
    text, told = why(world, folder)
    assert told["approval"] == "not allowed" and told["chain"] is None
    assert told["files"] == [str(folder / ".awsrole.toml")] and "~/src/shop/.awsrole.toml" in section(text, "file")
    assert "`awsrole allow`" in section(text, "problem") and "until you allow it" in told["next"]


@pytest.mark.parametrize("standing", ["never allowed", "denied", "allowed before"])
@pytest.mark.parametrize("where", ["nearest", "inherited"])
@pytest.mark.parametrize("content", [DEPLOY, "# " + "x" * 20_000, "role_arn ="], ids=["good", "huge", "broken"])
def test_it_says_what_the_shell_gets(world, standing, where, content):
    """Of each file that isn't in force: whether the shell is blocked, or has the environment without awsrole."""
    # The nearer one first: `allow` allows all that it inherits.
    near = world.project("far/near", "inherit = true\n", allow=where == "inherited")
    far = world.project("far", DEPLOY)
    if standing != "never allowed":
        assert world.awsrole("allow" if standing == "allowed before" else "deny", cwd=far).code == 0
    folder = near if where == "inherited" else far
    (far / ".awsrole.toml").write_text(content + ("\n# edited\n" if standing == "allowed before" else ""))
    done = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder).out.splitlines()[-1]
    _, told = why(world, folder)
    assert ("stays blocked" in told["next"]) == done.startswith("__awsrole_done blocked"), (done, told["next"])
    assert done.split()[1] in ("blocked", "outer")


def test_edited(world, shop):
    world.project("shop", BLOCKED)
    text, told = why(world, shop)
    assert told["approval"] == "changed since it was allowed" and told["chain"] is None
    assert "`awsrole allow`" in section(text, "problem") and "blocked" in told["next"]


def test_denied(world):
    folder = world.project("shop", DEPLOY)
    world.awsrole("deny", folder)
    _, told = why(world, folder)
    assert told["approval"] == "denied" and told["problem"] is None and "`awsrole allow`" in told["next"]


def test_broken(world, shop):
    world.project("shop", DEPLOY + "regoin = 1\n")
    _, told = why(world, shop)
    assert told["approval"] in ("broken", "changed since it was allowed") and "blocked" in told["next"]


def test_a_link_to_nowhere(world):
    folder = world.project("shop")
    (folder / ".awsrole.toml").symlink_to("nowhere")
    text, told = why(world, folder)
    assert told["approval"] == "broken" and "a dangling symbolic link" in section(text, "problem")


def test_own_config_that_is_broken(world, shop):
    world.write(".config/awsrole/config.toml", "nonsense = 1\n")
    text, told = why(world, shop)
    assert told["approval"] == "unknown" and "config.toml" in section(text, "problem") and "blocked" in told["next"]


def test_allowed_but_it_leads_nowhere(world):
    folder = world.project("shop", DEPLOY.replace("jump", "jmup"), allow=True)
    text, told = why(world, folder)
    assert told["approval"] == "allowed" and told["chain"] is None and "blocked" in told["next"]
    assert "did you mean `jump`" in section(text, "problem")


def test_lines_that_are_read_otherwise_than_meant(world):
    """Those of the profiles of the chain alone, whether it leads to a role or not."""
    config = world.home / ".aws/config"
    before = len(config.read_text().splitlines())
    config.write_text(config.read_text() + "[profile odd]\nrole_arn = arn:aws:iam::222222222222:role/Deploy\nsource_profile = jump\n"
                      "output = 'json'\n[profile neighbour]\noutput = 'json'\n[profile lost]\nrole_arn = x\n  source_profile = jump\n")
    text, found = why(world, world.project("odd", 'profile = "odd"\n', allow=True))
    assert [note.partition("/.aws/")[2] for note in found["chain"]["notices"]] == [
        f"config:{before + 4}: the quotes are part of `output`: write the value without them"]
    assert "the quotes are part of `output`" in section(text, "chain")
    _, found = why(world, world.project("lost", 'profile = "lost"\n', allow=True))
    [cause] = found["problem"]["causes"]
    assert f"config:{before + 9}: `source_profile` is indented deeper than `role_arn`" in cause


def test_by_a_rule(world):
    world.write(".config/awsrole/config.toml", f'[[trust]]\npath = "~/src"\naccounts = ["{THERE}"]\n')
    _, told = why(world, world.project("shop", DEPLOY))
    assert told["approval"] == "allowed by a [[trust]] rule" and told["chain"]["account"] == THERE


def test_in_force_without_a_cache(world, shop):
    text, told = why(world, shop)
    chain = told["chain"]
    assert (chain["role_arn"], chain["account"], chain["region"], chain["source"]) == (
        f"arn:aws:iam::{THERE}:role/Deploy", THERE, "eu-west-1", "profile jump")
    assert chain["endpoint"] == world.sts.url and world.sts.url in section(text, "role")
    [link] = chain["links"]
    assert (link["call"], link["session_name"], link["duration"], link["cached_until"]) == ("AssumeRole", "alice", "1h (the default)", None)
    assert "not cached" in section(text, "chain")
    assert told["next"] == "AssumeRole is called for Deploy" and told["shell"]["state"] == "nothing of awsrole's"


def test_in_force_with_a_cache(world, shop):
    world.exec_env(shop)
    text, told = why(world, shop, env={"TZ": "UTC"})
    [link] = told["chain"]["links"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", link["cached_until"]) and link["cached_for_seconds"] < 60
    until = link["cached_until"].replace("T", " ").rstrip("Z")
    assert re.search(rf"cached until {until} \(in \d+m\), less than a minute old", section(text, "chain"))
    assert re.fullmatch(r"the cached session is used and renews in \d+m", told["next"])


def test_closed_with_a_remembered_failure(world):
    folder = world.project("shop", BLOCKED, allow=True)
    assert world.awsrole("exec", "--", "true", cwd=folder).code == 4
    text, told = why(world, folder)
    problem = told["problem"]
    assert set(problem) == {"summary", "causes", "facts", "hints"}
    for part in (problem["summary"], problem["causes"][0], *problem["hints"], *(fact for _, fact in problem["facts"])):
        assert part in section(text, "problem")
    assert "`awsrole policy`" in section(text, "problem") and [label for label, _ in problem["facts"]] == ["caller", "sent"]


def statements(shell_text):
    """Returns the environment of a shell after the hook's statements."""
    set_, hidden = {}, []
    for line in shell_text.splitlines():
        if match := re.match(r"__awsrole_set (\w+) '(.*)'$", line):
            set_[match[1]] = match[2]
        elif match := re.match(r"__awsrole_hide (.*)", line):
            hidden += match[1].split()
    return set_, hidden


def inside(world, folder, **env):
    """Returns the environment of a shell that the hook set in a directory."""
    probe = world.home / "probe.bash"
    probe.write_text(f'eval "$({binary("awsrole")} hook bash)"\ncd {folder}\n{{ declare -F __awsrole_prompt >/dev/null && __awsrole_prompt; }} 2>/dev/null\n'
                     'for f in "${PROMPT_COMMAND[@]}"; do eval "$f"; done\ncommand env -0\n')
    result = world.run("bash", "--norc", "-i", probe, cwd=world.home, env=env)
    found = dict(pair.split("=", 1) for pair in result.out.split("\0") if "=" in pair)
    world.secrets |= {found[name] for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN") if found.get(name)}
    return {name: value for name, value in found.items() if name.startswith(("AWS", "_AWSROLE"))}


def test_inside_the_shell(world, shop):
    env = inside(world, shop, AWS_PROFILE="other", AWS_SECURITY_TOKEN="left over, and secret")
    assert env["AWS_ACCESS_KEY_ID"].startswith("ASIA"), env
    text, told = why(world, shop, env=env)
    held = told["shell"]
    assert (held["state"], held["role"], held["key"]) == ("role", "Deploy", env["AWS_ACCESS_KEY_ID"])
    assert held["expires"] == env["AWS_CREDENTIAL_EXPIRATION"]
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWSROLE_ROLE"} <= set(held["set"])
    assert "AWS_PROFILE (was other)" in held["hidden"] and "AWS_PROFILE (was other)" in section(text, "shell")
    assert "left over" not in text + json.dumps(told), "a token that is hidden is a secret"


def test_in_a_blocked_shell(world):
    folder = world.project("shop", BLOCKED, allow=True)
    env = inside(world, folder)
    text, told = why(world, folder, env=env)
    assert told["shell"]["state"] == "blocked" and "every AWS client fails" in section(text, "shell")


def test_a_chain_behind_mfa(world):
    folder = world.project("shop", CHAIN, allow=True)
    text, told = why(world, folder)
    chain = told["chain"]
    assert (chain["name"], chain["pin"], chain["source"]) == ("second", THERE, "profile jump")
    session, first, second = chain["links"]
    assert (session["call"], session["mfa_serial"], session["duration"]) == ("GetSessionToken", SERIAL, "12h (the default)")
    assert (first["external_id"], first["mfa_serial"], first["account"]) == ("shop/42", None, THERE)
    assert (second["what"], second["source_identity"]) == (f"arn:aws:iam::{THERE}:role/Second", "alice")
    for part in ("external ID shop/42", "source identity alice", f"MFA by {SERIAL}", "pinned to", THERE):
        assert part in text, part
    assert told["next"] == ("awsrole prompts for an MFA code, then GetSessionToken is called, then AssumeRole is called for Deploy, "
                            "then AssumeRole is called for Second")
    chain = section(text, "chain")
    places = [chain.index(part) for part in ("profile jump", "GetSessionToken", "role/Deploy", "role/Second")]
    assert places == sorted(places), "the order of the calls"


def test_another_role_of_the_file(world):
    folder = world.project("shop", CHAIN, allow=True)
    _, told = why(world, folder, "--role", "first")
    assert told["chain"]["name"] == "first" and told["chain"]["role_arn"].endswith("role/Deploy") and told["chain"]["pin"] is None
    text, told = why(world, folder, "--role", "thrid")
    assert told["chain"] is None and "first, second" in section(text, "problem")


def test_a_manual_role(world):
    folder = world.project("shop", f'default_role = "prod"\n[role.prod]\n{DEPLOY}manual = true\n', allow=True)
    _, told = why(world, folder)
    assert told["next"] == "nothing on `cd`: `awsrole use prod` assumes it" and told["chain"]["name"] == "prod"


def test_a_role_with_a_manual_source_role(world):
    """`cd` assumes neither, and the problem in the blocked shell names the key."""
    folder = world.project("shop", CHAIN.replace("external_id", "manual = true\nconfirm = true\nexternal_id"), allow=True)
    text, told = why(world, folder)
    assert told["next"] == "nothing on `cd`: `awsrole use second` assumes it"
    assert told["chain"]["guards"] == ["chosen by name", "asks for confirmation", "because of its source role first"]
    assert "chosen by name, asks for confirmation, because of its source role first" in section(text, "role")
    text, told = why(world, folder, env={"AWSROLE_STATE": "blocked"})
    assert "`cd` does not assume role second" in section(text, "problem")
    assert ".awsrole.toml:6: its source role first has `manual = true`" in section(text, "problem")


def test_a_shortened_chain_is_noted(world):
    config = world.home / ".aws/config"
    config.write_text(config.read_text() + "\n[profile long]\nrole_arn = arn:aws:iam::222222222222:role/Second\n"
                      "source_profile = shop-dev\nduration_seconds = 7200\n")
    text, told = why(world, world.project("shop", 'profile = "long"\n', allow=True))
    [notice] = told["chain"]["notices"]
    assert "at most 1h" in notice and notice in section(text, "chain") and "/.aws/config:" in notice


RIVALS = {
    "samconfig.toml": ("version = 0.1\n[default.deploy.parameters]\nprofile = \"other\"\n", 3),
    "serverless.yml": ("service: shop\nprovider:\n  name: aws\n  profile: other\n", 4),
    "main.tf": ('provider "aws" {\n  region = "eu-west-1"\n  profile = "other"\n}\n', 3),
    "backend.tf": ('terraform {\n  backend "s3" {\n    profile = "other"\n  }\n}\n', 3),
    "cdk.json": ('{\n  "app": "node x",\n  "profile": "other"\n}\n', 3),
}


@pytest.mark.parametrize("name", RIVALS)
def test_overrides_are_named_by_file_and_line(world, shop, name):
    content, line = RIVALS[name]
    (shop / name).write_text(content)
    text, told = why(world, shop)
    [override] = told["overrides"]
    assert (override["file"], override["line"]) == (str(shop / name), line) and "other" in override["text"]
    assert f"{name}:{line}" in section(text, "overrides") and "another identity" in section(text, "overrides")


def test_overrides_of_a_folder_inside(world, shop):
    infra = shop / "infra"
    infra.mkdir()
    (infra / "main.tf").write_text(RIVALS["main.tf"][0])
    (shop / "samconfig.toml").write_text(RIVALS["samconfig.toml"][0])
    _, told = why(world, infra)
    assert {os.path.basename(override["file"]) for override in told["overrides"]} == {"main.tf", "samconfig.toml"}


def test_nothing_else_is_an_override(world, shop):
    (shop / "samconfig.toml").write_text('# profile = "other"\nprofiles = "x"\n')
    (shop / "main.tf").write_text('/*\nprofile = "x"\n*/\n// profile = "x"\nlocals { instance_profile = "x" }\n')
    (shop / "notes.md").write_text("profile: other\n")
    os.mkfifo(shop / "serverless.yml")
    (shop / "cdk.json").symlink_to("/dev/zero")
    assert why(world, shop)[1]["overrides"] == []


@pytest.mark.parametrize("name", ["\x1b[2J", "new\nline", "\u202etxt", "quo'te", "\x07bell"], ids=ascii)
def test_hostile_names_are_escaped(world, name):
    folder = world.project(f"a{name}b", DEPLOY, allow=True)
    (folder / "main.tf").write_text(f'provider "aws" {{\n  profile = "{name.strip()}\x1b]0;x\x07"\n}}\n', newline="")
    text, told = why(world, folder)
    assert told["files"] == [str(folder / ".awsrole.toml")], "JSON has the very name"


def test_hostile_names_of_roles_are_escaped(world):
    folder = world.project("shop", f'default_role = "a\\u202eb"\n[role."a\\u202eb"]\n{DEPLOY}', allow=True)
    text, told = why(world, folder)
    assert told["chain"]["name"] == "a\u202eb" and "a\\u{202e}b" in text


def test_hostile_text_of_a_server_is_escaped(world, shop):
    world.sts.fault(error={"status": 403, "code": "AccessDenied", "message": "\x9b2J\u202eno\u2028way"})
    assert world.awsrole("exec", "--", "true", cwd=shop).code == 4
    text, _ = why(world, shop)
    assert "\\u{202e}no\\u{2028}way" in section(text, "problem")


def on_a_terminal(world, folder, **env):
    environment = world.environment(PWD=str(folder), TERM="xterm", **env)
    terminal = pexpect.spawn(str(binary("awsrole")), ["why"], cwd=str(folder), env=environment, dimensions=(60, 200), timeout=20)
    text = terminal.read().decode()
    terminal.close()
    assert terminal.exitstatus == 0
    return text


def test_colour_is_for_terminals(world, shop):
    painted = on_a_terminal(world, shop)
    assert "\x1b[1m" in painted
    for plain in (on_a_terminal(world, shop, NO_COLOR="1"),
                  world.awsrole("why", cwd=shop, env={"TERM": "xterm"}).out):
        assert "\x1b" not in plain
    assert "\x1b" in on_a_terminal(world, shop, NO_COLOR=""), "empty is as good as unset (no-color.org)"
    unpainted = re.sub(r"\x1b\[[0-9;]*m", "", painted).replace("\r\n", "\n")
    assert unpainted == world.awsrole("why", cwd=shop).out


def test_it_fits_on_one_screen(world):
    """A chain with MFA, in a terminal of 40 lines."""
    folder = world.project("shop", CHAIN, allow=True)
    text, _ = why(world, folder)
    assert len(text.splitlines()) <= 40


@pytest.mark.parametrize("state", ["healthy", "no network", "no AWS files"])
def test_it_works_when_nothing_else_does(world, shop, state):
    if state == "no network":
        world.stop()
    elif state == "no AWS files":
        for name in ("config", "credentials"):
            (world.home / ".aws" / name).unlink()
    assert world.awsrole("why", cwd=shop).code == 0
