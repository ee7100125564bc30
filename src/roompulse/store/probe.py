"""Whether the database can be written, found out by writing."""

import asyncio
import logging

from sqlalchemy import Connection

from roompulse.clock import Clock
from roompulse.store.engine import Database

logger = logging.getLogger(__name__)

_LOOK_EVERY = 2.0


class WriteProbe:
    """`failing_since` is when writes began to fail (Unix seconds), and None while they succeed."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.failing_since: float | None = None

    async def look(self) -> None:
        try:
            await self._database.write(_write)
        except Exception as error:  # whatever it is, nothing was written
            if self.failing_since is None:
                logger.error("the database cannot be written: %s", error)  # noqa: TRY400  (told again and again)
                self.failing_since = self._clock()
        else:
            self.failing_since = None

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_EVERY)


def _write(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    # Writes the first page, even where nothing changes; Alembic does not use this number.
    connection.exec_driver_sql("PRAGMA user_version = 1")
