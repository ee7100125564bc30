"""/healthz, /readyz and /metrics."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import Litestar
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from roompulse import __version__
from roompulse.access.keys import digest_of
from roompulse.access.model import Key
from roompulse.access.store import AccessStore
from roompulse.app import create_app
from roompulse.clock import Clock as AnyClock
from roompulse.engines import access_of
from roompulse.errors import REASONS
from roompulse.settings import Settings
from roompulse.web.api.health import ready_routes
from tests.api import refusing, without_table
from tests.builders import NOW, REFERENCE, body
from tests.conftest import Clock, client_of
from tests.process import soon


class Store:
    failing_since: float | None = None
    lost = ""


class Stopping:
    def __init__(self) -> None:
        self.told = False

    def __call__(self) -> bool:
        return self.told


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def stopping() -> Stopping:
    return Stopping()


@pytest.fixture
async def probed(store: Store, stopping: Stopping, clock: AnyClock) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(
        Litestar(ready_routes(store, stopping, lambda: 0.0, clock), openapi_config=None, logging_config=None)
    ) as client:
        yield client


async def test_a_process_that_answers_is_alive(client: httpx.AsyncClient) -> None:
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["cache-control"] == "no-store"


async def test_it_is_ready_when_the_database_writes(client: httpx.AsyncClient) -> None:
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_head_is_answered_without_a_body(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")


async def test_it_is_not_ready_while_the_database_does_not_write(
    probed: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    store.failing_since = NOW
    clock.advance(12)
    answer = await probed.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "failing", "reason": "the database cannot be written, since 12 s"}
    assert int(answer.headers["retry-after"]) >= 1
    assert (await probed.get("/healthz")).status_code == 200
    store.failing_since = None
    assert (await probed.get("/readyz")).status_code == 200


@pytest.mark.one_process
async def test_a_database_that_fails_is_told_without_its_words_and_comes_back(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    async with refusing(settings, "sample"), without_table(settings, "beat"):
        assert (await client.post("/report/metrics", content=REFERENCE)).status_code == 503
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "failing")
        assert "beat" not in answer.text
        assert str(settings.data) not in answer.text
        found = await scraped(client)
        assert found["roompulse_store_failing"] == 1
        assert found["roompulse_reports_total{outcome=not_saved}"] == 1

    async def is_ready() -> bool:
        return (await client.get("/readyz")).status_code == 200

    assert await soon(is_ready)
    assert (await scraped(client))["roompulse_store_failing"] == 0


async def test_it_is_not_ready_while_it_stops(probed: httpx.AsyncClient, stopping: Stopping) -> None:
    stopping.told = True
    answer = await probed.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "stopping")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await probed.get("/healthz")).status_code == 200


async def test_a_server_that_was_told_to_stop_says_so(settings: Settings, clock: Clock) -> None:
    app = create_app(settings, clock)
    async with client_of(app) as client:
        assert (await client.get("/readyz")).status_code == 200
        app.hub.close()
        assert (await client.get("/readyz")).status_code == 503


async def test_where_keys_are_asked_for_health_is_for_anybody_and_metrics_are_not(
    settings: Settings, clock: Clock
) -> None:
    database = access_of(settings)
    async with database.open():
        await AccessStore(database).add_key(Key("k1", "read", "Prometheus", digest_of("rp_k1_secret"), NOW))
    async with client_of(create_app(settings, clock)) as client:
        assert [(await client.get(path)).status_code for path in ("/healthz", "/readyz")] == [200, 200]
        assert (await client.get("/metrics")).status_code == 401
        answer = await client.get("/metrics", headers={"Authorization": "Bearer rp_k1_secret"})
        assert answer.status_code == 200


async def scraped(client: httpx.AsyncClient) -> dict[str, float]:
    """Samples by their name with its labels, as Prometheus would write it."""
    text = (await client.get("/metrics")).text
    families: Any = text_string_to_metric_families(text)
    return {
        sample.name + "".join(f"{{{name}={value}}}" for name, value in sample.labels.items()): sample.value
        for family in families
        for sample in family.samples
    }


class TestMetrics:
    async def test_are_text_unless_open_metrics_are_asked_for(self, client: httpx.AsyncClient) -> None:
        text = await client.get("/metrics")
        assert text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert text.headers["cache-control"] == "no-store"
        accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
        answer = await client.get("/metrics", headers={"Accept": accept})
        assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        families: Any = openmetrics.text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]
        names = {family.name for family in families}
        assert {"roompulse_reports", "roompulse_commit_seconds", "roompulse_build"} <= names

    @pytest.mark.parametrize(
        "accept", ["application/openmetrics-text;version=x;escaping=\x7f", "text/plain;version=ä", "*/*"]
    )
    async def test_are_answered_whatever_is_asked_for(self, client: httpx.AsyncClient, accept: str) -> None:
        headers = [(b"accept", accept.encode())]
        assert (await client.get("/metrics", headers=headers)).status_code == 200

    async def test_have_every_outcome_from_the_beginning(self, client: httpx.AsyncClient) -> None:
        found = await scraped(client)
        outcomes = {name for name in found if name.startswith("roompulse_reports_total")}
        assert outcomes == {f"roompulse_reports_total{{outcome={one}}}" for one in ("accepted", "left", *REASONS)}
        assert {found[name] for name in outcomes} == {0}

    @pytest.mark.one_process
    async def test_count_what_was_posted(self, client: httpx.AsyncClient) -> None:
        for content in (REFERENCE, body(user_id="u2"), b"{"):
            await client.post("/report/metrics", content=content)
        await client.post("/report/metrics", content=REFERENCE, headers={"Content-Type": "image/png"})
        found = await scraped(client)
        outcomes = {"accepted": 2, "invalid": 1, "unsupported_type": 1, "too_large": 0}
        assert {one: found[f"roompulse_reports_total{{outcome={one}}}"] for one in outcomes} == outcomes
        assert found["roompulse_report_bytes_total"] == len(REFERENCE) + len(body(user_id="u2"))
        assert found["roompulse_samples_total"] == 2
        assert found["roompulse_commit_seconds_count"] == 2
        live = {"rooms": 1, "users": 2, "streams": 2, "viewers": 0, "queue_reports": 0, "store_failing": 0}
        assert {name: found[f"roompulse_{name}"] for name in live} == live

    @pytest.mark.one_process
    async def test_have_the_sizes_of_the_database(self, client: httpx.AsyncClient, settings: Settings) -> None:
        await client.post("/report/metrics", content=REFERENCE)
        found = await scraped(client)
        assert found["roompulse_database_bytes"] == (settings.data / "roompulse.db").stat().st_size
        assert found["roompulse_database_wal_bytes"] > 0

    async def test_say_what_runs_here(self, client: httpx.AsyncClient) -> None:
        text = (await client.get("/metrics")).text
        assert f'version="{__version__}"' in text
        assert re.search(r"^process_resident_memory_bytes [1-9]", text, re.MULTILINE)
        assert re.search(r"^process_open_fds [1-9]", text, re.MULTILINE)

    async def test_name_no_room_user_or_sdk(self, client: httpx.AsyncClient) -> None:
        ids = dict.fromkeys(("room_id", "user_id", "sdk_version"), "zebra-4711")
        await client.post("/report/metrics", content=body(**ids))
        await client.post("/report/metrics", content=body(**ids).replace(b'"send"', b'"zebra-4711"'))
        assert "zebra" not in (await client.get("/metrics")).text

    async def test_of_two_applications_are_apart(self, client: httpx.AsyncClient, tmp_path: Any, clock: Clock) -> None:
        await client.post("/report/metrics", content=REFERENCE)
        async with client_of(create_app(Settings(data=tmp_path / "other"), clock)) as other:
            assert (await scraped(other))["roompulse_reports_total{outcome=accepted}"] == 0

    @pytest.mark.one_process
    async def test_count_what_was_answered_with_500(
        self, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("roompulse.rooms.memory.RoomsInMemory.ids", lambda _: 1 / 0)
        assert (await client.get("/report/rooms")).status_code == 500
        assert (await scraped(client))["roompulse_mistakes_total"] == 1
