"""Tests `awsrole setup`: what it adds to startup files, and that a new shell then has the hook."""

import os

import pytest

from support.documents import blocks
from support.local_sts import binary
from support.terminal import SHELLS, Terminal, need
from support.world import DEPLOY, THERE, Result

RC = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/config.fish"}
HOOK = {"bash": 'eval "$(awsrole hook bash)"', "zsh": 'eval "$(awsrole hook zsh)"', "fish": "awsrole hook fish | source"}
BEGIN, END = "# >>> awsrole >>>", "# <<< awsrole <<<"
PATH = {"PATH": f"{binary('awsrole').parent}:{os.environ['PATH']}"}


def set_up(world, *options, shell="bash", **more):
    return world.awsrole("setup", "--yes", "--shell", shell, *options, env={**PATH, **more})


def talk(terminal, *pairs):
    """Types `awsrole setup` and answers each question. Returns the whole output."""
    terminal.send("awsrole setup" + ("\r" if terminal.shell == "fish" else "\n"))
    said = ""
    for question, answer in pairs:
        terminal.process.expect_exact(question.encode())
        said += terminal.process.before.decode(errors="backslashreplace").replace("\r", "") + question
        terminal.send(answer + "\r")
    return said + terminal.wait()


@pytest.mark.parametrize("shell", SHELLS)
def test_from_an_empty_shell_to_a_role(world, shell):
    folder, rc = world.project("new"), world.home / RC[shell]
    (folder / "serverless.yml").write_text("provider:\n  profile: other\n")
    terminal = Terminal(shell, world.home, "", env={"USER": "alice", **PATH}, cwd=folder, timeout=60)
    try:
        before = rc.read_bytes()
        said = talk(terminal, (f"add this line to ~/{RC[shell]}, for the hook? [Y/n] ", ""),
                    (f"add this line to ~/{RC[shell]}, for completions? [Y/n] ", "maybe"), ("[Y/n] ", "y"),
                    ("select a role for ~/src/new? [Y/n] ", ""), ("or ARN of a role: ", "shop-d"), ("[Y/n] ", ""), ("[Y/n] ", ""),
                    ("allow it now? [Y/n] ", ""))
        assert f"  {HOOK[shell]}\n" in said and "serverless.yml:2: profile: other" in said
        assert f"your identity is arn:aws:sts::{THERE}:assumed-role/Deploy/" in said and said.count("  overrides ") == 1
        assert "start a new shell with `exec " in said
        after = rc.read_bytes()
        assert after.startswith(before + f"{BEGIN}\n{HOOK[shell]}\n".encode())
        said = terminal.run("awsrole setup --yes")
        assert f"~/{RC[shell]}:" in said and "loads the hook" in said and "completions are in" in said and rc.read_bytes() == after
        new = world.run(need(shell), "-ic", f"cd {folder}; env; awsrole setup --yes; true", env=PATH)
        assert "AWSROLE_ROLE=shop-dev\n" in new.out and "your identity is" in new.err and "start a new shell" not in new.err
        terminal.run("awsrole setup --remove")
        assert rc.read_bytes() == before
    finally:
        terminal.close()


def test_every_byte_of_a_file_is_kept(world):
    rc = world.home / ".bashrc"
    lines = [HOOK["bash"], 'eval "$(awsrole completions bash)"']
    for before in (None, b"", b"alias a=b\n", b"alias a=b", b"a\r\nb\r\n", b"a\r\nb", b"\xff\xfe caf\xe9\n"):
        if before is not None:
            rc.write_bytes(before)
            rc.chmod(0o640)
        shown = set_up(world, "--dry-run")
        assert shown.out.splitlines() == ["--- ~/.bashrc", "+++ ~/.bashrc", *(f"+{line}" for line in [BEGIN, *lines, END])]
        assert (rc.read_bytes() if rc.exists() else None) == before
        assert set_up(world).code == 0
        after = rc.read_bytes()
        assert after.startswith(before or b"") and all(f"\n{line}\n".encode() in after for line in lines)
        assert before is None or rc.stat().st_mode & 0o777 == 0o640
        again = set_up(world)
        assert again.code == 0 and "~/.bashrc:" in again.err and rc.read_bytes() == after
        assert "-" + HOOK["bash"] in world.awsrole("setup", "--remove", "--dry-run").out and rc.read_bytes() == after
        result = world.awsrole("setup", "--remove")
        assert result.code == 0 and "removed awsrole's lines from ~/.bashrc" in result.err
        assert (rc.read_bytes() if rc.exists() else None) == before
    assert "no startup file has lines" in world.awsrole("setup", "--remove").err


def test_a_link_of_a_dotfile_tool_stays_a_link(world):
    real, rc = world.write("dotfiles/bash/rc", "alias a=b\n"), world.home / ".bashrc"
    rc.symlink_to("dotfiles/bash/rc")
    assert "~/.bashrc is a link: ~/dotfiles/bash/rc was changed" in set_up(world).err
    assert rc.is_symlink() and HOOK["bash"] in real.read_text()
    assert world.awsrole("setup", "--remove").code == 0
    assert rc.is_symlink() and real.read_text() == "alias a=b\n"


def test_what_can_not_be_changed_is_printed(world):
    rc = world.home / ".bashrc"

    def refused(*reasons):
        before = rc.read_bytes() if rc.is_file() else None
        result = set_up(world)
        assert result.code == 1 and all(reason in result.err for reason in reasons), result.err
        assert f"  add to ~/.bashrc manually:\n    {HOOK['bash']}\n" in result.err
        assert before is None or rc.read_bytes() == before

    rc.mkdir()
    refused("cannot use ~/.bashrc", "not a regular file")
    rc.rmdir()
    rc.write_text("# mine\n")
    rc.chmod(0o444)
    refused("~/.bashrc was not changed: it is read-only")
    rc.chmod(0o644)
    source = world.write(".local/share/chezmoi/private_dot_bashrc.tmpl", "")
    refused("~/.bashrc was not changed: chezmoi generates it")
    source.unlink()
    rc.write_text(f"# mine\n{BEGIN}\nalias a=b\n")
    refused("~/.bashrc:2: the block that begins here has no end line", "delete the lines")
    assert world.awsrole("setup", "--remove").code == 1


def test_lines_of_the_user_stay(world):
    mine = f"# mine\n{HOOK['bash']}\nsource <(awsrole completions bash)\n"
    rc = world.write(".bashrc", mine)
    said = set_up(world)
    assert (said.code, rc.read_text()) == (0, mine) and "~/.bashrc:2 loads the hook" in said.err and "~/.bashrc:3" in said.err
    assert "~/.bashrc:2 loads the hook, and `awsrole setup` didn't add it" in world.awsrole("setup", "--remove").err
    assert rc.read_text() == mine


@pytest.mark.parametrize("profile", ["umask 22\n", "[ -f ~/.bashrc ] && . ~/.bashrc\n"])
def test_login_shells_of_bash(world, profile):
    """A login shell reads one other file. If that sources the rc file, one line is enough."""
    world.write(".profile", f"export PATH=\"{PATH['PATH']}\"\n{profile}")
    before = (world.home / ".profile").read_bytes()
    assert set_up(world).code == 0
    assert ((world.home / ".profile").read_bytes() == before) == (".bashrc" in profile)
    for option in ("-lic", "-ic"):
        said = world.run(need("bash"), option, "declare -F awsrole; true", env=PATH)
        assert "awsrole" in said.out, said
    if ".bashrc" not in profile:
        assert world.run("dash", "-c", f". {world.home}/.profile", env=PATH) == Result(0, "", "")
    assert world.awsrole("setup", "--remove").code == 0
    assert (world.home / ".profile").read_bytes() == before and not (world.home / ".bashrc").exists()


def test_the_end_is_an_identity_or_one_line(world):
    folder = world.project("shop", DEPLOY)
    (folder / "serverless.yml").write_text("provider:\n  profile: other\n")
    run = lambda: world.awsrole("setup", "--yes", "--shell", "bash", cwd=folder, env=PATH)  # noqa: E731
    assert "`awsrole allow` shows and approves ~/src/shop/.awsrole.toml" in run().err
    world.allow(folder)
    said = run().err
    assert f"your identity is arn:aws:sts::{THERE}:assumed-role/Deploy/alice" in said and "serverless.yml:2: profile: other" in said
    assert ":user/bystander" in set_up(world).err, "outside of projects it is that of the default profile"
    world.sts.stop()
    failed = set_up(world)
    assert failed.code == 0 and failed.err.splitlines()[-1].startswith("awsrole: no identity yet: "), failed.err


def test_without_a_terminal_it_names_the_options(world):
    result = world.awsrole("setup", "--shell", "bash", wrapper=("setsid", "-w"))
    assert result.code == 2 and "awsrole setup --yes" in result.err
    assert world.awsrole("setup", "--yes", env={"SHELL": "/bin/dash"}).code == 2
    assert not (world.home / ".bashrc").exists()


MODULES = {"nu": ".config/nushell/config.nu", "xonsh": ".xonshrc", "elvish": ".config/elvish/rc.elv", "tcsh": ".tcshrc"}


@pytest.mark.parametrize("shell", MODULES)
def test_lines_of_a_module_are_printed(world, shell):
    """They are those of the document. The file is the user's to change, also without a terminal."""
    [lines] = [block.text.splitlines() for block in blocks() if block.world == f"rc-{shell}"]
    file, env = world.home / MODULES[shell], {**PATH, "SHELL": f"/usr/bin/{shell}"}
    for words in ("setup",), ("setup", "--yes"), ("setup", "--dry-run"):
        result = world.awsrole(*words, env=env, wrapper=("setsid", "-w"))
        assert result.code == 0 and f"setup doesn't change ~/{MODULES[shell]}: add to it manually" in result.err, result
        assert [line[4:] for line in result.err.splitlines() if line.startswith("    ")] == lines
        assert not file.exists()
    world.write(MODULES[shell], "# mine\n" + "\n".join(lines) + "\n")
    place = f"~/{MODULES[shell]}:{len(lines) + 1} loads the hook"
    result = world.awsrole("setup", "--yes", env=env)
    assert result.code == 0 and place in result.err and "add to it" not in result.err
    assert f"{place}, and `awsrole setup` didn't add it: remove it manually" in world.awsrole("setup", "--remove").err
    assert file.read_text().count("\n") == len(lines) + 1
