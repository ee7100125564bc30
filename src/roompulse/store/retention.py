"""Delete rows older than their retention, in steps small enough not to delay ingest, by a clock that is right.

Rows deleted by a wrong clock do not come back when it is corrected. So nothing is deleted for WAIT seconds after
the clock was set, nor after a start where the newest data and the clock do not agree: then the clock was wrong before,
or is wrong now, or no report arrived for long. A clock that is not set for so long is trusted.
"""

import asyncio
import logging
from collections.abc import Callable

from msgspec import Struct

from roompulse.clock import WallClock
from roompulse.periodic import every
from roompulse.settings import Settings
from roompulse.store.contract import Chronology, Store

logger = logging.getLogger(__name__)

PRUNE_EVERY = 10.0
_PAUSE = 0.01

WAIT = 3600.0
"""Seconds for which a clock must not be set to be trusted again."""

GAP = 3600.0
"""Seconds without a report up to which a start trusts the clock."""

AHEAD = 60.0
"""Seconds by which stored times may be ahead of the clock: it is set back a little at times."""


class Doubt(Struct, frozen=True):
    """Why nothing is deleted until a time (Unix seconds).

    `jump` is by how many seconds the clock was set, `ahead` by how many stored times are ahead of it. Both are 0 where
    no report was stored for long, which is seldom the fault of a clock.
    """

    until: float
    jump: float = 0.0
    ahead: float = 0.0


class Retention:
    """`doubt` is None where the clock is trusted, and `changed` is called when it changes."""

    def __init__(
        self,
        store: Store,
        chronology: Chronology,
        clock: WallClock,
        changed: Callable[[], None],
        settings: Settings,
    ) -> None:
        self.doubt: Doubt | None = None
        self._store = store
        self._chronology = chronology
        self._clock = clock
        self._changed = changed
        self._samples, self._snapshots = settings.sample_retention, settings.snapshot_retention
        self._compared = False
        clock.on_jump(self._clock_was_set)

    async def run(self) -> None:
        await every(PRUNE_EVERY, self.prune, "old rows could not be deleted", at_once=True)

    async def watch(self) -> None:
        """End a doubt in time, also where another worker deletes old rows."""
        await every(PRUNE_EVERY, self.look, "the clock could not be checked")

    async def look(self) -> None:
        if self.doubt and self._clock.steady_for() >= WAIT:
            logger.warning("the clock was not set for %.0f s: deletion of old rows resumes", WAIT)
            self._doubt(None)

    async def prune(self) -> None:
        """Delete all rows older than their retention, unless the clock may be wrong."""
        if not self._compared:
            await self._compare()
        now = self._clock()
        await self.look()
        if self.doubt:
            return
        while await self._store.prune(now - self._samples, now - self._snapshots):
            await asyncio.sleep(_PAUSE)

    async def _compare(self) -> None:
        """Compare the clock at the start with times stored before it."""
        now, newest = self._clock(), await self._chronology.newest()
        earlier = await self._chronology.newest(before=now - GAP)
        self._compared = True
        until = now + WAIT - self._clock.steady_for()
        if self.doubt:
            return
        if newest is not None and newest > now + AHEAD:
            ahead = newest - now
            logger.warning("stored times are %.0f s ahead of the clock: nothing is deleted for %.0f s", ahead, WAIT)
            self._doubt(Doubt(until, ahead=ahead))
        elif earlier is not None and earlier < now - 2 * GAP:
            logger.warning("no report is stored from before this start: nothing is deleted for %.0f s", WAIT)
            self._doubt(Doubt(until))

    def _clock_was_set(self, jump: float, now: float) -> None:
        logger.warning("the clock was set by %+.0f s: nothing is deleted for %.0f s", jump, WAIT)
        self._doubt(Doubt(now + WAIT, jump=jump))

    def _doubt(self, doubt: Doubt | None) -> None:
        self.doubt = doubt
        self._changed()
