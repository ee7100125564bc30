"""The sections of a room's page and of a user's page, by the id of the element that holds them."""

import re
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from msgspec import Struct

from roompulse.quality import worst
from roompulse.rooms.contract import LiveRoom
from roompulse.rooms.grid import MOST, grid_of
from roompulse.rooms.links import Find, Reception, Weakest, heard_by_others, receptions, sent, weakest
from roompulse.rooms.model import RoomMetrics, Snapshot, UserMetrics
from roompulse.rooms.verdict import verdict_in_words
from roompulse.web.query import UserQuery
from roompulse.web.templates import Templates

PER_PAGE = 100
"""Rows of a list; what is beyond is on further pages, and is not pushed."""

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


def room_sections(templates: Templates, room_id: str, room: RoomMetrics | None, query: UserQuery) -> Mapping[str, str]:
    if room is None:
        return _only_summary(templates.render("partials/summary.html", room_id=room_id, aggregate=None, query=query))
    find = {user.user_id: user for user in room.users}.get
    users = [user for user in room.users if query.matches(user.user_id)]
    listed = paged(sorted(users, key=_worst_first), query.page)
    context: dict[str, Any] = {"room_id": room_id, "room": room, "list": listed, "query": query}
    sections = {
        "summary": templates.render(
            "partials/summary.html",
            aggregate=room.aggregate,
            words=verdict_in_words(room, find),
            stale=all(user.stale for user in room.users),
            heard_at=max(user.received_at for user in room.users),
            **context,
        ),
        "users": templates.render("partials/users.html", weakest=_weakest_of(listed.rows, find), **context),
        "grid": templates.render("partials/grid.html", grid=grid_of(listed.rows, find), MOST=MOST, **context),
    }
    return {target: _compact(html) for target, html in sections.items()}


def snapshot_sections(templates: Templates, room_id: str, snapshot: Snapshot, query: UserQuery) -> Mapping[str, str]:
    """The sections of a room's page where only the room's figures are kept, and not its users."""
    summary = templates.render(
        "partials/summary.html",
        room_id=room_id,
        aggregate=snapshot,
        words=[snapshot.quality.verdict],
        stale=False,
        heard_at=snapshot.timestamp,
        query=query,
    )
    return _only_summary(summary) | {"users": templates.render("partials/users_gone.html")}


def _only_summary(html: str) -> dict[str, str]:
    return {"summary": _compact(html), "users": "", "grid": ""}


def _weakest_of(users: Sequence[UserMetrics], find: Find) -> dict[str, Weakest]:
    return {user.user_id: weakest(user, find) for user in users}


def user_sections(
    templates: Templates, room_id: str, user_id: str, room: LiveRoom | None, at: float | None = None
) -> Mapping[str, str]:
    """The section of a user's page; `at` is the time (Unix seconds) that `room` is of, None for the present."""

    def find(sought: str) -> UserMetrics | None:
        found = room.user(sought) if room else None
        return found.metrics() if found else None

    user = find(user_id)
    links: dict[str, Any] = {}
    if user:
        heard = sorted(heard_by_others(user), key=_worst_reception_first)
        links = {
            "sends": paged([Reception(user_id, stream) for stream in sent(user)], page=1),
            "receives": paged(sorted(receptions(user, find), key=_worst_reception_first), page=1),
            "others": paged(heard, page=1),
            "worst_by_others": worst(one.stream.quality.score for one in heard),
        }
    html = templates.render(
        "partials/user.html", room_id=room_id, user_id=user_id, user=user, room_is_live=room is not None, at=at, **links
    )
    return {"user": _compact(html)}


def _compact(html: str) -> str:
    """Without indentation: a ninth of a big table, which is pushed several times a second."""
    return _INDENTATION.sub("\n", html)


def _worst_first(user: UserMetrics) -> tuple[bool, float, str]:
    return user.quality.score is None, user.quality.score or 0, user.user_id


def _worst_reception_first(one: Reception) -> tuple[bool, float]:
    score = one.stream.quality.score
    return score is None, score or 0
