"""The database of access control, beside that of the reports, which only the server may write.

So commands change keys and operators while a server runs. It is small and rarely written, and has a rollback journal:
with that any number of processes may write (see store/engine.py for why not with a write-ahead log).
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from roompulse.errors import StartupError
from roompulse.settings import Settings
from roompulse.store.engine import database_url
from roompulse.store.migrate import migrate

VERSIONS = Path(__file__).parent / "migrations"
_PRAGMAS = ("busy_timeout=5000", "journal_mode=DELETE", "synchronous=EXTRA", "foreign_keys=ON", "secure_delete=ON")


def access_path(settings: Settings) -> Path:
    """The file of this database; raises StartupError for a DATABASE_URL that cannot be used."""
    reports = Path(database_url(settings).database or "")
    return reports.with_name(f"{reports.stem}-access.db")


class AccessDatabase:
    def __init__(self, settings: Settings) -> None:
        self.path = access_path(settings)
        self.engine = _engine(self.path)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Make the database if it is not there, migrate it, and close it at the end.

        Raises:
            StartupError: the database cannot be used, and why.

        """
        try:
            await self._prepare()
            yield
        finally:
            await self.engine.dispose()

    async def _prepare(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Nobody else may read it: it has the hashes of passwords, and the keys that sign tokens.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            async with self.engine.begin() as connection:
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
                await connection.run_sync(migrate, VERSIONS)
        except (SQLAlchemyError, OSError) as error:
            cause = getattr(error, "orig", None) or getattr(error, "strerror", None) or error
            raise StartupError(f"the database {self.path} cannot be used: {cause}") from None


def _engine(path: Path) -> AsyncEngine:
    url = URL.create("sqlite+aiosqlite", database=str(path))
    # Errors are told in the log, and not with the hashes that statements have as parameters.
    engine = create_async_engine(url, pool_size=1, max_overflow=0, hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine
