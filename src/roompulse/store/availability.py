"""Whether the database can be written."""

import logging
from collections.abc import Callable
from typing import Protocol

from roompulse.clock import WallClock
from roompulse.errors import DatabaseLostError, StoreError
from roompulse.meters import Meters
from roompulse.periodic import every

logger = logging.getLogger(__name__)

CHECK_EVERY = 1.0
"""Seconds between two checks whether a database that could not be written can be written again."""

_IDLE = 10.0
"""Seconds without a write after which a write is tried, so that a full disk is found before the next report."""


class Probed(Protocol):
    async def probe(self) -> None:
        """Write; raises if that fails."""
        ...

    async def check(self) -> None:
        """Raises DatabaseLostError if the files are lost, without a write."""
        ...


class Availability:
    """The result of the newest write. `changed` is called when it changes.

    `failing_since` is when writes began to fail (Unix seconds), or None while they succeed. `error` is the newest one,
    and `lost` what to do where retrying does not help, else empty.
    """

    def __init__(self, database: Probed, meters: Meters, clock: WallClock, changed: Callable[[], None]) -> None:
        self._database = database
        self._meters = meters
        self._clock = clock
        self._changed = changed
        self.failing_since: float | None = None
        self.error = self.lost = ""
        self.wrote_at = clock()
        clock.on_jump(self._clock_was_set)

    def _clock_was_set(self, jump: float, _now: float) -> None:
        self.wrote_at += jump
        if self.failing_since is not None:
            self.failing_since += jump

    def wrote(self) -> None:
        """Record that a write succeeded."""
        self.wrote_at = self._clock()
        if self.failing_since is not None:
            logger.warning("the database can be written again")
            self.failing_since, self.lost = None, ""
            self._changed()

    def failed(self, error: Exception | str) -> None:
        """Record that the database cannot be written."""
        self.error, lost = str(error), self.lost
        self.lost = str(error) if isinstance(error, DatabaseLostError) else ""
        if self.failing_since is None or lost != self.lost:
            logger.error("the database cannot be written, reports are rejected until it can: %s", error)
            self.failing_since = self.failing_since or self._clock()
            self._changed()

    def read_failed(self, error: StoreError) -> None:
        """Count a read that failed; where it met damage, the database cannot be written either."""
        self._meters.read_errors.inc()
        if isinstance(error, DatabaseLostError) and not self.lost:
            self.failed(error)

    async def probe(self) -> bool:
        """Try a write; whether it succeeded."""
        try:
            await self._database.probe()
        except Exception as error:  # in any case, nothing was written
            self.failed(error)
            return False
        self.wrote()
        return True

    async def check(self) -> None:
        """Try a write if the newest one failed, or is long ago; check in any case whether its files are there."""
        if self.failing_since is not None or abs(self._clock() - self.wrote_at) >= _IDLE:
            await self.probe()
            return
        try:
            await self._database.check()
        except DatabaseLostError as error:
            self.failed(error)

    async def run(self) -> None:
        await every(CHECK_EVERY, self.check, "the state of the database could not be checked")
