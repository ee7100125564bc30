"""Delete what is older than its retention, in steps small enough for ingest to wait for."""

import asyncio

from roompulse.clock import Clock
from roompulse.periodic import every
from roompulse.store.contract import Store

_LOOK_EVERY = 10.0
_PAUSE = 0.01


class Retention:
    """`samples` and `snapshots` are how long these are kept, in seconds."""

    def __init__(self, store: Store, clock: Clock, *, samples: float, snapshots: float) -> None:
        self._store = store
        self._clock = clock
        self._samples = samples
        self._snapshots = snapshots

    async def run(self) -> None:
        await every(_LOOK_EVERY, self.prune, "old rows could not be deleted", at_once=True)

    async def prune(self) -> None:
        """Delete all that is too old now."""
        now = self._clock()
        while await self._store.prune(now - self._samples, now - self._snapshots):
            await asyncio.sleep(_PAUSE)
