"""The event of a timeline, in the shape that JSON consumers, pages and the database share."""

from typing import Literal, get_args

from msgspec import Struct

from roompulse.quality import Level

Kind = Literal[
    "room_started",
    "room_ended",
    "user_joined",
    "user_left",
    "user_stale",
    "user_returned",
    "level_changed",
    "verdict_changed",
    "resolution_changed",
    "codec_changed",
    "limited",
    "connection_changed",
    "same_id_twice",
    "alert_firing",
    "alert_resolved",
    "note",
    "sdk",
]

KINDS: tuple[Kind, ...] = get_args(Kind)

REPORTED: frozenset[Kind] = frozenset(
    {"resolution_changed", "codec_changed", "limited", "connection_changed", "same_id_twice", "sdk"}
)
"""Kinds of which a sender can cause any number, so that they are bounded."""

DEFAULT_LIMIT = 720


class TimelineEvent(Struct, frozen=True, gc=False):
    """What happened in a room; equal events are the same event."""

    time: float
    """When it began, Unix seconds."""
    kind: Kind
    """What happened."""
    user_id: str | None = None
    """None for an event of the room."""
    stream_id: str | None = None
    """The stream concerned."""
    level: Level | None = None
    """The level after a change."""
    text: str = ""
    """In words."""
    detail: str | None = None
    """What a report said about it, the verdict after a change, or who wrote a note."""


class Shown(Struct, frozen=True, tag=True):
    """A saved event of a room to show to viewers: instead of another one, or as removed (`event` is None)."""

    room_id: str
    event: TimelineEvent | None
    instead_of: TimelineEvent | None = None


class EventQuery(Struct, frozen=True):
    """Which events of a room: from `start` to `end` (Unix seconds, both included), the newest `limit` of them."""

    room_id: str
    start: float | None = None
    end: float | None = None
    user_id: str | None = None
    kind: Kind | None = None
    limit: int = DEFAULT_LIMIT

    def matches(self, room_id: str, event: TimelineEvent) -> bool:
        return (
            self.room_id == room_id
            and (self.start is None or self.start <= event.time)
            and (self.end is None or event.time <= self.end)
            and self.user_id in (None, event.user_id)
            and self.kind in (None, event.kind)
        )
