"""The input of every benchmark: a folder on a real disk, how long to measure, and missing programs."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

from msgspec import Struct
from tests.server import Server

from benchmarks.processes import Peer, free_port, peer, roompulse
from benchmarks.results import Row

UNHURRIED = {"SENDER_RATE": "0", "STALE_AFTER": "3600", "LEAVE_AFTER": "3600", "SNAPSHOT_INTERVAL": "3600"}
"""Settings of a server with rooms that do not change while they are measured."""


class Bench(Struct):
    """`raw` is where a benchmark puts all that it measured, for the JSON."""

    folder: Path
    quick: bool
    missing: list[str]
    raw: dict[str, Any]

    def rounds(self, full: int) -> int:
        return 1 if self.quick else full

    def seconds(self, full: float) -> float:
        return max(1.0, full / 3) if self.quick else full

    def data(self, name: str) -> Path:
        """An empty folder for a server's data."""
        path = self.folder / name
        rmtree(path, ignore_errors=True)
        path.with_suffix(".log").unlink(missing_ok=True)
        return path

    @contextmanager
    def server(self, name: str, settings: Mapping[str, str] | None = None, *arguments: str) -> Iterator[Server]:
        """roompulse with an empty database, which is deleted at the end."""
        data = self.data(name)
        try:
            with roompulse(data, settings, *arguments) as server:
                yield server
        finally:
            rmtree(data, ignore_errors=True)

    @contextmanager
    def baseline(self, name: str) -> Iterator[Peer]:
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.baselines", name, str(port)]
        with peer(command, port, self.folder / f"{name}.log") as running:
            yield running


Benchmark = Callable[[Bench], list[Row]]


def in_process(statement: Callable[[], object], seconds: float = 0.3) -> float:
    """CPU seconds that a call takes in this process: the mean over as many as fit into `seconds`."""
    statement()
    started, calls = time.process_time(), 0
    while (taken := time.process_time() - started) < seconds:
        statement()
        calls += 1
    return taken / calls
