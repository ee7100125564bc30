"""The engine that DATABASE_URL names: SQLite, for one process, or PostgreSQL, for any number of workers."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from types import ModuleType
from typing import Protocol

from roompulse.access.database import AccessDatabase
from roompulse.access.throttle import AttemptsInMemory, AttemptStore
from roompulse.clock import WallClock
from roompulse.errors import StartupError
from roompulse.intake.unshared import Noticed, Unshared
from roompulse.periodic import Jobs, background
from roompulse.settings import Settings
from roompulse.store.contract import Log
from roompulse.store.engine import Database
from roompulse.store.files import is_postgres
from roompulse.store.sql_store import SqlStore

Exclusive = Callable[[], AbstractAsyncContextManager[None]]


class Engine(Protocol):
    database: Database
    store: SqlStore
    log: Log
    access: AccessDatabase
    """To be opened after `database`."""

    attempts: AttemptStore
    """Attempts to sign in, of all processes."""

    exchange: Callable[[Unshared], Awaitable[Sequence[Noticed]]] | None
    """Publishes the rejections of this process, and returns the others', at first all of the last minutes.

    Raises StoreError; then they are published again. None where there are no other workers.
    """

    is_shared: bool
    """Whether other processes use the database too."""

    is_the_one: bool
    """Whether the jobs of `run_once` run in this process."""

    @property
    def changes(self) -> int:
        """Grows when operators' changes by other workers are read from the log."""
        ...

    told: list[bytes]
    """Messages of other workers, oldest first; the code that handles one removes it."""

    async def tell(self, message: bytes) -> None:
        """Send a message to all other workers; raises StoreError."""
        ...

    exclusive: Exclusive | None
    """A context that one task of all processes is in at a time, which raises StoreError; None for a single process."""

    def form_key(self) -> str:
        """The secret of forms without a session; once the database is open."""
        ...

    async def join(self) -> None:
        """Set the clock to the time of all processes, and compare their settings with this one's.

        Once the database is open. Raises StoreError.
        """
        ...

    async def keep_time(self) -> None:
        """Keep the clock at that time."""
        ...

    async def run_once(self, jobs: Jobs) -> None:
        """Run these jobs in only one of the processes that use the database."""
        ...

    async def close(self) -> None:
        """Close the log's connections, before the database is closed."""
        ...


def clock_of(settings: Settings) -> WallClock:
    """The clock of a server."""
    if is_postgres(settings):
        clock: WallClock = postgres_module().DatabaseClock()
        return clock
    return WallClock()


def engine_of(settings: Settings, clock: WallClock) -> Engine:
    """Raises StartupError for a URL that cannot be used."""
    if is_postgres(settings):
        postgres: Engine = postgres_module().Postgres(settings, clock)
        return postgres
    return _Sqlite(settings)


def access_of(settings: Settings) -> AccessDatabase:
    """The database of access control by itself; raises as `engine_of`."""
    if is_postgres(settings):
        access: AccessDatabase = postgres_module().access_of(settings)
        return access
    return AccessDatabase(settings)


class _Sqlite:
    """The samples of the one process are the log."""

    is_shared, is_the_one = False, True
    changes = 0
    exclusive: Exclusive | None = None
    exchange: Callable[[Unshared], Awaitable[Sequence[Noticed]]] | None = None

    def __init__(self, settings: Settings) -> None:
        self.database = Database(settings)
        self.access = AccessDatabase(settings)
        self.attempts: AttemptStore = AttemptsInMemory()
        self._form_key = secrets.token_hex(32)
        self.store = SqlStore(self.database)
        self.log: Log = self.store
        self.told: list[bytes] = []

    def form_key(self) -> str:
        return self._form_key

    async def tell(self, message: bytes) -> None:
        """There are no other workers."""

    async def join(self) -> None:
        pass

    async def keep_time(self) -> None:
        pass

    async def run_once(self, jobs: Jobs) -> None:
        async with background(*await jobs()):
            await asyncio.Event().wait()

    async def close(self) -> None:
        pass


def postgres_module(name: str = "engine") -> ModuleType:
    """A module of `postgres`, whose driver is an extra, and takes a while to import; raises StartupError without it."""
    try:
        return import_module(f"roompulse.postgres.{name}")
    except ImportError:
        raise StartupError("PostgreSQL needs asyncpg: pip install 'roompulse[cluster]'") from None
