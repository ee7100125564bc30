"""Small asyncio clients: viewers that count events of streams, and senders with a fixed pace."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import uvloop

POST = "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
READ = "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
GET = "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"
DEADLINE = 30.0
"""Seconds in which all viewers have to be connected, or one request answered."""

OnEvent = Callable[[bytes], None]
run = uvloop.run


class Viewer(asyncio.Protocol):
    """Counts how often `marker` comes; `on_event`, if there is one, gets each event whole."""

    def __init__(self, path: str, marker: bytes, on_event: OnEvent | None) -> None:
        self.count = 0
        self.bytes = 0
        self.opened = asyncio.get_running_loop().create_future()
        self._path = path
        self._marker = marker
        self._on_event = on_event
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own
        self._transport.write(GET.format(path=self._path).encode())

    def data_received(self, data: bytes) -> None:
        self.bytes += len(data)
        found = self._rest + data
        self.count += found.count(self._marker)
        if self._on_event:
            *events, self._rest = found.split(b"\n\n")
            for event in events:
                self._on_event(event)
        else:
            self._rest = found[1 - len(self._marker) :]
        if self.count and not self.opened.done():
            self.opened.set_result(None)

    def leave(self) -> None:
        self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(f"{self._path}: closed: {self._rest[:200]!r}"))


class Crowd:
    """Connected viewers."""

    def __init__(self, viewers: Sequence[Viewer]) -> None:
        self._viewers = viewers

    def count(self) -> int:
        return sum(viewer.count for viewer in self._viewers)

    def bytes(self) -> int:
        return sum(viewer.bytes for viewer in self._viewers)


@asynccontextmanager
async def viewers(
    url: str, paths: Iterable[str], *, marker: bytes = b"\n\n", on_event: Callable[[int], OnEvent] | None = None
) -> AsyncIterator[Crowd]:
    """One viewer for each path; all of them have got something when the context begins.

    `on_event` returns, for the number of a viewer, the function to call with each of its events.
    """
    loop, parts = asyncio.get_running_loop(), urlsplit(url)
    connected = []
    try:
        for number, path in enumerate(paths):
            make = partial(Viewer, path, marker, on_event(number) if on_event else None)
            _, viewer = await loop.create_connection(make, parts.hostname or "", parts.port or 80)
            connected.append(viewer)
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(*(viewer.opened for viewer in connected))
        yield Crowd(connected)
    finally:
        for viewer in connected:
            viewer.leave()


class Sender:
    """One connection that posts, one body after the other."""

    def __init__(self, url: str, path: str = "/report/metrics") -> None:
        self._url = urlsplit(url)
        self._path = path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._free = asyncio.Lock()

    async def post(self, body: bytes) -> None:
        """Return once it is answered; raises RuntimeError if it is refused."""
        await self._request(POST.format(path=self._path, length=len(body)).encode() + body)

    async def get(self, path: str) -> bytes:
        """The body of the answer; raises RuntimeError if it is refused."""
        return await self._request(READ.format(path=path).encode())

    async def _request(self, request: bytes) -> bytes:
        async with self._free:
            return await self._exchange(request)

    async def _exchange(self, request: bytes) -> bytes:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._url.hostname, self._url.port)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        answer = await _body(head, reader)
        if head.split(maxsplit=2)[1][:1] != b"2":
            raise RuntimeError(f"{head!r} {answer!r}")
        return answer

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()


async def _body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return await reader.readexactly(int(line.partition(b":")[2]))
    # Without a length it comes in chunks, of which the last one is empty.
    return await reader.readuntil(b"0\r\n\r\n") if b"chunked" in head.lower() else b""


async def post_all(url: str, bodies: Iterable[bytes], connections: int = 32) -> None:
    """Post all of them, as fast as they are answered."""
    waiting = iter(bodies)

    async def work() -> None:
        sender = Sender(url)
        for body in waiting:
            await sender.post(body)
        sender.close()

    await asyncio.gather(*(work() for _ in range(connections)))


async def at_pace(post: Callable[[int], Awaitable[None]], rate: float, seconds: float) -> int:
    """Call `post` with 0, 1, 2, … `rate` times a second, on a grid that a late call does not shift."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(round(rate * seconds)):
            if (wait := started + number / rate - loop.time()) > 0:
                await asyncio.sleep(wait)
            group.create_task(_done(post(number)))
    await asyncio.sleep(max(0.0, started + seconds - loop.time()))
    return round(rate * seconds)


async def _done(posted: Awaitable[None]) -> None:
    await posted
