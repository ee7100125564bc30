"""A network between a worker and PostgreSQL that is cut, swallows everything or is slow; a PostgreSQL that hangs."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.builders import body
from tests.link import Link
from tests.postgres_server import PostgresServer, database, execute, fetch, is_synchronous
from tests.process import DEADLINE, eventually
from tests.senders import NOBODY_LEAVES, Senders
from tests.server import Server

pytestmark = pytest.mark.slow

COMMIT_TIMEOUT = 1
TAKES = "this worker takes snapshots"

MakeServer = Callable[..., Server]
Pair = tuple[Server, Server, Link]


@pytest.fixture
def pair(postgres_url: str, make_server: MakeServer, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A worker that reaches the database by a link, one that reaches it directly, and that link.

    The first one holds the lease. A commit may take COMMIT_TIMEOUT seconds, or as a parameter says.
    """
    port = urlsplit(postgres_url).port
    assert port
    with database(postgres_url) as url, ExitStack() as stack:
        link = stack.enter_context(Link(port).running())
        settings = {"COMMIT_TIMEOUT": getattr(request, "param", COMMIT_TIMEOUT), **NOBODY_LEAVES}
        there = make_server(DATABASE_URL=url.replace(f":{port}/", f":{link.port}/"), **settings)
        stack.enter_context(there.running())
        eventually(lambda: TAKES in there.log.read_text())
        yield there, stack.enter_context(make_server(DATABASE_URL=url, **settings).running()), link


def stored(url: str) -> set[str]:
    rows = asyncio.run(fetch(url, "SELECT DISTINCT reporter_id FROM sample"))
    return {user_id for (user_id,) in rows}


def users(server: Server) -> set[str]:
    return {user["user_id"] for user in server.get("/report/metrics/room-1").json()["data"]["users"]}


def is_ready(server: Server) -> bool:
    return server.get("/readyz").status_code == 200


@pytest.mark.parametrize("how", [Link.cut, Link.swallow])
def test_a_worker_without_its_database_says_so_holds_up_nobody_and_catches_up(
    pair: Pair, how: Callable[[Link], None]
) -> None:
    there, other, link = pair
    assert there.post(body(user_id="before")).status_code == 200
    how(link)
    assert there.post(body(user_id="refused")).status_code == 503
    eventually(lambda: not is_ready(there))
    assert there.get("/healthz").status_code == 200
    assert other.post(body(user_id="meanwhile")).status_code == 200
    assert users(other) == {"before", "meanwhile"}
    assert users(there) == {"before"}
    assert "Database not writable since" in there.get("/rooms/room-1").text
    assert there.get("/report/history/room-1").status_code == 503
    assert "TimeoutError" not in there.log.read_text()
    link.mend()
    eventually(lambda: is_ready(there))
    assert there.post(body(user_id="after")).status_code == 200
    assert users(there) >= {"before", "meanwhile", "after"}
    assert there.get("/report/metrics/room-1").content == other.get("/report/metrics/room-1").content


@pytest.mark.parametrize("how", [Link.cut, Link.swallow])
def test_what_runs_once_goes_on_in_a_worker_that_has_a_network(pair: Pair, how: Callable[[Link], None]) -> None:
    there, other, link = pair
    how(link)
    eventually(lambda: TAKES in other.log.read_text())
    eventually(lambda: "the lease is lost" in there.log.read_text())
    link.mend()
    eventually(lambda: is_ready(there))
    assert there.log.read_text().count(TAKES) == 1


@pytest.mark.parametrize("pair", [DEADLINE], indirect=True)
def test_a_slow_network_makes_reports_take_longer_and_nothing_else(pair: Pair) -> None:
    there, other, link = pair
    link.delay = 0.05
    with Senders([there.url, other.url]) as senders:
        senders.go_on()
    assert users(there) == users(other) >= senders.acknowledged
    assert is_ready(there)
    assert "cannot be written" not in there.log.read_text()


def test_a_network_that_comes_and_goes_loses_nothing_that_was_acknowledged(pair: Pair, postgres_url: str) -> None:
    there, other, link = pair
    with Senders([there.url, other.url]) as senders:
        for how in (Link.cut, Link.swallow, Link.cut, Link.swallow):
            senders.go_on()
            how(link)
            senders.go_on()
            link.mend()
            eventually(lambda: is_ready(there))
    assert users(other) >= senders.acknowledged
    answers = [server.get("/report/metrics/room-1") for server in (there, other)]
    assert answers[0].content == answers[1].content
    assert answers[0].headers["etag"] == answers[1].headers["etag"]


@contextmanager
def stopped(postgres: PostgresServer) -> Iterator[None]:
    """All processes of PostgreSQL stand still."""
    pids = postgres.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_a_postgresql_that_hangs_is_as_one_that_is_away(make_server: MakeServer) -> None:
    with tempfile.TemporaryDirectory(prefix="roompulse-") as folder, ExitStack() as stack:
        postgres = PostgresServer(Path(folder), "fsync=on")
        postgres.start()
        stack.callback(postgres.stop)
        settings = {"DATABASE_URL": postgres.url, "COMMIT_TIMEOUT": COMMIT_TIMEOUT, **NOBODY_LEAVES}
        servers = [stack.enter_context(make_server(**settings).running()) for _ in range(2)]
        with Senders([server.url for server in servers]) as senders:
            senders.go_on()
            with stopped(postgres):
                for server in servers:
                    assert server.post(body(user_id="refused")).status_code == 503
                    eventually(lambda: not is_ready(server))  # noqa: B023  (called at once)
                    assert server.get("/report/rooms").json()["data"] == ["room-1"]
                    assert server.get("/report/history/room-1").status_code == 503
            for server in servers:
                eventually(lambda: is_ready(server))  # noqa: B023
            senders.go_on()
        assert users(servers[0]) == users(servers[1]) >= senders.acknowledged


def test_a_promoted_standby_has_all_that_was_acknowledged(make_server: MakeServer) -> None:
    with tempfile.TemporaryDirectory(prefix="roompulse-") as folder, ExitStack() as stack:
        primary = PostgresServer(Path(folder), "fsync=on")
        primary.start()
        stack.callback(primary.stop)
        standby = primary.standby(Path(folder) / "standby")
        standby.start()
        stack.callback(standby.stop)
        asyncio.run(execute(primary.url, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"))
        eventually(lambda: asyncio.run(is_synchronous(primary.url)))
        hosts = ",".join(urlsplit(one.url).netloc.partition("@")[2] for one in (primary, standby))
        url = f"postgresql://roompulse@{hosts}/postgres"
        servers = [stack.enter_context(make_server(DATABASE_URL=url, **NOBODY_LEAVES).running()) for _ in range(2)]
        with Senders([server.url for server in servers]) as senders:
            senders.go_on(50)
            primary.kill()
            asyncio.run(execute(standby.url, "SELECT pg_promote()"))
            senders.go_on(50)
        for server in servers:
            eventually(lambda: is_ready(server))  # noqa: B023
        assert users(servers[0]) == users(servers[1]) >= senders.acknowledged
        assert stored(standby.url) >= senders.acknowledged
