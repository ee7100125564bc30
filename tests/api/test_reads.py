"""Long reads beside everything else: in short portions, off the event loop, in places that no client keeps."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import insert

from roompulse.engines import engine_of
from roompulse.errors import StoreError
from roompulse.report.model import Entry
from roompulse.settings import Settings
from roompulse.store.contract import HistoryQuery, SampleQuery
from roompulse.store.engine import Database
from roompulse.store.reader import Reader
from roompulse.store.replay import Replay
from roompulse.store.row_codec import FETCH_AT_ONCE, snapshot_row
from roompulse.store.samples import SqlSamples
from roompulse.store.schema import snapshots
from roompulse.store.sql_store import SqlStore
from roompulse.web.api import downloads, portions_answer
from roompulse.web.html.templates import Templates
from tests.api import assert_problem, data, serving
from tests.api.test_history import HISTORY, aggregate
from tests.builders import NOW, REFERENCE, body, received, stream
from tests.calls import Calls
from tests.conftest import Clock
from tests.process import DEADLINE, soon

EXPORTS = [f"/rooms/room-1/{name}" for name in ("history.csv", "history.json", "users.csv", "users.json")]
REPORTS, SNAPSHOTS = 2500, 2500


@pytest.fixture(scope="module")
async def stored(make_settings: Callable[[], Settings]) -> Settings:
    """Those of applications, one after the other, that have some thousand reports and snapshots of room-1.

    There is one each second, and no test adds any.
    """
    settings = msgspec.structs.replace(make_settings(), snapshot_interval=3600)
    engine, one = engine_of(settings, Clock()), aggregate()
    async with engine.database.open():
        await engine.join()
        await engine.log.append([received(NOW - REPORTS + number) for number in range(REPORTS)])
        rows = [snapshot_row("room-1", NOW - SNAPSHOTS + number, one) for number in range(SNAPSHOTS)]
        await engine.database.write(lambda connection: connection.execute(insert(snapshots), rows))
        await engine.close()
    return settings


def kind_of_database(settings: Settings) -> type[Database]:
    """Its class: of SQLite, or of PostgreSQL."""
    return type(engine_of(settings, Clock()).database)


@pytest.fixture
def fetched(stored: Settings, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each query of a long read returned."""
    rows: list[int] = []
    fetch = kind_of_database(stored).fetch

    def noted(database: Database, statement: Any) -> Sequence[Any]:
        assert threading.current_thread().name.startswith("roompulse-reader")
        found = fetch(database, statement)
        rows.append(len(found))
        return found

    monkeypatch.setattr(kind_of_database(stored), "fetch", noted)
    return rows


async def request(client: httpx.AsyncClient, path: str, receive: Any, send: Any) -> None:
    """As a server would: httpx reads every answer to its end."""
    transport: Any = client._transport
    scope = {
        "type": "http",
        "method": "GET",
        "http_version": "1.1",
        "path": path.partition("?")[0],
        "query_string": path.partition("?")[2].encode(),
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 123),
    }
    await transport.app(scope, receive, send)


@asynccontextmanager
async def stuck(client: httpx.AsyncClient, path: str) -> AsyncIterator[asyncio.Task[None]]:
    """A client that requests `path`, and reads no more than the head of the answer."""
    answered = asyncio.Event()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            answered.set()
            await asyncio.Event().wait()

    reading = asyncio.create_task(request(client, path, asyncio.Event().wait, send))
    try:
        async with asyncio.timeout(DEADLINE):
            await answered.wait()
        yield reading
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


@pytest.mark.parametrize("path", [*EXPORTS, f"{HISTORY}?limit=10000", f"{HISTORY}?step=2&limit=10000", f"{HISTORY}/u1"])
async def test_what_is_read_is_read_in_portions_off_the_event_loop(
    stored: Settings, clock: Clock, fetched: list[int], path: str
) -> None:
    async with serving(stored, clock) as client:
        assert (await client.get(path)).status_code == 200
    assert len(fetched) > 1
    assert max(fetched) <= FETCH_AT_ONCE


async def test_what_is_exported_is_written_off_the_event_loop(
    stored: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()
    lines = downloads._lines

    def noted(rows: Sequence[Sequence[object]]) -> bytes:
        threads.add(threading.current_thread().name.split("_")[0])
        assert len(rows) <= downloads._WRITTEN_AT_ONCE
        return lines(rows)

    monkeypatch.setattr(downloads, "_lines", noted)
    async with serving(stored, clock) as client:
        for path in ("/rooms/room-1/users.csv", "/rooms/room-1/history.csv"):
            assert (await client.get(path)).content.count(b"\n") == REPORTS + 1
    assert threads == {"roompulse-reader"}


@pytest.mark.parametrize("path", [f"/rooms/room-1?at={NOW - 5}", f"/rooms/room-1/users/u1?at={NOW - 5}"])
async def test_a_page_of_the_past_is_made_off_the_event_loop(
    stored: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    threads = {}
    render = Templates.render

    def noted(templates: Templates, name: str, **context: Any) -> str:
        threads[name] = threading.current_thread().name.split("_")[0]
        return render(templates, name, **context)

    monkeypatch.setattr(Templates, "render", noted)
    async with serving(stored, clock) as client:
        assert (await client.get(path)).status_code == 200
    section = "partials/user.html" if "users" in path else "partials/users.html"
    assert threads[section] == "roompulse-reader"


PAGES = {
    "/": "rooms.html",
    "/rooms/room-1": "room.html",
    "/rooms/room-1/users/u1": "user.html",
    "/rooms/room-1/notes": "notes.html",
    "/users": "users.html",
    "/calls": "calls.html",
    "/ingest": "ingest.html",
    "/insights": "insights.html",
    "/alerts": "alerts.html",
    "/alerts/rules": "alert_rules.html",
    "/shares": "shares.html",
    "/erase": "erase.html",
}


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_is_put_together_off_the_event_loop(
    kept: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    threads = {}
    render = Templates.render

    def noted(templates: Templates, name: str, **context: Any) -> str:
        threads[name] = threading.current_thread().name.split("_")[0]
        return render(templates, name, **context)

    assert (await kept.post("/report/metrics", content=REFERENCE)).status_code == 200
    monkeypatch.setattr(Templates, "render", noted)
    assert (await kept.get(path)).status_code == 200
    assert threads[PAGES[path]] == "roompulse-reader"


async def test_a_list_of_calls_needs_no_place_and_a_search_does(settings: Settings, clock: Clock) -> None:
    async with Calls.of(msgspec.structs.replace(settings, max_reads=1), clock) as calls:
        await calls.post(0, "u1", [Entry("u1", [stream()])])
        with calls.core.reader.place():
            for path in ("/calls", "/report/calls"):
                assert (await calls.client.get(path)).status_code == 200
                assert (await calls.client.get(f"{path}?q=u1")).status_code == 503


@pytest.mark.parametrize("path", [f"{HISTORY}?limit=10&step=1&from=0", f"{HISTORY}?limit=10&from=0"])
async def test_the_limit_ends_the_read_of_a_room(stored: Settings, clock: Clock, fetched: list[int], path: str) -> None:
    async with serving(stored, clock) as client:
        found = await data(client, path)
    assert [one["timestamp"] for one in found] == [NOW - 10 + number for number in range(10)]
    assert sum(fetched) <= FETCH_AT_ONCE


@pytest.mark.parametrize("step", ["", "&step=1"])
async def test_the_limit_ends_the_read_of_a_user(stored: Settings, clock: Clock, fetched: list[int], step: str) -> None:
    async with serving(stored, clock) as client:
        every = await data(client, f"{HISTORY}/u1?from=0&limit=10000{step}")
        assert len(every) == REPORTS
        fetched.clear()
        for limit in (10, 100, 1000):
            assert await data(client, f"{HISTORY}/u1?from=0&limit={limit}{step}") == every[-limit:]
            if limit == 10:
                assert sum(fetched) < 150  # a minute, and the one before it, by which it is rated


@pytest.mark.one_process
async def test_a_read_keeps_no_transaction_while_the_client_reads(stored: Settings) -> None:
    """Otherwise the write-ahead log would grow for as long as a client likes."""
    database = Database(stored)
    async with database.open():
        archive, store = SqlSamples(database), SqlStore(database)
        query = SampleQuery("room-1", 0, NOW)
        for read in (
            archive.reports(query),
            store.snapshots("room-1", 0, NOW),
            store.history(HistoryQuery("room-1", limit=9999)),
        ):
            next(read)
            blocked, _, _ = await database.write(
                lambda one: tuple(one.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one())
            )
            assert blocked == 0


@pytest.mark.one_process  # MAX_READS is of each worker
async def test_long_reads_past_the_limit_are_refused_and_nothing_else_is(stored: Settings, clock: Clock) -> None:
    limited = msgspec.structs.replace(stored, max_reads=2)
    async with serving(limited, clock) as client, AsyncExitStack() as readers:
        for path in EXPORTS[:2]:
            await readers.enter_async_context(stuck(client, path))
        refused = await client.get(f"{HISTORY}?limit=10000")
        assert_problem(refused, 503, "2 long reads are under way already")
        assert int(refused.headers["retry-after"]) >= 1
        for path in (*EXPORTS, f"{HISTORY}?step=2"):
            assert (await client.get(path)).status_code == 503
        for path in (
            f"{HISTORY}?limit=500",
            f"{HISTORY}/u1?limit=9",
            f"/rooms/room-1?at={NOW - 5}",
            "/rooms/room-1",
            "/",
        ):
            assert (await client.get(path)).status_code in {200, 404}
        assert (await client.post("/report/metrics", content=body(room_id="room-2"))).status_code == 200
        await readers.aclose()
        assert len(await data(client, f"{HISTORY}?limit=10000")) == SNAPSHOTS


@pytest.mark.parametrize("path", [*EXPORTS, f"{HISTORY}?limit=10000"])
async def test_a_client_that_reads_too_slowly_loses_its_place(
    stored: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(portions_answer, "PORTION_TIMEOUT", 0.01)
    async with serving(msgspec.structs.replace(stored, max_reads=1), clock) as client, stuck(client, path) as reading:

        async def ended() -> bool:
            return reading.done()

        await soon(ended)
        monkeypatch.undo()
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("path", [*EXPORTS, f"{HISTORY}?limit=10000"])
async def test_a_client_that_goes_away_leaves_its_place(stored: Settings, clock: Clock, path: str) -> None:
    async with serving(msgspec.structs.replace(stored, max_reads=1), clock) as client:
        gone = asyncio.Event()

        async def receive() -> Any:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                gone.set()
                await asyncio.Event().wait()

        async with asyncio.timeout(DEADLINE):
            await request(client, path, receive, send)
        assert (await client.get(path)).status_code == 200


async def test_an_export_whose_database_fails_half_way_does_not_look_complete(
    stored: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, left = kind_of_database(stored).fetch, 1000

    def failing(database: Database, statement: Any) -> Sequence[Any]:
        nonlocal left
        left -= 1
        if left < 0:
            raise StoreError("broken")
        return fetch(database, statement)

    monkeypatch.setattr(kind_of_database(stored), "fetch", failing)
    async with serving(stored, clock) as client:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        left = 1
        await request(client, EXPORTS[0], asyncio.Event().wait, send)
    assert sent[0]["status"] == 200
    assert all(message["more_body"] for message in sent if message["type"] == "http.response.body")


async def has_sessions(client: httpx.AsyncClient) -> bool:
    return "data-started" in (await client.get("/rooms/room-1/sessions")).text


@pytest.mark.one_process  # each worker reads it once
@pytest.mark.parametrize("path", ["/rooms/room-1", "/rooms/room-1/users/u1"])
async def test_a_moment_is_read_once_for_all_who_open_it_at_the_same_time(
    stored: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    moments, replays = [NOW - 10, NOW - 10, NOW - 20, NOW - 10], []
    waiting = len(moments)
    room, shared_result = Replay.room, Reader.shared_result

    def noted(replay: Replay, room_id: str, at: float) -> Any:
        replays.append(at)
        while waiting:
            yield
        return (yield from room(replay, room_id, at))

    async def awaited(reader: Reader, key: Any, steps: Any) -> Any:
        nonlocal waiting
        waiting -= 1
        return await shared_result(reader, key, steps)

    monkeypatch.setattr(Replay, "room", noted)
    monkeypatch.setattr(Reader, "shared_result", awaited)
    async with serving(stored, clock) as client:
        # The session of the room is saved in the background, and is on its page from then on.
        await soon(partial(has_sessions, client))
        answers = await asyncio.gather(*(client.get(f"{path}?at={at:.0f}") for at in moments))
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(replays) == [NOW - 20, NOW - 10]
    assert answers[0].text == answers[1].text != answers[2].text


@pytest.mark.one_process
async def test_between_two_answers_of_metrics_everything_else_has_a_turn(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, made = 0, list[int]()

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def noted(_: object) -> bytes:
        made.append(turns)
        return b""

    monkeypatch.setattr("roompulse.web.api.metrics.generate_latest", noted)
    counting = asyncio.create_task(count_turns())
    await asyncio.gather(*(client.get("/metrics") for _ in range(10)))
    counting.cancel()
    assert len(set(made)) == len(made) == 10
