"""One live room: applies reports to its users, and forgets who has gone."""

from collections.abc import Iterable
from itertools import islice

from roompulse.report.model import Entry, Report, Stream
from roompulse.rooms.aggregate import aggregate_of, medians_of
from roompulse.rooms.model import Medians, RoomMetrics, RoomSummary
from roompulse.rooms.state import Reporting, StreamState, UserState


class RoomState:
    __slots__ = ("_metrics", "_summary", "heard_at", "room_id", "started_at", "updated_at", "users", "version")

    def __init__(self, room_id: str, now: float) -> None:
        self.room_id = room_id
        self.started_at = now
        self.heard_at = now
        self.users: dict[str, UserState] = {}
        self.updated_at = 0.0
        self.version = 0
        self._metrics: RoomMetrics | None = None
        self._summary: RoomSummary | None = None

    def changed(self, now: float, version: int) -> None:
        self.updated_at = now
        self.version = version
        self._metrics = None
        self._summary = None

    def apply(self, report: Report, now: float, version: int) -> list[UserState]:
        """Apply one report and return the users that it brought into the room."""
        known = len(self.users)
        self.heard_at = max(self.heard_at, now)
        self._user(report.user_id).reports(report, now, version)
        for entry in report.metrics:
            reporting = self._user(entry.user_id).reported_on(report, now, version)
            self._take(entry, report.user_id, reporting, now)
        self.changed(now, version)
        return list(islice(reversed(self.users.values()), len(self.users) - known))

    def _take(self, entry: Entry, reporter_id: str, reporting: Reporting, now: float) -> None:
        for sample in entry.streams:
            key = (sample.stream_id, sample.direction)
            stream = reporting.streams.get(key)
            if stream is None:
                stream = reporting.streams[key] = StreamState(entry.user_id, reporter_id)
                if sample.direction == "recv":
                    self.users[reporter_id].receiving[entry.user_id, sample.stream_id] = stream
            stream.take(sample, now)

    def _user(self, user_id: str) -> UserState:
        user = self.users.get(user_id)
        if user is None:
            user = self.users[user_id] = UserState(user_id)
        return user

    def forget_receiving(self, streams: Iterable[StreamState], version: int) -> None:
        """Take streams that were dropped from their senders away from those who reported to receive them."""
        for stream in streams:
            receiver = self.users.get(stream.reporter_id)
            if receiver and stream.sample.direction == "recv":
                receiver.receiving.pop((stream.user_id, stream.sample.stream_id), None)
                receiver.changed(version)

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
            self._summary = RoomSummary(
                self.room_id,
                aggregate_of([user.score() for user in users], self._samples()),
                received_at=max((user.received_at for user in users), default=self.updated_at),
                stale=all(user.stale for user in users),
            )
        return self._summary

    def medians(self) -> Medians:
        return medians_of(self._samples())

    def _samples(self) -> list[Stream]:
        return [stream.sample for user in self.users.values() for stream in user.streams()]
