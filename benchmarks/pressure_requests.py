"""The heaviest requests beside ingest, other than reads of one room: bursts, and expensive work.

Each scenario runs until it is cancelled, in a process of its own, beside the probe of the benchmark that measures it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from benchmarks.pressure_senders import ADDRESS

ROOM, DAY, MEGABYTE = "keynote", 86_400, 1_000_000
BURST, PAUSE = 250, 5.0
"""Requests that one address may make at once, and seconds after which it may do so again, by default."""


class Crowd(Protocol):
    @property
    def url(self) -> str: ...
    @property
    def ended_at(self) -> float: ...


Pressure = Callable[[Crowd], Awaitable[None]]


async def _request(
    url: str, method: str, path: str, body: object = None, *, content: bytes = b"", announced: int | None = None
) -> None:
    """Make a request with a `body`, or `content` of which more is `announced`, and read the answer."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, local_addr=(ADDRESS, 0))
    content = content if body is None else msgspec.json.encode(body)
    length = len(content) if announced is None else announced
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    writer.write(head.encode() + content)
    try:
        with suppress(ConnectionError):
            while await reader.read(1 << 16):
                pass
    finally:
        writer.close()


def _burst(path: str) -> Pressure:
    async def burst(crowd: Crowd) -> None:
        while True:
            await asyncio.gather(*(_request(crowd.url, "GET", path) for _ in range(BURST)), asyncio.sleep(PAUSE))

    return burst


async def previews(crowd: Crowd) -> None:
    rule = {"name": "poor", "severity": "warning", "subject": "user"}
    rule |= {"when": [{"metric": "score", "op": "<", "value": 3.1}]}  # type: ignore[dict-item]
    body = {"rule": rule, "from": crowd.ended_at - DAY}
    while True:
        await _request(crowd.url, "POST", "/report/alerts/rules/preview", body)


async def erasing(crowd: Crowd) -> None:
    for number in range(1000):
        await _request(crowd.url, "DELETE", f"/report/users/user-{number}")


async def halves(crowd: Crowd) -> None:
    """400 clients that send a megabyte of a report and wait for the answer, repeatedly."""

    async def send() -> None:
        while True:
            await _request(crowd.url, "POST", "/report/metrics", announced=MEGABYTE + 1, content=b" " * MEGABYTE)

    await asyncio.gather(*(send() for _ in range(400)))


async def rules(crowd: Crowd) -> None:
    """As many rules as allowed, all of which hold for all users, and readers of the results."""
    rule = {"name": "any", "severity": "info", "subject": "user"}
    rule |= {"when": [{"metric": "score", "op": ">", "value": 0}]}  # type: ignore[dict-item]
    for _ in range(200):
        await _request(crowd.url, "POST", "/report/alerts/rules", rule)

    async def read(path: str) -> None:
        while True:
            await _request(crowd.url, "GET", path)

    paths = ("/alerts", "/alerts/rules", "/report/alerts?limit=10000", f"/rooms/{ROOM}")
    await asyncio.gather(*(read(path) for path in paths for _ in range(5)))


async def notes(crowd: Crowd) -> None:
    async def write() -> None:
        while True:
            await _request(crowd.url, "POST", f"/report/notes/{ROOM}", {"text": "x" * 400})

    await asyncio.gather(*(write() for _ in range(50)))


SCENARIOS: dict[str, Pressure] = {
    "250 requests for the description at once": _burst("/report/openapi.json"),
    "250 requests for the page of rules at once": _burst("/alerts/rules"),
    "a preview of an alert over a day": previews,
    "50 who write notes": notes,
    "400 bodies that stop in the middle": halves,
    # The last ones, as they change stored data and the processing of each report.
    "erasing one user after the other": erasing,
    "200 rules that hold for all users": rules,
}
