"""From an acknowledged report to the event at the viewer: many reports over many rooms, of which some are watched."""

import time
from collections import defaultdict
from statistics import quantiles

from msgspec import Struct, json
from tests.builders import report, stream, video
from tests.server import Server

from benchmarks.bench import Bench
from benchmarks.calls import body
from benchmarks.clients import OnEvent, Sender, at_pace, viewers
from benchmarks.clients import run as run_clients
from benchmarks.processes import cpu_seconds
from benchmarks.results import Row, at_most
from roompulse.report.model import Entry

RATE, ROOMS, USERS = 500, 100, 5
"""Reports a second; each user of each room reports once a second."""

VIEWERS, WATCHED = 200, 20
CONNECTIONS = 50
PUSH_INTERVAL = 0.25


class _Picture(Struct):
    bitrate: int


class _Stream(Struct):
    video: _Picture


class _User(Struct):
    streams: list[_Stream]


class _Room(Struct):
    users: list[_User]


_decode = json.Decoder(_Room).decode


class Lags:
    """A report carries its number as the bitrate of its stream, so that an event shows which reports it includes."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._acknowledged: dict[int, float] = {}
        self._shown_before: defaultdict[int, int] = defaultdict(int)

    def acknowledged(self, number: int) -> None:
        self._acknowledged[number] = time.perf_counter()
        self.seconds += [0.0] * self._shown_before.pop(number, 0)

    def viewer(self, _: int) -> OnEvent:
        seen: set[int] = set()

        def on_event(event: bytes) -> None:
            if b"event: room" not in event:
                return
            now = time.perf_counter()
            room = _decode(event.partition(b"data: ")[2])
            for number in {user.streams[0].video.bitrate for user in room.users} - seen:
                seen.add(number)
                self._shown(number, now)

        return on_event

    def _shown(self, number: int, now: float) -> None:
        if (acknowledged := self._acknowledged.get(number)) is not None:
            self.seconds.append(now - acknowledged)
        else:
            self._shown_before[number] += 1

    def forget(self) -> None:
        self.seconds.clear()


def _report(number: int) -> bytes:
    user = f"u{number // ROOMS % USERS}"
    measured = stream(video=video(bitrate=number))
    return body(report(user, f"room-{number % ROOMS}", [Entry(user, [measured])]))


async def measured(takes: Server, shows: Server, seconds: float, rate: float = RATE) -> tuple[Lags, float]:
    """The lags of reports posted to one server and viewed on another, which may be the same.

    And the share of one core that the one that shows was busy.
    """
    lags = Lags()
    senders = [Sender(takes.url) for _ in range(CONNECTIONS)]
    sent = 0

    async def post(_: int) -> None:
        nonlocal sent
        number, sent = sent, sent + 1
        await senders[number % CONNECTIONS].post(_report(number))
        lags.acknowledged(number)

    await at_pace(post, rate, 2)
    paths = [f"/report/stream/room-{viewer % WATCHED}" for viewer in range(VIEWERS)]
    async with viewers(shows.url, paths, on_event=lags.viewer):
        await at_pace(post, rate, 2)
        lags.forget()
        before = cpu_seconds(shows.pid)
        await at_pace(post, rate, seconds)
        busy = (cpu_seconds(shows.pid) - before) / seconds
    for sender in senders:
        sender.close()
    return lags, busy


def run(bench: Bench) -> list[Row]:
    settings = {"SENDER_RATE": "0", "PUSH_INTERVAL": str(PUSH_INTERVAL)}
    with bench.server("lag", settings) as server:
        lags, busy = run_clients(measured(server, server, bench.seconds(15)))
    percentiles = quantiles(lags.seconds, n=100)
    bench.raw |= {"percentiles": percentiles, "lags": len(lags.seconds), "busy": busy}
    note = f"{RATE} reports a second, {VIEWERS} viewers, the server busy {100 * busy:.0f} % of a core"
    return [
        at_most("from an acknowledged report to its event at the viewer, p50", 1000 * percentiles[49], 150, "ms", note),
        at_most("… p99: the push interval and 50 ms", 1000 * percentiles[98], 1000 * PUSH_INTERVAL + 50, "ms"),
    ]
