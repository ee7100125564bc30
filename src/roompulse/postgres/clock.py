"""The clock of all workers: the database's, advanced by the local monotonic clock between two reads."""

import logging

from sqlalchemy import text

from roompulse.clock import Clock, WallClock, since_boot, system_clock
from roompulse.postgres.database import PostgresDatabase

ASK_EVERY = 10.0

_LONGEST_ANSWER = 0.5
"""Seconds; an answer that takes longer is too inexact."""

_SLACK = 1.0
"""Seconds by which the clock of this machine may differ unnoticed."""

_NOW = text("SELECT extract(epoch FROM clock_timestamp())")

logger = logging.getLogger(__name__)


class DatabaseClock(WallClock):
    """Until the first read of the database's clock, it shows the time of this machine, which may be wrong."""

    def __init__(self, machine: Clock = system_clock, passed: Clock = since_boot) -> None:
        self._machine = machine
        self._ahead = machine() - passed()
        self._differs = False
        super().__init__(lambda: round(passed() + self._ahead, 3), passed)

    async def ask(self, database: PostgresDatabase) -> None:
        """Adopt the time of the database; raises StoreError."""
        async with database.reading() as connection:
            asked = self._passed()
            now = float(await connection.scalar(_NOW))
            answered = self._passed()
        if answered - asked <= _LONGEST_ANSWER:
            self._ahead = now - (asked + answered) / 2
            self._compare()

    def _compare(self) -> None:
        wrong = self._machine() - self._passed() - self._ahead
        differs = abs(wrong) > _SLACK
        if differs and not self._differs:
            logger.warning("the clock of this machine is %+.0f s from the database's, which all workers use", wrong)
        self._differs = differs
