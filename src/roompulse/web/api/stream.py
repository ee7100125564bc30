"""GET /report/stream/{room_id}: the JSON twin of a room's page."""

from collections.abc import Hashable

from roompulse.hub.contract import Frames
from roompulse.rooms.contract import LiveRooms
from roompulse.web.sse.events import json_event


class RoomJsonView:
    """A view of the hub; empty until the room is live. `epoch` tells the versions of one run from those of another."""

    def __init__(self, rooms: LiveRooms, room_id: str, epoch: str) -> None:
        self._rooms = rooms
        self._epoch = epoch
        self.room_id: str | None = room_id
        self.key: Hashable = ("json", room_id)
        self.gone: Frames = {"room": json_event({"room_id": room_id}, name="gone")}

    def render(self) -> Frames:
        if (room := self._rooms.get(self.room_id or "")) is None:
            return {}
        return {"room": json_event(room.metrics(), name="room", ident=f"{self._epoch}-{room.version}")}
