"""What is kept of one user while it is live."""

from collections.abc import Generator, Iterator
from math import inf
from typing import NamedTuple, cast

from roompulse.quality import level_of, rate_user, worst
from roompulse.report.model import Entry, Report
from roompulse.rooms.given import Given
from roompulse.rooms.links import RoomOfUser, UserLinks
from roompulse.rooms.model import StreamMetrics, UserMetrics
from roompulse.rooms.rated_samples import CLOCK_TOLERANCE, LATE
from roompulse.rooms.same_id import WINDOW, Sources, TwoSdks
from roompulse.rooms.stream import Reporting, StreamState

STREAMS_AT_ONCE = 1_000
"""Streams of a user that are put into its answer in one step."""

DEAD_BAND = 0.05
"""Difference of scores up to which a user keeps its place in a list."""


class Return(NamedTuple):
    """When a stale user was reported again (Unix seconds), and after how many seconds of silence."""

    at: float
    silent: float


class UserState(UserLinks):
    """One user of one room: reports about it, and the streams that it reported as received from others.

    `users` are all users of its room. `joined_at` and `left_at` are Unix seconds; a user that left
    without a report left at the end of LEAVE_AFTER.
    """

    __slots__ = (
        "_about",
        "_metrics",
        "_missing",
        "_newest",
        "_rank",
        "_reported_as",
        "_score",
        "_scored",
        "brought_by",
        "by_itself",
        "given",
        "joined_at",
        "left_at",
        "received_at",
        "returned",
        "sources",
        "stale",
        "version",
    )

    def __init__(self, user_id: str, room: RoomOfUser, now: float, brought_by: str = "") -> None:
        super().__init__(user_id, room)
        self.joined_at = now
        self.left_at: float | None = None
        # The first reporter about this user, until it reports itself.
        self.brought_by = brought_by
        self.received_at = 0.0
        self.stale = False
        self.returned: Return | None = None
        self.version = self._reported_as = 0
        self.sources = Sources()
        # (sdk_version, report_time) of the newest report about this user, and of its own newest report.
        self._about: tuple[str, int] | None = None
        self.by_itself: tuple[str, int] | None = None
        # The highest report_time of its own reports, and its time of receipt.
        self._newest: tuple[int, float] = (0, -inf)
        self.given = Given()
        self._metrics: UserMetrics | None = None
        self._score: float | None = None
        self._rank: float | None = None
        self._missing = ""
        self._scored = False

    def reports(self, report: Report, now: float, version: int) -> None:
        """Note that this user sent `report`."""
        self.by_itself = (report.sdk_version, report.report_time)
        # A report more than a second older was not late: nothing newer had arrived for long.
        if not self._newest[0] - 1 <= report.report_time < self._newest[0]:
            self._newest = (report.report_time, now)
        if report.labels:
            self.given.give("labels", report.labels, now, by_itself=True)
        self._refreshed(now, version)

    def reported_on(self, report: Report, entry: Entry, now: float, version: int) -> Reporting:
        """Note that `report` has an entry about this user, and return its reporter's streams of it."""
        self._about = (report.sdk_version, report.report_time)
        if entry.device or entry.user_name or entry.connection:
            self.given.give_entry(entry, now, by_itself=report.user_id == self.user_id)
        if report.labels and report.by_server:
            self.given.give("labels", report.labels, now, by_itself=False)
        self._refreshed(now, version)
        reporting = self.reporters.get(report.user_id)
        if reporting is None:
            reporting = self.reporters[report.user_id] = Reporting(by_server=report.by_server)
        if now > reporting.at:
            reporting.at = now
        return reporting

    def _refreshed(self, now: float, version: int) -> None:
        # Never before what it holds: a user must not leave while one of its streams is still there.
        before = self.received_at
        if now > before:
            self.received_at = now
        if self.stale:
            self.returned = Return(self.received_at, self.received_at - before)
            self.stale = False
        self.changed(version)
        self._reported_as = version

    @property
    def is_as_reported(self) -> bool:
        """Whether nothing has changed since the newest report by or about it."""
        return self._reported_as == self.version

    def changed(self, version: int) -> None:
        self.version = version
        self._metrics = None
        self._scored = False

    def shift(self, seconds: float, version: int) -> None:
        """Shift all times by so much, since the clock was set."""
        self.joined_at += seconds
        self.received_at += seconds
        if self.returned:
            self.returned = self.returned._replace(at=self.returned.at + seconds)
        self._newest = (self._newest[0], self._newest[1] + seconds)
        self.given.shift(seconds)
        for reporting in self.reporters.values():
            reporting.at += seconds
        for stream in self.streams():
            stream.shift(seconds)
        self.sources.shift(seconds)
        self.changed(version)

    def turn_stale(self, now: float, stale_after: float) -> list[StreamState]:
        """Mark the streams that no report mentioned for `stale_after` seconds, and return the newly marked ones."""
        turned = [one for one in self.streams() if not one.stale and one.received_at + stale_after <= now]
        for stream in turned:
            stream.stale = True
        return turned

    def forget(self, now: float, leave_after: float) -> tuple[bool, list[StreamState]]:
        """Drop streams, reporters and values that no report mentioned for `leave_after` seconds.

        Returns whether any was dropped, and the dropped streams.
        """
        dropped = []
        for reporting in self.reporters.values():
            old = [key for key, stream in reporting.streams.items() if stream.received_at + leave_after <= now]
            dropped += [reporting.streams.pop(key) for key in old]
        gone = [reporter for reporter, reporting in self.reporters.items() if reporting.at + leave_after <= now]
        for reporter in gone:
            del self.reporters[reporter]
        if not self.reporters:
            self._about = None
        lost = self.given.forget(now, leave_after)
        return bool(gone or dropped or lost), dropped

    def due(self, now: float, stale_after: float, leave_after: float) -> float:
        """When a part of this user turns stale or expires next, unless it is reported before."""
        # A stale user may be reported again at any time, and its streams are never older than the user itself.
        stale_at = (now if self.stale else self.received_at) + stale_after
        oldest, fresh = self.received_at, inf
        for reporting in self.reporters.values():
            if reporting.at < oldest:
                oldest = reporting.at
            for stream in reporting.streams.values():
                at = stream.received_at
                if at < oldest:
                    oldest = at
                if at < fresh and not stream.stale:
                    fresh = at
        oldest = min(oldest, *self.given.times()) if not self.given.is_empty else oldest
        return min(stale_at, fresh + stale_after, oldest + leave_after)

    def score(self) -> float | None:
        """The score in `metrics()`, without its reasons; computed once per change."""
        self._rate()
        return self._score

    def rank(self) -> float | None:
        """The score by which it is listed: kept until the level changes or the difference exceeds DEAD_BAND.

        So users whose scores are about equal do not change places with each report.
        """
        self._rate()
        return self._rank

    @property
    def missing(self) -> str:
        """A stream that is sent to this user, if it receives none of the streams that it names; else empty."""
        self._rate()
        return self._missing

    def _rate(self) -> None:
        if self._scored:
            return
        scores = [one.quality.score for one in self.streams() if one.sample.direction == "send"]
        self._missing = ""
        if self.receiving:
            downlink = worst([one.quality.score for one in self.receiving.values()])
            self._missing = self._find_missing() if downlink is None else ""
            scores.append(downlink)
        self._score = None if self._missing else worst(scores)
        if not _is_about(self._score, self._rank):
            self._rank = self._score
        self._scored = True

    def _find_missing(self) -> str:
        named = [one for key, one in sorted(self.receiving.items()) if not one.stale and one.user_id != self.user_id]
        return next((one.name_for(self.user_id) for one in named if self._is_sent(one)), "")

    def _is_sent(self, received: StreamState) -> bool:
        """Whether the sender's own report says that it sends the named stream."""
        sender = self.other(received.user_id)
        own = sender.own_stream(received.sample.stream_id) if sender else None
        return own is not None and own.is_sent

    def is_late(self, report_time: int, now: float, patience: float) -> bool:
        """Whether its own report of that time is more than a second older than its newest within `patience` seconds."""
        newest, at = self._newest
        return report_time < newest - 1 and now - at < patience

    @property
    def two_sdks(self) -> TwoSdks | None:
        """The evidence that two SDKs report as this user, or None."""
        found = self.sources.found
        return found if found and self.received_at - found.at < WINDOW else None

    @property
    def late_by(self) -> float | None:
        """How old its own newest report was at its receipt, by its own clock (seconds); None if it was not late."""
        report_time, at = self._newest
        return at - report_time if LATE <= at - report_time <= CLOCK_TOLERANCE else None

    def metrics(self) -> UserMetrics:
        """The answer about this user; built once per change."""
        if self._metrics is None:
            for _ in self.steps():
                pass
        return cast("UserMetrics", self._metrics)

    def steps(self) -> Iterator[None]:
        """Steps of some milliseconds, after which `metrics` takes no longer, unless the user changes between them."""
        version, building = self.version, self._build()
        while self._metrics is None and self.version == version:
            try:
                next(building)
            except StopIteration as built:
                self._metrics = built.value
                return
            yield

    def _build(self) -> Generator[None, None, UserMetrics]:
        streams = sorted(self.streams(), key=StreamState.order)
        shown: list[StreamMetrics] = []
        for start in range(0, len(streams), STREAMS_AT_ONCE):
            shown += [stream.metrics() for stream in streams[start : start + STREAMS_AT_ONCE]]
            yield
        sending = [one for one in streams if one.sample.direction == "send"]
        received = self.received()
        yield
        receiving = [self.receiving[key] for key in sorted(self.receiving)]
        sdk_version, report_time = self._about or self.by_itself or ("", 0)
        return UserMetrics(
            user_id=self.user_id,
            user_name=self.given.user_name,
            sdk_version=sdk_version,
            device=self.given.device,
            connection=self.given.connection,
            labels=self.given.labels,
            report_time=report_time,
            received_at=self.received_at,
            stale=self.stale,
            reporters=sorted(self.reporters),
            quality=rate_user(
                ((one.sample.stream_id, one.quality) for one in sending),
                ((one.name_for(self.user_id), one.quality) for one in receiving),
                (words for one in sending if (words := one.limitation())),
                self.missing,
            ),
            streams=shown,
            receiving=received,
        )


def _is_about(score: float | None, rank: float | None) -> bool:
    if score is None or rank is None:
        return score is rank
    return abs(score - rank) <= DEAD_BAND and level_of(score) == level_of(rank)
