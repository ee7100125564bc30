"""The query of a page's URL and of its stream: search, level, order, page and time."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct
from msgspec.structs import asdict, replace

from roompulse.events.model import KINDS, Kind
from roompulse.overview.query import ALL_LEVELS, LONGEST_SEARCH, Order, Wanted
from roompulse.overview.users import WantedUsers
from roompulse.quality import Level
from roompulse.rooms.contract import LiveRoom
from roompulse.rooms.names import is_named
from roompulse.rooms.ranking import Place
from roompulse.web.http.times import parse_time
from roompulse.web.http.urls import number_in_url

SORTS: Mapping[Order, str] = {
    "score": "Lowest score",
    "worst": "Worst user",
    "affected": "Most affected users",
    "users": "Most users",
    "loss": "Highest loss",
    "rtt": "Highest RTT",
    "newest": "Latest report",
    "id": "Room name",
}


class PageQuery(Struct, frozen=True):
    """Its fields have the names of the URL's parameters."""

    def url(self, path: str, **changes: Any) -> str:
        """`path` with this query, altered by `changes`; defaults are left out."""
        query, default = replace(self, **changes), type(self)()
        parameters = {name: _text(value) for name, value in asdict(query).items() if value != getattr(default, name)}
        return f"{path}?{urlencode(parameters)}" if parameters else path


def _text(value: object) -> object:
    return number_in_url(value) if isinstance(value, float) else value


class RoomsQuery(PageQuery, frozen=True):
    """Which live rooms to list: those whose id or name contains `q`, with users of this `level` unless None."""

    q: str = ""
    sort: Order = "score"
    level: Level | None = None
    page: int = 1

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.q, self.sort, self.level)


def rooms_query(parameters: Mapping[str, str]) -> RoomsQuery:
    """The query of a URL; an invalid value counts as not given."""
    sort = parameters.get("sort", "")
    return RoomsQuery(
        q=search_of(parameters),
        sort=next((known for known in SORTS if known == sort), "score"),
        level=_level(parameters),
        page=page_number(parameters),
    )


def _level(parameters: Mapping[str, str]) -> Level | None:
    return next((known for known in ALL_LEVELS if known == parameters.get("level")), None)


class UsersQuery(PageQuery, frozen=True):
    """Which users of all rooms to list: those whose id or name contains `q`, and who are of this `level`."""

    q: str = ""
    level: Level | None = None
    page: int = 1

    @property
    def wanted(self) -> WantedUsers:
        return WantedUsers(self.q, self.level)


def users_query(parameters: Mapping[str, str]) -> UsersQuery:
    """The query of a URL; an invalid value counts as not given."""
    return UsersQuery(search_of(parameters), _level(parameters), page_number(parameters))


class IntakeQuery(PageQuery, frozen=True):
    """Which page of the SDK versions."""

    page: int = 1


def is_wall(parameters: Mapping[str, str]) -> bool:
    """Whether a page is a wall display. That changes only its style, not its sections."""
    return parameters.get("wall") == "1"


class UserQuery(PageQuery, frozen=True):
    """Which users of a room to list: those whose id or name contains `q`, ignoring case.

    `at` is the time (Unix seconds) that a page is to show; None is the present. `user` and `kind` are of the events in
    its timeline.
    """

    q: str = ""
    page: int = 1
    at: float | None = None
    user: str = ""
    kind: Kind | None = None

    def select(self, room: LiveRoom) -> Sequence[Place]:
        """The places of the users that match, in their order."""
        places, users, wanted = room.worst_first(), room.users, self.q.casefold()
        if not wanted:
            return places
        return [place for place in places if is_named(wanted, place.user_id, users[place.user_id].given.user_name)]


def user_query(parameters: Mapping[str, str]) -> UserQuery:
    return UserQuery(
        search_of(parameters),
        page_number(parameters),
        _time(parameters.get("at", "")),
        parameters.get("user", "").strip()[:LONGEST_SEARCH],
        next((known for known in KINDS if known == parameters.get("kind")), None),
    )


def present_query(parameters: Mapping[str, str]) -> UserQuery:
    """The query of a stream, which shows the present: a page of the past has none."""
    return replace(user_query(parameters), at=None)


def seconds_ago(parameters: Mapping[str, str]) -> float | None:
    """Seconds before now in a URL, or None."""
    text = parameters.get("ago", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _time(text: str) -> float | None:
    """The time to show; the form of a page without JavaScript gives it in UTC, without a zone. Raises BadRequest."""
    return parse_time("at", text, UTC) if text else None


def search_of(parameters: Mapping[str, str]) -> str:
    """The search text in a URL; empty without one."""
    return parameters.get("q", "").strip()[:LONGEST_SEARCH]


def page_number(parameters: Mapping[str, str]) -> int:
    """The page number in a URL; an invalid one counts as the first page."""
    text = parameters.get("page", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 and int(text) else 1
