"""Writes and deletions beside the ingest."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping

import pytest

from roompulse.clock import system_clock
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.trends import Trends
from roompulse.settings import Settings
from roompulse.store.contract import HistoryQuery
from roompulse.store.engine import Database
from roompulse.store.retention import Doubt, Retention
from roompulse.store.snapshots import Snapshots
from roompulse.store.sql_store import PRUNE_AT_ONCE, SqlStore
from tests.builders import NOW, received
from tests.conftest import Clock
from tests.process import soon
from tests.store import done


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[SqlStore]:
    database = Database(settings)
    async with database.open():
        yield SqlStore(database)


def retention(store: SqlStore, clock: Clock, *, samples: float, snapshots: float) -> Retention:
    kept = Settings(sample_retention=samples, snapshot_retention=snapshots)
    return Retention(store, store, clock, lambda: None, kept)


@pytest.fixture
def rooms() -> RoomsInMemory:
    return RoomsInMemory(Limits(1000, 1000, 10), stale_after=15, leave_after=60)


@pytest.fixture
def snapshots(store: SqlStore, rooms: RoomsInMemory, clock: Clock) -> Snapshots:
    return Snapshots(store, rooms, Trends(10, 100), clock, 10)


async def times(store: SqlStore, room_id: str) -> list[float]:
    history = done(store.history(HistoryQuery(room_id)))
    return [snapshot.timestamp for snapshot in history or ()]


async def test_a_snapshot_is_taken_of_rooms_that_changed(
    store: SqlStore, rooms: RoomsInMemory, snapshots: Snapshots
) -> None:
    rooms.apply(received(room_id="quiet"))
    rooms.apply(received(room_id="busy"))
    await snapshots.save(NOW + 10)
    rooms.apply(received(room_id="busy", at=NOW + 11))
    rooms.apply(received(room_id="new", at=NOW + 12))
    await snapshots.save(NOW + 20)
    await snapshots.save(NOW + 30)
    assert await times(store, "quiet") == [NOW + 10]
    assert await times(store, "busy") == [NOW + 10, NOW + 20]
    assert await times(store, "new") == [NOW + 20]


async def test_turning_stale_is_a_change_and_a_room_that_ended_is_none(
    store: SqlStore, rooms: RoomsInMemory, snapshots: Snapshots
) -> None:
    rooms.apply(received())
    await snapshots.save(NOW + 10)
    rooms.expire(NOW + 15)
    await snapshots.save(NOW + 20)
    rooms.expire(NOW + 60)
    await snapshots.save(NOW + 60)
    assert await times(store, "room-1") == [NOW + 10, NOW + 20]


async def test_a_snapshot_is_of_the_room_as_it_is_then(
    store: SqlStore, rooms: RoomsInMemory, snapshots: Snapshots
) -> None:
    for number in range(3):
        rooms.apply(received(user_id=f"u{number}"))
        await snapshots.save(NOW + number)
    history = done(store.history(HistoryQuery("room-1")))
    assert history
    assert [snapshot.user_count for snapshot in history] == [1, 2, 3]


async def test_no_room_is_no_snapshot(store: SqlStore, snapshots: Snapshots) -> None:
    await snapshots.save(NOW)
    assert done(store.history(HistoryQuery("room-1"))) is None


async def test_a_change_while_many_rooms_are_aggregated_belongs_to_the_next_snapshot_too(
    store: SqlStore, rooms: RoomsInMemory, snapshots: Snapshots
) -> None:
    for number in range(250):
        rooms.apply(received(room_id=f"room-{number:03}"))
    taking = asyncio.create_task(snapshots.save(NOW + 10))
    await asyncio.sleep(0)
    rooms.apply(received(room_id="room-000", at=NOW + 11))
    await taking
    await snapshots.save(NOW + 20)
    assert await times(store, "room-000") == [NOW + 10, NOW + 20]
    assert await times(store, "room-249") == [NOW + 10]


async def test_snapshots_lie_on_the_wall_clock_grid(store: SqlStore, rooms: RoomsInMemory) -> None:
    async def taken(count: int) -> list[float]:
        rooms.apply(received(at=system_clock()))
        found = await times(store, "room-1")
        return found if len(found) >= count else []

    running = asyncio.create_task(Snapshots(store, rooms, Trends(0.05, 100), system_clock, 0.05).run())
    try:
        found = await soon(lambda: taken(5))
    finally:
        running.cancel()
    assert [round(timestamp * 1000) % 50 for timestamp in found] == [0] * len(found)
    assert len(set(found)) == len(found)


async def test_a_database_that_fails_does_not_end_the_snapshots(
    settings: Settings, rooms: RoomsInMemory, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(settings)
    async with database.open():
        store = SqlStore(database)
        rooms.apply(received())
        running = asyncio.create_task(Snapshots(store, rooms, Trends(0.05, 100), system_clock, 0.05).run())
        try:
            await database.write(
                lambda connection: connection.exec_driver_sql("ALTER TABLE snapshot RENAME TO taken_away")
            )

            async def failed() -> bool:
                return "a snapshot could not be saved" in caplog.text

            await soon(failed)
            await database.write(
                lambda connection: connection.exec_driver_sql("ALTER TABLE taken_away RENAME TO snapshot")
            )
            assert await soon(lambda: times(store, "room-1"))  # the room did not change again
        finally:
            running.cancel()
    assert {record.levelno for record in caplog.records if record.name.startswith("roompulse")} == {logging.ERROR}


async def test_a_mistake_of_ours_does_not_end_the_snapshots(
    store: SqlStore, rooms: RoomsInMemory, caplog: pytest.LogCaptureFixture
) -> None:
    class Mistaken(Trends):
        def record(self, at: float, live: Mapping[str, float | None]) -> None:
            if "ValueError" not in caplog.text:
                raise ValueError
            super().record(at, live)

    rooms.apply(received())
    running = asyncio.create_task(Snapshots(store, rooms, Mistaken(0.05, 100), system_clock, 0.05).run())
    try:
        assert await soon(lambda: times(store, "room-1"))
    finally:
        running.cancel()
    assert "a snapshot could not be saved" in caplog.text


async def test_retention_deletes_all_that_is_too_old(store: SqlStore, rooms: RoomsInMemory, clock: Clock) -> None:
    rooms.apply(received())
    room = rooms.get("room-1")
    assert room
    for at in (NOW, NOW + 50, NOW + 99, NOW + 100):
        await store.append([received(at=at)])
        await store.add_snapshots(at, [("room-1", room.metrics().aggregate)])
    clock.now = NOW + 110
    await retention(store, clock, samples=60, snapshots=10).prune()
    assert [one.at async for one in store.recent(0)] == [NOW + 50, NOW + 99, NOW + 100]
    assert await times(store, "room-1") == [NOW + 100]


async def test_retention_lets_the_ingest_in_between_its_steps(store: SqlStore, clock: Clock) -> None:
    await store.append([received(at=NOW)] * (2 * PRUNE_AT_ONCE + 1))
    clock.advance(1000)
    pruning = asyncio.create_task(retention(store, clock, samples=60, snapshots=60).prune())
    await asyncio.sleep(0)
    await store.append([received(at=NOW + 1000)])
    assert not pruning.done()
    await pruning
    assert [one.at async for one in store.recent(0)] == [NOW + 1000]


async def test_retention_goes_by_itself_and_survives_a_database_that_fails(
    settings: Settings, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roompulse.store.retention.PRUNE_EVERY", 0.02)
    database = Database(settings)
    async with database.open():
        store = SqlStore(database)
        await store.append([received(at=NOW)])
        clock.advance(1000)
        await database.write(lambda connection: connection.exec_driver_sql("ALTER TABLE snapshot RENAME TO taken_away"))
        running = asyncio.create_task(retention(store, clock, samples=60, snapshots=60).run())
        try:

            async def failed() -> bool:
                return "old rows could not be deleted" in caplog.text

            await soon(failed)
            await database.write(
                lambda connection: connection.exec_driver_sql("ALTER TABLE taken_away RENAME TO snapshot")
            )

            async def nothing_left() -> bool:
                return not [one async for one in store.recent(0)]

            await soon(nothing_left)
        finally:
            running.cancel()


class Kept:
    """Rows of a day of reports up to `newest`, one an hour, and a retention of a day that starts at `clock`."""

    def __init__(self, store: SqlStore, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.retention = Retention(
            store, store, clock, lambda: None, Settings(sample_retention=86_400, snapshot_retention=30 * 86_400)
        )

    async def fill(self, newest: float, hours: int = 24) -> None:
        for hour in range(hours, -1, -1):
            await self.store.append([received(at=newest - 3600 * hour)])

    async def count(self) -> int:
        await self.retention.prune()
        return len([one async for one in self.store.recent(0)])


@pytest.fixture
def kept(store: SqlStore, clock: Clock) -> Kept:
    return Kept(store, clock)


@pytest.mark.parametrize(("off", "left"), [(0, 25), (600, 24), (3500, 24)])
async def test_after_a_short_pause_a_start_deletes_at_once(kept: Kept, off: float, left: int) -> None:
    await kept.fill(NOW - off, hours=30)
    assert await kept.count() == left
    assert kept.retention.doubt is None


@pytest.mark.parametrize(("off", "left"), [(8_000, 21), (172_800, 0), (40 * 86_400, 0)])
async def test_after_a_long_pause_or_with_a_wrong_clock_a_start_waits_an_hour(
    kept: Kept, clock: Clock, off: float, left: int, caplog: pytest.LogCaptureFixture
) -> None:
    await kept.fill(NOW - off)
    for _ in range(59):
        assert await kept.count() == 25
        clock.advance(60)
    assert "no report is stored from before this start: nothing is deleted" in caplog.text
    clock.advance(61)
    assert await kept.count() == left
    assert kept.retention.doubt is None


@pytest.mark.parametrize("ahead", [120, 172_800])
async def test_with_data_of_the_future_a_start_waits_an_hour_and_says_so(
    kept: Kept, clock: Clock, ahead: float, caplog: pytest.LogCaptureFixture
) -> None:
    await kept.fill(NOW - 7200, hours=26)
    await kept.store.append([received(at=NOW + ahead)])
    assert await kept.count() == 28
    assert kept.retention.doubt == Doubt(NOW + 3600, ahead=ahead)
    assert f"stored times are {ahead:.0f} s ahead of the clock" in caplog.text
    clock.advance(3601)
    assert await kept.count() < 28


async def test_a_restart_within_the_hour_after_a_jump_deletes_nothing(kept: Kept, clock: Clock) -> None:
    await kept.fill(NOW)
    clock.set_by(172_800)
    await kept.store.append([received(at=clock())])
    clock.advance(600)
    again = Kept(kept.store, Clock(clock.now))
    assert await again.count() == 26


async def test_each_jump_begins_another_hour(kept: Kept, clock: Clock) -> None:
    await kept.fill(NOW)
    assert await kept.count() == 25
    for _ in range(3):
        clock.set_by(172_800)
        clock()
        clock.advance(3500)
        assert await kept.count() == 25
    clock.advance(100)
    assert await kept.count() == 0


async def test_an_empty_database_is_no_doubt(kept: Kept) -> None:
    assert await kept.count() == 0
    assert kept.retention.doubt is None


@pytest.mark.parametrize("count", [1, 999, 1001, 3000])
async def test_the_newest_time_before_another_is_found(store: SqlStore, count: int) -> None:
    await store.append([received(at=NOW + number) for number in range(count)])
    assert await store.newest() == NOW + count - 1
    assert await store.newest(before=NOW - 1) is None
    assert await store.newest(before=NOW + count / 2) == NOW + min(count - 1, count // 2)
