"""The GET endpoints of live rooms under /report: the same numbers as the pages, for programs."""

from collections.abc import Callable
from hashlib import blake2b

from litestar import Response, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from roompulse.errors import NotFound
from roompulse.ingest import Ingest
from roompulse.report.envelope import success
from roompulse.rooms.contract import LiveRoom, LiveRooms
from roompulse.web.paths import decode_id
from roompulse.web.problems import AnyRequest

GET: list[HttpMethod] = [HttpMethod.GET, HttpMethod.HEAD]


def answer_routes(rooms: LiveRooms, ingest: Ingest, epoch: str) -> list[HTTPRouteHandler]:
    """The handlers; `epoch` tells the versions of one run of the server from those of another."""

    @route("/report/rooms", http_method=GET)
    async def get_rooms(request: AnyRequest) -> Response[bytes]:
        ingest.expire()
        return hashed_answer(request, success(rooms.ids()))

    @route("/report/metrics/{room_id:str}", http_method=GET)
    async def get_room(request: AnyRequest, room_id: FromPath[str]) -> Response[bytes]:
        ingest.expire()
        room = _live_room(rooms, room_id)
        return _answer(request, f'"{epoch}-{room.version}"', lambda: success(room.metrics()))

    @route("/report/metrics/{room_id:str}/{user_id:str}", http_method=GET)
    async def get_user(request: AnyRequest, room_id: FromPath[str], user_id: FromPath[str]) -> Response[bytes]:
        ingest.expire()
        room = _live_room(rooms, room_id)
        decoded = decode_id("user_id", user_id)
        if (user := room.user(decoded)) is None:
            raise NotFound(f"user_id: the user {decoded!r} is not live in this room")
        return _answer(request, f'"{epoch}-{user.version}"', lambda: success(user.metrics()))

    return [get_rooms, get_room, get_user]


def _live_room(rooms: LiveRooms, segment: str) -> LiveRoom:
    room_id = decode_id("room_id", segment)
    if (room := rooms.get(room_id)) is None:
        raise NotFound(f"room_id: the room {room_id!r} is not live")
    return room


def hashed_answer(request: AnyRequest, body: bytes) -> Response[bytes]:
    return _answer(request, f'"{blake2b(body, digest_size=12).hexdigest()}"', lambda: body)


def _answer(request: AnyRequest, etag: str, body: Callable[[], bytes]) -> Response[bytes]:
    """The body, or 304 without making it if the client has it already (RFC 9110, 13.1.2)."""
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if etag in known or "*" in known:
        return Response(b"", status_code=304, headers=headers)
    return Response(body(), media_type="application/json", headers=headers)
