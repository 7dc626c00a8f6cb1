"""Tests unusual file systems: special files, read-only home directories, deleted directories."""

import os
import resource
import shutil
import signal
import subprocess

import pytest

from support.local_sts import binary
from support.world import DEPLOY


@pytest.fixture
def bound():
    """Returns a prefix for a command with which file modes apply to root, too."""
    if os.geteuid():
        return ()
    # root without the right to pass over modes: no other user, who might not reach the test's folder.
    wrapper = (shutil.which("setpriv") or "setpriv", "--bounding-set", "-dac_override,-dac_read_search")
    assert subprocess.run([*wrapper, "cat", "/nowhere"], capture_output=True).returncode == 1
    return wrapper


def directory(path, _):
    path.mkdir()


def fifo(path, _):
    os.mkfifo(path)


def dangling(path, _):
    path.symlink_to("nowhere")


def endless(path, _):
    path.symlink_to("/dev/zero")


def loop(path, _):
    path.symlink_to(".awsrole.toml")


def unreadable(path, content):
    path.write_text(content)
    path.chmod(0o000)


def socket_file(path, _):
    os.mknod(path, 0o600 | 0o140000)


KINDS = {directory: "isn't a regular file", fifo: "isn't a regular file", dangling: "a dangling symbolic link",
         endless: "isn't a regular file", loop: "can't be read", unreadable: "permission denied",
         socket_file: "isn't a regular file"}


def replace(shop, kind):
    path = shop / ".awsrole.toml"
    path.unlink(missing_ok=True)
    kind(path, DEPLOY)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_bears_the_name_but_is_no_file(world, bound, kind):
    folder = world.project("new")
    replace(folder, kind)
    for words in (("allow",), ("exec", "--", "true"), ("credential-process",)):
        result = world.awsrole(*words, cwd=folder, wrapper=bound)
        assert result.code in (1, 3) and result.out == ""
        assert "new/.awsrole.toml" in result.err and KINDS[kind] in result.err, (words, result.err)
    result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder, wrapper=bound)
    assert result.out.startswith("__awsrole_done outer ") and KINDS[kind] in result.err
    assert world.awsrole("status", "--long", cwd=folder, wrapper=bound).code == 0


@pytest.mark.parametrize(
    "kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_allowed_file_that_became_something_else_closes(world, shop, bound, kind):
    world.exec_env(shop)
    replace(shop, kind)
    result = world.awsrole("hook", "export", "bash", "--event", "prompt", cwd=shop, wrapper=bound)
    assert result.out.startswith("__awsrole_done blocked ") and KINDS[kind] in result.err
    (shop / ".awsrole.toml").rmdir() if kind is directory else (shop / ".awsrole.toml").unlink()
    (shop / ".awsrole.toml").write_text(DEPLOY)
    assert world.awsrole("exec", "--", "true", cwd=shop).code == 0, "nothing was lost"
    assert len(world.assumed()) == 1


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_it_can_be_denied(world, bound, kind):
    folder = world.project("new")
    replace(folder, kind)
    assert world.awsrole("deny", cwd=folder, wrapper=bound).code == 0
    result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder, wrapper=bound)
    assert result.err == "" and result.out.startswith("__awsrole_done outer ")


def test_the_one_above_does_not_stand_in_for_it(world):
    world.project("upper", DEPLOY, allow=True)
    lower = world.project("upper/lower")
    dangling(lower / ".awsrole.toml", "")
    assert world.awsrole("exec", "--", "echo", "ran", cwd=lower).out == ""
    assert world.assumed() == []


@pytest.mark.parametrize("name", ["config", "credentials"])
@pytest.mark.parametrize("kind", [directory, fifo, unreadable, loop], ids=lambda kind: kind.__name__)
def test_an_aws_file_that_can_not_be_read(world, shop, bound, name, kind):
    path = world.home / ".aws" / name
    content = path.read_text()
    path.unlink()
    if kind is loop:
        path.symlink_to(name)
    else:
        kind(path, content)
    result = world.awsrole("exec", "--", "echo", "ran", cwd=shop, wrapper=bound)
    assert (result.code, result.out) == (1, "")
    assert f".aws/{name}" in result.err, result.err
    statements = world.awsrole("hook", "export", "bash", cwd=shop, wrapper=bound).out
    assert statements.startswith("__awsrole_done blocked ")
    assert world.sts.calls() == []


@pytest.mark.parametrize("name", ["config", "credentials"])
def test_an_aws_file_that_is_not_there(world, shop, name):
    (world.home / ".aws" / name).unlink()
    result = world.awsrole("exec", "--", "echo", "ran", cwd=shop)
    if name == "credentials":
        assert (result.code, result.out) == (1, "") and "jump" in result.err
    else:
        # The keys are there, but not the endpoint: the test's network reaches nothing else.
        assert result.out == "" and result.code in (1, 4)


@pytest.fixture
def read_only(world, shop):
    """A home in which nothing can be written any more."""
    folders = [world.home, *(path for path in world.home.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o500)
    yield
    for folder in folders:
        folder.chmod(0o755)


def never_a_mess(world, folder, **options):
    """What each command does where nothing can be written: an error that names the file, no panic, nothing half done."""
    for words in (("allow",), ("deny",), ("refresh",), ("exec", "--", "echo", "ran"), ("credential-process",)):
        result = world.awsrole(*words, cwd=folder, **options)
        assert result.code in (1, 4) and result.out == "", (words, result)
        assert str(world.home) in result.err, (words, result.err)
    result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder, **options)
    assert "__awsrole_set" not in result.out and result.out.startswith("__awsrole_done blocked ")
    assert "cannot use the cache of temporary credentials" in result.err
    assert world.awsrole("status", "--long", cwd=folder, **options).code == 0
    assert world.sts.calls() == [], "without a cache every prompt would ask"


def test_a_read_only_home(world, shop, bound, read_only):
    never_a_mess(world, shop, wrapper=bound)


@pytest.mark.parametrize("words", [("exec", "--", "true"), ("credential-process",)], ids=" ".join)
def test_a_cache_that_can_not_be_written_is_no_fault_of_aws(world, shop, bound, read_only, words):
    assert world.awsrole(*words, cwd=shop, wrapper=bound).code == 1


def full():
    """As if the disk were full: no file can grow."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def test_a_full_home(world, shop):
    before = {path: path.read_bytes() for path in world.home.rglob("*") if path.is_file()}
    for words in (("allow",), ("deny",)):
        world.project("shop", DEPLOY + "# edited\n")
        result = world.awsrole(*words, cwd=shop, preexec_fn=full)
        assert (result.code, result.out) == (1, ""), (words, result)
        assert str(world.home) in result.err
    world.project("shop", DEPLOY)
    after = {path: path.read_bytes() for path in world.home.rglob("*") if path.is_file()}
    assert after == before, "what was allowed still is, and no temporary file is left"
    statements = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=shop, preexec_fn=full).out
    assert statements.splitlines()[-1].startswith(("__awsrole_done blocked ", "__awsrole_done role "))
    assert world.awsrole("exec", "--", "true", cwd=shop).code == 0, "it heals when there is room again"


def test_a_full_home_and_a_role_in_the_cache(world, shop):
    first = world.exec_env(shop)
    result = world.awsrole("exec", "--", "sh", "-c", "echo $AWS_ACCESS_KEY_ID >&2", cwd=shop, preexec_fn=full)
    assert result.code == 0 and first["AWS_ACCESS_KEY_ID"] in result.err
    assert len(world.assumed()) == 1


def test_init_in_a_directory_that_can_not_be_written(world, bound):
    folder = world.project("new")
    folder.chmod(0o555)
    result = world.awsrole("init", "--profile", "shop-dev", cwd=folder, wrapper=bound)
    folder.chmod(0o755)
    assert result.code == 1 and "new/.awsrole.toml" in result.err


def test_init_on_a_full_disk(world):
    folder = world.project("new")
    result = world.awsrole("init", "--profile", "shop-dev", cwd=folder, preexec_fn=full)
    assert result.code == 1 and "cannot write" in result.err
    assert world.awsrole("init", "--profile", "shop-dev", cwd=folder).code == 0, "half a file is in the way"


@pytest.mark.parametrize(
    "words",
    [["allow"], ["deny"], ["status"], ["status", "--long"], ["refresh"], ["logout"], ["exec", "--", "true"],
     ["credential-process"], ["init", "--profile", "shop-dev"], ["hook", "export", "bash"], ["hook", "zsh"]],
    ids=" ".join,
)
def test_a_working_directory_that_is_gone(world, shop, words):
    gone = shop / "gone"
    script = 'mkdir "$1" && cd "$1" && rmdir "$1" && shift && exec "$@"'
    result = world.run("sh", "-c", script, "-", gone, binary("awsrole"), *words, cwd=shop, env={"PWD": str(gone)})
    if words[0] in ("status", "hook"):
        assert result.code == 0, result
        assert "__awsrole_set AWS_SECRET" not in result.out
    else:
        assert result.code in (1, 3) and result.out == "", result
        assert "working directory" in result.err or words == ["refresh"] or words == ["logout"], result.err
    assert world.sts.calls() == []


def test_a_directory_that_may_not_be_entered(world, shop, bound):
    locked = world.project("locked", DEPLOY)
    locked.chmod(0o000)
    result = world.awsrole("credential-process", "--dir", locked, wrapper=bound)
    locked.chmod(0o755)
    assert result.code in (1, 3) and result.out == ""


@pytest.mark.parametrize("name", ["with space", "quo'te\"s", "$(touch x)`id`", "new\nline", "-dash", "[brackets]*?", "\\back", "é"])
def test_hostile_names_of_directories(world, name):
    folder = world.project(name, DEPLOY)
    assert world.allow(folder).err.count("\x1b") == 0
    env = world.exec_env(folder)
    assert env["AWSROLE_ROLE"] == "Deploy"
    assert world.awsrole("status", "--json", cwd=folder).json["approval"] == "allowed"
    assert world.awsrole("credential-process", "--dir", folder).code == 0
    assert not list(world.home.rglob("x"))


def test_a_directory_that_is_no_text(world):
    folder = os.fsencode(world.project("bytes")) + b"/\xff\xfe"
    os.mkdir(folder)
    with open(folder + b"/.awsrole.toml", "w") as file:
        file.write(DEPLOY)
    for words, code in (("allow", 0), ("credential-process", 0), ("status", 0), ("deny", 0), ("credential-process", 3)):
        done = subprocess.run([binary("awsrole"), words], cwd=folder, env=world.environment(), capture_output=True, timeout=60)
        assert done.returncode == code, done.stderr


def test_a_config_of_the_users_own_that_can_not_be_read(world, shop, bound):
    path = world.write(".config/awsrole/config.toml", "")
    path.chmod(0o000)
    result = world.awsrole("exec", "--", "echo", "ran", cwd=shop, wrapper=bound)
    assert (result.code, result.out) == (1, "") and "config.toml" in result.err


@pytest.mark.parametrize("words", [["hook", "bash"], ["hook", "export", "bash"], ["credential-process"], ["status", "--long"], ["why"]],
                         ids=" ".join)
def test_a_full_disk_behind_stdout(world, shop, words):
    world.exec_env(shop)
    result = world.run("sh", "-c", '"$@" >/dev/full', "-", binary("awsrole"), *words, cwd=shop)
    assert result.code == 1 and "cannot write the output" in result.err


def test_no_streams_at_all(world, shop):
    result = world.run("sh", "-c", '"$@" <&- >&- 2>&-', "-", binary("awsrole"), "exec", "--", "true", cwd=shop)
    assert result.code == 0


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"])
def test_an_endpoint_that_is_no_url(world, shop, name):
    result = world.awsrole("exec", "--", "echo", "ran", cwd=shop, env={name: "nonsense"})
    assert (result.code, result.out) == (1, "")
    assert "nonsense" in result.err and name in result.err


@pytest.mark.parametrize("state", ["", "{", "[]", "null", "blocked ", '{"v":2}', "\x1b[2J", "x" * 100_000], ids=range(8))
def test_a_state_that_is_not_ours(world, shop, state):
    for words in (("exec", "--", "true"), ("status",), ("why",), ("hook", "export", "bash")):
        result = world.awsrole(*words, cwd=shop, env={"AWSROLE_STATE": state})
        assert result.code == 0 and "\x1b" not in result.err + result.out, (words, result)
