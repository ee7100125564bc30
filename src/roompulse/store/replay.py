"""Replay: a room as it was at a past moment, by applying its stored reports again with the clock of that time."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from msgspec import Struct

from roompulse.quality import FRAME_RATE_WINDOW
from roompulse.report.model import Direction
from roompulse.rooms.contract import LiveRoom, LiveRooms
from roompulse.rooms.model import Snapshot
from roompulse.rooms.rated_samples import CLOCK_TOLERANCE, SampleRater, StreamSample, worst_of_steps
from roompulse.settings import Settings
from roompulse.store.contract import DEFAULT_LIMIT, HistoryQuery, SampleArchive, SampleQuery, Store, Visit

_FIRST_SPAN, _LONGEST_SPAN = 60.0, 7200.0
"""Seconds of a room's reports that are read in one query when all of its samples are exported."""

_ENOUGH = 1000
"""Samples in one query: the next span is shorter after more samples than this, and longer after fewer."""


class StreamQuery(Struct, frozen=True):
    """Which samples of one reporter: from `start` to `end` (Unix seconds), the newest `limit` of them.

    `about` is the user whose media was measured. With `step` (seconds), only the worst sample of each stream and step.
    """

    room_id: str
    reporter_id: str
    start: float
    end: float
    about: str | None = None
    stream_id: str | None = None
    direction: Direction | None = None
    step: float | None = None
    limit: int = DEFAULT_LIMIT

    def matches(self, sample: StreamSample) -> bool:
        return (
            self.start <= sample.timestamp <= self.end
            and self.stream_id in (None, sample.stream_id)
            and self.direction in (None, sample.direction)
        )


class Replay:
    """`no_rooms` creates an empty set of live rooms."""

    def __init__(
        self, archive: SampleArchive, store: Store, no_rooms: Callable[[], LiveRooms], settings: Settings
    ) -> None:
        self._archive = archive
        self._store = store
        self._no_rooms = no_rooms
        self._settings = settings
        # The age up to which reports influence a live room, as after a restart (Ingest.rebuild).
        self._lead = settings.leave_after + FRAME_RATE_WINDOW

    def users_since(self, now: float) -> float:
        """The earliest time (Unix seconds) for `room`: samples are retained for a shorter time than snapshots."""
        return now - self._settings.sample_retention + self._lead

    async def room(self, room_id: str, at: float) -> LiveRoom | None:
        """The room as it was at `at`; None if it was not live."""
        room = await self._replay(room_id, at)
        if room is None and (snapshot := await self.snapshot(room_id, at)) and snapshot.timestamp == at:
            # A snapshot is computed a moment after its time: the room may have started in between.
            room = await self._replay(room_id, at + 1)
        return room

    async def _replay(self, room_id: str, at: float) -> LiveRoom | None:
        rooms = self._no_rooms()
        async for received in self._archive.reports(SampleQuery(room_id, at - self._lead, at)):
            rooms.expire(received.at)
            rooms.apply(received)
        rooms.expire(at)
        return rooms.get(room_id)

    async def snapshot(self, room_id: str, at: float) -> Snapshot | None:
        """The room's figures at `at`; None if it was not live."""
        # While no report comes, there is no new snapshot until the last user leaves.
        oldest = at - self._settings.leave_after - self._settings.snapshot_interval
        found = await self._store.history(HistoryQuery(room_id, start=max(0.0, oldest), end=at, limit=1))
        return found[0] if found else None

    async def visits(self, room_id: str, user_id: str, until: float) -> list[Visit]:
        """When the user was in the room, oldest first, as far back from `until` as samples are retained."""
        since = until - self._settings.sample_retention
        return await self._archive.visits(room_id, user_id, since, until, self._settings.leave_after)

    async def samples(self, query: StreamQuery) -> list[StreamSample]:
        """Samples by their time in history, oldest first."""
        # The time of a sample in history may differ by so much from its receipt.
        after, until = query.start - CLOCK_TOLERANCE - FRAME_RATE_WINDOW, query.end + CLOCK_TOLERANCE
        asked = SampleQuery(query.room_id, after, until, query.reporter_id, query.about)
        rater = SampleRater()
        found: deque[StreamSample] = deque(maxlen=None if query.step else query.limit)
        async for received in self._archive.reports(asked):
            found.extend(sample for sample in rater.rate(received) if query.matches(sample))
        kept: Iterable[StreamSample] = worst_of_steps(found, query.step) if query.step else found
        return sorted(kept, key=lambda sample: sample.timestamp)[-query.limit :]

    async def all_samples(self, room_id: str, start: float, end: float) -> AsyncIterator[Sequence[StreamSample]]:
        """All samples of a room that were received from `start` to `end`, in the order of their receipt."""
        rater = SampleRater()
        after, span = start - FRAME_RATE_WINDOW, _FIRST_SPAN
        while after < end:
            until = min(end, after + span)
            samples: list[StreamSample] = []
            async for received in self._archive.reports(SampleQuery(room_id, after, until)):
                samples.extend(sample for sample in rater.rate(received) if sample.received_at >= start)
            if samples:
                yield samples
            after, span = until, span / 2 if len(samples) > _ENOUGH else min(2 * span, _LONGEST_SPAN)
