"""Reads of answers and pages: CPU of a request, against only encoding its answer."""

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from shutil import rmtree
from typing import Generic, TypeVar

from msgspec import Struct, json
from tests.server import Server

from benchmarks.bench import UNHURRIED, Bench, in_process
from benchmarks.calls import bodies, body, bulk, call, reference, seeded
from benchmarks.clients import post_all
from benchmarks.clients import run as run_clients
from benchmarks.load import Load, Request, interleaved, load, middle, post, ratio
from benchmarks.processes import Target, roompulse
from benchmarks.results import Row, at_most
from roompulse.clock import WallClock
from roompulse.engines import engine_of
from roompulse.report.model import Received
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.model import Aggregate, RoomMetrics, Snapshot
from roompulse.settings import Settings

T = TypeVar("T")

SIZES = (10, 1000)
ROOMS, ROOM_USERS, LISTED = 5000, 4, 50
PAST_USERS = 50
INTERVAL = 5
DAY, SNAPSHOT_INTERVAL = 86_400, 10
CONNECTIONS = 4


class Answer(Struct, Generic[T]):
    data: T


def past_reports(at: float) -> Iterator[Received]:
    """The two minutes before `at`, of which a moment is made: each user reports every 5 seconds."""
    random = seeded(7)
    for second in range(0, 120, INTERVAL):
        yield from (Received(report, at - 120 + second) for report in call("past", PAST_USERS, random))


def room_of(reports: Iterator[Received], room_id: str) -> RoomMetrics:
    rooms = RoomsInMemory(Limits(9, 99_999, 999), stale_after=15, leave_after=60)
    for received in reports:
        rooms.apply(received)
    room = rooms.get(room_id)
    assert room
    return room.metrics()


def aggregate_of_call() -> Aggregate:
    """Of a room of PAST_USERS users."""
    return room_of(past_reports(0), "past").aggregate


async def seed(settings: Settings, at: float, aggregate: Aggregate) -> None:
    """A day of snapshots, and the reports of two minutes."""
    engine = engine_of(settings, WallClock())
    async with engine.database.open():
        for second in range(0, DAY, SNAPSHOT_INTERVAL):
            await engine.store.add_snapshots(at - DAY + second, [("history", aggregate)])
        reports = list(past_reports(at))
        for place in range(0, len(reports), 500):
            await engine.log.append(reports[place : place + 500])
        await engine.close()


def _fill(server: Server, rooms: int) -> None:
    for users in SIZES:
        run_clients(post_all(server.url, bodies(call(f"room-of-{users}", users, seeded(users)))))
    many = (bulk(f"room-{room:05}", ROOM_USERS, 1) for room in range(rooms))
    run_clients(post_all(server.url, bodies(many), 8))


def run(bench: Bench) -> list[Row]:
    at = float(int(time.time()) - 7200)
    past = room_of(past_reports(at), "past")
    data = bench.data("reads")
    asyncio.run(seed(Settings(data=data), at, past.aggregate))
    with roompulse(data, UNHURRIED) as server, bench.baseline("litestar") as litestar:
        _fill(server, ROOMS // 5 if bench.quick else ROOMS)
        reads = Reads(bench, server, litestar)
        rows = [row for users in SIZES for row in reads.room(users)]
        rows.append(reads.answer("ids of all rooms", "/report/rooms", list[str]))
        path = f"/report/history/history?from={at - DAY}&limit=10000"
        rows.append(reads.answer("history of 24 h, 8 640 snapshots", path, list[Snapshot]))
        rows += [reads.overview(), reads.moment(at, past)]
    rmtree(data)
    bench.raw |= reads.found
    return rows


class Reads:
    def __init__(self, bench: Bench, server: Server, litestar: Target) -> None:
        self.found: dict[str, dict[str, list[Load]]] = {}
        self._bench = bench
        self._server = server
        self._litestar = litestar

    def _measure(self, what: str, loads: dict[str, tuple[Target, list[Request]]], connections: int) -> dict[str, Load]:
        seconds = self._bench.seconds(2)
        measures = {name: partial(load, *one, seconds, connections) for name, one in loads.items()}
        found = self.found[what] = interleaved(self._bench.rounds(3), measures)
        return {name: middle(rounds) for name, rounds in found.items()}

    def _read(self, what: str, path: str) -> tuple[Load, bytes]:
        content = self._server.get(path).content
        return self._measure(what, {"get": (self._server, [Request("GET", path)])}, CONNECTIONS)["get"], content

    def room(self, users: int) -> list[Row]:
        path = f"/report/metrics/room-of-{users}"
        answer = self._server.get(path)
        get = Request("GET", path)
        known = Request("GET", path, header=f"If-None-Match: {answer.headers['etag']}")
        empty = self._litestar, [Request("GET", "/bytes/0")]
        sized = self._litestar, [Request("GET", f"/bytes/{len(answer.content)}")]
        targets = {"unchanged": (self._server, [get]), "sized": sized, "known": (self._server, [known]), "empty": empty}
        what = f"a room of {users} users"
        unchanged = self._measure(f"{what}, unchanged", targets, CONNECTIONS)
        rounds = self.found[f"{what}, unchanged"]
        cpu = {name: [one.cpu for one in loads] for name, loads in rounds.items()}
        size = f"{len(answer.content) / 1000:.0f} kB, {1e6 * unchanged['unchanged'].cpu:.0f} µs"
        known_cost = f"{1e6 * unchanged['known'].cpu:.0f} µs"
        return [
            at_most(
                f"{what}, unchanged, as a multiple of an empty handler that answers as many bytes",
                ratio(cpu["unchanged"], cpu["sized"]),
                2,
                note=size,
            ),
            at_most(
                "… asked for with its ETag, as a multiple of an empty handler",
                ratio(cpu["known"], cpu["empty"]),
                2,
                note=known_cost,
            ),
            self._changed(what, users, get, json.decode(answer.content, type=Answer[RoomMetrics]).data),
        ]

    def _changed(self, what: str, users: int, get: Request, answer: RoomMetrics) -> Row:
        """One connection, so that each answer follows another report; the cost of reports is subtracted."""
        reports = [body(reference(f"user-{user}", f"room-of-{users}")).decode() for user in range(users)]
        posts = [post("/report/metrics", report) for report in reports]
        both = [request for one in posts for request in (one, get)]
        targets: dict[str, tuple[Target, list[Request]]] = {
            "posts": (self._server, posts),
            "both": (self._server, both),
        }
        found = self._measure(f"{what}, changed", targets, 1)
        cpu = 2 * found["both"].cpu - found["posts"].cpu
        return self._row("… after a change", cpu, in_process(lambda: json.encode(answer)))

    def answer(self, what: str, path: str, kind: type[object]) -> Row:
        found, content = self._read(what, path)
        data: object = json.decode(content, type=Answer[kind]).data  # type: ignore[valid-type]
        return self._row(what, found.cpu, in_process(lambda: json.encode(data)))

    def overview(self) -> Row:
        """A page is no JSON: the rooms of its first page are encoded instead."""
        found, _ = self._read("the page /", "/")
        names = json.decode(self._server.get("/report/rooms").content, type=Answer[list[str]]).data
        rooms = [self._server.get(f"/report/metrics/{name}").content for name in names[:LISTED]]
        shown = [json.decode(room, type=Answer[RoomMetrics]).data for room in rooms]
        return self._row(f"the page / with {len(names)} rooms", found.cpu, in_process(lambda: json.encode(shown)))

    def moment(self, at: float, past: RoomMetrics) -> Row:
        found, _ = self._read("time travel", f"/rooms/past?at={at}")
        what = f"time travel: the page of a room of {PAST_USERS} users at a moment"
        return self._row(what, found.cpu, in_process(lambda: json.encode(past)))

    @staticmethod
    def _row(what: str, cpu: float, encode: float) -> Row:
        note = f"{1e6 * cpu:.0f} µs, encoding {1e6 * encode:.0f} µs"
        return at_most(f"{what}, as a multiple of encoding it as JSON", cpu / encode, 3, note=note)
