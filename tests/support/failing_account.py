"""An account whose users, roles and sources make calls fail, for the tests of messages."""

from __future__ import annotations

from support.local_sts import allow, service_trust, trust, user
from support.world import HERE, SEED, SERIAL, THERE

ROOT = f"arn:aws:iam::{HERE}:root"
ACTIONS = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}

ALICE = user("alice", HERE, policy=allow(ACTIONS, "*"), mfa_serial=SERIAL, mfa_seed=SEED)
NEWCOMER = user("newcomer", HERE)
RETIRED = user("retired", HERE, active=False)
PROVIDER = {"account": HERE, "url": "https://token.actions.example.com", "client_ids": ["sts.amazonaws.com"]}


def role(name: str, document: dict, account: str = THERE, **more: object) -> dict:
    """Returns a role for the fixture of the local STS."""
    return {"name": name, "account": account, "trust": document, **more}


def account(actions: list[str] | str, roles: list[dict]) -> dict:
    """Returns the fixture: the roles that all tests of messages use, which may perform `actions`, and more roles."""
    machine = [*service_trust("ec2.amazonaws.com")["Statement"], *service_trust("ecs-tasks.amazonaws.com")["Statement"]]
    return {
        "user": [ALICE, NEWCOMER, RETIRED],
        "role": [
            role("Guarded", trust(ROOT, condition=WITH_MFA)),
            role("Fresh", trust(ROOT, condition={**WITH_MFA, "NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}})),
            role("Partner", trust(ROOT, condition={"StringEquals": {"sts:ExternalId": "shop/42"}})),
            role("BySession", trust(f"arn:aws:sts::{HERE}:assumed-role/App/i-00000000000000000")),
            role("ByPermissionSet", trust(f"arn:aws:iam::{HERE}:role/AWSReservedSSO_Admin_0123456789abcdef")),
            role("App", {"Version": "2012-10-17", "Statement": machine}, HERE, policy=allow(actions, "*")),
            *roles,
        ],
        "instance": {"role": "App", "account": HERE, "instance_id": "i-0123456789abcdef0"},
        "container": {"role": "App", "account": HERE, "path": "/v1/credentials", "token": "Basic c2VjcmV0"},
        "oidc_provider": [PROVIDER],
        "sso_assignment": [{
            "user": "alice@example.com", "account": HERE, "role": "Admin", "start_url": "https://corp.example.com/start",
            "policy": allow(actions, "*"),
        }],
    }
