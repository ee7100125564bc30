"""The timelines of all rooms: events are found a few times a second, shown at once and saved shortly after."""

from asyncio import CancelledError, Lock, create_task, shield
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from msgspec.structs import replace

from roompulse.bounded import BoundedMap
from roompulse.clock import Clock
from roompulse.errors import StoreError
from roompulse.events import words
from roompulse.events.contract import EventStore
from roompulse.events.detector import Detector
from roompulse.events.model import REPORTED, EventQuery, Shown, TimelineEvent
from roompulse.events.tail import Recorded, Tail
from roompulse.periodic import Attempts, every
from roompulse.report.model import Received

LOOK_EVERY = 0.25
"""Seconds; a user who reports more often is rated once in them. One comparison a second would block everything else
for longer."""

SAVE_EVERY = 1.0

MOST_REPORTED, MOST_OF_USER, INTERVAL = 1000, 100, 10.0
"""Events of the kinds REPORTED kept for a room, and for one of its users, in so many seconds."""

_SAVED_AT_ONCE = 500
"""Events of one transaction, for which reports wait."""

MOST_UNSAVED = 10_000
"""Events that wait while the database cannot be written; then the oldest are dropped."""

_HELD = "level_changed", "verdict_changed"
"""Kinds of events that count once they have held for a while."""

_ROOMS_WITH_TAIL = 2_000

TAIL_KEPT = 300.0
"""Seconds for which the newest events of a room that is not live are kept in memory: its viewers have them by then,
and normally other workers have told of the same ones."""


class Timeline:
    """`publish` is called with the ids of rooms whose timeline has grown.

    Several workers find the same events, and save them as one row. Which levels have lasted is found where `is_the_one`
    is true, and `tell` publishes them to the others: a worker that has just started cannot know.
    """

    def __init__(
        self,
        detector: Detector,
        store: EventStore,
        publish: Callable[[Iterable[str]], object],
        clock: Clock,
        *,
        is_the_one: Callable[[], bool] = lambda: True,
        tell: Callable[[Shown], Awaitable[object]] | None = None,
    ) -> None:
        self._is_the_one = is_the_one
        self._tell = tell
        self._detector = detector
        self._store = store
        self._publish = publish
        self._clock = clock
        self._unsaved: deque[tuple[str, TimelineEvent]] = deque(maxlen=MOST_UNSAVED)
        self._saving: list[tuple[str, TimelineEvent]] = []
        self._one_saves = Lock()
        self._tails: BoundedMap[str, Tail] = BoundedMap(_ROOMS_WITH_TAIL)
        # When events of rooms that are not live were recorded last.
        self._not_live: BoundedMap[str, float] = BoundedMap(_ROOMS_WITH_TAIL)
        self._grown: set[str] = set()
        self._count = 0
        self._budget = _Budget()

    def reported(self, received: Received) -> None:
        """Note the events of a committed report; they are found with the next comparison."""
        if received.report.events:
            self._detector.reported(received)

    def look(self, now: float, *, rate: bool = False) -> None:
        """Record what happened in live rooms; with `rate`, also the levels and verdicts that have lasted until now."""
        for room_id, event in self._detector.look(now, rate=rate, settle=self._is_the_one()):
            self.record(room_id, event)
        for room_id, event in self._budget.over(now):
            self._add(room_id, event)
        self._publish_grown()
        self._drop_tails(self._clock() - TAIL_KEPT)

    def _drop_tails(self, before: float) -> None:
        while (room_id := next(iter(self._not_live), None)) and (self._not_live.peek(room_id) or 0.0) <= before:
            self._not_live.discard(room_id)
            if not self._detector.has(room_id):
                self._tails.discard(room_id)

    def shift(self, seconds: float) -> None:
        """The clock was set: shift the times of all that is remembered."""
        self._detector.shift(seconds)
        for room_id in list(self._not_live):
            self._not_live.put(room_id, (self._not_live.peek(room_id) or 0.0) + seconds)

    def next_due(self) -> float:
        """When (Unix seconds) the first level or verdict will have lasted long enough; infinite without any."""
        return self._detector.next_due()

    def resume(self, stored: Mapping[str, Sequence[TimelineEvent]]) -> None:
        """Continue after a restart: `stored` are the states of rooms that were live when the server stopped."""
        for room_id, event in self._detector.resume(stored, self._clock()):
            self.record(room_id, event)
        self._publish_grown()

    def record(self, room_id: str, event: TimelineEvent) -> None:
        """Show an event of a room, and save it soon. One equal to a recent one is dropped: a report arrived twice."""
        event = replace(event, time=round(event.time, 3))
        if event.kind in REPORTED and not self._budget.has_room(room_id, event.user_id):
            return
        self._add(room_id, event)

    def _add(self, room_id: str, event: TimelineEvent) -> None:
        if self.show(room_id, event):
            self._unsaved.append((room_id, event))

    def told(self, shown: Shown) -> None:
        """Show another worker's event, or an operator's note."""
        if shown.event and shown.event.kind in _HELD:
            self._detector.told(shown.room_id, shown.event)
        if shown.instead_of is not None:
            self.correct(shown.room_id, shown.instead_of, shown.event)
        elif shown.event is not None:
            self.show(shown.room_id, shown.event)
            self._publish_grown()

    def show(self, room_id: str, event: TimelineEvent) -> bool:
        """Show an event that is saved already, or will be; whether it is a new one."""
        tail = self._tails.get(room_id) or Tail()
        if event in tail:
            return False
        self._append(room_id, tail, event, None)
        return True

    def correct(self, room_id: str, before: TimelineEvent, after: TimelineEvent | None) -> None:
        """Show a stored event as it is now, or no more."""
        tail = self._tails.get(room_id) or Tail()
        kept = Tail(one for one in tail.recorded if one.event != before)
        self._append(room_id, kept, after, before)
        self._publish_grown()

    def _append(
        self,
        room_id: str,
        tail: Tail,
        event: TimelineEvent | None,
        instead_of: TimelineEvent | None,
    ) -> None:
        self._count += 1
        tail.append(self._count, event, instead_of)
        self._tails.put(room_id, tail)
        self._grown.add(room_id)
        if not self._detector.has(room_id):
            self._not_live.put(room_id, self._clock())

    def _publish_grown(self) -> None:
        if self._grown:
            grown, self._grown = self._grown, set()
            self._publish(grown)

    def tail(self, room_id: str, after: int = 0) -> Sequence[Recorded]:
        """The newest events of a room that were recorded since the start, or after the event of this number."""
        tail = self._tails.peek(room_id)
        return [one for one in tail.recorded if one.number > after] if tail else []

    async def find(self, query: EventQuery) -> tuple[list[TimelineEvent], int]:
        """Events of a room, oldest first, and the number after which `tail` has those recorded since.

        Raises StoreError when the database fails, and Unavailable for many of them while others are read.
        """
        waiting, number = self._waiting(query), self._count
        stored = await self._store.find(query)
        if not waiting:
            return stored, number
        known = set(stored)
        new = [event for event in waiting if event not in known]
        return sorted([*stored, *new], key=lambda event: event.time)[-query.limit :], number

    def all(self, room_id: str, start: float, end: float) -> Iterator[Sequence[TimelineEvent]]:
        """All events of a room from `start` to `end` (Unix seconds, both included), oldest first, in portions.

        To be read in the thread of the reader; raises StoreError there when the database fails.
        """
        waiting = self._waiting(EventQuery(room_id, start, end))
        return _then(self._store.all(room_id, start, end), waiting)

    def _waiting(self, query: EventQuery) -> list[TimelineEvent]:
        """Events until now that are not known to be saved; to be read before stored ones."""
        self.look(self._clock())
        return [event for room_id, event in [*self._saving, *self._unsaved] if query.matches(room_id, event)]

    def forget(self) -> None:
        """Drop the newest events in memory, since stored ones were erased. Unsaved ones are more recent, and stay."""
        self._tails.clear()

    async def run(self) -> None:
        await every(SAVE_EVERY, self.save, "events could not be saved")

    async def close(self) -> None:
        await Attempts(self.save_all, "the last events could not be saved")()

    async def save_all(self) -> None:
        """Record and save what happened until now; raises StoreError."""
        self.look(self._clock())
        await self.save()

    async def save(self) -> None:
        """Save the events that are not saved yet; raises StoreError, and they wait for the next call."""
        async with self._one_saves:
            while self._unsaved:
                await self._save([self._unsaved.popleft() for _ in range(min(len(self._unsaved), _SAVED_AT_ONCE))])

    async def _save(self, some: list[tuple[str, TimelineEvent]]) -> None:
        saving = create_task(self._add_and_tell(some))
        try:
            await shield(saving)
        except CancelledError:
            with suppress(StoreError):
                await saving  # To its end: else it would not be known what is saved.
            raise

    async def _add_and_tell(self, some: list[tuple[str, TimelineEvent]]) -> None:
        self._saving = some
        try:
            await self._store.add(some)
            if self._tell:
                for room_id, event in some:
                    if event.kind in _HELD:
                        await self._tell(Shown(room_id, event))
        except StoreError:
            too_many = max(0, len(some) + len(self._unsaved) - MOST_UNSAVED)
            self._unsaved.extendleft(reversed(some[too_many:]))
            raise
        finally:
            self._saving = []


def _then(
    portions: Iterator[Sequence[TimelineEvent]], waiting: Sequence[TimelineEvent]
) -> Iterator[Sequence[TimelineEvent]]:
    """Portions of stored events, and then the waiting ones that are not among them."""
    for portion in portions:
        known = set(portion)
        waiting = [event for event in waiting if event not in known]
        yield portion
    if waiting:
        yield waiting


class _Budget:
    """Bounds the events that senders cause: so many of a room and of each user in each interval."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._kept: Counter[tuple[str, str | None]] = Counter()
        self._dropped: Counter[str] = Counter()

    def has_room(self, room_id: str, user_id: str | None) -> bool:
        if self._kept[room_id, None] >= MOST_REPORTED or self._kept[room_id, user_id] >= MOST_OF_USER:
            self._dropped[room_id] += 1
            return False
        self._kept[room_id, None] += 1
        self._kept[room_id, user_id] += 1
        return True

    def over(self, now: float) -> list[tuple[str, TimelineEvent]]:
        """At the end of an interval, an event for each room of which some were dropped in it.

        Intervals are aligned to the wall clock, so that all workers find the same.
        """
        since = now // INTERVAL * INTERVAL
        if self._since is None:
            self._since = since
        if since == self._since:
            return []
        at = min(now, self._since + INTERVAL)
        told = [
            (room_id, TimelineEvent(at, "sdk", text=words.dropped(count, INTERVAL)))
            for room_id, count in self._dropped.items()
        ]
        self._since = since
        self._kept, self._dropped = Counter(), Counter()
        return told
