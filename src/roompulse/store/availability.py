"""Whether the database can be written."""

import logging
from collections.abc import Awaitable, Callable

from roompulse.clock import Clock
from roompulse.periodic import every

logger = logging.getLogger(__name__)

CHECK_EVERY = 1.0
"""Seconds between two checks whether a database that could not be written can be written again."""

_IDLE = 10.0
"""Seconds without a write after which a write is tried, so that a full disk is found before the next report comes."""


class Availability:
    """The result of the newest write. `probe` writes, or raises if it cannot; `changed` is called when it changes.

    `failing_since` is when writes began to fail (Unix seconds), or None while they succeed. `error` is the newest one.
    """

    def __init__(self, probe: Callable[[], Awaitable[None]], clock: Clock, changed: Callable[[], None]) -> None:
        self._probe = probe
        self._clock = clock
        self._changed = changed
        self.failing_since: float | None = None
        self.error = ""
        self.wrote_at = clock()

    def wrote(self) -> None:
        """Record that a write succeeded."""
        self.wrote_at = self._clock()
        if self.failing_since is not None:
            logger.warning("the database can be written again")
            self.failing_since = None
            self._changed()

    def failed(self, error: str) -> None:
        """Record that the database cannot be written."""
        self.error = error
        if self.failing_since is None:
            logger.error("the database cannot be written, reports are rejected until it can: %s", error)
            self.failing_since = self._clock()
            self._changed()

    async def probe(self) -> bool:
        """Try a write; whether it succeeded."""
        try:
            await self._probe()
        except Exception as error:  # whatever it was, nothing was written
            self.failed(str(error))
            return False
        self.wrote()
        return True

    async def check(self) -> None:
        """Try a write if the newest one failed, or is long ago."""
        if self.failing_since is not None or abs(self._clock() - self.wrote_at) >= _IDLE:
            await self.probe()

    async def run(self) -> None:
        await every(CHECK_EVERY, self.check, "the state of the database could not be checked")
