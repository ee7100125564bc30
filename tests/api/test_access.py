"""Which callers are admitted where keys are required."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from roompulse.access.keys import digest_of
from roompulse.access.model import Key, KeyKind
from roompulse.access.store import AccessStore
from roompulse.engines import access_of
from roompulse.settings import Settings
from tests.access import bearer, new_key
from tests.api import assert_problem, serving
from tests.builders import NOW, REFERENCE
from tests.conftest import Clock


async def add_key(settings: Settings, kind: KeyKind, shown: str = "rp_k1_secret") -> None:
    database = access_of(settings)
    async with database.open():
        key_id = shown.split("_")[1]
        await AccessStore(database).add_key(Key(key_id, kind, "a program", digest_of(shown), NOW))


@pytest.fixture(scope="module")
async def reading(make_settings: Callable[[], Settings]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that requires a key of readers."""
    settings = make_settings()
    await add_key(settings, "read")
    async with serving(settings, Clock()) as client:
        assert (await client.post("/report/metrics", content=REFERENCE)).status_code == 200
        yield client


async def test_without_keys_nobody_is_asked(client: httpx.AsyncClient) -> None:
    assert (await client.get("/report/rooms")).status_code == 200


async def test_a_reader_needs_the_key(reading: httpx.AsyncClient) -> None:
    for shown in (None, "rp_k1_other", "rp_k2_secret", "k1_secret", "rp_k1", ""):
        answer = await reading.get("/report/rooms", headers={} if shown is None else bearer(shown))
        assert_problem(answer, 401, "read key")
        assert answer.headers["www-authenticate"] == "Bearer"
    answer = await reading.get("/report/rooms", headers=bearer("rp_k1_secret"))
    assert answer.status_code == 200


JSON = [
    "/report/rooms",
    "/report/metrics/room-1",
    "/report/metrics/room-1/u1",
    "/report/history/room-1",
    "/report/history/room-1/u1",
    "/report/stream/room-1",
    "/rooms/room-1/history.csv",
    "/rooms/room-1/history.json",
    "/rooms/room-1/users.csv",
    "/rooms/room-1/users.json",
]


@pytest.mark.parametrize("path", JSON)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_every_route_of_figures_asks(reading: httpx.AsyncClient, path: str, method: str) -> None:
    for headers in ({}, bearer("rp_k1_wrong")):
        answer = await reading.request(method, path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    if "stream" not in path:
        answer = await reading.request(method, path, headers=bearer("rp_k1_secret"))
        assert answer.status_code in {200, 404}


async def test_metrics_without_a_key_are_refused_in_plain_text(reading: httpx.AsyncClient) -> None:
    answer = await reading.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/plain; charset=utf-8")
    assert "read key" in answer.text
    assert "<" not in answer.text


async def test_what_describes_the_api_is_for_anybody(reading: httpx.AsyncClient) -> None:
    for path in ("/report/openapi.json", "/report/schema.json", "/static/sdk/roompulse.js"):
        assert (await reading.get(path)).status_code == 200


async def test_a_key_for_ingest_or_tokens_reads_nothing(settings: Settings, clock: Clock) -> None:
    await add_key(settings, "read")
    async with serving(settings, clock) as client:
        for kind in ("ingest", "token"):
            _, shown = await new_key(settings, kind)
            assert_problem(await client.get("/report/rooms", headers=bearer(shown)), 401)
