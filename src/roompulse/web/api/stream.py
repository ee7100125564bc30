"""GET /report/stream/{room_id}: the JSON twin of a room's page."""

from collections.abc import Hashable

from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from roompulse.hub.contract import Frames
from roompulse.rooms.contract import LiveRooms
from roompulse.web.http.routes import GET
from roompulse.web.http.urls import decode_id
from roompulse.web.sse.events import json_event
from roompulse.web.sse.stream import EventStream, EventStreams


class RoomJsonView(Struct, frozen=True):
    """A room as JSON; empty until it is live. `epoch` tells the versions of one run of the server from another's."""

    rooms: LiveRooms
    room_id: str
    epoch: str

    @property
    def key(self) -> Hashable:
        return "json", self.room_id

    @property
    def gone(self) -> Frames:
        return {"room": json_event({"room_id": self.room_id}, name="gone")}

    def render(self) -> Frames:
        if (room := self.rooms.get(self.room_id)) is None:
            return {}
        return {"room": json_event(room.metrics(), name="room", ident=f"{self.epoch}-{room.version}")}


def stream_routes(streams: EventStreams, rooms: LiveRooms, epoch: str) -> list[HTTPRouteHandler]:
    @route("/report/stream/{room_id:str}", http_method=GET)
    async def stream_room(room_id: FromPath[str]) -> EventStream:
        return EventStream(streams, RoomJsonView(rooms, decode_id("room_id", room_id), epoch))

    return [stream_room]
