"""Lost reports, and waiting times of senders, when workers and PostgreSQL are killed."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from threading import Thread

import asyncpg  # type: ignore[import-untyped]
from tests.postgres_server import PostgresServer
from tests.process import eventually
from tests.server import Server

from benchmarks.bench import Bench
from benchmarks.calls import body, reference
from benchmarks.clients import Sender
from benchmarks.clients import run as run_clients
from benchmarks.results import Row, at_most
from benchmarks.workers import database

WORKERS, SENDERS = 3, 12
KILLS, POSTGRES_KILLS = 200, 20
"""Of workers and of PostgreSQL."""

BETWEEN = 100
"""Acknowledged reports between two kills."""

ROOM_USERS = 50
ATTEMPTS = 20
"""To read a room at all workers before it changes."""

TIMEOUT, PAUSE = 5.0, 0.1
"""Seconds after which a sender switches to the next worker, and which it waits between two reports."""


class Senders:
    """Post reports of ever new users, each to the next worker that takes it, in a thread until the context ends."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.acknowledged: set[str] = set()
        self.silence = 0.0
        """The longest time (seconds) that a sender had to wait for an acknowledgement."""
        self._urls = urls
        self._ids = count()
        self._stopped = False

    @contextmanager
    def running(self) -> Iterator["Senders"]:
        thread = Thread(target=lambda: run_clients(self._run()))
        thread.start()
        try:
            yield self
        finally:
            self._stopped = True
            thread.join()

    def go_on(self, reports: int = BETWEEN) -> None:
        """Return when so many further reports are acknowledged."""
        enough = len(self.acknowledged) + reports
        eventually(lambda: len(self.acknowledged) >= enough)

    async def _run(self) -> None:
        await asyncio.gather(*map(self._send, range(SENDERS)))

    async def _send(self, turn: int) -> None:
        sender, heard = Sender(self._urls[turn % len(self._urls)]), time.monotonic()
        while not self._stopped:
            await asyncio.sleep(PAUSE)
            number = next(self._ids)
            user_id = f"user-{number}"
            try:
                async with asyncio.timeout(TIMEOUT):
                    await sender.post(body(reference(user_id, f"room-{number // ROOM_USERS}")))
            except (OSError, RuntimeError, asyncio.IncompleteReadError, TimeoutError):
                sender.close()
                turn += 1
                sender = Sender(self._urls[turn % len(self._urls)])
                continue
            now = time.monotonic()
            self.silence, heard = max(self.silence, now - heard), now
            self.acknowledged.add(user_id)
        sender.close()


def run(bench: Bench) -> list[Row]:
    kills, postgres_kills = (6, 2) if bench.quick else (KILLS, POSTGRES_KILLS)
    with database(bench) as postgres, ExitStack() as stack:
        settings = {"DATABASE_URL": postgres.url}
        workers = [stack.enter_context(bench.server(f"kills-{number}", settings)) for number in range(WORKERS)]
        senders = Senders([worker.url for worker in workers])
        with senders.running():
            for number in range(kills):
                worker = workers[number % WORKERS]
                senders.go_on()
                worker.kill()
                senders.go_on()
                worker.start()
            silence = senders.silence
            back = [_first_after(senders, postgres, workers) for _ in range(postgres_kills)]
        lost, gone_twice = asyncio.run(_lost_and_gone_twice(postgres.url, senders.acknowledged))
        differing = _differing(workers)
    bench.raw |= {"acknowledged": len(senders.acknowledged), "silence": silence, "back": back}
    note = f"of {len(senders.acknowledged)}, in {kills} kills of workers and {postgres_kills} of PostgreSQL"
    return [
        at_most("acknowledged reports that are lost", lost, 0, note=note),
        at_most("users that left more than once, as all report once", gone_twice, 0),
        at_most("rooms that workers show differently afterwards", differing, 0),
        at_most("longest silence of a sender, as workers are killed", silence, 2, "s", f"{SENDERS} senders"),
        at_most("from the start of a killed PostgreSQL to the first report, longest", max(back), 5, "s"),
    ]


def _first_after(senders: Senders, postgres: PostgresServer, workers: Sequence[Server]) -> float:
    """Seconds from the start of PostgreSQL, which is killed first, until a report is acknowledged."""
    senders.go_on()
    postgres.kill()
    for worker in workers:
        eventually(lambda: worker.get("/readyz").status_code == 503)  # noqa: B023  (called at once)
    started = time.monotonic()
    postgres.start()
    senders.go_on(1)
    return time.monotonic() - started


async def _lost_and_gone_twice(url: str, acknowledged: set[str]) -> tuple[int, int]:
    connection = await asyncpg.connect(url)
    stored = {user_id for (user_id,) in await connection.fetch("SELECT DISTINCT reporter_id FROM sample")}
    left = "SELECT user_id FROM event WHERE kind = 'user_left' GROUP BY user_id HAVING count(*) > 1"
    gone_twice = await connection.fetch(left)
    await connection.close()
    return len(acknowledged - stored), len(gone_twice)


def _differing(workers: Sequence[Server]) -> int:
    """How many rooms are not the same bytes at all workers; the list of rooms counts as one.

    Users turn stale and leave between the reads of one answer, so it may take some attempts.
    """
    for worker in workers:
        eventually(lambda: worker.get("/readyz").status_code == 200)  # noqa: B023  (called at once)
    rooms = workers[0].get("/report/rooms").json()["data"]
    paths = ["/report/rooms", *(f"/report/metrics/{room}" for room in rooms[-20:])]
    return sum(not any(_is_same(path, workers) for _ in range(ATTEMPTS)) for path in paths)


def _is_same(path: str, workers: Sequence[Server]) -> bool:
    return len({worker.get(path).content for worker in workers}) == 1
