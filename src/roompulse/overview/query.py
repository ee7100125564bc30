"""The query of a list of live rooms or users: search, level and order."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

from msgspec import Struct

from roompulse.quality import Level
from roompulse.rooms.model import Figures, RoomSummary
from roompulse.rooms.user import DEAD_BAND

Order = Literal["score", "worst", "affected", "users", "loss", "rtt", "newest", "id"]
"""The first one is the default."""

ALL_ORDERS: tuple[Order, ...] = get_args(Order)
ALL_LEVELS: tuple[Level, ...] = get_args(Level)

LEVEL_APART = 10.0
"""The distance of the keys of two levels; scores are at most 4.5."""

_WORST_FIRST: Sequence[Level] = ("poor", "fair", "good", "unknown")

LONGEST_SEARCH = 256
"""Characters; an id is shorter, even where its upper case is longer."""

Key = tuple[bool, float, str]
"""Unknown values come last, and equal ones are ordered by id."""


class Wanted(Struct, frozen=True):
    """Rooms whose id or name contains `q`, ignoring case, with users of this `level` unless None."""

    q: str = ""
    order: Order = "score"
    level: Level | None = None

    @property
    def is_filter(self) -> bool:
        return bool(self.q or self.level)


def _key(room: RoomSummary, value: float | None) -> Key:
    return value is None, value or 0, room.room_id


def _highest(room: RoomSummary, figures: Figures | None) -> Key:
    return _key(room, -figures.p95 if figures else None)


def _by_level(room: RoomSummary) -> Key:
    """By level, and within it by score: so that rooms with alerts can come first within their level."""
    quality = room.aggregate.quality
    score = quality.score
    return _key(room, None if score is None else score + LEVEL_APART * _WORST_FIRST.index(quality.level))


ORDERS: Mapping[Order, Callable[[RoomSummary], Key]] = {
    "score": _by_level,
    "worst": lambda room: _key(room, room.aggregate.quality.worst),
    "affected": lambda room: _key(room, -room.aggregate.quality.fair - room.aggregate.quality.poor),
    "users": lambda room: _key(room, -room.aggregate.user_count),
    "loss": lambda room: _highest(room, room.aggregate.packet_loss),
    "rtt": lambda room: _highest(room, room.aggregate.rtt),
    "newest": lambda room: _key(room, -room.received_at),
    "id": lambda room: _key(room, 0),
}

DEAD_BANDS: Mapping[Order, float] = {"score": DEAD_BAND, "worst": DEAD_BAND, "loss": 0.5, "rtt": 10, "newest": 5}
"""Differences (%, ms, s) up to which a room keeps its place in the list; by the other figures it always moves."""
