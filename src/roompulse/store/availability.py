"""Whether the database can be written."""

import logging
from collections.abc import Awaitable, Callable

from roompulse.clock import Clock
from roompulse.periodic import every

logger = logging.getLogger(__name__)

_LOOK_EVERY = 1.0
"""Seconds between looks whether a database that could not be written can be written again."""

_IDLE = 10.0
"""Seconds without a write after which it is tried: a full disk is known of before the next report comes."""


class Availability:
    """What the newest write told. `probe` writes and raises if that fails; `changed` is called when the answer changes.

    `failing_since` is when writes began to fail (Unix seconds), and None while they succeed; `error` is the newest one.
    """

    def __init__(self, probe: Callable[[], Awaitable[None]], clock: Clock, changed: Callable[[], None]) -> None:
        self._probe = probe
        self._clock = clock
        self._changed = changed
        self.failing_since: float | None = None
        self.error = ""
        self.wrote_at = clock()

    def wrote(self) -> None:
        """Note that a write has succeeded."""
        self.wrote_at = self._clock()
        if self.failing_since is not None:
            logger.warning("the database can be written again")
            self.failing_since = None
            self._changed()

    def failed(self, error: str) -> None:
        """Note that nothing can be written."""
        self.error = error
        if self.failing_since is None:
            logger.error("the database cannot be written, reports are refused until it can: %s", error)
            self.failing_since = self._clock()
            self._changed()

    async def probe(self) -> bool:
        """Find out whether the database can be written."""
        try:
            await self._probe()
        except Exception as error:  # whatever it is, nothing was written
            self.failed(str(error))
            return False
        self.wrote()
        return True

    async def look(self) -> None:
        """Find out, if it could not be written or has not been for long."""
        if self.failing_since is not None or abs(self._clock() - self.wrote_at) >= _IDLE:
            await self.probe()

    async def run(self) -> None:
        await every(_LOOK_EVERY, self.look, "the state of the database could not be checked")
