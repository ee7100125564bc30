"""The cost of insights: rollups beside the ingest of the same calls, and reads of a week of 10,000 users."""

import asyncio
import time
from collections.abc import Callable, Sequence
from shutil import rmtree

from msgspec.structs import replace
from tests.builders import NOW

from benchmarks.bench import Bench
from benchmarks.calls import body, of_user, seeded
from benchmarks.results import Row, at_most, stated
from roompulse.insights.cell import Cell, Cells
from roompulse.insights.collector import Minute, Rollup
from roompulse.insights.model import DIMENSIONS, PARTS, Span
from roompulse.insights.queries import InsightsQuery, all_insights, insights, trends
from roompulse.insights.store import SqlRollups
from roompulse.insights.users import hash_of
from roompulse.report.decode import decode_report
from roompulse.report.model import Connection, Device, Received, Report
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.settings import Settings
from roompulse.store.contract import Steps
from roompulse.store.engine import Database
from roompulse.store.schema import HOUR, MINUTE
from roompulse.store.sql_store import SqlStore

ROOMS, ROOM_USERS, INTERVAL = 400, 5, 5
"""A fifth of 10,000 users: the cost of both is that of each user. INTERVAL is seconds between two reports."""

BATCH = 32
WEEK = 7 * 24 * HOUR
USERS, VALUES = 10_000, 20
REGIONS = ("eu-west", "us-east", "ap-south")
NEVER = 10.0**6


def _report(room: int, user: int) -> Report:
    one = of_user(f"room-{room}", user, ROOM_USERS, seeded(room * ROOM_USERS + user), ROOM_USERS - 1)
    device, connection = Device("desktop", "Windows 11", "Chrome 142", "wifi"), Connection("host", "udp")
    own = replace(one.metrics[0], device=device, connection=connection)
    return replace(one, metrics=[own, *one.metrics[1:]], labels={"region": REGIONS[room % len(REGIONS)]})


class _Minute:
    """CPU seconds of a minute of calls: of all that is done with their reports but HTTP, and of their rollups."""

    def __init__(self, database: Database) -> None:
        self.ingest = self.rollups = 0.0
        self._store, self._stored = SqlStore(database), SqlRollups(database)
        self._rooms = RoomsInMemory(Limits(ROOMS, ROOM_USERS, 64), stale_after=NEVER, leave_after=NEVER)
        self._bodies = [body(_report(room, user)) for room in range(ROOMS) for user in range(ROOM_USERS)]

    async def run(self) -> None:
        minute = Minute(int(NOW))
        for part in range(PARTS):
            started = time.process_time()
            for _ in range(MINUTE // PARTS // INTERVAL):
                for start in range(0, len(self._bodies), BATCH):
                    some = self._bodies[start : start + BATCH]
                    reports = [Received(decode_report(one), NOW) for one in some]
                    await self._store.append(reports)
                    for received in reports:
                        self._rooms.apply(received)
            rooms = [room for room_id in self._rooms.ids() if (room := self._rooms.get(room_id))]
            await self._store.add_snapshots(NOW, [(room.room_id, room.summary().aggregate) for room in rooms])
            self.ingest += time.process_time() - started
            started = time.process_time()
            minute.begin_look(0)
            for room in rooms:
                minute.look(room, part)
            self.rollups += time.process_time() - started
        started = time.process_time()
        await self._stored.add([_result(minute.rollup())])
        self.rollups += time.process_time() - started


def _result(steps: Steps[Rollup]) -> Rollup:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            rollup: Rollup = done.value
            return rollup


def _hour() -> dict[str, Cells]:
    """Of 10,000 users, by VALUES values in each dimension."""
    cells: dict[str, Cells] = {by: {f"value {number}": Cell() for number in range(VALUES)} for by in DIMENSIONS}
    random = seeded(1)
    for user in range(USERS):
        score = 4.4 - random.expovariate(4)
        for some in cells.values():
            some[f"value {random.randrange(VALUES)}"].add(hash_of(f"user-{user}"), (max(1.0, score), "loss"))
    return cells


async def _fill(store: SqlRollups, start: int) -> None:
    """A week of hours, and the minutes of its trends."""
    hour = _hour()
    for begin in range(start, start + WEEK, HOUR):
        minutes = [Rollup(at, Minute(at).totals) for at in range(begin, begin + HOUR, MINUTE)]
        for minute in minutes:
            minute.totals.looks, minute.totals.good = 6, 6 * USERS
        await store.add(minutes)
        await store.add_hour(begin, hour, [])


def _seconds(steps: Callable[[], Steps[object]]) -> float:
    started = time.perf_counter()
    for _ in steps():
        pass
    return time.perf_counter() - started


async def _reads(store: SqlRollups, start: int) -> tuple[float, float, float]:
    await _fill(store, start)
    week = Span(start, start + WEEK)
    query = InsightsQuery(DIMENSIONS[0], week)
    return (
        _seconds(lambda: insights(store, query)),
        _seconds(lambda: trends(store, week, HOUR)),
        _seconds(lambda: all_insights(store, week, None)),
    )


async def _measure(bench: Bench) -> tuple[_Minute, Sequence[float]]:
    data = bench.data("insights")
    data.mkdir(parents=True)
    database = Database(Settings(data=data))
    try:
        async with database.open():
            minute = _Minute(database)
            for _ in range(bench.rounds(3)):
                await minute.run()
            return minute, await _reads(SqlRollups(database), int(NOW) - WEEK)
    finally:
        rmtree(data, ignore_errors=True)


def run(bench: Bench) -> list[Row]:
    minute, (one, points, page) = asyncio.run(_measure(bench))
    bench.raw |= {"ingest": minute.ingest, "rollups": minute.rollups, "insights": one, "trends": points, "page": page}
    users = ROOMS * ROOM_USERS * bench.rounds(3)
    return [
        at_most(
            f"rollups, beside ingest without HTTP of rooms of {ROOM_USERS}, a report each {INTERVAL} s",
            100 * minute.rollups / minute.ingest,
            3,
            "%",
            f"{1e6 * minute.rollups / users:.0f} µs a user and minute",
        ),
        at_most(f"insights by SDK version, 7 days of {USERS} users, {VALUES} values", one, 1, "s"),
        at_most(f"trends, 7 days of {USERS} users", points, 1, "s"),
        stated("… the page of insights: all dimensions", page, "s"),
    ]
