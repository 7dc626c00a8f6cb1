"""Runs ministack, an independent implementation of AWS, with its authorization enabled."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from pathlib import Path

import boto3
from botocore.config import Config

from support.aws_files import FAR, HERE, THERE
from support.local_sts import clean_environment

QUIET = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)


class MinistackServer:
    """The running server without any resources."""

    def __init__(self, program: str):
        self._directory = tempfile.TemporaryDirectory(prefix="ministack-")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        env = clean_environment(AUTH="true", BIND_HOST="127.0.0.1", GATEWAY_PORT=str(port), HOME=self._directory.name,
                                MINISTACK_REGION="us-east-1", TMPDIR=self._directory.name)
        self._log = Path(self._directory.name) / "log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen([program], env=env, cwd=self._directory.name, stdin=subprocess.DEVNULL,
                                             stdout=log, stderr=subprocess.STDOUT)
        try:
            self._wait(port)
        except BaseException:
            self.stop()
            raise

    def _wait(self, port: int) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"ministack ended: {self._log.read_text()}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("ministack doesn't listen")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._directory.cleanup()


class MinistackIam(MinistackServer):
    """The server with the user alice, her keys, and an IAM client for each account."""

    def __init__(self, program: str):
        super().__init__(program)
        # An access key ID of twelve digits identifies the root user of that account.
        self.iam = {account: boto3.client("iam", endpoint_url=self.url, region_name="us-east-1", config=QUIET,
                                          aws_access_key_id=account, aws_secret_access_key="test") for account in (HERE, THERE, FAR)}
        self.iam[HERE].create_user(UserName="alice")
        issued = self.iam[HERE].create_access_key(UserName="alice")["AccessKey"]
        self.keys = issued["AccessKeyId"], issued["SecretAccessKey"]
