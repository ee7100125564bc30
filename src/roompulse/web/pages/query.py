"""The query of a page's URL, which its stream has too: search, level, order, page and time."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import Any, Literal, get_args
from urllib.parse import urlencode

from msgspec import Struct
from msgspec.structs import asdict, replace

from roompulse.events.model import KINDS, Kind
from roompulse.quality import Level
from roompulse.rooms.model import Figures, RoomSummary
from roompulse.rooms.ranking import Place
from roompulse.rooms.user import DEAD_BAND
from roompulse.web.http.times import parse_time
from roompulse.web.http.urls import number_in_url

Sort = Literal["score", "worst", "affected", "users", "loss", "rtt", "newest", "id"]

SORTS: Mapping[Sort, str] = {
    "score": "Lowest score",
    "worst": "Worst user",
    "affected": "Most affected users",
    "users": "Most users",
    "loss": "Highest loss",
    "rtt": "Highest RTT",
    "newest": "Latest report",
    "id": "Room name",
}
"""The first one is the default."""

Key = tuple[bool, float, str]
"""Unknown values come last, and equal ones are ordered by id."""

LEVEL_APART = 10.0
"""What the keys of two levels are apart; scores are at most 4.5."""

_LEVELS: Sequence[Level] = ("poor", "fair", "good", "unknown")

LONGEST_SEARCH = 256
"""Characters; an id is shorter, even where its upper case is longer."""


class PageQuery(Struct, frozen=True):
    """Its fields are the names that a URL has."""

    def url(self, path: str, **changes: Any) -> str:
        """`path` with this query, or with one that differs from it in `changes`; defaults are left out."""
        query, default = replace(self, **changes), type(self)()
        parameters = {name: _text(value) for name, value in asdict(query).items() if value != getattr(default, name)}
        return f"{path}?{urlencode(parameters)}" if parameters else path


def _text(value: object) -> object:
    return number_in_url(value) if isinstance(value, float) else value


class RoomsQuery(PageQuery, frozen=True):
    """Which live rooms to list: those whose id contains `q`, ignoring case, with users of this `level` unless None."""

    q: str = ""
    sort: Sort = "score"
    level: Level | None = None
    page: int = 1

    @property
    def is_filter(self) -> bool:
        return bool(self.q or self.level)


def rooms_query(parameters: Mapping[str, str]) -> RoomsQuery:
    """The query of a URL; an invalid value counts as not given."""
    sort, level = parameters.get("sort", ""), parameters.get("level", "")
    return RoomsQuery(
        q=search_of(parameters),
        sort=next((known for known in SORTS if known == sort), "score"),
        level=next((known for known in get_args(Level) if known == level), None),
        page=page_number(parameters),
    )


class IntakeQuery(PageQuery, frozen=True):
    """Which page of the SDK versions."""

    page: int = 1


def is_wall(parameters: Mapping[str, str]) -> bool:
    """Whether a page is a wall display. That changes its style alone, not its sections."""
    return parameters.get("wall") == "1"


EndedSort = Literal["ended", "score", "duration", "users"]

ENDED_SORTS: Mapping[EndedSort, str] = {
    "ended": "Latest end",
    "score": "Lowest score",
    "duration": "Longest",
    "users": "Most users",
}


class EndedQuery(PageQuery, frozen=True):
    """Which ended rooms to list: those whose id contains `q`, ignoring case."""

    ended: int = 0
    q: str = ""
    sort: EndedSort = "ended"
    page: int = 1


def ended_query(parameters: Mapping[str, str]) -> EndedQuery | None:
    """The query of a URL that asks for ended rooms; None if it does not."""
    if parameters.get("ended") != "1":
        return None
    return EndedQuery(
        ended=1,
        q=search_of(parameters),
        sort=next((known for known in ENDED_SORTS if known == parameters.get("sort")), "ended"),
        page=page_number(parameters),
    )


class UserQuery(PageQuery, frozen=True):
    """Which users of a room to list: those whose id contains `q`, ignoring case.

    `at` is the time (Unix seconds) that a page is to show; None is the present. `user` and `kind` are of the events in
    its timeline.
    """

    q: str = ""
    page: int = 1
    at: float | None = None
    user: str = ""
    kind: Kind | None = None

    def select(self, places: Sequence[Place]) -> Sequence[Place]:
        """The places of the users that match, in their order."""
        if not self.q:
            return places
        wanted = self.q.casefold()
        return [place for place in places if wanted in place.user_id.casefold()]


def user_query(parameters: Mapping[str, str]) -> UserQuery:
    return UserQuery(
        search_of(parameters),
        page_number(parameters),
        _time(parameters.get("at", "")),
        parameters.get("user", "").strip()[:LONGEST_SEARCH],
        next((known for known in KINDS if known == parameters.get("kind")), None),
    )


def present_query(parameters: Mapping[str, str]) -> UserQuery:
    """The query of a stream. A page of the past has none: what is asked for here is the present."""
    return replace(user_query(parameters), at=None)


def seconds_ago(parameters: Mapping[str, str]) -> float | None:
    """How many seconds before now a URL asks for; None if it does not."""
    text = parameters.get("ago", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _time(text: str) -> float | None:
    """The time to show; the form of a page without JavaScript gives it in UTC, without a zone. Raises BadRequest."""
    return parse_time("at", text, UTC) if text else None


def search_of(parameters: Mapping[str, str]) -> str:
    """The text that a URL searches for; empty if it does not."""
    return parameters.get("q", "").strip()[:LONGEST_SEARCH]


def page_number(parameters: Mapping[str, str]) -> int:
    """The page of a list that a URL asks for; an invalid number counts as the first page."""
    text = parameters.get("page", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 and int(text) else 1


def _key(room: RoomSummary, value: float | None) -> Key:
    return value is None, value or 0, room.room_id


def _highest(room: RoomSummary, figures: Figures | None) -> Key:
    return _key(room, -figures.p95 if figures else None)


def _by_level(room: RoomSummary) -> Key:
    """By level, and within it by score: so that rooms with alerts can come first within their level."""
    quality = room.aggregate.quality
    return _key(room, None if quality.score is None else quality.score + LEVEL_APART * _LEVELS.index(quality.level))


ORDERS: Mapping[Sort, Callable[[RoomSummary], Key]] = {
    "score": _by_level,
    "worst": lambda room: _key(room, room.aggregate.quality.worst),
    "affected": lambda room: _key(room, -room.aggregate.quality.fair - room.aggregate.quality.poor),
    "users": lambda room: _key(room, -room.aggregate.user_count),
    "loss": lambda room: _highest(room, room.aggregate.packet_loss),
    "rtt": lambda room: _highest(room, room.aggregate.rtt),
    "newest": lambda room: _key(room, -room.received_at),
    "id": lambda room: _key(room, 0),
}

DEAD_BANDS: Mapping[Sort, float] = {"score": DEAD_BAND, "worst": DEAD_BAND, "loss": 0.5, "rtt": 10, "newest": 5}
"""Differences (%, ms, s) up to which a room keeps its place in the list; by the other figures it always moves."""
