"""The memory of a live stream, a viewer and a room, and the size of a stream's sample in the database."""

import sqlite3
from pathlib import Path
from shutil import rmtree

from tests.server import Server

from benchmarks.bench import UNHURRIED, Bench
from benchmarks.calls import bodies, body, bulk, reference
from benchmarks.clients import Sender, at_pace, post_all, viewers
from benchmarks.clients import run as run_clients
from benchmarks.processes import resident_bytes, roompulse
from benchmarks.results import Row, at_most, stated

ROOMS, USERS, STREAMS = 1000, 50, 2
VIEWERS = 500
SMALL_ROOMS = 5000
REPORTS = 20_000


def run(bench: Bench) -> list[Row]:
    rooms = ROOMS // 5 if bench.quick else ROOMS
    per_stream = _per_stream(bench, rooms)
    per_room = _per_room(bench)
    per_viewer = _per_viewer(bench)
    sample, bulk_sample = _database(bench)
    bench.raw |= {
        "bytes_of_a_stream": per_stream,
        "bytes_of_a_room": per_room,
        "bytes_of_a_viewer": per_viewer,
        "database_bytes_of_a_sample": sample,
        "database_bytes_of_a_sample_in_bulk": bulk_sample,
    }
    streams = f"{rooms * USERS * STREAMS} streams, their rooms and users included"
    return [
        at_most("memory of a live stream", per_stream / 1000, 2, "kB", streams),
        at_most("memory of a viewer", per_viewer / 1000, 40, "kB", f"{VIEWERS} viewers of a room's page of 20 users"),
        stated("memory of 1 000 rooms of one user with one stream", per_room / 1000, "MB"),
        at_most("database bytes of a stream's sample, reference reports", sample, 120, "bytes", "index included"),
        stated("… in bulk, two streams an entry", bulk_sample, "bytes"),
    ]


def _grown(server: Server, before: int) -> int:
    return resident_bytes(server.pid) - before


def _per_stream(bench: Bench, rooms: int) -> float:
    """Reports are posted in bulk; small ones first, so that one-time allocations are done already."""
    with bench.server("memory-streams", UNHURRIED) as server:
        run_clients(post_all(server.url, bodies([bulk("warm", USERS, STREAMS)] * 200)))
        before = resident_bytes(server.pid)
        run_clients(post_all(server.url, bodies(bulk(f"room-{room}", USERS, STREAMS) for room in range(rooms)), 4))
        return _grown(server, before) / (rooms * USERS * STREAMS)


def _per_room(bench: Bench) -> float:
    with bench.server("memory-rooms", UNHURRIED) as server:
        run_clients(post_all(server.url, bodies([reference("u1", "warm")] * 1000)))
        before = resident_bytes(server.pid)
        run_clients(post_all(server.url, bodies(reference("u1", f"room-{room}") for room in range(SMALL_ROOMS))))
        return _grown(server, before) / SMALL_ROOMS


def _per_viewer(bench: Bench) -> float:
    with bench.server("memory-viewers", UNHURRIED) as server:
        return run_clients(_watched(server))


async def _watched(server: Server) -> float:
    """While they are pushed to, so that the memory of working mailboxes and connections is counted."""
    reports = [body(reference(f"u{user}", "room-1")) for user in range(20)]
    await post_all(server.url, reports)
    sender = Sender(server.url)

    async def post(number: int) -> None:
        await sender.post(reports[number % len(reports)])

    path = "/rooms/room-1/stream"
    async with viewers(server.url, [path] * 50):
        await at_pace(post, 10, 2)
        before = resident_bytes(server.pid)
        async with viewers(server.url, [path] * VIEWERS):
            await at_pace(post, 10, 4)
            grown = _grown(server, before)
    sender.close()
    return grown / VIEWERS


def _database(bench: Bench) -> tuple[float, float]:
    """Bytes of a sample of reference reports, and of bulk reports."""
    names = [(f"room-{number % 100}", f"u{number // 100 % 10}") for number in range(REPORTS)]
    sizes = []
    for samples, reports in (
        (REPORTS, (reference(user, room) for room, user in names)),
        (200 * USERS * STREAMS, (bulk(f"room-{room % 10}", USERS, STREAMS) for room in range(200))),
    ):
        data = bench.data("memory-database")
        with roompulse(data, UNHURRIED) as server:
            run_clients(post_all(server.url, bodies(reports)))
        # At its end the server writes the log into the database.
        sizes.append(_used(data / "roompulse.db") / samples)
        rmtree(data)
    return sizes[0], sizes[1]


def _used(path: Path) -> int:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    connection.close()
    return int(pages) * int(size)
