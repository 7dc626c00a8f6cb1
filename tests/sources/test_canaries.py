"""Tests where secrets of every source may appear, with every command, at every log level, in success and failure.

Searched are stdout and stderr, every file below the home directory, the arguments and environment of every process that
awsrole starts (as passed to the kernel), and all variables of each shell.
"""

import json
import os
import re
import signal
import subprocess

import pytest
from source_fixtures import sign_in

from support import sealed
from support.aws_files import aws_profile, role_arn
from support.local_sts import binary
from support.processes import command_lines
from support.terminal import need
from support.world import ALICE, THERE

DEPLOY = f'role_arn = "arn:aws:iam::{THERE}:role/Deploy"\n'
LOUD = {"RUST_LOG": "trace", "RUST_BACKTRACE": "full", "AWSROLE_LOG": "trace", "AWS_LOG": "trace", "DEBUG": "*", "SMITHY_LOG": "trace"}
COMMANDS = [
    ["status"], ["status", "--long"], ["status", "--json"], ["why"], ["why", "--json"], ["policy"], ["policy", "--json"],
    ["doctor"], ["doctor", "--json"], ["history"], ["history", "--json"], ["allow"], ["refresh"], ["exec", "--", "true"],
    ["exec", "--min-ttl", "40h", "--", "true"], ["exec", "--role", "nobody", "--", "true"], ["exec", "--", "/nowhere"],
    ["hook", "renew"], ["login", "--no-browser", "--role", "nobody"], ["keys", "list"], ["init", "--profile", "jump"],
    ["schema"], ["logout"], ["exec", "--", "true"], ["deny"], ["logout", "--all"],
]
# What makes calls fail, one after the other, and who makes calls.
CALLERS = [["exec", "--", "true"], ["policy"], ["doctor"], ["hook", "renew"], ["history"]]
FAULTS = [{"drop": True}, {"truncate": True}, {"unavailable": True}, {"clock_offset_seconds": 99_999}]


def keys(place):
    """Long-lived keys of a profile."""
    return DEPLOY + 'source_profile = "jump"\n', {}


def process(place):
    """A `credential_process`; its own output is a secret."""
    secret, token = "canary-secret-of-the-process", "canary-token-of-the-process"
    place.secrets |= {secret, token}
    place.write("answer.json", json.dumps({"Version": 1, "AccessKeyId": "ASIACANARY", "SecretAccessKey": secret,
                                           "SessionToken": token, "Expiration": "2099-01-01T00:00:00Z"}))
    place.config(aws_profile("process", credential_process=f"cat {place.home}/answer.json"))
    return 'profile = "process"\n', {}


def identity_center(place):
    """The token of a person's sign-in."""
    place.sts.write_sso_config(place.home)
    sign_in(place)
    return DEPLOY + 'source_profile = "sso"\n', {}


def container(place):
    """A container's token."""
    place.secrets.add("token-of-the-task")
    env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{place.sts.url}/task", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic token-of-the-task"}
    return DEPLOY + 'credential_source = "EcsContainer"\n', env


def instance(place):
    """An instance's role; what it gives is in the cache at most."""
    return DEPLOY + 'credential_source = "Ec2InstanceMetadata"\n', {"AWS_EC2_METADATA_SERVICE_ENDPOINT": place.sts.url}


def web_identity(place):
    """A token in a file, as in CI."""
    token = place.sts.id_token(provider="https://ci.example.com")
    place.secrets.add(token)
    place.config(aws_profile("ci", role_arn=role_arn("Ci"), web_identity_token_file=place.write('id-token', token)))
    return DEPLOY + 'source_profile = "ci"\n', {}


def environment(place):
    """Keys of the outer environment."""
    return DEPLOY + 'credential_source = "Environment"\n', {
        "AWS_ACCESS_KEY_ID": ALICE["access_key_id"], "AWS_SECRET_ACCESS_KEY": ALICE["secret_access_key"]}


SOURCES = [keys, process, identity_center, container, instance, web_identity, environment]


@pytest.fixture(params=SOURCES, ids=lambda source: source.__name__)
def scene(request, machines):
    content, env = request.param(machines)
    folder = machines.project("shop", content, allow=True)
    return machines, folder, machines.env | env


def gather(place):
    """Returns the secrets of the cached sessions."""
    for path in place.entries():
        session = sealed.read(path)
        place.secrets |= {session["secret_access_key"], session["session_token"]}


def in_environment(place, env):
    """Returns the secrets of the outer environment."""
    return {secret for secret in place.secrets if any(secret in value for value in env.values())}


def readable(place):
    """Returns the files that contain a secret."""
    found = {path for path in place.home.rglob("*") if path.is_file() and any(s.encode() in path.read_bytes() for s in place.secrets)}
    return {path.relative_to(place.home).as_posix() for path in found}


def test_nothing_is_said_and_nothing_is_left(scene):
    place, folder, env = scene
    before = readable(place)
    place.exec_env(folder, env=env)
    gather(place)
    assert place.entries(), "a session is at rest"
    assert readable(place) == before
    heard = []
    for fault in [None, *FAULTS]:
        if fault:
            place.awsrole("refresh", cwd=folder, env=env)
            place.sts.clear_faults()
            place.sts.fault(**fault)
        for words in CALLERS if fault else COMMANDS:
            place.allow(folder)
            result = place.awsrole(*words, cwd=folder, env=env | LOUD)
            heard.append((words, fault, result.out + result.err))
            gather(place)
    assert len(place.secrets) >= 4
    for words, fault, said in heard:
        assert not any(secret in said for secret in place.secrets), (words, fault)
    assert readable(place) == before, "only the person's own files may hold one"


def kill_a_run(place, folder, env):
    """Kills a command of `exec --renew` and its watcher, as a reboot does."""
    words = [binary("awsrole"), "exec", "--renew", "--", "sh", "-c", "echo; exec sleep 60"]
    process = subprocess.Popen(words, cwd=folder, env=place.environment(**env), stdout=subprocess.PIPE)
    process.stdout.readline()
    [run] = (place.home / ".cache/awsrole/runs").iterdir()
    while not (watchers := waiting_for(run)):
        assert process.poll() is None
    for number in [*watchers, process.pid]:
        os.kill(number, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return run


def waiting_for(run):
    """Returns the watchers of runs."""
    return [pid for pid, words in command_lines().items()
            if b"watch" in words and b"--start" not in words and os.fsencode(run.name) in words]


@pytest.mark.parametrize("words", [["status"], ["logout", "--all"], ["doctor"], ["history"]], ids=" ".join)
def test_nothing_is_left_of_a_killed_run_after_the_next_command(scene, words):
    """Its copies of the AWS files hold the keys of profiles that the command could have started from."""
    place, folder, env = scene
    before = readable(place)
    run = kill_a_run(place, folder, env)
    gather(place)
    place.awsrole(*words, cwd=folder, env=env)
    assert not run.exists() and readable(place) == before


def test_what_a_killed_run_leaves_is_found(scene):
    """So that the test above means something: the keys of `jump` are in the copies until then."""
    place, folder, env = scene
    run = kill_a_run(place, folder, env)
    assert f".cache/awsrole/runs/{run.name}/credentials" in readable(place)


def test_helpers_get_none(scene):
    """Arguments and environment of every process, as `execve` had them. A child of `exec` is the one that shall have them."""
    place, folder, env = scene
    trace = place.home.parent / "trace"
    own = in_environment(place, env)
    for words in (["exec", "--", "true"], ["refresh"], ["hook", "renew"], ["hook", "export", "zsh", "--event", "cd"], ["policy"]):
        wrapper = (need("strace"), "-f", "-v", "-s", "100000", "-e", "trace=execve", "-o", trace, "-A")
        place.awsrole(*words, cwd=folder, env=env, wrapper=wrapper)
        gather(place)
    starts = [line for line in trace.read_text().splitlines() if "execve(" in line]
    assert len(starts) >= 5
    for line in starts:
        arguments = line.split("], [")[0]
        assert not any(secret in arguments for secret in place.secrets), arguments[:200]
        if '["true"' not in line:
            assert not any(secret in line for secret in place.secrets - own), line[:200]


LISTS = {"bash": "set", "zsh": "typeset", "fish": "set --long"}


def test_each_stands_once_in_a_shell(scene, shell):
    """In the variable that clients read, and nowhere else: no second copy, no history, no state."""
    place, folder, env = scene
    tty = place.terminal(shell, env=env)
    if not (tty.home / ".aws").exists():
        (tty.home / ".aws").symlink_to(place.home / ".aws")
    tty.run(f"cd {folder}")
    assert tty.variable("AWSROLE_ROLE")
    gather(place)
    given = {name: tty.variable(name) for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}
    out = tty.file("variables")
    tty.run(f"{LISTS[shell]} > {out}")
    shown = out.read_text(errors="replace")
    out.unlink()
    for name, value in given.items():
        lines = [line for line in shown.splitlines() if value in line]
        assert len(lines) == 1 and re.match(rf"(\S+ )*{name}[= ]", lines[0]), lines
    # Of the person's own, which was there before, the shell keeps one.
    own = in_environment(place, env)
    for secret in place.secrets - set(given.values()):
        assert sum(secret in line for line in shown.splitlines()) == (secret in own), secret


# Ways in which a shell prints commands. {0} is a log. `after` and `before` are relative to the hook's line. The strings
# of traps also contain the rest of the previous command and the current arguments.
BASH = 'builtin printf "%s|" "$BASH_COMMAND" "$_" "$*" "${{BASH_ARGV[*]-}}" >>{0}'
ZSH = 'print -r -- "$ZSH_DEBUG_CMD|$_|$*" >>{0}'
SHOWN = {
    "bash": {
        "DEBUG": {"after": f"trap '{BASH}' DEBUG"},
        "functrace": {"after": f"set -T; trap '{BASH}' DEBUG"},
        "functrace before": {"before": f"set -T; trap '{BASH}' DEBUG"},
        "extdebug": {"after": f"trap '{BASH}' DEBUG; shopt -s extdebug"},
        "declare -t": {"after": f"trap '{BASH}' DEBUG; declare -ft $(compgen -A function)"},
        "declare -t, extdebug": {"after": f"trap '{BASH}' DEBUG; declare -ft $(compgen -A function); shopt -s extdebug"},
        "RETURN": {"after": f"trap '{BASH}' RETURN; declare -ft $(compgen -A function); set -T"},
        "ERR": {"after": f"trap '{BASH}' ERR; set -E; false"},
        "USR1": {"after": f"trap '{BASH}' USR1; kill -USR1 $$; (while kill -USR1 $$; do sleep .01; done) 2>/dev/null & disown"},
        "set -x": {"after": "exec 7>>{0}; BASH_XTRACEFD=7; PS4='+$BASH_COMMAND|$_ '; set -x"},
        "set -v": {"after": "set -v"},
        "set -k": {"after": f"set -kT; trap '{BASH}' DEBUG"},
        "history": {"after": "HISTFILE={0}; history -s kept; PROMPT_COMMAND+=('history -w')"},
        "a missing command": {"after": "command_not_found_handle() {{ echo \"$*\" >>{0}; }}; missing"},
    },
    "zsh": {
        "DEBUG": {"after": f"trap '{ZSH}' DEBUG"},
        "DEBUG before": {"before": f"trap '{ZSH}' DEBUG"},
        "TRAPDEBUG": {"after": f"TRAPDEBUG() {{{{ {ZSH} }}}}"},
        "DEBUG after commands": {"after": f"setopt no_debug_before_cmd; trap '{ZSH}' DEBUG"},
        "ZERR": {"after": f"trap '{ZSH}' ZERR; false"},
        "TRAPZERR": {"after": f"TRAPZERR() {{{{ {ZSH} }}}}; false"},
        "TRAPUSR1": {"after": f"TRAPUSR1() {{{{ {ZSH} }}}}; kill -USR1 $$; (while kill -USR1 $$; do sleep .01; done) 2>/dev/null &|"},
        "xtrace": {"after": "setopt xtrace eval_lineno"},
        "functions -t": {"after": "functions -t -m '*'"},
        "functions -T": {"after": "functions -T -m '*'"},
        "functions -t, TRAPDEBUG": {"after": f"TRAPDEBUG() {{{{ {ZSH} }}}}; functions -t -m '__awsrole*'"},
        "verbose": {"after": "setopt verbose"},
        "history": {"after": "HISTFILE={0} HISTSIZE=100 SAVEHIST=100; setopt inc_append_history; print -s kept"},
        "a missing command": {"after": "command_not_found_handler() {{ echo \"$*\" >>{0} }}; missing"},
    },
    "fish": {
        "fish_trace": {"after": "set -g fish_trace 1"},
        "fish_trace=all": {"after": "set -g fish_trace all"},
        "debug": {"env": {"FISH_DEBUG": "*", "FISH_DEBUG_OUTPUT": "{0}"}},
        "profile": {"wrapper": ("sh", "-c", 'exec "$1" --profile={0} -i', "sh")},
        "stack": {"after": "for name in AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_ACCESS_KEY_ID\n"
                  "function on_$name --on-variable $name; status print-stack-trace >>{0}; echo $argv >>{0}; end\nend"},
        "failing handler": {"after": "function failing --on-variable AWS_SECRET_ACCESS_KEY; missing_command; end; echo x >{0}"},
        "events": {"after": "function told --on-event fish_preexec --on-event fish_postexec; echo $argv >>{0}; end"},
        "a missing command": {"after": "function fish_command_not_found; echo $argv >>{0}; end; missing"},
    },
}
# Something before whose hook the role is lifted off, and behind which it is laid on again.
DIRENV = {
    "bash": "_direnv_hook() { :; }; PROMPT_COMMAND+=(_direnv_hook)",
    "zsh": "_direnv_hook() { : }; precmd_functions+=(_direnv_hook)",
    "fish": "function __direnv_export_eval --on-event fish_prompt; end",
}
LEFT = {"bash": "trap; shopt; set -o; echo $-", "zsh": "trap; setopt; functions TRAPDEBUG TRAPZERR TRAPCHLD"}


@pytest.mark.parametrize("shell, watched", [(shell, watched) for shell in SHOWN for watched in SHOWN[shell]])
def test_a_shell_shows_none_to_traps_and_traces(machines, shell, watched):
    """Secrets aren't printed on entering, renewing, suspending, resuming, after a manual change, and on leaving to the
    user's own keys.
    """
    place = machines
    content, env = environment(place)
    folder = place.project("shop", content, allow=True)
    log = place.home / "watched.log"
    shown = SHOWN[shell][watched]
    lines = [shown.get("before", "").format(log), place.rc(shell), DIRENV[shell], shown.get("after", "").format(log)]
    env = place.env | env | {name: value.format(log) for name, value in shown.get("env", {}).items()}
    tty = place.terminal(shell, rc="\n".join(lines), env=env, wrapper=[word.format(log) for word in shown.get("wrapper", ())])
    said = tty.greeting
    if shell != "fish":
        tty.run(f"{{ {LEFT[shell]}; }} >{place.home}/before 2>/dev/null")
    for line in (f"cd {folder}", "", "awsrole refresh", "", "awsrole off", "awsrole on", "awsrole status", "cd /", f"cd {folder}"):
        said += tty.run(line)
    assert tty.variable("AWSROLE_ROLE")
    gather(place)
    said += tty.run("set -gx AWS_PROFILE mine" if shell == "fish" else "AWS_PROFILE=mine; export AWS_PROFILE")
    for line in ("", "false", "awsrole refresh", "cd /"):
        said += tty.run(line)
    assert tty.variable("AWS_SECRET_ACCESS_KEY") == ALICE["secret_access_key"]
    if shell != "fish":
        tty.run(f"{{ {LEFT[shell]}; }} >{place.home}/after 2>/dev/null")
        assert (place.home / "after").read_text() == (place.home / "before").read_text()
    tty.close()
    assert len(place.secrets) >= 4
    text = said + "".join(path.read_text(errors="replace") for path in [log, *tty.home.rglob("*history*")] if path.is_file())
    assert log.exists() or any(word in said for word in (f"cd {folder}", "+", "> ")), "something was shown"
    for secret in place.secrets:
        assert secret not in text, text[max(text.index(secret) - 300, 0):][:600]
