"""How many rooms, users and streams may be live. What exceeds a limit is refused, never dropped in silence."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from math import ceil

from msgspec import Struct

from roompulse.errors import Problem, TooManyRequests, Unavailable
from roompulse.report.model import Entry, Received, Report
from roompulse.rooms.room import RoomState
from roompulse.rooms.stream import StreamState
from roompulse.rooms.user import StreamKey
from roompulse.token_buckets import Buckets


class Limits(Struct, frozen=True):
    """`user_streams` bounds the streams that one reporter gives about one user.

    `sender_rooms` are the rooms that one sender may start in a minute; None is no limit.
    """

    rooms: int
    room_users: int
    user_streams: int
    sender_rooms: int | None = None


class Starts:
    """The rooms that each sender may start now: a bucket of a minute's worth. Only a room that starts takes of it."""

    def __init__(self, rooms_a_minute: int | None) -> None:
        self._most = rooms_a_minute
        self._buckets = Buckets(rooms_a_minute / 60, rooms_a_minute) if rooms_a_minute else None

    def refusal(self, sender: str, now: float, count: int) -> Problem | None:
        """Say why a sender may not start `count` rooms now, or return None."""
        if not (self._buckets and sender) or not (wait := self._buckets.wait(sender, now, count)):
            return None
        message = f"$.room_id: more than {self._most} new rooms a minute from one sender"
        return TooManyRequests(message, retry_after=ceil(wait), reason="sender_rooms")

    def note(self, sender: str, now: float) -> None:
        """Note that a room of this sender has started."""
        if self._buckets and sender:
            self._buckets.take(sender, now)


Scope = tuple[str, ...]
"""() holds rooms, (room,) holds users, (room, reporter, user) holds streams."""


class Admission:
    """Checks reports one after the other, as if each one that fits were applied before the next is checked."""

    def __init__(self, limits: Limits, starts: Starts, rooms: Mapping[str, RoomState], leave_after: float) -> None:
        self._limits = limits
        self._starts = starts
        self._rooms = rooms
        # A user that leaves makes room, so that is how soon it is worth trying again.
        self._retry_after = ceil(leave_after)
        self._admitted: defaultdict[Scope, set[object]] = defaultdict(set)
        self._starting: Counter[str] = Counter()

    def check(self, received: Received) -> Problem | None:
        """Say why the report does not fit, or count it as applied and return None."""
        newcomers = self._newcomers(received.report)
        for scope, new in newcomers.items():
            admitted = self._admitted.get(scope, set())
            limit, refusal = self._limit(scope)
            if self._live(scope) + len(admitted | new) > limit:
                return refusal
        if () in newcomers and not newcomers[()] <= self._admitted[()]:
            starting = self._starting[received.sender] + 1
            if problem := self._starts.refusal(received.sender, received.at, starting):
                return problem
            self._starting[received.sender] = starting
        for scope, new in newcomers.items():
            self._admitted[scope] |= new
        return None

    def _newcomers(self, report: Report) -> dict[Scope, set[object]]:
        room_id, reporter = report.room_id, report.user_id
        room = self._rooms.get(room_id)
        newcomers: defaultdict[Scope, set[object]] = defaultdict(set)
        if room is None:
            newcomers[()].add(room_id)
        if room is None or reporter not in room.users:
            newcomers[room_id,].add(reporter)
        for entry in report.metrics:
            if room is None or entry.user_id not in room.users:
                newcomers[room_id,].add(entry.user_id)
            known = self._streams(room, reporter, entry.user_id)
            if new := _new_streams(entry, known):
                newcomers[room_id, reporter, entry.user_id] |= new
        return newcomers

    def _live(self, scope: Scope) -> int:
        if not scope:
            return len(self._rooms)
        room = self._rooms.get(scope[0])
        if len(scope) == 1:
            return len(room.users) if room else 0
        return len(self._streams(room, scope[1], scope[2]))

    def _limit(self, scope: Scope) -> tuple[int, Problem]:
        limits, retry_after = self._limits, self._retry_after
        if not scope:
            message = f"$.room_id: all {limits.rooms} rooms are taken"
            return limits.rooms, Unavailable(message, retry_after=retry_after, reason="rooms_full")
        if len(scope) == 1:
            message = f"$.metrics: a room has no place for more than {limits.room_users} users"
            return limits.room_users, TooManyRequests(message, retry_after=retry_after, reason="room_full")
        message = f"$.metrics: one reporter can give no more than {limits.user_streams} streams about one user"
        return limits.user_streams, TooManyRequests(message, retry_after=retry_after, reason="streams_full")

    @staticmethod
    def _streams(room: RoomState | None, reporter: str, user_id: str) -> Mapping[StreamKey, StreamState]:
        user = room.users.get(user_id) if room else None
        reporting = user.reporters.get(reporter) if user else None
        return reporting.streams if reporting else {}


def _new_streams(entry: Entry, known: Mapping[StreamKey, StreamState]) -> set[object]:
    keys = ((stream.stream_id, stream.direction) for stream in entry.streams)
    return {key for key in keys if key not in known}
