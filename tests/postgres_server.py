"""A PostgreSQL of the tests, and applications that use it in turn.

`python -m tests.postgres_server` installs its programs where they are missing, and fails if it cannot.
"""

import asyncio
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import asyncpg  # type: ignore[import-untyped]
import httpx
from benchmarks.processes import free_port

from roompulse.engines import access_of
from roompulse.settings import Settings
from tests.process import DEADLINE, eventually

T = TypeVar("T")

ENGINE = os.environ.get("ENGINE", "sqlite")
"""The engine of tests of the application: sqlite, or postgres with WORKERS applications in turn."""

WORKERS = 3

_DEBIAN = Path("/usr/lib/postgresql")


def program(name: str) -> str:
    found = find(name)
    assert found, f"there is no {name}: run `python -m tests.postgres_server` as root, or install PostgreSQL"
    return found


def install() -> None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt_get = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::http::Timeout=30"]
        subprocess.run([*apt_get, "update"], check=False)
        subprocess.run([*apt_get, "install", "--yes", "--no-install-recommends", "postgresql"], check=False)


def find(name: str) -> str | None:
    """The path of a program of PostgreSQL, of the newest version that Debian has or on PATH."""
    found = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(found[-1]) if found else shutil.which(name)


class PostgresServer:
    """A server with its files in a folder. As it does not run for root, root starts it as an unprivileged user."""

    def __init__(self, folder: Path, *settings: str) -> None:
        """`settings` are such as `fsync=on`."""
        self.data, self._log, self._port = folder / "postgres", folder / "postgres.log", free_port()
        self.url = f"postgresql://roompulse@127.0.0.1:{self._port}/postgres"
        self.user = _unprivileged(folder) if os.geteuid() == 0 else []
        given = (
            f"port={self._port}",
            f"unix_socket_directories={folder}",
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "max_connections=200",
            *settings,
        )
        self._options = [part for setting in given for part in ("-c", setting)]
        created = "-A", "trust", "-U", "roompulse", "-E", "UTF8", "--locale=C", "--no-sync"
        if (self.data / "PG_VERSION").exists():
            return
        self.run("initdb", "-D", str(self.data), *created)
        rules = self.data / "pg_hba.conf"
        # The user "locked" has to give a password.
        rules.write_text(f"host all locked 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")

    def standby(self, folder: Path) -> "PostgresServer":
        """A copy of this running server that follows it; it cannot be written."""
        found = copy(self)
        found.data, found._log, found._port = folder / "postgres", folder / "postgres.log", free_port()
        found.url = self.url.replace(str(self._port), str(found._port))
        found._options = [*self._options, "-c", f"port={found._port}"]
        folder.mkdir()
        if self.user:
            _unprivileged(folder)
        source = f"host=127.0.0.1 port={self._port} user=roompulse"
        self.run("pg_basebackup", "-D", str(found.data), "-R", "-c", "fast", "--no-sync", "-d", source)
        return found

    def run(self, name: str, *arguments: str) -> None:
        """Run a program of PostgreSQL as the owner of the files; fails with its output."""
        done = subprocess.run(
            [*self.user, program(name), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE,
            cwd="/",
        )
        assert done.returncode == 0, f"{name}: {done.stdout}{self._log.read_text() if self._log.exists() else ''}"

    def start(self) -> None:
        """Return when it takes connections."""
        command = [*self.user, program("postgres"), "-D", str(self.data), *self._options]
        with self._log.open("ab") as log:
            # A child, and no daemon: so that its process is gone once it was killed. Ctrl-C is not for it.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", process_group=0
            )
        eventually(self._is_ready)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        about = self.data / "postmaster.pid"
        lines = about.read_text().split() if about.exists() else []
        # The file of one that was killed is there too.
        return lines[:1] == [str(self.pid)] and lines[-1] in ("ready", "standby")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(DEADLINE)

    @property
    def pid(self) -> int:
        return self._process.pid

    def pids(self) -> list[int]:
        """All of its processes."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]

    def kill(self) -> None:
        """Kill all of its processes at the same time, as in a crash of the machine."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(DEADLINE)


def _unprivileged(folder: Path) -> list[str]:
    """The prefix of a command run by an unprivileged user, who gets the folder."""
    name = next(one for one in ("postgres", "nobody") if _exists(one))
    shutil.chown(folder, name)
    return ["setpriv", f"--reuid={name}", f"--regid={pwd.getpwnam(name).pw_gid}", "--clear-groups", "--pdeathsig=QUIT"]


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The URL of a server with its files in `folder`, until the context ends."""
    server = PostgresServer(folder)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


def schema_of(url: str) -> str:
    """The URL with a new schema, which no other test uses."""
    return f"{url}?schema=test_{secrets.token_hex(6)}"


@contextmanager
def database(url: str) -> Iterator[str]:
    """The URL of a separate database on this server, with empty tables of this version."""
    name = f"test_{secrets.token_hex(6)}"
    _run(execute(url, f"CREATE DATABASE {name} TEMPLATE {_prepared(url)}"))
    try:
        yield _with_database(url, name)
    finally:
        _run(execute(url, f"DROP DATABASE {name} WITH (FORCE)"))


@cache
def _prepared(url: str) -> str:
    """A database that a worker has migrated, and that is not in use."""

    async def prepare() -> None:
        await execute(url, "CREATE DATABASE prepared")
        settings = Settings(data=Path("unused"), database_url=_with_database(url, "prepared"))
        async with access_of(settings).open():
            pass

    _run(prepare())
    return "prepared"


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run this to its end in another thread, as an event loop may run in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _bounded(work)).result()


async def _bounded(work: Coroutine[Any, Any, T]) -> T:
    async with asyncio.timeout(DEADLINE):
        return await work


async def execute(url: str, *statements: str) -> None:
    """Run these by a connection of their own."""
    for statement in statements:
        await fetch(url, statement)


async def fetch(url: str, query: str) -> list[Any]:
    """The rows of a query by a connection of its own."""
    connection = await asyncpg.connect(url, timeout=DEADLINE)
    try:
        found: list[Any] = await connection.fetch(query, timeout=DEADLINE)
    finally:
        connection.terminate()
    return found


def rows(url: str, query: str) -> list[Any]:
    """`fetch`, where an event loop may run."""
    return _run(fetch(url, query))


def tables(url: str) -> dict[str, list[Any]]:
    """All rows of all tables of a database, where an event loop may run."""
    names = [name for (name,) in rows(url, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")]
    return {name: rows(url, f'SELECT * FROM "{name}"') for name in names}  # noqa: S608  (names of our tables)


async def is_synchronous(url: str) -> bool:
    """Whether each commit waits for a standby."""
    return bool(await fetch(url, "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"))


def _with_database(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"


class InTurn(httpx.AsyncBaseTransport):
    """Sends each request to the next one of several applications."""

    def __init__(self, transports: Sequence[httpx.ASGITransport]) -> None:
        self._transports = transports
        self._next = 0

    @property
    def app(self) -> Any:
        """The next application, for requests that httpx cannot make."""
        self._next += 1
        return self._transports[self._next % len(self._transports)].app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._next += 1
        return await self._transports[self._next % len(self._transports)].handle_async_request(request)


if __name__ == "__main__":
    if find("initdb") is None:
        install()
    sys.exit(
        None if find("initdb") else "there is no PostgreSQL, and it could not be installed: tests/postgres needs one"
    )
