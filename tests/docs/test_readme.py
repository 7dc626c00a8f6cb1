"""Every command and every file in the documents does what is said, and every table is complete."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from documents import DOCUMENTS, FENCE, ROOT, blocks, quoted, table
from quickstart import run
from support.terminal import SHELLS, need

BLOCKS = blocks()
# Those of `keys` are run in tests/keys, where their questions are answered. Those of `tools` are typed by
# tests/tools/run, which fails if it left one out; `segment` and what goes with it by test_prompts.
BESIDE = {"tmux", "profile", "compose", "direnvrc", "envrc"}  # run by test_beside_others.py
COMMANDS = {"clone", "install", "package", "rc", "home", "project", "prompt", "segment", "tools", "keys"} | BESIDE
FILES = {"file", "config", "accounts", "starship"}
# Those of docs/ci.md, which test_ci.py runs.
CI = {"workflow", "trust"}


def of(world: str) -> list:
    found = [block for block in BLOCKS if block.world == world]
    return [pytest.param(block, id=block.name) for block in found]


@pytest.fixture(params=SHELLS)
def shell(request):
    need(request.param)
    return request.param


def test_no_block_is_left_out():
    for block in BLOCKS:
        match block.language:
            case "sh" | "bash" | "zsh" | "fish":
                assert block.world in COMMANDS, f"{block.name} doesn't say in which world it is run"
            case "toml":
                assert block.world in FILES, f"{block.name} doesn't say what kind of file it is"
            case "yaml" | "json":
                assert block.world in CI | BESIDE, f"{block.name} isn't run by test_ci.py or test_beside_others.py"
            case language:
                assert language == "text" and block.world in {None, "profile"}, f"{block.name}: {language!r} is neither run nor text"


@pytest.mark.parametrize("block", of("clone"))
def test_commands_of_a_clone(block, tmp_path):
    """Each is there and starts; the quickstart without a terminal, the tests without running themselves."""
    for line in block.lines:
        program, *arguments = line.split("#")[0].split()
        instead = {"examples/quickstart/run": ["--script"], "tests/run": ["--list"], "tests/tools/run": ["--list"],
                   "docs/picture": ["--text"], "fuzz/run": ["--list"], "benches/run": ["--help"]}[program]
        done = subprocess.run([ROOT / program, *instead], cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        if program in ("tests/run", "tests/tools/run"):
            parts = {row.split()[0] for row in done.stdout.splitlines()}
            assert set(" ".join(arguments).split("--")[0].split()) <= parts


@pytest.mark.parametrize("block", of("rc"))
def test_lines_for_rc_files(block, shell, tmp_path):
    """Each by the shell that it names: then there is a function of the name."""
    [line] = [line for line in block.lines if f"hook {shell}" in line]
    home = tmp_path / "home"
    home.mkdir()
    asked = {"bash": "declare -F awsrole", "zsh": "whence -w awsrole | grep function", "fish": "functions -q awsrole"}
    env = {"HOME": str(home), "PATH": f"{os.environ['AWSROLE_TEST_BIN_DIR']}:{os.environ['PATH']}", "TERM": "dumb"}
    quiet = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["-N"]}[shell]
    done = subprocess.run([shell, *quiet, "-i", "-c", f"{line}\n{asked[shell]}"], env=env, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", of("home"))
def test_commands_in_a_new_directory(block, shell, tmp_path):
    code, seen = run(shell, ["mkdir new", "cd new", *block.lines], tmp_path)
    assert code == 0, seen


@pytest.mark.parametrize("block", of("project"))
def test_commands_in_a_project(block, shell, tmp_path):
    code, seen = run(shell, ["cd shop-dev", "awsrole allow 2>/dev/null", *block.lines], tmp_path)
    assert code == 0, seen


@pytest.mark.parametrize("block", of("file"))
def test_project_files(block, tmp_path):
    (tmp_path / ".awsrole.toml").write_text(block.text)
    lines = ["mkdir new", "cd new", f"cp {tmp_path}/.awsrole.toml .", "awsrole allow", "test -n $AWSROLE_ROLE"]
    roles = re.findall(r"\[role\.(\w+)\]", block.text)
    lines += [f"awsrole use {role} && test $AWSROLE_ROLE = {role}" for role in roles]
    code, seen = run("bash", lines, tmp_path)
    assert code == 0, seen


@pytest.mark.parametrize("block", of("config"))
def test_users_own_settings(block, tmp_path):
    (tmp_path / "config.toml").write_text(block.text)
    lines = [
        "umask 022",
        "mkdir -p ~/.config/awsrole ~/src/acme/shop ~/src/other",
        f"cp {tmp_path}/config.toml ~/.config/awsrole",
        "cp shop-dev/.awsrole.toml src/acme/shop",
        "cp shop-dev/.awsrole.toml src/other",
        "cd ~/src/acme/shop && test $AWSROLE_ROLE = Deploy",
        'cd ~/src/other && test -z "$AWSROLE_ROLE"',
    ]
    code, seen = run("bash", lines, tmp_path)
    assert code == 0, seen


@pytest.mark.parametrize("block", of("prompt"))
def test_prompts(block, shell, tmp_path):
    """Each line by the shell that its comment names: the role's name is in what the prompt shows."""
    [line] = [line for line in block.lines if line.endswith(f"# {shell}")]
    shown = {"bash": 'echo "<${PS1@P}>"', "zsh": 'print -P "<$PROMPT>"', "fish": 'echo "<"(fish_right_prompt)">"'}[shell]
    # In an rc file zsh takes comments; when they are typed only if told so.
    before = ["setopt interactive_comments"] if shell == "zsh" else []
    code, seen = run(shell, [*before, line, shown, "cd shop-dev", "awsrole allow", shown], tmp_path)
    assert code == 0, seen
    outside, inside = re.findall(r"^<(.*)>$", seen, re.M)
    assert "Deploy" not in outside and "Deploy" in inside


def binary(*arguments: str) -> str:
    program = Path(os.environ["AWSROLE_TEST_BIN_DIR"]) / "awsrole"
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout


def test_the_table_of_keys_is_complete():
    source = (ROOT / "crates/core/src/project/config.rs").read_text()
    names = re.search(r"NAMES: \[&str; \d+\] = \[(.*?)\];", source, re.S)
    known = re.findall(r'"(\w+)"', names[1]) + ["default_role", "inherit"]
    assert sorted(quoted(row[0])[0] for row in table("README.md", "The file")) == sorted(known)


def test_the_table_of_commands_is_complete():
    listed = re.search(r"Commands:\n(.*?)\n\n", binary("--help"), re.S)
    known = {line.split()[0] for line in listed[1].splitlines()}
    named = {word.split()[1] for row in table("README.md", "Commands and exit codes") for word in quoted(row[0])
             if word.startswith("awsrole ")}
    # `on` stands beside `off`; `use` is the hook's own.
    assert named | {"on"} == known | {"use"}


def test_the_options_are_there():
    for row in table("README.md", "Commands and exit codes"):
        command = quoted(row[0])[0].split()[1]
        options = re.findall(r"--[a-z-]+", " ".join(quoted(row[0]) + quoted(row[1])))
        if options:
            text = binary(command, "--help")
            assert all(option in text for option in options), f"{command}: {options}"


def test_the_exit_codes_are_those_of_the_help_text():
    text = binary("--help").replace("\n", " ")
    for row in re.findall(r"^\| ([0-9, ]+) \|", (ROOT / "README.md").read_text(), re.M):
        for code in row.split(", "):
            assert re.search(rf"\b{code}\b", text), code


def test_the_table_of_variables_is_complete(tmp_path):
    """What a role changes is in the table, and nothing else is changed."""
    before, inside = tmp_path / "before", tmp_path / "inside"
    # Every variable that the code names stands there before, so that each change is seen.
    source = (ROOT / "crates/core/src/shell/environment.rs").read_text().split("mod tests")[0]
    source += re.search(r"const HIDDEN: [^=]*= \[(.*?)\];", (ROOT / "crates/core/src/shell/state.rs").read_text(), re.S)[1]
    lines = [f"export {name}=mine" for name in re.findall(r'"([A-Z_]{6,})"', source) if not name.startswith("AWSROLE")]
    code, seen = run("bash", [*lines, f"env -0 > {before}", "cd shop-dev", "awsrole allow", f"env -0 > {inside}",
                              "cd ..", f"env -0 > {tmp_path}/after"], tmp_path)
    assert code == 0, seen

    def read(path):
        pairs = (pair.split("=", 1) for pair in path.read_text().split("\0") if pair)
        return {name: value for name, value in pairs if name not in ("PWD", "OLDPWD", "_")}

    assert read(tmp_path / "after") == read(before)
    changed = {name for name in {*read(before), *read(inside)} if read(before).get(name) != read(inside).get(name)}
    described = {name for row in table("README.md", "What is exported and hidden, and why") for name in quoted(row[0])}
    assert changed == described
    hidden = {name for row in table("README.md", "What is exported and hidden, and why") if row[1].startswith("hidden")
              for name in quoted(row[0])}
    assert hidden == {name for name in read(before) if name not in read(inside)}


def test_links_lead_somewhere():
    for document in DOCUMENTS:
        text = FENCE.sub("", document.read_text())
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if target.startswith("http"):
                continue
            path, _, anchor = target.partition("#")
            other = document.parent / path if path else document
            assert other.exists(), f"{document.name}: {target}"
            if anchor:
                headings = re.findall(r"^#+ (.*)$", other.read_text(), re.M)
                anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
                assert anchor in anchors, f"{document.name}: {target}"


def test_what_is_named_is_there():
    """Paths of the repository and the snippets' functions, in any document."""
    snippets = [(ROOT / "shell" / f"awsrole.{shell}").read_text() for shell in SHELLS]
    for document in DOCUMENTS:
        text = document.read_text()
        for function in set(re.findall(r"__awsrole_\w+", text)):
            assert all(function in snippet for snippet in snippets), f"{document.name}: {function}"
        for path in re.findall(r"`((?:crates|tests|shell|docs|examples)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), f"{document.name}: {path}"


def test_the_table_of_tools_is_what_tests_tools_run_wrote():
    results = json.loads((ROOT / "tests/tools/results.json").read_text())
    assert table("README.md", "Coming from") == [[row["tool"], row["version"], row["shown"]] for row in results]
    versions = {row["tool"]: row["version"] for row in results}
    pins = {"osls": "tools/osls/package.json", "serverless@3": "tools/serverless3/package.json", "AWS CDK": "tools/cdk/package.json",
            "AWS SAM": "tools/sam/requirements.txt", "Terraform": "tools/terraform/requirements.txt", "AWS CLI": "requirements.txt",
            "boto3": "requirements.txt", "AWS SDK for JavaScript v3": "node/package.json"}
    for tool, file in pins.items():
        assert versions[tool] in (ROOT / "tests" / file).read_text(), f"{tool}: pinned anew since tests/tools/run wrote results.json"
