"""Every error under /report is the envelope, every other one a page."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import msgspec
import pytest

from roompulse.access.model import Key
from roompulse.access.tokens import sign_token
from roompulse.errors import Problem
from roompulse.settings import Settings
from tests.access import new_key
from tests.api import assert_problem, serving, without_table
from tests.builders import NOW, REFERENCE
from tests.conftest import Clock
from tests.process import DEADLINE

Producer = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]


def post(content: bytes = REFERENCE, header: tuple[str, str] = ("content-type", "application/json")) -> Producer:
    async def produce(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/report/metrics", content=content, headers=[header])

    return produce


def get(path: str, method: str = "GET") -> Producer:
    async def produce(client: httpx.AsyncClient) -> httpx.Response:
        return await client.request(method, path)

    return produce


async def post_a_body_that_never_ends(client: httpx.AsyncClient) -> httpx.Response:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    return await client.post("/report/metrics", content=stalled())


async def post_twice(client: httpx.AsyncClient) -> httpx.Response:
    await post()(client)
    return await post()(client)


async def post_about_another_room(client: httpx.AsyncClient) -> httpx.Response:
    await post(REFERENCE.replace(b"room-1", b"room-2"))(client)
    return await post(REFERENCE.replace(b"room-1", b"room-3"))(client)


@pytest.fixture
async def keyed(settings: Settings) -> tuple[Settings, Key]:
    """Settings under which all callers must authenticate, and the key that signs room tokens."""
    await new_key(settings, "read")
    signing, _ = await new_key(settings, "token")
    return settings, signing


@pytest.mark.parametrize("produce", [get("/report/rooms"), get("/report/stream/room-1"), post()])
async def test_who_shows_nothing_gets_the_envelope_too(
    keyed: tuple[Settings, Key], clock: Clock, produce: Producer
) -> None:
    async with serving(keyed[0], clock) as client:
        answer = await produce(client)
    assert_problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_who_may_something_else_gets_the_envelope_too(keyed: tuple[Settings, Key], clock: Clock) -> None:
    shown = sign_token(keyed[1], "room-2", "u1", NOW + 60)
    async with serving(keyed[0], clock) as client:
        answer = await post(header=("authorization", f"Bearer {shown}"))(client)
    assert_problem(answer, 403, "$.room_id")


@pytest.fixture(scope="module")
async def small(make_settings: Callable[[], Settings]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of one application whose limits are easily exceeded; room-1 is never live there."""
    settings = msgspec.structs.replace(make_settings(), max_body=1000, max_rooms=1, body_timeout=0.02)
    async with serving(settings, Clock()) as client:
        yield client


PRODUCERS: list[tuple[int, Producer]] = [
    (400, post(b"{")),
    (400, post(b"[" * 999)),
    (400, get("/report/history/room-1?limit=0")),
    (404, get("/report")),
    (404, get("/report/")),
    (404, get("/report/nothing/of/the/kind")),
    (404, get("/report/metrics/a/b/c")),
    (404, get("/report/metrics/room-1")),
    (404, get("/report/metrics/%FF")),
    (404, get("/report/history/room-1")),
    (404, get("/report/stream/%0A")),
    (404, get("/report/nothing", "POST")),
    (405, get("/report/metrics")),
    (405, get("/report/rooms", "POST")),
    (405, get("/report/openapi.json", "DELETE")),
    (408, post_a_body_that_never_ends),
    (413, post(b" " * 1001)),
    (415, post(header=("content-type", "image/png"))),
    (415, post(header=("content-encoding", "gzip"))),
    (503, post_about_another_room),
]


@pytest.mark.parametrize(("status", "produce"), PRODUCERS)
async def test_under_report_it_is_the_envelope(small: httpx.AsyncClient, status: int, produce: Producer) -> None:
    answer = await produce(small)
    assert_problem(answer, status)
    assert ("allow" in answer.headers) == (status == 405)
    assert ("retry-after" in answer.headers) == (status in {429, 503})


@pytest.mark.one_process  # SENDER_RATE is of each worker
async def test_too_many_requests_are_the_envelope_too(settings: Settings, clock: Clock) -> None:
    async with serving(msgspec.structs.replace(settings, sender_rate=0.2), clock) as client:
        answer = await post_twice(client)
    assert_problem(answer, 429)
    assert int(answer.headers["retry-after"]) == 5


@pytest.mark.parametrize("path", ["/report/history/room-1", "/report/history/room-1?step=60"])
async def test_a_database_that_fails_is_503(
    client: httpx.AsyncClient, settings: Settings, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with without_table(settings, "snapshot"):
        answer = await client.get(path)
        assert_problem(answer, 503, "database")
        assert int(answer.headers["retry-after"]) >= 1
    words = "no such table|does not exist"
    assert re.search(words, caplog.text)
    assert not re.search(words, answer.text)
    assert_problem(await client.get(path), 404)


def mistake(*_: object, **__: object) -> None:
    raise RuntimeError("a secret of the code")


@pytest.mark.parametrize(
    ("broken", "produce"),
    [
        ("roompulse.rooms.memory.RoomsInMemory.ids", get("/report/rooms")),
        ("roompulse.rooms.memory.RoomsInMemory.get", get("/report/metrics/room-1")),
        ("roompulse.store.sql_store.SqlStore.history", get("/report/history/room-1")),
        ("roompulse.intake.intake.decode_as_sent", post()),
    ],
)
async def test_a_mistake_is_500_and_in_the_log_alone(
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    broken: str,
    produce: Producer,
) -> None:
    monkeypatch.setattr(broken, mistake)
    answer = await produce(client)
    assert_problem(answer, 500)
    assert "secret" not in answer.text
    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert any(record.exc_info and "secret" in str(record.exc_info[1]) for record in logged)


async def test_a_stream_that_cannot_be_rendered_ends(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("roompulse.web.api.stream.RoomJsonView.render", mistake)
    async with asyncio.timeout(DEADLINE):
        answer = await client.get("/report/stream/room-1")
    assert "secret" not in answer.text
    assert "secret" in caplog.text


@pytest.mark.parametrize(
    "broken", ["roompulse.rooms.memory.RoomsInMemory.admit", "roompulse.rooms.memory.RoomsInMemory.apply"]
)
async def test_a_mistake_in_a_batch_neither_hangs_nor_ends_the_ingest(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(broken, mistake)
        answer = await post()(client)
        assert_problem(answer, 503)
        assert "retry-after" in answer.headers
    assert (await post()(client)).status_code == 200


@pytest.mark.parametrize(
    ("status", "produce"),
    [
        (404, get("/nothing")),
        (404, get("/reports")),
        (404, get("/reporting/rooms")),
        (404, get("/rooms")),
        (404, get("/rooms/%FF")),
        (404, get("/rooms/a/b")),
        (404, get("/assets/0000000000000000/css/roompulse.css")),
        (404, get("/static/nothing.css")),
        (404, get(f"/static/{'x' * 400}.css")),
        (404, get("/static/..%2fpyproject.toml")),
        (405, get("/", "POST")),
        (405, get("/rooms/room-1", "DELETE")),
    ],
)
async def test_elsewhere_it_is_a_page(kept: httpx.AsyncClient, status: int, produce: Producer) -> None:
    answer = await produce(kept)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<!doctype html>")
    assert f"{status} " in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert ("allow" in answer.headers) == (status == 405)


async def test_a_mistake_in_a_page_is_a_page(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roompulse.rooms.memory.RoomsInMemory.ids", mistake)
    answer = await client.get("/")
    assert answer.status_code == 500
    assert answer.text.startswith("<!doctype html>")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_every_problem_has_a_producer_here() -> None:
    kinds: list[type[Problem]] = [Problem, *Problem.__subclasses__()]
    assert {kind.status for kind in kinds} == {status for status, _ in PRODUCERS} | {401, 403, 429, 500}
