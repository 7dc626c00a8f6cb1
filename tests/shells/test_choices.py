"""`awsrole use`, `on` and `off` have one meaning. The snippets and the token of the modules implement it separately, so
each runs the same commands here.
"""

import re

import pytest

from support.aws_files import role_profile
from support.hooked_shell import HookedWorld
from support.terminal import SHELLS
from support.world import DEPLOY

ROLES = DEPLOY + """\
[role.a]
[role.b]
[role.refused]
role_arn = "arn:aws:iam::222222222222:role/Missing"
"""

# Commands, and what the shell holds after each: a role, a profile, `outer` or `blocked`. In a project `cd` assumes
# Deploy.
SEQUENCES = {
    "roles": [
        ("cd shop", "Deploy"), ("awsrole use a", "a"), ("awsrole use b", "b"),
        ("awsrole use -", "a"), ("awsrole use -", "b"), ("awsrole use b", "b"), ("awsrole use -", "a"),
        ("awsrole use --none", "Deploy"), ("awsrole use -", "a"), ("awsrole use nothing", "a"),
        ("awsrole off", "outer"), ("awsrole on", "Deploy"), ("awsrole use -", "a"), ("awsrole off", "outer"), ("awsrole use -", "a"),
    ],
    "the environment": [
        ("cd shop", "Deploy"), ("awsrole use -", "outer"), ("awsrole use -", "Deploy"), ("awsrole use -", "outer"),
        ("awsrole use a", "a"), ("awsrole use -", "outer"), ("awsrole use -", "a"),
        ("cd other", "Deploy"), ("awsrole use -", "outer"), ("cd shop", "outer"), ("awsrole on", "Deploy"),
    ],
    "a refused role": [
        ("cd shop", "Deploy"), ("awsrole use a", "a"), ("awsrole use refused", "a"), ("awsrole use -", "Deploy"), ("awsrole use -", "a"),
        ("awsrole off", "outer"), ("awsrole use refused", "blocked"), ("awsrole use -", "outer"), ("awsrole use refused", "blocked"),
        ("awsrole use --none", "Deploy"), ("awsrole use -", "outer"), ("awsrole use refused", "blocked"), ("awsrole off", "outer"),
        ("awsrole use -", "Deploy"),
    ],
    "profiles": [
        ("awsrole use --profile one", "one"), ("awsrole use --profile two", "two"),
        ("awsrole use -", "one"), ("awsrole use -", "two"), ("awsrole use --none", "outer"), ("awsrole use -", "two"),
        ("awsrole off", "outer"), ("awsrole on", "two"), ("awsrole off", "outer"), ("awsrole use -", "two"),
        ("awsrole use --profile nothing", "two"), ("awsrole use -", "outer"), ("awsrole use -", "two"),
    ],
    "a refused profile": [
        ("awsrole use --profile refused", "blocked"), ("awsrole use -", "outer"), ("awsrole use -", "outer"),
        ("awsrole use --profile one", "one"), ("awsrole use --profile refused", "one"), ("awsrole use -", "outer"),
        ("awsrole use --profile refused", "blocked"), ("awsrole use --none", "outer"), ("awsrole use -", "outer"),
        ("awsrole use --profile refused", "blocked"), ("awsrole off", "outer"), ("awsrole use -", "blocked"),
    ],
    "both": [
        ("awsrole use --profile one", "one"), ("cd shop", "Deploy"), ("awsrole use a", "a"), ("cd home", "one"),
        ("cd shop", "Deploy"), ("awsrole use -", "outer"), ("awsrole use --profile two", "Deploy"), ("cd home", "two"),
        ("awsrole use -", "one"), ("cd shop", "Deploy"), ("awsrole use a", "a"), ("awsrole use --none", "Deploy"),
        ("awsrole use -", "a"), ("cd home", "outer"), ("awsrole use -", "one"),
    ],
}


class TokenShell:
    """What a module does: it keeps a token and applies answers."""

    def __init__(self, world, outer):
        self.world, self.outer, self.variables = world, outer, dict(outer)
        self.token, self.cwd, self.said = "", world.home, ""
        self.sync()

    def request(self, *words, env):
        result = self.world.awsrole("hook", *words, cwd=self.cwd, env=env)
        self.said += result.err
        return result.json if result.code == 0 else None

    def sync(self, *typed):
        changed = self.request("export", "json", "--compare", "--token", self.token, *typed, "--", env=self.variables)
        self.token = changed["token"]
        if changed["changed"]:
            answer = self.request("export", "json", "--token", self.token, "--", env=self.outer)
            kept = {name: value for name, value in self.outer.items() if name not in answer["unset"]}
            self.variables, self.token = kept | answer["set"], answer["token"]

    def run(self, line):
        """Returns what was printed for the user."""
        self.said = ""
        match line.split():
            case ["cd", folder]:
                self.cwd = folder
                self.sync()
            case ["awsrole", *words]:
                if answer := self.request("command", "json", "--token", self.token, "--", *words, env=self.variables):
                    self.token = answer["token"]
                    self.sync("--typed", words[0])
        return self.said

    def env(self):
        return {name.encode(): value.encode() for name, value in self.variables.items()}


def held(env):
    """Returns what a shell holds."""
    if env.get(b"AWSROLE_STATE") == b"blocked":
        return "blocked"
    assert (b"AWSROLE_ROLE" in env) == (b"AWS_SESSION_TOKEN" in env)
    return "outer" if b"AWSROLE_ROLE" not in env and env[b"AWS_PROFILE"] == b"home" else env[b"AWSROLE_ROLE"].decode()


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("kind", [*SHELLS, "token"])
def test_every_shell_does_the_same(tmp_path, kind, sequence):
    with HookedWorld(tmp_path) as world:
        profiles = {"one": "Deploy", "two": "Deploy", "refused": "Missing"}
        config = world.home / ".aws/config"
        config.write_text(config.read_text() + "".join(role_profile(name, role) for name, role in profiles.items()))
        folders = {"home": world.home, "shop": world.project("shop", ROLES, allow=True), "other": world.project("other", DEPLOY, allow=True)}
        outer = {"AWS_PROFILE": "home"}
        shell = TokenShell(world, outer) if kind == "token" else world.terminal(kind, env=outer)
        for number, (line, expected) in enumerate(SEQUENCES[sequence]):
            words = line.split()
            shell.run(f"cd {folders[words[1]]}" if words[0] == "cd" else line)
            assert (number, line, held(shell.env())) == (number, line, expected)


def test_a_refused_choice_says_how_to_leave_it(shell, tmp_path):
    with HookedWorld(tmp_path) as world:
        roles = DEPLOY + '[role.audit]\nrole_arn = "arn:aws:iam::222222222222:role/Closed"\n'
        tty = world.terminal(shell, world.project("shop", roles, allow=True))
        tty.run("awsrole off")
        said = tty.run("awsrole use audit")
        assert "AccessDenied" in said and "hint: `awsrole use -` returns to the previous role, `--none` to the default" in said
        tty.run("awsrole use --none")
        assert held(tty.env()) == "Deploy"


NONE = ["no role applies here: this shell has your own environment"]
BACK = ["your environment is back in this shell"]
OFF = ["off: your environment is back in this shell, until `awsrole on`"]
ON = "on: awsrole is active again in this shell"

# Commands, and the lines that each prints.
SAID = {
    "outside": [
        ("use --none", NONE), ("use -", NONE), ("on", NONE), ("off", OFF), ("use -", NONE), ("off", OFF), ("use --none", [ON, *NONE]),
        ("use --profile one", ["one"]), ("use --none", BACK), ("use -", ["one"]), ("off", OFF), ("use --none", [ON, *BACK]),
        ("use -", ["one"]), ("use -", ["your environment is back: `awsrole use -` uses profile one again"]),
        ("off", OFF), ("use --profile nothing", ["--profile: there is no profile `nothing`"]), ("use --profile one", [ON, "one"]), ("off", OFF), ("on", ["one"]),
    ],
    "project": [
        ("use --none", ["Deploy"]), ("on", ["Deploy"]), ("use -", ["your environment is back: `awsrole use -` assumes the role again"]),
        ("use -", ["Deploy"]), ("off", OFF), ("use --none", [ON, "Deploy"]), ("use a", ["a"]), ("off", OFF), ("use a", ["a"]),
        ("off", OFF), ("use --profile one", ["profile one is used outside of this project, whose own role applies here", ON, "Deploy"]),
        ("off", OFF), ("on", ["Deploy"]), ("off", OFF), ("use -", ["Deploy"]),
    ],
    "denied": [
        ("on", NONE), ("use -", NONE), ("use -", NONE), ("use --none", NONE), ("off", OFF), ("on", NONE), ("use -", NONE), ("off", OFF),
        ("use -", NONE),
    ],
}


@pytest.mark.parametrize("place", SAID)
@pytest.mark.parametrize("kind", [*SHELLS, "token"])
def test_every_shell_says_what_it_holds(tmp_path, kind, place):
    with HookedWorld(tmp_path) as world:
        config = world.home / ".aws/config"
        config.write_text(config.read_text() + role_profile("one", "Deploy"))
        folder = world.home if place == "outside" else world.project("shop", ROLES, allow=place == "project")
        if place == "denied":
            world.awsrole("deny", folder)
        outer = {"AWS_PROFILE": "home"}
        shell = TokenShell(world, outer) if kind == "token" else world.terminal(kind, env=outer)
        shell.run(f"cd {folder}")
        for number, (words, expected) in enumerate(SAID[place]):
            said = re.findall(r"awsrole: (.*?)(?: in \d{12}, renews in \w+)?\r?$", shell.run(f"awsrole {words}"), re.MULTILINE)
            assert (number, words, said) == (number, words, expected)
