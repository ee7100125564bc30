"""Faults around workers: full disks, clocks that differ, two clusters on one database."""

import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg  # type: ignore[import-untyped]
import httpx
import pytest
from msgspec.structs import replace

from roompulse.app import create_app
from roompulse.postgres.clock import DatabaseClock
from roompulse.settings import Settings
from tests.api import assert_problem, data
from tests.builders import body
from tests.conftest import Clock, client_of
from tests.postgres.test_workers import workers
from tests.postgres_server import execute, schema_of
from tests.process import soon

pytestmark = pytest.mark.anyio

FULL = """CREATE FUNCTION full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file "base/5/16384": No space left on device' USING ERRCODE = 'disk_full';
END $$"""


@asynccontextmanager
async def full_disk(settings: Settings, *tables: str) -> AsyncIterator[None]:
    """Let writes to these tables fail as on a disk that is full."""
    connection = await asyncpg.connect(settings.database_url)
    try:
        await connection.execute(FULL)
        for table in tables:
            await connection.execute(
                f"CREATE TRIGGER is_full BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION full()"
            )
        yield
        await connection.execute("DROP FUNCTION full CASCADE")
    finally:
        await connection.close()


async def is_accepted(worker: httpx.AsyncClient, user_id: str) -> bool:
    return (await worker.post("/report/metrics", content=body(user_id=user_id))).status_code == 200


@pytest.mark.parametrize("tables", [["sample"], ["batch"], ["sample", "beat"]])
async def test_a_full_disk_refuses_reports_with_one_line_and_heals(
    settings: Settings, clock: Clock, caplog: pytest.LogCaptureFixture, tables: list[str]
) -> None:
    async with workers(settings, clock) as (one, other):
        assert (await one.post("/report/metrics", content=body(user_id="before"))).status_code == 200
        async with full_disk(settings, *tables):
            for worker in (one, other):
                answer = await worker.post("/report/metrics", content=body(user_id="meanwhile"))
                assert_problem(answer, 503)
                assert answer.headers["retry-after"] == "2"
            assert [user["user_id"] for user in (await data(other, "/report/metrics/room-1"))["users"]] == ["before"]
        lines = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
        assert any("No space left on device: make room on the disk of PostgreSQL" in line for line in lines)
        assert not [line for line in lines if "\n" in line]

        for worker, user_id in ((one, "u1"), (other, "u2")):
            await soon(lambda: is_accepted(worker, user_id))  # noqa: B023  (called at once)
        users = (await data(other, "/report/metrics/room-1"))["users"]
        assert sorted(user["user_id"] for user in users) == ["before", "u1", "u2"]


NO_ROOM = """CREATE FUNCTION no_room() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full', HINT = 'Check free disk space.';
END $$"""
ON_NEW_TABLES = (
    "CREATE EVENT TRIGGER no_room ON ddl_command_start WHEN TAG IN ('CREATE TABLE AS') EXECUTE FUNCTION no_room()"
)


async def test_a_disk_that_has_room_for_changed_rows_alone_is_full(
    settings: Settings, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Some files of a full disk have free room: there, a probe that changes a row succeeds while reports do not."""
    async with workers(settings, clock) as (one, other):
        async with full_disk(settings, "sample"):
            await execute(settings.database_url or "", NO_ROOM, ON_NEW_TABLES)
            for number in range(10):
                assert_problem(await one.post("/report/metrics", content=body(user_id=f"u{number}")), 503)
            assert (await one.get("/readyz")).status_code == 503
            assert "Database not writable since" in (await one.get("/")).text
            await execute(settings.database_url or "", "DROP EVENT TRIGGER no_room")
        await soon(lambda: is_accepted(one, "u1"))
        assert [user["user_id"] for user in (await data(other, "/report/metrics/room-1"))["users"]] == ["u1"]
    lines = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    full = "could not extend file: make room on the disk of PostgreSQL"
    assert f"the database cannot be written, reports are rejected until it can: {full}" in lines
    assert len(lines) == 2
    assert not [line for line in lines if "\n" in line]


@asynccontextmanager
async def machines(settings: Settings, *ahead: float) -> AsyncIterator[Sequence[httpx.AsyncClient]]:
    """Workers on machines whose clocks are ahead by so many seconds."""
    async with AsyncExitStack() as stack:
        found = []
        for seconds in ahead:
            clock = DatabaseClock(lambda seconds=seconds: time.time() + seconds)  # type: ignore[misc]
            found.append(await stack.enter_async_context(client_of(create_app(settings, clock))))
        yield found


async def test_workers_whose_clocks_are_10_s_apart_show_the_same_times(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async with machines(settings, 5, -5) as clients:
        for number, client in enumerate(clients):
            assert (await client.post("/report/metrics", content=body(user_id=f"u{number}"))).status_code == 200
        one, other = [(await client.get("/report/metrics/room-1")).content for client in clients]
        assert one == other
        users = (await data(clients[0], "/report/metrics/room-1"))["users"]
        assert all(abs(user["received_at"] - time.time()) < 4 for user in users)
    warned = [one.getMessage() for one in caplog.records if "the clock of this machine is" in one.getMessage()]
    assert [line.partition(" is ")[2][:4] for line in warned] == ["+5 s", "-5 s"]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if "has other settings" in one.getMessage()]


async def test_two_clusters_on_one_schema_are_told_so(
    settings: Settings, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with workers(settings, clock):
        assert told(caplog) == []
        async with workers(replace(settings, leave_after=30, port=9000), clock):
            pass
    (line,) = told(caplog)
    assert "other settings (LEAVE_AFTER is 30 here and 60 there): give each cluster a schema of its own" in line
    assert "\n" not in line


async def test_clusters_with_a_schema_each_on_one_database_do_not_meet(
    settings: Settings, postgres_url: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first, second = (
        replace(settings, database_url=schema_of(postgres_url), leave_after=seconds) for seconds in (60, 30)
    )
    async with workers(first, clock) as (one, _), workers(second, clock) as (other, _):
        assert (await one.post("/report/metrics", content=body())).status_code == 200
        assert await data(other, "/report/rooms") == []
        silence = await one.post("/report/alerts/silences", json={"until": clock.now + 100, "reason": "work"})
        assert silence.status_code == 201
        assert await data(other, "/report/alerts/silences") == []
    assert told(caplog) == []
    lease = [one.getMessage() for one in caplog.records if "this worker takes snapshots" in one.getMessage()]
    assert len(lease) == 2
