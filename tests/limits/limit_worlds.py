"""A home directory for each source, with the lines of a project file that select it, and the ways to get credentials
out of awsrole.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from support.aws_files import access_keys, aws_profile
from support.local_sts import LocalSts, allow, binary, federated_trust, service_trust, trust, user
from support.world import BYSTANDER, HERE, THERE, World

ACTIONS = ["sts:*", "signin:AuthorizeOAuth2Access", "signin:CreateOAuth2Token"]
EVERYTHING = allow(ACTIONS, "*")
ANA = user("ana", HERE, policy=EVERYTHING)
PROVIDER = {"account": THERE, "url": "https://ci.example.com", "client_ids": ["sts.amazonaws.com"]}
START_URL = "https://corp.example.com/start"
LOGIN = f"arn:aws:iam::{HERE}:user/ana"
FIXTURE = {
    "user": [ANA, BYSTANDER],
    "role": [{"name": name, "account": account, "trust": trusted, "policy": EVERYTHING} for name, account, trusted in [
        ("Deploy", THERE, trust(f"arn:aws:iam::{HERE}:root")),
        ("Machine", HERE, service_trust()),
        ("Task", HERE, service_trust("ecs-tasks.amazonaws.com")),
        ("Ci", THERE, federated_trust(PROVIDER)),
    ]],
    "instance": {"role": "Machine", "account": HERE, "instance_id": "i-0123456789abcdef0"},
    "container": {"role": "Task", "account": HERE, "token": "Basic token-of-the-task", "path": "/task"},
    "oidc_provider": [PROVIDER],
    "sso_assignment": [{"user": "ana@example.com", "account": HERE, "role": "Admin", "start_url": START_URL,
                        "region": "eu-central-1", "policy": EVERYTHING}],
    "console_session": [{"login_session": LOGIN, "region": "eu-central-1"}],
}


class LimitWorld(World):
    """A home directory. [default] has the keys of a bystander, so that a fallback is detected."""

    def __init__(self, root: Path):
        super().__init__(root, FIXTURE)
        self.secrets.add(ANA["secret_access_key"])
        self.variables = {"AWS_ENDPOINT_URL": self.sts.url}
        self.write(".aws/config", aws_profile("keys"))
        self.write(".aws/credentials", access_keys(default=BYSTANDER, keys=ANA)).chmod(0o600)

    def config(self, text: str) -> None:
        """Adds profiles to ~/.aws/config."""
        path = self.home / ".aws/config"
        path.write_text(path.read_text() + text)

    def session_of_ana(self) -> dict:
        """Returns temporary credentials."""
        return sts_client(self.sts, ANA["access_key_id"], ANA["secret_access_key"]).get_session_token()["Credentials"]


# --- sources: each prepares a home and returns the lines that select it
# ------------------------------------------------------------------------------

def role(world: LimitWorld) -> str:
    return f'role_arn = "arn:aws:iam::{THERE}:role/Deploy"\nsource_profile = "keys"\n'


def keys(world: LimitWorld) -> str:
    return 'profile = "keys"\n'


def environment(world: LimitWorld) -> str:
    issued = world.session_of_ana()
    world.variables |= {"AWS_ACCESS_KEY_ID": issued["AccessKeyId"], "AWS_SESSION_TOKEN": issued["SessionToken"],
                        "AWS_SECRET_ACCESS_KEY": issued["SecretAccessKey"]}
    return 'credential_source = "Environment"\n'


def process(world: LimitWorld) -> str:
    issued = world.session_of_ana()
    answer = {"Version": 1, **{key: issued[key] for key in ("AccessKeyId", "SecretAccessKey", "SessionToken")},
              "Expiration": issued["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ")}
    world.config(aws_profile("process", credential_process=f"cat {world.write('keys.json', json.dumps(answer))}"))
    return 'profile = "process"\n'


def identity_center(world: LimitWorld) -> str:
    config = (world.home / ".aws/config").read_text()
    world.sts.write_sso_config(world.home)
    world.config(config)
    world.sts.write_sso_cache(world.home, world.sts.sso_sign_in())
    return 'profile = "sso"\n'


def console_login(world: LimitWorld) -> str:
    world.config(f"[profile console]\nlogin_session = {LOGIN}\nregion = eu-central-1\n")
    world.sts.console_session(world.home, LOGIN)
    return 'profile = "console"\n'


def instance(world: LimitWorld) -> str:
    world.variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = world.sts.url
    return 'credential_source = "Ec2InstanceMetadata"\n'


def container(world: LimitWorld) -> str:
    world.variables |= {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{world.sts.url}/task",
                        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic token-of-the-task"}
    return 'credential_source = "EcsContainer"\n'


def web_identity(world: LimitWorld) -> str:
    token = world.write("token", world.sts.id_token())
    world.config(f"[profile ci]\nrole_arn = arn:aws:iam::{THERE}:role/Ci\nweb_identity_token_file = {token}\n")
    return 'profile = "ci"\n'


SOURCES = [role, keys, environment, process, identity_center, console_login, instance, container, web_identity]


# --- ways out: each returns the access key, the secret and the token, or `None` if there are none
# ------------------------------------------------------------------------------

Issued = tuple[str, str, str] | None
NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def of_variables(output: str) -> Issued:
    """Reads the output of `env -0`. A blocked shell has placeholders, which are no access key."""
    found = dict(pair.split("=", 1) for pair in output.split("\0") if "=" in pair)
    issued = tuple(found.get(name, "") for name in NAMES)
    return issued if issued[0].startswith(("ASIA", "AKIA")) else None


def of_json(output: str) -> Issued:
    answer = json.loads(output or "{}")
    return tuple(answer[key] for key in ("AccessKeyId", "SecretAccessKey", "SessionToken")) if answer else None


def in_shell(world: LimitWorld, folder: Path, commands: str) -> str:
    """Runs commands in an interactive bash with the hook, without a terminal. `$hook` is the line of an rc file."""
    hook = f'eval "$({binary("awsrole")} hook bash)"'
    words = ["bash", "--norc", "--noprofile", "-i", "-c", f'{hook}; cd "$0"; {commands}', folder]
    return world.run(*words, env=world.variables | {"hook": hook}).out


def hook(world: LimitWorld, folder: Path) -> Issued:
    return of_variables(in_shell(world, folder, "env -0"))


def nested_shell(world: LimitWorld, folder: Path) -> Issued:
    return of_variables(in_shell(world, folder, """bash --norc --noprofile -i -c 'eval "$hook"; cd .; env -0'"""))


def use(world: LimitWorld, folder: Path) -> Issued:
    return of_variables(in_shell(world, folder, "awsrole use other >&2; env -0"))


def command(world: LimitWorld, folder: Path, *words: str) -> str:
    return world.awsrole(*words, cwd=folder, env=world.variables).out


def run_by_exec(world: LimitWorld, folder: Path) -> Issued:
    return of_variables(command(world, folder, "exec", "--", "env", "-0"))


def run_by_exec_renew(world: LimitWorld, folder: Path) -> Issued:
    """Runs what the command's AWS files name, as an SDK does."""
    script = """sed -n 's/^credential_process *= *//p' "$AWS_CONFIG_FILE" | head -n 1 | sh"""
    return of_json(command(world, folder, "exec", "--renew", "--", "sh", "-c", script))


def env(world: LimitWorld, folder: Path) -> Issued:
    found = json.loads(command(world, folder, "env", "--format", "json") or "{}")
    return of_variables("\0".join(f"{name}={value}" for name, value in found.items()))


def credential_process(world: LimitWorld, folder: Path) -> Issued:
    return of_json(command(world, folder, "credential-process"))


WAYS_OUT: list[Callable[[LimitWorld, Path], Issued]] = [
    hook, run_by_exec, env, credential_process, run_by_exec_renew, nested_shell, use]


# --- what credentials may do
# ------------------------------------------------------------------------------

@functools.cache
def _clients() -> boto3.Session:
    return boto3.Session()


def sts_client(sts: LocalSts, key: str, secret: str, token: str | None = None):
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)
    return _clients().client("sts", endpoint_url=sts.url, region_name="us-east-1", config=config, aws_access_key_id=key,
                             aws_secret_access_key=secret, aws_session_token=token)


def may(sts: LocalSts, issued: tuple[str, str, str]) -> set[str]:
    """Makes two calls and returns the names of those that are permitted."""
    client = sts_client(sts, *issued)
    calls = {"info": lambda: client.get_access_key_info(AccessKeyId=ANA["access_key_id"]),
             "decode": lambda: client.decode_authorization_message(EncodedMessage="x")}
    return {name for name, call in calls.items() if code_of(call) != "AccessDenied"}


def code_of(call: Callable) -> str:
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "OK"
