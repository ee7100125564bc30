"""Stored events: found by room, time, user and kind, pruned with snapshots, and kept through a migration."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text

from roompulse.events.model import EventQuery, TimelineEvent
from roompulse.settings import Settings
from roompulse.store import events as module
from roompulse.store.engine import Database
from roompulse.store.events import SqlEvents
from roompulse.store.migrate import MIGRATIONS, VERSIONS, known_revisions
from roompulse.store.reader import Reader
from roompulse.store.sql_store import SqlStore
from tests.builders import NOW


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings)
    async with database.open():
        yield database


@pytest.fixture
def reader() -> Iterator[Reader]:
    reader = Reader(1, lambda _error: None)
    with reader.running():
        yield reader


@pytest.fixture
def store(database: Database, reader: Reader) -> SqlEvents:
    return SqlEvents(database, reader)


def event(at: float = NOW, kind: Any = "note", user_id: str | None = None, **fields: Any) -> TimelineEvent:
    return TimelineEvent(at, kind, user_id, **fields)


async def test_an_event_comes_back_as_it_was(store: SqlEvents) -> None:
    whole = TimelineEvent(NOW + 0.123, "level_changed", "u/1", "camera", "poor", "good → poor: 6 %", "x" * 500)
    await store.add([("room-1", whole), ("room-2", event())])
    assert await store.find(EventQuery("room-1")) == [whole]


async def test_the_newest_are_found_and_come_oldest_first(store: SqlEvents) -> None:
    events = [event(NOW + at, text=str(at)) for at in (3, 1, 2)]
    await store.add([("room-1", one) for one in events])
    assert [one.text for one in await store.find(EventQuery("room-1"))] == ["1", "2", "3"]
    assert [one.text for one in await store.find(EventQuery("room-1", limit=2))] == ["2", "3"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"start": NOW + 1}, [1, 2]),
        ({"end": NOW + 1}, [0, 1]),
        ({"user_id": "u1"}, [1]),
        ({"kind": "user_left"}, [1, 2]),
        ({"kind": "user_left", "user_id": "u2", "start": NOW, "end": NOW + 2}, [2]),
        ({"user_id": "nobody"}, []),
    ],
)
async def test_they_are_found_by_time_user_and_kind(store: SqlEvents, query: dict[str, Any], found: list[int]) -> None:
    events = [event(NOW), event(NOW + 1, "user_left", "u1"), event(NOW + 2, "user_left", "u2")]
    await store.add([("room-1", one) for one in events])
    asked = EventQuery("room-1", **query)
    assert await store.find(asked) == [events[at] for at in found]
    assert [one for one in events if asked.matches("room-1", one)] == [events[at] for at in found]


async def test_many_are_read_in_steps(store: SqlEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FETCH_AT_ONCE", 4)
    events = [event(NOW + at // 3, text=str(at)) for at in range(10)]
    await store.add([("room-1", one) for one in events])
    assert await store.find(EventQuery("room-1", limit=9)) == events[1:]
    assert await store.find(EventQuery("room-1")) == events


async def test_all_come_in_portions(store: SqlEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FETCH_AT_ONCE", 4)
    events = [event(NOW + at // 3, text=str(at)) for at in range(10)]
    await store.add([("room-1", one) for one in events])
    portions = list(store.all("room-1", NOW, NOW + 2))
    assert [len(portion) for portion in portions] == [4, 4, 1]
    assert [one for portion in portions for one in portion] == events[:9]
    assert list(store.all("room-2", NOW, NOW + 2)) == []


async def test_the_state_of_a_room_is_of_its_newest_start(store: SqlEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROOMS_AT_ONCE", 2)
    kinds = ["room_started", "user_joined", "room_ended", "room_started", "note", "sdk", "user_joined"]
    events = [event(NOW + at, kind, text=str(at)) for at, kind in enumerate(kinds)]
    await store.add([(room, one) for room in ("room-1", "room-2", "room-3") for one in events])
    await store.add([(room, event(NOW + 9, "room_ended")) for room in ("room-2", "room-3")])
    found = await store.states(["room-3", "new", "other"])
    assert found == {"room-1": [events[3], events[6]], "room-3": [events[3], events[6]], "new": [], "other": []}


async def test_a_start_reads_only_how_calls_began_and_ended(database: Database) -> None:
    def plan(connection: Connection) -> str:
        query = str(module._UNENDED.compile(connection, compile_kwargs={"literal_binds": True}))
        return str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all())

    async with database.reading() as connection:
        assert "INDEX event_of_call" in await connection.run_sync(plan)


async def test_they_are_pruned_with_the_snapshots(database: Database, store: SqlEvents) -> None:
    await store.add([("room-1", event(NOW + at)) for at in (-20, -10, 0)])
    assert await SqlStore(database).prune(NOW, NOW - 10) == 1
    assert [one.time for one in await store.find(EventQuery("room-1"))] == [NOW - 10, NOW]


@pytest.mark.parametrize("revision", known_revisions()[1:])
async def test_an_older_database_keeps_all_and_takes_events(settings: Settings, reader: Reader, revision: str) -> None:
    database = Database(settings)
    database.path.unlink()
    _older(database, revision)
    async with database.open():
        async with database.reading() as connection:
            assert (await connection.execute(text("SELECT room_id, timestamp FROM snapshot"))).all() == [("room-1", 5)]
            assert (await connection.execute(text("SELECT user_id, report_time FROM sample"))).all() == [("u1", 7)]
        store = SqlEvents(database, reader)
        await store.add([("room-1", event())])
        assert await store.find(EventQuery("room-1")) == [event()]


def _older(database: Database, revision: str) -> None:
    """A database as a version with this schema left it."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("version_locations", str(VERSIONS))
    config.set_main_option("path_separator", "newline")
    engine = create_engine(f"sqlite:///{database.path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.exec_driver_sql("INSERT INTO snapshot (room_id, timestamp, aggregate) VALUES ('room-1', 5, x'00')")
        connection.exec_driver_sql(
            "INSERT INTO sample (room_id, user_id, reporter_id, sdk_version, report_time, received_at, streams)"
            " VALUES ('room-1', 'u1', 'u1', '1', 7, 9, x'00')"
        )
    engine.dispose()
