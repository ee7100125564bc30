"""Replay: a room as it was at a past moment, by applying its stored reports again with the clock of that time."""

from collections.abc import Callable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from roompulse.quality import FRAME_RATE_WINDOW
from roompulse.report.model import Direction
from roompulse.rooms.aggregate import step_start
from roompulse.rooms.contract import LiveRoom, LiveRooms
from roompulse.rooms.model import Snapshot
from roompulse.rooms.rated_samples import CLOCK_TOLERANCE, Newest, SampleRater, StreamSample, WorstOfSteps, newest
from roompulse.settings import Settings
from roompulse.store.contract import DEFAULT_LIMIT, HistoryQuery, SampleArchive, SampleQuery, Steps, Store, Visit

_FIRST_SPAN, _LONGER = 60.0, 4
"""Seconds before the end that are searched for the newest samples, and the factor of growth if they are too few."""

_RATED_AT_ONCE = 25
"""Reports of an export: some milliseconds."""


class StreamQuery(Struct, frozen=True):
    """Which samples of the user `reporter_id`: from `start` to `end` (Unix seconds), the newest `limit` of them.

    `about` is the user whose media was measured, `measured_by` the reporter: a media server's figures of a user
    are among the user's. With `step` (seconds), only the worst sample of each stream and step.
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
    measured_by: str | None = None

    def matches(self, sample: StreamSample) -> bool:
        return (
            self.start <= sample.timestamp <= self.end
            and self.about in (None, sample.user_id)
            and self.measured_by in (None, sample.reporter_id)
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

    def room(self, room_id: str, at: float) -> Steps[LiveRoom | None]:
        """The room as it was at `at`; None if it was not live."""
        room = yield from self._replay(room_id, at)
        if room is None and (snapshot := (yield from self.snapshot(room_id, at))) and snapshot.timestamp == at:
            # A snapshot is computed a moment after its time: the room may have started in between.
            room = yield from self._replay(room_id, at + 1)
        return room

    def _replay(self, room_id: str, at: float) -> Steps[LiveRoom | None]:
        rooms = self._no_rooms()
        for place, reports in enumerate(self._archive.reports(SampleQuery(room_id, at - self._lead, at))):
            if place:
                yield
            for received in reports:
                rooms.expire(received.at)
                rooms.apply(received)
        rooms.expire(at)
        return rooms.get(room_id)

    def snapshot(self, room_id: str, at: float) -> Steps[Snapshot | None]:
        """The room's figures at `at`; None if it was not live."""
        # Without reports, there is no new snapshot until the last user leaves.
        oldest = at - self._settings.leave_after - self._settings.snapshot_interval
        found = yield from self._store.history(HistoryQuery(room_id, start=max(0.0, oldest), end=at, limit=1))
        return found[0] if found else None

    async def visits(self, room_id: str, user_id: str, until: float) -> list[Visit]:
        """When the user was in the room, oldest first, as far back from `until` as samples are retained."""
        since = until - self._settings.sample_retention
        return await self._archive.visits(room_id, user_id, since, until, self._settings.leave_after)

    def samples(self, query: StreamQuery) -> Steps[list[StreamSample]]:
        """Samples by their time in history, oldest first."""
        span = _FIRST_SPAN
        while True:
            # From the beginning of a step, so that no step is incomplete.
            start = max(query.start, step_start(query.end - span, query.step or 1.0))
            found = yield from self._samples(replace(query, start=start))
            if len(found) == query.limit or start == query.start:
                return found
            span *= _LONGER

    def _samples(self, query: StreamQuery) -> Steps[list[StreamSample]]:
        # No sample is later in history than its receipt, and those before it decide how the first one rates.
        after, until = query.start - FRAME_RATE_WINDOW, query.end + CLOCK_TOLERANCE
        asked = SampleQuery(query.room_id, after, until, query.reporter_id, query.about)
        rater = SampleRater()
        found = WorstOfSteps(query.step, query.limit) if query.step else Newest(query.limit)
        for place, reports in enumerate(self._archive.reports(asked)):
            if place:
                yield
            found.extend(sample for one in reports for sample in rater.rate(one) if query.matches(sample))
        return newest(found, query.limit)

    def all_samples(self, room_id: str, start: float, end: float) -> Iterator[list[StreamSample]]:
        """All samples of a room received from `start` to `end`, by time of receipt; a portion may be empty."""
        rater = SampleRater()
        for reports in self._archive.reports(SampleQuery(room_id, start - FRAME_RATE_WINDOW, end)):
            for place in range(0, len(reports), _RATED_AT_ONCE):
                some = reports[place : place + _RATED_AT_ONCE]
                yield [sample for one in some for sample in rater.rate(one) if sample.received_at >= start]
