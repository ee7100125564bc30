"""Delete rows that are older than their retention, in steps small enough not to delay ingest."""

import asyncio

from roompulse.clock import Clock
from roompulse.periodic import every
from roompulse.store.contract import Store

PRUNE_EVERY = 10.0
_PAUSE = 0.01


class Retention:
    """`samples` and `snapshots` are retained for so many seconds."""

    def __init__(self, store: Store, clock: Clock, *, samples: float, snapshots: float) -> None:
        self._store = store
        self._clock = clock
        self._samples = samples
        self._snapshots = snapshots

    async def run(self) -> None:
        await every(PRUNE_EVERY, self.prune, "old rows could not be deleted", at_once=True)

    async def prune(self) -> None:
        """Delete all rows that are too old now."""
        now = self._clock()
        while await self._store.prune(now - self._samples, now - self._snapshots):
            await asyncio.sleep(_PAUSE)
