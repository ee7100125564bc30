"""The cost of a backup beside ingest: `python -m benchmarks.backup [megabytes]`.

How long it takes, how far the write-ahead log grows meanwhile, and how many reports a second are acknowledged before
and during it.
"""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.builders import received, stream
from tests.process.load import Load
from tests.server import Server

from roompulse.report.model import Entry
from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.sql_store import SqlStore

SENDERS = 8
BEFORE = 5.0
"""Seconds of load before the backup."""


async def fill(data: Path, size: int) -> None:
    """A database of so many bytes: rooms of ten users, each with reports about all of them."""
    database = Database(Settings(data=data))
    now = time.time() - 3600
    async with database.open():
        number = 0
        while (data / "roompulse.db").stat().st_size < size:
            reports = []
            for _ in range(500):
                number += 1
                room, user = f"room-{number // 10 % 300}", f"u{number % 10}"
                entries = [Entry(f"u{other}", [stream(direction="recv")]) for other in range(10)]
                reports.append(received(now + number / 1000, room_id=room, user_id=user, metrics=entries))
            await SqlStore(database).append(reports)


def measure(data: Path) -> None:
    log, copy = data / "roompulse.db-wal", data.with_name("copy.db")
    with Server(data, {}).running() as server, Load(server, senders=SENDERS).running() as load:
        time.sleep(BEFORE)
        before, started, largest = load.acknowledged, time.perf_counter(), 0
        command = [sys.executable, "-m", "roompulse", "backup", "--data", str(data), str(copy)]
        with subprocess.Popen(command) as backup:
            while backup.poll() is None:
                largest = max(largest, log.stat().st_size)
                time.sleep(0.01)
        took = time.perf_counter() - started
        during = load.acknowledged - before
    print(
        f"{copy.stat().st_size / 1e6:.0f} MB in {took:.1f} s; log at most {largest / 1e6:.1f} MB; "
        f"{before / BEFORE:.0f} reports/s before, {during / took:.0f} during"
    )


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        asyncio.run(fill(data, size * 1_000_000))
        measure(data)


if __name__ == "__main__":
    main()
