"""Tests the workflow of docs/ci.md step by step, with a runner's variables and a token that the role trusts."""

import json
import subprocess
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from support.documents import ROOT, blocks
from support.local_sts import binary
from support.world import THERE, World

ISSUER = "token.actions.githubusercontent.com"
[WORKFLOW] = [block for block in blocks() if block.world == "workflow"]
[TRUST] = [block for block in blocks() if block.world == "trust"]
FIXTURE = {
    "role": [{"name": "Deploy", "account": THERE, "trust": TRUST.text}],
    "oidc_provider": [{"account": THERE, "url": f"https://{ISSUER}", "client_ids": ["sts.amazonaws.com"]}],
}


class Runner:
    """The machine of a job: its variables, and the URL of its token."""

    def __init__(self, world, subject):
        self.world, self.subject = world, subject
        self.variables = world.home / "github-env"
        self.variables.touch()
        self.masked = []
        runner = self

        class Tokens(BaseHTTPRequestHandler):
            def do_GET(self):
                query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
                if self.headers["authorization"] != "bearer of-this-job":
                    return self.send_error(401)
                token = world.sts.id_token(provider=f"https://{ISSUER}", subject=runner.subject, audience=query["audience"])
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps({"count": 1, "value": token}).encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Tokens)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def step(self, script, folder, **more):
        """Runs a step like the runner: bash with -e and pipefail, and the variables of previous steps."""
        env = self.world.environment(
            PATH=f"{binary('awsrole').parent}:{self.world.environment()['PATH']}", AWS_ENDPOINT_URL=self.world.sts.url,
            GITHUB_ENV=str(self.variables), ACTIONS_ID_TOKEN_REQUEST_TOKEN="of-this-job",
            ACTIONS_ID_TOKEN_REQUEST_URL=f"http://127.0.0.1:{self.server.server_port}/token?api-version=2.0",
            **dict(line.split("=", 1) for line in self.variables.read_text().splitlines()), **more)
        done = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script], cwd=folder, env=env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.masked += [line.removeprefix("::add-mask::") for line in done.stdout.splitlines() if line.startswith("::add-mask::")]
        return done


@pytest.fixture
def job(tmp_path):
    with World(tmp_path, FIXTURE) as world:
        folder = world.project("shop", f'profile = "shop-dev"\naccount_id = "{THERE}"\n')
        for name in ("config", "credentials"):
            (world.home / ".aws" / name).unlink()
        yield Runner(world, "repo:acme/shop:ref:refs/heads/main"), folder


def steps():
    [work] = yaml.safe_load(WORKFLOW.text)["jobs"].values()
    return [step["run"] for step in work["steps"] if "run" in step]


def test_the_workflow(job):
    runner, folder = job
    for script in steps():
        done = runner.step(script, folder)
        assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Arn"].startswith(f"arn:aws:sts::{THERE}:assumed-role/Deploy/")
    held = dict(line.split("=", 1) for line in runner.variables.read_text().splitlines())
    assert sorted(runner.masked) == sorted(held[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"))
    assert held["AWS_REGION"] == "eu-central-1"


def test_another_repositorys_job_has_no_role(job):
    runner, folder = job
    runner.subject = "repo:stranger/shop:ref:refs/heads/main"
    who, take, _ = steps()
    assert runner.step(who, folder).returncode == 0
    done = runner.step(take, folder)
    assert done.returncode == 4 and "trust policy" in done.stderr
    assert runner.variables.read_text() == "" and runner.masked == []


def test_what_the_job_had_is_named(job):
    """GITHUB_ENV can't unset a variable."""
    runner, folder = job
    who, take, _ = steps()
    runner.step(who, folder)
    done = runner.step(take, folder, AWS_PROFILE="other")
    assert "AWS_PROFILE is set in this job" in done.stderr and done.returncode == 0


def test_the_page_is_linked():
    assert "docs/ci.md" in (ROOT / "README.md").read_text()
