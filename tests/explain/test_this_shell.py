"""`awsrole doctor` in real shells: whether the hook works there, and the very line that is missing."""

import os
import re
import shutil

import pytest

from support.local_sts import binary
from support.terminal import Terminal, need
from support.world import DEPLOY

HOOK = {"bash": 'eval "$(awsrole hook bash)"', "zsh": 'eval "$(awsrole hook zsh)"', "fish": "awsrole hook fish | source"}
RC = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/config.fish"}


@pytest.fixture
def here(world):
    """A home without startup files and without profiles that can't work."""
    world.write(".aws/config", f"[profile jump]\nendpoint_url = {world.sts.url}\n")
    path = world.home / ".aws/credentials"
    path.write_text(path.read_text().split("# role profiles")[0])
    return world


def run(world, shell, command, *, login=False, cwd=None, programs=None):
    """What a command prints in an interactive shell. The shell has to stay its parent, so it isn't the last one."""
    folder = programs or os.path.dirname(binary("awsrole"))
    path = f'export PATH="{folder}:$PATH"\n' if shell == "bash" else ""
    words = [need(shell), "-lic" if login else "-ic", f"{path}{command}; true"]
    # A login shell may set PATH anew.
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "XDG_CONFIG_HOME": str(world.home / ".config")}
    for name in (".bash_profile", ".profile") if login and shell == "bash" else ():
        file = world.home / name
        if file.exists() and path not in file.read_text():
            file.write_text(path + file.read_text())
    return world.run(*words, cwd=cwd, env=env)


def findings(world, shell, **options):
    return run(world, shell, "awsrole doctor --json", **options).json


def this_shell(told):
    [one] = [one for one in told if one["about"] == "this shell"]
    return one


def add(world, hint):
    """Pastes the line of a hint into its file."""
    file, line = re.match(r"add to ~/(\S+): (.*)", hint).groups()
    path = world.write(file, (world.home / file).read_text() if (world.home / file).exists() else "")
    path.write_text(path.read_text() + line + "\n")


@pytest.mark.parametrize("login", [False, True], ids=["interactive", "login"])
@pytest.mark.parametrize("shell", HOOK)
def test_the_line_that_is_missing_is_told_and_works(here, shell, login):
    one = this_shell(findings(here, shell, login=login))
    assert one["level"] == "bad" and "has no hook" in one["text"] and HOOK[shell] in one["hint"]
    if not login or shell != "bash":
        assert f"~/{RC[shell]}: " in one["hint"]
    add(here, one["hint"])
    one = this_shell(findings(here, shell, login=login))
    assert (one["level"], one["text"]) == ("ok", "has the hook")


def test_a_login_bash_that_does_not_read_the_hooks_file(here):
    here.write(".bashrc", HOOK["bash"] + "\n")
    here.write(".profile", "umask 22\n")
    told = findings(here, "bash", login=True)
    one = this_shell(told)
    assert told[-1] == one, "problems are last"
    assert one["level"] == "bad" and "a login shell of bash" in one["text"] and "~/.bashrc:1" in one["text"]
    assert one["hint"].startswith("add to ~/.profile: ") and HOOK["bash"] in one["hint"]
    # In the other shells of this user it works, and it is said that it doesn't everywhere.
    told = findings(here, "bash")
    assert this_shell(told)["level"] == "ok" and [one for one in told if one["level"] == "bad"] == []
    assert any("as a login shell doesn't load it" in one["text"] for one in told)
    add(here, one["hint"])
    assert this_shell(findings(here, "bash", login=True))["level"] == "ok"


def test_zsh_with_the_line_in_bashs_file(here):
    here.write(".bashrc", HOOK["bash"] + "\n")
    one = this_shell(findings(here, "zsh"))
    assert one["level"] == "bad" and "zsh doesn't read ~/.bashrc:1" in one["text"]
    assert one["hint"] == f"add to ~/.zshrc: {HOOK['zsh']}"


def test_an_accounts_shell_is_judged_where_the_caller_is_no_shell(here):
    here.write(".bashrc", HOOK["bash"] + "\n")
    told = here.awsrole("doctor", "--json", env={"SHELL": "/bin/zsh"}).json
    [one] = [one for one in told if one["level"] == "bad"]
    assert one["about"] == "startup" and one["hint"] == f"add to ~/.zshrc: {HOOK['zsh']}"
    assert [one for one in here.awsrole("doctor", "--json", env={"SHELL": "/bin/bash"}).json if one["level"] == "bad"] == []


def test_a_script_is_no_shell(here):
    script = here.write("script", f"{binary('awsrole')} doctor --json\ntrue\n")
    one = this_shell(here.run("bash", script).json)
    assert one["level"] == "note" and "a program" in one["text"]


def test_the_hook_of_another_shell(here):
    here.write(".zshrc", f"# mine\n{HOOK['bash']}\n")
    told = findings(here, "zsh")
    assert this_shell(told)["level"] == "bad"
    assert any(one["level"] == "bad" and "zsh reads ~/.zshrc:2, which loads the hook of bash" in one["text"] and HOOK["zsh"] in one["hint"]
               for one in told)


def test_the_hook_twice(here):
    here.write(".bashrc", f"{HOOK['bash']}\n. ~/.aliases\n")
    here.write(".aliases", f"{HOOK['bash']}\n")
    told = findings(here, "bash")
    [one] = [one for one in told if "twice" in one["text"]]
    assert (one["level"], one["hint"]) == ("note", "remove ~/.aliases:1") and this_shell(told)["level"] == "ok"


@pytest.mark.parametrize("shell, line", [("bash", "PROMPT_COMMAND=(mine)"), ("zsh", "precmd_functions=(mine)")])
def test_a_plugin_that_replaces_the_prompts_hook(here, shell, line):
    here.write(RC[shell], f"{HOOK[shell]}\nmine() {{ :; }}\n{line}\n")
    one = this_shell(findings(here, shell))
    assert one["level"] == "bad" and f"~/{RC[shell]}:3 replaced" in one["text"] and f"~/{RC[shell]}:1" in one["hint"]
    here.write(RC[shell], f"mine() {{ :; }}\n{line}\n{HOOK[shell]}\n")
    assert this_shell(findings(here, shell))["level"] == "ok"


def test_a_readonly_prompt_command(here):
    here.write(".bashrc", f"# mine\nreadonly PROMPT_COMMAND\n{HOOK['bash']}\n")
    one = this_shell(findings(here, "bash"))
    assert one["level"] == "bad" and "inactive" in one["text"] and "PROMPT_COMMAND is readonly" in one["text"]
    assert "~/.bashrc:2" in one["hint"] and "awsrole exec" in one["hint"]


def test_other_commands_say_it_in_a_shell_without_the_hook(here):
    folder = here.project("shop", DEPLOY)
    line = f"add to ~/.bashrc: {HOOK['bash']}"
    opened = Terminal("bash", here.home, cwd=folder, env={"PATH": f"{os.path.dirname(binary('awsrole'))}:{os.environ['PATH']}"})
    try:
        assert opened.run("awsrole allow --yes").splitlines()[-1] == f"awsrole: this shell has no hook: {line}"
        assert line in opened.run("awsrole status --long")
        assert opened.run("awsrole why").splitlines()[-1].endswith(f"nothing in this shell, which has no hook: {line}")
        assert "AssumeRole is called" not in opened.run("awsrole why")
    finally:
        opened.close()


def test_problems_are_last_and_red(here):
    (here.home / ".aws/credentials").chmod(0o644)
    env = {"PATH": f"{os.path.dirname(binary('awsrole'))}:{os.environ['PATH']}", "TERM": "xterm"}
    opened = Terminal("bash", here.home, cwd=here.home, env=env)
    try:
        opened.send("awsrole doctor; true\n")
        seen = opened.process.expect(r"\d+ problems? found")
        before = opened.process.before
    finally:
        opened.close()
    assert seen == 0 and before.count(b"\x1b[1;31mBAD\x1b[0m") == 2
    assert b"\nok " not in before[before.index(b"\x1b[1;31m"):] and b"\nnote " not in before[before.index(b"\x1b[1;31m"):]


def test_the_versions_of_both_programs(here, tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("awsrole", "awsrole-hook"):
        shutil.copy(binary(name), programs)

    def found():
        told = here.run(programs / "awsrole", "doctor", "--json", env={"PATH": f"{programs}:{os.environ['PATH']}"}).json
        return [(one["level"], one["text"]) for one in told if one["about"] == "programs"]

    [(level, text)] = found()
    assert level == "ok" and re.fullmatch(rf"awsrole and awsrole-hook \d+\.\d+\.\d+ \(([0-9a-f]+(-modified)?, )?protocol \d+\) in {programs}", text)
    (programs / "awsrole-hook").write_text("#!/bin/sh\necho awsrole-hook 0.0.1\n")
    [(level, text)] = found()
    assert level == "bad" and "is awsrole-hook 0.0.1, and awsrole is version" in text
    (programs / "awsrole-hook").unlink()
    [(level, text)] = found()
    assert level == "note" and f"without {programs}/awsrole-hook" in text
