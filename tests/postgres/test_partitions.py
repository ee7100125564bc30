"""Samples by the hour and snapshots by the day: made before they are needed, dropped as a whole, healed when lost."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest
from msgspec.structs import replace

from roompulse.engines import Engine, engine_of
from roompulse.errors import StoreError
from roompulse.postgres.partitions import MADE_AHEAD
from roompulse.report.model import Entry
from roompulse.settings import Settings
from roompulse.store import migrate
from roompulse.store.contract import HistoryQuery, SampleQuery
from roompulse.store.samples import SqlSamples
from tests.api import data
from tests.builders import NOW, received, stream
from tests.calls import Calls
from tests.conftest import Clock
from tests.postgres_server import schema_of
from tests.store import done

pytestmark = pytest.mark.anyio

HOUR, DAY = 3600, 86_400
START = NOW // DAY * DAY + HOUR
"""The beginning of an hour, and no day."""


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@asynccontextmanager
async def running(settings: Settings, clock: Clock) -> AsyncIterator[Engine]:
    engine = engine_of(settings, clock)
    async with engine.database.open(), engine.access.open():
        await engine.join()
        try:
            yield engine
        finally:
            await engine.close()


@pytest.fixture
async def engine(settings: Settings, clock: Clock) -> AsyncIterator[Engine]:
    async with running(settings, clock) as engine:
        yield engine


async def execute(settings: Settings, *statements: str) -> None:
    connection = await asyncpg.connect((settings.database_url or "").partition("?")[0])
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def tables(engine: Engine, parent: str = "sample") -> list[str]:
    """The partitions that there are, attached or not."""
    named = "SELECT relname FROM pg_class WHERE relname ~ '_(before|[0-9]{10})$' AND relkind = 'r' ORDER BY 1"
    found = await engine.database.write(lambda connection: connection.exec_driver_sql(named).scalars().all())
    return [name for name in found if name.startswith(parent)]


def hours(*numbers: int) -> list[str]:
    """The names of tables so many hours after START."""
    return [f"sample_{datetime.fromtimestamp(START + number * HOUR, UTC):%Y%m%d%H}" for number in numbers]


async def users(engine: Engine, room_id: str = "room-1") -> list[str]:
    archive = SqlSamples(engine.database)
    query = SampleQuery(room_id, START - 100 * DAY, START + 100 * DAY)
    portions = await asyncio.to_thread(list, archive.reports(query))
    return [one.report.user_id for portion in portions for one in portion]


async def post(engine: Engine, user_id: str, at: float) -> None:
    await engine.log.append([received(at, user_id=user_id)])


async def test_tables_are_there_before_they_are_needed(
    engine: Engine, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    assert await tables(engine) == hours(0, 1, 2)
    assert len(await tables(engine, "snapshot")) == 1 + MADE_AHEAD
    clock.advance(HOUR)
    await engine.join()
    assert await tables(engine) == hours(0, 1, 2, 3)
    for number in range(4):
        await post(engine, f"u{number}", START + number * HOUR)
    assert await users(engine) == ["u0", "u1", "u2", "u3"]
    assert caplog.records == []


async def test_a_batch_of_two_hours_is_in_both(engine: Engine) -> None:
    await engine.log.append([received(START + HOUR - 0.001, user_id="a"), received(START + HOUR, user_id="b")])
    where = "SELECT tableoid::regclass::text FROM sample ORDER BY id"
    found = await engine.database.write(lambda connection: connection.exec_driver_sql(where).scalars().all())
    assert found == hours(0, 1)


async def test_what_is_too_old_is_dropped_by_table(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for number in range(3):
        await post(engine, f"u{number}", START + number * HOUR)
    await engine.store.prune(START + HOUR - 0.001, 0)
    assert await tables(engine) == hours(0, 1, 2)
    await engine.store.prune(START + HOUR, 0)
    assert await tables(engine) == hours(1, 2)
    assert await users(engine) == ["u1", "u2"]
    assert [one.getMessage() for one in caplog.records] == [
        f"the table {hours(0)[0]} was dropped, as all in it is too old"
    ]


async def test_snapshots_are_dropped_by_the_day(settings: Settings, clock: Clock) -> None:
    async with Calls.of(settings, clock) as calls:
        clock.now = START
        for day in range(2):
            await calls.post(START + day * DAY - NOW, "u1", [Entry("u1", [stream()])])
            await calls.look()
        store = calls.core.store
        query = HistoryQuery("room-1", START - DAY, START + 9 * DAY)
        assert [one.timestamp for one in await asyncio.to_thread(done, store.history(query)) or ()] == [
            START,
            START + DAY,
        ]
        await store.prune(0, START + DAY)
        assert [one.timestamp for one in await asyncio.to_thread(done, store.history(query)) or ()] == [START + DAY]


async def test_what_is_kept_for_less_than_a_table_is_deleted_by_row(settings: Settings, clock: Clock) -> None:
    async with running(replace(settings, sample_retention=60), clock) as engine:
        for number in range(3):
            await post(engine, f"u{number}", START + number)
        assert await engine.store.prune(START + 2, 0) == 2
        assert await users(engine) == ["u2"]


async def test_a_long_read_does_not_hold_up_reports_and_the_drop_goes_on_after_it(
    engine: Engine, settings: Settings
) -> None:
    await post(engine, "u0", START)
    reader = await asyncpg.connect(settings.database_url)
    async with reader.transaction():
        assert await reader.fetchval("SELECT count(*) FROM sample") == 1
        with pytest.raises(StoreError, match="lock timeout"):
            await engine.store.prune(START + HOUR, 0)
        await post(engine, "u1", START + HOUR)
        assert await users(engine) == ["u1"]
    await reader.close()
    await engine.store.prune(START + HOUR, 0)
    assert await tables(engine) == hours(1, 2)


async def test_a_drop_that_was_cut_off_goes_on(engine: Engine, settings: Settings) -> None:
    await execute(settings, f"ALTER TABLE sample DETACH PARTITION {hours(0)[0]}")
    await engine.store.prune(START + HOUR, 0)
    assert await tables(engine) == hours(1, 2)


@pytest.mark.parametrize("how", ["DROP TABLE {}", "ALTER TABLE sample DETACH PARTITION {}"])
async def test_a_lost_table_is_told_in_one_line_and_healed(
    engine: Engine, settings: Settings, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    await post(engine, "before", START)
    await execute(settings, how.format(hours(0)[0]))
    assert await users(engine) == []
    for user_id in ("after", "later"):
        await post(engine, user_id, START + 1)
    assert (await users(engine))[-2:] == ["after", "later"]
    assert ("before" in await users(engine)) == ("DETACH" in how)
    (line,) = [one.getMessage() for one in caplog.records]
    assert line.startswith("there was no table for reports of ")
    assert line.endswith("and it was made. If it was lost: see your backups")


async def test_a_lost_table_of_snapshots_is_healed(settings: Settings, clock: Clock) -> None:
    async with Calls.of(settings, clock) as calls:
        await calls.post(0, "u1", [Entry("u1", [stream()])])
        for name in await tables(calls.core.engine, "snapshot"):
            await execute(settings, f"DROP TABLE {name}")
        await calls.look()
        assert len(await data(calls.client, "/report/history/room-1")) == 1


async def test_workers_that_find_no_table_at_once_make_one(settings: Settings, clock: Clock) -> None:
    async with running(settings, clock) as one, running(settings, clock) as other:
        for number in range(5):
            posting = (post(engine, name, START + (50 + number) * HOUR) for engine, name in ((one, "a"), (other, "b")))
            await asyncio.gather(*posting)
        assert sorted(await users(one)) == ["a"] * 5 + ["b"] * 5


@pytest.fixture
def old_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the migrations be those before there were partitions."""
    for path in migrate.VERSIONS.glob("0*.py"):
        if path.name < "0013":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr("roompulse.postgres.database.migrate", lambda found: migrate.migrate(found, tmp_path))


@pytest.mark.parametrize("is_filled", [True, False])
async def test_a_database_without_tables_by_time_is_divided(
    postgres_url: str, clock: Clock, tmp_path: Path, request: pytest.FixtureRequest, *, is_filled: bool
) -> None:
    settings = Settings(data=tmp_path, database_url=schema_of(postgres_url))
    request.getfixturevalue("old_versions")
    before = engine_of(settings, clock)
    async with before.database.open(), before.access.open():
        if is_filled:
            await post(before, "u0", START - 5 * HOUR)
            await post(before, "u1", START + 60)
        await before.close()
    request.getfixturevalue("monkeypatch").undo()
    async with running(settings, clock) as engine:
        await post(engine, "u2", START + 120)
        await post(engine, "u3", START + HOUR)
        assert await users(engine) == [*(["u0", "u1"] if is_filled else []), "u2", "u3"]
        assert await tables_of(engine) == (["sample_before", *hours(1, 2)] if is_filled else hours(0, 1, 2))
        ids = "SELECT array_agg(id ORDER BY id) FROM sample"
        found = await engine.database.write(lambda connection: connection.exec_driver_sql(ids).scalar())
        assert found == ([1, 2, 3, 4] if is_filled else [1, 2])
        await engine.store.prune(START + HOUR, 0)
        assert await users(engine) == ["u3"]
        assert await tables_of(engine) == hours(1, 2)
        await post(engine, "u4", START + 30)
        assert sorted(await users(engine)) == ["u3", "u4"]


async def tables_of(engine: Engine) -> Sequence[str]:
    attached = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'sample'::regclass ORDER BY 1"
    found = await engine.database.write(lambda connection: connection.exec_driver_sql(attached).scalars().all())
    return sorted(found, key=lambda name: (name != "sample_before", name))
