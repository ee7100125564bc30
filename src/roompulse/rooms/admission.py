"""How many rooms, users and streams may be live. Reports over a limit are rejected, never silently dropped."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from math import ceil, inf
from typing import Literal, NamedTuple

from msgspec import Struct

from roompulse.errors import Problem, TooManyRequests, Unavailable
from roompulse.report.model import Received
from roompulse.rooms.room import RoomState
from roompulse.rooms.stream import StreamKey, StreamState, key_of
from roompulse.rooms.user import UserState
from roompulse.token_buckets import Quota

MANY = 100
"""Entries of a report that are worth a look at whether it is refused anyway."""


class Limits(Struct, frozen=True):
    """`room_users` bounds the users of a room who report; from so many users on, no others are added.

    `user_streams` bounds the streams that one reporter gives about one user, for a media server those of each sender
    that the user receives; `reported_users`, the users that do not report themselves and that one room token brings in;
    `sender_rooms` and `sender_users`, the rooms that one sender may start, and the users that it may bring in, in a
    minute. None is no limit.
    """

    rooms: int
    room_users: int
    user_streams: int
    reported_users: int | None = None
    sender_rooms: int | None = None
    sender_users: int | None = None


class Quotas:
    """What one sender may bring in."""

    def __init__(self, limits: Limits) -> None:
        rooms, users = limits.sender_rooms, limits.sender_users
        self.rooms = Quota(rooms, f"$.room_id: more than {rooms} new rooms", "sender_rooms")
        self.users = Quota(users, f"$.metrics: more than {users} new users", "sender_users")


class Scope(NamedTuple):
    """Everything that has a limit: all rooms, the users of a room, its reporting users, and so on."""

    kind: Literal["rooms", "reporters", "users", "brought_in", "senders", "streams"]
    room: str = ""
    reporter: str = ""
    user: str = ""
    sender: str = ""


_ROOMS = Scope("rooms")
_NOBODY: set[object] = set()
_NO_STREAMS: Mapping[StreamKey, StreamState] = {}


class Admission:
    """Checks reports one after the other, as if each one that fits were applied before the next is checked."""

    def __init__(self, limits: Limits, quotas: Quotas, rooms: Mapping[str, RoomState], leave_after: float) -> None:
        self._limits = limits
        self._quotas = quotas
        self._rooms = rooms
        # A user that leaves makes room, so that is how soon it is worth trying again.
        self._retry_after = ceil(leave_after)
        self._admitted: defaultdict[Scope, set[object]] = defaultdict(set)
        # By sender, the rooms and users that come with reports that were admitted.
        self._starting: Counter[str] = Counter()
        self._coming: Counter[str] = Counter()

    def check(self, received: Received) -> Problem | None:
        """Why the report does not fit, or None, and it counts as applied."""
        if len(received.report.metrics) >= MANY and (problem := self._early_refusal(received)):
            return problem
        newcomers = self._newcomers(received)
        if not newcomers:
            return None
        senders: dict[str, Counter[str]] = {}
        for scope, new in newcomers.items():
            admitted = self._admitted.get(scope, set())
            if self._live(scope, senders) + len(admitted | new) > self._most(scope):
                return self._refusal(scope)
        if problem := self._over_quota(received, newcomers):
            return problem
        for scope, new in newcomers.items():
            self._admitted[scope] |= new
            if scope.kind == "reporters":
                # Other reporters about it add no user.
                self._admitted[Scope("users", scope.room)] |= new
        return None

    def _early_refusal(self, received: Received) -> Problem | None:
        """Refuse new users of a sender that may bring in none, before all of them are counted."""
        problem = self._quotas.users.refusal(received.sender, received.at, self._coming[received.sender] + 1)
        if problem is None:
            return None
        room_id = received.report.room_id
        room, admitted = self._rooms.get(room_id), self._admitted.get(Scope("users", room_id), _NOBODY)
        users = room.users if room else {}
        brings = any(entry.user_id not in users and entry.user_id not in admitted for entry in received.report.metrics)
        return problem if brings else None

    def _over_quota(self, received: Received, newcomers: Mapping[Scope, set[object]]) -> Problem | None:
        """Say why its sender may not bring them in, or count them as brought in and return None."""
        sender, at, room_id = received.sender, received.at, received.report.room_id
        room, users = self._rooms.get(room_id), Scope("users", room_id)
        rooms = len(newcomers.get(_ROOMS, _NOBODY) - self._admitted.get(_ROOMS, _NOBODY))
        come = newcomers.get(users, _NOBODY) | newcomers.get(Scope("reporters", room_id), _NOBODY)
        count = len(come - self._admitted.get(users, _NOBODY) - (room.users.keys() if room else _NOBODY))
        # The last users may be more than there are tokens: a report is taken whole, and its sender waits afterwards.
        problem = rooms and self._quotas.rooms.refusal(sender, at, self._starting[sender] + rooms)
        problem = problem or (count and self._quotas.users.refusal(sender, at, self._coming[sender] + 1))
        if problem:
            return problem
        self._starting[sender] += rooms
        self._coming[sender] += count
        return None

    def _newcomers(self, received: Received) -> dict[Scope, set[object]]:
        report = received.report
        room_id, reporter, by_server = report.room_id, report.user_id, report.by_server
        room = self._rooms.get(room_id)
        users: Mapping[str, UserState] = room.users if room else {}
        newcomers: defaultdict[Scope, set[object]] = defaultdict(set)
        if room is None:
            newcomers[_ROOMS].add(room_id)
        client = None if by_server else reporter
        is_new = client is not None and client not in users
        if client is not None and (is_new or users[client].brought_by):
            newcomers[Scope("reporters", room_id)].add(client)
        for entry in report.metrics:
            user_id = entry.user_id
            user = users.get(user_id)
            if user is None and user_id != client:
                newcomers[Scope("users", room_id)].add(user_id)
                if received.by_token:
                    newcomers[Scope("brought_in", room_id, reporter)].add(user_id)
            known = _streams_of(user, reporter)
            new = [key for stream in entry.streams if (key := key_of(stream, by_server=by_server)) not in known]
            for key in new:
                _note_new_stream(newcomers, Scope("streams", room_id, reporter, user_id, key[2]), key)
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
            streams = _streams_of(room.users.get(scope.user), scope.reporter)
            senders[scope.user] = Counter(sender for _, _, sender in streams)
        given = senders[scope.user]
        return len(given.keys() - {""}) if scope.kind == "senders" else given[scope.sender]

    def _most(self, scope: Scope) -> float:
        limits = self._limits
        if scope.kind == "streams":
            return limits.user_streams
        if scope.kind == "rooms":
            return limits.rooms
        if scope.kind == "brought_in":
            return inf if limits.reported_users is None else limits.reported_users
        return limits.room_users

    def _refusal(self, scope: Scope) -> Problem:
        most, retry_after = self._most(scope), self._retry_after
        if scope.kind == "rooms":
            return Unavailable(f"$.room_id: all {most} rooms are taken", retry_after=retry_after, reason="rooms_full")
        if scope.kind in ("users", "reporters"):
            message = f"$.metrics: a room has no place for more than {most} users"
            return TooManyRequests(message, retry_after=retry_after, reason="room_full")
        if scope.kind == "brought_in":
            message = f"$.metrics: a room token brings in no more than {most} users that do not report themselves"
            return TooManyRequests(message, retry_after=retry_after, reason="reported_users_full")
        if scope.kind == "senders":
            message = f"$.metrics: one user can receive streams of no more than {most} users"
            return TooManyRequests(message, retry_after=retry_after, reason="room_full")
        message = f"$.metrics: one reporter can give no more than {most} streams about one user"
        return TooManyRequests(message, retry_after=retry_after, reason="streams_full")


def _streams_of(user: UserState | None, reporter: str) -> Mapping[StreamKey, StreamState]:
    """The streams that a reporter gives about a user."""
    reporting = user.reporters.get(reporter) if user else None
    return reporting.streams if reporting else _NO_STREAMS


def _note_new_stream(newcomers: defaultdict[Scope, set[object]], scope: Scope, key: StreamKey) -> None:
    stream_id, direction, sender = key
    newcomers[scope].add((stream_id, direction))
    if sender:
        newcomers[Scope("senders", *scope[1:4])].add(sender)
