"""GET /report/stream/{room_id}: the JSON twin of a room's page."""

from collections.abc import Hashable

from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from roompulse.errors import BadRequest
from roompulse.hub.contract import Frames
from roompulse.rooms.contract import LiveRooms
from roompulse.web.http.routes import GET, AnyRequest
from roompulse.web.http.urls import decode_id
from roompulse.web.sse.events import json_event
from roompulse.web.sse.stream import EventStream, EventStreams

_LONGEST_SHOWN = 100


class RoomJsonView(Struct, frozen=True):
    """A room as JSON; empty until it is live. Without users, most of a large room, there are its figures alone."""

    rooms: LiveRooms
    room_id: str
    with_users: bool = True

    @property
    def key(self) -> Hashable:
        return "json", self.room_id, self.with_users

    @property
    def gone(self) -> Frames:
        return {"room": json_event({"room_id": self.room_id}, name="gone")}

    def render(self) -> Frames:
        if (room := self.rooms.get(self.room_id)) is None:
            return {}
        shown = room.metrics() if self.with_users else room.totals()
        return {"room": json_event(shown, name="room", ident=room.tag)}


def stream_routes(streams: EventStreams, rooms: LiveRooms) -> list[HTTPRouteHandler]:
    @route("/report/stream/{room_id:str}", http_method=GET)
    async def stream_room(request: AnyRequest, room_id: FromPath[str]) -> EventStream:
        with_users = users_wanted(request)
        return EventStream(streams, RoomJsonView(rooms, decode_id("room_id", room_id), with_users))

    return [stream_room]


def users_wanted(request: AnyRequest) -> bool:
    """The parameter `users`; raises BadRequest for one that is neither 0 nor 1."""
    text: str = request.query_params.get("users", "1")
    if text not in {"0", "1"}:
        raise BadRequest(f"users: must be 0 or 1, not {text[:_LONGEST_SHOWN]!r}")
    return text == "1"
