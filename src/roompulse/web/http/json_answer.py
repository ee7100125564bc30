"""How JSON is answered: the response, 304 for what the client has already, and encoded answers that are kept."""

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from roompulse.bounded import BoundedMap
from roompulse.web.http.envelope import extend, success
from roompulse.web.http.headers import raw_headers
from roompulse.web.http.routes import AnyRequest

MOST_KEPT = 33_554_432
"""Bytes of encoded answers that are kept. A room of 1,000 users takes 6.5 million of them, one of 10 users 66,000."""

ENCODED_AT_ONCE = 1000
"""Elements of a list: a thousand snapshots take a millisecond."""

_NO_HEADERS: Mapping[str, str] = {}


class JsonAnswer:
    """An ASGI response of encoded JSON, or of no body where that is None. Litestar's own takes twice the time."""

    def __init__(
        self, body: bytes | bytearray | None, *, status: int = 200, headers: Mapping[str, str] = _NO_HEADERS
    ) -> None:
        self.status_code = status
        self._body = body
        self._headers = headers

    def to_asgi_response(self, *_: object, **__: object) -> "JsonAnswer":
        """What Litestar asks of the answer that an exception handler returns."""
        return self

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = raw_headers(self._headers)
        if self._body is not None:
            headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self._body))]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        body = b"" if self._body is None or scope["method"] == "HEAD" else self._body
        await send({"type": "http.response.body", "body": body, "more_body": False})


def tagged_answer(request: AnyRequest, etag: str, body: Callable[[], bytes | bytearray]) -> JsonAnswer:
    """The body, or 304 without making it if the client has it already (RFC 9110, 13.1.2)."""
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if etag in known or "*" in known:
        return JsonAnswer(None, status=304, headers=headers)
    return JsonAnswer(body(), headers=headers)


def hashed_answer(request: AnyRequest, body: bytes | bytearray) -> JsonAnswer:
    return tagged_answer(request, etag_of(body), lambda: body)


async def list_answer(request: AnyRequest, data: Sequence[Any]) -> JsonAnswer:
    """Of a list that may be long: other work gets its turn while it is encoded."""
    body = bytearray(success(data[:ENCODED_AT_ONCE]))
    for start in range(ENCODED_AT_ONCE, len(data), ENCODED_AT_ONCE):
        await asyncio.sleep(0)
        extend(body, data[start : start + ENCODED_AT_ONCE])
    return hashed_answer(request, body)


def etag_of(body: bytes | bytearray) -> str:
    return f'"{sha256(body).hexdigest()[:24]}"'


class AnswerCache:
    """Encoded answers by what they are about. Past `most` bytes, the least recently used are forgotten."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._answers: BoundedMap[Hashable, tuple[object, bytes]] = BoundedMap(most, size_of=_size)

    def get(self, key: Hashable, version: object, encode: Callable[[], bytes]) -> bytes:
        """The answer of this version; `encode` makes it if another one is kept, or none."""
        known = self._answers.get(key)
        if known and known[0] == version:
            return known[1]
        body = encode()
        self._answers.put(key, (version, body))
        return body


def _size(answer: tuple[object, bytes]) -> int:
    return len(answer[1])
