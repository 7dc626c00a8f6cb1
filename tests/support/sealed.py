"""Cached sessions as awsrole seals them, written a second time from ARCHITECTURE.md: opens, changes and seals them.

A plain module: no pytest here. The key is looked for in the kernel's keyring, by its own system calls.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
from pathlib import Path

from nacl import bindings
from nacl.exceptions import CryptoError

VERSION, KEYRING = 2, b"k"
NONCE = bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

_ADD_KEY, _KEYCTL = {"x86_64": (248, 250), "aarch64": (217, 219)}.get(platform.machine(), (-1, -1))
_libc = ctypes.CDLL(None, use_errno=True)
USER_KEYRING = -4
GET_KEYRING_ID, JOIN_SESSION, UPDATE, DESCRIBE, LINK, UNLINK, SEARCH, READ, TIMEOUT = 0, 1, 2, 6, 8, 9, 10, 11, 15


def keyctl(operation: int, *words: object) -> int:
    """A call of keyctl(2); OSError as the kernel says it."""
    return _syscall(_KEYCTL, operation, *words)


def add_key(kind: str, name: str, content: bytes, ring: int) -> int:
    """A call of add_key(2)."""
    return _syscall(_ADD_KEY, kind.encode(), name.encode(), content, len(content), ring)


def _syscall(number: int, *words: object) -> int:
    result = _libc.syscall(ctypes.c_long(number), *[ctypes.c_long(word) if isinstance(word, int) else word for word in words])
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def key_name(folder: Path) -> str:
    """What the key of a cache directory is called."""
    return "awsrole:" + hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:32]


def serial(folder: Path) -> int | None:
    """The number of a directory's key in the user's keyring."""
    try:
        return keyctl(SEARCH, USER_KEYRING, b"user", key_name(folder).encode(), 0)
    except OSError:
        return None


def key(folder: Path) -> bytes | None:
    """The key of a cache directory, if there is one in the user's keyring."""
    if (number := serial(folder)) is None:
        return None
    content = ctypes.create_string_buffer(64)
    length = keyctl(READ, number, content, len(content))
    return content.raw[:length]


def forget(folder: Path) -> None:
    """Removes a directory's key, as a reboot would."""
    if (number := serial(folder)) is not None:
        keyctl(UNLINK, number, USER_KEYRING)


def read(path: Path) -> dict:
    """The session in a file of the cache; ValueError if its key doesn't open it."""
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
    """Writes a session over a file of the cache, as awsrole would have sealed it."""
    nonce = os.urandom(NONCE)
    plain = json.dumps(session).encode()
    sealed = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, _beside(path), nonce, key(path.parent))
    path.write_bytes(bytes([VERSION]) + KEYRING + nonce + sealed)


def change(path: Path, **changes: object) -> None:
    """Changes values of a session."""
    write(path, read(path) | changes)


def _beside(path: Path) -> bytes:
    return bytes([VERSION]) + KEYRING + path.name.encode()
