"""Readers of a server: its answers and streams, in types. `Reader` blocks, `AsyncReader` is for asyncio."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec
from msgspec import Struct

from roompulse.client.answers import CallReport, Calls, Overview, RoomEvent, RoomMetrics, Snapshot, UserMetrics
from roompulse.client.reporter import POST_TIMEOUT, authorization, checked

T = TypeVar("T")

SILENCE = 30.0
"""Seconds without any event, of which a server sends one every 10 s, until a stream counts as lost."""


class ReadError(Exception):
    """The server answered with an error; `status` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Asked(Struct, Generic[T]):
    """A request, and the type of its answer."""

    path: str
    type: Any
    parameters: dict[str, Any] = {}

    def answer(self, response: httpx.Response) -> T:
        """Raises ReadError."""
        _check(response)
        envelope = msgspec.json.decode(response.content, type=_Envelope)
        data: T = msgspec.json.decode(envelope.data, type=self.type)
        return data


class _Envelope(Struct):
    data: msgspec.Raw


class _Failure(Struct):
    message: str = "no answer of a roompulse server"


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    try:
        message = msgspec.json.decode(response.content, type=_Failure).message
    except msgspec.DecodeError:
        message = _Failure().message
    raise ReadError(response.status_code, message)


def _path(*segments: str) -> str:
    return "/".join(["report", *(quote(segment, safe="") for segment in segments)])


class _Questions:
    """The requests of both readers. Parameters are those of docs/api.md; `start` and `end` are its `from` and `to`."""

    @staticmethod
    def _asked(kind: type[T], *segments: str, **parameters: Any) -> _Asked[T]:
        names = {"start": "from", "end": "to"}
        given = {names.get(name, name): value for name, value in parameters.items() if value is not None}
        return _Asked(_path(*segments), kind, given)

    def _options(self, url: str, key: str | None, transport: Any) -> dict[str, Any]:
        base = checked(url)
        return {"base_url": base, "headers": authorization(key), "timeout": POST_TIMEOUT, "transport": transport}


class Reader(_Questions):
    """Reads a server; a context manager.

    Every method raises ReadError for an answer that is an error, and httpx.TransportError where there is none.
    """

    def __init__(self, url: str, *, key: str | None = None, transport: httpx.BaseTransport | None = None) -> None:
        """`key` is a read key, if the server needs one. Raises ValueError as `Reporter` does."""
        self._http = httpx.Client(**self._options(url, key, transport))

    def rooms(self) -> list[str]:
        """Ids of the live rooms."""
        return self._get(self._asked(list[str], "rooms"))

    def overview(self, **parameters: Any) -> Overview:
        """All live rooms; parameters q, level, order, offset, limit."""
        return self._get(self._asked(Overview, "overview", **parameters))

    def room(self, room_id: str) -> RoomMetrics:
        return self._get(self._asked(RoomMetrics, "metrics", room_id))

    def user(self, room_id: str, user_id: str) -> UserMetrics:
        return self._get(self._asked(UserMetrics, "metrics", room_id, user_id))

    def history(self, room_id: str, **parameters: Any) -> list[Snapshot]:
        """Snapshots; parameters start, end, step, limit."""
        return self._get(self._asked(list[Snapshot], "history", room_id, **parameters))

    def events(self, room_id: str, **parameters: Any) -> list[RoomEvent]:
        """Events; parameters start, end, user_id, kind, limit."""
        return self._get(self._asked(list[RoomEvent], "events", room_id, **parameters))

    def calls(self, **parameters: Any) -> Calls:
        """Live and ended calls; parameters q, order, start, end, offset, limit."""
        return self._get(self._asked(Calls, "calls", **parameters))

    def call(self, room_id: str, started_at: float) -> CallReport:
        return self._get(self._asked(CallReport, "calls", room_id, f"{started_at:.3f}"))

    def watch(self, room_id: str) -> Iterator[RoomMetrics]:
        """The room whenever it changes, until it or the stream ends; each one is a whole state."""
        return self._stream(self._asked(RoomMetrics, "stream", room_id), "room")

    def watch_overview(self, **parameters: Any) -> Iterator[Overview]:
        """The result of `overview`, whenever a room changes, until the stream ends."""
        return self._stream(self._asked(Overview, "stream", **parameters), "overview")

    def _get(self, asked: _Asked[T]) -> T:
        return asked.answer(self._http.get(asked.path, params=asked.parameters))

    def _stream(self, asked: _Asked[T], wanted: str) -> Iterator[T]:
        with self._http.stream("GET", asked.path, params=asked.parameters, timeout=SILENCE) as response:
            if not response.is_success:
                response.read()
            _check(response)
            events = _Events(wanted)
            for line in response.iter_lines():
                if (data := events.line(line)) is not None:
                    yield msgspec.json.decode(data, type=asked.type)
                if events.ended:
                    return

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncReader(_Questions):
    """Reads a server from asyncio; an async context manager. Methods are those of `Reader`, and raise the same."""

    def __init__(self, url: str, *, key: str | None = None, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`key` is a read key, if the server needs one. Raises ValueError as `Reporter` does."""
        self._http = httpx.AsyncClient(**self._options(url, key, transport))

    async def rooms(self) -> list[str]:
        return await self._get(self._asked(list[str], "rooms"))

    async def overview(self, **parameters: Any) -> Overview:
        return await self._get(self._asked(Overview, "overview", **parameters))

    async def room(self, room_id: str) -> RoomMetrics:
        return await self._get(self._asked(RoomMetrics, "metrics", room_id))

    async def user(self, room_id: str, user_id: str) -> UserMetrics:
        return await self._get(self._asked(UserMetrics, "metrics", room_id, user_id))

    async def history(self, room_id: str, **parameters: Any) -> list[Snapshot]:
        return await self._get(self._asked(list[Snapshot], "history", room_id, **parameters))

    async def events(self, room_id: str, **parameters: Any) -> list[RoomEvent]:
        return await self._get(self._asked(list[RoomEvent], "events", room_id, **parameters))

    async def calls(self, **parameters: Any) -> Calls:
        return await self._get(self._asked(Calls, "calls", **parameters))

    async def call(self, room_id: str, started_at: float) -> CallReport:
        return await self._get(self._asked(CallReport, "calls", room_id, f"{started_at:.3f}"))

    def watch(self, room_id: str) -> AsyncIterator[RoomMetrics]:
        return self._stream(self._asked(RoomMetrics, "stream", room_id), "room")

    def watch_overview(self, **parameters: Any) -> AsyncIterator[Overview]:
        return self._stream(self._asked(Overview, "stream", **parameters), "overview")

    async def _get(self, asked: _Asked[T]) -> T:
        return asked.answer(await self._http.get(asked.path, params=asked.parameters))

    async def _stream(self, asked: _Asked[T], wanted: str) -> AsyncIterator[T]:
        async with self._http.stream("GET", asked.path, params=asked.parameters, timeout=SILENCE) as response:
            if not response.is_success:
                await response.aread()
            _check(response)
            events = _Events(wanted)
            async for line in response.aiter_lines():
                if (data := events.line(line)) is not None:
                    yield msgspec.json.decode(data, type=asked.type)
                if events.ended:
                    return

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Events:
    """Server-sent events, line by line; `wanted` is the type of the returned ones."""

    def __init__(self, wanted: str) -> None:
        self.ended = False
        self._wanted = wanted
        self._type = ""
        self._data: list[str] = []

    def line(self, line: str) -> str | None:
        """The data of a wanted event that this line ends; None for every other line."""
        if line.startswith("event: "):
            self._type = line.removeprefix("event: ")
        elif line.startswith("data: "):
            self._data.append(line.removeprefix("data: "))
        elif not line:
            event, data = self._type, "\n".join(self._data)
            self._type, self._data = "", []
            self.ended = event in ("gone", "bye", "denied", "signed-out")
            return data if event == self._wanted else None
        return None
