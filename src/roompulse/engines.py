"""The engine that DATABASE_URL names: SQLite, of one process, or PostgreSQL, of any number of workers."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

from roompulse.access.database import AccessDatabase
from roompulse.access.throttle import AttemptsInMemory, AttemptStore
from roompulse.clock import WallClock
from roompulse.errors import StartupError
from roompulse.intake.unshared import Noticed, Unshared
from roompulse.periodic import background
from roompulse.settings import Settings
from roompulse.store.contract import Log
from roompulse.store.engine import Database
from roompulse.store.files import is_postgres
from roompulse.store.sql_store import SqlStore

Exclusive = Callable[[], AbstractAsyncContextManager[None]]
Jobs = Callable[[], Sequence[Coroutine[Any, Any, None]]]


class Engine(Protocol):
    database: Database
    store: SqlStore
    log: Log
    access: AccessDatabase
    """To be opened after `database`."""

    attempts: AttemptStore
    """Attempts to sign in, of all processes."""

    exchange: Callable[[Unshared], Awaitable[Sequence[Noticed]]] | None
    """Tells the others what intake here has noticed, and returns what they tell, at first all of the last minutes.

    Raises StoreError; then it is told again. None where there are no others.
    """

    is_shared: bool
    """Whether other processes use the database too."""

    is_the_one: bool
    """Whether the jobs of `run_once` run here."""

    @property
    def changes(self) -> int:
        """Grows when others have changed what operators set up, and the log is read."""
        ...

    told: list[bytes]
    """What other workers tell, oldest first; the code that reacts to one removes it."""

    async def tell(self, message: bytes) -> None:
        """Let all other workers have a message; raises StoreError."""
        ...

    exclusive: Exclusive | None
    """A context that one task of all processes is in at a time, which raises StoreError; None where there is one."""

    def form_key(self) -> str:
        """What protects forms without a session; once the database is open."""
        ...

    async def join(self) -> None:
        """Let the clock show the time of all processes, and compare their settings with those of this one.

        Once the database is open. Raises StoreError.
        """
        ...

    async def keep_time(self) -> None:
        """Let it go on to do so."""
        ...

    async def run_once(self, jobs: Jobs) -> None:
        """Run these jobs, in one of all processes that use the database."""
        ...

    async def close(self) -> None:
        """Close what the log has opened, before the database is closed."""
        ...


def clock_of(settings: Settings) -> WallClock:
    """The clock that a server goes by."""
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
        """There are no others."""

    async def join(self) -> None:
        pass

    async def keep_time(self) -> None:
        pass

    async def run_once(self, jobs: Jobs) -> None:
        async with background(*jobs()):
            await asyncio.Event().wait()

    async def close(self) -> None:
        pass


def postgres_module(name: str = "engine") -> ModuleType:
    """A module of `postgres`, whose driver is an extra, and takes a while to import; raises StartupError without it."""
    try:
        return import_module(f"roompulse.postgres.{name}")
    except ImportError:
        raise StartupError("PostgreSQL needs asyncpg: pip install 'roompulse[cluster]'") from None
