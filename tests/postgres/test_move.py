"""`roompulse migrate-to`: everything that a server in SQLite has is in PostgreSQL then, once, and answers the same."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from sqlalchemy import Connection, MetaData, Table, select

from roompulse.access.database import AccessDatabase
from roompulse.cli import main
from roompulse.engines import engine_of
from roompulse.errors import StartupError
from roompulse.postgres import move as postgres_move
from roompulse.postgres.database import PostgresDatabase
from roompulse.postgres.lease import run_once
from roompulse.postgres.move import TABLES, move
from roompulse.report.model import Entry
from roompulse.settings import Settings
from roompulse.store import schema
from roompulse.store.engine import Database
from roompulse.store.migrate import VERSIONS, migrate
from roompulse.store.sql_store import SqlStore
from tests.access import bearer, new_key
from tests.api.test_overview import LOSSY
from tests.builders import NOW, received, stream
from tests.calls import Calls
from tests.conftest import Clock
from tests.databases import make_databases
from tests.forked import Fork, run_forked
from tests.operators import add_operators, cookie_of
from tests.postgres.test_workers import findings
from tests.process import DEADLINE, soon

pytestmark = pytest.mark.anyio

PATHS = [
    "/report/rooms",
    "/report/metrics/room-2",
    "/report/metrics/room-2/u1",
    "/report/overview",
    "/report/history/room-1",
    f"/report/history/room-1?from={NOW + 10}&to={NOW + 60}&step=20",
    "/report/history/room-1/u1",
    "/report/calls",
    f"/report/calls/room-1/{NOW}",
    "/report/events/room-1",
    "/report/notes/room-1",
    "/report/alerts",
    "/report/alerts/rules",
    "/report/alerts/silences",
    "/report/alerts/channels",
    "/report/insights?by=sdk_version",
    "/report/trends?step=60",
    "/report/shares",
    "/rooms/room-1/users.json",
    "/rooms/room-1/history.csv",
    "/rooms/room-1/events.csv",
    "/rooms/room-1/sessions",
    "/rooms/room-1/users/u1/visits",
    "/calls",
    f"/calls/room-1/{NOW}",
    f"/rooms/room-1?at={NOW + 25}",
    f"/rooms/room-1/users/u1?at={NOW + 25}",
    "/insights",
    "/alerts",
]
"""Answers that are the same after a move, to the byte."""


@contextmanager
def unseen(_table: str, _rows: int) -> Iterator[Callable[[int], None]]:
    yield lambda _: None


@pytest.fixture
def source(tmp_path: Path) -> Settings:
    """Those of a server in SQLite."""
    make_databases(tmp_path / "data")
    return Settings(data=tmp_path / "data", commit_timeout=1)


@pytest.fixture
def target(settings: Settings) -> Settings:
    """Those of a server on an empty database of PostgreSQL."""
    return replace(settings, commit_timeout=1)


async def rows_of(run: Callable[[Callable[[Connection], Any]], Any], table: Table) -> list[tuple[Any, ...]]:
    found = await run(lambda connection: connection.execute(select(table).order_by(*table.primary_key)).all())
    return [tuple(row) for row in found]


async def contents(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """All rows, by table."""
    engine = engine_of(settings, Clock())
    async with engine.database.open(), engine.access.open():
        runs = {schema.metadata: engine.database.write}
        return {table.name: await rows_of(runs.get(table.metadata, engine.access.run), table) for table in TABLES}


async def fill(source: Settings, clock: Clock) -> dict[str, str]:
    """Let each table have a row; returns the headers by which all may be read."""
    await add_operators(source, ada="admin")
    _, shown = await new_key(source, "manage")
    headers = bearer(shown)
    async with Calls.of(source, clock) as calls:
        calls.client.headers.update(headers)
        for path, given in GIVEN:
            assert (await calls.client.post(path, json=given)).status_code == 201
        evaluating = asyncio.create_task(calls.core.alerts.run())
        await asyncio.sleep(0)
        for second in range(0, 80, 10):
            await calls.post(second, "u1", [Entry("u1", LOSSY)])
            await calls.post(second, "u2", [Entry("u2", [stream()]), Entry("u1", [stream(direction="recv")])])
            await calls.look()
            await calls.core.alerts.tick()
            await calls.core.recorder.look(clock.now)
        evaluating.cancel()
        for path, given in GIVEN_ROOM:
            assert (await calls.client.post(path, json=given)).status_code == 201
        await calls.wait(70)
        await calls.wait(10)
        for second in range(160, 180, 5):
            await calls.post(second, "u1", [Entry("u1", [stream()])], room_id="room-2")
            await calls.look()
    return headers


GIVEN: Sequence[tuple[str, dict[str, Any]]] = (
    (
        "/report/alerts/rules",
        {
            "name": "Poor",
            "severity": "info",
            "subject": "room",
            "when": [{"metric": "score", "op": "<", "value": 4}],
        },
    ),
    ("/report/alerts/silences", {"until": NOW + 1000, "reason": "work"}),
    (
        "/report/alerts/channels",
        {"kind": "webhook", "name": "hook", "url": "https://example.com/", "call_ended": True},
    ),
)
GIVEN_ROOM: Sequence[tuple[str, dict[str, Any]]] = (
    ("/report/notes/room-1", {"text": "restarted the SFU"}),
    ("/report/shares", {"path": "/rooms/room-1", "expires_in": 36_000}),
)


async def answers(settings: Settings, clock: Clock, headers: dict[str, str]) -> dict[str, tuple[int, bytes]]:
    """The answers of a server that has just started."""
    async with Calls.of(settings, clock) as calls:
        found = {path: await calls.client.get(path, headers=headers) for path in PATHS}
        found["nobody"] = await calls.client.get("/report/rooms")
        found["ada"] = await calls.client.get("/access", headers=cookie_of("ada"))
    return {path: (answer.status_code, answer.content if path in PATHS else b"") for path, answer in found.items()}


async def test_all_tables_are_copied_and_the_server_answers_the_same(
    source: Settings, target: Settings, clock: Clock
) -> None:
    headers = await fill(source, clock)
    before, answered = await contents(source), await answers(source, clock, headers)
    assert [name for name, rows in before.items() if not rows] == []  # A new table is to be filled here.
    assert [path for path in PATHS if answered[path][0] != 200] == []
    assert answered["nobody"][0] == 401
    assert answered["ada"][0] == 200
    assert await move(source, target, unseen)
    assert await contents(target) == await contents(source) == before
    assert await answers(target, clock, headers) == answered


async def test_ids_go_on_after_those_that_were_copied(source: Settings, target: Settings, clock: Clock) -> None:
    async with Calls.of(source, clock) as calls:
        await calls.post(0, "u1", [])
        await calls.look()
    await move(source, target, unseen)
    async with Calls.of(target, clock) as calls:
        await calls.post(5, "u2", [])
        await calls.look()
    after = await contents(target)
    assert [(row[0], row[3]) for row in after["sample"]] == [(1, "u1"), (2, "u2")]
    assert len(after["snapshot"]) == 2


async def test_a_move_that_is_cut_off_again_and_again_copies_each_row_once(
    source: Settings, target: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_move, "ROWS_AT_ONCE", 2)
    await fill(source, clock)
    steps = 0

    @contextmanager
    def cut_off(_table: str, _rows: int) -> Iterator[Callable[[int], None]]:
        def advance(_rows: int) -> None:
            nonlocal steps
            steps += 1
            if steps % 20 == 0:
                raise ConnectionAbortedError

        yield advance

    for _ in range(50):
        with suppress(ConnectionAbortedError, StartupError):
            assert await move(source, target, cut_off)
            break
    assert steps > 60
    assert await contents(target) == await contents(source)


@pytest.mark.slow
async def test_a_move_that_is_killed_goes_on(source: Settings, target: Settings, clock: Clock, tmp_path: Path) -> None:
    await fill(source, clock)
    url = target.database_url or ""
    arguments = ["migrate-to", url, "--data", str(source.data)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ROOMPULSE_")}
    environment = clean | {"ROOMPULSE_COMMIT_TIMEOUT": "100"}
    holder = await asyncpg.connect(url)
    async with holder.transaction():
        await holder.execute(f"LOCK TABLE {TABLES[len(TABLES) // 2].name} IN EXCLUSIVE MODE")
        process = Fork(arguments, environment, tmp_path / "log")
        await soon(lambda: holder.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"))
        process.send_signal(signal.SIGKILL)
        process.wait(DEADLINE)
        process.stdout.close()
    await holder.close()
    with pytest.raises(StartupError, match=r"does not have all of .*roompulse\.db yet: run roompulse migrate-to again"):
        await contents(target)
    again = await asyncio.to_thread(run_forked, arguments, environment, DEADLINE)
    assert (again.returncode, again.stderr) == (0, "")
    assert "Everything is copied" in again.stdout
    assert await contents(target) == await contents(source)


async def test_a_source_that_changed_since_is_copied_anew(
    source: Settings, target: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def cut_off(table: str, _rows: int) -> Iterator[Callable[[int], None]]:
        if table == TABLES[-1].name:
            raise ConnectionAbortedError
        yield lambda _: None

    async with Calls.of(source, clock) as calls:
        await calls.post(0, "u1", [])
    with pytest.raises((ConnectionAbortedError, StartupError)):
        await move(source, target, cut_off)
    async with Calls.of(source, clock) as calls:
        erased = await calls.client.delete("/report/users/u1")
        assert erased.status_code == 200
        await calls.post(5, "u2", [])
    assert await move(source, target, unseen)
    after = await contents(target)
    assert after == await contents(source)
    assert [row[3] for row in after["sample"]] == ["u2"]


async def test_a_second_move_has_nothing_to_do(source: Settings, target: Settings, clock: Clock) -> None:
    async with Calls.of(source, clock) as calls:
        await calls.post(0, "u1", [])
    assert await move(source, target, unseen)
    before = await contents(target)
    assert not await move(source, target, unseen)
    assert await contents(target) == before


async def test_equal_events_become_one(source: Settings, target: Settings) -> None:
    event = {"room_id": "r", "time": 1, "kind": "room_started", "text": "started"}
    database = Database(source)
    async with database.open():
        for _ in range(2):
            await database.write(lambda connection: connection.execute(schema.events.insert(), event))
    await move(source, target, unseen)
    assert [row[1:4] for row in (await contents(target))["event"]] == [("r", 1, "room_started")]


async def reason(source: Settings, target: Settings) -> str:
    """The line that a move ends with."""
    with pytest.raises(StartupError) as raised:
        await move(source, target, unseen)
    assert "\n" not in str(raised.value)
    return str(raised.value)


async def test_a_target_with_other_data_is_refused(source: Settings, target: Settings, clock: Clock) -> None:
    async with Calls.of(target, clock) as calls:
        await calls.post(0, "u1", [])
    before = await contents(target)
    found = await reason(source, target)
    assert "has data of its own already (in " in found
    assert "name an empty database, or add ?schema=NAME" in found
    assert await contents(target) == before


async def test_a_target_with_another_source_is_refused(source: Settings, target: Settings, tmp_path: Path) -> None:
    await move(source, target, unseen)
    make_databases(tmp_path / "other")
    other = replace(source, data=tmp_path / "other")
    assert f"has the data of {(source.data / 'roompulse.db').resolve()} already" in await reason(other, target)


async def test_a_target_on_which_a_server_runs_is_refused(source: Settings, target: Settings) -> None:
    held, database = asyncio.Event(), PostgresDatabase(target)

    async def no_jobs() -> Sequence[Coroutine[Any, Any, None]]:
        held.set()
        return []

    async with database.open():
        holding = asyncio.create_task(run_once(database, no_jobs))
        async with asyncio.timeout(DEADLINE):
            await held.wait()
        assert "a server is running on" in await reason(source, target)
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
    assert await move(source, target, unseen)


async def test_a_source_on_which_a_server_runs_is_refused(source: Settings, target: Settings) -> None:
    async with Database(source).open():
        assert "another roompulse is running on the database" in await reason(source, target)


async def test_a_source_whose_keys_change_meanwhile_is_refused(source: Settings, target: Settings) -> None:
    access = AccessDatabase(source)

    @contextmanager
    def change(table: str, _rows: int) -> Iterator[Callable[[int], None]]:
        if table == TABLES[-1].name:
            path = access.path
            os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))
        yield lambda _: None

    with pytest.raises(StartupError, match="was changed meanwhile: run this again, which starts over"):
        await move(source, target, change)
    assert await move(source, target, unseen)


async def test_a_source_that_is_not_there_is_named(source: Settings, target: Settings, tmp_path: Path) -> None:
    nowhere = replace(source, data=tmp_path / "nowhere")
    assert "there is no database" in await reason(nowhere, target)
    assert not nowhere.data.exists()


async def test_a_target_that_is_not_there_is_named(source: Settings, target: Settings) -> None:
    gone = replace(target, database_url="postgresql://me:secret@127.0.0.1:1/calls")
    found = await reason(source, gone)
    assert found.startswith("the database calls at 127.0.0.1:1 cannot be reached (Connection refused)")


async def test_a_source_of_an_earlier_version_is_upgraded_and_copied(
    target: Settings, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in VERSIONS.glob("0*.py"):
        if path.name < "0009":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    old = Settings(data=tmp_path / "old", commit_timeout=1)
    with monkeypatch.context() as patch:
        patch.setattr("roompulse.store.engine.migrate", lambda found: migrate(found, tmp_path))
        patch.setattr("roompulse.store.engine.metadata", MetaData())
        database = Database(old)
        async with database.open():
            await SqlStore(database).append([received(NOW, user_id="u1")])
    assert await move(old, target, unseen)
    async with Calls.of(target, clock) as calls:
        assert (await calls.client.get("/report/rooms")).json()["data"] == ["room-1"]
    assert [row[3] for row in (await contents(target))["sample"]] == ["u1"]


@pytest.mark.parametrize("which", ["source", "target"])
async def test_a_newer_schema_is_named(source: Settings, target: Settings, which: str) -> None:
    database = engine_of({"source": source, "target": target}[which], Clock()).database
    newer = ["UPDATE alembic_version SET version_num = 'newer'"]
    if which == "target":
        newer.append("UPDATE readable_by SET revision = 'newer'")
    async with database.open():
        for statement in newer:
            await database.write(lambda connection: connection.exec_driver_sql(statement))  # noqa: B023
    assert "of a newer roompulse (schema newer)" in await reason(source, target)


def migrate_to(*arguments: str) -> tuple[int, str]:
    run = CliRunner().invoke(main, ["migrate-to", *arguments])
    return run.exit_code, run.output


def test_the_command_says_what_it_has_done(source: Settings, target: Settings) -> None:
    arguments = target.database_url or "", "--data", str(source.data)
    code, said = migrate_to(*arguments)
    assert code == 0
    assert "sample: 0 rows\n" in said
    assert said.endswith("Everything is copied: start the server with ROOMPULSE_DATABASE_URL set to this URL.\n")
    assert migrate_to(*arguments) == (0, "Everything was copied before: there is nothing to do.\n")


def test_a_url_of_something_else_is_refused(source: Settings) -> None:
    code, said = migrate_to("sqlite:///x.db", "--data", str(source.data))
    assert code == 2
    assert "Invalid value for URL: must be as postgresql://USER@HOST/DATABASE" in said


async def test_a_check_names_a_move_that_is_not_finished(source: Settings, target: Settings) -> None:
    def cut_off(_table: str, _rows: int) -> Any:
        raise ConnectionAbortedError

    with pytest.raises((ConnectionAbortedError, StartupError)):
        await move(source, target, cut_off)
    found = await asyncio.to_thread(findings, target)
    assert [level for level, text in found if "run roompulse migrate-to again" in text] == ["error"]
