"""Gzip, for every answer that is worth it, from any route or library. Streams of events pass unchanged."""

import asyncio
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from litestar.types import Message, Send

SMALLEST = 1000
"""Bytes below which an answer is not compressed: it fits into one packet anyway."""

_IN_THREAD_FROM = 32_768
"""Bytes from which compressing takes longer than a switch to a thread; zlib releases the interpreter's lock."""

_LEVEL = 3
"""For JSON and CSV it takes a third of the time of the usual 6, for a seventh more bytes."""

_GZIP = 16 + zlib.MAX_WBITS
_TYPES = (b"text/", b"application/json", b"application/schema+json", b"application/openmetrics-text", b"image/svg+xml")

# One thread: several would compete with ingest for the cores.
_thread = ThreadPoolExecutor(1, "roompulse-gzip")


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a client accepts gzip, and does not prefer uncompressed answers (RFC 9110, 12.5.3)."""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        coding, _, parameter = part.partition(";")
        weights[coding.strip()] = _weight(parameter)
    weight = weights.get("gzip", weights.get("*", 0.0))
    return weight > 0 and weight >= weights.get("identity", 0.0)


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if not name.strip():
        return 1.0
    try:
        return float(value) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0


def compressing(scope: Any, send: Send) -> Send:
    """An ASGI `send` that compresses answers where the client accepts it, and adds `Vary`."""
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding").decode("latin-1")
    return _Compression(send, is_head=scope["method"] == "HEAD", accepts=accepts_gzip(accepted)).send


class _Compression:
    """The `send` of one answer. Its head waits for the first piece of its body, which shows its size."""

    def __init__(self, send: Send, *, is_head: bool, accepts: bool) -> None:
        self._send = send
        self._is_head = is_head
        self._accepts = accepts
        self._head: Message | None = None
        self._compressor: Any = None

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            await self._start(message)
        elif self._compressor is not None:
            message["body"] = await self._compressed(message)
            await self._send(message)
        elif self._head is not None:
            await self._first(self._head, message)
        else:
            await self._send(message)

    async def _start(self, head: Any) -> None:
        headers = dict(head["headers"])
        is_candidate = headers.get(b"content-type", b"").startswith(_TYPES) and b"content-encoding" not in headers
        if head["status"] != 304 and (not is_candidate or headers[b"content-type"].startswith(b"text/event-stream")):
            await self._send(head)
            return
        head["headers"] = [*head["headers"], (b"vary", b"Accept-Encoding")]
        if head["status"] == 304 or not self._accepts:
            await self._send(head)
        else:
            self._head = head

    async def _first(self, head: Any, message: Any) -> None:
        self._head = None
        is_last = not message.get("more_body", False)
        size = _length(head["headers"]) if self._is_head else len(message.get("body", b""))
        if is_last and size < SMALLEST:
            await self._send(head)
            await self._send(message)
            return
        self._compressor = zlib.compressobj(_LEVEL, wbits=_GZIP)
        body = b"" if self._is_head else await self._compressed(message)
        head["headers"] = list(_of_compressed(head["headers"]))
        if is_last and not self._is_head:
            head["headers"].append((b"content-length", b"%d" % len(body)))
        await self._send(head)
        message["body"] = body
        await self._send(message)

    async def _compressed(self, message: Any) -> bytes:
        body, is_last = message.get("body", b""), not message.get("more_body", False)
        if len(body) < _IN_THREAD_FROM:
            return self._compress(body, is_last)
        return await asyncio.get_running_loop().run_in_executor(_thread, self._compress, body, is_last)

    def _compress(self, body: bytes, is_last: bool) -> bytes:  # noqa: FBT001  (for an executor)
        compressed: bytes = self._compressor.compress(body)
        # Each piece can be read when it arrives: a client of a long answer sees progress.
        flushed: bytes = self._compressor.flush(zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH)
        return compressed + flushed


def _length(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """The length of the body by the headers; SMALLEST where it is unknown."""
    return int(dict(headers).get(b"content-length", SMALLEST))


def _of_compressed(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    yield b"content-encoding", b"gzip"
    for name, value in headers:
        if name == b"etag" and not value.startswith(b"W/"):
            yield name, b"W/" + value  # the same content in other bytes
        elif name != b"content-length":
            yield name, value
