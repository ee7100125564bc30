"""Every limit that is a setting: a report at it is accepted, one past it is rejected as docs/api.md says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple
from unittest.mock import ANY, Mock

import httpx
import msgspec
import pytest

from roompulse.report.model import Entry
from roompulse.settings import Settings
from roompulse.web.api import post_report
from roompulse.web.sse.push import EXTENSION, PushChannel
from tests.api import assert_problem, serving
from tests.api.faults import FAULTS, Faults
from tests.builders import NOW, REFERENCE, body, stream
from tests.conftest import Clock
from tests.process import DEADLINE
from tests.test_docs import table

VIEWED, OTHER = "/report/stream/room-1", "/report/stream/room-2"
COMMIT_TIMEOUT = 0.02


class World:
    """An application at the limit, its time, and faults of its database."""

    def __init__(self, client: httpx.AsyncClient, clock: Clock, faults: Faults) -> None:
        self.client = client
        self.clock = clock
        self.faults = faults

    async def post(self, content: Any = REFERENCE) -> httpx.Response:
        return await self.client.post("/report/metrics", content=content)

    @asynccontextmanager
    async def viewing(self, path: str = VIEWED) -> AsyncIterator[None]:
        """A stream that is open; httpx would first read it to its end."""
        opened = asyncio.Event()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                assert message["status"] == 200
                opened.set()

        transport: Any = self.client._transport
        scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
        }
        scope |= {
            "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 123),
            "scheme": "http",
            "http_version": "1.1",
            "root_path": "",
            "extensions": {EXTENSION: Mock(PushChannel, closed=False)},
        }
        never = asyncio.Event()
        viewer = asyncio.create_task(transport.app(scope, never.wait, send))
        try:
            async with asyncio.timeout(DEADLINE):
                await opened.wait()
            yield
        finally:
            viewer.cancel()
            with suppress(asyncio.CancelledError):
                await viewer

    async def hold(self) -> None:
        """Let the next commit hang until the faults end."""
        self.faults.begin(FAULTS["slow"], nth=1, lasting=False)

    async def hung(self) -> None:
        async with asyncio.timeout(DEADLINE):
            while not self.faults.hangs.is_set():
                await asyncio.sleep(0.001)


Act = Callable[[World], Awaitable[list[httpx.Response]]]


class Limit(NamedTuple):
    value: float
    names: str
    """The message of the rejection."""
    at: Act
    """Everything in it is taken."""
    past: Act
    """The last of it is refused; it comes after `at`, in the same world."""


def posts(*bodies: bytes) -> Act:
    async def act(world: World) -> list[httpx.Response]:
        return [await world.post(one) for one in bodies]

    return act


def entries(*streams: int) -> bytes:
    """A report with an entry for each of these counts of streams."""
    return body(
        metrics=[
            Entry(f"u{number}", [stream(f"s{one}") for one in range(count)]) for number, count in enumerate(streams, 1)
        ]
    )


async def fill_the_queue(world: World) -> list[httpx.Response]:
    """Two reports wait while one commit hangs; a third one is refused."""
    await world.hold()
    waiting = [asyncio.create_task(world.post(body(user_id=f"u{number}"))) for number in range(2)]
    await world.hung()
    while "roompulse_queue_reports 2.0" not in (await world.client.get("/metrics")).text:
        await asyncio.sleep(0.001)  # It may be another commit that hangs.
    third = await world.post(body(user_id="u3"))
    world.faults.end()
    assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200, 200]
    return [third]


async def view_twice(world: World) -> list[httpx.Response]:
    async with world.viewing(), world.viewing():
        return []


async def view_three_times(world: World) -> list[httpx.Response]:
    async with world.viewing(), world.viewing():
        refused = await world.client.get(VIEWED)
    await view_twice(world)  # a user that leaves makes room
    return [refused]


async def view_two_rooms(world: World) -> list[httpx.Response]:
    """Two viewers of each."""
    async with world.viewing(), world.viewing(), world.viewing(OTHER), world.viewing(OTHER):
        return []


async def view_three_rooms(world: World) -> list[httpx.Response]:
    async with world.viewing(), world.viewing(OTHER):
        refused = await world.client.get("/report/stream/room-3")
    await view_two_rooms(world)
    return [refused]


async def read_once(world: World) -> list[httpx.Response]:
    return [await world.client.get("/report/rooms")]


async def send_in_time(world: World) -> list[httpx.Response]:
    async def pieces() -> AsyncIterator[bytes]:
        for byte in REFERENCE:
            yield bytes([byte])

    return [await world.post(pieces())]


async def send_too_slowly(world: World) -> list[httpx.Response]:
    async def stalled() -> AsyncIterator[bytes]:
        yield REFERENCE[:100]
        await asyncio.Event().wait()

    return [await world.post(stalled())]


async def commit_too_slowly(world: World) -> list[httpx.Response]:
    await world.hold()
    posted = asyncio.create_task(world.post())
    await world.hung()
    while not posted.done():  # It may be another commit that hangs, and the report came later.
        world.clock.advance(COMMIT_TIMEOUT)
        await asyncio.sleep(0.01)
    return [await posted]


LIMITS = {
    "MAX_BODY": Limit(len(REFERENCE), f"{len(REFERENCE)} bytes", posts(REFERENCE), posts(REFERENCE + b" ")),
    "MAX_REPORT_USERS": Limit(2, "$.metrics: ", posts(entries(1, 1)), posts(entries(1, 1, 1))),
    "MAX_REPORT_STREAMS": Limit(3, "$.metrics[1].streams: ", posts(entries(1, 2)), posts(entries(1, 3))),
    "MAX_ROOMS": Limit(
        2,
        "$.room_id: all 2 rooms are taken",
        posts(body(room_id="1"), body(room_id="2"), body(room_id="1")),
        posts(body(room_id="3")),
    ),
    "MAX_ROOM_USERS": Limit(
        2, "no place for more than 2 users", posts(body(user_id="u1"), body(user_id="u2")), posts(body(user_id="u3"))
    ),
    "MAX_USER_STREAMS": Limit(2, "no more than 2 streams", posts(entries(2)), posts(entries(3))),
    "MAX_QUEUE": Limit(2, "too many reports wait", posts(REFERENCE), fill_the_queue),
    "MAX_VIEWERS": Limit(2, "the maximum of 2 viewers", view_twice, view_three_times),
    "MAX_ADDRESS_VIEWERS": Limit(2, "2 streams open already", view_twice, view_three_times),
    "MAX_VIEWS": Limit(2, "the maximum of 2 different views", view_two_rooms, view_three_rooms),
    "MAX_ADDRESS_VIEWS": Limit(2, "streams of 2 different views open already", view_two_rooms, view_three_rooms),
    "READER_RATE": Limit(0.2, "more than 0.2 requests a second", read_once, read_once),
    "SENDER_RATE": Limit(1, "more than 1 reports a second", posts(*[REFERENCE] * 5), posts(REFERENCE)),
    "SENDER_STREAMS": Limit(
        1, "more than 1 streams a second", posts(entries(2), entries(2), entries(3)), posts(entries(1))
    ),
    "SENDER_USERS": Limit(
        2,
        "$.metrics: more than 2 new users a minute",
        posts(body(user_id="u1"), entries(1, 1, 1), entries(1, 1, 1)),
        posts(body(user_id="u1"), body(user_id="u4")),
    ),
    "SENDER_ROOMS": Limit(
        2,
        "$.room_id: more than 2 new rooms a minute",
        posts(body(room_id="1"), body(room_id="2"), body(room_id="1")),
        posts(body(room_id="2"), body(room_id="3")),
    ),
    "BODY_TIMEOUT": Limit(0.05, "did not arrive within 0.05 s", send_in_time, send_too_slowly),
    "COMMIT_TIMEOUT": Limit(COMMIT_TIMEOUT, "not saved within 0.02 s", posts(REFERENCE), commit_too_slowly),
}

OF_EACH = pytest.mark.one_process
"""Rates, and what is open or waits, are limited by each worker: docs/cluster.md."""

OF_EACH_WORKER = {
    *("MAX_QUEUE", "MAX_VIEWERS", "MAX_ADDRESS_VIEWERS", "MAX_VIEWS", "MAX_ADDRESS_VIEWS"),
    *("READER_RATE", "SENDER_RATE", "SENDER_STREAMS", "SENDER_USERS"),
    "COMMIT_TIMEOUT",  # of which the test holds up the file of SQLite; tests/postgres/test_network.py
}
NAMES = [pytest.param(name, marks=[OF_EACH] if name in OF_EACH_WORKER else [], id=name) for name in LIMITS]

STATUS = {row[0]: int(row[1]) if row[1].isdigit() else None for row in table("api.md", "## Limits")}
"""By limit, as documented; None without an answer."""


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    faults = Faults()
    monkeypatch.setattr("roompulse.engines.Database", faults.database)
    monkeypatch.setattr("roompulse.ingest.ingest.LOOK_EVERY", 0.01)
    monkeypatch.setattr("roompulse.web.http.reader_limit.LONGEST_WAIT", 0.001)
    return faults


@asynccontextmanager
async def world_of(settings: Settings, clock: Clock, faults: Faults, name: str) -> AsyncIterator[World]:
    limited: dict[str, Any] = {name.lower(): LIMITS[name].value}
    async with serving(msgspec.structs.replace(settings, **limited), clock) as client:
        try:
            yield World(client, clock, faults)
        finally:
            faults.end()


def test_every_limit_is_tested_and_documented() -> None:
    limits = {
        name.upper()
        for name in Settings.__struct_fields__
        if name.startswith(("max_", "sender_", "reader_")) or name in {"body_timeout", "send_timeout", "commit_timeout"}
    }
    limits -= {"MAX_RULES", "MAX_ALERTS"}  # limits of operators' settings: tests/alerts/test_service.py
    # tests/process/test_slow.py, tests/api/test_reads.py, tests/api/test_posting.py
    elsewhere = {"SEND_TIMEOUT", "MAX_READS", "MAX_REPORTED_USERS"}
    assert limits == set(LIMITS) | elsewhere == set(STATUS)


@pytest.mark.parametrize("name", NAMES)
async def test_what_is_at_the_limit_is_taken(settings: Settings, clock: Clock, faults: Faults, name: str) -> None:
    async with world_of(settings, clock, faults, name) as world:
        answers = await LIMITS[name].at(world)
    assert [answer.text for answer in answers if answer.status_code != 200] == []


@pytest.mark.parametrize("name", NAMES)
async def test_what_is_past_the_limit_is_refused_as_documented(
    settings: Settings, clock: Clock, faults: Faults, name: str
) -> None:
    async with world_of(settings, clock, faults, name) as world:
        await LIMITS[name].at(world)
        answers = await LIMITS[name].past(world)
    assert [answer.status_code for answer in answers[:-1]] == [200] * len(answers[:-1])
    status = STATUS[name]
    assert status
    assert_problem(answers[-1], status, LIMITS[name].names)
    assert ("retry-after" in answers[-1].headers) == (status in {429, 503})


async def test_reports_to_rooms_that_are_live_go_on_past_the_limit_of_new_rooms(
    settings: Settings, clock: Clock, faults: Faults
) -> None:
    async with world_of(settings, clock, faults, "SENDER_ROOMS") as world:
        for room_id in ("1", "2"):
            await world.post(body(room_id=room_id))
        refused = await world.post(body(room_id="3"))
        assert int(refused.headers["retry-after"]) == 30
        for user_id in ("u1", "u2"):
            assert (await world.post(body(room_id="1", user_id=user_id))).status_code == 200
        clock.advance(30)
        assert (await world.post(body(room_id="3"))).status_code == 200


@pytest.mark.one_process  # the file of SQLite fails
async def test_a_room_that_could_not_be_saved_costs_its_sender_nothing(
    settings: Settings, clock: Clock, faults: Faults
) -> None:
    async with world_of(settings, clock, faults, "SENDER_ROOMS") as world:
        for _ in range(2):
            faults.begin(FAULTS["full"], nth=1, lasting=True)
            for room_id in ("1", "2", "3"):
                assert (await world.post(body(room_id=room_id))).status_code == 503
            faults.end()
        async with asyncio.timeout(DEADLINE):
            while (await world.post(body(room_id="1"))).status_code != 200:
                await asyncio.sleep(0.01)
        assert (await world.post(body(room_id="2"))).status_code == 200
        assert (await world.post(body(room_id="3"))).status_code == 429


@pytest.mark.one_process  # the file of SQLite fails
async def test_a_report_that_could_not_be_taken_is_not_paid_for(
    settings: Settings, clock: Clock, faults: Faults
) -> None:
    async with world_of(settings, clock, faults, "SENDER_STREAMS") as world:
        faults.begin(FAULTS["full"], nth=1, lasting=True)
        assert (await world.post(entries(1))).status_code == 503
        for content in (entries(4, 4), entries(*[1] * 200), LARGE):
            assert (await world.post(content)).status_code == 503
        faults.end()
        async with asyncio.timeout(DEADLINE):
            while (answer := await world.post(entries(1))).status_code == 503:
                await asyncio.sleep(0.01)
        assert answer.status_code == 200


LARGE = entries(*[1] * 700)


async def test_a_large_report_is_taken_as_any_other(client: httpx.AsyncClient) -> None:
    assert len(LARGE) > post_report.LARGE
    assert (await client.post("/report/metrics", content=LARGE)).status_code == 200
    room = (await client.get("/report/metrics/room-1")).json()["data"]
    assert room["aggregate"]["stream_count"] == 700
    assert len(room["users"]) == 700
    refused = await client.post("/report/metrics", content=LARGE[:-1])
    assert_problem(refused, 400, "$")


@OF_EACH
async def test_of_large_reports_that_come_at_once_only_the_first_is_decoded(settings: Settings, clock: Clock) -> None:
    async with serving(msgspec.structs.replace(settings, sender_streams=1), clock) as client:
        posts = [client.post("/report/metrics", content=LARGE) for _ in range(3)]
        answers = await asyncio.gather(*posts)
        assert sorted(answer.status_code for answer in answers) == [200, 429, 429]
        assert 'roompulse_reports_total{outcome="sender_streams"} 2.0' in (await client.get("/metrics")).text


@OF_EACH
async def test_large_reports_that_wait_to_be_decoded_are_bounded(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roompulse.web.api.unfinished_bodies.OF_ADDRESS", 1)
    async with serving(msgspec.structs.replace(settings, max_body=len(LARGE)), clock) as client:
        posts = [client.post("/report/metrics", content=LARGE) for _ in range(3)]
        answers = await asyncio.gather(*posts)
        assert sorted(answer.status_code for answer in answers) == [200, 429, 429]
        assert (await client.post("/report/metrics", content=LARGE)).status_code == 200


@OF_EACH
@pytest.mark.parametrize("refused", [b"[" * 100_000, entries(*[1] * 900)[:-1] + b"]", entries(1).replace(b"u1", b"..")])
async def test_a_report_that_is_refused_counts_by_its_size(settings: Settings, clock: Clock, refused: bytes) -> None:
    async with serving(msgspec.structs.replace(settings, sender_streams=1), clock) as client:
        assert (await client.post("/report/metrics", content=refused)).status_code == 400
        weight = len(refused) // 100
        assert (await client.post("/report/metrics", content=entries(1))).status_code == (429 if weight > 4 else 200)
        clock.advance(max(0, weight - 5) + 1)
        assert (await client.post("/report/metrics", content=entries(1))).status_code == 200


async def test_a_rate_of_0_is_no_limit_on_streams_rooms_and_users_neither(settings: Settings, clock: Clock) -> None:
    async with serving(
        msgspec.structs.replace(settings, sender_rate=0, sender_rooms=1, sender_streams=1, sender_users=1), clock
    ) as client:
        answers = [await client.post("/report/metrics", content=body(room_id=f"room-{n}")) for n in range(20)]
    assert {answer.status_code for answer in answers} == {200}


HALF = len(REFERENCE) // 2


@asynccontextmanager
async def half_sent(client: httpx.AsyncClient, count: int, **headers: str) -> AsyncIterator[None]:
    """So many reports whose bodies have half arrived."""
    arrived = asyncio.Semaphore(0)

    async def pieces() -> AsyncIterator[bytes]:
        yield REFERENCE[:HALF]
        arrived.release()
        await asyncio.Event().wait()

    posts = [client.post("/report/metrics", content=pieces(), headers=headers) for _ in range(count)]
    posting = [asyncio.create_task(post) for post in posts]
    async with asyncio.timeout(DEADLINE):
        for _ in range(count):
            await arrived.acquire()
    yield
    for post in posting:
        post.cancel()
    assert await asyncio.gather(*posting, return_exceptions=True) == [ANY] * count


async def post_in_pieces(client: httpx.AsyncClient, **headers: str) -> httpx.Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield REFERENCE[:HALF]
        yield REFERENCE[HALF:]

    return await client.post("/report/metrics", content=pieces(), headers=headers)


@OF_EACH
@pytest.mark.parametrize(("bound", "senders", "status"), [("OF_ADDRESS", 1, 429), ("OF_ALL", 2, 503)])
async def test_bodies_that_are_not_whole_are_bounded_by_address_and_in_all(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch, bound: str, senders: int, status: int
) -> None:
    monkeypatch.setattr(f"roompulse.web.api.unfinished_bodies.{bound}", 1)
    monkeypatch.setattr("roompulse.web.api.unfinished_bodies.HELD", 0.001)
    small = msgspec.structs.replace(settings, max_body=5 * HALF, behind_proxy=True)
    one, other = ({"x-forwarded-for": f"192.0.2.{number}"} for number in (1, senders))
    async with serving(small, clock) as client:
        async with half_sent(client, 2, **one), half_sent(client, 2, **other):
            refused = await post_in_pieces(client, **one)
            assert_problem(refused, status, f"{5 * HALF} bytes already")
            assert int(refused.headers["retry-after"]) == 5
            elsewhere = await post_in_pieces(client, **{"x-forwarded-for": "192.0.2.9"})
            assert elsewhere.status_code == (503 if senders == 2 else 200)
            assert 'roompulse_reports_total{outcome="bodies_full"}' in (await client.get("/metrics")).text
        assert (await post_in_pieces(client, **one)).status_code == 200


@OF_EACH
@pytest.mark.parametrize(
    ("limit", "path", "status"), [("sender_rate", "/report/metrics", 429), ("sender_rooms", "/report/metrics", 429)]
)
async def test_behind_a_trusted_proxy_each_client_is_a_sender(
    settings: Settings, clock: Clock, limit: str, path: str, status: int
) -> None:
    proxied: dict[str, Any] = {"behind_proxy": True, limit: 0.2 if limit == "sender_rate" else 1}
    async with serving(msgspec.structs.replace(settings, **proxied), clock) as client:

        async def post(address: str, room_id: str) -> int:
            headers = {"x-forwarded-for": address}
            return (await client.post(path, content=body(room_id=room_id), headers=headers)).status_code

        assert [await post("192.0.2.1", "1"), await post("192.0.2.1", "2")] == [200, status]
        assert await post("192.0.2.2", "3") == 200
        assert await post("2001:db8::1", "4") == 200
        assert await post("2001:db8::2", "5") == status


@OF_EACH
async def test_what_a_client_says_of_its_address_counts_for_nothing(settings: Settings, clock: Clock) -> None:
    async with serving(msgspec.structs.replace(settings, sender_rate=0.2), clock) as client:
        answers = [
            await client.post("/report/metrics", content=REFERENCE, headers={"x-forwarded-for": f"192.0.2.{number}"})
            for number in range(2)
        ]
    assert [answer.status_code for answer in answers] == [200, 429]


@OF_EACH
@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/report/rooms", "application/json"),
        ("/report/history/room-1", "application/json"),
        (VIEWED, "application/json"),
        ("/rooms/room-1/users.csv", "text/html"),
        ("/rooms/room-1?at=1", "text/html"),
        ("/stream", "text/html"),
        ("/nothing", "text/html"),
        ("/metrics", "text/plain"),
    ],
)
async def test_whatever_a_reader_asks_for_counts(
    settings: Settings, clock: Clock, faults: Faults, path: str, media_type: str
) -> None:
    async with world_of(settings, clock, faults, "READER_RATE") as world:
        await world.client.head(path)
        refused = await world.client.get(path)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) == 5
        assert refused.headers["content-type"].partition(";")[0] == media_type
        assert "more than 0.2 requests a second from this address" in refused.text
        for other in ("/healthz", "/static/sdk/roompulse.js"):
            assert (await world.client.get(other)).status_code == 200
        assert (await world.post()).status_code == 200


async def test_a_stream_that_is_open_asks_for_nothing(settings: Settings, clock: Clock, faults: Faults) -> None:
    async with serving(msgspec.structs.replace(settings, reader_rate=0.4), clock) as client:
        world = World(client, clock, faults)
        async with world.viewing():
            for number in range(10):
                assert (await world.post(body(user_id=f"u{number}"))).status_code == 200
            assert (await client.get("/report/rooms")).status_code == 200


async def test_reports_do_not_wait_for_readers(settings: Settings, clock: Clock, faults: Faults) -> None:
    async with world_of(settings, clock, faults, "READER_RATE") as world:
        for number in range(10):
            assert (await world.post(body(user_id=f"u{number}"))).status_code == 200
        assert (await world.client.get("/report/rooms")).status_code == 200


@OF_EACH
async def test_viewers_of_other_addresses_have_places_of_their_own(settings: Settings, clock: Clock) -> None:
    proxied = msgspec.structs.replace(settings, behind_proxy=True, max_address_viewers=2)
    async with serving(proxied, clock) as client:
        world = World(client, clock, Faults())
        async with world.viewing(), world.viewing():
            assert (await client.head(VIEWED)).status_code == 429
            assert (await client.head(VIEWED, headers={"x-forwarded-for": "192.0.2.2"})).status_code == 200


async def test_a_report_that_is_too_large_is_refused_before_anything_else_of_it_is_looked_at(
    settings: Settings, clock: Clock
) -> None:
    small = msgspec.structs.replace(settings, max_report_users=1, sender_rooms=1)
    async with serving(small, clock) as client:
        for _ in range(3):
            assert_problem(await client.post("/report/metrics", content=entries(1, 1)), 413, "$.metrics")
        assert (await client.get("/report/rooms")).json()["data"] == []
        assert (await client.post("/report/metrics", content=body(report_time=int(NOW)))).status_code == 200
