"""Tests `awsrole prompt` in real shells: the text of the segment, its color, and the number of processes.

starship is the real program. powerlevel10k is in no registry, so a function of its form replaces it, which accepts
exactly the calls of the segment. oh-my-posh isn't installed either: only the form of its segment is checked.
"""

import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass

import pexpect
import pytest
from quickstart import run

from support.documents import ROOT, blocks
from support.hooked_shell import hook_line
from support.local_sts import binary
from support.terminal import SHELLS, need
from support.world import DEPLOY, THERE

DOCUMENT = ROOT / "docs/prompts.md"
LEFT = r"(1h0m|59m|58m)"
RED = r"\x1b\[(?:\d+;)*31m"

P10K = """
p10k() { [[ "$1 $2 $4" == 'segment -f -t' ]] && RPROMPT+="%F{$3}$5%f" }
draw() { RPROMPT=; local each; for each in $POWERLEVEL9K_RIGHT_PROMPT_ELEMENTS; do prompt_$each; done }
precmd_functions+=(draw)
"""
STARSHIP = {
    "bash": 'eval "$(starship init bash)"',
    "zsh": 'eval "$(starship init zsh)"',
    "fish": "starship init fish | source",
}


def printed(program: str) -> str:
    """Returns the segment for a shell or a program."""
    with_home = {"HOME": "/nonexistent", "PATH": os.environ["PATH"]}
    return subprocess.run([binary("awsrole"), "prompt", program], env=with_home, check=True, capture_output=True, text=True).stdout


def loads(program: str) -> str:
    """Returns the line that loads the segment."""
    return f"awsrole prompt {program} | source" if program == "fish" else f'eval "$(awsrole prompt {program})"'


@dataclass
class Prompt:
    """One way to set up a prompt: the lines of the rc file after the hook."""

    name: str
    shell: str
    rc: tuple[str, ...]
    # The modules of starship, which has no color of an account, and also prints seconds.
    modules: bool = False
    colour: str = RED
    left: str = LEFT
    between: str = " "


PLAIN = [Prompt(shell, shell, (loads(shell),)) for shell in SHELLS]
P10K_SEGMENT = Prompt("p10k", "zsh", (loads("p10k"), P10K))
MODULES = [
    Prompt(f"starship-modules-{shell}", shell, (STARSHIP[shell],), modules=True, colour=r"\x1b\[36m", left=r"(1h0m|59m|58m)\d+s",
           between=r"\x1b\[0m \x1b\[36m") for shell in SHELLS
]
BESIDE_STARSHIP = [Prompt(f"starship-{shell}", shell, (STARSHIP[shell], loads(shell))) for shell in SHELLS]
ALL = [pytest.param(prompt, id=prompt.name) for prompt in [*PLAIN, P10K_SEGMENT, *MODULES, *BESIDE_STARSHIP]]


class Seen:
    """A shell on a terminal, and its output since the last line was typed. Escape sequences other than colors are
    removed.
    """

    def __init__(self, prompt: Prompt, world, wrapper=(), hook=True, **env):
        home, shell = world.home, prompt.shell
        rc = ["set -g fish_greeting; function fish_prompt; echo '> '; end"] if shell == "fish" else []
        rc += [hook_line(shell, "awsrole")] * hook
        rc += prompt.rc
        if any("starship" in line for line in rc):
            need("starship")
            modules = printed("starship")
            form = re.search(r"^#   (format = .*)$", modules, re.M)[1] if prompt.modules else 'format = "$directory$character"'
            world.write(".config/starship.toml", f"{form}\n{modules if prompt.modules else ''}")
        (home / ".local/share/fish/generated_completions").mkdir(parents=True, exist_ok=True)
        world.write({"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/config.fish"}[shell], "\n".join(rc) + "\n")
        options = {"bash": ["--noprofile", "--rcfile", str(home / ".bashrc"), "-i"], "zsh": ["-d", "-i"], "fish": ["-i"]}
        path = f"{os.environ['AWSROLE_TEST_BIN_DIR']}:{os.environ['PATH']}"
        self.program, *words = [*wrapper, need(shell), *options[shell]]
        self.process = pexpect.spawn(self.program, words, cwd=str(home), dimensions=(50, 200), timeout=30,
                                     env=world.environment(**{"PATH": path, "TERM": "xterm-256color", "SHELL": "/bin/sh", **env}))
        self.process.delaybeforesend = None
        self.text, self.marks = "", 0
        if hook:
            self.outside()

    def type(self, line: str) -> None:
        self.text = ""
        self.process.send(line + "\r")

    def sees(self, pattern: str) -> str:
        """Waits until it is seen."""
        end = time.monotonic() + 30
        while not re.search(pattern, self.shown()):
            assert time.monotonic() < end, f"{pattern} isn't in {self.shown()!r}"
            try:
                self.text += self.process.read_nonblocking(65536, 1).decode(errors="replace")
            except pexpect.TIMEOUT:
                pass
        return self.shown()

    def shown(self) -> str:
        text = re.sub(r"\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[()][0B]|\x1b[=>78]", "", self.text)
        return re.sub(r"\x1b\[[0-9;?>]*[A-LN-Za-ln-z]|[\r\x0f\x01\x02]", "", text)

    def outside(self) -> None:
        """Checks that a prompt shows nothing from the first of three commands to the last."""
        self.outside_of("Deploy", "role", "inactive")

    def outside_of(self, *words: str) -> None:
        self.text = ""
        for _ in range(3):
            self.marks += 1
            self.process.send(f"printf 'mark-%s.\\n' {self.marks}\r")
            self.sees(rf"mark-{self.marks}\.")
            if self.marks % 3 == 1:
                self.text = ""
        assert not any(word in self.text for word in words), self.shown()

    def close(self) -> None:
        self.process.close(force=True)


@pytest.fixture
def project(world):
    world.write(".config/awsrole/config.toml", f'[accounts.{THERE}]\nname = "shop-prod"\ncolor = "red"\n')
    return world.project("shop", DEPLOY, allow=True)


@pytest.fixture
def screen(world, project):
    opened = []

    def open_one(prompt, **options):
        opened.append(Seen(prompt, world, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.mark.parametrize("prompt", ALL)
def test_role_account_and_time_left_are_seen(prompt, screen, project):
    tty = screen(prompt)

    tty.type(f"cd {project}")
    left = rf"{prompt.between}{prompt.left}"
    tty.sees(rf"{prompt.colour} ?\[?Deploy{prompt.between}shop-prod{left}")

    # The expiration isn't changed manually, so starship's own module gets another one.
    if prompt.modules:
        tty.type("env STARSHIP_SHELL=fish AWS_CREDENTIAL_EXPIRATION=2020-01-01T00:00:00Z starship prompt")
        tty.sees(rf"Deploy{prompt.between}shop-prod{prompt.between}expired")
    else:
        tty.type("export AWSROLE_EXPIRES=1")
        tty.sees(rf"Deploy{prompt.between}shop-prod{prompt.between}expired")
        tty.type("export AWS_PROFILE=mine")
        tty.sees(rf"{RED} ?\[inactive\]")
        tty.type("set -e AWS_PROFILE" if prompt.shell == "fish" else "unset AWS_PROFILE")
        tty.sees(rf"Deploy shop-prod{left}")

    with (project / ".awsrole.toml").open("a") as file:
        file.write("# edited\n")
    tty.type("")
    if (prompt.shell, prompt.modules) == ("bash", True):
        tty.sees("was changed since it was allowed")
        tty.type("")
    tty.sees(rf"{RED} ?\[blocked\]")

    tty.type("cd /")
    tty.outside()


@pytest.mark.parametrize("shell", SHELLS)
def test_it_is_added_at_once_and_only_once(shell, screen, world, project):
    """To a shell whose prompt was set before and is set again later, with the account's digits if it has no name."""
    world.write(".config/awsrole/config.toml", "")
    tty = screen(Prompt(shell, shell, ()))
    tty.type(f"cd {project}")
    tty.type("set -g unused 1" if shell == "fish" else "set -u")
    tty.outside_of("Deploy")
    segment = rf"\x1b\[36m ?\[Deploy {THERE} {LEFT}\]"
    for _ in range(2):
        tty.type(loads(shell))
        tty.sees(segment)
    tty.type("function fish_right_prompt; echo later; end" if shell == "fish" else "PS1='later> '")
    tty.sees(rf"later.*{segment}" if shell == "fish" else rf"{segment}.*later> ")
    # The exit status of a command is still there at the next line.
    tty.type("sh -c 'exit 7'")
    tty.sees(segment)
    tty.type("printf 'was-%s.\\n' " + ("$status" if shell == "fish" else "$?"))
    assert len(re.findall(r"\[Deploy", tty.sees(rf"was-7\.(?s:.*){segment}").split("was-7.")[-1])) == 1


@pytest.mark.parametrize("shell", SHELLS)
def test_without_the_hook_and_without_colors(shell, screen, world, project):
    """In a shell below `awsrole exec`, on a terminal without escape sequences."""
    variables = {name: value for name, value in world.exec_env(project).items() if name.startswith("AWS")}
    tty = screen(PLAIN[SHELLS.index(shell)], hook=False, TERM="dumb", **variables)
    tty.type("true")
    assert not re.search(r"\x1b\[[0-9;]*m ?\[Deploy", tty.sees(rf"\[Deploy shop-prod {LEFT}\]"))


def test_the_segment_of_oh_my_posh_and_the_instant_prompt():
    segment = json.loads(printed("oh-my-posh"))
    assert segment["type"] == "text" and ".Env.AWSROLE_ROLE" in segment["template"]
    called = subprocess.run(
        [need("zsh"), "-fc", 'p10k() { print -r -- "$@"; }\neval "$(<&0)"\nAWSROLE_ROLE="a%b"; prompt_awsrole; instant_prompt_awsrole'],
        input=printed("p10k"), capture_output=True, text=True)
    assert called.stdout.splitlines() == [
        "reload",
        "segment -f cyan -t [a%%b]",
        "segment -f red -c ${(M)AWSROLE_STATE:#blocked} -t [blocked]",
        r"segment -f cyan -c ${AWSROLE_ROLE-} -e -t [${AWSROLE_ROLE//\%/%%}${AWSROLE_ACCOUNT:+ $AWSROLE_ACCOUNT}]",
    ], called


@pytest.mark.parametrize("prompt", [pytest.param(prompt, id=prompt.name) for prompt in [*PLAIN, P10K_SEGMENT, *BESIDE_STARSHIP]])
def test_no_process_starts_for_it(prompt, screen, project, tmp_path):
    """Between two marks that are processes themselves nothing starts but starship, where that draws the prompt."""
    trace = tmp_path / "trace"
    tty = screen(prompt, wrapper=(need("strace"), "-f", "-qq", "-s", "200", "-e", "trace=clone,clone3,fork,vfork,execve",
                                  "-o", str(trace)))
    tty.type(f"cd {project}")
    tty.sees(rf"\[Deploy shop-prod {prompt.left}")
    program = shutil.which("true")
    for number in (1, 2):
        for _ in range(20):
            tty.type("")
            tty.sees(rf"\[Deploy shop-prod {prompt.left}")
        tty.type(f"{program} mark{number}; printf 'done-%s.\\n' {number}")
        tty.sees(rf"done-{number}\.")
    calls = [line for line in trace.read_text().splitlines() if re.match(r"\d+ +(clone|fork|vfork|execve)", line)]
    calls = [line for line in calls if "CLONE_THREAD" not in line]
    first, last = (next(at for at, line in enumerate(calls) if f'"mark{number}"' in line) for number in (1, 2))
    between = calls[first + 1 : last]
    if prompt not in BESIDE_STARSHIP:
        # The second mark's own.
        assert len(between) == 1 and "execve" not in between[0], between
    else:
        assert all("/starship" in line for line in between if "execve" in line), between


@pytest.mark.parametrize("prompt", ALL)
def test_a_hostile_role_name_is_shown_as_it_is(prompt, screen, world):
    """The name comes from a project file: no shell expands it in a prompt, and it changes no color."""
    name = "$(>~/pwned)`>~/pwned`%F{blue}%n"
    folder = world.project("hostile", f'default_role = "{name}"\n[role."{name}"]\n{DEPLOY}', allow=True)
    tty = screen(prompt)
    # starship writes `$` for bash as `\\$`, which is root's sign where root looks.
    shown = re.escape(name).replace(r"\$", "[$#]")
    for line in (f"cd {folder}", ""):
        tty.type(line)
        tty.sees(rf"{shown}{prompt.between}shop-prod")
    assert not (world.home / "pwned").exists()


def test_names_and_colours(tmp_path):
    [block] = [block for block in blocks() if block.world == "accounts"]
    (tmp_path / "config.toml").write_text(block.text)
    lines = [
        f"cp {tmp_path}/config.toml ~/.config/awsrole",
        "cd ~/shop-prod; awsrole allow",
        "test $AWSROLE_ACCOUNT = shop-prod -a $AWSROLE_COLOR = red",
        "cd ~/shop-dev; awsrole allow",
        "test $AWSROLE_ACCOUNT = shop-dev -a -z \"$AWSROLE_COLOR\"",
    ]
    code, seen = run("bash", lines, tmp_path)
    assert code == 0, seen


def test_the_document_names_every_prompt():
    lines = [line.split("  #")[0].strip() for block in blocks() if block.document == DOCUMENT and block.world == "segment" for line in block.lines]
    assert lines == [loads("bash"), loads("zsh"), loads("fish"), loads("p10k"),
                     "awsrole prompt starship >> ~/.config/starship.toml", "awsrole prompt oh-my-posh"]
