"""JSON answers: the response, 304 for a client that has it already, and a cache of encoded answers."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from hashlib import sha256
from typing import Any

from roompulse.bounded import BoundedMap
from roompulse.web.http.headers import raw_headers
from roompulse.web.http.routes import AnyRequest

MOST_KEPT = 33_554_432
"""Bytes of the cache of encoded answers. A room of 1,000 users takes 6.5 million, one of 10 users 66,000."""

_NO_HEADERS: Mapping[str, str] = {}


class JsonAnswer:
    """An ASGI response of encoded JSON, or of no body where that is None. Litestar's own takes twice the time."""

    def __init__(self, body: bytes | None, *, status: int = 200, headers: Mapping[str, str] = _NO_HEADERS) -> None:
        self.status_code = status
        self._body = body
        self._headers = headers

    def to_asgi_response(self, *_: object, **__: object) -> "JsonAnswer":
        """Required by Litestar of the answer that an exception handler returns."""
        return self

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = raw_headers(self._headers)
        if self._body is not None:
            headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self._body))]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        body = b"" if self._body is None or scope["method"] == "HEAD" else self._body
        await send({"type": "http.response.body", "body": body, "more_body": False})


def tagged_answer(request: AnyRequest, etag: str, body: Callable[[], bytes]) -> JsonAnswer:
    """The body, or 304 without making it if the client has it already."""
    return not_modified(request, etag) or JsonAnswer(body(), headers=tagged(etag))


def not_modified(request: AnyRequest, etag: str) -> JsonAnswer | None:
    """304 if the client has the answer with this tag already."""
    return JsonAnswer(None, status=304, headers=tagged(etag)) if is_known(request, etag) else None


def is_known(request: AnyRequest, etag: str) -> bool:
    """Whether the client says that it has the answer with this tag (RFC 9110, 13.1.2)."""
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return etag in known or "*" in known


def tagged(etag: str) -> Mapping[str, str]:
    """The headers of an answer with this tag, which is weak: it is the same compressed or not."""
    return {"ETag": f"W/{etag}", "Cache-Control": "private, no-cache"}


def hashed_answer(request: AnyRequest, body: bytes) -> JsonAnswer:
    return tagged_answer(request, etag_of([body]), lambda: body)


def etag_of(portions: Iterable[bytes]) -> str:
    """The tag of a body, by its content."""
    digest = sha256()
    for portion in portions:
        digest.update(portion)
    return f'"{digest.hexdigest()[:24]}"'


class AnswerCache:
    """Encoded answers by subject. Past `most` bytes, the least recently used are dropped."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._answers: BoundedMap[Hashable, tuple[object, bytes]] = BoundedMap(most, size_of=_size)

    def has(self, key: Hashable, version: object) -> bool:
        known = self._answers.get(key)
        return known is not None and known[0] == version

    def get(self, key: Hashable, version: object, encode: Callable[[], bytes]) -> bytes:
        """The answer of this version; `encode` makes it if another one is cached, or none."""
        known = self._answers.get(key)
        if known and known[0] == version:
            return known[1]
        body = encode()
        self._answers.put(key, (version, body))
        return body


def _size(answer: tuple[object, bytes]) -> int:
    return len(answer[1])
