"""Tests the quickstart: its demonstration, its exit codes, and that it leaves nothing behind."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pexpect
import pytest
from quickstart import RUN, plain, run, transcript

from support.terminal import SHELLS, need

READY = r"[$%>] [^\n ]*$"
DEMO = (RUN.parent / "demo").read_text().splitlines()


@pytest.fixture(params=SHELLS)
def shell(request):
    need(request.param)
    return request.param


def left_over(tmp: Path) -> list[str]:
    return [path.name for path in tmp.iterdir() if path.name.startswith("awsrole-quickstart")]


def test_the_demonstration_shows_both_roles_and_the_way_back(shell, tmp_path):
    code, seen = run(shell, DEMO, tmp_path)
    assert code == 0, seen
    for expected in (
        "isn't allowed yet: `awsrole allow`",
        "\nprofile personal\n",
        "dev in acme-dev (222222222222), renews in",
        "\nrole dev in acme-dev, key ASIA",
        "AssumeRole arn:aws:iam::222222222222:role/Deploy",
        "prod in acme-prod (333333333333), renews in",
        "prod@acme-prod",
        "+# v2",
    ):
        assert expected in seen, seen
    # Each typed line is visible after a prompt.
    for line in DEMO:
        assert re.search(rf"^~.* {re.escape(line)}$", seen, re.M), f"{line!r} is not in\n{seen}"
    assert "No such process" not in seen and seen.rindex("\nprofile personal\n") > seen.index("+# v2")
    assert "cannot set terminal" not in seen and left_over(tmp_path) == []


def test_the_text_fits_and_its_five_lines_work(tmp_path):
    """As they are shown, on a terminal: each question is answered with yes."""
    text = RUN.read_text().split("explain() {\n  cat <<'TEXT'\n")[1].split("\nTEXT")[0]
    assert all(len(line) <= 76 for line in text.splitlines())
    lines = [line[2:48].strip() for line in text.splitlines() if line.startswith("  ")]
    assert len(lines) == 5
    shown = transcript("true", [*lines, "cd; identity"], tmp_path)
    for expected in ("profile personal\n", "role dev in acme-dev, key ASIA", "Assume prod in acme-prod (333333333333)? [y/N] y\n",
                     "prod in acme-prod (333333333333), renews in", "+# v2", "role/Audit", '"sts:AssumeRole"'):
        assert expected in shown, shown
    assert shown.rstrip().endswith("profile personal"), shown


def test_the_code_is_the_shells(shell, tmp_path):
    assert run(shell, ["cd shop-dev", "exit 7"], tmp_path, each=False)[0] == 7
    assert run(shell, ["false"], tmp_path, each=False)[0] == 1
    assert run(shell, ["false", "true"], tmp_path, each=False)[0] == 0


def test_nothing_of_the_callers_aws_settings_comes_along(shell, tmp_path):
    mine = {"AWS_SESSION_TOKEN": "mine", "HTTPS_PROXY": "http://192.0.2.1:1", "HTTP_PROXY": "http://192.0.2.1:1",
            "XDG_CACHE_HOME": str(tmp_path / "mine"), "AWS_CONFIG_FILE": str(tmp_path / "mine")}
    out = tmp_path / "env"
    code, seen = run(shell, [f"env > {out}", "cd shop-dev", "awsrole allow", "test $AWSROLE_ROLE = shop-dev"], tmp_path, **mine)
    assert code == 0, seen
    names = {line.split("=", 1)[0] for line in out.read_text().splitlines()}
    assert not names & set(mine) and not (tmp_path / "mine").exists()
    assert {name for name in names if name.startswith("AWS")} == {"AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SIGNIN"}


def opened(shell, tmp) -> pexpect.spawn:
    terminal = pexpect.spawn(
        str(RUN), ["--shell", shell], env={**os.environ, "TMPDIR": str(tmp), "TERM": "xterm"}, dimensions=(40, 150), timeout=30
    )
    terminal.expect_exact("~")
    terminal.expect(READY)
    return terminal


def test_on_a_terminal(shell, tmp_path):
    terminal = opened(shell, tmp_path)
    for typed, expected in (
        ("cd shop-dev\r", "isn't allowed yet"),
        ("awsrole allow\r", "Allow? [y/N] "),
        ("y\r", "shop-dev in acme-dev (222222222222), renews in"),
        ("exit 5\r", "is removed"),
    ):
        terminal.send(typed)
        terminal.expect_exact(expected)
        if "exit" not in typed and "?" not in expected:
            terminal.expect(READY)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 5 and left_over(tmp_path) == []


def test_a_code_opens_the_chain_of_shop_admin(shell, tmp_path):
    terminal = opened(shell, tmp_path)
    terminal.send("authenticator\r")
    terminal.expect(r"\b(\d{6})\r")
    code = terminal.match[1].decode()
    terminal.expect(READY)
    terminal.send("cd shop-admin; awsrole allow\r")
    terminal.expect_exact("Allow? [y/N] ")
    terminal.send("y\r")
    terminal.expect_exact("MFA code of jump for ")
    terminal.send(f"{code}\r")
    terminal.expect_exact("shop-admin in acme-prod (333333333333), renews in")
    terminal.expect(READY)
    terminal.send("exit\r")
    terminal.expect(pexpect.EOF)
    terminal.close()


def runs_sts(cmdline: Path, tmp: Path) -> bool:
    try:
        return f"awsrole-local-sts\0{tmp}/".encode() in cmdline.read_bytes()
    except OSError:
        return False


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_it_and_nothing_stays(shell, tmp_path, name):
    terminal = opened(shell, tmp_path)
    terminal.send("sleep 600\r")
    [sts] = [path.parent for path in Path("/proc").glob("[0-9]*/cmdline") if runs_sts(path, tmp_path)]
    os.kill(terminal.pid, number := getattr(signal, name))
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 128 + number
    assert left_over(tmp_path) == [] and not runs_sts(sts / "cmdline", tmp_path)


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["--shell", "tcsh", "--script"], "--shell is bash, zsh or fish"),
        (["--shell", "bash"], "this is no terminal"),
        (["--shell", "bash", "--script", "/nowhere"], "/nowhere"),
        (["--nonsense"], "--script [FILE]"),
        (["--shell"], "--script [FILE]"),
    ],
)
def test_wrong_usage_says_so(arguments, expected, tmp_path):
    done = subprocess.run([RUN, *arguments], env={**os.environ, "TMPDIR": str(tmp_path)}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    assert done.returncode in (1, 2) and expected in done.stderr and left_over(tmp_path) == []


def test_lines_can_come_from_stdin(tmp_path):
    done = subprocess.run([RUN, "--shell", "bash", "--script", "-"], input=b"cd shop-dev\nawsrole allow\necho $AWSROLE_ROLE",
                          env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True)
    assert done.returncode == 0 and plain(done.stdout.decode()).endswith("\nshop-dev\n")
