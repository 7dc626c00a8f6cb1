"""A second implementation of encrypted cache entries, from ARCHITECTURE.md: decrypts, changes and encrypts them.

A plain module: no pytest here. The key is looked for in the kernel's keyring.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from nacl import bindings
from nacl.exceptions import CryptoError

from support.keyring import SEARCH, UNLINK, USER_KEYRING, contents, keyctl

VERSION, KEYRING = 2, b"k"
NONCE = bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES


def key_name(folder: Path) -> str:
    """Returns the name of a cache directory's key."""
    return "awsrole:" + hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:32]


def serial(folder: Path) -> int | None:
    """Returns the ID of a directory's key in the user's keyring."""
    try:
        return keyctl(SEARCH, USER_KEYRING, b"user", key_name(folder).encode(), 0)
    except OSError:
        return None


def key(folder: Path) -> bytes | None:
    """Returns the key of a cache directory, if the user's keyring has one."""
    number = serial(folder)
    return None if number is None else contents(number)


def forget(folder: Path) -> None:
    """Removes a directory's key, like a reboot."""
    if (number := serial(folder)) is not None:
        keyctl(UNLINK, number, USER_KEYRING)


def read(path: Path) -> dict:
    """Returns the session in a cache file. Raises ValueError if its key doesn't decrypt it."""
    content = path.read_bytes()
    header, nonce, sealed = content[:2], content[2 : 2 + NONCE], content[2 + NONCE :]
    secret = key(path.parent)
    if header != bytes([VERSION]) + KEYRING or secret is None:
        raise ValueError(f"{path} isn't sealed with a key of the keyring")
    try:
        return json.loads(bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, _beside(path), nonce, secret))
    except CryptoError as error:
        raise ValueError(f"{path} is sealed with another key") from error


def write(path: Path, session: dict) -> None:
    """Overwrites a cache file with a session, encrypted like awsrole's."""
    nonce = os.urandom(NONCE)
    plain = json.dumps(session).encode()
    sealed = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, _beside(path), nonce, key(path.parent))
    path.write_bytes(bytes([VERSION]) + KEYRING + nonce + sealed)


def change(path: Path, **changes: object) -> None:
    """Changes values of a cached session."""
    write(path, read(path) | changes)


def _beside(path: Path) -> bytes:
    # The key ID in the middle of a session's file name isn't part of the associated data.
    entry, *_, kind = path.name.split(".")
    return bytes([VERSION]) + KEYRING + f"{entry}.{kind}".encode()
