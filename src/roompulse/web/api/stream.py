"""GET /report/stream/{room_id}: the JSON twin of a room's page."""

from collections.abc import Hashable

from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import json

from roompulse.errors import BadRequest
from roompulse.events.timeline import Timeline
from roompulse.hub.contract import Frames
from roompulse.rooms.contract import LiveRooms
from roompulse.web.api.encoded_rooms import EncodedRooms
from roompulse.web.http.envelope import data_of
from roompulse.web.http.routes import GET, AnyRequest
from roompulse.web.http.urls import decode_id
from roompulse.web.sse.events import encoded_event, json_event
from roompulse.web.sse.stream import EventStream, EventStreams

_LONGEST_SHOWN = 100


class RoomJsonView:
    """A room as JSON, and each of its newest events; empty until there is a room or an event.

    Without users, which are most of a large room, it has only the room's figures.
    """

    def __init__(
        self, rooms: LiveRooms, encoded: EncodedRooms, timeline: Timeline, room_id: str, *, with_users: bool
    ) -> None:
        self.room_id = room_id
        self._rooms = rooms
        self._encoded = encoded
        self._timeline = timeline
        self._with_users = with_users
        self._was_live = False

    @property
    def key(self) -> Hashable:
        return "json", self.room_id, self._with_users

    @property
    def gone(self) -> Frames:
        return {}

    def render(self) -> Frames:
        # An event replaces the one TAIL before it: a slow viewer gets the newest ones.
        events = {
            f"timeline-{recorded.place}": json_event(recorded.event, name="timeline")
            for recorded in self._timeline.tail(self.room_id)
            if recorded.event
        }
        room, was_live = self._rooms.get(self.room_id), self._was_live
        self._was_live = room is not None
        if room:
            shown = data_of(self._encoded.answer(room)) if self._with_users else json.encode(room.totals())
            return {"room": encoded_event(shown, name="room", ident=room.tag), **events}
        return events | ({"room": json_event({"room_id": self.room_id}, name="gone")} if was_live else {})


def stream_routes(
    streams: EventStreams, rooms: LiveRooms, encoded: EncodedRooms, timeline: Timeline
) -> list[HTTPRouteHandler]:
    @route("/report/stream/{room_id:str}", http_method=GET)
    async def stream_room(request: AnyRequest, room_id: FromPath[str]) -> EventStream:
        decoded, with_users = decode_id("room_id", room_id), users_wanted(request)
        if with_users and (room := rooms.get(decoded)):
            await encoded.catch_up(room)
        return EventStream(streams, RoomJsonView(rooms, encoded, timeline, decoded, with_users=with_users))

    return [stream_room]


def users_wanted(request: AnyRequest) -> bool:
    """The parameter `users`; raises BadRequest for one that is neither 0 nor 1."""
    text: str = request.query_params.get("users", "1")
    if text not in {"0", "1"}:
        raise BadRequest(f"users: must be 0 or 1, not {text[:_LONGEST_SHOWN]!r}")
    return text == "1"
