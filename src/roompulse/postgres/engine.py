"""PostgreSQL as the engine of the server: the database, its log, and what runs once."""

from contextlib import AbstractContextManager
from functools import partial
from typing import cast

from roompulse.postgres import lease
from roompulse.postgres.database import PostgresDatabase, startup_errors
from roompulse.postgres.log import PostgresLog
from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.sql_store import SqlStore


class Postgres:
    def __init__(self, settings: Settings) -> None:
        database = PostgresDatabase(settings)
        self.database = cast("Database", database)  # the same methods
        self.store = SqlStore(self.database)
        self.log = PostgresLog(database, settings.commit_timeout)
        self.run_once = partial(lease.run_once, database)
        self._url = database.url

    def startup_errors(self) -> AbstractContextManager[None]:
        return startup_errors(self._url)

    async def close(self) -> None:
        await self.log.close()
