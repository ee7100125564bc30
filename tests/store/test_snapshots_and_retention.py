"""What is written and deleted beside the ingest."""

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
from roompulse.store.retention import Retention
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
    await Retention(store, clock, samples=60, snapshots=10).prune()
    assert [one.at async for one in store.recent(0)] == [NOW + 50, NOW + 99, NOW + 100]
    assert await times(store, "room-1") == [NOW + 100]


async def test_retention_lets_the_ingest_in_between_its_steps(store: SqlStore, clock: Clock) -> None:
    await store.append([received(at=NOW)] * (2 * PRUNE_AT_ONCE + 1))
    clock.advance(1000)
    pruning = asyncio.create_task(Retention(store, clock, samples=60, snapshots=60).prune())
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
        running = asyncio.create_task(Retention(store, clock, samples=60, snapshots=60).run())
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
