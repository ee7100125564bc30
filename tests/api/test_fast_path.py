"""Reports that a connection hands over whole, past ASGI: nobody can tell by the answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec import json
from msgspec.structs import replace

from roompulse.app import create_app
from roompulse.settings import Settings
from roompulse.web.application import Application
from tests.builders import REFERENCE
from tests.conftest import Clock
from tests.process import DEADLINE


@pytest.fixture
async def app(settings: Settings, clock: Clock) -> AsyncIterator[Application]:
    app = create_app(settings, clock)
    async with app.lifespan():
        yield app


def scope(host: bytes = b"localhost", media_type: bytes = b"application/json") -> Any:
    path = "/report/metrics"
    asked: dict[str, Any] = {"type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "root_path": ""}
    asked |= {"path": path, "raw_path": path.encode(), "query_string": b"", "state": {}}
    asked |= {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)}
    return asked | {"headers": [(b"host", host), (b"content-type", media_type)]}


async def taken(app: Application, asked: Any, body: bytes = REFERENCE) -> Any:
    """What the connection is told: None, or the application that answers."""
    told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    app.take(asked, body, told.set_result)
    async with asyncio.timeout(DEADLINE):
        return await told


async def answer(refusal: Any, asked: Any) -> tuple[int, dict[bytes, bytes], Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await refusal(asked, None, send)
    start, whole = sent
    return start["status"], dict(start["headers"]), json.decode(whole["body"])


async def test_is_told_once_the_report_is_saved(app: Application) -> None:
    assert await taken(app, scope()) is None
    assert app.state.meters.accepted._value.get() == 1


@pytest.mark.parametrize(
    ("asked", "body", "status", "message"),
    [
        (scope(), b"{}", 400, "$.user_id: required"),
        (scope(media_type=b"image/png"), REFERENCE, 415, "Content-Type: "),
        (scope(host=b"evil.example"), REFERENCE, 400, "Host: "),
    ],
)
async def test_is_told_why_a_report_is_refused(
    app: Application, asked: Any, body: bytes, status: int, message: str
) -> None:
    code, headers, problem = await answer(await taken(app, asked, body), asked)
    assert (code, problem["code"], problem["data"]) == (status, status, None)
    assert problem["message"].startswith(message)
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"x-content-type-options"] == b"nosniff"


async def test_a_body_that_came_in_chunks_is_no_longer_than_others(settings: Settings, clock: Clock) -> None:
    app = create_app(replace(settings, max_body=len(REFERENCE)), clock)
    async with app.lifespan():
        assert await taken(app, scope()) is None
        code, _, problem = await answer(await taken(app, scope(), REFERENCE + b" "), scope())
    assert (code, problem["message"]) == (413, f"the body has more than {len(REFERENCE)} bytes")


async def test_a_mistake_of_ours_is_answered_and_counted(app: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roompulse.intake.intake.Intake.decode", lambda *_: 1 / 0)
    code, _, problem = await answer(await taken(app, scope()), scope())
    assert (code, problem["code"]) == (500, 500)
    assert app.state.meters.mistakes._value.get() == 1


async def test_a_report_that_cannot_be_saved_is_refused_later(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("roompulse.store.sql_store.SqlStore.append", fails)
    monkeypatch.setattr("roompulse.store.engine.Database.probe", fails)
    code, headers, problem = await answer(await taken(app, scope()), scope())
    assert (code, problem["code"]) == (503, 503)
    assert headers[b"retry-after"]
