"""Helpers for the MFA tests: the user, her device, her roles, and shells that prompt."""

from __future__ import annotations

import time
from pathlib import Path

from support import sealed
from support.aws_files import access_keys, aws_profile, role_file
from support.hooked_shell import HookedWorld, wait_for
from support.local_sts import allow, trust
from support.world import ALICE, BYSTANDER, HERE, SEED, SERIAL, THERE

OWNER = {**ALICE, "mfa_serial": SERIAL, "mfa_seed": SEED}
# For how many seconds the role Strict takes a session of a code.
MFA_AGE = 6


def guarded(**more: object) -> dict:
    """A trust policy for users with a code, perhaps with further conditions."""
    condition = {"Bool": {"aws:MultiFactorAuthPresent": "true"}, **more}
    return trust(f"arn:aws:iam::{HERE}:root", condition=condition)


FIXTURE = {
    "user": [OWNER, BYSTANDER],
    "role": [
        {"name": "Deploy", "account": THERE, "trust": guarded(), "max_session_duration": 14400, "policy": allow("sts:*", "*")},
        {"name": "Audit", "account": HERE, "trust": guarded()},
        {"name": "Strict", "account": THERE, "trust": guarded(NumericLessThan={"aws:MultiFactorAuthAge": str(MFA_AGE)})},
        {"name": "Shut", "account": THERE, "trust": trust(f"arn:aws:iam::{THERE}:role/Nobody")},
        {"name": "Plain", "account": THERE, "trust": trust(f"arn:aws:iam::{HERE}:root")},
    ],
}


class MfaWorld(HookedWorld):
    """Alice has a device, and STS knows it. Use it as a context manager."""

    def __init__(self, root: Path, fixture: dict | None = None):
        super().__init__(root, fixture or FIXTURE)
        self.write(".aws/config", aws_profile("jump", mfa_serial=SERIAL, endpoint_url=self.sts.url) + aws_profile("plain", endpoint_url=self.sts.url))
        self.write(".aws/credentials", access_keys(default=BYSTANDER, jump=ALICE, plain=ALICE))

    def shop(self, name: str = "shop", role: str = "Deploy", account: str = THERE, **more: str) -> Path:
        """An allowed project with one of the roles."""
        return self.project(name, role_file(role, account, **more), allow=True)

    def code(self) -> str:
        """Returns the code of the authenticator, unless it was used."""
        return self.sts.unused_totp("alice")

    def wrong_code(self) -> str:
        """Six digits that are no code of now."""
        valid = {self.sts.totp("alice", steps) for steps in (-1, 0, 1, 2)}
        return next(digits for digits in ("000000", "111111", "222222", "333333", "444444") if digits not in valid)

    def asked_for_codes(self) -> list[dict]:
        """The calls that carried a code."""
        return [call for call in self.sts.calls() if call["has_token_code"]]

    def use_up_the_current_step(self) -> int:
        """Makes this machine remember that the current code was sent; returns its step."""
        # So near to its end the next one would come before anything can be looked at.
        wait_for(lambda: time.time() % 30 < 24)
        step = int(time.time()) // 30
        for device in self.entries("mfa"):
            device.write_text(f'{{"used_step":{step}}}')
        return step

    def outlive_mfa(self) -> None:
        """Waits until the role Strict doesn't take the session of the code any more, and lets it look ten minutes old."""
        youngest = max(sealed.read(path)["issued"] for path in self.entries())
        wait_for(lambda: time.time() > youngest + MFA_AGE + 1)
        self.age_sessions(600)
