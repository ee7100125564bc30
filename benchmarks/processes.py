"""Processes under test: how they start, what CPU and memory they take, as the operating system counts it."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tests.server import Server

from roompulse.settings import Settings

TICKS = os.sysconf("SC_CLK_TCK")
DEADLINE = 20.0
"""Seconds in which a process has to listen."""

LIFETIMES = {name.upper(): f"{getattr(Settings(), name):g}" for name in ("stale_after", "leave_after")}
"""Unlike the tests' servers: the product's."""

PAGE = os.sysconf("SC_PAGE_SIZE")


class Target(Protocol):
    """A process that answers HTTP."""

    @property
    def url(self) -> str: ...
    @property
    def pid(self) -> int: ...


class Peer:
    """A command that listens on a port of its own."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.pid = process.pid


@contextmanager
def peer(command: Sequence[str], port: int, log: Path, folder: Path | None = None) -> Iterator[Peer]:
    """Run a command that listens on `port` until the context ends, in `folder`; its output goes to `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder)
    try:
        _wait_for(port, process, log)
        yield Peer(port, process)
    finally:
        process.terminate()
        process.wait(timeout=DEADLINE)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen: {log.read_text()}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def roompulse(data: Path, settings: Mapping[str, str] | None = None, *arguments: str) -> Iterator[Server]:
    """The real server, `python -m roompulse serve` with these arguments, on the data in this folder."""
    environment = {f"ROOMPULSE_{name}": value for name, value in {**LIFETIMES, **(settings or {})}.items()}
    server = Server(data, environment)
    server.arguments = arguments
    server.start()
    try:
        yield server
    finally:
        server.stop()


def cpu_seconds(pid: int) -> float:
    """CPU that a process and its children took so far, user and system; no target has grandchildren."""
    return sum(_cpu_of(Path(f"/proc/{each}/stat").read_text()) for each in [pid, *children(pid)])


def _cpu_of(stat: str) -> float:
    """CPU seconds in the text of /proc/<pid>/stat. The name of the command, in parentheses, may hold blanks."""
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _parent_of(stat: str) -> int:
    return int(stat.rpartition(")")[2].split()[1])


def children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if _parent_of(path.read_text()) == pid:
                found.append(int(path.parent.name))
        except OSError:  # it ended meanwhile
            continue
    return found


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))
