"""The sections of a room's page and of a user's page, by the id of the element that holds them."""

import re
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from markupsafe import Markup
from msgspec import Struct

from roompulse.quality import VERDICTS, worst
from roompulse.rooms.contract import LiveRoom, LiveUser
from roompulse.rooms.grid import MOST, Cell, GridRow, grid_of
from roompulse.rooms.links import Reception, heard_by_others, receptions, sent
from roompulse.rooms.model import Snapshot, UserMetrics
from roompulse.rooms.ranking import Place
from roompulse.web.html.fragment_cache import FragmentCache
from roompulse.web.html.templates import Templates
from roompulse.web.pages.query import UserQuery

PER_PAGE = 100
"""Rows of a list; what is beyond is on further pages, and is not pushed."""

_MOST_PIECES = 5_000
"""Of a kilobyte each: as many users as are in view on 50 pages."""

_INDENTATION = re.compile(r"\n[ \n]+")


class Rows(Struct, frozen=True):
    """One page of a list."""

    rows: Sequence[Any]
    page: int
    pages: int
    total: int


def paged(rows: Sequence[Any], page: int, per_page: int = PER_PAGE) -> Rows:
    """One page of a list; the last one where it has fewer."""
    pages = max(1, ceil(len(rows) / per_page))
    page = min(page, pages)
    return Rows(rows[(page - 1) * per_page : page * per_page], page, pages, len(rows))


class RoomSections:
    """Renders the sections of rooms' pages; rows of users, and pairs of them, once per change."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._pieces = FragmentCache(_MOST_PIECES)

    def of(self, room_id: str, room: LiveRoom | None, query: UserQuery) -> Mapping[str, str]:
        """HTML by the id of the element that holds it, of the room as it is now, or as it was at `query.at`."""
        if room is None:
            html = self._templates.render("partials/summary.html", room_id=room_id, aggregate=None, query=query)
            return _only_summary(html)
        places: Sequence[Place] = room.worst_first()
        if query.q:
            places = [place for place in places if query.matches(place.user_id)]
        listed = paged(places, query.page)
        users = [user for place in listed.rows if (user := room.user(place.user_id))]
        context: dict[str, Any] = {"room_id": room_id, "list": listed, "query": query}
        sections = {
            "summary": self._summary(room, context),
            "users": self._users(room, users, context),
            "grid": self._grid(room, users, context),
        }
        return {target: _compact(html) for target, html in sections.items()}

    def _summary(self, room: LiveRoom, context: Mapping[str, Any]) -> str:
        told = room.summary()
        return self._templates.render(
            "partials/summary.html",
            aggregate=told.aggregate,
            words=room.verdict(),
            stale=told.stale,
            heard_at=told.received_at,
            **context,
        )

    def _users(self, room: LiveRoom, users: Sequence[LiveUser], context: Mapping[str, Any]) -> str:
        rows = [self._row(user, context) for user in users]
        count = room.summary().aggregate.user_count
        return self._templates.render("partials/users.html", rows=rows, users=count, **context)

    def _row(self, user: LiveUser, context: Mapping[str, Any]) -> Markup:
        def render() -> str:
            html = self._templates.render(
                "partials/user_row.html", user=user.metrics(), links=user.weakest(), **context
            )
            return _compact(html)

        return self._pieces.fragment((context["room_id"], user.user_id), user.version, render)

    def _grid(self, room: LiveRoom, users: Sequence[LiveUser], context: Mapping[str, Any]) -> str:
        grid = grid_of([user.metrics() for user in users[:MOST]], room.user)
        cells = [self._cells(row, grid.receivers) for row in grid.rows]
        return self._templates.render("partials/grid.html", grid=grid, cells=cells, MOST=MOST, **context)

    def _cells(self, row: GridRow, receivers: Sequence[UserMetrics]) -> Markup:
        pairs = zip(receivers, row.cells, strict=True)
        cells = [self._cell(cell, own=row.sender is receiver) for receiver, cell in pairs]
        return Markup("\n".join(cells))  # noqa: S704  (our own partials)

    def _cell(self, cell: Cell | None, *, own: bool) -> Markup:
        return self._pieces.fragment(
            (cell, own), None, lambda: self._templates.render("partials/grid_cell.html", cell=cell, own=own)
        )


def snapshot_sections(templates: Templates, room_id: str, snapshot: Snapshot, query: UserQuery) -> Mapping[str, str]:
    """The sections of a room's page where only the room's figures are kept, and not its users."""
    summary = templates.render(
        "partials/summary.html",
        room_id=room_id,
        aggregate=snapshot,
        words=[VERDICTS[snapshot.quality.verdict]],
        stale=False,
        heard_at=snapshot.timestamp,
        query=query,
    )
    return _only_summary(summary) | {"users": templates.render("partials/users_gone.html")}


def _only_summary(html: str) -> dict[str, str]:
    return {"summary": _compact(html), "users": "", "grid": ""}


def user_sections(
    templates: Templates, room_id: str, user_id: str, room: LiveRoom | None, at: float | None = None
) -> Mapping[str, str]:
    """The section of a user's page; `at` is the time (Unix seconds) that `room` is of, None for the present."""

    def find(sought: str) -> UserMetrics | None:
        found = room.user(sought) if room else None
        return found.metrics() if found else None

    user, live = find(user_id), room.user(user_id) if room else None
    links: dict[str, Any] = {}
    if user:
        heard = sorted(heard_by_others(user), key=_worst_reception_first)
        links = {
            "sends": paged([Reception(user_id, stream) for stream in sent(user)], page=1),
            "receives": paged(sorted(receptions(user, find), key=_worst_reception_first), page=1),
            "others": paged(heard, page=1),
            "two_sdks": live.two_sdks if live else None,
            "worst_by_others": worst(one.stream.quality.score for one in heard),
        }
    html = templates.render(
        "partials/user.html", room_id=room_id, user_id=user_id, user=user, room_is_live=room is not None, at=at, **links
    )
    return {"user": _compact(html)}


def _compact(html: str) -> str:
    """Without indentation: a ninth of a big table, which is pushed several times a second."""
    return _INDENTATION.sub("\n", html)


def _worst_reception_first(one: Reception) -> tuple[bool, float]:
    score = one.stream.quality.score
    return score is None, score or 0
