"""The cost of one report and one push of a page as rooms, and their number, grow: against the smallest size."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from random import Random

from msgspec import Struct
from tests.server import Server

from benchmarks.bench import UNHURRIED, Bench
from benchmarks.calls import bodies, body, call, of_user, reference, seeded
from benchmarks.clients import Sender, at_pace, post_all, viewers
from benchmarks.clients import run as run_clients
from benchmarks.load import Load, interleaved, load, middle, post
from benchmarks.processes import cpu_seconds
from benchmarks.results import Row, at_most, stated

USERS = (10, 100, 1000, 10_000)
ROOMS = (100, 1000, 10_000)
SETTINGS = UNHURRIED | {"PUSH_INTERVAL": "0.02"}
RATE = 25
"""Reports a second while pushes are counted: more than there can be pushes."""

BODIES = 500
FEWEST, LONGEST = 4, 150.0
"""Pushes that are measured at least, and seconds that this may take."""


class World(Struct, frozen=True):
    """A server with many users in a room, or with many rooms; `reports` are by some of the present users."""

    server: Server
    stream: str
    marker: bytes
    reports: list[bytes]


class Pushes(Struct, frozen=True):
    """CPU seconds of one push, beyond the server's work without a viewer; how many a second; bytes of one."""

    cpu: float
    rate: float
    size: float


def _some(random: Random, count: int) -> Iterator[int]:
    return (random.randrange(count) for _ in range(BODIES))


def room_of(bench: Bench, stack: ExitStack, users: int, settings: Mapping[str, str] = SETTINGS) -> World:
    random = seeded(users)
    server = stack.enter_context(bench.server(f"growth-users-{users}", settings))
    run_clients(post_all(server.url, bodies(call("room", users, random))))
    reports = [body(reference(f"user-{user}", "room")) for user in _some(random, users)]
    return World(server, "/rooms/room/stream", b'"#summary"', reports)


def _rooms(bench: Bench, stack: ExitStack, rooms: int) -> World:
    random = seeded(rooms)
    server = stack.enter_context(bench.server(f"growth-rooms-{rooms}", SETTINGS))
    run_clients(post_all(server.url, bodies([of_user(f"room-{room}", 0, 1, random) for room in range(rooms)])))
    reports = [body(reference("user-0", f"room-{room}")) for room in _some(random, rooms)]
    return World(server, "/stream", b'"#totals"', reports)


async def _push(world: World, seconds: float) -> Pushes:
    """In the seconds of one snapshot interval, as its cost would otherwise be in only one of the two figures."""
    server, sender = world.server, Sender(world.server.url)

    async def post(number: int) -> None:
        await sender.post(world.reports[number % len(world.reports)])

    before = cpu_seconds(server.pid)
    await at_pace(post, RATE, seconds)
    unwatched = (cpu_seconds(server.pid) - before) / seconds
    async with viewers(server.url, [world.stream], marker=world.marker) as crowd:
        await at_pace(post, RATE, 1)
        before, pushes, size, started = cpu_seconds(server.pid), crowd.count(), crowd.bytes(), time.monotonic()
        # A big page is not pushed often: a view rests for several times as long as it takes.
        while (taken := time.monotonic() - started) < seconds or crowd.count() - pushes < FEWEST:
            if taken > LONGEST:
                raise RuntimeError(f"{server.url}{world.stream} is pushed too seldom")
            await at_pace(post, RATE, 1)
        cpu = cpu_seconds(server.pid) - before - taken * unwatched
        pushes, size = crowd.count() - pushes, crowd.bytes() - size
    sender.close()
    return Pushes(cpu / pushes, pushes / taken, size / pushes)


def run(bench: Bench) -> list[Row]:
    users, rooms = (USERS[:-1], ROOMS[:-1]) if bench.quick else (USERS, ROOMS)
    with ExitStack() as stack:
        worlds = {f"{count} users": room_of(bench, stack, count) for count in users}
        worlds |= {f"{count} rooms": _rooms(bench, stack, count) for count in rooms}
        measures = {name: partial(report, world, bench.seconds(3)) for name, world in worlds.items()}
        reports = interleaved(bench.rounds(3), measures)
        pushes = {name: run_clients(_push(world, bench.seconds(10))) for name, world in worlds.items()}
    bench.raw |= {"reports": reports, "pushes": pushes}
    costs = {name: middle(loads).cpu for name, loads in reports.items()}
    return [
        *_report_rows(costs, [f"{count} users" for count in users], "a room of"),
        *_report_rows(costs, [f"{count} rooms" for count in rooms], "the server with"),
        *_push_rows(pushes, [f"{count} users" for count in users], "of a room of", in_view="100 users"),
        *_push_rows(pushes, [f"{count} rooms" for count in rooms], "of the list of", in_view="100 rooms"),
    ]


def report(world: World, seconds: float) -> Load:
    requests = [post("/report/metrics", one.decode()) for one in world.reports]
    return load(world.server, requests, seconds)


def _report_rows(costs: dict[str, float], names: list[str], where: str) -> list[Row]:
    first = costs[names[0]]
    rows = [stated(f"CPU of a report into {where} {names[0]}", 1e6 * first, "µs")]
    for name in names[1:]:
        note = f"{1e6 * costs[name]:.0f} µs"
        rows.append(at_most(f"… with {name}, as a multiple of that", costs[name] / first, 1.3, note=note))
    return rows


def _push_rows(pushes: dict[str, Pushes], names: list[str], where: str, in_view: str) -> list[Row]:
    """The visible part stops growing at `in_view`, so the cost should, too."""
    rows, full = [], pushes[in_view].cpu
    for name in names:
        push = pushes[name]
        note = f"{push.size / 1000:.0f} kB"
        if names.index(name) <= names.index(in_view):
            rows.append(stated(f"CPU of a push of the page {where} {name}", 1000 * push.cpu, "ms", note))
        else:
            told = f"{1000 * push.cpu:.1f} ms, {note}"
            what = f"… with {name}, as a multiple of {in_view}"
            rows.append(at_most(what, push.cpu / full, 1.3, note=told))
    return rows
