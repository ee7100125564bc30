"""Several workers on one PostgreSQL answer as one: any change by a request is seen by the next at any other."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

import httpx
import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from roompulse.access.keys import add_key
from roompulse.access.store import AccessStore
from roompulse.app import create_app
from roompulse.checking.run import check
from roompulse.engines import access_of, engine_of
from roompulse.errors import StartupError
from roompulse.follower import Follower
from roompulse.net import listen
from roompulse.settings import Settings
from roompulse.store.engine import Database
from tests.access import bearer
from tests.api import data
from tests.builders import NOW, body
from tests.conftest import Clock, client_of
from tests.postgres_server import database, fetch, schema_of
from tests.process import DEADLINE, soon

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def workers(settings: Settings, clock: Clock, count: int = 2) -> AsyncIterator[Sequence[httpx.AsyncClient]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(client_of(create_app(settings, clock))) for _ in range(count)]


async def test_what_one_has_acknowledged_the_other_shows(settings: Settings, clock: Clock) -> None:
    async with workers(settings, clock) as (one, other):
        for number in range(30):
            assert (await one.post("/report/metrics", content=body(user_id=f"u{number}"))).status_code == 200
            users = (await data(other, "/report/metrics/room-1"))["users"]
            assert len(users) == number + 1


async def test_answers_and_tags_are_the_same_bytes(settings: Settings, clock: Clock) -> None:
    async with workers(settings, clock) as clients:
        for number in range(12):
            clock.advance(1)
            await clients[number % 2].post("/report/metrics", content=body(user_id=f"u{number % 3}"))
        for path in ("/report/metrics/room-1", "/report/rooms", "/report/metrics/room-1/u1"):
            one, other = [await client.get(path) for client in clients]
            assert one.content == other.content
            assert one.headers["etag"] == other.headers["etag"]


async def test_a_worker_that_starts_finds_nobody_gone_who_came_meanwhile(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuild = Follower.rebuild

    async with workers(settings, clock, 1) as (one,):
        await one.post("/report/metrics", content=body(user_id="u1"))

        async def slow(follower: Follower, leave_after: float) -> None:
            await rebuild(follower, leave_after)
            for room_id in ("room-1", "room-2"):
                await one.post("/report/metrics", content=body(room_id=room_id, user_id="u2"))
            clock.advance(1)
            await soon(saved)

        async def saved() -> bool:
            return len(await fetch(settings.database_url or "", "SELECT 1 FROM event WHERE user_id = 'u2'")) == 2

        monkeypatch.setattr(Follower, "rebuild", slow)
        async with workers(settings, clock, 1) as (other,):
            await other.get("/report/rooms")
            for client in (one, other):
                for room_id, users in {"room-1": 2, "room-2": 1}.items():
                    events = await data(client, f"/report/events/{room_id}")
                    assert [event["kind"] for event in events].count("user_joined") == users
                    assert len(events) == 1 + users


class Act(Struct, frozen=True):
    """Each of these workers gets a report, all at the same time, or a read, or is another process from now on."""

    what: Literal["post", "ask", "restart"]
    workers: list[int]


acts = st.builds(
    Act,
    st.sampled_from(["post", "post", "ask", "restart"]),
    st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True),
)


class Cluster:
    """Three workers, and the users that posted."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._clock = settings, Clock()
        self._running: dict[int, tuple[asyncio.Event, asyncio.Task[None]]] = {}
        self.clients: dict[int, httpx.AsyncClient] = {}
        self.users: list[str] = []

    async def start(self, worker: int) -> None:
        """Let it be another process, if it is one."""
        await self._end(worker)
        ends, ready = asyncio.Event(), asyncio.Event()
        # Each in a task of its own, as a lifespan begins and ends in the same one.
        self._running[worker] = ends, asyncio.create_task(self._serve(worker, ready, ends))
        await ready.wait()

    async def _serve(self, worker: int, ready: asyncio.Event, ends: asyncio.Event) -> None:
        try:
            async with client_of(create_app(self._settings, self._clock)) as self.clients[worker]:
                ready.set()
                await ends.wait()
        finally:
            ready.set()

    async def _end(self, worker: int) -> None:
        if worker in self._running:
            ends, task = self._running.pop(worker)
            ends.set()
            await task

    async def stop(self) -> None:
        for worker in [*self._running]:
            await self._end(worker)

    async def do(self, act: Act) -> None:
        self._clock.advance(0.5)
        if act.what == "post":
            await asyncio.gather(*map(self._post, act.workers))
        for worker in act.workers:
            if act.what == "restart":
                await self.start(worker)
            if act.what == "ask":
                assert await self._shown(worker) == sorted(self.users)

    async def _post(self, worker: int) -> None:
        user_id = f"u{len(self.users)}"
        self.users.append(user_id)
        assert (await self.clients[worker].post("/report/metrics", content=body(user_id=user_id))).status_code == 200

    async def _shown(self, worker: int) -> list[str]:
        answer = await self.clients[worker].get("/report/metrics/room-1")
        return sorted(user["user_id"] for user in answer.json()["data"]["users"]) if self.users else []


@pytest.mark.slow
@hypothesis.settings(
    max_examples=10,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(acts, max_size=8))
def test_each_read_shows_all_that_was_acknowledged_before_and_all_workers_the_same(
    postgres_url: str, tmp_path: Path, sequence: list[Act]
) -> None:
    async def run(url: str) -> None:
        async with asyncio.timeout(DEADLINE), AsyncExitStack() as stack:
            cluster = Cluster(Settings(data=tmp_path, database_url=url))
            stack.push_async_callback(cluster.stop)
            for worker in range(3):
                await cluster.start(worker)
            for act in sequence:
                await cluster.do(act)
            for path in ("/report/rooms", "/report/metrics/room-1", "/report/events/room-1"):
                answers = [await cluster.clients[worker].get(path) for worker in range(3)]
                assert len({answer.content for answer in answers}) == 1, path
                assert len({answer.headers.get("etag") for answer in answers}) == 1, path

    with database(postgres_url) as url:
        asyncio.run(run(url))


@pytest.mark.parametrize("path", ["/report/calls?q=%00", "/calls?q=%00", "/users?q=%00", "/report/history/a%00b"])
async def test_a_text_that_postgresql_does_not_take_finds_nothing(settings: Settings, clock: Clock, path: str) -> None:
    async with workers(settings, clock, 1) as (one,):
        await one.post("/report/metrics", content=body())
        assert (await one.get(path)).status_code in (200, 400, 404)


async def test_a_worker_that_starts_later_shows_the_same(settings: Settings, clock: Clock) -> None:
    async with workers(settings, clock, 1) as (one,):
        for number in range(3):
            await one.post("/report/metrics", content=body(user_id=f"u{number}"))
        async with workers(settings, clock, 1) as (later,):
            path = "/report/metrics/room-1"
            assert (await later.get(path)).content == (await one.get(path)).content


async def test_events_that_both_find_are_there_once(settings: Settings, clock: Clock) -> None:
    async with workers(settings, clock) as clients:
        await clients[0].post("/report/metrics", content=body())
        seen = [[one["kind"] for one in await data(client, "/report/events/room-1")] for client in clients]
        assert seen == [["room_started", "user_joined"]] * 2
        await asyncio.sleep(1.5)  # until both have saved them
        seen = [[one["kind"] for one in await data(client, "/report/events/room-1")] for client in clients]
        assert seen == [["room_started", "user_joined"]] * 2
    async with workers(settings, clock, 1) as (after,):
        assert [one["kind"] for one in await data(after, "/report/events/room-1")] == ["room_started", "user_joined"]


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/report/alerts/silences", {"until": NOW + 100, "reason": "work"}),
        ("/report/alerts/channels", {"kind": "webhook", "name": "hook", "url": "http://127.0.0.1:1/"}),
    ],
)
async def test_what_an_operator_changes_at_one_is_known_at_the_other(
    settings: Settings, clock: Clock, path: str, given: dict[str, Any]
) -> None:
    async with workers(settings, clock) as (one, other):
        added = await one.post(path, json=given)
        assert added.status_code == 201
        (found,) = await data(other, path)
        assert found["id"] == added.json()["data"]["id"]
        assert (await other.delete(f"{path}/{found['id']}")).status_code == 200
        assert await data(one, path) == []


async def test_a_key_that_a_command_adds_is_known_at_once(settings: Settings, clock: Clock) -> None:
    async with workers(settings, clock) as clients:
        access = access_of(settings)
        async with access.open():
            _, shown = await add_key(AccessStore(access), "read", "a program", NOW)
        for client in clients:
            assert (await client.get("/report/rooms")).status_code == 401
            assert (await client.get("/report/rooms", headers=bearer(shown))).status_code == 200


def findings(settings: Settings) -> list[tuple[str, str]]:
    environment = {"ROOMPULSE_DATABASE_URL": settings.database_url or "", "ROOMPULSE_PORT": "0"}
    found = check(environment, {"data": settings.data}, listen, lambda: NOW, full=False)
    return [(finding.level, finding.text) for finding in found]


async def test_a_check_says_what_there_is(settings: Settings, postgres_url: str, clock: Clock) -> None:
    settings = replace(settings, database_url=schema_of(postgres_url))

    def found() -> list[str]:
        return [text for _, text in findings(settings)]

    assert any("the server will create its tables" in text for text in await asyncio.to_thread(found))
    async with workers(settings, clock, 1):
        texts = await asyncio.to_thread(found)
    assert any("the one of this version" in text for text in texts)
    assert any("fsync is off" in text for text in texts)
    assert any("the clock of the database is" in text for text in texts)


def test_a_check_names_a_database_that_cannot_be_reached(settings: Settings) -> None:
    gone = Settings(data=settings.data, database_url="postgresql://x@127.0.0.1:1/x")
    assert any(level == "error" and "cannot be reached" in text for level, text in findings(gone))


def test_commands_for_a_file_say_so(settings: Settings) -> None:
    with pytest.raises(StartupError, match="names PostgreSQL"):
        Database(settings)


@pytest.mark.parametrize("readable", [True, False])
async def test_a_worker_of_the_version_before_goes_on_where_the_newer_one_says_so(
    settings: Settings, clock: Clock, *, readable: bool
) -> None:
    database = engine_of(settings, clock).database
    async with database.open():
        await database.write(
            lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'newer'")
        )
        if not readable:
            await database.write(
                lambda connection: connection.exec_driver_sql(
                    "UPDATE readable_by SET revision = 'newer' WHERE version_table = 'alembic_version'"
                )
            )
    with nullcontext() if readable else pytest.raises(StartupError, match="newer roompulse"):
        async with workers(settings, clock, 1) as (one,):
            assert (await one.get("/readyz")).status_code == 200
