"""The remembered state of live rooms and their users, with which they are compared."""

from collections import Counter
from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar, cast

from roompulse.events.model import Kind, TimelineEvent
from roompulse.quality import Level, Verdict, verdict_of

V = TypeVar("V", bound=str)


class Held(Generic[V]):
    """A value that counts once it has lasted: `settled` counts, `candidate` may count later, `since` is its start.

    None is no value: it settles nothing, and the value after it has to last again.
    """

    __slots__ = ("candidate", "settled", "since")

    def __init__(self) -> None:
        self.settled: V | None = None
        self.candidate: V | None = None
        self.since = 0.0

    def see(self, value: V | None, at: float) -> bool:
        """Note the present value; returns whether there is a new candidate."""
        if value == self.candidate:
            return False
        if value is None or value == self.settled:
            self.candidate = None
            return False
        self.candidate, self.since = value, at
        return True

    def told(self, value: V) -> None:
        """Settle a value that has lasted according to another process."""
        self.settled = value
        if self.candidate == value:
            self.candidate = None

    def settle(self) -> V | None:
        """Settle the candidate, and return the previous value."""
        before, self.settled, self.candidate = self.settled, self.candidate, None
        return before


class Sent(NamedTuple):
    """The compared values of a stream that a user sends; None where no report has one."""

    resolution: tuple[int, int] | None
    video_codec: str | None
    audio_codec: str | None
    limited_by: str | None


class UserTrack:
    __slots__ = ("level", "network_type", "now", "relayed", "sent", "stale", "twice")

    def __init__(self) -> None:
        self.stale = False
        self.now: Level = "unknown"
        self.level: Held[Level] = Held()
        self.sent: dict[str, Sent] = {}
        self.network_type: str | None = None
        self.relayed: bool | None = None
        self.twice = False


class RoomTrack:
    """`levels` counts the users by their present level."""

    __slots__ = ("levels", "users", "verdict")

    def __init__(self) -> None:
        self.users: dict[str, UserTrack] = {}
        self.levels: Counter[Level] = Counter()
        self.verdict: Held[Verdict] = Held()

    def add(self, user_id: str) -> UserTrack:
        self.levels["unknown"] += 1
        user = self.users[user_id] = UserTrack()
        return user

    def remove(self, user_id: str) -> None:
        self.levels[self.users.pop(user_id).now] -= 1

    def rate(self, user: UserTrack, level: Level) -> None:
        self.levels[user.now] -= 1
        self.levels[level] += 1
        user.now = level

    def present_verdict(self) -> Verdict | None:
        """None where no user is rated."""
        impaired = self.levels["fair"] + self.levels["poor"]
        verdict = verdict_of(self.levels["good"] + impaired, impaired)
        return None if verdict == "unknown" else verdict


STATE_KINDS: frozenset[Kind] = frozenset(
    {
        "room_started",
        "user_joined",
        "user_left",
        "user_stale",
        "user_returned",
        "level_changed",
        "verdict_changed",
        "same_id_twice",
    }
)
"""Kinds of events from which `track_of` restores a room."""


def track_of(events: Iterable[TimelineEvent]) -> RoomTrack:
    """The remembered state of a room after the last of its events."""
    room = RoomTrack()
    for event in events:
        if event.kind == "verdict_changed":
            room.verdict.settled = cast("Verdict", event.detail)
        elif event.kind == "user_joined" and event.user_id:
            room.add(event.user_id)
        elif event.user_id in room.users:
            _note(room, event.user_id, event)
    return room


def _note(room: RoomTrack, user_id: str, event: TimelineEvent) -> None:
    user = room.users[user_id]
    match event.kind:
        case "user_left":
            room.remove(user_id)
        case "user_stale":
            user.stale = True
        case "user_returned":
            user.stale = False
        case "level_changed":
            user.level.settled = event.level
        case "same_id_twice":
            user.twice = True
