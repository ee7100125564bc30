"""A PostgreSQL of the tests, and applications that use it in turn.

`python -m tests.postgres_server` sees to it that its programs are there.
"""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from benchmarks.processes import free_port

ENGINE = os.environ.get("ENGINE", "sqlite")
"""What tests of the application run on: sqlite, or postgres with WORKERS applications in turn."""

WORKERS = 3

_DEBIAN = Path("/usr/lib/postgresql")


def program(name: str) -> str:
    found = find(name)
    assert found, f"there is no {name}: run `python -m tests.postgres_server` as root, or install PostgreSQL"
    return found


def install() -> None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt_get = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        subprocess.run([*apt_get, "update"], check=True)
        subprocess.run([*apt_get, "install", "--yes", "--no-install-recommends", "postgresql"], check=True)


def find(name: str) -> str | None:
    """The path of a program of PostgreSQL, of the newest version that Debian has or on PATH."""
    found = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(found[-1]) if found else shutil.which(name)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The URL of a server whose files are in `folder`, until the context ends. Root starts it as the user postgres."""
    data, port = folder / "postgres", free_port()
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    folder.mkdir(exist_ok=True)
    if user:
        shutil.chown(folder, "postgres")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200 -k {folder}"
    run = [*user, program("initdb"), "-D", str(data), "-A", "trust", "-U", "roompulse", "-E", "UTF8", "--locale=C"]
    subprocess.run(run, check=True, capture_output=True)
    control = [*user, program("pg_ctl"), "-D", str(data), "-w"]
    subprocess.run(
        [*control, "-o", options, "-l", str(folder / "postgres.log"), "start"], check=True, capture_output=True
    )
    try:
        yield f"postgresql://roompulse@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True)


def schema_of(url: str) -> str:
    """The URL with a schema that nobody else uses."""
    return f"{url}?schema=test_{secrets.token_hex(6)}"


class InTurn(httpx.AsyncBaseTransport):
    """Sends each request to the next one of several applications."""

    def __init__(self, applications: list[Any]) -> None:
        self._transports = [httpx.ASGITransport(one) for one in applications]
        self._next = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._next += 1
        return await self._transports[self._next % len(self._transports)].handle_async_request(request)


if __name__ == "__main__":
    if find("initdb") is None:
        install()
    sys.exit(0 if find("initdb") else "PostgreSQL could not be installed")
