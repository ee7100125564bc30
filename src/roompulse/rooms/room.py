"""One live room: applies reports to its users, and forgets who has gone."""

from collections.abc import Iterable, Sequence
from itertools import islice

from roompulse.report.model import Entry, Report, Stream
from roompulse.rooms.aggregate import aggregate, aggregate_of, medians, medians_of
from roompulse.rooms.model import Medians, RoomMetrics, RoomSummary, UserMetrics
from roompulse.rooms.ranking import Place, place_of
from roompulse.rooms.room_index import RoomIndex
from roompulse.rooms.user import Reporting, StreamState, UserState
from roompulse.rooms.verdict import Words, verdict_in_words

KEPT_FROM = 200
"""Users, or streams, from which on a room is kept in mind as a whole; a smaller one is gone through when asked."""


class RoomState:
    __slots__ = (
        "_kept",
        "_metrics",
        "_summary",
        "heard_at",
        "room_id",
        "started_at",
        "updated_at",
        "users",
        "version",
    )

    def __init__(self, room_id: str, now: float) -> None:
        self.room_id = room_id
        self.started_at = now
        self.heard_at = now
        self.users: dict[str, UserState] = {}
        self.updated_at = 0.0
        self.version = 0
        self._metrics: RoomMetrics | None = None
        self._summary: RoomSummary | None = None
        self._kept: RoomIndex | None = None

    def changed(self, now: float, version: int) -> None:
        self.updated_at = now
        self.version = version
        self._metrics = None
        self._summary = None
        if self._kept and not self._kept.is_worth_it():
            self._kept = None

    def apply(self, report: Report, now: float, version: int) -> list[UserState]:
        """Apply one report and return the users that it brought into the room."""
        known = len(self.users)
        self.heard_at = max(self.heard_at, now)
        self._user(report.user_id).reports(report, now, version)
        for entry in report.metrics:
            reporting = self._user(entry.user_id).reported_on(report, entry.device, now, version)
            self._take(entry, report, reporting, now)
        self.changed(now, version)
        new = len(self.users) - known
        return list(islice(reversed(self.users.values()), new)) if new else []

    def _take(self, entry: Entry, report: Report, reporting: Reporting, now: float) -> None:
        kept = self._kept
        for sample in entry.streams:
            key = (sample.stream_id, sample.direction)
            stream = reporting.streams.get(key)
            if stream is None:
                stream = reporting.streams[key] = StreamState(entry.user_id, report.user_id)
                if sample.direction == "recv":
                    self.users[report.user_id].receiving[entry.user_id, sample.stream_id] = stream
                if kept:
                    kept.stream_starts(stream)
            elif kept:
                kept.stream_changes(stream)
            stream.take(sample, report.report_time, now)

    def _user(self, user_id: str) -> UserState:
        user = self.users.get(user_id)
        if user is None:
            user = self.users[user_id] = UserState(user_id)
        if self._kept:
            self._kept.user_changes(user_id)
        return user

    def forget_streams(self, streams: Iterable[StreamState], version: int) -> None:
        """Take streams that were dropped from their senders away from those who reported to receive them."""
        for stream in streams:
            receiver = self.users.get(stream.reporter_id)
            if receiver and stream.sample.direction == "recv":
                receiver.receiving.pop((stream.user_id, stream.sample.stream_id), None)
                self.user_changed(receiver, version)
            if self._kept:
                self._kept.stream_ends(stream)

    def user_changed(self, user: UserState, version: int) -> None:
        """Note that a user changed, or left."""
        user.changed(version)
        if self._kept:
            self._kept.user_changes(user.user_id)

    def set_back(self, now: float, version: int) -> list[UserState]:
        """Take nothing to have been heard later than `now`, since the clock was set back to there."""
        self.changed(now, version)
        self.heard_at = min(self.heard_at, now)
        for user in self.users.values():
            user.set_back(now, version)
        return list(self.users.values())

    def user(self, user_id: str) -> UserState | None:
        return self.users.get(user_id)

    def metrics(self) -> RoomMetrics:
        """The answer about this room; built once per change."""
        if self._metrics is None:
            users = [self.users[user_id].metrics() for user_id in sorted(self.users)]
            self._metrics = RoomMetrics(self.room_id, self.updated_at, self.summary().aggregate, users)
        return self._metrics

    def summary(self) -> RoomSummary:
        """The room without its users; built once per change."""
        if self._summary is None:
            users = self.users.values()
            if kept := self._whole():
                whole = aggregate(len(users), kept.ranking.quality(), kept.totals.sums())
                stale = kept.ranking.all_stale()
            else:
                whole = aggregate_of([user.score() for user in users], self._samples())
                stale = all(user.stale for user in users)
            # Whoever was heard of last leaves last, so that the room was last heard of when it was.
            self._summary = RoomSummary(self.room_id, whole, self.heard_at, stale)
        return self._summary

    def medians(self) -> Medians:
        if kept := self._whole():
            sums = kept.totals.sums()
            return medians(sums.rtt, sums.packet_loss, sums.jitter)
        return medians_of(self._samples())

    def worst_first(self) -> Sequence[Place]:
        if kept := self._whole():
            return kept.ranking.worst_first
        return sorted(place_of(user) for user in self.users.values())

    def verdict(self) -> Words:
        if kept := self._whole():
            return kept.words()
        return verdict_in_words(self.metrics(), self._metrics_of)

    def _metrics_of(self, user_id: str) -> UserMetrics | None:
        user = self.users.get(user_id)
        return user.metrics() if user else None

    def _whole(self) -> RoomIndex | None:
        """What is kept of a big room, up to date; None of a small one."""
        if self._kept:
            self._kept.catch_up()
        elif len(self.users) >= KEPT_FROM or sum(user.stream_count() for user in self.users.values()) >= KEPT_FROM:
            self._kept = RoomIndex(self.users)
        return self._kept

    def _samples(self) -> list[Stream]:
        return [stream.sample for user in self.users.values() for stream in user.streams()]
