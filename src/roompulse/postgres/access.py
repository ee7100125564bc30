"""Access control in PostgreSQL, in the schema of the reports: so all workers and commands know the same keys."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import TypeVar

from sqlalchemy import Connection, text

from roompulse.access.database import VERSIONS
from roompulse.postgres.database import BY_BYTES, MIGRATING, PostgresDatabase
from roompulse.postgres.place import place_of
from roompulse.store.migrate import migrate

ACCESS = MIGRATING + 3
"""Key of the advisory lock under which one transaction of access control runs at a time, as in SQLite."""

T = TypeVar("T")


class PostgresAccess:
    """It has the methods of `access/database.py`. `database` is opened with it, unless it `is_open`."""

    def __init__(self, database: PostgresDatabase, *, is_open: bool) -> None:
        self._database = database
        self._is_open = is_open

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in its own transaction and return its result; raises its errors, and StoreError."""

        def locked(connection: Connection) -> T:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({ACCESS}, hashtext(current_schema()))"))
            return work(connection)

        return await self._database.write(locked)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Migrate the tables; raises StartupError."""
        async with nullcontext() if self._is_open else self._database.open():
            with self.startup_errors():
                await self.run(_migrate)
            yield

    @property
    def place(self) -> str:
        return place_of(self._database.url)

    def startup_errors(self) -> AbstractContextManager[None]:
        return self._database.startup_errors()


def _migrate(connection: Connection) -> None:
    migrate(connection, VERSIONS, "access_version")
    connection.execute(BY_BYTES)
