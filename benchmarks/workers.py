"""Workers on one PostgreSQL, beside a process on SQLite: rates, cost of following, pushes, and stale reads.

The workers, PostgreSQL and the load share the cores, so only the ratio to the process beside them matters.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from operator import attrgetter
from random import Random
from shutil import rmtree
from statistics import median, quantiles

from msgspec import Struct, json
from tests.builders import report, stream, video
from tests.postgres_server import PostgresServer, schema_of
from tests.server import Server

from benchmarks import growth, lag
from benchmarks.bench import UNHURRIED, Bench, in_process
from benchmarks.calls import body, of_user
from benchmarks.clients import Sender
from benchmarks.clients import run as run_clients
from benchmarks.ingest import SENDERS, SETTINGS, reports
from benchmarks.load import Load, Request, interleaved, load, middle, post, ratio
from benchmarks.processes import cpu_seconds, roompulse
from benchmarks.reads import DAY, PAST_USERS, Answer, past_reports, room_of, seed
from benchmarks.results import Row, at_least, at_most, stated
from roompulse.report.model import Entry
from roompulse.rooms.model import Snapshot
from roompulse.settings import Settings

COUNTS = (1, 2, 3)
STREAMS = (1, 8)
LAG_RATE = 200
"""Reports a second while pushes are timed: three processes share two cores."""

PAIRS, AT_ONCE = 3_000, 8
"""Reports that are read at another worker immediately, and how many of them at a time."""

ROOM_SIZES = (10, 10_000)


class Side(Struct, frozen=True):
    """CPU seconds a report or request: of the server, and of PostgreSQL."""

    loads: list[Load]
    database: list[float]

    def cpu(self) -> float:
        return middle(self.loads).cpu + median(self.database)


class Shared(Struct, frozen=True):
    """CPU seconds of a report: of the worker that takes it, of one that follows, and of PostgreSQL."""

    taken: float
    followed: float
    stored: float


@contextmanager
def database(bench: Bench, *settings: str) -> Iterator[PostgresServer]:
    """A PostgreSQL with an empty folder, which is deleted at the end."""
    folder = bench.data("workers-postgres")
    folder.mkdir()
    server = PostgresServer(folder, "fsync=on", "wal_compression=lz4", *settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        rmtree(folder)


def run(bench: Bench) -> list[Row]:
    with database(bench) as postgres:
        return [
            *_rates(bench, postgres),
            *_following(bench, postgres),
            *_pushes(bench, postgres),
            *run_clients(_reads_elsewhere(bench, postgres, 500 if bench.quick else PAIRS)),
            *_rooms(bench, postgres),
            *_past(bench, postgres),
        ]


def _loaded(server: Server, requests: list[Request], seconds: float, postgres: PostgresServer) -> tuple[Load, float]:
    """A round of load, and CPU seconds of PostgreSQL for each request."""
    before = cpu_seconds(postgres.pid)
    found = load(server, requests, seconds)
    return found, (cpu_seconds(postgres.pid) - before) / (found.rate * seconds)


def _rates(bench: Bench, postgres: PostgresServer) -> list[Row]:
    with ExitStack() as stack:
        servers = {"SQLite": stack.enter_context(bench.server("workers-sqlite", SETTINGS))}
        for count in COUNTS:
            settings = SETTINGS | {"DATABASE_URL": schema_of(postgres.url)}
            several = bench.server(f"workers-{count}", settings, "--workers", str(count))
            servers[str(count)] = stack.enter_context(several)
        requests = reports("/report/metrics")
        for server in servers.values():
            load(server, requests, 2)
        measures = {
            name: partial(_loaded, server, requests, bench.seconds(5), postgres) for name, server in servers.items()
        }
        rounds = interleaved(bench.rounds(5), measures)
    found = {name: Side([one for one, _ in each], [cpu for _, cpu in each]) for name, each in rounds.items()}
    bench.raw["rates"] = found
    return _rate_rows(found)


def _rate_rows(found: dict[str, Side]) -> list[Row]:
    alone = found["SQLite"]
    first = middle(alone.loads)
    rows = [stated("reports a second of a process on SQLite", first.rate, note=f"{1e6 * first.cpu:.0f} µs of CPU")]
    for name, goal in (("1", 0.9), ("2", None), ("3", 0.75)):
        side = found[name]
        multiple = ratio([one.rate for one in side.loads], [one.rate for one in alone.loads])
        here = middle(side.loads)
        note = f"{here.rate:.0f} a second, p99 {1000 * here.p99:.0f} ms, {1e6 * here.cpu:.0f} µs of CPU"
        note += f" and {1e6 * median(side.database):.0f} of PostgreSQL"
        what = f"rate of {name} worker{'s' * (name != '1')} on PostgreSQL, as a multiple of that"
        rows.append(stated(what, multiple, note=note) if goal is None else at_least(what, multiple, goal, note=note))
    cost = found["1"].cpu() / first.cpu
    rows.append(at_most("CPU of a report, 1 worker and PostgreSQL, as a multiple of SQLite", cost, 1.3))
    return rows


def _bodies(streams: int) -> list[Request]:
    """Reports of the senders of the ingest benchmark, with sent and received streams."""
    random = Random(streams)  # noqa: S311
    made = [of_user(room, user, len(SENDERS), random, streams - 1) for user, (room, _) in enumerate(SENDERS)]
    return [post("/report/metrics", body(one).decode()) for one in made]


def _following(bench: Bench, postgres: PostgresServer) -> list[Row]:
    """The cost in a worker of reports accepted by another one, and in PostgreSQL for both."""
    rows, seconds = [], bench.seconds(5)
    url = schema_of(postgres.url)
    settings = SETTINGS | {"DATABASE_URL": url}
    with bench.server("workers-takes", settings) as takes, bench.server("workers-follows", settings) as follows:
        before = cpu_seconds(follows.pid)
        time.sleep(seconds)
        idle = (cpu_seconds(follows.pid) - before) / seconds
        rows.append(at_most("an idle worker, CPU a second", 1000 * idle, 20, "ms"))
        bench.raw["idle"] = idle
        for streams, goal in zip(STREAMS, (0.12, 0.25), strict=True):
            shares = []
            for _ in range(bench.rounds(3)):
                before = cpu_seconds(follows.pid)
                taken, stored = _loaded(takes, _bodies(streams), seconds, postgres)
                followed = (cpu_seconds(follows.pid) - before - idle * seconds) / (taken.rate * seconds)
                shares.append(Shared(taken.cpu, followed, stored))
            bench.raw[f"following, {streams} streams"] = shares
            names = Shared.__struct_fields__
            taking, following, storing = (1e6 * median(map(attrgetter(name), shares)) for name in names)
            what = f"following a report of {streams} stream{'s' * (streams > 1)}, as a multiple of taking it"
            share = median(one.followed / one.taken for one in shares)
            note = f"{following:.0f} µs, {taking:.0f} µs, PostgreSQL {storing:.0f} µs"
            rows.append(at_most(what, share, goal, note=note))
    return rows


def _pushes(bench: Bench, postgres: PostgresServer) -> list[Row]:
    settings = {"PUSH_INTERVAL": str(lag.PUSH_INTERVAL), "DATABASE_URL": schema_of(postgres.url)}
    with bench.server("workers-takes", settings) as takes, bench.server("workers-shows", settings) as shows:
        lags, busy = run_clients(lag.measured(takes, shows, bench.seconds(15), LAG_RATE))
    percentiles = quantiles(lags.seconds, n=100)
    bench.raw["lags"] = percentiles
    note = f"p50 {1000 * percentiles[49]:.0f} ms; {LAG_RATE} reports a second, {lag.VIEWERS} viewers, busy {busy:.0%}"
    what = "from a report acknowledged by one worker to its event at a viewer of another, p99"
    return [at_most(what, 1000 * percentiles[98], 400, "ms", note)]


async def _reads_elsewhere(bench: Bench, postgres: PostgresServer, pairs: int) -> list[Row]:
    """A report to one worker, and immediately a read of it at another; the same with one process on SQLite."""
    settings = UNHURRIED | {"DATABASE_URL": schema_of(postgres.url)}
    with (
        bench.server("workers-takes", settings) as takes,
        bench.server("workers-shows", settings) as shows,
        bench.server("workers-sqlite", UNHURRIED) as alone,
    ):
        missed, times = await pairs_of(takes, shows, pairs)
        _, alone_times = await pairs_of(alone, alone, pairs)
    bench.raw["elsewhere"] = {"pairs": pairs, "missed": missed}
    p50, alone_p50 = median(times), median(alone_times)
    note = f"{1000 * p50:.1f} ms, {1000 * alone_p50:.1f} ms"
    return [
        at_most("reports that a read at another worker misses", missed, 0, note=f"of {pairs}"),
        at_most("such a read, p50, as a multiple of one of a process on SQLite", p50 / alone_p50, 2, note=note),
    ]


async def pairs_of(takes: Server, shows: Server, pairs: int) -> tuple[int, list[float]]:
    """How many of so many reports a read right after the answer did not show, and how long (seconds) reads took."""
    missed, times = 0, list[float]()

    async def work(worker: int) -> None:
        nonlocal missed
        sender, reader, user = Sender(takes.url), Sender(shows.url), f"user-{worker}"
        for number in range(worker, pairs, AT_ONCE):
            streams = [stream(video=video(bitrate=number))]
            await sender.post(body(report(user, f"room-{worker}", [Entry(user, streams)])))
            asked = time.perf_counter()
            found = json.decode(await reader.get(f"/report/metrics/room-{worker}/{user}"))
            times.append(time.perf_counter() - asked)
            missed += found["data"]["streams"][0]["video"]["bitrate"] != number
        sender.close()
        reader.close()

    await asyncio.gather(*map(work, range(AT_ONCE)))
    return missed, times


def _rooms(bench: Bench, postgres: PostgresServer) -> list[Row]:
    """The cost of a report as its room grows."""
    few, many = ROOM_SIZES[0], 1000 if bench.quick else ROOM_SIZES[1]
    with ExitStack() as stack:
        worlds = {}
        for users in (few, many):
            settings = growth.SETTINGS | {"DATABASE_URL": schema_of(postgres.url)}
            worlds[users] = growth.room_of(bench, stack, users, settings)
        requests = {
            users: [post("/report/metrics", one.decode()) for one in world.reports] for users, world in worlds.items()
        }
        measures = {
            str(users): partial(_loaded, world.server, requests[users], bench.seconds(3), postgres)
            for users, world in worlds.items()
        }
        rounds = interleaved(bench.rounds(3), measures)
    found = {name: Side([one for one, _ in each], [cpu for _, cpu in each]) for name, each in rounds.items()}
    bench.raw["rooms"] = found
    small, big = found[str(few)], found[str(many)]
    note = f"{1e6 * small.cpu():.0f} µs, {1e6 * big.cpu():.0f} µs, PostgreSQL included"
    what = f"CPU of a report into a room of {many} users, as a multiple of one of {few}"
    return [at_most(what, big.cpu() / small.cpu(), 1.3, note=note)]


def _past(bench: Bench, postgres: PostgresServer) -> list[Row]:
    at = float(int(time.time()) - 7200)
    past = room_of(past_reports(at), "past")
    url, data = schema_of(postgres.url), bench.data("workers-sqlite-past")
    asyncio.run(seed(Settings(data=data), at, past.aggregate))
    asyncio.run(seed(Settings(data=data, database_url=url), at, past.aggregate))
    moment, history = f"/rooms/past?at={at}", f"/report/history/history?from={at - DAY}&limit=10000"
    settings = UNHURRIED | {"DATABASE_URL": url}
    with roompulse(data, UNHURRIED) as alone, bench.server("workers-past", settings) as worker:
        snapshots = json.decode(worker.get(history).content, type=Answer[list[Snapshot]]).data
        encode = in_process(lambda: json.encode(snapshots))
        measures = {
            f"{what} {where}": partial(load, server, [Request("GET", path)], bench.seconds(5), 4)
            for what, path in (("moment", moment), ("history", history))
            for where, server in (("SQLite", alone), ("PostgreSQL", worker))
        }
        found = interleaved(bench.rounds(3), measures)
    rmtree(data)
    bench.raw["past"] = found
    cpu = {name: middle(loads).cpu for name, loads in found.items()}
    rows = []
    for where in ("SQLite", "PostgreSQL"):
        what = f"time travel to a room of {PAST_USERS} users on {where}, CPU"
        rows.append(at_most(what, 1000 * cpu[f"moment {where}"], 50, "ms"))
    for where in ("SQLite", "PostgreSQL"):
        taken = cpu[f"history {where}"]
        note = f"{1000 * taken:.1f} ms, encoding {1000 * encode:.1f} ms"
        rows.append(at_most(f"history of 24 h on {where}, as a multiple of encoding it", taken / encode, 3, note=note))
    return rows
