"""Tests the user's options, aliases and functions, and which hooks are registered."""

import subprocess

import pytest
from conftest import BLOCKED, DEV, ROOT, aws, need, read_env

OPTIONS = {
    "bash": [
        "set -a",
        "set -e",
        "set -u",
        "set -aeux -o pipefail -o noclobber",
        "set -x",
        "set -v",
        "set -o posix",
        "set -f -C -T -E",
        "shopt -s nocasematch nullglob failglob",
        "set -k",
        "IFS=ab/.",
        "alias export='echo X' unset='echo X' local='echo X' printf='echo X' builtin='echo X' eval='echo X'",
        "export() { :; }; unset() { :; }; read() { :; }; printf() { echo X; }; declare() { :; }",
        "local() { :; }; eval() { echo X \"$@\"; }; set() { :; }; test() { return 1; }; return() { :; }",
        "trap 'echo DEBUG $BASH_COMMAND >/dev/null' DEBUG",
        "GLOBIGNORE='*'; LC_ALL=C",
    ],
    "zsh": [
        "setopt all_export",
        "setopt all_export err_exit no_unset xtrace no_clobber",
        "setopt err_exit",
        "setopt err_return",
        "setopt no_unset",
        "setopt xtrace",
        "setopt verbose",
        "setopt ksh_arrays sh_word_split glob_subst",
        "setopt ksh_glob no_bare_glob_qual null_glob no_clobber",
        "setopt warn_create_global warn_nested_var",
        "setopt no_equals magic_equal_subst rc_expand_param",
        "setopt no_multios posix_builtins posix_aliases",
        "setopt ignore_braces ignore_close_braces",
        "emulate sh",
        "setopt sh_glob sh_file_expansion local_options local_traps",
        "IFS=ab/.",
        "alias export='echo X' unset='echo X' local='echo X' typeset='echo X' builtin='echo X' eval='echo X'",
        "alias -g AWS_PROFILE='X' dir=X",
        "unset() { :; }; read() { :; }; print() { echo X; }; eval() { echo X $@ }; sysread() { : }; emulate() { : }",
    ],
    "fish": [
        "set -g fish_trace 1",
        "set -g fish_trace all",
        "function path; command echo X; end; function math; command echo X; end",
        "function echo; end; function contains; return 1; end",
        "set -gx name N; set -gx file F; set -gx dir D; set -gx answer A",
    ],
}
CASES = [(shell, option) for shell, options in OPTIONS.items() for option in options]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("shell, option", CASES)
def test_options(terminal, project, stand_in, shell, option, when):
    if when == "before":
        option = option.replace("eval", "other")  # the user's own line in the rc file needs it
    tty = terminal(shell, **{when: option}, env={"AWS_PROFILE": "home"})
    out = tty.file()
    output = tty.greeting
    output += tty.run("")
    output += tty.run(f"cd '{project}'; command env -0 >| {out}" if shell != "fish" else f"cd '{project}'; command env -0 > {out}")
    inside = read_env(out)
    output += tty.run("true")
    output += tty.run("awsrole refresh")
    output += tty.run("cd /")
    after = tty.env()
    assert aws(inside).items() >= DEV.items()
    assert "AWS_PROFILE" not in aws(inside)
    assert aws(after) == {"AWS_PROFILE": "home"}
    assert not [name for env in (inside, after) for name in env if b"__awsrole" in name]
    assert "secret-of" not in output and "token-of" not in output
    if not any(word in option for word in ("set -x", "set -aeux", "set -v", "xtrace", "verbose", "fish_trace")):
        assert "awsrole:" not in output and "X" not in output
    assert stand_in.events() == ["cd", "cd"]


@pytest.mark.parametrize("shell, option", [("bash", "set -eu"), ("zsh", "setopt err_exit no_unset")])
def test_errexit_survives_a_blocked_project(terminal, project, stand_in, shell, option):
    (project / ".awsrole.toml").write_text('role = "dev"\nfault = "crash"\n')
    tty = terminal(shell, after=option, cwd=project)
    assert aws(tty.env()) == BLOCKED
    tty.run("false || true")
    tty.run("! true")
    assert stand_in.digests()
    tty.run("cd /")
    assert aws(tty.env()) == {}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_options_are_left_as_they_are(terminal, project, shell):
    show = "set -o; shopt" if shell == "bash" else "setopt"
    tty = terminal(shell, before="set -aCu")
    before = tty.run(show)
    tty.run(f"cd {project}")
    tty.run("")
    tty.run("cd /")
    assert tty.run(show) == before


def test_status_survives(shell, terminal, project):
    tty = terminal(shell, cwd=project)
    out = tty.file()
    if shell == "fish":
        tty.run("sh -c 'exit 7'")
        assert tty.run(f"builtin echo $status > {out}; true") is not None
        assert out.read_text() == "7\n"
        tty.run("sh -c 'exit 3' | sh -c 'exit 4'")
        tty.run(f"builtin echo $pipestatus > {out}")
        assert out.read_text() == "3 4\n"
        return
    tty.run("sh -c 'exit 7'")
    assert tty.run("echo $?") == "7"
    tty.run("true | false | sh -c 'exit 3'")
    assert tty.run('echo "${PIPESTATUS[@]}${pipestatus[@]}"') == "0 1 3"
    tty.run("cd / && (exit 9)")
    assert tty.run("echo $?") == "9"


ERRORS = {
    "bash": "trap 'errors+=x' ERR",
    "bash -E": "set -E; trap 'errors+=x' ERR",
    "zsh": "trap 'errors+=x' ZERR",
    "zsh function": "TRAPZERR() { errors+=x; }",
}


@pytest.mark.parametrize("trap", ERRORS)
def test_an_error_trap_hears_each_failure_once(terminal, project, stand_in, trap):
    """Of commands that the user typed, and of nothing that awsrole does."""
    if trap == "bash" and not bash_has_prompt_arrays():
        pytest.skip("before bash 5.1, PROMPT_COMMAND is a string")
    (project / ".awsrole.toml").write_text("")
    tty = terminal(trap.split()[0], after=ERRORS[trap], cwd=project)
    for line, failures in ((":", 0), ("", 0), ("cd deep", 0), ("false", 1), ("cd /nowhere-at-all", 1), ("awsrole exit 3", 1), ("", 0), ("cd /", 0)):
        tty.run(f"errors=; {line}")
        # Of the second one only the prompt before it can be to blame.
        assert tty.run('echo "$errors"').splitlines()[-1:] == ["x"] * failures, line


def bash_has_prompt_arrays():
    version = subprocess.run([need("bash"), "-c", "echo $((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1]))"], capture_output=True)
    return int(version.stdout) >= 501


PROMPT_COMMANDS = {
    "string": "PROMPT_COMMAND='seen=\"$? ${PIPESTATUS[*]}\"'",
    "trailing semicolon": "PROMPT_COMMAND='seen=\"$? ${PIPESTATUS[*]}\"; '",
    "array": "PROMPT_COMMAND=('first=1' 'seen=\"$? ${PIPESTATUS[*]}\"')",
    "empty": "PROMPT_COMMAND=''; trap 'seen=\"1 1 0 1\"' USR1",
    "unset": "unset PROMPT_COMMAND",
}


@pytest.mark.parametrize("kind", PROMPT_COMMANDS)
def test_prompt_command(terminal, project, stand_in, kind):
    if not bash_has_prompt_arrays():
        pytest.skip("before bash 5.1, PROMPT_COMMAND is a string")
    tty = terminal("bash", before=PROMPT_COMMANDS[kind], after="PROMPT_COMMAND+=('after=\"$? ${PIPESTATUS[*]}\"')", sourced=3)
    assert tty.run('printf "%s\\n" "${PROMPT_COMMAND[@]}" | grep -c __awsrole_prompt') == "1"
    tty.run("false | true | false")
    assert tty.run('echo "$seen/$after"') in ("1 1 0 1/1 1 0 1", "/1 1 0 1")
    tty.run(f"cd {project}")
    assert aws(tty.env()).items() >= DEV.items()
    tty.run("PROMPT_COMMAND='other=1'")  # as if it were a string
    tty.run("")
    tty.run("cd /")
    assert aws(tty.env()) == {}
    assert len(stand_in.starts()) == 1


def test_a_cd_of_the_users_own_is_left_alone(terminal, project):
    tty = terminal("bash", before="cd() { builtin cd \"$@\" && mine=$((mine+1)); }; alias pushd='builtin pushd'")
    tty.run(f"cd {project}")
    assert tty.run("echo $mine; declare -F popd pushd") == "1\npopd"
    assert aws(tty.env()).items() >= DEV.items()
    tty.run("cd /")
    assert aws(tty.env()) == {}


def test_cd_keeps_its_status_and_its_words(shell, terminal, project):
    tty = terminal(shell)
    tty.run("cd /nowhere-at-all")
    out = tty.file()
    tty.run(f"echo {'$status' if shell == 'fish' else '$?'} > {out}")
    assert out.read_text() == "1\n"
    tty.run("cd --" if shell != "fish" else "cd")
    tty.run(f"pwd > {out}")
    assert out.read_text().strip() == str(tty.home)


def test_zsh_hooks_are_registered_once(terminal):
    tty = terminal("zsh", before="mine() { : }; precmd_functions=(mine)", sourced=3)
    assert tty.run("print $precmd_functions / $chpwd_functions / $preexec_functions") == (
        "__awsrole_precmd mine / __awsrole_chpwd / __awsrole_preexec"
    )


def guarded(version: str, path: str) -> subprocess.CompletedProcess:
    """An rc file with the hook line, run by a POSIX shell that says it is this bash."""
    rc = 'eval "$(cat "$SNIPPET")"; echo "the rc file goes on"'
    env = {"PATH": "/usr/bin:/bin", "SNIPPET": path} | ({"BASH_VERSION": version} if version else {})
    return subprocess.run([need("dash"), "-eu", "-c", rc], env=env, capture_output=True, text=True)


@pytest.mark.parametrize("version", ["3.2.57(1)-release", "4.3.48(1)-release", ""])
def test_an_older_bash_and_another_shell_print_one_line(stand_in, version):
    """As in Apple's bash 3.2: nothing of the snippet is parsed but its first lines."""
    done = guarded(version, str(stand_in.snippet("bash")))
    assert (done.returncode, done.stdout) == (0, "the rc file goes on\n"), done
    assert done.stderr.count("\n") == 1 and f"this is {version or 'another shell'}" in done.stderr


@pytest.mark.parametrize("version", ["4.4.23(1)-release", "5.2.15(1)-release", "5.10.1(1)-release", "10.0.0(1)-release"])
def test_the_guard_lets_a_newer_bash_pass(stand_in, version):
    """dash then fails to parse what is for bash."""
    done = guarded(version, str(stand_in.snippet("bash")))
    assert "or later is needed" not in done.stderr and "yntax error" in done.stderr


def test_scripts_get_nothing(shell, project, stand_in, tmp_path):
    path = need(shell)
    snippet = stand_in.snippet(shell)
    strict = {"bash": ["-euo", "pipefail"], "zsh": ["-eu"], "fish": ["--no-config"]}[shell]
    source = f"source {snippet}" if shell == "fish" else f'eval "$(cat {snippet})"; f() {{ . {snippet}; }}; f'
    done = subprocess.run(
        [path, *strict, "-c", f"{source}; cd {project}; env; echo end"], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}
    )
    assert done.stderr == "" and done.stdout.endswith("end\n") and "AWS" not in done.stdout
    assert not stand_in.starts()


@pytest.mark.parametrize(
    "command",
    [
        ("shellcheck", "awsrole.bash", "command.bash", "direnv.bash", "left.bash", "register.bash"),
        ("bash", "-n", "awsrole.bash"),
        *[("zsh", "-n", f"{part}.zsh") for part in ("awsrole", "command", "direnv", "left", "register")],
        *[("fish", "-n", f"{part}.fish") for part in ("awsrole", "answer", "clock", "command", "direnv", "left", "register")],
        ("fish_indent", "--check", "awsrole.fish", "answer.fish", "clock.fish", "command.fish", "direnv.fish", "left.fish",
         "register.fish"),
    ],
    ids=" ".join,
)
def test_lint(command):
    done = subprocess.run([need(command[0]), *command[1:]], cwd=ROOT / "shell", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
