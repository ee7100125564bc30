"""Snapshots of every room that changed, on the wall-clock grid."""

import asyncio
import logging

from roompulse.clock import Clock
from roompulse.errors import StoreError
from roompulse.rooms.aggregate import step_start
from roompulse.rooms.contract import LiveRooms
from roompulse.store.contract import Store

logger = logging.getLogger(__name__)

_ROOMS_AT_ONCE = 100
"""Rooms that are aggregated before other work gets its turn."""


class Snapshots:
    def __init__(self, store: Store, rooms: LiveRooms, clock: Clock, interval: float) -> None:
        self._store = store
        self._rooms = rooms
        self._clock = clock
        self._interval = interval
        self._taken_version = 0

    async def run(self) -> None:
        taken = 0.0
        while True:
            now = self._clock()
            due = step_start(now, self._interval) + self._interval
            await asyncio.sleep(due - now)
            if due == taken:  # the timer was a moment early by the clock
                continue
            taken = due
            try:
                await self.take(due)
            except StoreError:
                logger.exception("a snapshot could not be saved; the next one will be")

    async def take(self, timestamp: float) -> None:
        """Save the aggregates of the rooms that changed since the last time."""
        # Which rooms changed is found in one go: a change while they are aggregated belongs to the next snapshot too.
        live = [room for room_id in self._rooms.ids() if (room := self._rooms.get(room_id))]
        changed = [room for room in live if room.version > self._taken_version]
        if not changed:
            return
        newest = max(room.version for room in changed)
        aggregates = []
        for count, room in enumerate(changed, start=1):
            metrics = room.metrics()
            aggregates.append((metrics.room_id, metrics.aggregate))
            if count % _ROOMS_AT_ONCE == 0:
                await asyncio.sleep(0)
        await self._store.add_snapshots(timestamp, aggregates)
        self._taken_version = newest
