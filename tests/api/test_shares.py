"""Shared links: one page for the holder of the link, read-only, until it expires or is revoked."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from roompulse.access.shares import page_of
from roompulse.app import create_app
from roompulse.errors import BadRequest
from roompulse.report.model import Entry
from roompulse.settings import Origins, Settings
from tests.access import bearer, new_key
from tests.api import assert_problem, data, serving
from tests.api.test_overview import LOSSY, post
from tests.api.test_pages import words
from tests.builders import NOW, stream
from tests.conftest import Clock, client_of
from tests.operators import add_operators, cookie_of, scope_of

SHARES = "/report/shares"
HOUR = 3600


class World:
    """A server that authenticates readers, with two rooms, and a client with a `manage` key."""

    def __init__(self, client: httpx.AsyncClient, clock: Clock, key: str) -> None:
        self.client = client
        self.clock = clock
        self.manager = bearer(key)

    @property
    def app(self) -> Any:
        """The application, or the next one of several; for requests that httpx cannot make."""
        transport: Any = self.client._transport
        return transport.app

    async def share(self, path: str, expires_in: float = HOUR) -> str:
        """The path of the URL of a new share."""
        answer = await self.client.post(SHARES, json={"path": path, "expires_in": expires_in}, headers=self.manager)
        assert answer.status_code == 201, answer.text
        url: str = answer.json()["data"]["url"]
        assert url.startswith("http://localhost/shared/")
        return url.removeprefix("http://localhost")

    async def listed(self, shared: str) -> list[Any]:
        """What the list of shares says of the one at this path: one, or none."""
        shares = (await self.client.get(SHARES, headers=self.manager)).json()["data"]
        return [share for share in shares if share["id"] == id_of(shared)]

    async def revoke(self, shared: str) -> httpx.Response:
        return await self.client.delete(f"{SHARES}/{id_of(shared)}", headers=self.manager)


@pytest.fixture(scope="module")
async def world(make_settings: Callable[[], Settings]) -> AsyncIterator[World]:
    """One for all tests that do not mind shares of others, five seconds after its reports."""
    clock = Clock()
    async with world_of(make_settings(), clock) as world:
        clock.advance(5)
        yield world


@asynccontextmanager
async def world_of(settings: Settings, clock: Clock) -> AsyncIterator[World]:
    await add_operators(settings, ada="admin", bob="viewer")
    _, key = await new_key(settings, "manage")
    async with serving(settings, clock) as client:
        await post(client, metrics=[Entry("u1", [stream()]), Entry("a b/c", LOSSY)])
        await post(client, room_id="room-2")
        yield World(client, clock, key)


def id_of(shared: str) -> str:
    """The id of the share that has this path."""
    return shared.split("/")[2].partition("_")[0]


def below(path: str, other: str) -> str:
    """Another path below the same share."""
    return "/".join(path.split("/")[:3]) + other


@pytest.mark.parametrize("path", ["/rooms/room-1", "/rooms/room-1/users/u1", "/rooms/room-1/users/a%20b%2Fc"])
async def test_the_holder_sees_the_page_without_a_sign_in(world: World, path: str) -> None:
    shared = await world.share(path)
    answer = await world.client.get(shared)
    assert answer.status_code == 200
    assert "A shared page, read-only, until" in words(answer.text)
    assert (await world.client.get(path)).status_code == 401


async def test_no_search_engine_keeps_it_and_nobody_is_told_its_url(world: World) -> None:
    answer = await world.client.get(await world.share("/rooms/room-1"))
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert '<meta name="robots" content="noindex, nofollow">' in answer.text


async def test_sites_of_a_setting_may_show_it_in_a_frame(settings: Settings, clock: Clock) -> None:
    allowed = replace(settings, embed_origins=Origins("https://desk.example.com, http://other:8080"))
    async with client_of(create_app(allowed, clock)) as client:
        await post(client)
        shared = (await client.post(SHARES, json={"path": "/rooms/room-1", "expires_in": HOUR})).json()["data"]["url"]
        plain, embedded = await client.get(shared), await client.get(f"{shared}?embed=1")
        unshared = await client.get("/rooms/room-1?embed=1")
    nobody, sites = "frame-ancestors 'none'", "frame-ancestors http://other:8080 https://desk.example.com"
    assert plain.headers["content-security-policy"].endswith(nobody)
    assert unshared.headers["content-security-policy"].endswith(nobody)
    assert embedded.headers["content-security-policy"].endswith(sites)
    assert embedded.headers["x-robots-tag"] == "noindex, nofollow"
    assert 'class="shared embed"' in embedded.text


async def test_without_the_setting_nobody_does(world: World) -> None:
    embedded = await world.client.get(f"{await world.share('/rooms/room-1')}?embed=1")
    assert embedded.headers["content-security-policy"].endswith("frame-ancestors 'none'")


@pytest.mark.parametrize("text", ["*", "desk.example.com", "https://a/b", "https://a; script-src *", "javascript:x"])
def test_an_origin_is_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match="must be origins"):
        Origins(text)


async def test_everything_of_the_page_is_below_the_link(world: World) -> None:
    shared = await world.share("/rooms/room-1")
    html = (await world.client.get(shared)).text
    base = re.search(r'<base href="([^"]+)"', html)
    assert base
    assert base[1] == below(shared, "/")
    for asset in re.findall(r'(?:src|href)="((?:static|assets)/[^"]+)"', html):
        assert (await world.client.get(base[1] + asset)).status_code == 200
    for path in ("/report/history/room-1", "/rooms/room-1/sessions"):
        assert (await world.client.get(below(shared, path))).status_code == 200


OTHERS = [
    *("/", "/rooms/room-2", "/rooms/room-1/users/u1", "/users", "/calls", "/alerts", "/ingest", "/access", "/shares"),
    *("/rooms/room-1?at=1", "/rooms/room-1?ago=60", "/rooms/room-1/history.csv", "/rooms/room-2/stream", "/stream"),
    *("/report/rooms", "/report/metrics/room-1", "/report/history/room-2", "/report/overview", "/report/shares"),
    *("/views/stream?view=stream", "/views/stream?view=rooms/room-1/stream&view=stream", "/views/stream"),
    *("/sign-in", "/metrics", "/healthz", "/rooms/room-1/", "/rooms/room-1/../room-2", "/rooms/%72oom-2"),
]


@pytest.mark.parametrize("path", OTHERS)
async def test_no_other_page_is_reachable(world: World, path: str) -> None:
    shared = await world.share("/rooms/room-1")
    assert (await world.client.get(below(shared, path))).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_it_is_read_only(world: World, method: str) -> None:
    shared = await world.share("/rooms/room-1")
    assert (await world.client.request(method, below(shared, "/report/history/room-1"))).status_code == 404
    assert (await world.client.request(method, shared)).status_code == 404


async def test_the_page_leads_nowhere_and_tells_of_no_other_rooms(world: World) -> None:
    shared, page = [
        (await world.client.get(path, headers=cookie_of("ada"))).text
        for path in (await world.share("/rooms/room-1"), "/rooms/room-1")
    ]
    for html in ('class="to-pages"', 'class="brand" href', 'id="alerts-firing"', 'id="alarm"', "data-alarm="):
        assert html in page
        assert html not in shared


async def test_the_page_has_no_forms_for_managers(world: World) -> None:
    shared = await world.share("/rooms/room-1")
    signed_in = await world.client.get(shared, headers=cookie_of("ada"))
    assert 'name="token"' not in signed_in.text
    assert "erase?" not in signed_in.text


async def test_a_moment_shows_that_time_and_no_other(world: World) -> None:
    shared = await world.share(f"/rooms/room-1?at={NOW:.0f}")
    assert "Viewing history" in words((await world.client.get(shared)).text)
    for query in ("", f"?at={NOW + 1:.0f}", f"?at={NOW:.0f}&at=1"):
        assert (await world.client.get(shared.partition("?")[0] + query)).status_code == 404
    assert (await world.client.get(below(shared, "/rooms/room-1/stream"))).status_code == 404


async def test_a_wrong_token_opens_nothing(world: World) -> None:
    shared = await world.share("/rooms/room-1")
    _, _, token, *rest = shared.split("/")
    for wrong in (token[:-1], token.partition("_")[0], f"x{token}", "", "_"):
        assert (await world.client.get("/".join(["", "shared", wrong, *rest]))).status_code == 404


async def test_it_expires(settings: Settings, clock: Clock) -> None:
    async with world_of(settings, clock) as world:
        shared = await world.share("/rooms/room-1", 60)
        clock.advance(60)
        answer = await world.client.get(shared)
        assert (answer.status_code, "expired" in answer.text) == (404, True)
        assert await world.listed(shared) == []


async def test_it_is_listed_without_its_url_and_revoked(world: World) -> None:
    shared = await world.share("/rooms/room-1")
    (listed,) = await world.listed(shared)
    assert set(listed) == {"id", "path", "by", "created_at", "expires_at", "hide_ids"}
    assert (listed["path"], listed["expires_at"]) == ("/rooms/room-1", world.clock.now + HOUR)
    assert (await world.revoke(shared)).status_code == 200
    assert (await world.client.get(shared)).status_code == 404
    assert await world.listed(shared) == []
    assert_problem(await world.revoke(shared), 404, "share_id")


async def streamed(app: Any, path: str, then: Any) -> bytes:
    """The content of a stream until its end, which `then` causes."""
    sent: list[bytes] = []
    opened, messages = asyncio.Event(), [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            sent.append(message["body"])
            if b"room-1" in message["body"]:
                opened.set()

    path, _, query = path.partition("?")
    scope = scope_of("GET", path, {}) | {"query_string": query.encode()}
    task = asyncio.create_task(app(scope, receive, send))
    async with asyncio.timeout(10):
        await opened.wait()
        await then()
        await task
    return b"".join(sent)


@pytest.mark.parametrize("stream_path", ["/rooms/room-1/stream", "/views/stream?view=rooms%2Froom-1%2Fstream"])
async def test_its_stream_ends_when_it_is_revoked(world: World, stream_path: str) -> None:
    shared = await world.share("/rooms/room-1")
    sent = await streamed(world.app, below(shared, stream_path), partial(world.revoke, shared))
    assert b"room-1" in sent
    assert b"alerts-firing" not in sent
    assert b"event: denied" in sent


async def test_it_ends_where_nobody_is_asked_too(client: httpx.AsyncClient) -> None:
    await post(client)
    made = await client.post(SHARES, json={"path": "/rooms/room-1", "expires_in": HOUR})
    share = made.json()["data"]
    assert (await client.get(share["url"])).status_code == 200
    await client.delete(f"{SHARES}/{share['id']}")
    assert (await client.get(share["url"])).status_code == 404


async def test_only_managers_share(world: World) -> None:
    body = {"path": "/rooms/room-1", "expires_in": HOUR}
    assert_problem(await world.client.post(SHARES, json=body), 401)
    assert_problem(await world.client.post(SHARES, json=body, headers=cookie_of("bob")), 403)
    assert_problem(await world.client.get(SHARES, headers=cookie_of("bob")), 403)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"path": "/", "expires_in": HOUR}, "$.path"),
        ({"path": "/alerts", "expires_in": HOUR}, "$.path"),
        ({"path": "https://elsewhere/rooms/room-1", "expires_in": HOUR}, "$.path"),
        ({"path": "/rooms/room-1?q=x", "expires_in": HOUR}, "$.path"),
        ({"path": "/rooms/%00", "expires_in": HOUR}, "$.path"),
        ({"path": "/rooms/room-1", "expires_in": 1}, "$.expires_in"),
        ({"path": "/rooms/room-1", "expires_in": 10**9}, "$.expires_in: must be between 60 and 2592000 seconds"),
        ({"path": "/rooms/room-1"}, "expires_in"),
    ],
)
async def test_what_cannot_be_shared_is_named(world: World, body: Any, field: str) -> None:
    assert_problem(await world.client.post(SHARES, json=body, headers=world.manager), 400, field)


@pytest.mark.parametrize("path", ["//elsewhere/rooms/room-1", "/rooms", "/calls/room-1/soon", "/calls/room-1/1?at=2"])
def test_no_page_is_made_of_other_paths(path: str) -> None:
    with pytest.raises(BadRequest):
        page_of(path)


async def test_a_page_lists_makes_and_revokes_them(world: World) -> None:
    ada = cookie_of("ada")
    html = (await world.client.get("/shares?path=/rooms/room-1", headers=ada)).text
    token = html.partition('name="token" value="')[2].partition('"')[0]
    form = {"token": token, "path": "/rooms/room-1", "expires_in": "86400"}
    made = await world.client.post("/shares/add", data=form, headers=ada)
    url = re.search(r"http://localhost(/shared/[^<]+)", made.text)
    assert url
    assert (await world.client.get(url[1])).status_code == 200
    (listed,) = await world.listed(url[1])
    assert listed["by"] == "ada"
    await world.client.post("/shares/remove", data={"token": token, "id": listed["id"]}, headers=ada)
    assert (await world.client.get(url[1])).status_code == 404
    wrong = await world.client.post("/shares/add", data=form | {"path": "/alerts"}, headers=ada)
    assert (wrong.status_code, "must be the page of a room" in wrong.text) == (400, True)


async def test_pages_lead_to_it(world: World) -> None:
    html = (await world.client.get("/rooms/room-1", headers=cookie_of("ada"))).text
    assert 'href="shares?path=/rooms/room-1"' in html
    assert "shares?path" not in (await world.client.get("/rooms/room-1", headers=cookie_of("bob"))).text


async def test_shares_survive_a_restart(settings: Settings, clock: Clock) -> None:
    async with client_of(create_app(settings, clock)) as client:
        await post(client)
        url = (await client.post(SHARES, json={"path": "/rooms/room-1", "expires_in": HOUR})).json()["data"]["url"]
    async with client_of(create_app(settings, clock)) as client:
        assert (await client.get(url)).status_code == 200
        assert len(await data(client, SHARES)) == 1
