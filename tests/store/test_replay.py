"""Reads of the past: reports of one room, visits of a user, rooms as they were."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from roompulse.report.model import Entry, Received
from roompulse.rooms.admission import Limits
from roompulse.rooms.aggregate import aggregate_of
from roompulse.rooms.contract import LiveRoom
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.model import RoomMetrics
from roompulse.settings import Settings
from roompulse.store.contract import SampleArchive, SampleQuery, Visit
from roompulse.store.engine import Database
from roompulse.store.replay import Replay
from roompulse.store.samples import SqlSamples
from roompulse.store.sql_store import SqlStore
from tests.builders import NOW, network, received, stream
from tests.store import done


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings)
    async with database.open():
        yield database


@pytest.fixture
def store(database: Database) -> SqlStore:
    return SqlStore(database)


@pytest.fixture(params=["sql"])
def archive(database: Database) -> SampleArchive:
    """Each implementation of the contract in its turn."""
    return SqlSamples(database)


def no_rooms() -> RoomsInMemory:
    return RoomsInMemory(Limits(9, 9, 9), stale_after=15, leave_after=60)


def metrics_of(room: LiveRoom | None) -> RoomMetrics | None:
    """The room, independent of when it was read."""
    return replace(room.metrics(), updated_at=0) if room else None


@pytest.fixture
def past(archive: SampleArchive, store: SqlStore, settings: Settings) -> Replay:
    return Replay(archive, store, no_rooms, settings)


async def found(archive: SampleArchive, query: SampleQuery) -> list[Received]:
    """The appended reports, without their positions."""
    return [replace(one, position=0) for portion in archive.reports(query) for one in portion]


class TestReports:
    async def test_are_those_of_one_room_and_time_in_the_order_of_their_receipt(
        self, archive: SampleArchive, store: SqlStore
    ) -> None:
        reports = [received(NOW + second, user_id=user) for second in range(4) for user in ("u2", "u1", "u3")]
        await store.append([*reports, received(NOW + 1, room_id="other")])
        # After the first of these times, and up to the second one.
        assert await found(archive, SampleQuery("room-1", NOW, NOW + 2)) == reports[3:9]
        assert await found(archive, SampleQuery("empty", 0, NOW + 9)) == []

    async def test_of_one_reporter_and_about_one_user_can_be_asked_for(
        self, archive: SampleArchive, store: SqlStore
    ) -> None:
        about_both = [Entry("u1", [stream()]), Entry("u2", [stream(direction="recv")])]
        await store.append([received(metrics=about_both), received(user_id="u2")])
        asked = SampleQuery("room-1", 0, NOW, reporter_id="u1", about="u2")
        assert await found(archive, asked) == [received(metrics=about_both)]
        asked = SampleQuery("room-1", 0, NOW, reporter_id="u1", about="u3")
        assert await found(archive, asked) == [received(metrics=about_both[:1])]
        by_one = await found(archive, SampleQuery("room-1", 0, NOW, reporter_id="u1"))
        assert [entry for one in by_one for entry in one.report.metrics] == about_both

    async def test_without_entries_come_back_too(self, archive: SampleArchive, store: SqlStore) -> None:
        await store.append([received(metrics=[])])
        assert await found(archive, SampleQuery("room-1", 0, NOW)) == [received(metrics=[])]

    async def test_are_found_by_the_index(self, database: Database) -> None:
        """Neither other rooms' reports nor this room's at other times may be scanned."""
        async with database.reading() as connection:
            dialect = connection.dialect
            statement = SqlSamples(database)._samples(SampleQuery("room-1", 0, NOW)).compile(dialect=dialect)
            parameters = tuple(statement.params[name] for name in statement.positiontup or ())
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [row.detail for row in plan]
        assert not [step for step in steps if "SCAN sample" in step]
        wanted = "sample_by_reporter (room_id=? AND reporter_id=? AND received_at>? AND received_at<?)"
        assert any(wanted in step for step in steps)


class TestVisits:
    async def visits(
        self, archive: SampleArchive, user_id: str, since: float = 0, until: float = NOW + 999
    ) -> list[Visit]:
        return await archive.visits("room-1", user_id, since, until, gap=60)

    async def test_end_with_a_silence_that_is_too_long(self, archive: SampleArchive, store: SqlStore) -> None:
        heard = [NOW, NOW + 60, NOW + 120.001, NOW + 130]
        await store.append([received(at) for at in heard] + [received(NOW + 90, user_id="u2")])
        assert await self.visits(archive, "u1") == [Visit(NOW, NOW + 60), Visit(NOW + 120.001, NOW + 130)]
        assert await self.visits(archive, "nobody") == []

    async def test_are_those_of_the_time_that_is_asked_for(self, archive: SampleArchive, store: SqlStore) -> None:
        await store.append([received(NOW + second) for second in range(0, 100, 10)])
        assert await self.visits(archive, "u1", NOW, NOW + 30) == [Visit(NOW + 10, NOW + 30)]

    async def test_of_one_who_only_listens_are_by_its_own_reports(
        self, archive: SampleArchive, store: SqlStore
    ) -> None:
        receives = [Entry("u1", [stream(direction="recv")])]
        await store.append([received(NOW, user_id="u2", metrics=receives), received(NOW + 5, user_id="u2", metrics=[])])
        assert await self.visits(archive, "u2") == [Visit(NOW, NOW + 5)]

    async def test_of_one_who_reports_nothing_are_by_what_others_do(
        self, archive: SampleArchive, store: SqlStore
    ) -> None:
        about_both = [Entry("u1", [stream()]), Entry("silent", [stream(direction="recv")])]
        await store.append([received(NOW, metrics=about_both), received(NOW + 5)])
        await store.append([received(NOW + 9, user_id="u2", metrics=about_both[1:])])
        assert await self.visits(archive, "silent") == [Visit(NOW, NOW + 9)]


class TestPast:
    async def test_is_the_room_as_it_was(self, past: Replay, store: SqlStore) -> None:
        """At every moment, the replayed room equals the live room of that time."""
        live = no_rooms()
        then: dict[float, RoomMetrics | None] = {}
        for second in range(0, 200, 5):
            now = NOW + second
            live.expire(now)
            if second < 90:
                report = received(now, user_id=f"u{second % 3}", metrics=self.metrics(second))
                await store.append([report])
                live.apply(report)
            then[now] = metrics_of(live.get("room-1"))
        assert then[NOW + 195] is None
        for now, metrics in then.items():
            assert metrics_of(done(past.room("room-1", now))) == metrics, now - NOW

    @staticmethod
    def metrics(second: int) -> list[Entry]:
        return [Entry(f"u{second % 2}", [stream(network=network(rtt=second), direction="recv"), stream("screen")])]

    async def test_has_figures_where_samples_are_gone(self, past: Replay, store: SqlStore) -> None:
        rooms = no_rooms()
        rooms.apply(received())
        room = rooms.get("room-1")
        assert room
        await store.add_snapshots(NOW, [("room-1", room.summary().aggregate)])
        # The newest one counts for as long as silent users stay.
        for later in (0, 69):
            snapshot = done(past.snapshot("room-1", NOW + later))
            assert snapshot
            assert snapshot.timestamp == NOW
        assert done(past.snapshot("room-1", NOW + 71)) is None
        assert done(past.snapshot("room-1", NOW - 1)) is None

    async def test_a_room_that_began_just_before_its_first_snapshot_was_taken_is_in_it(
        self, past: Replay, store: SqlStore
    ) -> None:
        await store.append([received(NOW + 0.02)])
        assert done(past.room("room-1", NOW)) is None
        await store.add_snapshots(NOW, [("room-1", aggregate_of([], []))])
        assert done(past.room("room-1", NOW))
        assert done(past.room("room-1", NOW - 0.5)) is None

    async def test_knows_users_while_all_that_shows_is_kept(self, past: Replay, settings: Settings) -> None:
        assert past.users_since(NOW) == NOW - settings.sample_retention + settings.leave_after + 60
