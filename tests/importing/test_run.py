"""A recorded call becomes a room of the past: whole, in its place, and as if the server had lived it."""

import hashlib
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Table, select

from roompulse.errors import StartupError
from roompulse.events.detector import Detector
from roompulse.events.model import TimelineEvent
from roompulse.events.timeline import Timeline
from roompulse.follower import Follower
from roompulse.hub.local import LocalHub
from roompulse.importing.recording import Unusable
from roompulse.importing.run import Imported, import_file, room_of
from roompulse.insights.cell import Cells
from roompulse.insights.collector import Example
from roompulse.insights.model import Span
from roompulse.insights.recorder import RollupRecorder
from roompulse.insights.store import SqlRollups
from roompulse.intake.intake import Intake
from roompulse.meters import Meters
from roompulse.report.model import Received
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.trends import Trends
from roompulse.settings import Settings
from roompulse.store.availability import Availability
from roompulse.store.contract import HistoryQuery, SampleQuery, Session, SessionQuery
from roompulse.store.engine import Database
from roompulse.store.events import SqlEvents
from roompulse.store.reader import Reader
from roompulse.store.samples import SqlSamples
from roompulse.store.schema import samples, snapshots
from roompulse.store.sessions import SessionRecorder, SqlSessions
from roompulse.store.snapshots import Snapshots
from roompulse.store.sql_store import SqlStore
from tests.builders import NOW, received
from tests.conftest import Clock
from tests.importing.dumps import call, file, internals, rtcstats
from tests.store import done
from tests.timelines import timeline_of

IMPORTED_AT = NOW + 100_000
END = IMPORTED_AT - 60
"""A call ends LEAVE_AFTER before it is imported."""


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return file(tmp_path, internals(call(range(61))))


async def imported(path: Path, settings: Settings, room_id: str = "room-1", at: float = IMPORTED_AT) -> Imported:
    return await import_file(path, room_id, settings, Clock(at), nullcontext)


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Database]:
    """The database of a server to which the same call was posted."""
    database = Database(Settings(data=tmp_path / "live"))
    async with database.open():
        yield database


async def live_through(database: Database, reports: Sequence[Received]) -> None:
    """The server's periodic work, once a second."""
    rooms = RoomsInMemory(Limits(9, 9, 9), stale_after=15, leave_after=60)
    store, clock, sessions = SqlStore(database), Clock(reports[0].at), SqlSessions(database)
    taking = Snapshots(store, rooms, Trends(10, 9), clock, 10)
    recorder, due = SessionRecorder(sessions, rooms, Clock()), list(reports)
    reader = Reader(1, lambda _error: None)
    rollups = RollupRecorder(rooms, SqlRollups(database), reader, lambda _now: 0, clock, lambda: None)
    timeline = Timeline(Detector(rooms, 10, 15), SqlEvents(database, reader), lambda _: None, clock)
    for second in range(int(reports[0].at) // 10 * 10, int(reports[-1].at) + 62):
        while due and due[0].at <= second:
            rooms.expire(due[0].at)
            await store.append(due[:1])
            rooms.apply(due[0])
            timeline.reported(due.pop(0))
            timeline.look(second, rate=True)
            await recorder.record()
        rooms.expire(second)
        timeline.look(second, rate=True)
        if second % 10 == 0:
            await taking.save(second)
            await rollups.look(second)
        await recorder.record()
    with reader.running():
        await rollups.close()
        clock.now = float(second)
        await timeline.close()


def minutes(database: Database) -> tuple[dict[str, Cells], list[tuple[Example, int]]]:
    """The groups of all minutes, and the poor users."""
    store, span = SqlRollups(database), Span(0, 2 * IMPORTED_AT)
    return done(store.tables(span)), done(store.users(span, ("direction", "send")))


def events(database: Database) -> list[TimelineEvent]:
    portions = SqlEvents(database, Reader(1, lambda _error: None)).all("room-1", 0, 2 * IMPORTED_AT)
    return [event for portion in portions for event in portion]


async def kept(database: Database, room_id: str = "room-1") -> tuple[list[Received], Any, list[Session]]:
    """Reports, snapshots and sessions of a room."""
    found = SqlSamples(database).reports(SampleQuery(room_id, 0, IMPORTED_AT * 2))
    history = done(SqlStore(database).history(HistoryQuery(room_id)))
    return [one for portion in found for one in portion], history, await SqlSessions(database).of_room(room_id, 9)


@pytest.mark.parametrize("seconds", [range(61), [*range(40), *range(70, 120)], [*range(40), *range(300, 340)]])
async def test_it_is_as_if_the_server_had_lived_it(
    tmp_path: Path, settings: Settings, live: Database, seconds: Iterable[int]
) -> None:
    """Also with a gap without reports, and in two calls with an end in between."""
    changed = call(seconds, RV={"roundTripTime": 0.9}, T={"selectedCandidatePairId": "P"})
    content = rtcstats(changed, later={12: ("oniceconnectionstatechange", "PC_0", "failed")})
    await imported(file(tmp_path, content), settings)
    database = Database(settings)
    async with database.open():
        reports, history, sessions = await kept(database)
        seen, happened = minutes(database), events(database)
    whole: dict[float, Received] = {}
    for one in reports:
        before = whole.get(one.at)
        entries = [*(before.report.metrics if before else []), *one.report.metrics]
        told = one.report.events or (before.report.events if before else None)
        version = one.report.sdk_version
        whole[one.at] = received(one.at, user_id="local", metrics=entries, sdk_version=version, events=told)
    await live_through(live, list(whole.values()))
    _, lived_history, lived_sessions = await kept(live)
    assert history
    assert history == lived_history
    assert sessions == lived_sessions
    assert len(sessions) == (2 if 300 in seconds else 1)
    assert set(seen[0]) >= {"sdk_version", "direction"}
    assert seen == minutes(live)
    assert {"room_started", "user_joined", "level_changed", "sdk", "user_left", "room_ended"} <= {
        event.kind for event in happened
    }
    assert happened == events(live)


async def test_it_ends_just_before_now_with_all_distances_kept(settings: Settings, dump: Path) -> None:
    told = await imported(dump, settings)
    assert (told.room_id, told.users, told.samples) == ("room-1", 2, 2 * 12)
    assert (told.recorded_at, told.started_at, told.ended_at) == (NOW + 9, END - 52, END)
    assert str(told) == (
        "room 'room-1', 2 users, 52 s, 24 samples, recorded 2027-01-15 08:00:09 UTC and moved to just before now: "
        f"/rooms/room-1?at={END:.3f}"
    )
    database = Database(settings)
    async with database.open():
        reports, _, sessions = await kept(database)
    times = sorted({one.at for one in reports})
    assert [at - END for at in times] == [*range(-52, -1, 5), 0]
    assert {one.report.report_time - one.at for one in reports} == {0}
    assert sessions == [Session("room-1", END - 52, END, 2, sessions[0].worst_at, sessions[0].worst_score)]
    assert 1 < (sessions[0].worst_score or 0) < 4.5


async def test_a_server_that_starts_at_once_does_not_take_it_for_live(settings: Settings, dump: Path) -> None:
    await imported(dump, settings)
    database = Database(settings)
    async with database.open():
        rooms = RoomsInMemory(Limits(9, 9, 9), stale_after=15, leave_after=60)
        clock, hub = Clock(IMPORTED_AT), LocalHub(1, 9, 9, Meters(), lambda _: {})
        health = Availability(database, Meters(), clock, hub.refresh)
        intake, timeline = Intake(Meters(), clock), timeline_of(rooms, clock)
        await Follower(SqlStore(database), health, rooms, hub, intake, timeline, clock).rebuild(60)
        assert rooms.ids() == []
        await SessionRecorder(SqlSessions(database), rooms, clock).record()
        found, total = await SqlSessions(database).ended(SessionQuery())
        assert ([one.room_id for one in found], total) == (["room-1"], 1)


async def ids_in_order(database: Database, table: Table, column: str) -> bool:
    async with database.reading() as connection:
        times = list((await connection.execute(select(table.c[column]).order_by(table.c.id))).scalars())
    return len(times) > 1 and times == sorted(times)


async def test_ids_go_on_growing_with_time_where_others_were_heard_of_meanwhile(settings: Settings, dump: Path) -> None:
    database = Database(settings)
    others = [received(IMPORTED_AT - 3000 + 7 * count, room_id="other") for count in range(428)]
    async with database.open():
        store = SqlStore(database)
        await store.append(others)
        for count in range(300):
            rooms = RoomsInMemory(Limits(9, 9, 9), stale_after=15, leave_after=60)
            rooms.apply(others[0])
            room = rooms.get("other")
            assert room
            await store.add_snapshots(IMPORTED_AT - 3000 + 10 * count, [("other", room.summary().aggregate)])
    await imported(dump, settings)
    async with database.open():
        assert await ids_in_order(database, samples, "received_at")
        assert await ids_in_order(database, snapshots, "timestamp")
        reports, history, _ = await kept(database, "other")
        assert [replace(one, position=0) for one in reports] == others
        assert len(history) == 300
        # So a restart finds all recent reports, and the oldest rows have the lowest ids.
        assert {one.report.room_id async for one in SqlStore(database).recent(IMPORTED_AT - 100)} == {"other", "room-1"}


async def test_a_room_with_a_history_keeps_it_to_itself(settings: Settings, dump: Path) -> None:
    names = [(await imported(dump, settings)).room_id for _ in range(3)]
    assert names == ["room-1", "room-1 (2)", "room-1 (3)"]
    told = str(await imported(dump, settings))
    assert told.startswith("room 'room-1 (4)' ('room-1' has a history of its own), 2 users")
    assert "/rooms/room-1%20%284%29?at=" in told
    long = "x" * 128
    assert [(await imported(dump, settings, long)).room_id for _ in range(2)] == [long, "x" * 124 + " (2)"]


@pytest.mark.parametrize("table", ["sample", "snapshot", "session"])
async def test_any_trace_of_a_room_is_a_history(settings: Settings, dump: Path, table: str) -> None:
    await imported(dump, settings)
    with closing(sqlite3.connect(settings.data / "roompulse.db")) as connection, connection:
        for other in {"sample", "snapshot", "session"} - {table}:
            connection.execute(f"DELETE FROM {other}")  # noqa: S608
    assert (await imported(dump, settings)).room_id == "room-1 (2)"


def digest(settings: Settings) -> str:
    """Of the database, which is one file while it is closed."""
    files = sorted(path for path in settings.data.glob("roompulse.db*") if path.suffix != ".lock")
    assert [path.name for path in files] == ["roompulse.db"]
    return hashlib.sha256(files[0].read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER refuse BEFORE INSERT ON session BEGIN SELECT RAISE(ABORT, 'refused'); END",
        "CREATE TRIGGER refuse BEFORE INSERT ON snapshot BEGIN SELECT RAISE(ABORT, 'refused'); END",
        "CREATE TRIGGER refuse BEFORE DELETE ON snapshot BEGIN SELECT RAISE(ABORT, 'refused'); END",
        "CREATE TRIGGER refuse AFTER INSERT ON sample WHEN NEW.id > 40 BEGIN SELECT RAISE(ABORT, 'refused'); END",
    ],
)
async def test_what_fails_in_the_middle_leaves_the_database_as_it_was(
    settings: Settings, dump: Path, statement: str
) -> None:
    await imported(dump, settings, "before")
    with closing(sqlite3.connect(settings.data / "roompulse.db")) as connection, connection:
        connection.execute(statement)
    before = digest(settings)
    with pytest.raises(Unusable, match="nothing was saved, for the database failed: refused"):
        await imported(dump, settings)
    assert digest(settings) == before


async def test_a_file_that_is_none_does_not_touch_the_database(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "untouched")
    with pytest.raises(Unusable):
        await imported(file(tmp_path, b"nothing"), settings)
    assert not settings.data.exists()


async def test_a_database_in_use_is_let_be(settings: Settings, dump: Path) -> None:
    async with Database(settings).open():
        with pytest.raises(StartupError, match=r"another roompulse is running .*: stop it first"):
            await imported(dump, settings)


async def test_what_would_be_deleted_at_once_is_not_imported(settings: Settings, tmp_path: Path) -> None:
    hour = file(tmp_path, internals(call(range(0, 3700, 10))))
    with pytest.raises(Unusable, match=r"lasts 1.0 hours, and reports are kept for 1.0 \(SAMPLE_RETENTION\)"):
        await imported(hour, Settings(data=settings.data, sample_retention=3600))
    assert (await imported(hour, settings)).users == 2


@pytest.mark.parametrize(
    ("name", "room_id"),
    [
        ("stand-up.json", "stand-up"),
        ("stand-up.2027.jsonl.gz", "stand-up.2027"),
        ("webrtc_internals_dump.txt", "webrtc_internals_dump"),
        ("a b ☎.gz", "a b ☎"),
        ("\u202etab\there\n.json", "tab here"),
        ("not-utf-8-\udcff.json", "not-utf-8-"),
        ("x" * 200, "x" * 128),
        (" .json", "recording"),
        ("...gz", "recording"),
        (".gz", ".gz"),
    ],
)
def test_a_file_gives_its_name_to_its_room_as_far_as_it_can_be_one(name: str, room_id: str) -> None:
    assert room_of(Path("folder") / name) == room_id
