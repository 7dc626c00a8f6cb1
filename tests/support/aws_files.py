"""Generates the files that select a role: ~/.aws/config, ~/.aws/credentials and .awsrole.toml."""

from __future__ import annotations

import json

HERE, THERE, FAR = "111111111111", "222222222222", "333333333333"


def role_arn(role: str, account: str = THERE) -> str:
    """Returns the ARN of a role."""
    return f"arn:aws:iam::{account}:role/{role}"


def role_file(role: str, account: str = THERE, source: str = "jump", **more: object) -> str:
    """Returns a project file for a role that is assumed with the credentials of a profile."""
    keys = {"role_arn": role_arn(role, account), "source_profile": source, **more}
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in keys.items())


def aws_profile(name: str, **settings: object) -> str:
    """Returns a profile of ~/.aws/config."""
    return f"[profile {name}]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items())


def role_profile(name: str, role: str, account: str = THERE, source: str = "jump", **more: object) -> str:
    """Returns a profile of ~/.aws/config for a role that is assumed with the credentials of another one."""
    return aws_profile(name, role_arn=role_arn(role, account), source_profile=source, **more)


def access_keys(**users: dict) -> str:
    """Returns ~/.aws/credentials with the keys of users, by the names of their profiles."""
    return "".join(f"[{name}]\naws_access_key_id = {user['access_key_id']}\naws_secret_access_key = {user['secret_access_key']}\n"
                   for name, user in users.items())
