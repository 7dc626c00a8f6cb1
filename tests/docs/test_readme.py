"""Tests every command and every file in the documents, and that every table is complete."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from quickstart import run, transcript

from support.documents import DOCUMENTS, FENCE, ROOT, blocks, broken_links, quoted, table
from support.terminal import SHELLS, need

BLOCKS = blocks()
# Those of `keys` are run in tests/keys, and those of `sso` and `permission-set` in tests/sources, where prompts are
# answered. Those of `tools` are run by tests/tools/run, which fails if it left one out. Those of `segment` are run by
# test_prompts.
BESIDE = {"tmux", "tmux-copies", "profile", "compose", "direnvrc", "envrc"}  # run by test_integrations.py
# Run by tests/other_shells.
OTHER_SHELLS = {"protocol", *(f"{kind}-{shell}" for kind in ("rc", "prompt") for shell in ("nu", "xonsh", "elvish", "tcsh"))}
PACKAGES = {"install", "package", "installer", "verify", "devcontainer"}  # run in tests/packages
COMMANDS = {"clone", "rc", "home", "project", "prompt", "segment", "tools", "keys", "sso", "uninstall"} | BESIDE | PACKAGES | OTHER_SHELLS
TRANSCRIPTS = {"home-transcript", "project-transcript"}
PROFILES = {"profile", "tmux-copies", "sso", "mfa"}
FILES = {"file", "agents-file", "config", "accounts", "protect", "starship", "permission-set", "organization"}
# `organization` is used by tests/cli/test_organization.py. Those of docs/ci.md, which test_ci.py runs.
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
                assert block.world in CI | BESIDE | PACKAGES | {"protocol-answer"}, f"{block.name} isn't run by test_ci.py, test_integrations.py or tests/packages"
            case "console":
                assert block.world in TRANSCRIPTS, f"{block.name} doesn't say where its commands are typed"
            case language:
                assert language == "text" and block.world in {None, *PROFILES}, f"{block.name}: {language!r} is neither run nor text"
    for document in DOCUMENTS:
        assert not re.search(r"^[ \t]+```", document.read_text(), re.M), f"{document.name}: an indented block is not found"


@pytest.mark.parametrize("block", of("clone"))
def test_commands_of_a_clone(block, tmp_path):
    """Each is there and starts; the quickstart without a terminal, the tests without running themselves."""
    for line in block.lines:
        program, *arguments = line.split("#")[0].split()
        instead = {"examples/quickstart/run": ["--script"], "tests/run": ["--list"], "tests/tools/run": ["--list"],
                   "tests/platforms/run": ["--list"], "docs/picture": ["--text"], "fuzz/run": ["--list"], "benches/run": ["--help"]}[program]
        done = subprocess.run([ROOT / program, *instead], cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        if program in ("tests/run", "tests/tools/run", "tests/platforms/run"):
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


@pytest.mark.parametrize("block", [*of("home-transcript"), *of("project-transcript")])
def test_transcripts(block, tmp_path):
    """The typed lines print the output in the document. UPDATE=1 writes it."""
    before = {"home-transcript": "mkdir -p src/shop; cd src/shop",
              "project-transcript": "cd shop-dev 2>/dev/null; awsrole allow --yes 2>/dev/null"}[block.world]
    commands = [line.removeprefix("$ ") for line in block.lines if line.startswith("$ ")]
    shown = transcript(before, commands, tmp_path)
    if "UPDATE" in os.environ:
        block.document.write_text(block.document.read_text().replace(block.text, shown))
    else:
        assert without_times(block.text) == without_times(shown), "run this test with UPDATE=1"


def without_times(text):
    return re.sub(r"\b([0-9]+m|1h)\b", "…", text)


@pytest.mark.parametrize("block", of("mfa"))
def test_a_profile_with_mfa(block, tmp_path):
    """A new profile whose role needs a code."""
    (tmp_path / "profile").write_text(block.text.replace("shop-ops", "new-ops"))
    lines = [f"cat {tmp_path}/profile >> ~/.aws/config",
             "sed -i '1i mfa_process = \"authenticator\"' ~/.config/awsrole/config.toml",
             "mkdir new", "cd new", "awsrole init --profile new-ops", "awsrole allow", "test $AWSROLE_ROLE = new-ops",
             "awsrole why | grep GetSessionToken"]
    code, seen = run("bash", lines, tmp_path)
    assert code == 0, seen


@pytest.mark.parametrize("block", of("uninstall"))
def test_uninstalling_removes_all_data(block, tmp_path):
    lines = ["cd shop-dev", "awsrole allow", "cd", *block.lines,
             f"find . -path '*awsrole*' ! -name .awsrole.toml > {tmp_path}/left"]
    code, seen = run("bash", lines, tmp_path)
    assert code == 0, seen
    assert (tmp_path / "left").read_text() == ""


@pytest.mark.parametrize("block", of("file"))
def test_project_files(block, tmp_path):
    (tmp_path / ".awsrole.toml").write_text(block.text)
    lines = ["mkdir new", "cd new", f"cp {tmp_path}/.awsrole.toml .", "awsrole allow", "test -n $AWSROLE_ROLE"]
    roles = re.findall(r"\[role\.(\w+)\]", block.text)
    lines += [f"awsrole use {role} --yes && test $AWSROLE_ROLE = {role}" for role in roles]
    code, seen = run("bash", lines, tmp_path)
    assert code == 0, seen


@pytest.mark.parametrize("block", of("agents-file"))
def test_project_files_for_agents(block, tmp_path):
    """An agent gets a role, and no other than the one for agents."""
    (tmp_path / ".awsrole.toml").write_text(block.text)
    roles = re.findall(r"^role = \"(\w+)\"", block.text, re.M) or ["shop-dev"]
    lines = ["mkdir new", "cd new", f"cp {tmp_path}/.awsrole.toml .", "awsrole allow", "export CLAUDECODE=1",
             f"test $(awsrole exec -- sh -c 'echo $AWSROLE_ROLE') = {roles[0]}"]
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
        "cd ~/src/acme/shop && test $AWSROLE_ROLE = shop-dev",
        'cd ~/src/other && test -z "$AWSROLE_ROLE"',
    ]
    code, seen = run("bash", lines, tmp_path)
    assert code == 0, seen


@pytest.mark.parametrize("block", of("protect"))
def test_protected_accounts(block, tmp_path):
    (tmp_path / "config.toml").write_text(block.text)
    lines = [f"cp {tmp_path}/config.toml ~/.config/awsrole", "cd ~/shop-prod; awsrole allow; true",
             "test $AWSROLE_STATE = blocked", "awsrole why | grep 'shop-prod (333333333333) is protected'",
             "cd ~/shop-dev; awsrole allow", "test $AWSROLE_ROLE = shop-dev"]
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
    assert "acme-dev" not in outside and re.search("shop-dev[ @]acme-dev", inside)


def binary(*arguments: str) -> str:
    program = Path(os.environ["AWSROLE_TEST_BIN_DIR"]) / "awsrole"
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout


def test_the_table_of_keys_is_complete():
    known = json.loads((ROOT / "docs/awsrole.schema.json").read_text())["properties"]
    # The keys of a role's table are those at top level.
    keys = [name for key in known if key != "role" for name in (key, *(f"agent.{inner}" for inner in known["agent"]["properties"] if key == "agent"))]
    assert [quoted(row[0])[0] for row in table("docs/configuration.md", "Keys")] == keys


def test_the_table_of_settings_is_complete(tmp_path):
    """The error for an unknown key in a table of config.toml lists the keys of the table."""
    (tmp_path / ".config/awsrole").mkdir(parents=True, mode=0o700)
    program = Path(os.environ["AWSROLE_TEST_BIN_DIR"]) / "awsrole"

    def keys_of(prefix):
        (tmp_path / ".config/awsrole/config.toml").write_text(f"{prefix}nonsense = 1\n")
        done = subprocess.run([program, "init", "--profile", "x"], cwd=tmp_path, env={"HOME": str(tmp_path)}, capture_output=True, text=True)
        assert "unknown key `nonsense`" in done.stderr, done
        [keys] = re.findall(r"the keys? here (?:are|is): (.*)", done.stderr)
        return keys.split(", ")

    known = set(keys_of(""))
    for name, prefix in {"limits": "limits.", "accounts": "accounts.222222222222.", "cache": "cache.", "keys": "keys.", "browser": "browser.", "agent": "agent."}.items():
        known = known - {name} | {f"{name}.{key}" for key in keys_of(prefix)}
    described = {quoted(row[0])[0].replace(".ID.", ".") for row in table("docs/settings.md", "Settings: config.toml")}
    assert described == known


def test_the_commands_of_the_readme_are_there():
    """What the table names is a command with these options. docs/commands.md, with all of them, is generated."""
    rows = table("README.md", "Everyday commands")
    assert len(rows) == 8
    for row in rows:
        command = quoted(row[0])[0].split()[1]
        text = binary(command, "--help")
        assert all(option in text for option in re.findall(r"--[a-z-]+", row[1]))


def test_commands_in_sentences_are_there():
    """Each `awsrole …` between backticks names a command, and options that its help text has."""
    known = set(re.findall(r"^  ([a-z-]+)  ", binary("--help").split("Options:")[0], re.M))
    texts = {}
    for document in DOCUMENTS:
        for code in re.findall(r"`awsrole ([a-z][^`]*)`", FENCE.sub("", document.read_text())):
            words = code.split(" -- ")[0].split()
            assert words[0] in known, f"{document.name}: {code}"
            command = words[:2] if words[0] in ("keys", "hook") and len(words) > 1 and words[1].islower() and words[1].isalpha() else words[:1]
            text = texts.setdefault(tuple(command), binary(*command, "--help"))
            for option in re.findall(r"--[a-z][a-z-]*", " ".join(words)):
                assert option in text, f"{document.name}: {code}"


def test_the_table_of_the_blocked_state(tmp_path):
    lines = ["cd shop-dev", "awsrole allow", "echo '# edited' >> .awsrole.toml", f"env -0 > {tmp_path}/blocked"]
    code, seen = run("bash", lines, tmp_path, AWS_SESSION_TOKEN="mine")
    assert code == 0, seen
    held = dict(pair.split("=", 1) for pair in (tmp_path / "blocked").read_text().split("\0") if pair)
    rows = table("docs/environment.md", "In the blocked state")
    for names, meaning in rows:
        for name in quoted(names):
            if meaning.startswith("set to `"):
                assert held[name] == quoted(meaning)[0]
            elif meaning.startswith("hidden"):
                assert name not in held
    assert held["AWSROLE_PRIOR_AWS_PROFILE"] == "personal"
    named = {name for names, _ in rows for name in quoted(names)}
    assert {"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED", "AWSROLE_STATE"} <= named


def test_the_readme_is_short():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 160 and len(text.split()) <= 1200


def test_the_glossary_is_short():
    rows = table("docs/glossary.md", "Glossary")
    assert len(rows) <= 40 and [row[0].lower() for row in rows] == sorted(row[0].lower() for row in rows)


def test_every_page_is_linked_from_the_readme():
    text = (ROOT / "README.md").read_text()
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"aws-vault.md"}
    assert {page for page in pages if f"(docs/{page}" not in text} == set()


def test_the_exit_codes_are_those_of_the_help_text():
    text = binary("--help").replace("\n", " ")
    for row in re.findall(r"^\| ([0-9, ]+) \|", (ROOT / "docs/commands.md").read_text(), re.M):
        for code in row.split(", "):
            assert re.search(rf"\b{code}\b", text), code


def test_the_table_of_variables_is_complete(tmp_path):
    """What a role changes is in the table, and nothing else is changed."""
    before, inside = tmp_path / "before", tmp_path / "inside"
    # Every variable that the code names has a prior value, so that each change is detected.
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
    described = {name for row in table("docs/environment.md", "With a role") for name in quoted(row[0])}
    assert changed == described
    hidden = {name for row in table("docs/environment.md", "With a role") if row[1].startswith("hidden")
              for name in quoted(row[0])}
    assert hidden == {name for name in read(before) if name not in read(inside)}


def test_links_lead_somewhere():
    assert broken_links() == []


def test_what_is_named_is_there():
    """Paths of the repository and the snippets' functions, in any document."""
    snippets = ["".join(part.read_text() for part in (ROOT / "shell").glob(f"*.{shell}")) for shell in SHELLS]
    for document in DOCUMENTS:
        text = document.read_text()
        for function in set(re.findall(r"__awsrole_\w+", text)):
            assert all(function in snippet for snippet in snippets), f"{document.name}: {function}"
        for path in re.findall(r"`((?:crates|tests|shell|docs|examples)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), f"{document.name}: {path}"


def test_the_table_of_tools_is_what_tests_tools_run_wrote():
    results = json.loads((ROOT / "tests/tools/results.json").read_text())
    assert table("docs/tested-tools.md", "Tested tools") == [[row["tool"], row["version"], row["shown"]] for row in results]
    versions = {row["tool"]: row["version"] for row in results}
    pins = {"osls": "tools/osls/package.json", "serverless@3": "tools/serverless3/package.json", "AWS CDK": "tools/cdk/package.json",
            "AWS SAM": "tools/sam/requirements.txt", "Terraform": "tools/terraform/requirements.txt", "AWS CLI": "requirements.txt",
            "boto3": "requirements.txt", "AWS SDK for JavaScript v3": "node/package.json"}
    for tool, file in pins.items():
        assert versions[tool] in (ROOT / "tests" / file).read_text(), f"{tool}: pinned anew since tests/tools/run wrote results.json"
