"""Fixtures of all tests. They remove the caller's AWS settings, make `support` importable, and provide a world."""

import os
from pathlib import Path

import pytest

from support import sealed
from support.world import DEPLOY, World

ROOT = Path(__file__).parents[1]

# Also those of an AI agent that runs the tests.
STRANGE = ("AWS_", "AWSROLE_", "AI_AGENT", "AGENT", "CLAUDE", "CODEX_", "CURSOR_", "GEMINI_", "OPENCODE", "COPILOT_")
for name in [name for name in os.environ if name.startswith(STRANGE) and name != "AWSROLE_TEST_BIN_DIR"]:
    del os.environ[name]
os.environ.setdefault("AWSROLE_TEST_BIN_DIR", str(ROOT / "target/debug"))
# With a mask of 002 the tests' homes would be writable for a group, and approvals in them wouldn't be trusted.
os.umask(0o022)


@pytest.fixture(autouse=True)
def no_keys_are_left(request):
    """Removes the encryption keys of all cache directories of a test, because a user's keyring has room for two
    hundred.
    """
    root = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    # Directories of commands that have just ended may disappear in the meantime.
    for folder, _, files in os.walk(root) if root else ():
        if "key.lock" in files:
            sealed.forget(Path(folder))


@pytest.fixture
def world(tmp_path):
    """A home directory with AWS files, and an STS that knows its keys."""
    with World(tmp_path) as world:
        yield world


@pytest.fixture
def shop(world):
    """An approved project with the role Deploy."""
    return world.project("shop", DEPLOY, allow=True)


# Reasons for a skip that describe the system, not a missing program.
KINDS = ("bash 5.3 renews", "before bash 5.1", "this system makes no core dumps")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI no test is skipped because of a missing program, since tests/setup installs them all."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(KINDS):
            report.outcome, report.longrepr = "failed", f"skipped in CI: {reason}"
    return report
