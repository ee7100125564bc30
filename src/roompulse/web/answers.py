"""The GET endpoints under /report: the same numbers as the pages, for programs."""

from collections.abc import Callable
from hashlib import blake2b

import msgspec
from litestar import Response, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from roompulse.errors import BadRequest, NotFound
from roompulse.ingest import Ingest
from roompulse.report.envelope import success
from roompulse.rooms.contract import LiveRoom, LiveRooms
from roompulse.store.contract import DEFAULT_LIMIT, HistoryQuery, Store
from roompulse.web.compression import COMPRESSED
from roompulse.web.paths import decode_id
from roompulse.web.problems import AnyRequest

GET: list[HttpMethod] = [HttpMethod.GET, HttpMethod.HEAD]
MAX_SNAPSHOTS = 10_000


def answer_routes(store: Store, rooms: LiveRooms, ingest: Ingest, epoch: str) -> list[HTTPRouteHandler]:
    """The handlers; `epoch` tells the versions of one run of the server from those of another."""

    @route("/report/rooms", http_method=GET)
    async def get_rooms(request: AnyRequest) -> Response[bytes]:
        ingest.expire()
        return _hashed_answer(request, success(rooms.ids()))

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

    @route("/report/history/{room_id:str}", http_method=GET, middleware=[COMPRESSED])
    async def get_history(request: AnyRequest, room_id: FromPath[str]) -> Response[bytes]:
        query = history_query(decode_id("room_id", room_id), request)
        snapshots = await store.history(query)
        if snapshots is None and rooms.get(query.room_id) is None:
            raise NotFound(f"room_id: the room {query.room_id!r} was not seen within the retention of history")
        return _hashed_answer(request, success(snapshots or []))

    return [get_rooms, get_room, get_user, get_history]


def _live_room(rooms: LiveRooms, segment: str) -> LiveRoom:
    room_id = decode_id("room_id", segment)
    if (room := rooms.get(room_id)) is None:
        raise NotFound(f"room_id: the room {room_id!r} is not live")
    return room


def history_query(room_id: str, request: AnyRequest) -> HistoryQuery:
    """The query parameters of a history; raises BadRequest by the name of one that makes no sense."""
    limit = _number(request, "limit", low=1, high=MAX_SNAPSHOTS)
    if limit is not None and not limit.is_integer():
        raise BadRequest(f"limit: must be a whole number, not {limit}")
    query = HistoryQuery(
        room_id,
        start=_number(request, "from", low=0, high=10**11),
        end=_number(request, "to", low=0, high=10**11),
        step=_number(request, "step", low=1, high=10**9),
        limit=DEFAULT_LIMIT if limit is None else int(limit),
    )
    if query.start is not None and query.end is not None and query.start > query.end:
        raise BadRequest("from: must not be later than to")
    return query


def _number(request: AnyRequest, name: str, *, low: float, high: float) -> float | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        value = msgspec.json.decode(text, type=float)
    except msgspec.DecodeError:
        raise BadRequest(f"{name}: must be a number, not {text!r}") from None
    if not low <= value <= high:
        raise BadRequest(f"{name}: must be between {low:g} and {high:g}, not {text!r}")
    return value


def _hashed_answer(request: AnyRequest, body: bytes) -> Response[bytes]:
    return _answer(request, f'"{blake2b(body, digest_size=12).hexdigest()}"', lambda: body)


def _answer(request: AnyRequest, etag: str, body: Callable[[], bytes]) -> Response[bytes]:
    """The body, or 304 without making it if the client has it already (RFC 9110, 13.1.2)."""
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if etag in known or "*" in known:
        return Response(b"", status_code=304, headers=headers)
    return Response(body(), media_type="application/json", headers=headers)
