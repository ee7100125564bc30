"""Workers that are killed, and a PostgreSQL that is: nothing that was acknowledged is lost, and all show the same."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.builders import body
from tests.postgres_server import PostgresServer, database, fetch
from tests.process import eventually
from tests.senders import NOBODY_LEAVES, Senders
from tests.server import Server

WORKERS = 2


@pytest.fixture
def servers(postgres_url: str, tmp_path: Path, make_server: Callable[..., Server]) -> Iterator[list[Server]]:
    with database(postgres_url) as url, ExitStack() as stack:
        yield [stack.enter_context(make_server(DATABASE_URL=url, **NOBODY_LEAVES).running()) for _ in range(WORKERS)]


def users(server: Server) -> set[str]:
    return {user["user_id"] for user in server.get("/report/metrics/room-1").json()["data"]["users"]}


def test_a_worker_that_is_killed_loses_nothing_and_comes_back_to_the_same(servers: list[Server]) -> None:
    one, other = servers
    with Senders([server.url for server in servers]) as senders:
        for killed in (one, other, one):
            senders.go_on()
            killed.kill()
            senders.go_on()
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
        settings = {"DATABASE_URL": postgres.url, **NOBODY_LEAVES}
        servers = [stack.enter_context(make_server(**settings).running()) for _ in range(WORKERS)]
        with Senders([server.url for server in servers]) as senders:
            for _ in range(2):
                senders.go_on()
                postgres.kill()
                eventually(lambda: all(server.get("/readyz").status_code == 503 for server in servers))
                assert servers[0].get("/report/rooms").json()["data"] == ["room-1"]
                postgres.start()
        for server in servers:
            eventually(lambda: server.get("/readyz").status_code == 200)  # noqa: B023
            assert users(server) >= senders.acknowledged
        rows = asyncio.run(fetch(postgres.url, "SELECT DISTINCT reporter_id FROM sample"))
        assert {user_id for (user_id,) in rows} >= senders.acknowledged


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
