"""One live room: applies reports to its users, and removes users that have left."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from math import inf

from roompulse.report.model import LEFT, Entry, Report
from roompulse.rooms.aggregate import aggregate, aggregate_of
from roompulse.rooms.model import RoomMetrics, RoomSummary, RoomTotals
from roompulse.rooms.presence import BroughtIn, LastReports, Timeouts
from roompulse.rooms.ranking import Place, place_of
from roompulse.rooms.room_index import RoomIndex, words_of
from roompulse.rooms.stream import StreamState, key_of, new_stream
from roompulse.rooms.user import UserState
from roompulse.rooms.verdict import Words

INDEXED_FROM = 200
"""Users, or streams, from which on a room has an index; a smaller one is scanned when it is read."""


class RoomState:
    __slots__ = (
        "__weakref__",
        "_index",
        "_metrics",
        "_summary",
        "_timeouts",
        "_touched",
        "brought_in",
        "departures",
        "heard_at",
        "position",
        "room_id",
        "room_name",
        "servers",
        "started_at",
        "updated_at",
        "users",
        "version",
    )

    def __init__(self, room_id: str, now: float, timeouts: Timeouts) -> None:
        self.room_id = room_id
        self.started_at = self.heard_at = now
        self.users: dict[str, UserState] = {}
        self.brought_in = BroughtIn()
        self.departures = LastReports(timeouts.leave_after)
        self.servers = LastReports(timeouts.stale_after)
        self.updated_at, self.version, self.position = 0.0, 0, 0
        self._timeouts = timeouts
        self.room_name: str | None = None
        self._metrics: RoomMetrics | None = None
        self._summary: RoomSummary | None = None
        self._index: RoomIndex | None = None
        # Users who joined, changed or left since they were taken, in this order.
        self._touched: dict[UserState, None] = {}

    @property
    def tag(self) -> str:
        """The place of its newest report in the log, and when it last changed."""
        return f"{self.position}-{round(self.updated_at * 1000)}"

    def changed(self, at: float, version: int) -> None:
        self.updated_at = max(self.updated_at, at)  # What is received first may be committed last.
        self.version = version
        self._metrics = self._summary = None
        if self._index and not self._index.is_worth_it():
            self._index = None

    def is_late(self, report: Report, now: float) -> bool:
        """Whether a report is for history only: its reporter's newest one is more than a second newer.

        Unless that came STALE_AFTER seconds ago: then the reporter's clock was set back.
        """
        patience = self._timeouts.stale_after
        if report.by_server:
            return self.servers.is_late(report.user_id, report.report_time, now, patience)
        user = self.users.get(report.user_id)
        if user is None:
            return self.departures.is_late(report.user_id, report.report_time, now, patience)
        if not user.is_late(report.report_time, now, patience):
            return False
        user.sources.note(report, now)
        return True

    def apply(self, report: Report, now: float, version: int) -> list[UserState]:
        """Apply one report and return the users that it added to the room."""
        known = len(self.users)
        self.heard_at = max(self.heard_at, now)
        self.room_name = report.room_name or self.room_name
        by_server = report.by_server
        for entry in self._entries_of(report, now, version):
            user = self._apply_entry(entry, report, now, version, by_server=by_server)
            # Not if it is only about how the reporter, who is noted already, receives the user.
            if by_server or entry.device or entry.connection or "send" in [one.direction for one in entry.streams]:
                self._touched[user] = None
        new = len(self.users) - known
        users = list(islice(reversed(self.users.values()), new)) if new else []
        if not by_server and report.events and any(event.type == LEFT for event in report.events):
            self._leave(self.users[report.user_id], report.report_time, now, version)
        self.changed(now, version)
        return users

    def _entries_of(self, report: Report, now: float, version: int) -> list[Entry]:
        """Note the reporter, and return the entries about present users."""
        if report.by_server:
            self.servers.note(report.user_id, report.report_time, now)
            entries = self.departures.without(report, now, within=self._timeouts.stale_after)
            for entry in entries:  # before what they receive of each other
                self._user(entry.user_id, now, brought_by=report.user_id)
            return entries
        self.departures.drop(report.user_id)
        reporter = self._user(report.user_id, now)
        self._touched[reporter] = None
        self.brought_in.remove(reporter)
        reporter.reports(report, now, version)
        reporter.sources.note(report, now)
        return self.departures.without(report, now, within=inf)

    def _apply_entry(self, entry: Entry, report: Report, now: float, version: int, *, by_server: bool) -> UserState:
        """Apply an entry and return its user."""
        index = self._index
        user = self.users[entry.user_id] if by_server else self._user(entry.user_id, now, brought_by=report.user_id)
        streams = user.reported_on(report, entry, now, version).streams
        is_own = len(user.reporters) > 1 and user.user_id == report.user_id
        for sample in entry.streams:
            key = key_of(sample, by_server=by_server)
            stream = streams.get(key)
            # Whether a stream is sent affects its receivers.
            matters = is_own and sample.direction == "send"
            was_sent = matters and stream is not None and stream.is_sent
            if stream is None:
                stream = streams[key] = new_stream(report, entry, sample)
                if sample.direction == "recv":
                    self.users[stream.receiver_id].receiving[stream.received_as(sample)] = stream
                if index:
                    index.stream_starts(stream)
            elif index:
                (index.stream_starts if stream.stale else index.stream_changes)(stream)
            stream.replace(sample, report.report_time, now)
            if by_server and stream.by_server and (sender := self._sender_of(stream)):
                sender.by_servers[stream] = None
                sender.changed(version)
            if matters and stream.is_sent != was_sent:
                self._receivers_changed(user, sample.stream_id, version)
        return user

    def _user(self, user_id: str, now: float, brought_by: str = "") -> UserState:
        user = self.users.get(user_id)
        if user is None:
            user = self.users[user_id] = UserState(user_id, self, now, brought_by)
            self.brought_in.add(user)
            self._touched[user] = None
        if user.stale:
            self._touched[user] = None
        if self._index:
            self._index.user_changes(user_id)
        return user

    def _sender_of(self, stream: StreamState) -> UserState | None:
        return self.users.get(stream.user_id) if stream.is_named else None

    def _receivers_changed(self, sender: UserState, stream_id: str, version: int) -> None:
        """Note that a stream is sent now, or no longer: receivers that get nothing of it are rated by that."""
        for reporter_id, reporting in sender.reporters.items():
            receiver = self.users.get(reporter_id)
            if receiver and (stream_id, "recv", "") in reporting.streams:
                self.user_changed(receiver, version)

    def turn_stale(self, user: UserState, now: float, version: int) -> bool:
        """Stop counting a user's streams that no report mentioned lately; returns whether there were any."""
        streams = user.turn_stale(now, self._timeouts.stale_after)
        for stream in streams:
            self._ends(stream, version)
        return bool(streams)

    def forget_streams(self, streams: Iterable[StreamState], version: int) -> None:
        """Remove dropped streams from the other user who sends or receives them."""
        for stream in streams:
            if receiver := self.users.get(stream.receiver_id):
                receiver.receiving.pop(stream.received_as(stream.sample), None)
                self.user_changed(receiver, version)
            if stream.by_server and (sender := self._sender_of(stream)):
                sender.by_servers.pop(stream, None)
                self.user_changed(sender, version)
            if not stream.stale:
                self._ends(stream, version)

    def _ends(self, stream: StreamState, version: int) -> None:
        """Note that a stream no longer counts."""
        if self._index:
            self._index.stream_ends(stream)
        if stream.sample.direction == "recv":
            for user in (self.users.get(stream.receiver_id), self._sender_of(stream)):
                if user:
                    self.user_changed(user, version)
        elif stream.reporter_id == stream.user_id and (sender := self.users.get(stream.user_id)):
            self._receivers_changed(sender, stream.sample.stream_id, version)

    def _leave(self, user: UserState, report_time: int, now: float, version: int) -> None:
        """Remove a user immediately, with the streams that it reported as received."""
        user_id = user.user_id
        self.departures.note(user_id, report_time, now)
        received = [stream for stream in user.receiving.values() if not stream.by_server]
        self.forget_user(user, left_at=now)
        self.forget_streams(list(user.streams()), version)
        self.user_changed(user, version)
        for stream in received:
            sender = self.users.get(stream.user_id)
            reporting = sender.reporters.get(user_id) if sender else None
            if sender is None or reporting is None:
                continue
            del reporting.streams[stream.sample.stream_id, "recv", ""]
            if not reporting.streams:
                del sender.reporters[user_id]
            if not stream.stale:
                self._ends(stream, version)
            self.user_changed(sender, version)

    def forget_user(self, user: UserState, left_at: float) -> None:
        del self.users[user.user_id]
        self.brought_in.remove(user)
        user.left_at = left_at

    def user_changed(self, user: UserState, version: int) -> None:
        """Note that a user changed, or left."""
        user.changed(version)
        self._touched[user] = None
        if self._index:
            self._index.user_changes(user.user_id)

    def shift(self, seconds: float, version: int) -> list[UserState]:
        """Shift all times by so much, since the clock was set; returns all users."""
        self.updated_at += seconds
        self.changed(self.updated_at, version)
        self.started_at += seconds
        self.heard_at += seconds
        self.departures.shift(seconds)
        self.servers.shift(seconds)
        for user in self.users.values():
            user.shift(seconds, version)
        return list(self.users.values())

    def take_touched(self) -> list[UserState]:
        """Users who joined, changed or left since the previous call: who left comes before who joined by that id."""
        touched, self._touched = list(self._touched), {}
        return touched

    def user(self, user_id: str) -> UserState | None:
        return self.users.get(user_id)

    def metrics(self) -> RoomMetrics:
        """The answer about this room; built once per change."""
        if self._metrics is None:
            users = [self.users[user_id].metrics() for user_id in sorted(self.users)]
            self._metrics = RoomMetrics(self.room_id, self.room_name, self.updated_at, self.summary().aggregate, users)
        return self._metrics

    def totals(self) -> RoomTotals:
        """The answer about this room without its users."""
        return RoomTotals(self.room_id, self.room_name, self.updated_at, self.summary().aggregate)

    def summary(self) -> RoomSummary:
        """The room without its users; built once per change."""
        if self._summary is None:
            if index := self._whole():
                whole = aggregate(len(self.users), index.ranking.quality(), index.totals.sums())
                stale = index.ranking.all_stale()
            else:
                users = self.users.values()
                samples = [stream.sample for user in users for stream in user.streams() if not stream.stale]
                whole = aggregate_of([user.score() for user in users], samples)
                stale = all(user.stale for user in users)
            self._summary = RoomSummary(self.room_id, self.room_name, whole, self.heard_at, stale)
        return self._summary

    def worst_first(self) -> Sequence[Place]:
        if index := self._whole():
            return index.ranking.worst_first
        return sorted(place_of(user) for user in self.users.values())

    def verdict(self) -> Words:
        return index.words() if (index := self._whole()) else words_of(self.users)

    def steps(self) -> Iterator[None]:
        if self._summary is None and (index := self._indexed()):
            yield from index.steps()

    def _whole(self) -> RoomIndex | None:
        """The index of a big room, up to date; None of a small one."""
        if index := self._indexed():
            index.catch_up()
        return index

    def _indexed(self) -> RoomIndex | None:
        users = self.users.values()
        size = max(len(users), sum(user.stream_count() for user in users)) if self._index is None else 0
        if size >= INDEXED_FROM:
            self._index = RoomIndex(self.users)
        return self._index
