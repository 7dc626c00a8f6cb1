"""Tests `awsrole history`: who received which role, when, where and from which source, and when writing it fails."""

import re
import stat
import subprocess
from datetime import datetime, timedelta

import pytest

from support.aws_files import role_file
from support.local_sts import binary
from support.world import DEPLOY, HERE, THERE

FILE = ".local/state/awsrole/history"
ARN = f"arn:aws:iam::{THERE}:role/Deploy"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def enter(world, folder, event="cd"):
    done = world.awsrole("hook", "export", "bash", "--event", event, cwd=folder)
    assert "__awsrole_done role " in done.out, done
    return done


def history(world) -> list[dict]:
    return world.awsrole("history", "--json").json


def test_nothing_is_nothing(world):
    done = world.awsrole("history")
    assert (done.code, done.out, done.err) == (0, "", "") and history(world) == []


def test_entering_and_new_sessions_are_told_apart(world, shop):
    build = world.project("build", role_file("Build", HERE), allow=True)
    enter(world, shop)
    enter(world, shop)
    enter(world, build, "prompt")
    world.exec_env(build)
    assert world.awsrole("env", "--format", "json", cwd=build).code == 0
    listed = history(world)
    assert [(e["what"], e["new"], e["directory"], e["role_arn"]) for e in listed] == [
        ("assumed", True, str(shop), ARN),
        ("assumed", False, str(shop), ARN),
        ("assumed", True, str(build), f"arn:aws:iam::{HERE}:role/Build"),
        ("exec", False, str(build), f"arn:aws:iam::{HERE}:role/Build"),
        ("env", False, str(build), f"arn:aws:iam::{HERE}:role/Build"),
    ]
    first, second = listed[:2]
    assert first["key"] == second["key"] and first["key"].startswith("ASIA")
    assert re.fullmatch(TIME, first["at"]) and re.fullmatch(TIME, first["expires"])
    assert {e["source"] for e in listed} == {"profile jump"} and {e["role"] for e in listed} == {"Deploy", "Build"}
    assert [e["account_name"] for e in listed] == [None] * 5

    world.write(".config/awsrole/config.toml", f'[accounts.{THERE}]\nname = "shop-prod"\n')
    lines = world.awsrole("history").out.splitlines()
    local, shop_prod = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", rf"shop-prod \({THERE}\)"
    assert re.fullmatch(rf"{local}  assumed, new session  Deploy  {ARN}  {shop_prod}  profile jump  ~/src/shop", lines[0])
    assert re.fullmatch(rf"{local}  assumed  +Deploy  {ARN}  {shop_prod}  profile jump  ~/src/shop", lines[1])
    assert re.fullmatch(rf"{local}  exec  +Build   arn:aws:iam::{HERE}:role/Build   {HERE}  +profile jump  ~/src/build", lines[3])
    assert world.awsrole("history", "-n", "2").out.split() == "\n".join(lines[-2:]).split()
    assert world.awsrole("history", "--limit", "1", "--json").json == history(world)[-1:]
    assert world.awsrole("history", "-n", "9").out.splitlines() == lines and world.awsrole("history", "-n", "0").out == ""
    assert len({line.index("arn:") for line in lines}) == len({line.index("profile jump") for line in lines}) == 1


def test_a_role_has_its_name_in_the_project(world):
    roles = role_file("Deploy", THERE)
    folder = world.project("roles", f'default_role = "prod"\n[role.prod]\n{roles}[role.keys]\nprofile = "jump"\n', allow=True)
    for role in ("prod", "keys"):
        assert world.awsrole("exec", "--role", role, "--", "true", cwd=folder).code == 0
    prod, keys = world.awsrole("history").out.splitlines()
    assert f"  prod  {ARN}  " in prod and re.search(r"  keys  -  +-  ", keys)


def test_columns_are_aligned_for_names_of_any_width(world, shop):
    """In columns of the terminal, not in bytes or characters. A name that is very long moves only its own line."""
    world.exec_env(shop)
    wide = world.project("wide", 'default_role = "日本\u202e語"\n[role."日本\u202e語"]\nprofile = "jump"\n', allow=True)
    world.exec_env(wide)
    lines = world.awsrole("history").out.splitlines()
    assert "\u202e" not in lines[1] and "日本\\u{202e}語" in lines[1]
    before = [line[:line.index("profile jump")] for line in lines]
    wide_characters = 3
    assert len(before[0]) == len(before[1]) + wide_characters
    path = world.home / FILE
    entry = path.read_text().strip().splitlines()[0]
    path.write_text(path.read_text() + "\n" + entry.replace(ARN, "arn:" + "x" * 500))
    assert world.awsrole("history").out.splitlines()[1].startswith(lines[1].split("日本")[0])
    assert len(world.awsrole("history").out.splitlines()[1]) < 200


@pytest.mark.parametrize(("zone", "hours"), [("UTC", 0), ("<+05>-5", 5), ("<-03>3", -3)])
def test_times_are_local_and_in_json_utc(world, shop, zone, hours):
    world.exec_env(shop)
    [entry] = world.awsrole("history", "--json").json
    at = datetime.strptime(entry["at"], "%Y-%m-%dT%H:%M:%SZ") + timedelta(hours=hours)
    assert world.awsrole("history", env={"TZ": zone}).out.startswith(f"{at}  exec")
    until = datetime.strptime(entry["expires"], "%Y-%m-%dT%H:%M:%SZ") + timedelta(hours=hours)
    for command in (["why"], ["status", "--long"]):
        shown = world.awsrole(*command, cwd=shop, env={"TZ": zone}).out
        assert re.search(rf"until {until} \(in \d+[hm]", shown), shown
        assert "Z" not in shown.split("until")[1].splitlines()[0]
    assert world.awsrole("why", "--json", cwd=shop, env={"TZ": zone}).json["chain"]["links"][-1]["cached_until"] == entry["expires"]


def test_renewals_and_sdks(world, shop):
    assert world.awsrole("credential-process", "--dir", shop).code == 0
    assert world.awsrole("credential-process", "--dir", shop).code == 0
    world.awsrole("refresh", cwd=shop)
    world.awsrole("hook", "renew", "--", shop / ".awsrole.toml", cwd=shop)
    world.awsrole("hook", "renew", "--", shop / ".awsrole.toml", cwd=shop)
    enter(world, shop, "due")
    assert [(e["what"], e["new"], e["directory"]) for e in history(world)] == [
        ("credential-process", True, str(shop)), ("renewed", True, str(shop))]


def test_what_was_not_handed_out_is_not_listed(world):
    blocked = world.project("blocked", DEPLOY.replace("Deploy", "Closed"), allow=True)
    unknown = world.project("unknown", DEPLOY)
    for folder in (blocked, unknown):
        world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder)
        assert world.awsrole("exec", "--", "true", cwd=folder).code != 0
    assert history(world) == []


def test_no_secret_is_in_it_and_nobody_else_reads_it(world, shop):
    env = world.exec_env(shop)
    path = world.home / FILE
    text = path.read_text()
    assert env["AWS_ACCESS_KEY_ID"] in text
    assert not any(secret in text for secret in world.secrets) and env["AWS_SESSION_TOKEN"] not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    enter(world, shop)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["new\nline", "\x1b[2J\x1b]0;x\x07", "\u202etxt", "quo'te\"\\", b"\xff\xfe"])
def test_hostile_directories(world, name):
    folder = world.home / "src" / (name.decode(errors="surrogateescape") if isinstance(name, bytes) else name)
    folder.mkdir(parents=True)
    (folder / ".awsrole.toml").write_text(DEPLOY)
    world.allow(folder)
    enter(world, folder)
    enter(world, folder)
    done = world.awsrole("history")
    assert len(done.out.splitlines()) == len(history(world)) == 2
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", done.out)
    if isinstance(name, str):
        assert history(world)[0]["directory"] == str(folder)


def test_writers_at_once_do_not_mix(world, shop):
    enter(world, shop)
    words = [binary("awsrole"), "hook", "export", "bash", "--event", "cd"]
    started = [subprocess.Popen(words, cwd=shop, env=world.environment(PWD=str(shop)), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(40)]
    assert [process.wait() for process in started] == [0] * 40
    assert [e["new"] for e in history(world)] == [True] + [False] * 40


def test_it_is_bounded_and_writers_at_its_edge_lose_nothing(world, shop):
    """Almost full, with lines of its own; then many writers turn it over, once."""
    enter(world, shop)
    path = world.home / FILE
    line = path.read_bytes()
    path.write_bytes(line * ((512 * 1024 - 2000) // len(line)))
    before = len(history(world))
    words = [binary("awsrole"), "hook", "export", "bash", "--event", "cd"]
    for _ in range(2):
        started = [subprocess.Popen(words, cwd=shop, env=world.environment(PWD=str(shop)), stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(20)]
        assert [process.wait() for process in started] == [0] * 20
    assert len(history(world)) == before + 40
    older = path.with_name("history.1")
    assert 512 * 1024 <= older.stat().st_size < 513 * 1024 and path.stat().st_size < 20_000
    # Full again: the oldest go.
    path.write_bytes(line * (512 * 1024 // len(line) + 1))
    enter(world, shop)
    assert not path.exists() and 512 * 1024 <= older.stat().st_size < 513 * 1024
    assert history(world)[-1]["new"] is False


@pytest.mark.parametrize("in_the_way", ["folder", "link", "fifo", "read-only"])
def test_a_history_that_cannot_be_written_takes_no_role_away(world, shop, in_the_way, tmp_path):
    path = world.home / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    if in_the_way == "folder":
        path.mkdir()
    elif in_the_way == "link":
        (tmp_path / "elsewhere").write_text("mine")
        path.symlink_to(tmp_path / "elsewhere")
    elif in_the_way == "fifo":
        subprocess.run(["mkfifo", path], check=True)
    else:
        # As root a mode keeps nobody out; a folder that can't be made does.
        path.parent.rename(tmp_path / "state")
        path.parent.write_text("")
    assert "hint" not in enter(world, shop).err
    assert world.awsrole("exec", "--", "true", cwd=shop).code == 0
    assert world.awsrole("history").out == ""
    if in_the_way == "link":
        assert (tmp_path / "elsewhere").read_text() == "mine"
