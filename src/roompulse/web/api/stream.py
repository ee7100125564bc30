"""GET /report/stream/{room_id}: the JSON twin of a room's page."""

from collections.abc import Hashable

from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from roompulse.events.timeline import TAIL, Timeline
from roompulse.hub.contract import Frames
from roompulse.rooms.contract import LiveRooms
from roompulse.web.http.routes import GET
from roompulse.web.http.urls import decode_id
from roompulse.web.sse.events import json_event
from roompulse.web.sse.stream import EventStream, EventStreams


class RoomJsonView:
    """A room as JSON, and each of its newest events; empty until there is one of them.

    `epoch` tells the versions of one run of the server from another's.
    """

    def __init__(self, rooms: LiveRooms, timeline: Timeline, room_id: str, epoch: str) -> None:
        self.room_id = room_id
        self._rooms = rooms
        self._timeline = timeline
        self._epoch = epoch
        self._was_live = False

    @property
    def key(self) -> Hashable:
        return "json", self.room_id

    @property
    def gone(self) -> Frames:
        return {}

    def render(self) -> Frames:
        # An event takes the place of the one that is TAIL older: a viewer that reads slowly gets the newest ones.
        events = {
            f"timeline-{number % TAIL}": json_event(event, name="timeline")
            for number, event in self._timeline.tail(self.room_id)
        }
        room, was_live = self._rooms.get(self.room_id), self._was_live
        self._was_live = room is not None
        if room:
            return {"room": json_event(room.metrics(), name="room", ident=f"{self._epoch}-{room.version}"), **events}
        return events | ({"room": json_event({"room_id": self.room_id}, name="gone")} if was_live else {})


def stream_routes(streams: EventStreams, rooms: LiveRooms, timeline: Timeline, epoch: str) -> list[HTTPRouteHandler]:
    @route("/report/stream/{room_id:str}", http_method=GET)
    async def stream_room(room_id: FromPath[str]) -> EventStream:
        return EventStream(streams, RoomJsonView(rooms, timeline, decode_id("room_id", room_id), epoch))

    return [stream_room]
