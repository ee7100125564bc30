"""The real process does not grow with invented ids."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import body
from tests.process import DEADLINE
from tests.server import Server

pytestmark = pytest.mark.slow

ROOMS = 100_000
WARM_UP = 20_000
"""Rooms after which all that is kept is full, and the process as large as it gets."""

CONNECTIONS = 8
AT_ONCE = 16
"""Reports that are sent over a connection before their answers are read."""

BODY = body(room_id="made-up-000000", metrics=[])
REQUEST = b"POST /report/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)

MOST_GROWTH = 4 * 2**20
"""Bytes of 80,000 rooms if 50 bytes of each were kept."""


def test_memory_stays_flat_under_a_hundred_thousand_made_up_rooms(make_server: Callable[..., Server]) -> None:
    with make_server(MAX_ROOMS=1000, LEAVE_AFTER=600).running() as server:
        statuses = asyncio.run(make_up(server, range(WARM_UP)))
        assert statuses == {200: 1000, 503: WARM_UP - 1000}
        before = resident(server)
        statuses = asyncio.run(make_up(server, range(WARM_UP, ROOMS)))
        assert statuses == {503: ROOMS - WARM_UP}
        assert resident(server) - before < MOST_GROWTH
        assert len(server.get("/report/rooms").json()["data"]) == 1000


def resident(server: Server) -> int:
    """Bytes of memory that the process has."""
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


async def make_up(server: Server, rooms: range) -> dict[int, int]:
    """Report once from each of these rooms, and return how often each status was the answer."""
    statuses: dict[int, int] = {}
    parts = [rooms[first::CONNECTIONS] for first in range(CONNECTIONS)]
    for found in await asyncio.gather(*(report(server, part) for part in parts)):
        for status in found:
            statuses[status] = statuses.get(status, 0) + 1
    return statuses


async def report(server: Server, rooms: range) -> list[int]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    statuses = []
    for start in range(0, len(rooms), AT_ONCE):
        some = rooms[start : start + AT_ONCE]
        writer.write(b"".join(request(number) for number in some))
        async with asyncio.timeout(DEADLINE):
            statuses += [await status(reader) for _ in some]
    writer.close()
    await writer.wait_closed()
    return statuses


def request(number: int) -> bytes:
    return REQUEST.replace(b"000000", b"%06d" % number)


async def status(reader: asyncio.StreamReader) -> int:
    """The status of the next answer, which is read to its end."""
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
    return int(head[9:12])
