"""Accesses the kernel keyring by system calls, and provides commands that find it changed.

A plain module that imports nothing of ours, so that another user can run it from a copy:

    keyring.py names                 the user's keyring, its number first, then number and name of each key in it
    keyring.py get NUMBER            reads a key
    keyring.py look RING NAME        looks for a key in a keyring
    keyring.py plant RING NAME       puts a key of the caller's into a keyring
    keyring.py fill                  puts keys into the user's keyring until no more fit
    keyring.py clear                 takes all keys out of it
    keyring.py alone CMD ...         runs a command in a session that doesn't lead to the user's keyring, as cron does
    keyring.py without ERRNO CMD ... runs a command that the kernel's keyring is refused to, as containers do
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

_ADD_KEY, _KEYCTL = {"x86_64": (248, 250), "aarch64": (217, 219)}.get(platform.machine(), (-1, -1))
_libc = ctypes.CDLL(None, use_errno=True)

PROCESS_KEYRING, USER_KEYRING = -2, -4
GET_KEYRING_ID, JOIN_SESSION, DESCRIBE, CLEAR, LINK, UNLINK, SEARCH, READ, TIMEOUT = 0, 1, 6, 7, 8, 9, 10, 11, 15


def keyctl(operation: int, *words: object) -> int:
    """Calls keyctl(2). Raises the kernel's error as OSError."""
    return _syscall(_KEYCTL, operation, *words)


def add_key(name: str, content: bytes, ring: int) -> int:
    """Calls add_key(2) for a key of the type `user`."""
    return _syscall(_ADD_KEY, b"user", name.encode(), content, len(content), ring)


def _syscall(number: int, *words: object) -> int:
    result = _libc.syscall(ctypes.c_long(number), *[ctypes.c_long(word) if isinstance(word, int) else word for word in words])
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def contents(number: int, size: int = 65536) -> bytes:
    """Returns the content of a key or a keyring."""
    buffer = ctypes.create_string_buffer(size)
    length = keyctl(READ, number, buffer, size)
    return buffer.raw[:length]


def described(number: int) -> str:
    """Returns the description `type;uid;gid;permissions;name`."""
    buffer = ctypes.create_string_buffer(4096)
    length = keyctl(DESCRIBE, number, buffer, len(buffer))
    return buffer.raw[: length - 1].decode()


def names() -> list[tuple[int, str]]:
    """Returns the keys of the user's keyring."""
    numbers = struct.iter_unpack("=i", contents(keyctl(GET_KEYRING_ID, USER_KEYRING, 0)))
    return [(number, described(number).split(";", 4)[4]) for (number,) in numbers]


def fill() -> None:
    """Fills the user's quota."""
    for number in range(100_000):
        try:
            add_key(f"filler {number}", b"x" * 100, USER_KEYRING)
        except OSError:
            return


def refuse(code: int) -> None:
    """Makes keyctl(2) and add_key(2) fail with an errno, also in children, by seccomp(2)."""
    load, equals, give = 0x20, 0x15, 0x06
    refused, allowed = 0x00050000 | code, 0x7FFF0000
    program = [(load, 0, 0, 0), (equals, 2, 0, _KEYCTL), (equals, 1, 0, _ADD_KEY), (give, 0, 0, allowed), (give, 0, 0, refused)]
    filters = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    head = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(filters)))
    set_no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
    assert _libc.prctl(set_no_new_privileges, 1, 0, 0, 0) == 0
    assert _libc.prctl(set_seccomp, filter_mode, head, 0, 0) == 0


def main(word: str, *words: str) -> None:
    if word == "names":
        print(keyctl(GET_KEYRING_ID, USER_KEYRING, 0))
        for number, name in names():
            print(number, name)
    elif word == "get":
        contents(int(words[0]))
    elif word == "look":
        keyctl(SEARCH, int(words[0]), b"user", words[1].encode(), 0)
    elif word == "plant":
        keyctl(LINK, add_key(words[1], b"p" * 32, PROCESS_KEYRING), int(words[0]))
    elif word == "fill":
        fill()
    elif word == "clear":
        keyctl(CLEAR, USER_KEYRING)
    elif word == "alone":
        keyctl(JOIN_SESSION, 0)
        os.execvp(words[0], words)
    elif word == "without":
        refuse(int(words[0]))
        os.execvp(words[1], words[1:])


if __name__ == "__main__":
    main(*sys.argv[1:])
