"""Runs the examples of docs/integrations.md with the real programs."""

import subprocess
import sys
import time

import pytest
import yaml

from support.documents import blocks
from support.local_sts import binary
from support.terminal import need
from support.world import DEPLOY, THERE

BLOCKS = {block.world: block for block in blocks() if block.document.name == "integrations.md"}


@pytest.fixture
def login(world):
    """The environment of a shell without the hook, that finds awsrole and the local STS."""
    env = world.environment()
    return env | {"PATH": f"{binary('awsrole').parent}:{env['PATH']}", "AWS_ENDPOINT_URL": world.sts.url}


def test_tmux_forgets(world, shop, login, tmp_path):
    tmux = [need("tmux"), "-S", tmp_path / "socket", "-f", "/dev/null"]
    inside = world.exec_env(shop) | {"AWS_EC2_METADATA_DISABLED": "true"}
    subprocess.run([*tmux, "new-session", "-d", "sleep", "100"], env=inside | {"TERM": "xterm"}, check=True)
    try:
        shown = subprocess.run([*tmux, "show-environment", "-g"], capture_output=True, text=True, check=True).stdout
        assert "AWS_SESSION_TOKEN=" in shown
        # The block's `tmux` is this server, and the names are those of the shell in which it is typed.
        script = f"tmux() {{ command {tmux[0]} -S {tmux[2]} \"$@\"; }}\n{BLOCKS['tmux'].text}"
        subprocess.run(["bash", "-c", script], env=inside, check=True)
        shown = subprocess.run([*tmux, "show-environment", "-g"], capture_output=True, text=True, check=True).stdout
        assert "AWS" not in shown
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


@pytest.mark.parametrize("line", ["", BLOCKS["tmux-copies"].text])
def test_tmux_copies_a_role_with_its_state(world, shop, tmp_path, line):
    """A window whose variables were copied from a client with a role has none outside the project. Without the line, it has."""
    names = "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"
    (tmp_path / "tmux.conf").write_text(f'set -ga update-environment "{names}"\n{line}\n')
    out = tmp_path / "env"
    (tmp_path / "rc").write_text(f'eval "$({binary("awsrole")} hook bash)"\nPROMPT_COMMAND+=("env > {out}.new && mv {out}.new {out}")\n')
    tmux = [need("tmux"), "-S", tmp_path / "socket", "-f", tmp_path / "tmux.conf"]
    outside = world.environment() | {"TERM": "xterm"}
    inside = outside | {name: value for name, value in world.exec_env(shop).items() if name.startswith("AWS")}
    subprocess.run([*tmux, "new-session", "-d", "sleep", "100"], env=outside, check=True)
    try:
        window = f"{need('bash')} --noprofile --rcfile {tmp_path / 'rc'} -i"
        subprocess.run([*tmux, "new-session", "-d", "-c", world.home, window], env=inside, check=True)
        deadline = time.monotonic() + 20
        while not out.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert ("AWS_SESSION_TOKEN=" in out.read_text()) == (not line)
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


EXTENSION = """
import boto3
session = boto3.Session(profile_name="shop-here")
print(session.region_name, session.client("sts").get_caller_identity()["Account"])
"""


def test_a_profile_for_an_editor(world, shop, login):
    """boto3 as an extension would use it, by the profile alone."""
    profile = BLOCKS["profile"].text.replace("/usr/bin/awsrole", str(binary("awsrole"))).replace("~/src/shop", str(shop))
    config = world.home / ".aws/config"
    config.write_text(f"{config.read_text()}\n{profile}")
    done = subprocess.run([sys.executable, "-c", EXTENSION], env=login, capture_output=True, text=True)
    assert done.stdout == f"eu-central-1 {THERE}\n", done


def test_docker_compose_takes_the_role(world, shop, login):
    (shop / "compose.yaml").write_text(BLOCKS["compose"].text)
    done = subprocess.run([binary("awsrole"), "exec", "--", need("docker-compose"), "config"], cwd=shop, env=login,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    given = yaml.safe_load(done.stdout)["services"]["app"]["environment"]
    wanted = world.exec_env(shop)
    assert given == {name: wanted[name] for name in given}
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"} == given.keys()


def test_direnv_alone(world, login):
    folder = world.project("shop", DEPLOY, allow=True)
    world.write(".config/direnv/direnvrc", BLOCKS["direnvrc"].text)
    world.write("src/shop/.envrc", BLOCKS["envrc"].text)
    login |= {"AWS_PROFILE": "other"}
    direnv = lambda *words: subprocess.run([need("direnv"), *words], cwd=folder, env=login, capture_output=True, text=True)  # noqa: E731
    assert direnv("allow").returncode == 0
    inside = direnv("exec", ".", "sh", "-c", "echo $AWSROLE_ROLE ${AWS_PROFILE-none} $AWS_REGION")
    assert inside.stdout == "Deploy none eu-west-1\n", inside
    # An edit of the role's file is seen, and refused until it is allowed.
    world.write("src/shop/.awsrole.toml", DEPLOY + "# edited\n")
    refused = direnv("exec", ".", "sh", "-c", "echo ${AWSROLE_ROLE-none}")
    assert refused.stdout == "none\n" and "changed since it was allowed" in refused.stderr
