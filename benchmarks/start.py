"""The time of a start: with an empty database, and with many live streams to rebuild.

Nearly all of it is work of one thread, so CPU equals the elapsed time on an idle machine.
"""

import asyncio
import time
from collections.abc import Sequence
from shutil import rmtree
from statistics import median

from msgspec import Struct, json

from benchmarks.bench import Bench
from benchmarks.calls import call, seeded
from benchmarks.processes import cpu_seconds, roompulse
from benchmarks.results import Row, at_most, stated
from roompulse.report.model import Received
from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.sql_store import SqlStore

USERS, RECEIVED = 20, 1
"""Of each room; each user reports one sent and one received stream: 40 streams a room."""

SETTINGS = {"LEAVE_AFTER": "600"}
PORTION = 500


class Started(Struct, frozen=True):
    """Seconds until it listens, CPU seconds until then, and how many rooms are live."""

    seconds: float
    cpu: float
    rooms: int


async def _fill(settings: Settings, streams: int, reports: int) -> None:
    """`streams` live streams, each reported `reports` times within the last minute."""
    random, now = seeded(7), time.time()
    rooms = streams // (2 * USERS)
    database = Database(settings)
    async with database.open():
        store = SqlStore(database)
        for number in range(reports):
            at = now - 60 + 60 * number / reports
            some = [
                Received(report, at)
                for room in range(rooms)
                for report in call(f"room-{room}", USERS, random, RECEIVED)
            ]
            for place in range(0, len(some), PORTION):
                await store.append(some[place : place + PORTION])


def _start(bench: Bench, name: str, streams: int, reports: int) -> Started:
    data = bench.data(name)
    if streams:
        asyncio.run(_fill(Settings(data=data), streams, reports))
    started = time.perf_counter()
    with roompulse(data, SETTINGS) as server:
        seconds, cpu = time.perf_counter() - started, cpu_seconds(server.pid)
        rooms = json.decode(server.get("/report/rooms").content)["data"]
    rmtree(data)
    if len(rooms) != streams // (2 * USERS):
        raise RuntimeError(f"{len(rooms)} rooms are live after the start")
    return Started(seconds, cpu, len(rooms))


def run(bench: Bench) -> list[Row]:
    empty, rebuilt, reported = [], [], []
    streams = 20_000 if bench.quick else 100_000
    for _ in range(bench.rounds(3)):
        empty.append(_start(bench, "start-empty", 0, 0))
        rebuilt.append(_start(bench, "start-rebuild", streams, 1))
    reported.append(_start(bench, "start-reported", streams // 10, 12))
    bench.raw |= {"empty": empty, "rebuilt": rebuilt, "reported": reported}
    alone = _cpu(empty)
    whole = 100_000 / streams * (_cpu(rebuilt) - alone)
    often = 10 * 100_000 / streams * (_cpu(reported) - alone)
    clock = f"{_seconds(rebuilt) - _seconds(empty):.2f} s by the clock for {streams}"
    told = f"extrapolated from {streams // 10} streams"
    return [
        at_most(
            "from the command to listening, empty", alone, 1.5, "s of CPU", f"{_seconds(empty):.2f} s by the clock"
        ),
        at_most("rebuild of 100 000 live streams of one report each", whole, 3, "s of CPU", clock),
        stated("… each reported 12 times in a minute, as in a real call", often, "s of CPU", told),
    ]


def _seconds(starts: Sequence[Started]) -> float:
    return median(start.seconds for start in starts)


def _cpu(starts: Sequence[Started]) -> float:
    return median(start.cpu for start in starts)
