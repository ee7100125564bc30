"""Every route of the application, and the callers it admits. A route that is not in the table fails a test."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import pytest
from litestar import get
from msgspec.structs import replace

from roompulse.app import create_app
from roompulse.settings import Settings
from roompulse.web.application import Application
from tests.access import bearer, new_key
from tests.builders import REFERENCE
from tests.conftest import Clock, client_of
from tests.operators import NAVIGATION, SAME_SITE, add_operators, cookie_of, scope_of, token_of


class ReportAuth(NamedTuple):
    """The statuses that callers get: without anything, with a read key, as viewer and as admin."""

    anonymous: int
    program: int
    viewer: int
    admin: int


SCRIPTS = ReportAuth(401, 200, 200, 200)
PAGE = ReportAuth(303, 200, 200, 200)
DOWNLOAD = PAGE
STREAM = ReportAuth(401, 200, 200, 200)
OPEN = ReportAuth(200, 200, 200, 200)
MANAGED = ReportAuth(401, 403, 403, 415)  # the body is a form, not JSON
MANAGED_MISSING = ReportAuth(401, 403, 403, 404)
SIGNED_IN = ReportAuth(303, 403, 303, 303)
ADMINS = ReportAuth(303, 403, 403, 303)
WRITTEN = ReportAuth(401, 403, 415, 415)

DOORS: dict[str, ReportAuth] = {
    "GET /": PAGE,
    "GET /stream": STREAM,
    "GET /users": PAGE,
    "GET /shares": ReportAuth(303, 403, 403, 200),
    "POST /shares/add": ReportAuth(303, 403, 403, 400),
    "POST /shares/remove": ReportAuth(303, 403, 403, 404),
    "GET /rooms/{room_id:str}/notes": ReportAuth(303, 403, 200, 200),
    "POST /rooms/{room_id:str}/notes": ReportAuth(303, 403, 400, 400),
    "POST /rooms/{room_id:str}/notes/edit": ReportAuth(303, 403, 404, 404),
    "POST /rooms/{room_id:str}/notes/remove": ReportAuth(303, 403, 404, 404),
    "GET /report/notes/{room_id:str}": SCRIPTS,
    "POST /report/notes/{room_id:str}": WRITTEN,
    "PUT /report/notes/{room_id:str}/{note_id:str}": WRITTEN,
    "DELETE /report/notes/{room_id:str}/{note_id:str}": ReportAuth(401, 403, 404, 404),
    "GET /erase": ReportAuth(303, 403, 403, 200),
    "POST /erase": ReportAuth(303, 403, 403, 400),
    "GET /calls": PAGE,
    "GET /calls/{room_id:str}/{started_at:str}": ReportAuth(303, 400, 400, 400),
    "GET /users/stream": STREAM,
    "GET /views/stream": ReportAuth(401, 400, 400, 400),  # of no view
    "GET /ingest": PAGE,
    "GET /ingest/stream": STREAM,
    "GET /insights": PAGE,
    "GET /insights/stream": STREAM,
    "GET /trends": PAGE,
    "GET /metrics": PAGE,
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /rooms/{room_id:str}": PAGE,
    "GET /rooms/{room_id:str}/stream": STREAM,
    "GET /rooms/{room_id:str}/sessions": PAGE,
    "GET /rooms/{room_id:str}/history.csv": DOWNLOAD,
    "GET /rooms/{room_id:str}/history.json": DOWNLOAD,
    "GET /rooms/{room_id:str}/users.csv": DOWNLOAD,
    "GET /rooms/{room_id:str}/users.json": DOWNLOAD,
    "GET /rooms/{room_id:str}/events.csv": DOWNLOAD,
    "GET /rooms/{room_id:str}/events.json": DOWNLOAD,
    "GET /rooms/{room_id:str}/users/{user_id:str}": PAGE,
    "GET /rooms/{room_id:str}/users/{user_id:str}/stream": STREAM,
    "GET /rooms/{room_id:str}/users/{user_id:str}/visits": PAGE,
    "GET /demo/call": PAGE,
    "GET /demo/call/tokens/{room_id:str}": ReportAuth(303, 404, 404, 404),  # room-1 is no room of a demo
    "GET /report/rooms": SCRIPTS,
    "DELETE /report/history/{room_id:str}": ReportAuth(401, 403, 403, 200),
    "DELETE /report/history/{room_id:str}/{user_id:str}": ReportAuth(401, 403, 403, 200),
    "DELETE /report/users/{user_id:str}": ReportAuth(401, 403, 403, 200),
    "GET /report/shares": ReportAuth(401, 403, 403, 200),
    "POST /report/shares": MANAGED,
    "DELETE /report/shares/{share_id:str}": MANAGED_MISSING,
    "GET /report/overview": SCRIPTS,
    "GET /report/calls": SCRIPTS,
    "GET /report/calls/{room_id:str}": SCRIPTS,
    "GET /report/calls/{room_id:str}/{started_at:str}": ReportAuth(401, 400, 400, 400),
    "GET /report/stream": STREAM,
    "GET /report/metrics/{room_id:str}": SCRIPTS,
    "GET /report/metrics/{room_id:str}/{user_id:str}": SCRIPTS,
    "GET /report/history/{room_id:str}": SCRIPTS,
    "GET /report/history/{room_id:str}/{user_id:str}": SCRIPTS,
    "GET /report/events/{room_id:str}": SCRIPTS,
    "GET /report/stream/{room_id:str}": STREAM,
    "GET /report/insights": SCRIPTS,
    "GET /report/trends": SCRIPTS,
    "GET /report/openapi.json": OPEN,
    "GET /report/schema.json": OPEN,
    "GET /alerts": PAGE,
    "GET /alerts/stream": STREAM,
    "GET /alerts/firing/stream": STREAM,
    "POST /alerts/acknowledge": ReportAuth(303, 403, 403, 404),
    "POST /alerts/silence": ReportAuth(303, 403, 403, 400),
    "GET /alerts/rules": ReportAuth(303, 403, 403, 200),
    "POST /alerts/rules/save": ReportAuth(303, 403, 403, 400),
    "POST /alerts/rules/preview": ReportAuth(303, 403, 403, 400),
    "POST /alerts/rules/remove": ReportAuth(303, 403, 403, 404),
    "POST /alerts/silences/add": ReportAuth(303, 403, 403, 400),
    "POST /alerts/silences/remove": ReportAuth(303, 403, 403, 404),
    "POST /alerts/channels/add": ReportAuth(303, 403, 403, 400),
    "POST /alerts/channels/test": ReportAuth(303, 403, 403, 404),
    "POST /alerts/channels/remove": ReportAuth(303, 403, 403, 404),
    "GET /report/alerts": SCRIPTS,
    "GET /report/alerts/{alert_id:str}/deliveries": SCRIPTS,
    "POST /report/alerts/{alert_id:str}/acknowledge": MANAGED,
    "GET /report/alerts/silences": SCRIPTS,
    "POST /report/alerts/silences": MANAGED,
    "DELETE /report/alerts/silences/{silence_id:str}": MANAGED_MISSING,
    "GET /report/alerts/rules": SCRIPTS,
    "POST /report/alerts/rules": MANAGED,
    "GET /report/alerts/rules/{rule_id:str}": ReportAuth(401, 404, 404, 404),
    "PUT /report/alerts/rules/{rule_id:str}": MANAGED,
    "DELETE /report/alerts/rules/{rule_id:str}": MANAGED_MISSING,
    "POST /report/alerts/rules/preview": MANAGED,
    "GET /report/alerts/channels": SCRIPTS,
    "POST /report/alerts/channels": MANAGED,
    "GET /report/alerts/channels/{channel_id:str}": ReportAuth(401, 404, 404, 404),
    "PUT /report/alerts/channels/{channel_id:str}": MANAGED,
    "DELETE /report/alerts/channels/{channel_id:str}": MANAGED_MISSING,
    "POST /report/alerts/channels/{channel_id:str}/test": MANAGED_MISSING,
    "POST /report/metrics": OPEN,  # authenticates senders, not readers: see test_posting.py
    "GET /sign-in": ReportAuth(200, 200, 303, 303),
    "POST /sign-in": ReportAuth(401, 401, 401, 401),
    "POST /sign-out": SIGNED_IN,
    "POST /sign-out/everywhere": SIGNED_IN,
    "GET /access": ReportAuth(303, 403, 403, 200),
    "POST /access/operators/add": ReportAuth(303, 403, 403, 400),
    "POST /access/operators/role": ReportAuth(303, 403, 403, 404),
    "POST /access/operators/sign-out": ReportAuth(303, 403, 403, 404),
    "POST /access/operators/remove": ReportAuth(303, 403, 403, 404),
    "POST /access/keys/add": ReportAuth(303, 403, 403, 400),
    "POST /access/keys/remove": ReportAuth(303, 403, 403, 404),
}
"""The status of a navigation in a browser. Forms have a valid token, and name nothing that exists."""


def routes(app: Application) -> set[str]:
    """As in `GET /rooms/{room_id:str}`, but for static files, and HEAD and OPTIONS, which are as GET."""
    found = set()
    for route in app.routed.routes:
        methods = {"POST"} if route.path == "/report/metrics" else route.methods - {"HEAD", "OPTIONS"}
        if not route.path.startswith(("/static", "/assets")):
            found |= {f"{method} {route.path}" for method in methods}
    return found


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, demo=True)


def test_every_route_is_in_the_table(settings: Settings) -> None:
    assert routes(create_app(settings)) == set(DOORS)


class World:
    """An application with a room, an admin, a viewer and a read key."""

    def __init__(self, app: Application, client: httpx.AsyncClient, key: str) -> None:
        self.app = app
        self.client = client
        self.callers = {
            "anonymous": {},
            "program": bearer(key),
            "viewer": cookie_of("bob"),
            "admin": cookie_of("ada"),
        }

    async def status(self, method: str, path: str, caller: str) -> int:
        """The status of the answer, whose body is not read: a stream never ends."""
        headers = self.callers[caller] | SAME_SITE | NAVIGATION
        body = REFERENCE
        if path != "/report/metrics":
            headers |= {"Content-Type": "application/x-www-form-urlencoded"}
            body = f"token={await token_of(self.client, headers)}".encode() if "Cookie" in headers else b"token="
        started = asyncio.Event()
        statuses: list[int] = []
        messages: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await started.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
                started.set()

        await self.app(scope_of(method, path, headers), receive, send)
        return statuses[0]


@pytest.fixture
async def world(settings: Settings, clock: Clock) -> AsyncIterator[World]:
    await add_operators(settings, ada="admin", bob="viewer")
    _, key = await new_key(settings, "read")
    app = create_app(settings, clock)
    async with client_of(app) as client:
        await client.post("/report/metrics", content=REFERENCE)
        yield World(app, client, key)


@pytest.mark.parametrize("caller", ReportAuth._fields)
async def test_each_route_lets_in_whom_the_table_says(world: World, caller: str) -> None:
    found, expected = {}, {}
    # Signing out comes last: it is for good.
    # An erased room is not there for other callers.
    for route in sorted(DOORS, key=lambda route: (route.startswith("POST /sign-out"), "DELETE" in route)):
        method, path = route.split()
        if route == "POST /sign-out/everywhere" and caller in ("viewer", "admin"):
            continue
        expected[route] = getattr(DOORS[route], caller)
        found[route] = await world.status(
            method, path.replace("{room_id:str}", "room-1").replace("{user_id:str}", "u1"), caller
        )
    assert found == expected


@pytest.mark.parametrize("caller", ["viewer", "admin"])
async def test_operators_may_sign_out_everywhere(world: World, caller: str) -> None:
    assert await world.status("POST", "/sign-out/everywhere", caller) == 303


async def test_a_route_that_nobody_marked_is_closed(settings: Settings, clock: Clock) -> None:
    await add_operators(settings, ada="admin")
    app = create_app(settings, clock)

    @get("/new")
    async def new() -> str:
        return "secret"

    app.routed.register(new)
    async with client_of(app) as client:
        assert (await client.get("/new")).status_code == 401
        assert (await client.get("/new", headers=cookie_of("ada"))).text == "secret"
