"""When rooms started and ended."""

from collections.abc import AsyncIterator

import pytest

from roompulse.report.model import Entry
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.trends import Trends
from roompulse.settings import Settings
from roompulse.store.contract import Session, SessionQuery, SessionStore
from roompulse.store.engine import Database
from roompulse.store.sessions import SessionRecorder, SqlSessions
from roompulse.store.snapshots import Snapshots
from roompulse.store.sql_store import SqlStore
from tests.builders import NOW, network, received, stream
from tests.conftest import Clock


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings)
    async with database.open():
        yield database


@pytest.fixture(params=["sql"])
def sessions(database: Database) -> SessionStore:
    """Each implementation of the contract in its turn."""
    return SqlSessions(database)


@pytest.fixture
def rooms() -> RoomsInMemory:
    return RoomsInMemory(Limits(99, 99, 9), stale_after=15, leave_after=60)


@pytest.fixture
def recorder(sessions: SessionStore, rooms: RoomsInMemory) -> SessionRecorder:
    return SessionRecorder(sessions, rooms, Clock())


@pytest.fixture
def snapshots(database: Database, rooms: RoomsInMemory, clock: Clock) -> Snapshots:
    return Snapshots(SqlStore(database), rooms, Trends(10, 100), clock, 10)


def session(started: float, ended: float | None, room_id: str = "room-1") -> Session:
    return Session(room_id, NOW + started, None if ended is None else NOW + ended, None, None, None)


async def ended(sessions: SessionStore, **query: object) -> list[Session]:
    found, total = await sessions.ended(SessionQuery(**query))  # type: ignore[arg-type]
    assert total >= len(found)
    return found


async def keep(sessions: SessionStore, room_id: str, started: float, ended: float) -> None:
    await sessions.begin([(room_id, NOW + started)])
    await sessions.end(room_id, NOW + ended)


class TestKeeper:
    async def test_saves_start_and_end_of_a_room(
        self, recorder: SessionRecorder, rooms: RoomsInMemory, sessions: SessionStore
    ) -> None:
        rooms.apply(received(NOW))
        await recorder.record()
        assert await sessions.of_room("room-1", 9) == [session(0, None)]
        assert await ended(sessions) == []
        rooms.apply(received(NOW + 30))
        rooms.expire(NOW + 89)
        await recorder.record()
        assert await ended(sessions) == []
        rooms.expire(NOW + 90)
        await recorder.record()
        # A room ends with its last report, not with the end of its users' LEAVE_AFTER.
        assert await ended(sessions) == [session(0, 30)]

    async def test_tells_a_room_that_came_back_between_two_looks_from_one_that_stayed(
        self, recorder: SessionRecorder, rooms: RoomsInMemory, sessions: SessionStore
    ) -> None:
        rooms.apply(received(NOW))
        await recorder.record()
        rooms.expire(NOW + 60)
        rooms.apply(received(NOW + 60))
        await recorder.record()
        assert await sessions.of_room("room-1", 9) == [session(60, None), session(0, 0)]

    async def test_goes_on_after_a_restart_and_ends_what_ended_meanwhile(
        self, recorder: SessionRecorder, rooms: RoomsInMemory, sessions: SessionStore, snapshots: Snapshots
    ) -> None:
        rooms.apply(received(NOW, room_id="goes-on"))
        rooms.apply(received(NOW, room_id="ends"))
        rooms.apply(received(NOW, room_id="ends-before-its-first-snapshot"))
        await recorder.record()
        rooms.expire(NOW + 60)
        rooms.apply(received(NOW + 61, room_id="ends"))
        await snapshots.save(NOW + 70)
        after_restart = RoomsInMemory(Limits(9, 9, 9), stale_after=15, leave_after=60)
        after_restart.apply(received(NOW + 100, room_id="goes-on"))
        recorder = SessionRecorder(sessions, after_restart, Clock())
        await recorder.record()
        assert await sessions.unfinished() == ["goes-on"]
        assert await sessions.of_room("goes-on", 9) == [session(0, None, "goes-on")]
        (end,) = await sessions.of_room("ends", 9)
        assert end.ended_at == NOW + 70
        assert await sessions.of_room("ends-before-its-first-snapshot", 9) == [
            session(0, 0, "ends-before-its-first-snapshot")
        ]

    async def test_notes_the_worst_moment_and_the_most_users(
        self, recorder: SessionRecorder, rooms: RoomsInMemory, sessions: SessionStore, snapshots: Snapshots
    ) -> None:
        for second, loss, user in ((0, 0, "u1"), (10, 6, "u2"), (20, 6, "u2"), (30, 0, "u1")):
            lossy = [Entry(user, [stream(network=network(packet_loss=loss))])]
            rooms.apply(received(NOW + second, user_id=user, metrics=lossy))
            await recorder.record()
            await snapshots.save(NOW + second)
        rooms.expire(NOW + 99)
        await recorder.record()
        (found,) = await ended(sessions)
        assert (found.most_users, found.worst_at) == (2, NOW + 10)
        assert found.worst_score
        assert found.worst_score < 3.3

    async def test_counts_nothing_of_an_earlier_call_in_the_same_room(
        self, recorder: SessionRecorder, rooms: RoomsInMemory, sessions: SessionStore, snapshots: Snapshots
    ) -> None:
        rooms.apply(received(NOW))
        rooms.apply(received(NOW, user_id="u2"))
        await snapshots.save(NOW)
        rooms.expire(NOW + 60)
        rooms.apply(received(NOW + 100))
        await recorder.record()
        await snapshots.save(NOW + 110)
        rooms.expire(NOW + 200)
        await recorder.record()
        (found,) = await ended(sessions)
        assert (found.started_at, found.most_users, found.worst_at) == (NOW + 100, 1, NOW + 100)


class TestEnded:
    async def test_are_found_by_a_part_of_their_name_whatever_its_case(self, sessions: SessionStore) -> None:
        for room_id in ("Straße 7", "100%", "room_1", "roomX1"):
            await keep(sessions, room_id, 0, 10)
        for search, expected in (
            ("STRASSE", ["Straße 7"]),
            ("0%", ["100%"]),
            ("m_1", ["room_1"]),
            ("room", ["roomX1", "room_1"]),
            ("x y", []),
        ):
            assert [one.room_id for one in await ended(sessions, search=search)] == expected

    async def test_come_in_the_order_that_is_asked_for_and_in_pages(
        self, sessions: SessionStore, database: Database
    ) -> None:
        for room_id, started, end in (("short", 50, 60), ("long", 0, 40), ("newest", 70, 90)):
            await keep(sessions, room_id, started, end)
        await database.write(
            lambda connection: connection.exec_driver_sql(
                "UPDATE session SET worst_score = length(room_id) WHERE room_id != 'long'"
            )
        )

        async def names(**query: object) -> list[str]:
            return [one.room_id for one in await ended(sessions, **query)]

        assert await names() == ["newest", "short", "long"]
        assert await names(order="duration") == ["long", "newest", "short"]
        assert await names(order="score") == ["short", "newest", "long"]
        assert await names(offset=1, limit=1) == ["short"]
        assert (await sessions.ended(SessionQuery(limit=1)))[1] == 3

    async def test_are_forgotten_with_their_snapshots(self, sessions: SessionStore, database: Database) -> None:
        await keep(sessions, "old", 0, 10)
        await keep(sessions, "new", 0, 20)
        await sessions.begin([("live", NOW - 10**6)])
        store = SqlStore(database)
        while await store.prune(0, NOW + 15):
            pass
        assert [one.room_id for one in await ended(sessions)] == ["new"]
        assert await sessions.unfinished() == ["live"]
