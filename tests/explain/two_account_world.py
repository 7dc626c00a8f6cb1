"""Plans for tests of `awsrole policy`, and the two servers that get exactly the printed policies."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from support.aws_files import FAR
from support.local_sts import LocalSts, binary, trust, user
from support.ministack import MinistackIam
from support.world import HERE, SEED, SERIAL, THERE

NOBODY = trust("arn:aws:iam::999999999999:role/Nobody")


def arn(role: str, account: str = THERE) -> str:
    return f"arn:aws:iam::{account}:role/{role}"


@dataclass(frozen=True)
class Plan:
    """A project file, and the roles that it needs, by account."""

    file: str
    roles: tuple[tuple[str, str], ...] = (("Deploy", THERE),)
    mfa: bool = False
    # What only the strict server looks at.
    strict: bool = False
    # Links whose identity policy isn't needed: in one account a trust policy that names the caller is enough.
    trusted_directly: frozenset[int] = field(default_factory=frozenset)


def one(more: str = "", role: str = "Deploy", account: str = THERE) -> str:
    return f'role_arn = "{arn(role, account)}"\nsource_profile = "alice"\n{more}'


def chain(first: str = "", second: str = "", account: str = FAR) -> str:
    return (f'default_role = "second"\n[role.first]\n{one(first)}'
            f'[role.second]\nrole_arn = "{arn("Next", account)}"\nsource_role = "first"\n{second}')


IN_A_CHAIN = (("Deploy", THERE), ("Next", FAR))
PLANS = {
    "across accounts": Plan(one()),
    "external id": Plan(one('external_id = "shop/42"\n')),
    "a path in the role's ARN": Plan(f'role_arn = "arn:aws:iam::{THERE}:role/team/x/Deploy"\nsource_profile = "alice"\n',
                                     (("team/x/Deploy", THERE),)),
    "one account": Plan(one(account=HERE), (("Deploy", HERE),), trusted_directly=frozenset({0})),
    "a chain": Plan(chain(), IN_A_CHAIN),
    "a chain with an external id": Plan(chain(second='external_id = "shop/42"\n'), IN_A_CHAIN),
    "a chain that comes back": Plan(chain(account=HERE), (("Deploy", THERE), ("Next", HERE))),
    "MFA": Plan(one(f'mfa_serial = "{SERIAL}"\n'), mfa=True, strict=True),
    "MFA and two hours": Plan(one(f'mfa_serial = "{SERIAL}"\nduration_seconds = "2h"\n'), mfa=True, strict=True),
    "MFA and an external id": Plan(one(f'mfa_serial = "{SERIAL}"\nexternal_id = "shop/42"\n'), mfa=True, strict=True),
    "source identity": Plan(one('source_identity = "alice"\n'), strict=True),
    "session name": Plan(one('role_session_name = "build"\n'), strict=True),
    "session tags": Plan(one('session_tags = { team = "shop" }\n'), strict=True),
    "a chain behind MFA": Plan(chain(f'mfa_serial = "{SERIAL}"\n'), IN_A_CHAIN, mfa=True, strict=True),
    "a source identity that stays": Plan(chain('source_identity = "alice"\n'), IN_A_CHAIN, strict=True),
    "tags that stay": Plan(chain('session_tags = { team = "shop", kind = "x" }\ntransitive_session_tags = ["team"]\n'), IN_A_CHAIN,
                           strict=True),
    "tags that don't stay": Plan(chain('session_tags = { team = "shop" }\n'), IN_A_CHAIN, strict=True),
    "all at once": Plan(chain(f'mfa_serial = "{SERIAL}"\nexternal_id = "shop/42"\nsource_identity = "alice"\n'
                              'session_tags = { team = "shop" }\ntransitive_session_tags = ["team"]\n'), IN_A_CHAIN, mfa=True, strict=True),
}

ALICE = user("alice", HERE, mfa_serial=SERIAL, mfa_seed=SEED)


class Home:
    """A fresh home with one profile and one project, and awsrole in it."""

    def __init__(self, root: Path, url: str, keys: tuple[str, str], plan: Plan):
        self.path, self.url = Path(tempfile.mkdtemp(dir=root)), url
        self.shop = self.path / "shop"
        self.shop.mkdir()
        (self.shop / ".awsrole.toml").write_text(plan.file)
        aws = self.path / ".aws"
        aws.mkdir(mode=0o700)
        (aws / "credentials").write_text(f"[alice]\naws_access_key_id = {keys[0]}\naws_secret_access_key = {keys[1]}\n")
        self.awsrole("allow")

    def awsrole(self, *words: str) -> subprocess.CompletedProcess:
        env = {"HOME": str(self.path), "USER": "alice", "PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": self.url}
        return subprocess.run([binary("awsrole"), *words], cwd=self.shop, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60)

    def pairs(self) -> list[dict]:
        result = self.awsrole("policy", "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def give_code(self, code: str) -> None:
        settings = self.path / ".config/awsrole"
        settings.mkdir(parents=True)
        (settings / "config.toml").write_text(f'mfa_process = "echo {code}"\n')

    def assume(self) -> tuple[bool, str]:
        """Returns whether a command gets the role, and the message."""
        result = self.awsrole("exec", "--", "sh", "-c", "printf %s $AWS_ACCESS_KEY_ID")
        granted = result.returncode == 0 and result.stdout.startswith("ASIA")
        assert granted or result.returncode == 4, result.stderr
        return granted, result.stderr


def documents(pairs: list[dict]) -> list[tuple[str, int]]:
    """Returns each policy document of a plan, by kind and step."""
    return [(kind, index) for index in range(len(pairs)) for kind in ("identity", "trust")]


def strictly(root: Path, plan: Plan, pairs: list[dict], without: tuple[str, int] | None = None) -> tuple[bool, str]:
    """Tries the role at a local STS that has exactly the documents of the pairs, except for one."""
    people, roles = _fixture(plan, pairs, without)
    with LocalSts({"user": people, "role": roles}) as sts:
        home = Home(root, sts.url, (ALICE["access_key_id"], ALICE["secret_access_key"]), plan)
        if plan.mfa:
            home.give_code(sts.unused_totp("alice"))
        return home.assume()


def _fixture(plan: Plan, pairs: list[dict], without: tuple[str, int] | None) -> tuple[list[dict], list[dict]]:
    alice = {**ALICE, "policy": []}
    roles = []
    for full, account in plan.roles:
        path, _, name = f"/{full}".rpartition("/")
        roles.append({"name": name, "account": account, "path": f"{path}/", "trust": NOBODY, "max_session_duration": 7200, "policy": []})
    for index, pair in enumerate(pairs):
        if ("identity", index) != without:
            kind, name = pair["attach_to"].split(" ")
            holder = alice if kind == "user" else next(one for one in roles if one["name"] == name and one["account"] == pair["caller_account"])
            holder["policy"].append(pair["identity"])
        if ("trust", index) != without:
            role = next(one for one in roles if pair["role_arn"] == f"arn:aws:iam::{one['account']}:role{one['path']}{one['name']}")
            role["trust"] = pair["trust"]
    for holder in (alice, *roles):
        if not holder["policy"]:
            del holder["policy"]
    return [alice], roles


class Ministack(MinistackIam):
    """ministack with policy documents that are added and removed."""

    def assume(self, root: Path, plan: Plan, pairs: list[dict], without: tuple[str, int] | None = None) -> tuple[bool, str]:
        """Tries the role with exactly the documents of the pairs, except for one."""
        people, roles = _fixture(plan, pairs, without)
        try:
            for document in people[0].get("policy", []):
                self.iam[HERE].put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=json.dumps(document))
            for role in roles:
                iam = self.iam[role["account"]]
                iam.create_role(RoleName=role["name"], Path=role["path"], AssumeRolePolicyDocument=json.dumps(role["trust"]))
                for document in role.get("policy", []):
                    iam.put_role_policy(RoleName=role["name"], PolicyName="p", PolicyDocument=json.dumps(document))
            return Home(root, self.url, self.keys, plan).assume()
        finally:
            if people[0].get("policy"):
                self.iam[HERE].delete_user_policy(UserName="alice", PolicyName="p")
            for role in roles:
                if role.get("policy"):
                    self.iam[role["account"]].delete_role_policy(RoleName=role["name"], PolicyName="p")
                self.iam[role["account"]].delete_role(RoleName=role["name"])
