"""Load by wrk, and its cost in the process under test."""

import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import NamedTemporaryFile
from typing import TypeVar

import msgspec
from msgspec import Struct

from benchmarks.processes import Target, cpu_seconds

T = TypeVar("T")

SCRIPT = Path(__file__).with_name("requests.lua")
CONNECTIONS = 32


class Request(Struct, frozen=True):
    """One HTTP request; `header` is `Name: value` or empty."""

    method: str
    path: str
    body: str = ""
    header: str = ""

    def line(self) -> str:
        return "\t".join((self.method, self.path, self.header, self.body.replace("\n", "\\n")))


class Counted(Struct, frozen=True):
    """The results of wrk; times are seconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    refused: int
    broken: int


class Load(Struct, frozen=True):
    """One round of load: requests a second, CPU seconds of the server for each, and latency in seconds."""

    rate: float
    cpu: float
    p50: float
    p99: float


def post(path: str, body: str, header: str = "Content-Type: application/json") -> Request:
    return Request("POST", path, body, header)


def load(target: Target, requests: Sequence[Request], seconds: float, connections: int = CONNECTIONS) -> Load:
    """Send these requests in turn, as fast as they are answered. Raises RuntimeError if any is refused."""
    with NamedTemporaryFile("w", suffix=".requests") as file:
        file.write("".join(f"{request.line()}\n" for request in requests))
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s", "--timeout", "30s", "-s", str(SCRIPT)]
        before = cpu_seconds(target.pid)
        printed = subprocess.run(
            [*command, target.url, "--", file.name], check=True, capture_output=True, text=True
        ).stdout
        cpu = cpu_seconds(target.pid) - before
    counted = msgspec.json.decode(printed.rstrip().rpartition("\n")[2], type=Counted)
    if counted.refused or counted.broken or not counted.requests:
        raise RuntimeError(f"{requests[0].method} {target.url}{requests[0].path}: {counted}")
    return Load(counted.requests / counted.seconds, cpu / counted.requests, counted.p50, counted.p99)


def interleaved(rounds: int, measures: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Run all in turn, repeatedly, so that disturbances of the machine affect each of them."""
    found: dict[str, list[T]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            found[name].append(measure())
    return found


def middle(loads: Iterable[Load]) -> Load:
    """The median of each figure."""
    found = list(loads)
    return Load(*(median(getattr(load, name) for load in found) for name in Load.__struct_fields__))


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of rounds that were measured next to each other."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))
