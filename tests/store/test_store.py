"""The contract of every store, and particulars of SQLite."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from threading import Event
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import OperationalError

from roompulse.errors import StoreError
from roompulse.report.model import Audio, Device, Entry, Network, Received, Video
from roompulse.rooms.admission import Limits
from roompulse.rooms.aggregate import aggregate_of
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.model import Aggregate, Snapshot
from roompulse.settings import Settings
from roompulse.store.contract import HistoryQuery
from roompulse.store.engine import Database
from roompulse.store.row_codec import snapshot_row
from roompulse.store.schema import snapshots
from roompulse.store.sql_store import PRUNE_AT_ONCE, SqlStore
from tests.builders import NOW, audio, received, stream, video
from tests.store import done

ROOM = HistoryQuery("room-1")


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings)
    async with database.open():
        yield database


@pytest.fixture(params=["sql"])
def store(database: Database) -> SqlStore:
    """Each implementation of the contract in its turn."""
    return SqlStore(database)


@asynccontextmanager
async def reopened(settings: Settings) -> AsyncIterator[SqlStore]:
    database = Database(settings)
    async with database.open():
        yield SqlStore(database)


def aggregate() -> Aggregate:
    rooms = RoomsInMemory(Limits(9, 9, 9), stale_after=15, leave_after=60)
    rooms.apply(received())
    room = rooms.get("room-1")
    assert room
    return room.metrics().aggregate


async def recent(store: SqlStore, since: float = 0) -> list[Received]:
    """The appended reports, without their positions."""
    return [replace(one, position=0) async for one in store.recent(since)]


async def times(store: SqlStore, query: HistoryQuery = ROOM) -> list[float] | None:
    history = done(store.history(query))
    return None if history is None else [snapshot.timestamp for snapshot in history]


# The contract


async def test_it_keeps_a_report_with_every_field(store: SqlStore) -> None:
    full = stream(video=video(codec="VP9", frames_dropped=3, freeze_count=2, freeze_duration=1.2, content="camera"))
    muted = stream("mic", video=None, audio=audio(codec="opus", level=0, muted=True, concealed=0.5))
    entry = Entry("u2", [stream("screen", "recv"), full, muted], Device("phone", None, "Firefox 139", "4g"))
    one = received(at=NOW + 0.125, metrics=[entry])
    await store.append([one])
    assert await recent(store) == [one]


async def test_it_keeps_what_is_not_known_as_not_known(store: SqlStore) -> None:
    streams = [
        stream("nothing", video=None, audio=None, network=None),
        stream("empty", video=Video(), audio=Audio(), network=Network()),
        stream("zero", video=Video(0, 0, 0, 0, 0), audio=Audio(0, 0, 0, 0), network=Network(0, 0, 0)),
        stream("fractions", video=Video(None, 29.97, None, None, 0.5), audio=None, network=Network(None, 1e-9, None)),
    ]
    one = received(metrics=[Entry("u1", streams)])
    await store.append([one])
    (got,) = await recent(store)
    assert got.report.metrics[0].streams[:1] == streams[:1]
    assert got == one


async def test_it_keeps_a_report_without_entries_and_an_entry_without_streams(store: SqlStore) -> None:
    reports = [received(metrics=[]), received(metrics=[Entry("u2", [])])]
    await store.append(reports)
    assert await recent(store) == reports


async def test_a_report_about_several_users_has_the_same_effect_when_it_comes_back(store: SqlStore) -> None:
    entries = [Entry("u2", [stream("camera", "recv")]), Entry("u3", []), Entry("u2", [stream("mic", "recv")])]
    await store.append([received(metrics=entries)])
    got = await recent(store)
    assert [entry for one in got for entry in one.report.metrics] == entries
    assert {(one.at, one.report.user_id, one.report.room_id) for one in got} == {(NOW, "u1", "room-1")}


@pytest.mark.parametrize("hostile", ["a/b", "'; DROP TABLE sample; --", "😀", "مرحبا", "%_", "e\u0301", "NULL", "0"])
async def test_it_keeps_ids_byte_for_byte(store: SqlStore, hostile: str) -> None:
    one = received(user_id=hostile, room_id=hostile, metrics=[Entry(hostile, [stream(hostile)])])
    await store.append([one])
    await store.add_snapshots(NOW, [(hostile, aggregate())])
    assert await recent(store) == [one]
    assert await times(store, HistoryQuery(hostile)) == [NOW]


async def test_the_largest_numbers_fit(store: SqlStore) -> None:
    one = received(report_time=10**14, metrics=[Entry("u1", [stream(video=Video(10**14, 1000, 65535, 65535, 10**7))])])
    await store.append([one])
    assert await recent(store) == [one]


async def test_recent_reports_come_in_the_order_of_their_receipt(store: SqlStore) -> None:
    reports = [received(at=NOW + number // 10, user_id=f"u{number}") for number in range(2500)]
    for start in range(0, 2500, 500):
        await store.append(reports[start : start + 500])
    assert await recent(store) == reports


async def test_recent_reports_are_those_received_after_a_time(store: SqlStore) -> None:
    reports = [received(at=NOW + number) for number in range(5)]
    await store.append(reports)
    assert await recent(store, NOW + 2) == reports[3:]
    assert await recent(store, NOW + 1.999) == reports[2:]
    assert await recent(store, NOW + 4) == []


async def test_recent_reports_are_found_behind_many_that_are_older(store: SqlStore) -> None:
    reports = [received(at=NOW + number, user_id=f"u{number}") for number in range(2500)]
    await store.append(reports)
    for newest in (1, 999, 1000, 1001, 2499):
        assert await recent(store, NOW + 2499 - newest) == reports[-newest:]


async def test_an_empty_store_has_nothing(store: SqlStore) -> None:
    assert await recent(store) == []
    assert done(store.history(ROOM)) is None
    assert await store.prune(NOW, NOW) == 0


async def test_it_can_be_written_while_it_is_read(store: SqlStore) -> None:
    await store.append([received(user_id="u1"), received(user_id="u2")])
    seen = []
    async for one in store.recent(0):
        await store.append([received(user_id=one.report.user_id + " again")])
        seen.append(one.report.user_id)
    assert seen == ["u1", "u2"]


async def test_many_can_write_at_once(store: SqlStore) -> None:
    reports = [received(user_id=f"u{number}") for number in range(30)]
    await asyncio.gather(*(store.append([one]) for one in reports), *(recent(store) for _ in range(10)))
    assert sorted(one.report.user_id for one in await recent(store)) == sorted(one.report.user_id for one in reports)


async def test_history_is_that_of_the_room_oldest_first(store: SqlStore) -> None:
    for number in range(3):
        await store.add_snapshots(NOW + number, [("room-1", aggregate()), ("room-2", aggregate())])
    await store.add_snapshots(NOW + 3, [("room-2", aggregate())])
    assert await times(store) == [NOW, NOW + 1, NOW + 2]
    assert await times(store, HistoryQuery("room-2")) == [NOW, NOW + 1, NOW + 2, NOW + 3]


async def test_a_snapshot_comes_back_with_every_field(store: SqlStore) -> None:
    for timestamp, one in ((NOW + 0.125, aggregate()), (NOW + 1, aggregate_of([], []))):
        await store.add_snapshots(timestamp, [("room-1", one)])
        history = done(store.history(HistoryQuery("room-1", start=timestamp)))
        fields = {name: getattr(one, name) for name in Aggregate.__struct_fields__}
        assert history == [Snapshot(**fields, timestamp=timestamp)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (HistoryQuery("room-1", start=NOW + 7), [7, 8, 9]),
        (HistoryQuery("room-1", end=NOW + 2), [0, 1, 2]),
        (HistoryQuery("room-1", start=NOW + 3, end=NOW + 4.5), [3, 4]),
        (HistoryQuery("room-1", limit=2), [8, 9]),
        (HistoryQuery("room-1", end=NOW + 5, limit=2), [4, 5]),
        (HistoryQuery("room-1", step=4), [0, 4, 8]),
        (HistoryQuery("room-1", step=4, limit=2), [4, 8]),
        (HistoryQuery("room-1", start=NOW + 100), []),
    ],
)
async def test_history_is_what_is_asked_for(store: SqlStore, query: HistoryQuery, expected: list[float]) -> None:
    for number in range(10):
        await store.add_snapshots(NOW + number, [("room-1", aggregate())])
    assert await times(store, query) == [NOW + number for number in expected]


async def test_a_room_with_reports_alone_has_an_empty_history(store: SqlStore) -> None:
    await store.append([received()])
    assert done(store.history(ROOM)) == []
    assert done(store.history(HistoryQuery("room-2"))) is None


async def test_it_prunes_what_is_old_and_nothing_else(store: SqlStore) -> None:
    for number in range(4):
        await store.append([received(at=NOW + number)])
        await store.add_snapshots(NOW + number, [("room-1", aggregate())])
    assert await store.prune(NOW + 1, NOW + 3) == 4
    assert await store.prune(NOW + 1, NOW + 3) == 0
    assert [one.at for one in await recent(store)] == [NOW + 1, NOW + 2, NOW + 3]
    assert await times(store) == [NOW + 3]


async def test_it_prunes_in_small_steps(store: SqlStore) -> None:
    await store.append([received(at=NOW)] * (PRUNE_AT_ONCE + 1) + [received(at=NOW + 1)])
    assert await store.prune(NOW + 1, NOW) == PRUNE_AT_ONCE
    assert await store.prune(NOW + 1, NOW) == 1
    assert await store.prune(NOW + 1, NOW) == 0
    assert len(await recent(store)) == 1


@pytest.mark.parametrize("ahead", [1, PRUNE_AT_ONCE, 3 * PRUNE_AT_ONCE])
async def test_rows_that_a_clock_far_ahead_stamped_hold_up_nothing(store: SqlStore, ahead: int) -> None:
    await store.append([received(at=NOW + 10**9)] * ahead)
    for number in range(ahead):
        await store.add_snapshots(NOW + 10**9 + number, [("room-1", aggregate())])
    await store.append([received(at=NOW)] * (2 * ahead) + [received(at=NOW + 1)])
    for number in range(2 * ahead):
        await store.add_snapshots(NOW - number / 1000, [("room-1", aggregate())])
    await store.add_snapshots(NOW + 1, [("room-1", aggregate())])
    while await store.prune(NOW + 1, NOW + 1):
        pass
    assert [one.at for one in await recent(store)] == [NOW + 1]
    assert await times(store) == [NOW + 1]


async def test_rows_from_the_future_stay_as_long_as_all_that_follow_them(store: SqlStore) -> None:
    await store.append([received(at=NOW + 10**9)] * 10 + [received(at=NOW + 1)] * 10)
    assert await store.prune(NOW + 1, NOW) == 0
    assert len(await recent(store)) == 20


async def test_rows_that_a_clock_far_behind_stamped_take_no_others_with_them(store: SqlStore) -> None:
    reports = [received(at=NOW + number) for number in range(100)]
    await store.append([*reports, *[received(at=0)] * 100, *(received(at=NOW + 100 + number) for number in range(100))])
    while await store.prune(NOW, NOW):
        pass
    assert (await recent(store))[:100] == reports


async def test_a_room_is_forgotten_with_its_last_row(store: SqlStore) -> None:
    await store.append([received()])
    await store.add_snapshots(NOW, [("room-1", aggregate())])
    await store.prune(NOW + 1, NOW)
    assert await times(store) == [NOW]
    await store.prune(NOW, NOW + 1)
    assert done(store.history(ROOM)) is None


# SQL


async def test_an_append_that_fails_in_the_middle_keeps_nothing(database: Database) -> None:
    store = SqlStore(database)
    trigger = text(
        "CREATE TRIGGER refuse BEFORE INSERT ON sample WHEN NEW.reporter_id = 'u3' "
        "BEGIN SELECT RAISE(ABORT, 'refused'); END"
    )
    await database.write(lambda connection: connection.execute(trigger))
    with pytest.raises(StoreError, match="refused"):
        await store.append([received(user_id=f"u{number}") for number in range(5)])
    assert await recent(store) == []
    await store.append([received(user_id="u1")])
    assert len(await recent(store)) == 1


@pytest.mark.parametrize("table", ["sample", "snapshot"])
async def test_a_database_that_fails_is_a_store_error(database: Database, table: str) -> None:
    store = SqlStore(database)
    await database.write(lambda connection: connection.exec_driver_sql(f"DROP TABLE {table}"))
    with pytest.raises(StoreError, match="no such table"):
        await store.prune(NOW, NOW)
    with pytest.raises(StoreError, match="no such table"):
        done(store.history(ROOM))
    if table == "sample":
        with pytest.raises(StoreError, match="no such table"):
            await store.append([received()])
        with pytest.raises(StoreError, match="no such table"):
            await recent(store)
    else:
        with pytest.raises(StoreError, match="no such table"):
            await store.add_snapshots(NOW, [("room-1", aggregate())])


async def test_reports_and_history_outlive_the_process(settings: Settings) -> None:
    async with reopened(settings) as store:
        await store.append([received()])
        await store.add_snapshots(NOW, [("room-1", aggregate())])
    async with reopened(settings) as store:
        assert await recent(store) == [received()]
        assert await times(store) == [NOW]


async def test_what_is_committed_is_there_for_others_at_once(database: Database) -> None:
    await SqlStore(database).append([received()])
    with closing(sqlite3.connect(database.path)) as another:
        assert another.execute("SELECT room_id FROM sample").fetchall() == [("room-1",)]


async def test_a_commit_is_flushed_to_a_write_ahead_log(database: Database) -> None:
    def pragmas(connection: Connection) -> dict[str, object]:
        names = "journal_mode", "synchronous"
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names}

    found = await database.write(pragmas)
    assert found == {"journal_mode": "wal", "synchronous": 2}


@pytest.mark.parametrize(
    ("setting", "pragma", "value"),
    [
        ({"synchronous": "NORMAL"}, "synchronous", 1),
        ({"commit_timeout": 10}, "busy_timeout", 2500),
        ({"commit_timeout": 0.4}, "busy_timeout", 100),
        ({"commit_timeout": 10**9}, "busy_timeout", 5000),
    ],
)
async def test_settings_reach_the_connection_that_writes(
    settings: Settings, setting: dict[str, Any], pragma: str, value: int
) -> None:
    database = Database(msgspec.structs.replace(settings, **setting))
    async with database.open():
        found = await database.write(lambda connection: connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one())
    assert found == value


async def test_a_probe_writes_one_row_and_no_other(database: Database) -> None:
    for _ in range(3):
        await database.probe()
    with closing(sqlite3.connect(database.path)) as another:
        assert another.execute("SELECT id, count FROM beat").fetchall() == [(1, 3)]


async def test_a_probe_of_a_database_that_is_locked_fails(settings: Settings) -> None:
    database = Database(msgspec.structs.replace(settings, commit_timeout=0.04))
    async with database.open():
        with closing(sqlite3.connect(database.path, isolation_level=None)) as another:
            another.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="locked"):
                await database.probe()
        await database.probe()


async def test_the_log_is_gone_once_the_database_is_closed(settings: Settings) -> None:
    database = Database(settings)
    async with database.open():
        await SqlStore(database).append([received()])
        await recent(SqlStore(database))
        assert database.path.with_name("roompulse.db-wal").exists()
    assert not database.path.with_name("roompulse.db-wal").exists()


async def test_exactly_one_connection_writes_in_the_order_of_asking(database: Database) -> None:
    used: list[tuple[int, object]] = []

    def note(number: int, connection: Connection) -> None:
        used.append((number, connection.connection.dbapi_connection))

    await asyncio.gather(*(database.write(partial(note, number)) for number in range(20)))
    assert [number for number, _ in used] == list(range(20))
    assert len({id(connection) for _, connection in used}) == 1


async def test_a_write_that_was_given_up_is_whole(database: Database) -> None:
    begun, go_on = Event(), Event()

    def slowly(connection: Connection) -> None:
        connection.execute(insert(snapshots), [snapshot_row("room-1", NOW, aggregate())])
        begun.set()
        go_on.wait()

    writing = asyncio.create_task(database.write(slowly))
    await asyncio.to_thread(begun.wait)
    writing.cancel()
    go_on.set()
    await SqlStore(database).add_snapshots(NOW + 1, [("room-1", aggregate())])
    assert await times(SqlStore(database)) == [NOW, NOW + 1]


async def test_readers_cannot_write(database: Database) -> None:
    async with database.reading() as connection:
        with pytest.raises(OperationalError, match="readonly"):
            await connection.exec_driver_sql("DELETE FROM sample")


async def test_several_can_read_beside_a_writer(database: Database) -> None:
    begun, go_on = Event(), Event()

    def slowly(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE new (id INTEGER)")
        begun.set()
        go_on.wait()

    writing = asyncio.create_task(database.write(slowly))
    await asyncio.to_thread(begun.wait)
    async with database.reading() as first, database.reading() as second:
        for reader in (first, second):
            assert (await reader.exec_driver_sql("SELECT count(*) FROM sample")).scalar_one() == 0
    go_on.set()
    await writing


async def test_reports_wait_for_no_more_than_the_transaction_under_way(database: Database) -> None:
    began, may_end, done = Event(), Event(), list[str]()

    def under_way(_: Connection) -> None:
        began.set()
        may_end.wait(5)
        done.append("under way")

    async with asyncio.TaskGroup() as group:
        group.create_task(database.write(under_way))
        for _ in range(3):
            group.create_task(database.write(lambda _: done.append("other")))
        await asyncio.to_thread(began.wait, 5)
        group.create_task(database.write(lambda _: done.append("reports"), first=True))
        await asyncio.sleep(0)
        may_end.set()
    assert done == ["under way", "reports", "other", "other", "other"]
