"""PostgreSQL as the engine of the server: the database, its log, access control, and the singleton jobs."""

import asyncio
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any, cast

from roompulse.access.database import AccessDatabase
from roompulse.clock import WallClock
from roompulse.periodic import Jobs, every
from roompulse.postgres import lease
from roompulse.postgres.access import PostgresAccess
from roompulse.postgres.attempts import PostgresAttempts
from roompulse.postgres.clock import ASK_EVERY, DatabaseClock
from roompulse.postgres.database import PostgresDatabase
from roompulse.postgres.log import PostgresLog
from roompulse.postgres.partitions import Partitions, PostgresStore
from roompulse.postgres.refusals import PostgresRefusals
from roompulse.postgres.same_settings import compare
from roompulse.settings import Settings
from roompulse.store.engine import Database


class Postgres:
    """Implements `Engine`."""

    is_shared, is_the_one = True, False

    def __init__(self, settings: Settings, clock: WallClock) -> None:
        self._settings, self._clock, self._postgres = settings, clock, PostgresDatabase(settings)
        database = self._postgres
        self.database = cast("Database", database)  # the same methods, as has the next
        access = PostgresAccess(database, is_open=True)
        self.access = cast("AccessDatabase", access)
        self._partitions = Partitions(database, clock)
        self.store = PostgresStore(database, self._partitions, settings)
        self.log = PostgresLog(database, settings.commit_timeout)
        self.close = self.log.close
        self.told = self.log.told
        self.exclusive = database.exclusive
        self.form_key = lambda: database.form_key
        self.attempts = PostgresAttempts(access, self.form_key)
        self._refusals = PostgresRefusals(database, clock)
        self.exchange = self._refusals.exchange
        self._run_once = partial(lease.run_once, database)
        self._prune = partial(self.log.run_pruning, clock, settings.leave_after)

    @property
    def changes(self) -> int:
        return self.log.changes

    async def tell(self, message: bytes) -> None:
        await self.log.tell(message)

    async def run_once(self, jobs: Jobs) -> None:
        async def all_jobs() -> Sequence[Coroutine[Any, Any, None]]:
            of_the_application = await jobs()
            own = self._prune(), self._refusals.run_pruning(), self._partitions.run()
            return [self._is_the_one(), *of_the_application, *own]

        await self._run_once(all_jobs)

    async def join(self) -> None:
        await compare(self._postgres, self._settings)
        if isinstance(self._clock, DatabaseClock):
            await self._clock.ask(self._postgres)
            self._clock.start_over()
        await self._partitions.make_ahead()

    async def keep_time(self) -> None:
        if isinstance(self._clock, DatabaseClock):
            await every(ASK_EVERY, partial(self._clock.ask, self._postgres), "the database's clock could not be read")

    async def _is_the_one(self) -> None:
        self.is_the_one = True
        try:
            await asyncio.Event().wait()
        finally:
            self.is_the_one = False


def access_of(settings: Settings) -> AccessDatabase:
    return cast("AccessDatabase", PostgresAccess(PostgresDatabase(settings), is_open=False))
