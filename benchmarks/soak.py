"""A quarter of an hour at half of the peak, rooms and viewers coming and going: does anything grow, is it late?"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import count
from statistics import median
from typing import Any

import httpx
from msgspec import Struct
from tests.server import Server

from benchmarks.bench import Bench
from benchmarks.calls import body, reference
from benchmarks.clients import Sender, at_pace, viewers
from benchmarks.clients import run as run_clients
from benchmarks.ingest import reports
from benchmarks.load import load
from benchmarks.processes import descriptors, resident_bytes, threads
from benchmarks.results import Row, at_most, stated

MINUTES, SETTLED = 15, 5
"""How long it takes, and from when on nothing may grow any more."""

LIVE, LIFETIME = 400, 30
"""Rooms that are reported on at a time, and for how many seconds each: then another room takes its place."""

USERS = 5
CONNECTIONS = 32
VIEWERS, LOOKS = 100, 20
"""Viewers at a time, and for how many seconds each stays."""

SAMPLE_EVERY = 5.0
SNAPSHOT_INTERVAL, LATE = 10, 2.0
"""Seconds between snapshots, and after which one is late."""

Look = Callable[[float], Awaitable[object]]

STEADY = "steady"
"""A room with continuous reports, to wait for its snapshots."""


class Sample(Struct, frozen=True):
    """At a number of seconds: bytes of memory and of the write-ahead log, and counts of open resources."""

    at: float
    memory: int
    descriptors: int
    threads: int
    wal: int


class Soak:
    """`look` is called every few seconds with the seconds since the start."""

    def __init__(self, url: str, look: Look) -> None:
        self.delays: list[float] = []
        self._url = url
        self._look = look
        self._started = time.monotonic()
        self._senders = [Sender(url) for _ in range(CONNECTIONS)]

    async def run(self, rate: float, seconds: float) -> None:
        """Send `rate` reports a second for so long, beside the viewers."""
        self._started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            work = group.create_task(at_pace(self._post, rate, seconds))
            beside = [self._sample(), self._wait_for_snapshots(), *(self._watch(number) for number in range(VIEWERS))]
            tasks = [group.create_task(one) for one in beside]
            await work
            for task in tasks:
                task.cancel()
        for sender in self._senders:
            sender.close()

    async def peak(self, seconds: float) -> float:
        """Reports a second, when each connection sends its next one once the last one is answered."""
        numbers, end = count(), time.monotonic() + seconds

        async def send() -> int:
            sent = 0
            while time.monotonic() < end:
                await self._post(next(numbers))
                sent += 1
            return sent

        return sum(await asyncio.gather(*(send() for _ in range(CONNECTIONS)))) / seconds

    async def _post(self, number: int) -> None:
        if number % LIVE == 0:
            room = STEADY
        else:
            # Rooms take turns at another moment each, so that they come and go one by one.
            turn = (time.monotonic() - self._started + number % LIVE * LIFETIME / LIVE) // LIFETIME
            room = f"room-{number % LIVE}-{turn:.0f}"
        await self._senders[number % CONNECTIONS].post(body(reference(f"u{number // LIVE % USERS}", room)))

    async def _watch(self, viewer: int) -> None:
        await asyncio.sleep(LOOKS * viewer / VIEWERS)
        for look in count():
            path = "/stream" if viewer % 10 == 0 else f"/rooms/{STEADY}/stream?q={look % 3 or ''}"
            async with viewers(self._url, [path]):
                await asyncio.sleep(LOOKS)

    async def _sample(self) -> None:
        while True:
            await self._look(time.monotonic() - self._started)
            await asyncio.sleep(SAMPLE_EVERY)

    async def _wait_for_snapshots(self) -> None:
        """How long after its time each snapshot can be read."""
        async with httpx.AsyncClient(base_url=self._url, timeout=30) as client:
            async for due in _grid():
                while not (await client.get(f"/report/history/{STEADY}?from={due}")).json()["data"]:
                    await asyncio.sleep(0.1)
                self.delays.append(time.time() - due)


async def _grid() -> AsyncIterator[float]:
    due = (time.time() // SNAPSHOT_INTERVAL + 2) * SNAPSHOT_INTERVAL
    while True:
        await asyncio.sleep(due - time.time())
        yield due
        due += SNAPSHOT_INTERVAL


def run(bench: Bench) -> list[Row]:
    minutes = 2.0 if bench.quick else MINUTES
    with bench.server("soak", {"SENDER_RATE": "0"}) as server:
        peak = load(server, reports("/report/metrics"), bench.seconds(10)).rate
        samples: list[Sample] = []

        async def look(at: float) -> None:
            samples.append(_sample(server, at))

        soak = Soak(server.url, look)
        run_clients(soak.run(peak / 2, 60 * minutes))
    bench.raw |= {"peak": peak, "samples": samples, "snapshot_delays": soak.delays}
    return _rows(samples, soak.delays, peak / 2, minutes)


def _sample(server: Server, at: float) -> Sample:
    pid, wal = server.pid, server.data / "roompulse.db-wal"
    return Sample(at, resident_bytes(pid), descriptors(pid), threads(pid), wal.stat().st_size if wal.exists() else 0)


def settled(minutes: float) -> tuple[float, float]:
    """Between which minutes nothing may grow."""
    return (SETTLED, minutes) if minutes > SETTLED else (minutes / 2, minutes)


def grown(samples: Sequence[Any], figure: str, minutes: float) -> tuple[float, float]:
    """The growth factor of a figure of samples while nothing may grow, and its final value."""
    from_, to = settled(minutes)
    early = [one for one in samples if 60 * from_ <= one.at < 60 * (from_ + (to - from_) / 5)]
    late = [one for one in samples if one.at >= 60 * (to - (to - from_) / 5)]
    first, last = (median(getattr(one, figure) for one in some) for some in (early, late))
    return last / first, last


def told(rate: float) -> str:
    return f"{rate:.0f} reports a second, {LIVE} rooms of {LIFETIME} s, {VIEWERS} viewers of {LOOKS} s"


def _rows(samples: Sequence[Sample], delays: Sequence[float], rate: float, minutes: float) -> list[Row]:
    memory, descriptor, thread = (grown(samples, figure, minutes) for figure in ("memory", "descriptors", "threads"))
    wal = max(one.wal for one in samples)
    rooms = told(rate)
    since = "minute {:g} to {:g}".format(*settled(minutes))
    return [
        at_most(f"memory, {since}, as a multiple", memory[0], 1.05, "", f"{memory[1] / 1e6:.0f} MB; {rooms}"),
        at_most(f"descriptors, {since}, as a multiple", descriptor[0], 1.05, "", f"{descriptor[1]:.0f}"),
        at_most(f"tasks of the operating system, {since}, as a multiple", thread[0], 1, "", f"{thread[1]:.0f}"),
        at_most("largest write-ahead log", wal / 1e6, 68, "MB", "64 MiB is what it is cut to"),
        at_most(
            "longest from the time of a snapshot until it can be read",
            max(delays),
            LATE,
            "s",
            f"{len(delays)} looked at",
        ),
        stated("… median", median(delays), "s"),
    ]
