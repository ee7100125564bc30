"""Workers that are killed, and a PostgreSQL that is: nothing that was acknowledged is lost, and all show the same."""

import asyncio
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Self

import asyncpg  # type: ignore[import-untyped]
import httpx
import pytest

from tests.builders import body
from tests.postgres_server import PostgresServer, schema_of
from tests.process import eventually
from tests.server import PLAIN, Server

WORKERS = 2


@pytest.fixture
def servers(postgres_url: str, tmp_path: Path, make_server: Callable[..., Server]) -> Iterator[list[Server]]:
    url = schema_of(postgres_url)
    with ExitStack() as stack:
        yield [stack.enter_context(make_server(DATABASE_URL=url).running()) for _ in range(WORKERS)]


class Senders:
    """Post reports of ever new users, each to the next server that takes it, until they are stopped."""

    def __init__(self, servers: list[Server]) -> None:
        self.acknowledged: set[str] = set()
        self._urls = [server.url for server in servers]
        self._ids = count()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(4)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self, turn: int) -> None:
        while not self._stopped.is_set():
            user_id = f"u{next(self._ids)}"
            try:
                url = f"{self._urls[turn % len(self._urls)]}/report/metrics"
                headers = {"Content-Type": "application/json"}
                answer = httpx.post(url, content=body(user_id=user_id), headers=headers, verify=PLAIN, timeout=5)
            except httpx.HTTPError:
                turn += 1
                continue
            if answer.status_code == 200:
                self.acknowledged.add(user_id)


def users(server: Server) -> set[str]:
    return {user["user_id"] for user in server.get("/report/metrics/room-1").json()["data"]["users"]}


def test_a_worker_that_is_killed_loses_nothing_and_comes_back_to_the_same(servers: list[Server]) -> None:
    one, other = servers
    with Senders(servers) as senders:
        for killed in (one, other, one):
            seen = len(senders.acknowledged)
            eventually(lambda: len(senders.acknowledged) > seen + 20)  # noqa: B023  (called at once)
            killed.stop(signal.SIGKILL)
            seen = len(senders.acknowledged)
            eventually(lambda: len(senders.acknowledged) > seen + 20)  # noqa: B023
            killed.start()
    assert senders.acknowledged
    assert users(one) >= senders.acknowledged
    answers = [server.get("/report/metrics/room-1") for server in servers]
    assert answers[0].content == answers[1].content
    assert answers[0].headers["etag"] == answers[1].headers["etag"]


def test_what_runs_once_goes_on_in_another_worker(servers: list[Server]) -> None:
    def taking() -> list[Server]:
        return [server for server in servers if "this worker takes snapshots" in server.log.read_text()]

    eventually(lambda: len(taking()) == 1)
    (first,) = taking()
    first.kill()
    eventually(lambda: len(taking()) == 2)
    first.start()


def test_a_postgresql_that_is_killed_loses_nothing_that_was_acknowledged(
    tmp_path: Path, make_server: Callable[..., Server]
) -> None:
    with tempfile.TemporaryDirectory(prefix="roompulse-") as folder, ExitStack() as stack:
        postgres = PostgresServer(Path(folder), "fsync=on")
        postgres.start()
        stack.callback(postgres.stop)
        servers = [stack.enter_context(make_server(DATABASE_URL=postgres.url).running()) for _ in range(WORKERS)]
        with Senders(servers) as senders:
            for _ in range(2):
                seen = len(senders.acknowledged)
                eventually(lambda: len(senders.acknowledged) > seen + 20)  # noqa: B023  (called at once)
                postgres.kill()
                eventually(lambda: all(server.get("/readyz").status_code == 503 for server in servers))
                assert servers[0].get("/report/rooms").json()["data"] == ["room-1"]
                postgres.start()
        for server in servers:
            eventually(lambda: server.get("/readyz").status_code == 200)  # noqa: B023
            assert users(server) >= senders.acknowledged
        asyncio.run(compare(postgres.url, senders.acknowledged))


async def compare(url: str, acknowledged: set[str]) -> None:
    """What is stored has all that was acknowledged."""
    connection = await asyncpg.connect(url)
    stored = {user_id for (user_id,) in await connection.fetch("SELECT DISTINCT reporter_id FROM sample")}
    await connection.close()
    assert stored >= acknowledged


def test_a_worker_that_hangs_holds_up_nobody_and_loses_the_lease(servers: list[Server]) -> None:
    (holder,) = eventually(lambda: [one for one in servers if "this worker takes snapshots" in one.log.read_text()])
    (other,) = [one for one in servers if one is not holder]
    os.kill(holder.pid, signal.SIGSTOP)
    try:
        assert other.post(body(user_id="meanwhile")).status_code == 200
        eventually(lambda: "this worker takes snapshots" in other.log.read_text())
    finally:
        os.kill(holder.pid, signal.SIGCONT)
    eventually(lambda: "the lease is lost" in holder.log.read_text())
    assert users(holder) == users(other) == {"meanwhile"}
