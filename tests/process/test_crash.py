"""Nothing that was acknowledged is lost, however the process ends: `make soak` kills it hundreds of times."""

import asyncio
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import cycle, islice
from pathlib import Path
from random import Random, randrange

import httpx
import pytest

from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.sql_store import SqlStore
from tests.builders import received
from tests.process import SOAK, eventually
from tests.process.load import Load, assert_sound
from tests.process.test_start import COMMAND, environment
from tests.server import Server

pytestmark = pytest.mark.slow

MakeServer = Callable[..., Server]

ROUNDS = 500 if SOAK else 20
VIEWERS = 200
STREAMS = ["/stream", "/rooms/room-1/stream", "/report/stream/room-1"]
OLD_REPORTS = 30_000
A_DAY_AND_MORE = 86_400 + 3600
MOST_REPORTS = 200
"""Reports after which the server is killed at the latest."""

MIGRATION = 0.1
"""Seconds in which a new database gets its tables, and a little more."""


def fill_with_old_reports(data: Path, count: int) -> None:
    """Reports that are to be deleted, in a room of their own."""

    async def fill() -> None:
        database = Database(Settings(data=data))
        async with database.open():
            store = SqlStore(database)
            await store.append([received(time.time() - A_DAY_AND_MORE, room_id="old")] * count)
            # After a longer pause than this, a start would not delete anything for an hour.
            await store.append([received(time.time() - 5400, room_id="recent")])

    asyncio.run(fill())


@contextmanager
def commits_held_back(server: Server) -> Iterator[Callable[[], object]]:
    """No commit ends until the returned function is called, or SQLite has waited for five seconds."""
    # It writes nothing: two writing connections can corrupt a log of older versions of SQLite.
    with closing(sqlite3.connect(server.data / "roompulse.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection.rollback


async def open_stream(server: Server, path: str) -> asyncio.Task[bytes]:
    """Open a stream and wait for its first event; the task returns the rest of it when it has ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await reader.readuntil(b"event: ping")

    async def rest() -> bytes:
        try:
            return await reader.read()
        finally:
            writer.close()

    return asyncio.create_task(rest())


@pytest.mark.parametrize(("synchronous", "rounds"), [("FULL", ROUNDS), ("NORMAL", ROUNDS // 5)])
def test_what_was_acknowledged_survives_kills_under_load(
    make_server: MakeServer, synchronous: str, rounds: int
) -> None:
    """While snapshots are taken and old reports deleted as well."""
    seed = randrange(10**6)  # noqa: S311
    chance = Random(seed)  # noqa: S311
    past: list[Load] = []
    server = make_server(SNAPSHOT_INTERVAL=0.1, SYNCHRONOUS=synchronous)
    fill_with_old_reports(server.data, OLD_REPORTS)
    with server.running():
        for number in range(rounds):
            with Load(server, f"seed-{seed}-round-{number}").running() as load:
                enough = chance.randint(1, MOST_REPORTS)
                eventually(lambda: load.acknowledged >= enough)  # noqa: B023
                server.kill()
            assert_sound(server.data)
            server.start()
            load.assert_kept(server)
            load.assert_live(server)
            past.append(load)
        for load in past:
            load.assert_kept(server)
        eventually(lambda: server.get("/report/history/old/u1?from=0").json()["data"] in (None, []))


async def test_a_server_that_is_told_to_stop_answers_who_waits_and_ends_every_stream(make_server: MakeServer) -> None:
    server = make_server()
    with server.running(), Load(server).running() as load:
        await asyncio.to_thread(eventually, lambda: load.acknowledged > 50)
        streams = await asyncio.gather(*(open_stream(server, path) for path in islice(cycle(STREAMS), VIEWERS)))
        with commits_held_back(server) as let_go:
            await asyncio.to_thread(eventually, lambda: all(sender.waits for sender in load.senders))
            stopped = asyncio.create_task(asyncio.to_thread(server.stop))
            for stream in streams:
                assert b"event: bye" in await stream
            assert not stopped.done()
            let_go()
        assert await stopped == 0
        await asyncio.to_thread(eventually, lambda: all(sender.broken for sender in load.senders))
        # Each was answered; its next report found no server, or a connection that had been closed after the answer.
        assert {type(sender.broken) for sender in load.senders} <= {
            httpx.ConnectError,
            httpx.ReadError,
            httpx.RemoteProtocolError,
        }
        server.start()
        load.assert_kept(server)
        load.assert_live(server)


async def test_a_long_read_ends_quietly_when_the_server_stops(make_server: MakeServer) -> None:
    condition = {"metric": "reports_per_second", "op": "<", "value": 1}
    rule = {"name": "quiet", "severity": "warning", "subject": "server", "when": [condition]}
    server = make_server()
    with server.running():

        def preview(seconds: float) -> int:
            asked = {"rule": rule, "from": time.time() - seconds}
            return server.request("POST", "/report/alerts/rules/preview", json=asked).status_code

        def preview_day() -> int:
            return eventually(lambda: (status := preview(86_000)) != 429 and status)

        previewing = asyncio.create_task(asyncio.to_thread(preview_day))
        await asyncio.to_thread(eventually, lambda: preview(1) == 429)
        assert await asyncio.to_thread(server.stop) == 0
        assert await previewing == 503
        assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("seed", range(200 if SOAK else 3))
def test_a_first_start_that_was_killed_is_made_up_for_by_the_next(tmp_path: Path, seed: int) -> None:
    server = Server(tmp_path / "data", {})
    command = [*COMMAND, "serve", "--port", "0", "--data", str(server.data)]
    with subprocess.Popen(command, env=environment({}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        while not (server.data / "roompulse.db").exists():
            assert first.poll() is None
        time.sleep(Random(seed).uniform(0, MIGRATION))  # noqa: S311
        first.kill()
    with server.running(), Load(server).running() as load:
        eventually(lambda: load.acknowledged)
        server.kill()
        assert_sound(server.data)
