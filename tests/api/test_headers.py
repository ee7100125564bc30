"""The headers of every answer: of all routes, with any method, and of unknown paths."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from roompulse.app import create_app
from roompulse.settings import Settings
from roompulse.web.application import Application
from roompulse.web.http.headers import COMMON_HEADERS, OPEN_HEADERS, PAGE_HEADERS, permissions
from tests.builders import REFERENCE
from tests.conftest import Clock

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "DELETE", "TRACE", "MADE-UP"]
INGEST = "/report/metrics"
DEMO = "/demo/call"
SDKS = "/static/sdk/"
NO_ROUTES = ["/nothing", "/report/nothing", "/static/nothing.css", "/static/sdk/nothing.js", "/rooms/%FF", "/report/"]
CONDITIONAL = {"/report/rooms", "/report/openapi.json", "/report/schema.json", "/report/metrics/room-1"}
ELSEWHERE = [(b"origin", b"https://calls.example")]


@pytest.fixture
async def app(settings: Settings, clock: Clock) -> AsyncIterator[Application]:
    """The application with all of its routes, and a live room."""
    app = create_app(msgspec.structs.replace(settings, demo=True), clock)
    async with app.lifespan():
        assert (await start(app, "POST", INGEST))[0] == 200
        yield app


async def start(
    app: Application, method: str, path: str, *headers: tuple[bytes, bytes], host: bytes = b"localhost"
) -> tuple[int, dict[str, str]]:
    """Status and headers of an answer, which may be a stream that never ends."""
    answer: asyncio.Future[tuple[int, dict[str, str]]] = asyncio.get_running_loop().create_future()
    bodies = [{"type": "http.request", "body": REFERENCE, "more_body": False}]

    async def receive() -> Any:
        return bodies.pop() if bodies else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            names = [name.decode() for name, _ in message["headers"]]
            assert len(set(names)) == len(names), "no header is there twice"
            answer.set_result(
                (message["status"], {name.decode(): value.decode() for name, value in message["headers"]})
            )

    target, _, query = path.partition("?")
    scope: Any = {"type": "http", "http_version": "1.1", "method": method, "scheme": "http", "root_path": ""}
    scope |= {"path": target, "raw_path": target.encode(), "query_string": query.encode(), "state": {}}
    scope |= {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "headers": [(b"host", host), *headers]}
    request: asyncio.Future[None] = asyncio.ensure_future(app(scope, receive, send))
    try:
        futures: list[asyncio.Future[Any]] = [request, answer]
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            request.result()
        return answer.result()
    finally:
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)


def paths(app: Application) -> list[str]:
    """A path for each route, with live rooms and users where it has ids."""
    known = {"room_id": "room-1", "user_id": "u1", "rule_id": "user-poor", "alert_id": "a"}
    known |= {"silence_id": "s", "channel_id": "c", "share_id": "s", "note_id": "1", "started_at": "1800000000"}

    def fill(template: str) -> str:
        known["file_path"] = "roompulse.js" if "/sdk/" in template else "css/roompulse.css"
        return re.sub(r"{(\w+):\w+}", lambda match: known[match[1]], template)

    return sorted(fill(route.path) for route in app.routed.routes)


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


async def test_the_walk_comes_to_every_kind_of_route(app: Application) -> None:
    assert {INGEST, f"{SDKS}roompulse.js", DEMO, "/", "/rooms/room-1/history.csv", "/report/stream/room-1"} <= set(
        paths(app)
    )
    assert len(paths(app)) == len(app.routed.routes)


@pytest.mark.parametrize("method", METHODS)
async def test_every_answer_of_every_route_has_them(app: Application, method: str) -> None:
    for path in [*paths(app), *NO_ROUTES, "/rooms/room-1?ago=60"]:
        status, headers = await start(app, method, path, *ELSEWHERE)
        assert status < 500, path
        page = headers.get("content-type", "").startswith("text/html")
        wanted = lower(PAGE_HEADERS if page else COMMON_HEADERS)
        if path == INGEST or (path.startswith(SDKS) and status in {200, 204}):
            wanted.pop("cross-origin-resource-policy")
        if path == DEMO and status == 200:
            wanted["permissions-policy"] = permissions("autoplay", "camera", "microphone")
        if "cache-control" in headers and headers["cache-control"] != "no-store":
            assert status in {200, 204}
            assert path.startswith(("/assets/", "/static/", "/report/")), path
            wanted.pop("cache-control")
        assert wanted.items() <= headers.items(), path


@pytest.mark.parametrize("method", METHODS)
async def test_other_sites_may_post_reports_and_load_the_sdk_and_nothing_else(app: Application, method: str) -> None:
    asked = [*ELSEWHERE, (b"access-control-request-method", b"POST"), (b"access-control-request-headers", b"x")]
    for path in [*paths(app), *NO_ROUTES]:
        status, headers = await start(app, method, path, *asked)
        is_open = path == INGEST or (path.startswith(SDKS) and status in {200, 204})
        for name, value in lower(OPEN_HEADERS).items():
            assert (headers.get(name) == value) == is_open, path
        allowed = {name for name in headers if name.startswith("access-control-")}
        assert is_open or not allowed, path
        assert "access-control-allow-credentials" not in headers


async def test_answers_to_programs_are_kept_by_their_own_cache_alone(app: Application) -> None:
    for path in CONDITIONAL:
        status, headers = await start(app, "GET", path)
        assert (status, headers["cache-control"]) == (200, "private, no-cache")
        again = await start(app, "GET", path, (b"if-none-match", headers["etag"].encode()))
        assert (again[0], again[1]["cache-control"]) == (304, "private, no-cache")


async def test_streams_are_neither_kept_nor_held_back(app: Application) -> None:
    for path in ("/stream", "/rooms/room-1/stream", "/rooms/room-1/users/u1/stream", "/report/stream/room-1"):
        status, headers = await start(app, "GET", path)
        assert (status, headers["cache-control"], headers["x-accel-buffering"]) == (200, "no-store", "no")
        assert headers["content-type"].startswith("text/event-stream")


async def test_a_page_may_use_nothing_of_the_device_but_the_demo_call_its_camera(app: Application) -> None:
    for path, value in (("/", "()"), ("/rooms/room-1", "()"), (DEMO, "(self)")):
        policy = (await start(app, "GET", path))[1]["permissions-policy"].split(", ")
        assert {f"camera={value}", f"microphone={value}", "geolocation=()"} <= set(policy)


@pytest.mark.parametrize("host", [b"evil.example", b"", b"a b", b"localhost:x"])
async def test_who_calls_the_server_by_a_wrong_name_gets_them_too(app: Application, host: bytes) -> None:
    for path, kind in ((INGEST, "application/json"), ("/rooms/room-1", "text/html; charset=utf-8")):
        status, headers = await start(app, "GET", path, host=host)
        assert (status, headers["content-type"]) == (400, kind)
        assert lower(COMMON_HEADERS).items() <= headers.items()


async def test_the_page_that_tells_of_a_wrong_name_has_its_looks(app: Application) -> None:
    asset = next(path for path in paths(app) if path.startswith("/assets/"))
    assert (await start(app, "GET", asset, host=b"evil.example"))[0] == 200
