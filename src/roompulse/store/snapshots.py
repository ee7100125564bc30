"""Snapshots of the rooms that changed, on the wall-clock grid."""

import asyncio
from collections.abc import Collection

from roompulse.clock import Clock
from roompulse.periodic import Attempts
from roompulse.rooms.aggregate import step_start
from roompulse.rooms.contract import LiveRoom, LiveRooms
from roompulse.rooms.model import Aggregate
from roompulse.rooms.trends import WINDOW, Trends
from roompulse.store.contract import ScoreHistory, Store

_ROOMS_AT_ONCE = 100
"""Rooms that are aggregated in one go, or a step of a big one; then other tasks run."""


async def refill(trends: Trends, history: ScoreHistory, now: float, leave_after: float) -> None:
    """Fill the trends from the snapshots that were saved before a restart."""
    async for scores in history.scores(now - WINDOW):
        trends.refill(now, scores)
    trends.carry(leave_after)  # a room that does not change is live no longer than this


class Snapshots:
    """Also records the score of every live room in `trends`."""

    def __init__(self, store: Store, rooms: LiveRooms, trends: Trends, clock: Clock, interval: float) -> None:
        self._store = store
        self._rooms = rooms
        self._trends = trends
        self._clock = clock
        self._interval = interval
        self._saved_version = 0

    async def run(self) -> None:
        previous, attempt = 0.0, Attempts(self.save, "a snapshot could not be saved")
        while True:
            now = self._clock()
            due = step_start(now, self._interval) + self._interval
            await asyncio.sleep(due - now)
            if due == previous:  # the timer fired a moment early by the clock
                continue
            previous = due
            await attempt(due)

    async def save(self, timestamp: float) -> None:
        """Save the aggregates of the rooms that changed since the previous snapshot."""
        # Determined before any await: a change while rooms are aggregated belongs to the next snapshot too.
        live = {room_id: room for room_id in self._rooms.ids() if (room := self._rooms.get(room_id))}
        changed = [room for room in live.values() if room.version > self._saved_version]
        newest = max((room.version for room in changed), default=0)
        aggregates = await _aggregates(changed)
        scores = {room_id: aggregate.quality.score for room_id, aggregate in await _aggregates(live.values())}
        self._trends.record(timestamp, scores)
        if aggregates:
            await self._store.add_snapshots(timestamp, aggregates)
            self._saved_version = newest


async def _aggregates(rooms: Collection[LiveRoom]) -> list[tuple[str, Aggregate]]:
    aggregates = []
    for count, room in enumerate(rooms, start=1):
        for _ in room.steps():
            await asyncio.sleep(0)
        summary = room.summary()
        aggregates.append((summary.room_id, summary.aggregate))
        if count % _ROOMS_AT_ONCE == 0:
            await asyncio.sleep(0)
    return aggregates
