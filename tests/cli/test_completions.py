"""Completion: what Tab offers, in the real shells."""

import os

import pytest

from support.hooked_shell import wait_for
from support.local_sts import binary
from support.terminal import SHELLS, Terminal

ROLES = """\
[role.dev]
profile = "jump"
[role.prod]
profile = "jump"
[role.'$(touch${IFS}x)']
profile = "jump"
"""


@pytest.fixture
def shop(world):
    """A file that isn't allowed, which is no reason not to complete."""
    return world.project("shop", ROLES)


def offered(world, shop, *words):
    """What the engine prints for these words, the last of which is being typed."""
    env = {"AWSROLE_COMPLETE": "fish"}
    result = world.awsrole("--", "awsrole", *words, cwd=shop, env=env)
    assert (result.code, result.err) == (0, ""), result
    return [line.split("\t")[0] for line in result.out.splitlines()]


@pytest.mark.parametrize("words", [["use", ""], ["exec", "--role", ""], ["why", "--role", ""], ["console", "--role", ""]], ids=" ".join)
def test_roles(world, shop, words):
    assert [name for name in offered(world, shop, *words) if not name.startswith("-")] == ["dev", "prod"]
    assert offered(world, shop, *words)[:3] == ["dev", "prod", "-"] or words[0] != "use", "names come before options"


def test_roles_have_descriptions(world):
    """No description contains what separates candidates in a shell."""
    folder = world.project("named", 'source_profile = "jump"\n[role.dev]\nrole_arn = "arn:aws:iam::222222222222:role/Deploy"\n')
    world.write(".config/awsrole/config.toml", '[accounts.222222222222]\nname = "shop: dev"\n')
    result = world.awsrole("--", "awsrole", "use", "", cwd=folder, env={"AWSROLE_COMPLETE": "fish"})
    assert result.out.splitlines()[:2] == ["dev\tDeploy in shop? dev (222222222222)", "-\tthe previous role"], result


@pytest.mark.parametrize("words", [["init", "--profile", ""], ["keys", "add", ""], ["revoke", "--apply", "--profile", ""],
                                   ["use", "--profile", ""]], ids=" ".join)
def test_profiles(world, shop, words):
    assert "jump" in offered(world, shop, *words) and "--" not in offered(world, shop, *words)[:1]


@pytest.mark.parametrize("words", [["login", ""], ["logout", "--sso", ""]], ids=" ".join)
def test_sessions(world, shop, words):
    config = world.home / ".aws/config"
    config.write_text(config.read_text() + "[sso-session corp]\n[sso-session 'x;id']\n")
    assert [name for name in offered(world, shop, *words) if not name.startswith("-")] == ["corp"]


def test_commands_directories_and_nothing_outside_a_project(world, shop):
    assert "credential-process" in offered(world, shop, "cre") and "renew" not in offered(world, shop, "hook", "")
    (shop / "folder").mkdir()
    (shop / "file").touch()
    assert "folder/" in offered(world, shop, "allow", "f") and "file" not in offered(world, shop, "allow", "f")
    assert [name for name in offered(world, world.home, "use", "") if not name.startswith("-")] == []
    assert "ls" in offered(world, shop, "exec", "--", "l")
    assert [name for name in offered(world, shop, "prompt", "") if not name.startswith("-")] == [
        "bash", "zsh", "fish", "p10k", "starship", "oh-my-posh"]
    assert not {"man", "schema"} & set(offered(world, shop, "")), "packages call these"


def test_a_broken_file_completes_nothing(world):
    folder = world.project("broken", "nonsense")
    assert [name for name in offered(world, folder, "use", "") if not name.startswith("-")] == []


@pytest.fixture(params=SHELLS)
def tty(request, world, shop, tmp_path):
    """A shell with the hook and the completion."""
    shell = request.param
    path = f"{binary('awsrole').parent}:{os.environ['PATH']}"
    load = {"bash": 'eval "$(awsrole {})"', "zsh": 'eval "$(awsrole {})"', "fish": "awsrole {} | source"}[shell]
    before = {"zsh": "autoload -Uz compinit && compinit -D\n"}.get(shell, "")
    rc = before + load.format(f"hook {shell}") + "\n" + load.format(f"completions {shell}")
    env = world.environment(PATH=path, HOME=str(tmp_path / "terminal"))
    terminal = Terminal(shell, tmp_path / "terminal", rc, env=env, cwd=shop, editing=True)
    assert "awsrole: completion" not in terminal.greeting
    yield terminal
    terminal.close()


@pytest.mark.parametrize(("typed", "whole"), [
    ("awsrole use pr", "use prod"), ("awsrole exec --role de", "exec --role dev"), ("awsrole cred", "credential-process"),
    ("awsrole exec -- tes-t", "exec -- tes-ting"), ("awsrole sudo tes-t", "sudo tes-ting"),
    ("awsrole sudo -r de", "sudo -r dev"), ("awsrole sudo -r dev tes-t", "sudo -r dev tes-ting"),
])
def test_tab(tty, shop, typed, whole, world):
    """A shell function replaces the command, so that the test sees its words."""
    seen = tty.file()
    tools = world.home / "tools"
    tools.mkdir()
    (tools / "tes-ting").write_text("#!/bin/sh\n")
    (tools / "tes-ting").chmod(0o755)
    path = f"set -gx PATH {tools} $PATH" if tty.shell == "fish" else f"PATH={tools}:$PATH"
    tty.run(path)
    said = f"function awsrole; echo $argv > {seen}; end" if tty.shell == "fish" else f'awsrole() {{ echo "$@" >| {seen}; }}'
    tty.run(said)
    tty.send(typed + "\t")
    tty.run("")
    # zsh shows its prompt again after a notice, so that this prompt may be the one before.
    wait_for(lambda: seen.exists() and seen.read_text())
    assert seen.read_text().strip() == whole


def test_zsh_without_compinit_gets_one_line(world):
    script = world.write("completions", world.awsrole("completions", "zsh").out)
    result = world.run("zsh", "-fc", f"source {script}")
    assert result.err.count("\n") == 1 and "compinit" in result.err, result
