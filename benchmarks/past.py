"""What a moment of the past costs: reading a room's reports of two minutes, and applying them once more.

`python -m benchmarks.past [users]`; every user reports itself and nine others, every five seconds. The time of reading
the same rows without applying them is the baseline.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory

from tests.builders import NOW, audio, network, stream, video

from roompulse.report.model import Direction, Entry, Received, Report, Stream
from roompulse.rooms.limits import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.settings import Settings
from roompulse.store.archive import SqlArchive
from roompulse.store.contract import SampleQuery
from roompulse.store.engine import Database
from roompulse.store.past import Past
from roompulse.store.sql import SqlStore

SECONDS, INTERVAL, RECEIVED = 600, 5, 9
RUNS = 5


def reports(random: Random, users: int, at: float) -> list[Received]:
    def measured(direction: Direction) -> list[Stream]:
        return [stream("camera", direction, video=video(), audio=audio(), network=network(rtt=random.randint(20, 300)))]

    found = []
    for user in range(users):
        others = [(user + 1 + other) % users for other in range(min(RECEIVED, users - 1))]
        entries = [Entry(f"u{user}", measured("send"))]
        entries += [Entry(f"u{other}", measured("recv")) for other in others]
        found.append(Received(Report(f"u{user}", "room-1", "1.2.0", int(at), entries), at + user / users))
    return found


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        await work()
        times.append(time.perf_counter() - started)
    return median(times)


async def measure(data: Path, users: int) -> None:
    settings = Settings(data=data)
    database = Database(settings)
    random = Random(7)  # noqa: S311
    async with database.open():
        store, archive = SqlStore(database), SqlArchive(database)
        for second in range(0, SECONDS, INTERVAL):
            await store.append(reports(random, users, NOW + second))
        limits = Limits(9, 99_999, 999)
        past = Past(archive, store, lambda: RoomsInMemory(limits, stale_after=15, leave_after=60), settings)
        at = NOW + SECONDS / 2
        rows = 0

        async def read() -> None:
            nonlocal rows
            rows = len([one async for one in archive.reports(SampleQuery("room-1", at - 120, at))])

        reading = await timed(read)
        showing = await timed(lambda: past.room("room-1", at))
        print(
            f"{users} users, {rows} rows: read in {reading * 1000:.0f} ms, shown in {showing * 1000:.0f} ms "
            f"({showing / reading:.1f} times as long, {showing / rows * 1e6:.0f} µs a row)"
        )


def main() -> None:
    for users in [int(sys.argv[1])] if len(sys.argv) > 1 else [8, 50, 200]:
        with TemporaryDirectory() as folder:
            asyncio.run(measure(Path(folder), users))


if __name__ == "__main__":
    main()
