#!/usr/bin/env python3
"""A fake awsrole that speaks the protocol with the snippets, and misbehaves on request.

The nearest `.awsrole.toml` selects the answer:
    role = "dev"            the role whose values are set (default: none, the outer environment)
    state = "blocked"       the state in the last statement
    deadline = 60           seconds from now, 0: none
    depth = 1               number of files that count, at least 1
    values = { NAME = "…" } other variables to set
    hide = ["NAME"]         other variables to hide
    sleep = 5               seconds before the answer
    fault = "crash"         crash: no answer · half: without the last statement · garbage: a syntax error in the middle
                            deaf: ignores Ctrl-C while it sleeps
    chose = "prod"          the role that a nested shell takes over
    chose_profile = "p=b"   the profile that a nested shell takes over
    ask = true              logs whether it could prompt on the terminal

Without a file, or with `state = "outer"`, the word of a profile selects the role with the name after its `=`. Another
user can replace a file if everyone can write to its directory. A file that isn't TOML blocks the shell, and so
does the role `shut`. Each start is a line of JSON in `starts` next to the program, or in `digests` if only a digest is
requested. A copy with the name `awsrole-hook` is the hook binary.
"""

import hashlib
import json
import os
import signal
import stat
import sys
import time
import tomllib
from pathlib import Path

HERE = Path(sys.argv[0]).resolve().parent
KEYS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"]
HIDDEN = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN", "AWS_ACCESS_KEY", "AWS_SECRET_KEY", "SECRET_ACCESS_KEY"]
PRIOR = "AWSROLE_PRIOR_"
PLACEHOLDERS = ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED", "AWSROLE_STATE"]


def log(name="starts", **entry):
    entry |= {"program": Path(sys.argv[0]).name}
    entry |= {"argv": [os.fsdecode(word) for word in map(os.fsencode, sys.argv[1:])]}
    entry |= {"env": {name: value for name, value in os.environ.items() if name.startswith("AWS")}}
    with open(HERE / name, "a", errors="surrogateescape") as starts:
        starts.write(json.dumps(entry) + "\n")


def quoted(value, shell):
    if shell == "fish":
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return "'" + value.replace("'", "'\\''") + "'"


def look(file):
    """Whether a shell may open it, what is there, and whether that is a file; a FIFO isn't waited for."""
    own = not os.stat(os.path.dirname(file)).st_mode & stat.S_IWOTH
    is_file = False
    try:
        content = b""
        with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as opened:
            is_file = stat.S_ISREG(os.fstat(opened.fileno()).st_mode)
            content = opened.read(16385)
    except OSError as error:
        content += os.fsencode(f"error {error.errno}")
    return own, content, is_file


def digest(files):
    return hashlib.sha256(repr([look(file)[1] for file in files]).encode()).hexdigest()


def main():
    if sys.argv[1:3] == ["hook", "digest"]:
        log("digests")
        print(digest(sys.argv[4:]), end="")
        return
    if sys.argv[1:3] != ["hook", "export"]:
        log()
        if sys.argv[1] in ("allow", "deny", "refresh", "logout") and sys.argv[2:3] not in (["--bogus"], ["--help"]):
            (present,) = (HERE / "generations").iterdir()
            present.rename(present.with_name(str(int(present.name) + 1)))
        if sys.argv[1:4] == ["hook", "choose", "-"]:
            sys.exit(print("profile" if not os.path.exists(".awsrole.toml") or b"outer" in look(os.path.abspath(".awsrole.toml"))[1] else ""))
        if sys.argv[1:3] == ["hook", "choose"] and sys.argv[3].startswith("--profile"):
            name = sys.argv[3].partition("=")[2] or sys.argv[4]
            sys.exit(print(f"00={name}") if name != "refused" else 1)
        if sys.argv[1:3] == ["hook", "choose"] and any(word.startswith("--account") for word in sys.argv):
            sys.exit(print("00=corp/1/Admin"))
        if sys.argv[1:3] == ["hook", "choose"]:
            if sys.argv[3] != "refused":
                print(sys.argv[3])
            sys.exit(sys.argv[3] == "refused")
        print("prod" if sys.argv[1:] == ["use"] else " ".join(["the command", *sys.argv[1:]]))
        sys.exit(int(sys.argv[2]) if sys.argv[1] == "exit" else 0)

    # Nobody's input is given to it: this would wait for the terminal, or eat what a loop reads.
    os.read(0, 1)
    shell = sys.argv[3]
    options, files = sys.argv[4 : sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1 :]
    seen = [look(file) for file in files] if "--views" in options else []
    recipe = {}
    if files and os.path.isfile(files[0]):
        try:
            recipe = tomllib.loads(look(files[0])[1].decode())
        except ValueError:
            recipe = {"state": "blocked"}
    fault = recipe.get("fault")
    if fault == "deaf":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    foreground = None
    if recipe.get("ask"):
        with open("/dev/tty") as terminal:
            foreground = os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    log(foreground=foreground)
    time.sleep(recipe.get("sleep", 0))
    if fault == "crash":
        sys.exit(101)

    statements, names = [], []

    def say(verb, *words):
        statements.append(" ".join([verb, *words]))

    seen = seen[: recipe.get("depth", 1)]
    for number, (own, content, is_file) in enumerate(seen, start=1):
        try:
            text = content.decode() if is_file and len(content) <= 16384 and b"\0" not in content else None
        except UnicodeDecodeError:
            text = None
        say("__awsrole_file", str(number), "own" if own else "shared", *([quoted(text, shell)] if own and text is not None else []))
    if not all(own for own, *_ in seen):
        say("__awsrole_digest", digest(files[: len(seen)]))

    inherited = os.environ.get("AWSROLE_STATE")
    if inherited:
        known = {} if inherited == "blocked" else json.loads(inherited)
        if inherited == "blocked":
            known["prior"] = {name.removeprefix(PRIOR): value for name, value in os.environ.items() if name.startswith(PRIOR)}
            known["names"] = sorted({*PLACEHOLDERS, *known["prior"]}) + [PRIOR + name for name in known["prior"]]
        for name in known["names"]:
            prior = known.get("prior", {}).get(name)
            say("__awsrole_adopt", name, *(["unset"] if prior is None else ["exported", quoted(prior, shell)]))

    changed = [options[index + 1] for index, option in enumerate(options) if option == "--changed"]
    id = os.environ.get("AWS_ACCESS_KEY_ID", "") if "AWS_ACCESS_KEY_ID" in changed else ""
    pasted = ["AWS_SECRET_ACCESS_KEY", *(["AWS_SESSION_TOKEN"] if not id.startswith("AKIA") else [])] if id else []
    if set(changed) & set(KEYS):
        for name in KEYS:
            if name not in changed and name not in pasted:
                say("__awsrole_unset", name)
    if options[options.index("--event") + 1] == "changed":
        for name in [*HIDDEN[:2], *([] if set(changed) & set(KEYS) else KEYS)]:
            if name not in changed:
                say("__awsrole_hide", name)
        recipe = {"state": "inactive"}

    role = recipe.get("role")
    if "--role" in options:
        role = options[options.index("--role") + 1]
    state = recipe.get("state", "role" if role else "outer")
    if state == "outer" and "--profile" in options:
        state, role = "role", options[options.index("--profile") + 1].partition("=")[2]
    if role == "shut":
        state = "blocked"
    if state == "role":
        values = {
            "AWS_ACCESS_KEY_ID": f"ASIA{role.upper()}",
            "AWS_SECRET_ACCESS_KEY": f"secret-of-{role}",
            "AWS_SESSION_TOKEN": f"token-of-{role}",
            "AWS_CREDENTIAL_EXPIRATION": recipe.get("expiration", "2099-01-01T00:00:00Z"),
            "AWS_REGION": f"{role}-region-1",
            "AWSROLE_ROLE": role,
        } | recipe.get("values", {})
        hide = HIDDEN + recipe.get("hide", [])
        names = [*values, *hide, "AWSROLE_STATE"]
        prior = {name: os.environ[name] for name in ("AWS_PROFILE", "AWS_REGION") if name in os.environ}
        for name in hide:
            say("__awsrole_hide", name)
        for name, value in values.items():
            say("__awsrole_set", name, quoted(value, shell))
            if fault == "garbage" and name == "AWS_SECRET_ACCESS_KEY":
                say(")", f"'garbage {value}'", "((")
        say("__awsrole_set", "AWSROLE_STATE", quoted(json.dumps({"names": names, "prior": prior}), shell))
    if "chose" in recipe:
        say("__awsrole_chose", quoted(recipe["chose"], shell))
    if "chose_profile" in recipe:
        say("__awsrole_chose_profile", quoted(recipe["chose_profile"], shell))
    deadline = recipe.get("deadline", 0)
    if fault != "half":
        deadline = int(time.time() + deadline) if deadline else 0
        say("__awsrole_done", state, str(deadline), str(recipe.get("depth", 1)))
    os.write(1, ("\n".join(statements) + "\n").encode("utf-8", "surrogateescape"))


main()
