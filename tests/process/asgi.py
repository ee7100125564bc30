"""`roompulse.asgi:app` under the ASGI servers that others run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import httpx
from benchmarks.processes import free_port

from tests.forked import Fork, uvicorn
from tests.server import Server

START = 60.0
"""Seconds in which a server has to answer: importing takes long on a machine that is busy."""

AsgiServer = Literal["uvicorn", "hypercorn"]

COMMANDS: Mapping[AsgiServer, Callable[[int], list[str]]] = {
    "uvicorn": lambda port: ["uvicorn", "roompulse.asgi:app", "--no-access-log", "--port", str(port)],
    "hypercorn": lambda port: ["hypercorn", "roompulse.asgi:app", "--bind", f"127.0.0.1:{port}"],
}


class AsgiProcess(Server):
    """The application under a stock ASGI server."""

    def __init__(self, data: Path, environment: Mapping[str, str], under: AsgiServer | None = None) -> None:
        """`under` is started by its command; without one, uvicorn is forked, which takes a tenth of the time."""
        super().__init__(data, environment)
        self._under = under

    def start(self) -> None:
        self.port = self.port or free_port()
        environment = environment_of(self.data, self._environment)
        if self._under is None:
            self._process = Fork(COMMANDS["uvicorn"](self.port)[1:], environment, self.log, uvicorn)
        else:
            command = [sys.executable, "-m", *COMMANDS[self._under](self.port)]
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment)
        deadline = time.monotonic() + START
        while not self._answers():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGTERM, within: float = START) -> int:
        return super().stop(how, within)

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self.log.read_text()
        try:
            return self.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False


def environment_of(data: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of this process, with the settings of a server as variables in place of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ROOMPULSE_")}
    return {**clean, "ROOMPULSE_DATA": str(data), **settings}
