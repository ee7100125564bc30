"""Forms: pages of other sites cannot submit them, and malformed ones are rejected."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from roompulse.app import create_app
from roompulse.settings import Settings
from roompulse.web.pages.forms import MAX_FORM
from tests.conftest import Clock, client_of
from tests.operators import PASSWORD, SAME_SITE, add_operators, cookie_of, scope_of, send_form, sign_ins_of, token_of

FORMS = {
    "/sign-out": {},
    "/sign-out/everywhere": {},
    "/access/operators/add": {"name": "mallory", "role": "admin"},
    "/access/operators/role": {"name": "bob", "role": "admin"},
    "/access/operators/sign-out": {"name": "bob"},
    "/access/operators/remove": {"name": "bob"},
    "/access/keys/remove": {"id": "k1"},
}

OTHER_SITES = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost:8180"},
    {"Origin": "null"},
]
"""Headers of a browser that shows a page of another site; those without `Sec-Fetch-Site` are of older ones."""

OURS = [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}]


@pytest.fixture
async def client(settings: Settings, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    await add_operators(settings, ada="admin", bob="viewer")
    async with client_of(create_app(settings, clock)) as client:
        yield client


@pytest.fixture(scope="module")
async def kept_settings(make_settings: Callable[[], Settings]) -> Settings:
    settings = make_settings()
    await add_operators(settings, ada="admin", bob="viewer")
    return settings


@pytest.fixture(scope="module")
async def refusing(kept_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of one application for all forms that are refused."""
    async with client_of(create_app(kept_settings, Clock())) as client:
        yield client


async def operators(client: httpx.AsyncClient) -> str:
    """The state that forms can change."""
    return (await client.get("/access", headers=cookie_of("ada"))).text


@pytest.mark.parametrize("headers", OTHER_SITES)
async def test_a_page_of_another_site_changes_nothing_though_it_knew_the_token(
    refusing: httpx.AsyncClient, kept_settings: Settings, headers: dict[str, str]
) -> None:
    before = await operators(refusing), sign_ins_of(kept_settings)
    for path, fields in FORMS.items():
        answer = await send_form(refusing, path, "ada", fields, headers)
        assert answer.status_code == 403, path
        assert "another site" in answer.text
    assert (await operators(refusing), sign_ins_of(kept_settings)) == before


@pytest.mark.parametrize("headers", [*OURS, {}])
async def test_without_the_token_nothing_changes_wherever_the_form_is_from(
    refusing: httpx.AsyncClient, kept_settings: Settings, headers: dict[str, str]
) -> None:
    before = await operators(refusing), sign_ins_of(kept_settings)
    of_bob = await token_of(refusing, cookie_of("bob"))
    for path, fields in FORMS.items():
        for token in ({"no": "token"}, {"token": ""}, {"token": "0" * 64}, {"token": "ä"}, {"token": of_bob}):
            answer = await refusing.post(path, data=fields | token, headers=cookie_of("ada") | headers)
            assert answer.status_code == 403, (path, token)
    assert (await operators(refusing), sign_ins_of(kept_settings)) == before


@pytest.mark.parametrize("headers", OURS)
async def test_our_own_forms_are_taken(client: httpx.AsyncClient, settings: Settings, headers: dict[str, str]) -> None:
    assert (await send_form(client, "/access/operators/sign-out", "ada", {"name": "bob"}, headers)).status_code == 303
    assert sign_ins_of(settings) == ["ada"]


@pytest.mark.parametrize("headers", OTHER_SITES)
async def test_a_page_of_another_site_signs_nobody_in(refusing: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await refusing.post("/sign-in", data={"name": "ada", "password": PASSWORD}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


PATHS = ["/sign-in", "/sign-out"]


async def send(client: httpx.AsyncClient, path: str, body: bytes, content_type: str) -> httpx.Response:
    headers = SAME_SITE | cookie_of("ada") | {"Content-Type": content_type}
    return await client.post(path, content=body, headers=headers)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
async def test_only_forms_are_read(refusing: httpx.AsyncClient, path: str, content_type: str) -> None:
    assert (await send(refusing, path, b"name=ada", content_type)).status_code == 415


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("path", PATHS)
async def test_a_form_has_so_many_bytes_and_none_more(refusing: httpx.AsyncClient, path: str) -> None:
    fits = b"name=" + b"x" * (MAX_FORM - 5)
    assert (await send(refusing, path, fits, FORM)).status_code in (401, 403)
    assert (await send(refusing, path, fits + b"x", FORM)).status_code == 413


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [b"name=%FF", b"name=\xff", "näme=x".encode(), b"&".join([b"a=b"] * 200)])
async def test_what_is_malformed_is_refused(refusing: httpx.AsyncClient, path: str, body: bytes) -> None:
    assert (await send(refusing, path, body, FORM)).status_code == 400


@pytest.mark.parametrize("path", PATHS)
async def test_who_leaves_in_the_middle_of_a_form_is_no_mistake_of_the_server(
    settings: Settings, clock: Clock, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    await add_operators(settings, ada="admin")
    app = create_app(settings, clock)
    scope = scope_of("POST", path, SAME_SITE | cookie_of("ada") | {"Content-Type": FORM})
    messages: list[Any] = [{"type": "http.request", "body": b"name=a", "more_body": True}, {"type": "http.disconnect"}]
    answers: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def answer(message: Any) -> None:
        answers.append(message)

    async with app.lifespan():
        await app(scope, receive, answer)
    assert answers[0]["status"] == 400
    assert "failed" not in caplog.text


@pytest.mark.parametrize("path", PATHS)
async def test_a_form_that_does_not_arrive_is_refused_with_408(settings: Settings, clock: Clock, path: str) -> None:
    await add_operators(settings, ada="admin")
    app = create_app(replace(settings, body_timeout=0.01), clock)
    scope = scope_of("POST", path, SAME_SITE | cookie_of("ada") | {"Content-Type": FORM})
    answers: list[Any] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def answer(message: Any) -> None:
        answers.append(message)

    async with app.lifespan():
        await app(scope, receive, answer)
    assert answers[0]["status"] == 408
