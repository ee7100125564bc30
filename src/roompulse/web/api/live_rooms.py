"""GET /report/rooms and /report/metrics: the live rooms, with the same figures as the pages, for programs."""

from collections.abc import Sequence

from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from roompulse.errors import NotFound
from roompulse.rooms.contract import LiveRoom, LiveRooms, LiveUser
from roompulse.web.api.encoded_rooms import EncodedRooms
from roompulse.web.http.envelope import success, success_of
from roompulse.web.http.json_answer import JsonAnswer, etag_of, not_modified, tagged_answer
from roompulse.web.http.routes import GET, AnyRequest
from roompulse.web.http.urls import decode_id


class _EncodedIds:
    """The list of rooms as it was last answered: a list that is the same object has the same ids."""

    def __init__(self) -> None:
        self._ids: Sequence[str] | None = None
        self._encoded = "", b""

    def of(self, ids: Sequence[str]) -> tuple[str, bytes]:
        """ETag and body."""
        if ids is not self._ids:
            body = success(ids)
            self._ids, self._encoded = ids, (etag_of([body]), body)
        return self._encoded


def live_room_routes(rooms: LiveRooms, encoded: EncodedRooms) -> list[HTTPRouteHandler]:
    encoded_ids = _EncodedIds()

    @route("/report/rooms", http_method=GET)
    async def get_rooms(request: AnyRequest) -> JsonAnswer:
        etag, body = encoded_ids.of(rooms.ids())
        return tagged_answer(request, etag, lambda: body)

    @route("/report/metrics/{room_id:str}", http_method=GET)
    async def get_room(request: AnyRequest, room_id: FromPath[str]) -> JsonAnswer:
        room = _live_room(rooms, room_id)
        if answer := not_modified(request, f'"{room.tag}"'):
            return answer
        await encoded.catch_up(room)
        room = _live_room(rooms, room_id)
        return tagged_answer(request, f'"{room.tag}"', lambda: encoded.answer(room))

    @route("/report/metrics/{room_id:str}/{user_id:str}", http_method=GET)
    async def get_user(request: AnyRequest, room_id: FromPath[str], user_id: FromPath[str]) -> JsonAnswer:
        await encoded.catch_up_user(_live_user(rooms, room_id, user_id)[1])
        room, user = _live_user(rooms, room_id, user_id)
        tag = encoded.tag(room.room_id, user)
        return tagged_answer(request, tag, lambda: success_of(encoded.user(room.room_id, user)))

    return [get_rooms, get_room, get_user]


def _live_room(rooms: LiveRooms, segment: str) -> LiveRoom:
    room_id = decode_id("room_id", segment)
    if (room := rooms.get(room_id)) is None:
        raise NotFound(f"room_id: the room {room_id!r} is not live")
    return room


def _live_user(rooms: LiveRooms, room_segment: str, segment: str) -> tuple[LiveRoom, LiveUser]:
    room, user_id = _live_room(rooms, room_segment), decode_id("user_id", segment)
    if (user := room.user(user_id)) is None:
        raise NotFound(f"user_id: the user {user_id!r} is not live in this room")
    return room, user
