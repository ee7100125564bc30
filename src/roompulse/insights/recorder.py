"""Records rollups: samples all live users on the wall-clock grid, and saves each minute once it has ended."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import TypeVar

from roompulse.clock import Clock
from roompulse.erasure.subject import Subject
from roompulse.errors import StoreError
from roompulse.insights.analysis import tables_of
from roompulse.insights.cell import Cells, pack, unpack
from roompulse.insights.collector import Minute, Rollup
from roompulse.insights.model import LOOK_EVERY, PARTS, Span
from roompulse.insights.store import SqlRollups
from roompulse.periodic import Attempts
from roompulse.rooms.contract import LiveRooms
from roompulse.store.contract import Steps
from roompulse.store.reader import Reader
from roompulse.store.schema import MINUTE

T = TypeVar("T")

logger = logging.getLogger(__name__)

RECENT = 15
"""Minutes of the live page; they are in memory, with as many before them to compare with."""

_UNSAVED = 60
"""Minutes that wait while the database cannot be written; then the oldest are lost."""

_USERS_AT_ONCE = 500
"""Users sampled in some milliseconds, before other tasks run."""


class RollupRecorder:
    """`rate` is how many reports per second there are now; `saved` is called after each minute of any process."""

    def __init__(
        self,
        rooms: LiveRooms,
        store: SqlRollups,
        reader: Reader,
        rate: Callable[[float], float],
        clock: Clock,
        saved: Callable[[], None],
    ) -> None:
        self._rooms = rooms
        self._store = store
        self._reader = reader
        self._rate = rate
        self._clock = clock
        self._saved = saved
        self._minute: Minute | None = None
        self._ended: deque[Minute] = deque()
        self._unsaved: deque[Rollup] = deque(maxlen=_UNSAVED)
        self._starts = 1
        self._recent: deque[tuple[int, Mapping[str, bytes]]] = deque(maxlen=2 * RECENT)
        self.version = 0
        """Grows with each minute that is recorded."""

    async def load(self, newest_report: float | None) -> None:
        """Continue after a restart, where `newest_report` (Unix seconds) is stored, or with another worker's minutes.

        Raises StoreError.
        """
        newest = await self._reader.result(self._store.newest())
        if newest is None:
            return
        if newest_report is not None and newest_report >= newest + MINUTE:
            logger.warning(
                "insights and trends lack the minute of %s UTC: the server ended before it was saved",
                datetime.fromtimestamp(newest_report // MINUTE * MINUTE, UTC).strftime("%Y-%m-%d %H:%M"),
            )
        now = self._clock()
        recent = await self._reader.result(self._store.packed(Span(now - 2 * RECENT * MINUTE, now)))
        self._recent.clear()
        self._recent.extend(recent)
        self._has_recorded()

    async def run(self) -> None:
        attempt, previous = Attempts(self.look, "rollups could not be saved"), 0.0
        while True:
            now = self._clock()
            due = (now // LOOK_EVERY + 1) * LOOK_EVERY
            await asyncio.sleep(due - now)
            if due != previous:  # else the timer fired a moment early by the clock
                previous = due
                await attempt(due)

    async def look(self, at: float) -> None:
        """Sample all live users, and save the previous minute if a new one has begun; raises StoreError."""
        start = int(at // MINUTE * MINUTE)
        if self._minute is None or self._minute.start != start:
            self._end_minute()
            self._minute = Minute(start)
        minute, users = self._minute, 0
        minute.begin_look(self._rate(at))
        part = int(at) // LOOK_EVERY % PARTS
        for room_id in self._rooms.ids():
            if room := self._rooms.get(room_id):
                for _ in chain(room.steps(), minute.steps(room, part)):
                    await asyncio.sleep(0)
                users += len(room.users)
            if users >= _USERS_AT_ONCE:
                users = 0
                await asyncio.sleep(0)
        await self._save()

    def forget(self, subject: Subject) -> None:
        """Drop an erased subject from the minutes that are not saved yet."""
        for minute in (*self._ended, *([self._minute] if self._minute else ())):
            minute.forget(subject)
        for rollup in self._unsaved:
            rollup.forget(subject)

    async def close(self) -> None:
        """Save the current minute."""
        self._end_minute()
        await Attempts(self._save, "the last minute of insights could not be saved")()

    def _end_minute(self) -> None:
        if self._minute:
            self._ended.append(self._minute)
        self._minute = None

    async def _save(self) -> None:
        while self._ended:
            rollup = await _unhurried(self._ended[0].rollup())
            self._ended.popleft()
            self._unsaved.append(rollup)
            self._recent.append((rollup.start, {by: pack(cells) for by, cells in rollup.cells.items()}))
            self._has_recorded()
        if self._unsaved:
            # A write that is running when the server stops is still completed: it must not be repeated.
            minutes = list(self._unsaved)
            self._unsaved.clear()
            try:
                await self._store.add(minutes, self._starts)
            except StoreError:
                self._unsaved.extendleft(reversed(minutes))
                raise
            self._starts = 0
            await self._put_hours_together()

    async def _put_hours_together(self) -> None:
        for hour in await self._reader.result(self._store.hours_to_roll(self._clock())):
            cells, examples = await self._reader.result(self._store.rolled(hour))
            await self._store.add_hour(hour, cells, examples)

    def _has_recorded(self) -> None:
        self.version += 1
        self._saved()

    def recent(self, span: Span) -> dict[str, Cells]:
        """The minutes of a range by dimension, of which the last 2 * RECENT are known."""
        recent = [minute for start, minute in self._recent if span.start <= start < span.end]
        return tables_of([{by: unpack(packed) for by, packed in one.items()} for one in recent])


async def _unhurried(steps: Steps[T]) -> T:
    """The result of the steps; other tasks run between them."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result
        await asyncio.sleep(0)
