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
# The maximum age of MFA, in seconds, that the role Strict accepts.
MFA_AGE = 6


def guarded(**more: object) -> dict:
    """Returns a trust policy for users with MFA, with optional further conditions."""
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
    """A world in which alice has an MFA device. A context manager."""

    def __init__(self, root: Path, fixture: dict | None = None):
        super().__init__(root, fixture or FIXTURE)
        self.write(".aws/config", aws_profile("jump", mfa_serial=SERIAL, endpoint_url=self.sts.url) + aws_profile("plain", endpoint_url=self.sts.url))
        self.write(".aws/credentials", access_keys(default=BYSTANDER, jump=ALICE, plain=ALICE))

    def shop(self, name: str = "shop", role: str = "Deploy", account: str = THERE, **more: str) -> Path:
        """Creates an approved project with one of the roles."""
        return self.project(name, role_file(role, account, **more), allow=True)

    def code(self) -> str:
        """Returns the code of the authenticator, unless it was used."""
        return self.sts.unused_totp("alice")

    def wrong_code(self) -> str:
        """Returns six digits that are not a current code."""
        valid = {self.sts.totp("alice", steps) for steps in (-1, 0, 1, 2)}
        return next(digits for digits in ("000000", "111111", "222222", "333333", "444444") if digits not in valid)

    def asked_for_codes(self) -> list[dict]:
        """Returns the calls with an MFA code."""
        return [call for call in self.sts.calls() if call["has_token_code"]]

    def use_up_the_current_step(self) -> int:
        """Records that the current code was sent, and returns its time step."""
        # Close to the end of a time step, the next step would begin before the test can check anything.
        wait_for(lambda: time.time() % 30 < 24)
        step = int(time.time()) // 30
        for device in self.entries("mfa"):
            device.write_text(f'{{"used_step":{step}}}')
        return step

    def outlive_mfa(self) -> None:
        """Waits until the role Strict rejects the MFA session, and makes it look ten minutes old."""
        youngest = max(sealed.read(path)["issued"] for path in self.entries())
        wait_for(lambda: time.time() > youngest + MFA_AGE + 1)
        self.age_sessions(600)
