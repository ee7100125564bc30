"""The real server in its own process: free port, temporary data, its log in the output of a failed test."""

import os
import re
import select
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.forked import Fork
from tests.process import DEADLINE

LIFETIMES = {"ROOMPULSE_STALE_AFTER": "600", "ROOMPULSE_LEAVE_AFTER": "3600"}
"""So that on a busy machine no user turns stale in the middle of a test of something else."""


PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of plain HTTP: loading all certificates takes ten times as long as a request."""


class Server:
    """A running `roompulse serve`; `restart` starts it again on the same port and data."""

    def __init__(self, data: Path, environment: Mapping[str, str], command: Sequence[str] | None = None) -> None:
        """`command` starts the server; without one it is forked, which takes a tenth of the time."""
        self.data = data
        self.log = data.with_suffix(".log")
        self.port = 0
        self.arguments: Sequence[str] = ()
        """Further ones of `serve`."""
        self._command = command
        self._environment = {"ROOMPULSE_SENDER_RATE": "0", "ROOMPULSE_READER_RATE": "0", **environment}
        if not environment.keys() & LIFETIMES.keys():
            self._environment |= LIFETIMES
        self._process: subprocess.Popen[bytes] | Fork | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ROOMPULSE_")}
        arguments = ["serve", "--port", str(self.port), "--data", str(self.data), *self.arguments]
        environment = clean | self._environment
        if self._command is None:
            self._process = Fork(arguments, environment, self.log)
        else:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [*self._command, *arguments], stdout=subprocess.PIPE, stderr=log, env=environment
                )
        assert self._process.stdout
        line = b""
        if select.select([self._process.stdout], [], [], DEADLINE)[0]:
            line = self._process.stdout.readline()
        if not (where := re.search(rb"serves http://[^ ]*:(\d+)", line)):
            raise AssertionError(f"the server did not start: {line!r} {self.log.read_text()}")
        self.port = int(where[1])

    def stop(self, how: signal.Signals = signal.SIGTERM, within: float = DEADLINE) -> int:
        """Stop the server and return its exit code; fails if that takes more than `within` seconds."""
        assert self._process
        self._process.send_signal(how)
        code = self._process.wait(timeout=within)
        assert self._process.stdout
        self._process.stdout.close()
        self._process = None
        return code

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def client(self, **options: Any) -> httpx.Client:
        """A client that keeps its connection and its cookies."""
        return httpx.Client(base_url=self.url, verify=PLAIN, timeout=DEADLINE, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer to a request by a connection of its own."""
        with self.client() as client:
            return client.request(method, path, **options)

    def post(self, body: bytes, **headers: str) -> httpx.Response:
        headers = {"Content-Type": "application/json"} | headers
        return self.request("POST", "/report/metrics", content=body, headers=headers)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.request("GET", path, headers=headers)

    @contextmanager
    def running(self) -> Iterator["Server"]:
        self.start()
        try:
            yield self
        finally:
            if self._process:
                self.stop()
            sys.stderr.write(self.log.read_text())
