"""The GET endpoints of live rooms under /report: the same numbers as the pages, for programs."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from roompulse.errors import NotFound
from roompulse.rooms.contract import LiveRoom, LiveRooms
from roompulse.web.http.envelope import extend, success
from roompulse.web.http.problems import AnyRequest
from roompulse.web.http.routes import GET
from roompulse.web.http.urls import decode_id

MOST_KEPT = 33_554_432
"""Bytes of encoded answers that are kept. A room of 1,000 users takes 6.5 million of them, one of 10 users 66,000."""

ENCODED_AT_ONCE = 1000
"""Elements of a list: a thousand snapshots take a millisecond."""


class JsonAnswer:
    """An ASGI response of JSON, or 304 where there is no body: it says less than Litestar's, in half of the time."""

    def __init__(self, etag: str, body: bytes | bytearray | None) -> None:
        self._etag = etag
        self._body = body

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"etag", self._etag.encode()), (b"cache-control", b"private, no-cache")]
        if self._body is not None:
            headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self._body))]
        status = 304 if self._body is None else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if self._body is None or scope["method"] == "HEAD" else self._body
        await send({"type": "http.response.body", "body": body, "more_body": False})


class AnswerCache:
    """Encoded answers by what they are about. Of too many bytes, those go that nobody asked for the longest."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[object, bytes]] = OrderedDict()
        self._size = 0

    def get(self, key: Hashable, version: object, encode: Callable[[], bytes]) -> bytes:
        """The answer of this version; `encode` makes it if another one is kept, or none."""
        known, body = self._kept.pop(key, (None, b""))
        self._size -= len(body)
        if known != version:
            body = encode()
        self._kept[key] = version, body
        self._size += len(body)
        while self._size > self._most:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._size -= len(dropped)
        return body


class _Listed:
    """The list of rooms as it was last answered: a list that is the same object has the same ids."""

    def __init__(self) -> None:
        self._ids: Sequence[str] | None = None
        self._encoded = "", b""

    def encoded(self, ids: Sequence[str]) -> tuple[str, bytes]:
        """ETag and body."""
        if ids is not self._ids:
            body = success(ids)
            self._ids, self._encoded = ids, (_hashed(body), body)
        return self._encoded


def answer_routes(rooms: LiveRooms, epoch: str) -> list[HTTPRouteHandler]:
    """The handlers; `epoch` tells the versions of one run of the server from those of another."""
    kept, listed = AnswerCache(), _Listed()

    @route("/report/rooms", http_method=GET)
    async def get_rooms(request: AnyRequest) -> JsonAnswer:
        etag, body = listed.encoded(rooms.ids())
        return _answer(request, etag, lambda: body)

    @route("/report/metrics/{room_id:str}", http_method=GET)
    async def get_room(request: AnyRequest, room_id: FromPath[str]) -> JsonAnswer:
        room = _live_room(rooms, room_id)
        encoded = partial(kept.get, room_id, room.version, lambda: success(room.metrics()))
        return _answer(request, f'"{epoch}-{room.version}"', encoded)

    @route("/report/metrics/{room_id:str}/{user_id:str}", http_method=GET)
    async def get_user(request: AnyRequest, room_id: FromPath[str], user_id: FromPath[str]) -> JsonAnswer:
        room = _live_room(rooms, room_id)
        decoded = decode_id("user_id", user_id)
        if (user := room.user(decoded)) is None:
            raise NotFound(f"user_id: the user {decoded!r} is not live in this room")
        encoded = partial(kept.get, (room_id, user_id), user.version, lambda: success(user.metrics()))
        return _answer(request, f'"{epoch}-{user.version}"', encoded)

    return [get_rooms, get_room, get_user]


def _live_room(rooms: LiveRooms, segment: str) -> LiveRoom:
    room_id = decode_id("room_id", segment)
    if (room := rooms.get(room_id)) is None:
        raise NotFound(f"room_id: the room {room_id!r} is not live")
    return room


def hashed_answer(request: AnyRequest, body: bytes | bytearray) -> JsonAnswer:
    return _answer(request, _hashed(body), lambda: body)


async def list_answer(request: AnyRequest, data: Sequence[Any]) -> JsonAnswer:
    """Of a list that may be long: other work gets its turn while it is encoded."""
    body = bytearray(success(data[:ENCODED_AT_ONCE]))
    for start in range(ENCODED_AT_ONCE, len(data), ENCODED_AT_ONCE):
        await asyncio.sleep(0)
        extend(body, data[start : start + ENCODED_AT_ONCE])
    return hashed_answer(request, body)


def _hashed(body: bytes | bytearray) -> str:
    return f'"{sha256(body).hexdigest()[:24]}"'


def _answer(request: AnyRequest, etag: str, body: Callable[[], bytes | bytearray]) -> JsonAnswer:
    """The body, or 304 without making it if the client has it already (RFC 9110, 13.1.2)."""
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return JsonAnswer(etag, None if etag in known or "*" in known else body())
