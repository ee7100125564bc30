"""The worst that viewers can do beside ingest: as many different views of one busy room as one address may watch.

Each scenario runs until it is cancelled, in a process of its own, beside the probe of the benchmark that measures it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Protocol
from urllib.parse import quote, urlsplit

from benchmarks.calls import body, of_user, seeded
from benchmarks.clients import Sender, Viewer, at_pace

ROOM, USERS, RECEIVED = "keynote", 1000, 8
"""The watched room; each report is about its user and so many others."""

CHANGES = 10
"""Reports into that room a second."""

FOR_EVER = 3600.0


class Crowd(Protocol):
    @property
    def url(self) -> str: ...


Pressure = Callable[[Crowd], Awaitable[None]]


async def _change(url: str) -> None:
    """Reports of users at random, so that each of them is a change of views that are watched."""
    sender, random = Sender(url), seeded(13)

    async def post(_: int) -> None:
        await sender.post(body(of_user(ROOM, random.randrange(USERS), USERS, random, RECEIVED)))

    await at_pace(post, CHANGES, FOR_EVER)


async def _watch(crowd: Crowd, paths: Iterable[str]) -> None:
    """One viewer of each path, whether it is admitted or not, while the room changes."""
    loop, parts = asyncio.get_running_loop(), urlsplit(crowd.url)
    viewers = []
    try:
        for path in paths:
            make = partial(Viewer, path, b"\n\n", None)
            _, viewer = await loop.create_connection(make, parts.hostname or "", parts.port or 80)
            viewer.opened.add_done_callback(lambda opened: opened.exception())  # those that are refused
            viewers.append(viewer)
        await _change(crowd.url)
    finally:
        for viewer in viewers:
            viewer.leave()


async def searches(crowd: Crowd) -> None:
    await _watch(crowd, (f"/rooms/{ROOM}/stream?q={number}" for number in range(200)))


async def too_many_searches(crowd: Crowd) -> None:
    await _watch(crowd, (f"/rooms/{ROOM}/stream?q={number}" for number in range(900)))


async def shared_searches(crowd: Crowd) -> None:
    """32 views by each of 6 connections."""

    def path(connection: int) -> str:
        views = (f"/rooms/{ROOM}/stream?q={32 * connection + number}".removeprefix("/") for number in range(32))
        return "/views/stream?" + "&".join(f"view={quote(view, safe='')}" for view in views)

    await _watch(crowd, map(path, range(6)))


async def users(crowd: Crowd) -> None:
    await _watch(crowd, (f"/rooms/{ROOM}/users/user-{number}/stream" for number in range(200)))


async def lists(crowd: Crowd) -> None:
    await _watch(crowd, (f"/stream?sort=loss&q={number}" for number in range(200)))


async def equal_views(crowd: Crowd) -> None:
    await _watch(crowd, [f"/rooms/{ROOM}/stream"] * 900)


async def json_streams(crowd: Crowd) -> None:
    await _watch(crowd, [f"/report/stream/{ROOM}"] * 40)


async def json_reads(crowd: Crowd) -> None:
    await asyncio.gather(_change(crowd.url), *(_read_json(crowd.url) for _ in range(8)))


async def _read_json(url: str) -> None:
    while True:
        async with _requested(url, f"/report/metrics/{ROOM}") as answer:
            await answer.read()


async def pages(crowd: Crowd) -> None:
    """50 readers of pages that no other client reads."""
    await asyncio.gather(_change(crowd.url), *(_reload(crowd.url, reader) for reader in range(50)))


async def _reload(url: str, reader: int) -> None:
    number = 0
    while True:
        number += 1
        async with _requested(url, f"/rooms/{ROOM}?q={reader}&page={number}") as answer:
            await answer.read()


@asynccontextmanager
async def _requested(url: str, path: str) -> AsyncIterator[asyncio.StreamReader]:
    """The answer to a GET on a connection of its own, which may end early."""
    parts = urlsplit(url)
    answer, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    try:
        with suppress(ConnectionError):
            yield answer
    finally:
        writer.close()


async def joining_and_leaving(crowd: Crowd) -> None:
    """20 viewers that open another view as soon as a stream is open."""
    await asyncio.gather(_change(crowd.url), *(_hop(crowd.url, viewer) for viewer in range(20)))


async def _hop(url: str, viewer: int) -> None:
    number = 0
    while True:
        number += 1
        async with _requested(url, f"/rooms/{ROOM}/stream?q={viewer}-{number}") as answer:
            await answer.read(1)


SCENARIOS: dict[str, Pressure] = {
    "200 searches in a room of 1000 users": searches,
    "900 searches, of which 200 are admitted": too_many_searches,
    "192 searches over 6 connections": shared_searches,
    "200 pages of users": users,
    "200 searches in the list of rooms": lists,
    "900 viewers of one room": equal_views,
    "40 viewers of a room as JSON": json_streams,
    "8 readers of a room as JSON that changes": json_reads,
    "50 readers of pages of a room": pages,
    "20 viewers who change their view all the time": joining_and_leaving,
}
