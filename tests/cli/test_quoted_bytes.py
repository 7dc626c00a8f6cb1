"""Tests that a real shell that evaluates awsrole's statements gets any value byte for byte, and runs nothing."""

import json
import random
import subprocess

import pytest

from support.terminal import SHELLS, need

# Special characters of any syntax, next to ordinary letters, and code points that are difficult for shells, terminals
# or encodings.
SPECIAL = list("'\"\\`$(){}[]<>|&;*?!~#%^=+-,.:/@ \t\n\r\v\f\x1b\x07\x7f") + ["\u0085", "\u2028", "\u202e", "é", "字", "🦀", "\ufeff", "\U0010ffff"]
WORDS = ["$(touch PWNED)", "`touch PWNED`", "';touch PWNED;'", "\\'", "\\\\'", "-n", "--", "$HOME", "%s", "!!", "\\x41", "\\101", "\\u0041", "(touch PWNED)",
         "{a,b}", "~", "=ls", "&&touch PWNED", "\n__awsrole_done role 0 1\n", "'\n__awsrole_set PATH 'x'\n'"]

STUBS = {
    "bash": "__awsrole_set() { printf '%s=%s\\0' \"$1\" \"$2\"; }; __awsrole_hide() { :; }; __awsrole_done() { :; }\n. ./answer",
    "zsh": "__awsrole_set() { printf '%s=%s\\0' \"$1\" \"$2\"; }; __awsrole_hide() { :; }; __awsrole_done() { :; }\n. ./answer",
    "fish": "function __awsrole_set; printf '%s=%s\\0' $argv[1] $argv[2]; end; function __awsrole_hide; end; function __awsrole_done; end\nsource ./answer",
}
ROUNDS = 60


def text(chance: random.Random) -> str:
    """A value as nobody would choose it."""
    parts = [chance.choice(SPECIAL if chance.random() < 0.6 else WORDS) for _ in range(chance.randint(1, 40))]
    return "".join(parts)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_value_arrives_as_it_was(world, shell):
    """Keys of a `credential_process` are the one source whose texts nobody checks."""
    program = need(shell)
    quiet = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["-N"]}[shell]
    config = world.home / ".aws/config"
    config.write_text(f"{config.read_text()}\n[profile any]\ncredential_process = cat {world.home}/keys.json\n")
    folder = world.project("shop", 'profile = "any"\n', allow=True)
    chance = random.Random(20260101)
    for _ in range(ROUNDS):
        world.awsrole("logout", "--all")
        world.awsrole("refresh", cwd=folder)
        wanted = {"AWS_SECRET_ACCESS_KEY": text(chance), "AWS_SESSION_TOKEN": text(chance)}
        world.write("keys.json", json.dumps({
            "Version": 1, "AccessKeyId": "ASIAANY", "SecretAccessKey": wanted["AWS_SECRET_ACCESS_KEY"],
            "SessionToken": wanted["AWS_SESSION_TOKEN"], "Expiration": "2099-01-01T00:00:00Z"}))
        world.secrets.clear()
        answer = world.awsrole("hook", "export", shell, "--event", "cd", cwd=folder)
        (folder / "answer").write_bytes(answer.out.encode())
        done = subprocess.run([program, *quiet, "-c", STUBS[shell]], cwd=folder, env=world.environment(), capture_output=True)
        assert done.returncode == 0, (answer, done)
        got = dict(pair.split(b"=", 1) for pair in done.stdout.split(b"\0") if pair)
        for name, value in wanted.items():
            assert got.get(name.encode()) == value.encode(), (name, value, answer)
        assert not list(world.home.rglob("PWNED"))
