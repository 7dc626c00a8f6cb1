"""Tests `awsrole doctor` on a healthy machine, and with each kind of fault."""

import os
import re
import shutil
import socket

import pytest

from support.world import DEPLOY, HERE, THERE

HOOK = 'eval "$(awsrole hook bash)"\n'


@pytest.fixture
def healthy(world):
    """A home as it should be; its AWS files have nothing that can't work."""
    world.write(".bashrc", HOOK)
    world.write(".aws/config", f"[profile jump]\nendpoint_url = {world.sts.url}\n[default]\nregion = us-east-1\n")
    path = world.home / ".aws/credentials"
    path.write_text(path.read_text().split("# role profiles")[0])
    path.chmod(0o600)
    world.exec_env(world.project("first", DEPLOY, allow=True))
    return world


@pytest.fixture
def bound():
    """Returns a prefix for a command with which file modes apply to root, too."""
    return () if os.geteuid() else (shutil.which("setpriv"), "--bounding-set", "-dac_override,-dac_read_search")


def doctor(world, folder=None, **options):
    """Returns the findings, which must be equal in text and JSON, without secrets and colors."""
    text = world.awsrole("doctor", cwd=folder, **options)
    told = world.awsrole("doctor", "--json", cwd=folder, **options)
    assert (text.code, shown(text)) == (told.code, shown(told)) and shown(text) == ""
    findings = told.json
    for one in findings:
        assert set(one) == {"level", "about", "text", "hint"} and one["level"] in ("ok", "note", "bad")
    assert text.code == (1 if bad(findings) else 0)
    assert text.out.count("\nBAD  ") + text.out.startswith("BAD  ") == len(bad(findings))
    last = text.out.splitlines()[-1]
    assert last == {0: "no problems found", 1: "1 problem found"}.get(len(bad(findings)), f"{len(bad(findings))} problems found")
    assert not any(secret in text.out + told.out for secret in world.secrets)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text.out)
    return findings


def shown(result):
    """Returns the messages except for the notices about waiting."""
    return "".join(line for line in result.err.splitlines(keepends=True) if not line.startswith("awsrole: waiting for "))


def bad(findings):
    return [one for one in findings if one["level"] == "bad"]


def about(findings, what):
    return [one for one in findings if one["about"] == what]


def only(findings, what, text, hint):
    """Checks that there is exactly this fault."""
    [one] = bad(findings)
    assert one["about"] == what and text in one["text"], one
    assert hint in (one["hint"] or ""), one
    return one


def test_a_healthy_machine(healthy):
    findings = doctor(healthy)
    assert bad(findings) == []
    assert [one["text"] for one in about(findings, "hook")] == ["bash in ~/.bashrc:1"]
    assert {one["text"] for one in about(findings, "profile")} == {"default", "jump"}
    for what, path in (("cache", "~/.cache/awsrole"), ("approvals", "~/.local/share/awsrole")):
        assert about(findings, what)[0]["text"] == f"{path} (private)"
    assert any(one["text"].startswith("bash 5.") for one in about(findings, "shell"))


def test_a_healthy_project(healthy):
    findings = doctor(healthy, healthy.home / "src/first")
    assert bad(findings) == []
    [sts] = about(findings, "STS")
    assert healthy.sts.url in sts["text"] and f"arn:aws:iam::{HERE}:user/alice" in sts["text"]


def test_it_assumes_no_role_and_writes_nothing(healthy):
    healthy.sts.reset()
    before = {path: path.stat().st_mtime_ns for path in healthy.home.rglob("*")}
    doctor(healthy, healthy.project("first"))
    assert {call["action"] for call in healthy.sts.calls()} <= {"GetCallerIdentity"}
    after = {path: path.stat().st_mtime_ns for path in healthy.home.rglob("*") if ".cache" not in path.parts}
    assert after == {path: time for path, time in before.items() if ".cache" not in path.parts}


# Hooks.

RC = {
    "bash": (".bashrc", 'eval "$(awsrole hook bash)"'),
    "bash-login": (".bash_profile", 'eval "$(awsrole hook bash)"'),
    "zsh": (".zshrc", 'eval "$(awsrole hook zsh)"'),
    "fish": (".config/fish/config.fish", "awsrole hook fish | source"),
    "fish-part": (".config/fish/conf.d/awsrole.fish", "awsrole hook fish | source"),
}


@pytest.mark.parametrize("name", RC)
def test_the_hook_is_found(healthy, name):
    (healthy.home / ".bashrc").unlink()
    file, line = RC[name]
    healthy.write(file, f"# first\n\n{line}\n")
    findings = doctor(healthy)
    assert bad(findings) == []
    assert [one["text"] for one in about(findings, "hook")] == [f"{name.split('-')[0]} in ~/{file}:3"]


def test_the_hook_in_zdotdir(healthy):
    (healthy.home / ".bashrc").unlink()
    healthy.write("zsh/.zshrc", RC["zsh"][1])
    findings = doctor(healthy, env={"ZDOTDIR": str(healthy.home / "zsh")})
    assert about(findings, "hook")[0]["text"] == "zsh in ~/zsh/.zshrc:1"


@pytest.mark.parametrize("rc", ["", f"# {HOOK}", "eval \"$(direnv hook bash)\"\n"])
def test_no_hook(healthy, rc):
    healthy.write(".bashrc", rc)
    one = only(doctor(healthy), "hook", "no shell's rc file has it", 'eval "$(awsrole hook bash)"')
    assert "awsrole hook zsh" in one["hint"] and "awsrole hook fish | source" in one["hint"]


@pytest.mark.parametrize("name, line", [("direnv", 'eval "$(direnv hook bash)"'), ("mise", 'eval "$(mise activate bash)"'),
                                        ("starship", 'eval "$(starship init bash)"'), ("bash-preexec", "source ~/.bash-preexec.sh")])
@pytest.mark.parametrize("first", [True, False])
def test_neighbours_and_their_order(healthy, name, line, first):
    healthy.write(".bashrc", f"{line}\n{HOOK}" if first else f"{HOOK}{line}\n")
    findings = doctor(healthy)
    assert bad(findings) == []
    [one] = about(findings, "neighbour")
    place = "before" if first else "after"
    assert one["text"].startswith(f"{name} in ~/.bashrc:{1 if first else 2}, {place} awsrole")


def test_an_old_shell(healthy):
    old = healthy.write("bin/bash", "#!/bin/sh\necho GNU bash, version 3.2.57\n")
    old.chmod(0o755)
    findings = doctor(healthy, env={"PATH": f"{old.parent}:{os.environ['PATH']}"})
    assert any(one["level"] == "note" and one["text"] == "bash 3.2 is too old: 4.4 or newer is needed" for one in findings)


# awsrole's own directories.

OWN = {"cache": ".cache/awsrole", "approvals": ".local/share/awsrole"}


@pytest.mark.parametrize("what", OWN)
def test_a_directory_that_others_may_enter(healthy, what):
    (healthy.home / OWN[what]).chmod(0o755)
    only(doctor(healthy), what, "can be entered by others", f"chmod 700 ~/{OWN[what]}")


@pytest.mark.parametrize("what", OWN)
def test_a_directory_that_is_read_only(healthy, what):
    (healthy.home / OWN[what]).chmod(0o500)
    only(doctor(healthy), what, "is read-only", f"chmod u+w ~/{OWN[what]}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user(healthy):
    os.chown(healthy.home / OWN["cache"], 54321, 54321)
    only(doctor(healthy), "cache", "belongs to another user", "chown")


def test_a_config_of_the_users_own_that_is_broken(healthy):
    healthy.write(".config/awsrole/config.toml", "[limits]\nwhole = 'x'\n")
    only(doctor(healthy), "config.toml", "config.toml:2", "")
    healthy.write(".config/awsrole/config.toml", 'mfa_proces = "x"\n')
    found = doctor(healthy)
    only(found, "config.toml", "config.toml:1: unknown key `mfa_proces`", "did you mean `mfa_process`?")
    assert not [one for one in found if one["about"] == "encryption"], "nothing follows from unknown settings"


# The AWS files.

def test_credentials_that_others_can_read(healthy):
    (healthy.home / ".aws/credentials").chmod(0o644)
    only(doctor(healthy), "AWS files", "can be read by others", "chmod 600 ~/.aws/credentials")


@pytest.mark.parametrize("line, number", [("[profile x\n", 5), ("nonsense\n", 5), ("[default]\n", 5)])
def test_an_aws_file_with_a_syntax_error(healthy, line, number):
    path = healthy.home / ".aws/config"
    path.write_text(path.read_text() + line)
    one = only(doctor(healthy), "AWS files", f"config:{number}", "")
    assert one["hint"]


def test_an_aws_file_that_can_not_be_read(healthy, bound):
    (healthy.home / ".aws/config").chmod(0)
    only(doctor(healthy, wrapper=bound), "AWS files", ".aws/config", "")


def test_aws_files_of_another_user(healthy):
    """As in a dev container: they are read as the AWS CLI reads them, and it is said whose they are."""
    if os.geteuid():
        pytest.skip("only root can give files away")
    folder = healthy.home / "src/first"
    for name in ("config", "credentials"):
        os.chown(healthy.home / ".aws" / name, 4711, 4711)
    findings = doctor(healthy, folder)
    assert bad(findings) == []
    owners = [one for one in about(findings, "AWS files") if "belongs to another user (uid 4711)" in one["text"]]
    assert [one["level"] for one in owners] == ["note", "note"]
    assert healthy.awsrole("why", cwd=folder).out.count("belongs to another user (uid 4711)") == 2
    assert healthy.awsrole("exec", "--", "true", cwd=folder).code == 0


def test_no_aws_files(healthy):
    for name in ("config", "credentials"):
        (healthy.home / ".aws" / name).unlink()
    assert [one["text"] for one in about(doctor(healthy), "AWS files")] == ["~/.aws/config isn't there", "~/.aws/credentials isn't there"]


PROFILES = {
    "nothing": ("region = us-east-1", "has no credentials", "aws configure --profile x"),
    "no such source": (f"role_arn = arn:aws:iam::{THERE}:role/Deploy\nsource_profile = jmup", "there is no profile `jmup`", "did you mean `jump`?"),
    "a circle": (f"role_arn = arn:aws:iam::{THERE}:role/Deploy\nsource_profile = y\n[profile y]\nrole_arn = arn:aws:iam::{THERE}:role/Deploy\n"
                 "source_profile = x", "circle", "credentials of its own"),
    "half a key": ("aws_access_key_id = AKIAX", "no `aws_secret_access_key`", "aws_secret_access_key"),
    "no such session": ("sso_session = corp\nsso_account_id = 111111111111\nsso_role_name = Admin", "there is no [sso-session corp]", "aws configure sso-session"),
    "half a session": ("sso_start_url = https://corp.example.com\nsso_region = us-east-1\nsso_role_name = Admin", "no `sso_account_id`", "sso_account_id"),
    "no role": (f"role_arn = arn:aws:iam::{THERE}:user/alice\nsource_profile = jump", "`user`", ""),
    "an unknown source": (f"role_arn = arn:aws:iam::{THERE}:role/Deploy\ncredential_source = Moon", "`Moon`", "Ec2InstanceMetadata"),
}


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_that_can_not_work(healthy, name):
    """A note, not a fault: the person may not use it here."""
    lines, text, hint = PROFILES[name]
    path = healthy.home / ".aws/config"
    path.write_text(path.read_text() + f"[profile x]\n{lines}\n")
    findings = doctor(healthy)
    assert bad(findings) == []
    [one] = [one for one in about(findings, "profile") if one["text"].startswith("x ")]
    assert one["level"] == "note" and text in one["text"] and hint in (one["hint"] or ""), one
    assert re.search(r"config:\d+", one["text"]), one


def test_lines_that_are_read_otherwise_than_meant(healthy):
    path = healthy.home / ".aws/config"
    before = len(path.read_text().splitlines())
    path.write_text(path.read_text() + "[profile two words]\n[profile x]\nregion = 'us-east-1'\n  output = json\n")
    told = [one for one in about(doctor(healthy), "AWS files") if one["level"] == "note"]
    assert [one["text"].split(": ")[0] for one in told] == [f"~/.aws/config:{before + line}" for line in (1, 4)]
    assert '`[profile "two words"]`' in told[0]["text"] and "`output` is indented deeper than `region`" in told[1]["text"]


# The network.

@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_a_proxys_password_is_masked(healthy, name):
    healthy.secrets.add("hunter2")
    findings = doctor(healthy, env={name: "http://alice:hunter2@proxy.example.com:3128"})
    unused = ", which the AWS CLI and awsrole don't use" if name == "ALL_PROXY" else ""
    assert [one["text"] for one in about(findings, "network")] == [f"{name} is …@proxy.example.com:3128{unused}"]


def test_a_proxys_password_with_an_at_sign_is_masked(healthy):
    healthy.secrets.add("hunter2")
    [one] = about(doctor(healthy, env={"HTTPS_PROXY": "http://alice:p@hunter2@proxy.example.com"}), "network")
    assert one["text"] == "HTTPS_PROXY is …@proxy.example.com"


def test_what_is_not_proxied(healthy):
    [one] = about(doctor(healthy, env={"NO_PROXY": "localhost,169.254.169.254"}), "network")
    assert one["text"] == "NO_PROXY is localhost,169.254.169.254"


def test_a_ca_bundle(healthy):
    there = healthy.write("ca.pem", "")
    assert about(doctor(healthy, env={"AWS_CA_BUNDLE": str(there)}), "network")[0]["level"] == "note"
    only(doctor(healthy, env={"AWS_CA_BUNDLE": "/home/nobody/ca.pem"}), "network", "AWS_CA_BUNDLE is /home/nobody/ca.pem", "PEM")


def test_sts_is_unreachable(healthy):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    findings = doctor(healthy, healthy.home / "src/first", env={"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"})
    one = only(findings, "STS", f"http://127.0.0.1:{port} is unreachable", "check the network")
    assert "Connection refused" in one["text"] and "prox" not in str(one), "none is set"


def test_a_key_that_is_unknown(healthy):
    path = healthy.home / ".aws/credentials"
    path.write_text(path.read_text().replace("AKIA", "AKIB"))
    one = only(doctor(healthy, healthy.home / "src/first"), "STS", "InvalidClientTokenId", "`aws configure --profile jump`")
    assert one["text"].startswith("STS refused GetCallerIdentity for profile jump"), one


def test_a_profile_that_is_exported_as_it_is(healthy):
    """Without a role there is no step, but GetCallerIdentity is still called."""
    path = healthy.home / ".aws/config"
    keys = '{"Version": 1, "AccessKeyId": "ASIAX", "SecretAccessKey": "x", "SessionToken": "x"}'
    path.write_text(path.read_text() + f"[profile x]\nendpoint_url = {healthy.sts.url}\ncredential_process = echo '{keys}'\n")
    one = only(doctor(healthy, healthy.project("x", 'profile = "x"\n', allow=True)), "STS", "InvalidClientTokenId", "credential_process")
    assert one["text"].startswith("STS refused GetCallerIdentity for profile x")


def test_a_clock_that_is_off(healthy):
    healthy.sts.fault(clock_offset_seconds=-7200)
    [one] = bad(doctor(healthy, healthy.home / "src/first"))
    assert "clock" in one["text"] + one["hint"] and "2h fast" in one["hint"], one


# The directory.

def test_a_file_that_is_not_in_force(healthy):
    [one] = about(doctor(healthy, healthy.project("new", DEPLOY)), "directory")
    assert one["level"] == "note" and "isn't in force" in one["text"] and "`awsrole why`" in one["hint"]


def test_a_file_that_is_broken(healthy):
    folder = healthy.project("new")
    (folder / ".awsrole.toml").mkdir()
    only(doctor(healthy, folder), "directory", "isn't a regular file", "rename")


def test_a_file_that_leads_nowhere(healthy):
    folder = healthy.project("new", DEPLOY.replace("jump", "jmup"), allow=True)
    only(doctor(healthy, folder), "directory", "there is no profile `jmup`", "did you mean `jump`?")


def test_no_file(healthy):
    [one] = about(doctor(healthy, healthy.project("empty")), "directory")
    assert one["level"] == "note"


@pytest.mark.parametrize("name", ["\x1b[2J", "new\nline", "\u202etxt"], ids=ascii)
def test_hostile_names_are_escaped(healthy, name):
    path = healthy.home / ".aws/config"
    path.write_text(path.read_text() + "[profile \x1b]0;x\x07]\nregion = us-east-1\n")
    doctor(healthy, healthy.project(f"a{name}b", DEPLOY))


def test_several_faults_are_all_named(healthy):
    (healthy.home / ".bashrc").unlink()
    (healthy.home / ".aws/credentials").chmod(0o644)
    (healthy.home / OWN["cache"]).chmod(0o755)
    assert {one["about"] for one in bad(doctor(healthy))} == {"hook", "AWS files", "cache"}


def test_a_role_that_was_refused(healthy):
    """The caller is well and STS answers: the role is what is wrong."""
    project = healthy.project("blocked", DEPLOY.replace("Deploy", "Closed"), allow=True)
    assert healthy.awsrole("exec", "--", "true", cwd=project).code == 4
    [one] = bad(doctor(healthy, project))
    assert one["about"] == "role" and "role/Closed" in one["text"] and "awsrole why" in one["hint"]
