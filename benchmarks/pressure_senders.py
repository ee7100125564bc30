"""The worst that one sender can post beside ingest, within and beyond what it may.

Each scenario runs until it is cancelled, in a process of its own, beside the probe of the benchmark that measures it.
Bodies are made beforehand: who presses has a core to itself, and half of it is the probe's.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import count, cycle
from typing import Protocol
from urllib.parse import urlsplit

from tests.builders import report, stream

from benchmarks.calls import body
from benchmarks.clients import POST
from roompulse.report.model import Entry, Event

ADDRESS = "127.0.0.3"
"""Of who presses: the probe is another sender."""

WAIT = 0.2
"""Seconds after which a rejected sender retries, regardless of `Retry-After`."""


class Crowd(Protocol):
    @property
    def url(self) -> str: ...


Pressure = Callable[[Crowd], Awaitable[None]]


async def _send(crowd: Crowd, bodies: Sequence[bytes], *, senders: int, pace: float = 0.0) -> None:
    """So many connections, each of which posts the next body `pace` seconds after it had an answer."""
    parts = urlsplit(crowd.url)
    requests = [POST.format(path="/report/metrics", length=len(one)).encode() + one for one in bodies]
    following = cycle(requests)

    async def send() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, local_addr=(ADDRESS, 0))
        while True:
            writer.write(next(following))
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
            await asyncio.sleep(pace if b" 200 " in head[:20] else WAIT)

    await asyncio.gather(*(send() for _ in range(senders)))


def _bulk(room_id: str, users: int) -> bytes:
    entries = [Entry(f"user-{user}", [stream(video=None, audio=None)]) for user in range(users)]
    return body(report(f"server of {room_id}", room_id, entries, role="server", report_time=int(time.time())))


async def one_bulk(crowd: Crowd) -> None:
    await _send(crowd, [_bulk("hall", 5_000)], senders=1, pace=1.0)


async def many_bulks(crowd: Crowd) -> None:
    """First as many users as one may bring in, and then what it may say of them, for as long as it may."""
    await _send(crowd, [_bulk(f"hall-{number}", 4_000) for number in range(20)], senders=4)


async def refused(crowd: Crowd) -> None:
    """Bodies that only their last byte makes invalid."""
    await _send(crowd, [_bulk("hall", 5_000).replace(b'"role":"server"', b'"role":7')], senders=4)


async def events(crowd: Crowd) -> None:
    """As many events as reports may have, of which each is another, in 500 rooms."""
    now, numbers = int(time.time()), count()
    bodies = [
        body(
            report(
                f"user-{number % 50}",
                f"room-{number}",
                [],
                report_time=now,
                events=[Event(f"event {next(numbers)}", now, detail="x" * 500) for _ in range(100)],
            )
        )
        for number in range(500)
    ]
    await _send(crowd, bodies, senders=8, pace=0.02)


async def listener(crowd: Crowd) -> None:
    """One user who receives 9,000 streams, which change all the time, and who reads it and its page."""
    whole = _received_by("listener", 0, 9_000)
    changes = [_received_by("listener", number, 1) for number in range(0, 9_000, 10)]
    await asyncio.gather(
        _send(crowd, [whole], senders=1, pace=5.0),
        _send(crowd, changes, senders=1, pace=0.2),
        *(_read(crowd, path) for path in ("/report/metrics/stage/listener",) * 2),
        *(_read(crowd, path) for path in ("/rooms/stage/users/listener/stream", "/report/stream/stage")),
    )


def _received_by(user_id: str, first: int, streams: int) -> bytes:
    received = [
        stream("camera", "recv", sender_id=f"user-{number}", video=None, audio=None)
        for number in range(first, first + streams)
    ]
    return body(report("server", "stage", [Entry(user_id, received)], role="server", report_time=int(time.time())))


async def _read(crowd: Crowd, path: str) -> None:
    parts = urlsplit(crowd.url)
    while True:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, local_addr=(ADDRESS, 0))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        while await reader.read(1 << 20):
            pass
        writer.close()


SCENARIOS: dict[str, Pressure] = {
    "a report about 5,000 users each second": one_bulk,
    "reports about 4,000 users, as many as are taken": many_bulks,
    "bodies of 600 kB that are no reports": refused,
    "100 events in each report, into 500 rooms": events,
    "a user who receives 9,000 streams": listener,
}
