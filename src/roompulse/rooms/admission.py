"""How many rooms, users and streams may be live. Reports over a limit are rejected, never silently dropped."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from math import ceil, inf
from typing import Literal, NamedTuple

from msgspec import Struct

from roompulse.errors import Problem, TooManyRequests, Unavailable
from roompulse.report.model import Entry, Received, Report
from roompulse.rooms.room import RoomState
from roompulse.rooms.stream import StreamKey, StreamState, key_of
from roompulse.rooms.user import UserState
from roompulse.token_buckets import Buckets


class Limits(Struct, frozen=True):
    """`room_users` bounds the users of a room who report; from so many users on, no others are added.

    `user_streams` bounds the streams that one reporter gives about one user, for a media server those of each sender
    that the user receives; `reported_users`, the users that do not report themselves and that one room token brings in;
    `sender_rooms`, the rooms that one sender may start in a minute. None is no limit.
    """

    rooms: int
    room_users: int
    user_streams: int
    reported_users: int | None = None
    sender_rooms: int | None = None


class Starts:
    """The rooms that each sender may start now: a bucket of a minute's worth. Only a room that starts costs a token."""

    def __init__(self, rooms_a_minute: int | None) -> None:
        self._most = rooms_a_minute
        self._buckets = Buckets(rooms_a_minute / 60, rooms_a_minute) if rooms_a_minute else None

    def refusal(self, sender: str, now: float, count: int) -> Problem | None:
        """Why a sender may not start `count` rooms now, or None."""
        if not (self._buckets and sender) or not (wait := self._buckets.wait(sender, now, count)):
            return None
        message = f"$.room_id: more than {self._most} new rooms a minute from one sender"
        return TooManyRequests(message, retry_after=ceil(wait), reason="sender_rooms")

    def note(self, sender: str, now: float) -> None:
        """Note that a room of this sender has started."""
        if self._buckets and sender:
            self._buckets.take(sender, now)


class Scope(NamedTuple):
    """Everything that has a limit: all rooms, the users of a room, its reporting users, and so on."""

    kind: Literal["rooms", "reporters", "users", "brought_in", "senders", "streams"]
    room: str = ""
    reporter: str = ""
    user: str = ""
    sender: str = ""


_ROOMS = Scope("rooms")


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
        """Why the report does not fit, or None, and it counts as applied."""
        newcomers, senders = self._newcomers(received), dict[str, Counter[str]]()
        for scope, new in newcomers.items():
            admitted = self._admitted.get(scope, set())
            limit, refusal = self._limit(scope)
            if self._live(scope, senders) + len(admitted | new) > limit:
                return refusal
        if _ROOMS in newcomers and not newcomers[_ROOMS] <= self._admitted[_ROOMS]:
            starting = self._starting[received.sender] + 1
            if problem := self._starts.refusal(received.sender, received.at, starting):
                return problem
            self._starting[received.sender] = starting
        for scope, new in newcomers.items():
            self._admitted[scope] |= new
            if scope.kind == "reporters":
                # Other reporters about it add no user.
                self._admitted[Scope("users", scope.room)] |= new
        return None

    def _newcomers(self, received: Received) -> dict[Scope, set[object]]:
        report = received.report
        room_id, reporter = report.room_id, report.user_id
        room = self._rooms.get(room_id)
        users: Mapping[str, UserState] = room.users if room else {}
        newcomers: defaultdict[Scope, set[object]] = defaultdict(set)
        if room is None:
            newcomers[_ROOMS].add(room_id)
        client = None if report.by_server else reporter
        is_new = client is not None and client not in users
        if client is not None and (is_new or users[client].brought_by):
            newcomers[Scope("reporters", room_id)].add(client)
        for entry in report.metrics:
            if entry.user_id != client and entry.user_id not in users:
                newcomers[Scope("users", room_id)].add(entry.user_id)
                if received.by_token:
                    newcomers[Scope("brought_in", room_id, reporter)].add(entry.user_id)
            for stream_id, direction, sender in self._new_streams(room, report, entry):
                newcomers[Scope("streams", room_id, reporter, entry.user_id, sender)].add((stream_id, direction))
                newcomers[Scope("senders", room_id, reporter, entry.user_id)] |= {sender} - {""}
        if is_new and (others := Scope("users", room_id)) in newcomers:
            newcomers[others].add(client)
        return newcomers

    def _live(self, scope: Scope, senders: dict[str, Counter[str]]) -> int:
        """Current counts; `senders` keeps, by user, how many streams of each sender the reporter gives."""
        if scope.kind == "rooms":
            return len(self._rooms)
        room = self._rooms.get(scope.room)
        if room is None:
            return 0
        if scope.kind == "users":
            return len(room.users)
        if scope.kind == "reporters":
            return len(room.users) - room.brought_in.total
        if scope.kind == "brought_in":
            return room.brought_in.by(scope.reporter)
        if scope.user not in senders:
            streams = self._streams(room, scope.reporter, scope.user)
            senders[scope.user] = Counter(sender for _, _, sender in streams)
        given = senders[scope.user]
        return len(given.keys() - {""}) if scope.kind == "senders" else given[scope.sender]

    def _limit(self, scope: Scope) -> tuple[float, Problem]:
        limits, retry_after = self._limits, self._retry_after
        if scope.kind == "rooms":
            message = f"$.room_id: all {limits.rooms} rooms are taken"
            return limits.rooms, Unavailable(message, retry_after=retry_after, reason="rooms_full")
        if scope.kind in ("users", "reporters"):
            message = f"$.metrics: a room has no place for more than {limits.room_users} users"
            return limits.room_users, TooManyRequests(message, retry_after=retry_after, reason="room_full")
        if scope.kind == "brought_in":
            most = inf if limits.reported_users is None else limits.reported_users
            message = f"$.metrics: a room token brings in no more than {most} users that do not report themselves"
            return most, TooManyRequests(message, retry_after=retry_after, reason="reported_users_full")
        if scope.kind == "senders":
            message = f"$.metrics: one user can receive streams of no more than {limits.room_users} users"
            return limits.room_users, TooManyRequests(message, retry_after=retry_after, reason="room_full")
        message = f"$.metrics: one reporter can give no more than {limits.user_streams} streams about one user"
        return limits.user_streams, TooManyRequests(message, retry_after=retry_after, reason="streams_full")

    @staticmethod
    def _streams(room: RoomState | None, reporter: str, user_id: str) -> Mapping[StreamKey, StreamState]:
        user = room.users.get(user_id) if room else None
        reporting = user.reporters.get(reporter) if user else None
        return reporting.streams if reporting else {}

    def _new_streams(self, room: RoomState | None, report: Report, entry: Entry) -> list[StreamKey]:
        known = self._streams(room, report.user_id, entry.user_id)
        return [key for stream in entry.streams if (key := key_of(report, stream)) not in known]
