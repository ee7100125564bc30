"""What each page and each stream shows, rendered from the live rooms.

A page is made of sections. Its first paint includes them, and its stream sends each one when it has changed.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from math import ceil
from typing import Any

from msgspec import Struct

from roompulse.hub.contract import Frames
from roompulse.rooms.contract import LiveRooms
from roompulse.rooms.model import UserMetrics
from roompulse.web.events import json_event, partial
from roompulse.web.templates import Templates

PER_PAGE = 100
"""Rows of a list; what is beyond is on further pages, and is not pushed."""


class PageView(Struct, frozen=True):
    """A page, and its stream: HTML by the id of the element that holds it."""

    key: Hashable
    room_id: str | None
    sections: Callable[[], Mapping[str, str]]
    gone: Frames = {}

    def render(self) -> Frames:
        return {target: partial(target, html) for target, html in self.sections().items()}


class JsonView(Struct, frozen=True):
    """The JSON stream of a room; empty until the room is live."""

    key: Hashable
    room_id: str
    frames: Callable[[], Frames]
    gone: Frames

    def render(self) -> Frames:
        return self.frames()


class Rows(Struct, frozen=True):
    """One page of a list."""

    rows: Sequence[Any]
    page: int
    pages: int
    total: int


class Views:
    """`epoch` tells the versions of one run of the server from those of another."""

    def __init__(self, rooms: LiveRooms, templates: Templates, epoch: str) -> None:
        self._rooms = rooms
        self._templates = templates
        self._epoch = epoch

    def room_json(self, room_id: str) -> JsonView:
        def frames() -> Frames:
            if (room := self._rooms.get(room_id)) is None:
                return {}
            return {"room": json_event(room.metrics(), name="room", ident=f"{self._epoch}-{room.version}")}

        gone = {"room": json_event({"room_id": room_id}, name="gone")}
        return JsonView(("json", room_id), room_id, frames, gone)

    def room(self, room_id: str, page: int) -> PageView:
        def sections() -> Mapping[str, str]:
            live = self._rooms.get(room_id)
            room = live.metrics() if live else None
            users = sorted(room.users if room else (), key=_worst_user_first)
            return {
                "summary": self._templates.render("partials/summary.html", room_id=room_id, room=room),
                "users": self._templates.render(
                    "partials/users.html", room_id=room_id, room=room, list=paged(users, page)
                ),
            }

        return PageView(("room", room_id, page), room_id, sections)

    def user(self, room_id: str, user_id: str) -> PageView:
        def sections() -> Mapping[str, str]:
            live = self._rooms.get(room_id)
            user = live.user(user_id) if live else None
            metrics = user.metrics() if user else None
            return {
                "user": self._templates.render(
                    "partials/user.html", room_id=room_id, user_id=user_id, user=metrics, room_is_live=live is not None
                )
            }

        return PageView(("user", room_id, user_id), room_id, sections)


def _worst_user_first(user: UserMetrics) -> tuple[bool, float, str]:
    return user.quality.score is None, user.quality.score or 0, user.user_id


def paged(rows: Sequence[Any], page: int, per_page: int = PER_PAGE) -> Rows:
    """One page of a list; the last one where it has fewer."""
    pages = max(1, ceil(len(rows) / per_page))
    page = min(page, pages)
    return Rows(rows[(page - 1) * per_page : page * per_page], page, pages, len(rows))
