"""What lies on the disk: no secret in it can be read, and what somebody else put there isn't believed."""

import base64
import os
import shutil
import stat
import subprocess

import pytest
from support import sealed
from support.local_sts import binary
from support.world import ALICE, CLOSED, DEPLOY, HERE

BUILD = f'role_arn = "arn:aws:iam::{HERE}:role/Build"\nsource_profile = "jump"\n'


def spellings(secret):
    """A secret as files may hold it: plain, in hexadecimal, and in base64 from each of three offsets."""
    text = secret.encode()
    found = {text, text.hex().encode(), text.hex().upper().encode()}
    for offset in range(3):
        # The digits at both ends depend on what stands beside it.
        found.add(base64.b64encode(b"x" * offset + text)[4:-4])
    return found | {word.replace(b"+", b"-").replace(b"/", b"_") for word in found}


def holders(folder, secrets):
    """The files below a folder in which one of the secrets can be read."""
    wanted = {spelling for secret in secrets for spelling in spellings(secret)}
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path for path in files if any(spelling in path.read_bytes() for spelling in wanted)}


def key_of(world, folder):
    """The access key that a command gets."""
    result = world.awsrole("exec", "--", "sh", "-c", "echo $AWS_ACCESS_KEY_ID", cwd=folder)
    assert result.code == 0, result.err
    return result.out.strip()


def wanted(world, place):
    world.write(".config/awsrole/config.toml", f'[cache]\nkey = "{place}"\n')


def test_no_secret_can_be_read_in_any_file(world, shop):
    closed = world.project("closed", CLOSED, allow=True)
    world.exec_env(shop)
    for words in (["status", "--long"], ["why"], ["hook", "export", "bash", "--event", "cd"], ["hook", "renew"], ["refresh"],
                  ["hook", "renew"], ["credential-process"], ["policy"], ["doctor"], ["exec", "--", "true"]):
        for folder in (shop, closed):
            world.awsrole(*words, cwd=folder)
    for path in world.entries():
        session = sealed.read(path)
        world.secrets |= {session["secret_access_key"], session["session_token"]}
    assert len(world.secrets) == 6, "those of two users and two sessions"
    assert holders(world.home, world.secrets) == {world.home / ".aws/credentials"}
    wanted(world, "none")
    world.exec_env(shop)
    assert holders(world.home, world.secrets) == {world.home / ".aws/credentials", *world.entries()}, "it can be seen"


def test_a_copied_cache_is_useless_without_the_key(world, shop):
    first = key_of(world, shop)
    key = sealed.key(world.cache)
    # As after a reboot: the files are there, the key isn't.
    sealed.forget(world.cache)
    second = key_of(world, shop)
    assert first != second == key_of(world, shop) and len(world.assumed()) == 2
    assert sealed.key(world.cache) not in (None, key)
    # In another place with a key of its own.
    stolen = world.home / "stolen/awsrole"
    shutil.copytree(world.cache, stolen)
    there = {"XDG_CACHE_HOME": str(stolen.parent)}
    world.awsrole("exec", "--", "true", cwd=shop, env=there)
    assert len(world.assumed()) == 3
    sealed.forget(stolen)
