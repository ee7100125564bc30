"""Ingest beside the worst that readers can do: a probe posts at a steady pace while others read as much as they can.

The readers are a process of their own, `python -m benchmarks.pressure SCENARIO URL ENDED_AT SECONDS`, so that the probe
does not wait for them.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from shutil import rmtree
from statistics import median, quantiles
from urllib.parse import urlsplit

from msgspec import Struct, json
from tests.server import Server

from benchmarks import pressure_requests, pressure_senders, pressure_views
from benchmarks.bench import Bench
from benchmarks.calls import body, bulk, call, of_user, reference, seeded
from benchmarks.clients import Sender, at_pace, post_all
from benchmarks.clients import run as run_clients
from benchmarks.processes import resident_bytes, roompulse
from benchmarks.reads import aggregate_of_call
from benchmarks.results import Row, at_most, stated
from roompulse.report.model import Received
from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.sql_store import SqlStore

ROOM, USERS, INTERVAL = "keynote", 1000, 5
"""The room that is read: each user reports every so many seconds, about itself and eight others."""

MINUTES = 4
"""Of the room's reports in the database."""

HOURS, TALKER_ROOM = 12, "all-day"
"""Of the reports of one user, in a room of its own."""

SNAPSHOTS = 10_000
RATE, SECONDS = 10, 20.0
"""Reports a second that the probe posts, and for how long beside each scenario."""

BEFORE = 2.0
"""Seconds that the readers have to begin before the probe does."""

P95, LONGEST = 50, 500
"""Goals in milliseconds."""

DEFAULTS = {name.upper(): str(getattr(Settings(), name)) for name in ("sender_rate", "reader_rate")}
"""Unlike in other benchmarks."""

Pressure = Callable[["Crowd"], Awaitable[None]]
"""The load beside the probe, until it is cancelled."""


class Ingest(Struct):
    """The results of the probe: seconds of each answer, and how many reports were rejected."""

    seconds: list[float]
    refused: int = 0

    @property
    def p50(self) -> float:
        return 1000 * quantiles(self.seconds, n=100)[49]

    @property
    def p95(self) -> float:
        return 1000 * quantiles(self.seconds, n=100)[94]

    @property
    def longest(self) -> float:
        return 1000 * max(self.seconds)


class Found(Struct):
    """The results of readers: seconds until the first byte of each answer, and the number of answers by status."""

    first_bytes: list[float]
    answers: dict[int, int]


class Crowd:
    """Readers of the server at `url`, with a call in its database that ended at `ended_at` (Unix seconds)."""

    def __init__(self, url: str, ended_at: float) -> None:
        self.url = url
        self.ended_at = ended_at
        self.found = Found([], {})
        self._parts = urlsplit(url)

    async def read(self, path: str, readers: int, headers: Mapping[str, str] | None = None) -> None:
        """So many readers, each requesting `path` again as soon as it is answered."""
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        request += "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items()) + "\r\n"
        await asyncio.gather(*(self._read(request.encode()) for _ in range(readers)))

    async def _read(self, request: bytes) -> None:
        while True:
            reader, writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
            try:
                await self._answer(request, reader, writer)
            finally:
                writer.close()

    async def _answer(self, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.read(1)
        self.found.first_bytes.append(time.perf_counter() - started)
        status = int(head.split(maxsplit=2)[1])
        self.found.answers[status] = self.found.answers.get(status, 0) + 1
        while await reader.read(1 << 16):
            pass
        if status == 503:
            await asyncio.sleep(1)


async def exports(crowd: Crowd) -> None:
    await crowd.read(f"/rooms/{ROOM}/users.csv", 4)


async def compressed_exports(crowd: Crowd) -> None:
    await crowd.read(f"/rooms/{ROOM}/users.csv", 4, {"Accept-Encoding": "gzip"})


async def histories(crowd: Crowd) -> None:
    await crowd.read(f"/report/history/{ROOM}?limit=10000", 8)


async def merged_histories(crowd: Crowd) -> None:
    await crowd.read(f"/report/history/{ROOM}?limit=10&step=1&from=0", 8)


async def user_histories(crowd: Crowd) -> None:
    await crowd.read(f"/report/history/{TALKER_ROOM}/user-0?limit=10&step=1&from=0", 8)


async def moments(crowd: Crowd) -> None:
    await crowd.read(f"/rooms/{ROOM}?at={crowd.ended_at - 1:.0f}", 8)


async def health_checks(crowd: Crowd) -> None:
    await crowd.read("/healthz", 400)


async def static_files(crowd: Crowd) -> None:
    await crowd.read("/static/js/live.js", 100)


async def lists_of_rooms(crowd: Crowd) -> None:
    await crowd.read("/report/rooms", 400)


async def scrapes(crowd: Crowd) -> None:
    await crowd.read("/metrics", 50)


SCENARIOS: dict[str, Pressure] = {
    "4 downloads of users.csv": exports,
    "4 downloads of users.csv, compressed": compressed_exports,
    "8 readers of history?limit=10000": histories,
    "8 readers of history?limit=10&step=1&from=0": merged_histories,
    "8 readers of a user's history?limit=10&step=1&from=0": user_histories,
    "8 readers of a page with ?at=": moments,
    "400 readers of /healthz": health_checks,
    "100 readers of a static file": static_files,
    "400 readers of /report/rooms": lists_of_rooms,
    "50 readers of /metrics": scrapes,
    **pressure_views.SCENARIOS,
    **pressure_senders.SCENARIOS,
    **pressure_requests.SCENARIOS,
}


def _reports(ended_at: float, minutes: float) -> Iterator[Received]:
    random = seeded(11)
    for second in range(0, round(60 * minutes), INTERVAL):
        at = ended_at - 60 * minutes + second
        for place, report in enumerate(call(ROOM, USERS, random)):
            yield Received(report, at + INTERVAL * place / USERS)


def _talker(ended_at: float, hours: float) -> Iterator[Received]:
    random = seeded(12)
    for second in range(0, round(3600 * hours), INTERVAL):
        yield Received(of_user(TALKER_ROOM, 0, 9, random), ended_at - 3600 * hours + second)


async def _seed(settings: Settings, ended_at: float, share: float) -> None:
    database = Database(settings)
    async with database.open():
        store = SqlStore(database)
        # Row ids grow with time, so the older reports first.
        for reports in (_talker(ended_at - 600, HOURS * share), _reports(ended_at, MINUTES * share)):
            for some in _portions(reports, 500):
                await store.append(some)
        aggregate = aggregate_of_call()
        for number in range(SNAPSHOTS):
            await store.add_snapshots(ended_at - 10 * (SNAPSHOTS - number), [(ROOM, aggregate)])


def _portions(reports: Iterator[Received], size: int) -> Iterator[Sequence[Received]]:
    portion: list[Received] = []
    for received in reports:
        portion.append(received)
        if len(portion) == size:
            yield portion
            portion = []
    yield portion


async def _probe(server: Server, seconds: float) -> Ingest:
    found = Ingest([])
    senders = [Sender(server.url) for _ in range(2 * RATE)]

    async def post(number: int) -> None:
        started = time.perf_counter()
        try:
            await senders[number % len(senders)].post(body(reference(f"probe-{number % 50}", "probe")))
        except RuntimeError:
            found.refused += 1
        found.seconds.append(time.perf_counter() - started)

    await at_pace(post, RATE, seconds)
    for sender in senders:
        sender.close()
    return found


async def _measure(server: Server, what: str, ended_at: float, seconds: float) -> tuple[Ingest, Found]:
    # One report about all users, so that the room is live throughout.
    await post_all(server.url, [body(bulk(ROOM, USERS, 1))])
    command = [sys.executable, "-m", "benchmarks.pressure", what, server.url, str(ended_at), str(seconds + BEFORE)]
    readers = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    await asyncio.sleep(BEFORE)
    ingest = await _probe(server, seconds)
    output, _ = await readers.communicate()
    return ingest, json.decode(output, type=Found)


async def _press(what: str, crowd: Crowd, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await SCENARIOS[what](crowd)


def run(bench: Bench) -> list[Row]:
    data, ended_at, seconds = bench.data("pressure"), time.time(), bench.seconds(SECONDS)
    asyncio.run(_seed(Settings(data=data), ended_at, 1 / 3 if bench.quick else 1))
    rows = []
    with roompulse(data, DEFAULTS) as server:
        alone = run_clients(_probe(server, seconds))
        before = resident_bytes(server.pid)
        rows += _rows("nothing else", alone)
        for what in SCENARIOS:
            ingest, found = run_clients(_measure(server, what, ended_at, seconds))
            rows += _rows(what, ingest, found)
            rows.append(stated("… memory then", resident_bytes(server.pid) / 1e6, "MB", f"{before / 1e6:.0f} before"))
            bench.raw[what] = {"ingest": ingest, "answers": found.answers}
    bench.raw["nothing else"] = {"ingest": alone}
    rmtree(data)
    return rows


def _rows(what: str, ingest: Ingest, found: Found | None = None) -> list[Row]:
    rows = [
        at_most(f"ingest beside {what}, p95", ingest.p95, P95, "ms", f"p50 {ingest.p50:.1f} ms"),
        at_most("… max", ingest.longest, LONGEST, "ms"),
        at_most("… refused", ingest.refused, 0),
    ]
    if found and found.first_bytes:
        answers = ", ".join(f"{count} × {status}" for status, count in sorted(found.answers.items()))
        rows.append(stated("… first byte read, median", 1000 * median(found.first_bytes), "ms", answers))
    return rows


if __name__ == "__main__":
    what, url, ended_at, seconds = sys.argv[1:]
    crowd = Crowd(url, float(ended_at))
    run_clients(_press(what, crowd, float(seconds)))
    sys.stdout.buffer.write(json.encode(crowd.found))
