"""Tests other code in bash's PROMPT_COMMAND and DEBUG trap, and functions that change the directory without `cd`."""

import pytest
from conftest import DEV, aws, need

OUTER = {"AWS_PROFILE": "home"}
KITTY = "/usr/lib/kitty/shell-integration/bash/kitty.bash"
# What most timers in a prompt do: started by the first command of a line, stopped at the prompt.
TIMER = "trap 'started=${started:-$BASH_COMMAND}' DEBUG; stop() { ran=$started; unset started; }; PROMPT_COMMAND=${PROMPT_COMMAND:+$PROMPT_COMMAND;}stop"
# What VS Code's shellIntegration-bash.sh does behind the rc file: it wraps the first element, and the first command
# after its own end of the prompt is the one that it reports.
VS_CODE = """
reported=() __vsc_in_command_execution=1 __vsc_original_prompt_command=${PROMPT_COMMAND:-}
__vsc_preexec_only() {
  if [ "$__vsc_in_command_execution" = 0 ]; then __vsc_in_command_execution=1; reported+=("$BASH_COMMAND"); fi
}
trap '__vsc_preexec_only "$_"' DEBUG
__vsc_prompt_cmd_original() {
  local cmd
  for cmd in "${__vsc_original_prompt_command[@]}"; do eval "${cmd:-}"; done
  __vsc_in_command_execution=0
}
PROMPT_COMMAND=__vsc_prompt_cmd_original
"""


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_timer_ends_with_the_command(terminal, project, order):
    tty = terminal("bash", env=OUTER, **{order: TIMER})
    tty.run(f"cd {project}")
    tty.run("true first")
    assert tty.run('echo "$ran"') == "true first"
    assert tty.env()[b"AWS_ACCESS_KEY_ID"] == b"ASIADEV"


@pytest.mark.parametrize("before", ["", "PROMPT_COMMAND='seen=$?'", "PROMPT_COMMAND=('seen=$?' 'other=1')", "_direnv_hook() { :; }; PROMPT_COMMAND=_direnv_hook"])
def test_vs_code_sees_each_command(terminal, project, before):
    tty = terminal("bash", env=OUTER | {"TERM_PROGRAM": "vscode"}, before=before, after=VS_CODE)
    tty.run(f"cd {project}")
    tty.run("true first")
    tty.run("true second")
    assert tty.run('printf "%s\\n" "${reported[@]}"').splitlines()[:3] == [f"cd {project}", "true first", "true second"]
    assert tty.env()[b"AWS_ACCESS_KEY_ID"] == b"ASIADEV"
    tty.run("cd /")
    assert aws(tty.env()) == OUTER


def test_kittys_integration(terminal, project):
    """It marks where a prompt, a command and its output begin (OSC 133), and hands the status on."""
    need(KITTY)
    tty = terminal("bash", env=OUTER | {"KITTY_SHELL_INTEGRATION": "enabled", "TERM": "xterm"}, after=f". {KITTY}")
    tty.run(f"cd {project}")
    assert aws(tty.env()).items() >= DEV.items()
    tty.run("(exit 7)")
    assert tty.run("echo $?").endswith("7")
    tty.run("cd /")
    assert aws(tty.env()) == OUTER


# --- functions that change directory ---
ZOXIDE = 'function __zoxide_cd() { \\builtin cd -- "$@"; }\nfunction z() { __zoxide_cd "$1"; }'


@pytest.mark.parametrize("order", ["before", "after"])
def test_zoxide_takes_the_role_along(terminal, project, stand_in, order):
    tty = terminal("bash", env=OUTER, **{order: ZOXIDE})
    inside, outside = tty.file(), tty.file()
    tty.run(f"z {project} && command env > {inside}; z / && command env > {outside}")
    assert "AWS_ACCESS_KEY_ID=ASIADEV" in inside.read_text() and "AWS_PROFILE=home" in outside.read_text()
    assert stand_in.events() == ["cd"]
    assert tty.run("z /nowhere; echo $?").endswith("\n1")


def test_a_functions_own_builtin_is_followed_by_the_next_prompt(terminal, project, stand_in):
    """With a question, as after `cd`; not at a new shell's first prompt, and not where nothing moved."""
    tty = terminal("bash", env=OUTER, after='go() { builtin cd -- "$1"; }')
    tty.run(f"go {project}")
    assert "--ask" in stand_in.starts()[-1]["argv"] and stand_in.events() == ["cd"]
    assert aws(tty.env()).items() >= DEV.items()
    tty.run(f"go {project}/deep")
    tty.run("true")
    assert stand_in.events() == ["cd"]
    tty.run("go /")
    assert aws(tty.env()) == OUTER


def test_a_new_shells_first_prompt_asks_nothing(terminal, project, stand_in):
    tty = terminal("bash", env=OUTER, cwd=project)
    assert aws(tty.env()).items() >= DEV.items()
    assert "--ask" not in stand_in.starts()[-1]["argv"]


# --- a function's own variables ---
@pytest.mark.parametrize("local", ["local AWS_PROFILE=ops; export AWS_PROFILE", "local -x AWS_ACCESS_KEY_ID=AKIAOPS", "local AWS_PROFILE",
                                   "local AWS_SECRET_ACCESS_KEY=ops", "local AWS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY"])
def test_leaving_in_a_function_with_a_local_variable(terminal, project, local):
    """The prompt restores the global variable; the local one is neither saved nor kept."""
    tty = terminal("bash", env=OUTER, after=f"leave() {{ {local}; cd /; }}; enter() {{ {local}; cd {project}; }}")
    tty.run(f"cd {project}")
    tty.run("leave")
    assert aws(tty.env()) == OUTER
    tty.run("enter")
    assert aws(tty.env()).items() >= DEV.items() and b"AWS_PROFILE" not in tty.env()
    tty.run("cd /")
    assert aws(tty.env()) == OUTER
