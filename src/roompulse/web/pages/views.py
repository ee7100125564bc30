"""What each page and its stream shows, rendered from the live rooms.

A page is made of sections. Its first paint includes them, and its stream sends each one when it has changed.
"""

from collections.abc import Callable, Hashable, Mapping

from msgspec import Struct

from roompulse.hub.contract import Frames
from roompulse.rooms.contract import LiveRooms
from roompulse.web.html.templates import Templates
from roompulse.web.pages.query import UserQuery
from roompulse.web.pages.room import RoomSections, user_sections
from roompulse.web.sse.events import partial


class PageView(Struct, frozen=True):
    """A page, and its stream: HTML by the id of the element that holds it."""

    key: Hashable
    room_id: str | None
    sections: Callable[[], Mapping[str, str]]
    gone: Frames = {}

    def render(self) -> Frames:
        return {target: partial(target, html) for target, html in self.sections().items()}


class Views:
    def __init__(self, rooms: LiveRooms, templates: Templates) -> None:
        self._rooms = rooms
        self._templates = templates
        self._room_sections = RoomSections(templates)

    def room(self, room_id: str, query: UserQuery) -> PageView:
        def sections() -> Mapping[str, str]:
            return self._room_sections.of(room_id, self._rooms.get(room_id), query)

        return PageView(("room", room_id, query), room_id, sections)

    def user(self, room_id: str, user_id: str) -> PageView:
        def sections() -> Mapping[str, str]:
            return user_sections(self._templates, room_id, user_id, self._rooms.get(room_id))

        return PageView(("user", room_id, user_id), room_id, sections)
