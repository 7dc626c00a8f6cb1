"""Measures everything and writes the results. `benches/run` installs what this needs and starts it."""

from __future__ import annotations

import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import picker
import report
from processes import Program, compare, in_turns, peak_memory
from prompts import EMPTY, SHELLS, Shell

from support.world import ALICE, DEPLOY, FIXTURE, THERE, World, asked

ROOT = Path(__file__).resolve().parents[1]
ROLE = f"arn:aws:iam::{THERE}:role/Deploy"
DEEP = "1/2/3/4/5/6/7"
TOOLS = {
    "direnv": "{} hook {}",
    "mise": "{} activate {}",
    "zoxide": "{} init {}",
}
# The variable that each tool sets in its project, and its value after an edit of its file.
FILES = {
    "direnv": (".envrc", "export BENCHED=yes\n", "export BENCHED=no\n"),
    "mise": ("mise.toml", '[env]\nBENCHED = "yes"\n', '[env]\nBENCHED = "no"\n'),
}


class Bench:
    """A home directory with a project for awsrole and for each installed tool, and the paths of the programs."""

    def __init__(self, root: Path):
        self.root = root
        self.world = World(root, FIXTURE)
        # The role must not expire during the measurement.
        self.world.sts.fault(lifetime_seconds=43_200)
        self.binaries = Path(os.environ["AWSROLE_TEST_BIN_DIR"])
        self.awsrole = str(self.binaries / "awsrole")
        self.small = str(self.binaries / "awsrole-hook")
        self.empty = str(self.binaries / "examples/empty")
        self.bare = str(self.binaries / "examples/bare")
        self.tools = {name: found for name in (*TOOLS, "aws") if (found := shutil.which(name))}
        self.shop = self.world.project("shop", DEPLOY, allow=True)
        (self.shop / DEEP).mkdir(parents=True)
        for tool, (name, content, _) in FILES.items():
            folder = self.world.project(tool)
            (folder / DEEP).mkdir(parents=True)
            (folder / name).write_text(content)
        if "direnv" in self.tools:
            self.run(self.tools["direnv"], "allow", cwd=self.world.home / "src/direnv")
        if "mise" in self.tools:
            self.run(self.tools["mise"], "trust", cwd=self.world.home / "src/mise")

    def environment(self, folder: Path, **more: str) -> dict[str, str]:
        # As many variables as in a typical shell.
        usual = {f"USUAL_{number}": "/usr/share/something:/opt/else" for number in range(40)}
        return self.world.environment(PWD=str(folder), MISE_OFFLINE="1", **usual, **more)

    def run(self, *words: object, cwd: Path, **env: str) -> str:
        done = subprocess.run([str(word) for word in words], cwd=cwd, env=self.environment(cwd, **env), check=True,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        return done.stdout

    def versions(self) -> dict[str, str]:
        found = {"awsrole": self.run(self.awsrole, "--version", cwd=self.root)}
        for name, path in {**self.tools, **{shell: shutil.which(shell) for shell in SHELLS}}.items():
            found[name] = self.run(path, "--version", cwd=self.root).splitlines()[0]
        return {name: text if name in text else f"{name} {text}" for name, text in
                ((name, text.strip().split(" (")[0]) for name, text in found.items())}

    # --- an unchanged prompt ---------------------------------------------------------------------------------------

    def load(self, tool: str, shell: str) -> str:
        """Returns the line for the rc file from each tool's documentation."""
        if tool == "empty":
            return EMPTY[shell]
        what = f"{self.awsrole} hook {shell}" if tool == "awsrole" else TOOLS[tool].format(self.tools[tool], shell)
        return f"{what} | source" if shell == "fish" else f'eval "$({what})"'

    def folder(self, tool: str) -> Path:
        return self.world.home / "src" / (tool if tool in FILES else "shop") / DEEP

    def prompts(self, shell: str, rounds: int) -> dict[str, dict]:
        """Returns the microseconds of an unchanged prompt for each hook, measured alternately in parallel shells."""
        shells: dict[str, Shell] = {}
        try:
            for tool in ("empty", "awsrole", *(tool for tool in TOOLS if tool in self.tools)):
                folder = self.folder(tool)
                env = {**self.environment(folder), "HOME": str(self.world.home)}
                shells[tool] = Shell(shell, self.load(tool, shell), folder, env, self.root / f"{tool}.{shell}.log")
            self.expect(shells, inside=True)
            # About the same time for each hook, so that load of the machine affects all of them alike.
            counts = {tool: max(3, min(200, int(20_000 / one.prompts(3)))) for tool, one in shells.items()}
            samples = [{tool: one.prompts(counts[tool]) for tool, one in shells.items()} for _ in range(rounds)]
            self.edit()
            self.expect(shells, inside=False)
            return compare(samples)
        finally:
            self.edit(back=True)
            for one in shells.values():
                one.close()

    def expect(self, shells: dict[str, Shell], *, inside: bool) -> None:
        """Checks that each hook sets its variable, and notices an edit at the next prompt."""
        for tool, one in shells.items():
            one.prompts(1)
            match tool:
                case "awsrole":
                    found, right = one.value("AWSROLE_ROLE"), "Deploy" if inside else ""
                case "direnv":
                    # awsrole blocks the shell after an edit until the file is approved again.
                    found, right = one.value("BENCHED"), "yes" if inside else ""
                case "mise":
                    found, right = one.value("BENCHED"), "yes" if inside else "no"
                case "zoxide":
                    one.tell(f"cd {self.shop}")
                    one.tell(f"cd {self.folder(tool)}")
                    one.prompts(1)
                    listed = self.run(self.tools["zoxide"], "query", "--list", cwd=self.root)
                    found, right = str(self.folder(tool) in map(Path, listed.splitlines())), "True"
                case _:
                    continue
            if found != right:
                raise RuntimeError(f"{tool} has {found!r} instead of {right!r}")

    def edit(self, *, back: bool = False) -> None:
        (self.shop / ".awsrole.toml").write_text(DEPLOY if back else DEPLOY + "# edited\n")
        for tool, (name, before, after) in FILES.items():
            file = self.world.home / "src" / tool / name
            file.write_text(before if back else after)
            # direnv compares modification times in seconds, so it misses a second edit within one.
            later = file.stat().st_mtime + (0 if back else 2)
            os.utime(file, (later, later))

    # --- processes -------------------------------------------------------------------------------------------------

    def export(self, program: str | None = None, *, event: str = "prompt", home: Path | None = None,
               **options: object) -> Program:
        """Returns the command that the snippet runs."""
        env = self.environment(self.shop)
        if home:
            env["HOME"] = str(home)
        words = [program or self.small, *map(str, asked(self.shop, event=event))]
        return Program(words, env, self.shop, lambda out: "\n__awsrole_done role " in out, **options)

    def loaded(self, tool: str) -> dict[str, str]:
        """Returns the environment of a shell in which a tool has loaded its project."""
        folder = self.world.home / "src" / tool
        export = f"{self.tools[tool]} {'export' if tool == 'direnv' else 'hook-env -s'} bash"
        program = self.load(tool, "bash") if tool == "mise" else ""
        # mise treats a new folder in the home directory as a change, even its own.
        script = f'{program}\nfor i in 1 2 3; do eval "$({export})"; done; env -0'
        out = self.run("bash", "--norc", "-c", script, cwd=folder)
        return dict(pair.split("=", 1) for pair in out.split("\0") if pair)

    def hits(self, rounds: int) -> dict[str, dict]:
        """Returns the microseconds of a process that needs no network. For direnv and mise also those of a load."""
        self.run(*self.export().words, cwd=self.shop)
        programs = {
            "an empty program": Program([self.empty], self.environment(self.root), self.root, lambda out: out == ""),
            "awsrole --version": Program([self.awsrole, "--version"], self.environment(self.root), self.root,
                                         lambda out: out.startswith("awsrole ")),
            report.CALL: self.export(),
            report.ALONE: self.export(self.awsrole),
        }
        static = self.binaries / "static/awsrole-hook"
        if static.is_file():
            programs[report.STATIC] = self.export(str(static))
        for tool, words in (("direnv", ["export", "bash"]), ("mise", ["hook-env", "-s", "bash"])):
            if tool not in self.tools:
                continue
            folder = self.world.home / "src" / tool
            shown = f"{tool} {words[0]}"
            programs[f"{shown}, unchanged"] = Program([self.tools[tool], *words], self.loaded(tool), folder,
                                                      lambda out: "BENCHED" not in out, every=2)
            env = self.environment(folder)
            if tool == "mise":
                env |= {"MISE_SHELL": "bash", "__MISE_ORIG_PATH": env["PATH"]}
            programs[f"{shown}, load"] = Program([self.tools[tool], *words], env, folder,
                                                 lambda out: "BENCHED" in out and "yes" in out, every=5)
        found = in_turns(programs, rounds)
        for name, program in programs.items():
            found[name]["peak_kib"] = peak_memory(program)
        return found

    def misses(self, rounds: int) -> dict[str, dict]:
        """Returns the microseconds of a process that has to call STS, on loopback and without TLS."""
        def forget() -> None:
            for entry in self.world.entries():
                entry.unlink()
        keys = {"AWS_ACCESS_KEY_ID": ALICE["access_key_id"], "AWS_SECRET_ACCESS_KEY": ALICE["secret_access_key"],
                "AWS_ENDPOINT_URL": self.world.sts.url, "AWS_REGION": "eu-west-1"}
        env = self.environment(self.root, **keys)
        missed = self.export(event="cd", before=forget)
        programs = {
            "the bare call": Program([self.bare, ROLE], env, self.root, lambda out: out.startswith("ASIA")),
            report.CALL: missed,
            report.ALONE: self.export(self.awsrole, event="cd", before=forget),
        }
        if "aws" in self.tools:
            words = [self.tools["aws"], "sts", "assume-role", "--role-arn", ROLE, "--role-session-name", "cli"]
            programs["aws sts assume-role"] = Program(words, env, self.root, lambda out: "ASIA" in out, every=10)
        self.world.sts.reset()
        found = in_turns(programs, rounds)
        # Each run called STS once, over one connection. One run before and one after it were checked.
        runs = sum(one["n"] + 2 for one in found.values())
        counts = self.world.sts.counts()
        if counts != {"AssumeRole": runs, "connections": runs}:
            raise RuntimeError(f"{runs} runs made {counts}")
        found[report.CALL]["peak_kib"] = peak_memory(missed)
        return found

    def list(self, rounds: int) -> dict:
        """Returns the microseconds until the list of `awsrole use` shows 2,000 profiles."""
        home = self.root / "listed"
        (home / ".aws").mkdir(parents=True)
        profiles = (f"[profile team-{index}]\nrole_arn = arn:aws:iam::{THERE}:role/Team{index}\nsource_profile = jump\n"
                    for index in range(2000))
        (home / ".aws/config").write_text("\n".join(profiles))
        return picker.opened(self.awsrole, {**self.environment(home), "HOME": str(home)}, home, rounds)

    def growth(self, rounds: int) -> dict[str, dict]:
        """Returns the microseconds of a cache hit among many other entries."""
        many = {"10 of each": (10, 10, 10), "1,000 profiles": (1000, 10, 10), "10,000 approvals": (10, 10_000, 10),
                "10,000 entries": (10, 10, 10_000), "1,000 profiles, 10,000 of the others": (1000, 10_000, 10_000)}
        programs = {}
        for number, (name, (profiles, approvals, entries)) in enumerate(many.items()):
            home = self.root / f"grown{number}"
            shutil.copytree(self.world.home, home, ignore=shutil.ignore_patterns("src", ".cache"))
            hit = self.export(home=home)
            # An entry belongs to a directory, so each home gets its own.
            self.run(*hit.words, cwd=hit.cwd, HOME=str(home))
            with (home / ".aws/config").open("a") as config:
                for index in range(profiles):
                    role = f"arn:aws:iam::{THERE}:role/Team{index}"
                    config.write(f"\n[profile team-{index}]\nrole_arn = {role}\nsource_profile = jump\nregion = eu-west-1\n")
            (entry,) = (home / ".cache/awsrole").glob("*.session")
            for index in range(entries):
                entry.with_name(f"{index:064x}.session").write_bytes(entry.read_bytes())
            for index in range(approvals):
                folder = home / ".local/share/awsrole/approvals" / f"{index:064x}"
                folder.mkdir()
                (folder / f"{index:064x}").write_text(DEPLOY)
            programs[name] = hit
        return in_turns(programs, rounds)


def machine() -> dict[str, str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    virtual = any("hypervisor" in line for line in lines if line.startswith("flags"))
    return {
        "processor": f"{model}, {os.cpu_count()} cores" + (", virtual" if virtual else ""),
        "system": f"{system}, kernel {platform.release()}",
        "load": f"{os.getloadavg()[0]:.1f}",
        "date": datetime.date.today().isoformat(),
    }


def measure(share: float) -> dict:
    found = {"machine": machine()}
    # mise compares the times of all parent directories, and that of /tmp changes all the time. Paths have a typical
    # length, because shells need longer for long ones.
    with tempfile.TemporaryDirectory(prefix="home-", dir="/var/tmp") as root:
        bench = Bench(Path(root))
        try:
            found["versions"] = bench.versions()
            found["missing"] = [tool for tool in (*TOOLS, "aws") if tool not in bench.tools]
            found["prompts"] = {shell: bench.prompts(shell, int(120 * share)) for shell in SHELLS if shutil.which(shell)}
            found["hits"] = bench.hits(int(600 * share))
            found["misses"] = bench.misses(int(60 * share))
            found["growth"] = bench.growth(int(150 * share))
            found["list"] = bench.list(int(100 * share))
        finally:
            bench.world.stop()
    found["machine"]["load_after"] = f"{os.getloadavg()[0]:.1f}"
    return found


def main() -> None:
    results = ROOT / "benches/results.json"
    if "--render" in sys.argv:
        found = json.loads(results.read_text())
    else:
        quick = "--quick" in sys.argv
        found = measure(0.1 if quick else 1)
        print(report.page(found))
        if quick:
            return
        results.write_text(json.dumps(found, indent=1) + "\n")
    for path, content in report.documents(found, ROOT).items():
        path.write_text(content)


if __name__ == "__main__":
    main()
