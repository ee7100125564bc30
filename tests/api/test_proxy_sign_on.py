"""A reverse proxy in front names the signed-in operator."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, cast

import httpx
import pytest
from msgspec.structs import replace

from roompulse.app import create_app
from roompulse.net import Networks
from roompulse.settings import Settings
from tests.access import bearer, new_key
from tests.conftest import Clock
from tests.operators import NAVIGATION, PASSWORD, SAME_SITE, add_operators, cookie_of, token_of

HEADER = "X-Forwarded-User"

Proxied = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def proxied(settings: Settings, clock: Clock) -> Proxied:
    """Clients of an application that trusts 192.0.2.1, which they are unless they say otherwise."""

    @asynccontextmanager
    async def make(peer: str = "192.0.2.1", **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
        behind = {"behind_proxy": True, "proxy_user_header": HEADER, "trusted_proxies": Networks("192.0.2.1")}
        app = create_app(replace(settings, **(behind | changes)), clock)
        transport = httpx.ASGITransport(cast("Any", app), client=(peer, 1))
        async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client

    return make


def signed_on(name: str) -> dict[str, str]:
    return {HEADER: name}


async def test_whom_the_proxy_names_is_a_viewer(proxied: Proxied) -> None:
    async with proxied() as client:
        answer = await client.get("/", headers=signed_on("eve@example.org"))
        assert answer.status_code == 200
        assert "eve@example.org" in answer.text
        assert (await client.get("/report/rooms", headers=signed_on("eve@example.org"))).status_code == 200
        assert (await client.get("/access", headers=signed_on("eve@example.org"))).status_code == 403


async def test_or_what_the_operator_of_this_very_name_is(proxied: Proxied, settings: Settings) -> None:
    await add_operators(settings, ada="admin", bob="viewer")
    async with proxied() as client:
        assert (await client.get("/access", headers=signed_on("ada"))).status_code == 200
        for name in ("bob", "ADA", "ad"):
            assert (await client.get("/access", headers=signed_on(name))).status_code == 403


async def test_a_name_of_any_script_is_read_as_utf8(proxied: Proxied) -> None:
    async with proxied() as client:
        answer = await client.get("/", headers=[(HEADER.encode(), "Jürgen 猫".encode())])
        assert "Jürgen 猫" in answer.text


@pytest.mark.parametrize("header", ["", "  ", "a\u00adb", "x" * 129, "\xff", ".."])
async def test_without_a_name_there_is_nobody(proxied: Proxied, header: str) -> None:
    async with proxied() as client:
        named = [(HEADER.encode(), header.encode("latin-1"))]
        navigation = [(name.encode(), value.encode()) for name, value in NAVIGATION.items()]
        for headers in (navigation, named + navigation):
            for path in ("/", "/report/rooms", "/stream"):
                answer = await client.get(path, headers=headers)
                assert answer.status_code == 401, "and no link leads to a page that could not help"
                assert HEADER in answer.text


async def test_of_two_names_none_is_believed(proxied: Proxied) -> None:
    async with proxied() as client:
        answer = await client.get("/", headers=[(HEADER, "mallory"), (HEADER, "eve")])
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("peer", "changes"),
    [
        ("198.51.100.66", {}),
        ("192.0.2.1", {"proxy_user_header": None, "host": "192.0.2.99", "behind_proxy": False}),
        ("192.0.2.1", {"behind_proxy": False, "host": "192.0.2.99"}),
    ],
)
async def test_from_anyone_else_the_header_is_nothing(
    proxied: Proxied, settings: Settings, peer: str, changes: dict[str, Any]
) -> None:
    await add_operators(settings, ada="admin")
    async with proxied(peer, **changes) as client:
        answer = await client.get("/", headers=signed_on("ada"))
        assert answer.status_code in (401, 403)


async def test_passwords_and_cookies_are_none_of_the_ways_in(proxied: Proxied, settings: Settings) -> None:
    await add_operators(settings, ada="admin")
    async with proxied() as client:
        assert (await client.get("/", headers=cookie_of("ada"))).status_code == 401
        answer = await client.post("/sign-in", data={"name": "ada", "password": PASSWORD}, headers=SAME_SITE)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "set-cookie" not in answer.headers
        assert (await client.get("/sign-in")).status_code == 303


async def test_keys_are(proxied: Proxied, settings: Settings) -> None:
    _, shown = await new_key(settings, "read")
    async with proxied() as client:
        assert (await client.get("/report/rooms", headers=bearer(shown))).status_code == 200
        assert (await client.get("/report/rooms", headers=bearer("rp_k_x") | signed_on("eve"))).status_code == 401


async def test_signing_out_is_the_business_of_the_proxy(proxied: Proxied, settings: Settings) -> None:
    await add_operators(settings, ada="admin")
    async with proxied() as client:
        html = (await client.get("/access", headers=signed_on("ada"))).text
        assert 'sign-out"' not in html.partition("<main>")[0]
        form = {"token": await token_of(client, signed_on("ada"), "/access")}
        for path in ("/sign-out", "/sign-out/everywhere"):
            assert (await client.post(path, data=form, headers=signed_on("ada") | SAME_SITE)).status_code == 403


async def test_forms_are_bound_to_the_name(proxied: Proxied, settings: Settings) -> None:
    await add_operators(settings, ada="admin", bob="viewer", eve="admin")
    async with proxied() as client:
        form = {"name": "bob", "token": await token_of(client, signed_on("ada"), "/access")}
        of_eve = await client.post("/access/operators/remove", data=form, headers=signed_on("eve") | SAME_SITE)
        assert of_eve.status_code == 403
        of_ada = await client.post("/access/operators/remove", data=form, headers=signed_on("ada") | SAME_SITE)
        assert of_ada.status_code == 303
