"""The database of access control, beside the database of reports, which only the server may write.

So commands can change keys and operators while a server runs. It is small and rarely written, and has a rollback
journal, with which any number of processes may write (see store/engine.py for why not with a write-ahead log).
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, create_engine

from roompulse.errors import StartupError
from roompulse.settings import Settings
from roompulse.store.files import access_path
from roompulse.store.migrate import migrate
from roompulse.store.sqlite import set_pragmas, startup_errors, store_errors

VERSIONS = Path(__file__).parent / "migrations"
_PRAGMAS = ("busy_timeout=5000", "journal_mode=DELETE", "synchronous=EXTRA", "foreign_keys=ON", "secure_delete=ON")

T = TypeVar("T")


class AccessDatabase:
    """One connection in its own thread: SQLAlchemy's asyncio would double the time that a command takes to start.

    Errors are logged without parameters, since those of statements here are hashes of secrets.
    """

    def __init__(self, settings: Settings) -> None:
        self.path = access_path(settings)
        url = URL.create("sqlite", database=str(self.path))
        self._engine = create_engine(url, pool_size=1, max_overflow=0, hide_parameters=True)
        set_pragmas(self._engine, _PRAGMAS)

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in its own transaction, in the thread, and return its result.

        It runs to its end even if the caller is cancelled. Raises its errors, and StoreError when the database
        fails; nothing of it took effect then.
        """
        with store_errors():
            return await self._in_thread(partial(self._transact, work, "BEGIN"))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Create the database if there is none, migrate it, and close it at the end.

        Raises:
            StartupError: the database cannot be used; the message has the reason.

        """
        with ThreadPoolExecutor(1, "roompulse-access") as self._thread:
            try:
                await self._prepare()
                yield
            finally:
                await self._in_thread(self._engine.dispose)

    async def _prepare(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Only for its owner: it contains password hashes, and the keys that sign tokens.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StartupError(f"the database {self.path} cannot be used: {error.strerror}") from None
        with self.startup_errors():
            await self._in_thread(partial(self._transact, partial(migrate, versions=VERSIONS), "BEGIN IMMEDIATE"))

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return str(self.path.resolve())

    def startup_errors(self) -> AbstractContextManager[None]:
        return startup_errors(self.path)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _transact(self, work: Callable[[Connection], T], begin: str) -> T:
        with self._engine.begin() as connection:
            # Python's sqlite3 begins no transaction for SELECT and DDL by itself.
            connection.exec_driver_sql(begin)
            return work(connection)
