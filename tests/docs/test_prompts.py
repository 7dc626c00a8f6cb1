"""Tests the prompts of docs/prompts.md in real shells: their text, their colors, and the number of processes.

starship is the real program. oh-my-zsh and powerlevel10k are in no registry, so functions of their form replace them,
which accept exactly the calls in the document.
"""

import os
import re
import shutil
import time
from dataclasses import dataclass

import pexpect
import pytest
from quickstart import run

from support.documents import ROOT, blocks
from support.hooked_shell import hook_line
from support.terminal import SHELLS, need
from support.world import DEPLOY, THERE

DOCUMENT = ROOT / "docs/prompts.md"
LEFT = r"(1h0m|59m|58m)"
RED, RED_BACK = r"\x1b\[(?:\d+;)*31m", r"\x1b\[41m[^[]*\x1b\[30m"

# What the themes of others do with the segment, as far as it is theirs.
AGNOSTER = """
setopt prompt_subst
prompt_segment() { echo -n "%K{$1}%F{$2}$3%k%f" }
PROMPT='$(prompt_aws) %# '
"""
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


@dataclass
class Prompt:
    """One way to set up a prompt: the blocks below a heading, and the code that they need around them."""

    shell: str
    heading: str
    # Which of the blocks there, for this shell.
    rc: int = 0
    toml: int | None = None
    after: str = ""
    colour: str = RED
    # starship's own module also prints seconds, and has no color of an account.
    left: str = LEFT
    between: str = " "

    @property
    def name(self) -> str:
        return f"{self.heading}-{self.shell}" + ("" if self.toml is None else f"-{self.toml}")

    def block(self, languages: tuple, number: int) -> str:
        text = DOCUMENT.read_text().split("\n")
        below = [
            block for block in blocks() if block.document == DOCUMENT and block.language in languages
            and next(line for line in reversed(text[: block.line]) if line.startswith("#")) == f"## {self.heading}"
        ]
        return below[number].text


PLAIN = [Prompt(shell, shell) for shell in SHELLS]
THEMES = [Prompt("zsh", "oh-my-zsh", after=AGNOSTER, colour=RED_BACK), Prompt("zsh", "powerlevel10k", after=P10K)]
MODULES = [
    Prompt(shell, "starship", rc=-1, toml=0, after=STARSHIP[shell], colour=r"\x1b\[36m", left=r"(1h0m|59m|58m)\d+s",
           between=r"\x1b\[0m \x1b\[36m") for shell in SHELLS
]
COLOURS = [Prompt(shell, "starship", toml=1, after=STARSHIP[shell]) for shell in SHELLS]
ALL = [pytest.param(prompt, id=prompt.name) for prompt in [*PLAIN, *THEMES, *MODULES, *COLOURS]]


class Seen:
    """A shell on a terminal, and its output since the last line was typed. Escape sequences other than colors are
    removed.
    """

    def __init__(self, prompt: Prompt, world, wrapper=()):
        home, shell = world.home, prompt.shell
        source = hook_line(shell, "awsrole")
        rc = ["set -g fish_greeting; function fish_prompt; echo '> '; end"] if shell == "fish" else []
        rc.append(source)
        if prompt.rc >= 0:
            rc.append(prompt.block(("fish",) if shell == "fish" else ("bash", "zsh", "sh"), prompt.rc))
        rc.append(prompt.after)
        if prompt.toml is not None:
            need("starship")
            world.write(".config/starship.toml", prompt.block(("toml",), prompt.toml))
        (home / ".local/share/fish/generated_completions").mkdir(parents=True, exist_ok=True)
        world.write({"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/config.fish"}[shell], "\n".join(rc) + "\n")
        options = {"bash": ["--noprofile", "--rcfile", str(home / ".bashrc"), "-i"], "zsh": ["-d", "-i"], "fish": ["-i"]}
        path = f"{os.environ['AWSROLE_TEST_BIN_DIR']}:{os.environ['PATH']}"
        self.program, *words = [*wrapper, need(shell), *options[shell]]
        self.process = pexpect.spawn(self.program, words, cwd=str(home), dimensions=(50, 200), timeout=30,
                                     env=world.environment(PATH=path, TERM="xterm-256color", SHELL="/bin/sh"))
        self.process.delaybeforesend = None
        self.text, self.marks = "", 0
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
        self.text = ""
        for _ in range(3):
            self.marks += 1
            self.process.send(f"printf 'mark-%s.\\n' {self.marks}\r")
            self.sees(rf"mark-{self.marks}\.")
            if self.marks % 3 == 1:
                self.text = ""
        assert "Deploy" not in self.text and "role" not in self.text, self.shown()

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
    if prompt.rc < 0:
        tty.type("env STARSHIP_SHELL=fish AWS_CREDENTIAL_EXPIRATION=2020-01-01T00:00:00Z starship prompt")
    else:
        tty.type("export AWSROLE_EXPIRES=1")
    tty.sees(rf"Deploy{prompt.between}shop-prod{prompt.between}expired")

    with (project / ".awsrole.toml").open("a") as file:
        file.write("# edited\n")
    tty.type("")
    if (prompt.shell, prompt.heading) == ("bash", "starship"):
        tty.sees("was changed since it was allowed")
        tty.type("")
    tty.sees(rf"{RED if prompt.rc < 0 else prompt.colour} ?\[blocked\]")

    tty.type("cd /")
    tty.outside()


@pytest.mark.parametrize("prompt", [pytest.param(prompt, id=prompt.name) for prompt in [*PLAIN, THEMES[1], *COLOURS]])
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
    if prompt.toml is None:
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


def test_every_block_is_seen():
    """No block of the document is left out above."""
    mine = [block for block in blocks() if block.document == DOCUMENT and block.world in ("segment", "starship")]
    assert len(mine) == len(PLAIN) + len(THEMES) + 4
