"""Fixtures of the tests of stored keys: a home directory whose keys can be moved, and commands with typed answers."""

from __future__ import annotations

from pathlib import Path

import pexpect

from support.local_sts import allow, binary
from support.prompts import NEW, PASSPHRASE
from support.world import ALICE, BYSTANDER, FIXTURE, Result, World

KEY, SECRET = ALICE["access_key_id"], ALICE["secret_access_key"]
OWNER = {**ALICE, "policy": allow(["sts:*", "iam:*"], "*")}
ADMIN_POLICY = allow("iam:*", "*")

CREDENTIALS = """\
# keys of mine
[default]
aws_access_key_id = {bystander[access_key_id]}
aws_secret_access_key = {bystander[secret_access_key]}

[jump] ; work
# from 2024
aws_access_key_id={alice[access_key_id]}
aws_secret_access_key={alice[secret_access_key]}
cli_pager =
"""
WITHOUT = "\n".join(line for line in CREDENTIALS.split("\n") if "{alice" not in line)


class KeysWorld(World):
    """Use it as a context manager."""

    def __init__(self, root: Path, fixture: dict | None = None):
        super().__init__(root, fixture or {**FIXTURE, "user": [OWNER, BYSTANDER]})
        self.credentials = self.write(".aws/credentials", CREDENTIALS.format(alice=ALICE, bystander=BYSTANDER))
        self.credentials.chmod(0o600)
        services = "[services local]\n"
        config = (self.home / ".aws/config").read_text()
        iam = f"{services}iam =\n    endpoint_url = {self.sts.url}\n"
        self.write(".aws/config", config.replace(services, iam))
        self.write(".config/awsrole/config.toml", '[keys]\nstore = "file"\n')
        self.secrets.add(PASSPHRASE)

    def empty_handed(self) -> str:
        """Removes alice's keys from the file manually, and returns the rest."""
        left = WITHOUT.format(bystander=BYSTANDER)
        self.credentials.write_text(left)
        return left

    def asked(self, *words: object, answers: list[tuple[str, str]], cwd: Path | None = None,
              env: dict[str, str] | None = None, wrapper: list[str] = ()) -> Result:
        """Runs awsrole on a terminal; each question must come, in this order, and gets its answer."""
        where = cwd or self.home
        program, *words = [*wrapper, str(binary("awsrole")), *map(str, words)]
        child = pexpect.spawn(program, words, cwd=str(where), timeout=60, dimensions=(24, 1000),
                              env=self.environment(**{"PWD": str(where), **(env or {})}), encoding="utf-8", echo=False)
        said = ""
        for question, answer in answers:
            child.expect_exact(question)
            said += child.before + question
            child.send(answer + "\r")
        child.expect(pexpect.EOF)
        said += child.before
        child.close()
        assert "panicked" not in said
        assert not any(secret in said for secret in self.secrets), "a secret on the terminal"
        return Result(child.exitstatus if child.exitstatus is not None else -1, said, said)

    def stored(self) -> dict:
        """Returns the entry of alice's profile in `keys list`."""
        rows = self.awsrole("keys", "list", "--json").json
        return next(row for row in rows if row["profile"] == "jump" and row["stored"])

    def import_keys(self) -> None:
        """Moves alice's keys from the file into the store."""
        result = self.asked("keys", "add", "jump", "--import", "--take-out", answers=NEW)
        assert result.code == 0, result.err
        self.sts.reset()

    def no_secret_in_files(self) -> None:
        """Checks that no file below the home directory contains alice's secret."""
        for path in self.home.rglob("*"):
            if path.is_file():
                assert SECRET.encode() not in path.read_bytes(), path
