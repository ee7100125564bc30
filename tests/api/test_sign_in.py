"""Operators sign in and out."""

import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack
from http.cookies import Morsel, SimpleCookie

import httpx
import pytest
from argon2 import PasswordHasher
from msgspec.structs import replace

from roompulse.access.keys import digest_of
from roompulse.access.passwords import AT_ONCE, MAX_WAITING, Passwords
from roompulse.access.store import AccessStore
from roompulse.access.throttle import HERE
from roompulse.app import create_app
from roompulse.engines import access_of
from roompulse.settings import Settings
from tests.access import stored
from tests.conftest import Clock, client_of
from tests.operators import (
    COOKIE,
    NAVIGATION,
    PASSWORD,
    SAME_SITE,
    WRONG_PASSWORD,
    add_operators,
    cookie_of,
    secret_of,
    send_form,
    sign_ins_of,
    token_of,
)


@pytest.fixture
async def visitor(settings: Settings, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is not signed in, of an application with operators."""
    await add_operators(settings, ada="admin", bob="viewer")
    async with client_of(create_app(settings, clock)) as client:
        yield client


@pytest.fixture(scope="module")
async def kept_visitor(make_settings: Callable[[], Settings]) -> AsyncIterator[httpx.AsyncClient]:
    """The same, for all tests that begin with signing in."""
    settings = make_settings()
    await add_operators(settings, ada="admin")
    async with client_of(create_app(settings, Clock())) as client:
        yield client


async def sign_in(
    client: httpx.AsyncClient, name: str = "ada", password: str = PASSWORD, path: str = "/sign-in", **headers: str
) -> httpx.Response:
    client.cookies.clear()
    return await client.post(path, data={"name": name, "password": password}, headers=SAME_SITE | headers)


def cookie_set(answer: httpx.Response) -> Morsel[str]:
    (morsel,) = SimpleCookie(answer.headers["set-cookie"]).values()
    return morsel


async def test_the_right_password_opens_the_pages(visitor: httpx.AsyncClient) -> None:
    assert (await visitor.get("/")).status_code == 401
    answer = await sign_in(visitor)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    page = await visitor.get("/")
    assert page.status_code == 200
    assert "ada" in page.text


async def test_the_secret_is_in_a_cookie_that_scripts_and_other_sites_do_not_get(
    visitor: httpx.AsyncClient, settings: Settings
) -> None:
    cookie = cookie_set(await sign_in(visitor))
    assert cookie.key == COOKIE
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "lax", "/", "")
    assert int(cookie["max-age"]) == settings.session_lifetime
    assert not cookie["secure"]


async def test_the_secret_is_nowhere_but_in_the_cookie(
    visitor: httpx.AsyncClient, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "roompulse")
    secret = cookie_set(await sign_in(visitor)).value
    await sign_in(visitor, name=PASSWORD, password=WRONG_PASSWORD)
    page = await visitor.get("/", headers={"Cookie": f"{COOKIE}={secret}"})
    kept = stored(settings)
    assert digest_of(secret) in kept
    for hidden in (secret, PASSWORD, WRONG_PASSWORD):
        assert hidden.encode() not in kept
        assert hidden not in caplog.text
        assert hidden not in page.text
    assert "'ada' signed in" in caplog.text
    assert "an unknown name" in caplog.text


@pytest.mark.parametrize("name", ["ada", "ADA", "  ada ", "\uff41da"])
async def test_a_name_is_the_same_in_whatever_case(visitor: httpx.AsyncClient, name: str) -> None:
    assert (await sign_in(visitor, name)).status_code == 303


WRONG = [("ada", "wrong password"), ("nobody", PASSWORD), ("", ""), ("ada", ""), ("\x00", "\x00"), ("ada\nbob", "x")]


async def test_a_wrong_name_and_a_wrong_password_are_told_alike(
    visitor: httpx.AsyncClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked: list[str | None] = []
    matches = Passwords.matches

    async def counted(self: Passwords, password_hash: str | None, password: str) -> bool:
        worked.append(password_hash)
        return await matches(self, password_hash, password)

    monkeypatch.setattr(Passwords, "matches", counted)
    before = sign_ins_of(settings)
    told = set()
    for name, password in WRONG[:4]:
        answer = await sign_in(visitor, name, password)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        told.update(re.findall(r'role="alert">(.*?)<', answer.text))
    assert told == {"Wrong name or password."}
    assert len(worked) == 4
    assert sign_ins_of(settings) == before


@pytest.mark.parametrize(("name", "password"), WRONG[4:])
async def test_characters_that_no_name_has_are_only_wrong(visitor: httpx.AsyncClient, name: str, password: str) -> None:
    assert (await sign_in(visitor, name, password)).status_code == 401


async def test_the_name_stays_in_the_form_and_the_password_does_not(visitor: httpx.AsyncClient) -> None:
    page = (await sign_in(visitor, '"><b>ada', WRONG_PASSWORD)).text
    assert 'value="&#34;&gt;&lt;b&gt;ada"' in page
    assert WRONG_PASSWORD not in page


class TestWhatTheBrowserHadBefore:
    async def test_a_new_sign_in_ends_it(self, visitor: httpx.AsyncClient, settings: Settings) -> None:
        answer = await sign_in(visitor, **cookie_of("ada"))
        assert cookie_set(answer).value != secret_of("ada")
        assert (await visitor.get("/", headers=cookie_of("ada"))).status_code == 401
        assert sign_ins_of(settings) == ["ada", "bob"]

    async def test_that_of_somebody_else_too(self, visitor: httpx.AsyncClient, settings: Settings) -> None:
        await sign_in(visitor, **cookie_of("bob"))
        assert sign_ins_of(settings) == ["ada", "ada"]

    async def test_a_secret_that_somebody_made_up_opens_nothing_afterwards(self, visitor: httpx.AsyncClient) -> None:
        planted = {"Cookie": f"{COOKIE}=planted-by-mallory"}
        answer = await sign_in(visitor, **planted)
        assert cookie_set(answer).value != "planted-by-mallory"
        visitor.cookies.clear()
        assert (await visitor.get("/", headers=planted)).status_code == 401

    async def test_a_failed_sign_in_leaves_it(self, visitor: httpx.AsyncClient) -> None:
        await sign_in(visitor, password=WRONG_PASSWORD, **cookie_of("ada"))
        assert (await visitor.get("/", headers=cookie_of("ada"))).status_code == 200


class TestWhereItLeads:
    @pytest.mark.parametrize("path", ["/rooms/a%2Fb?q=x&page=2", "/rooms/%F0%9F%98%80", "/calls?q=x"])
    async def test_to_the_page_that_was_asked_for(self, visitor: httpx.AsyncClient, path: str) -> None:
        led = await visitor.get(path, headers=NAVIGATION)
        assert led.status_code == 303
        assert led.headers["location"].startswith("/sign-in?next=")
        assert led.headers["cache-control"] == "no-store"
        form = re.search(r'action="(.*?)"', (await visitor.get(led.headers["location"])).text)
        assert form
        answer = await sign_in(visitor, path=form[1].replace("&amp;", "&"))
        assert answer.headers["location"] == path

    @pytest.mark.parametrize(
        "hostile",
        [
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "\t//evil.example",
            "https://evil.example",
            "https:evil.example",
            "javascript:alert(1)",
            "evil.example",
            "",
            "/ /evil.example",
            "/r\u00f6\u00f6m",
            "/x\r\nSet-Cookie: a=b",
            "/" + "x" * 5_000,
        ],
    )
    async def test_never_to_another_host(self, kept_visitor: httpx.AsyncClient, hostile: str) -> None:
        path = str(httpx.URL("/sign-in", params={"next": hostile}))
        assert (await sign_in(kept_visitor, path=path)).headers["location"] == "/"
        signed_in = await kept_visitor.get(path)
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/")

    async def test_who_is_signed_in_need_not_do_it_again(self, visitor: httpx.AsyncClient) -> None:
        answer = await visitor.get("/sign-in?next=/rooms/x", headers=cookie_of("bob"))
        assert (answer.status_code, answer.headers["location"]) == (303, "/rooms/x")


class TestWhoIsLedThere:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"},
            {"Sec-Fetch-Mode": "navigate", "Accept": "*/*"},
            {"Accept": "text/html,application/xhtml+xml"},
        ],
    )
    async def test_whoever_opens_a_page(self, visitor: httpx.AsyncClient, headers: dict[str, str]) -> None:
        for path in ("/", "/rooms/x", "/rooms/x/users/y", "/rooms/x/history.csv", "/access", "/rooms/x?ago=60"):
            assert (await visitor.get(path, headers=headers)).status_code == 303, path

    @pytest.mark.parametrize(
        "headers", [{"Sec-Fetch-Mode": "cors", "Accept": "text/html"}, {"Sec-Fetch-Mode": "same-origin"}, {}]
    )
    async def test_no_script_and_no_program(self, visitor: httpx.AsyncClient, headers: dict[str, str]) -> None:
        for path in ("/", "/rooms/x/sessions", "/rooms/x/users/y/visits", "/access"):
            assert (await visitor.get(path, headers={"Accept": "*/*"} | headers)).status_code == 401, path

    @pytest.mark.parametrize("path", ["/stream", "/rooms/x/stream", "/rooms/x/users/y/stream", "/report/stream/x"])
    async def test_no_stream_ever(self, visitor: httpx.AsyncClient, path: str) -> None:
        assert (await visitor.get(path, headers=NAVIGATION)).status_code == 401

    async def test_nothing_under_report(self, visitor: httpx.AsyncClient) -> None:
        answer = await visitor.get("/report/rooms", headers=NAVIGATION)
        assert (answer.status_code, answer.json()["code"]) == (401, 401)


class TestTooManyTries:
    async def test_after_some_wrong_ones_there_is_a_wait_for_the_right_one_too(
        self, visitor: httpx.AsyncClient, clock: Clock
    ) -> None:
        for _ in range(HERE.free):
            assert (await sign_in(visitor, password=WRONG_PASSWORD)).status_code == 401
        answer = await sign_in(visitor)
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "1"
        assert "Too many failed sign-ins: wait 1 s." in answer.text
        assert "set-cookie" not in answer.headers
        clock.advance(1)
        assert (await sign_in(visitor)).status_code == 303

    async def test_an_unknown_name_waits_like_a_known_one(self, visitor: httpx.AsyncClient) -> None:
        statuses = [(await sign_in(visitor, "nobody", "x" * 10)).status_code for _ in range(HERE.free + 1)]
        assert statuses == [401] * HERE.free + [429]

    async def test_no_password_is_worked_out_while_there_is_a_wait(
        self, visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(HERE.free):
            await sign_in(visitor, password=WRONG_PASSWORD)
        monkeypatch.delattr(Passwords, "matches")
        assert (await sign_in(visitor)).status_code == 429

    async def test_all_of_an_ipv6_network_is_one_address(self, settings: Settings, clock: Clock) -> None:
        await add_operators(settings, ada="admin")
        proxied = replace(settings, behind_proxy=True)
        async with client_of(create_app(proxied, clock)) as client:
            for number in range(HERE.free):
                forwarded = {"X-Forwarded-For": f"2001:db8::{number}"}
                assert (await sign_in(client, password=WRONG_PASSWORD, **forwarded)).status_code == 401
            assert (await sign_in(client, **{"X-Forwarded-For": "2001:db8::ffff"})).status_code == 429
            assert (await sign_in(client, **{"X-Forwarded-For": "2001:db8:0:1::1"})).status_code == 303

    async def test_so_many_at_once_are_too_many(
        self, visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[Passwords] = []
        place = Passwords.place

        def noted(self: Passwords) -> AbstractContextManager[None]:
            made.append(self)
            return place(self)

        monkeypatch.setattr(Passwords, "place", noted)
        await sign_in(visitor, "nobody")
        with ExitStack() as stack:
            for _ in range(AT_ONCE + MAX_WAITING):
                stack.enter_context(place(made[0]))
            for _ in range(2 * HERE.free):
                answer = await sign_in(visitor)
                assert answer.status_code == 503
                assert answer.headers["retry-after"] == "2"
                assert "Too many sign-ins at once" in answer.text
        assert (await sign_in(visitor)).status_code == 303, "an attempt that was not checked does not count"


async def test_a_hash_of_old_parameters_is_renewed_at_sign_in(settings: Settings, clock: Clock) -> None:
    await add_operators(settings, ada="admin")
    database = access_of(settings)
    async with database.open():
        old = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1).hash(PASSWORD)
        await AccessStore(database).change_operator("ada", password_hash=old)
    async with client_of(create_app(settings, clock)) as client:
        assert (await sign_in(client)).status_code == 303
        async with database.open():
            (ada,) = (await AccessStore(database).load()).operators.values()
        new = ada.password_hash
        assert new != old
        assert not Passwords().is_outdated(new)
        assert (await sign_in(client)).status_code == 303


async def test_over_https_the_cookie_is_for_https_and_this_host_alone(settings: Settings, clock: Clock) -> None:
    await add_operators(settings, ada="admin")
    https = {"X-Forwarded-Proto": "https"}
    async with client_of(create_app(replace(settings, behind_proxy=True), clock)) as client:
        cookie = cookie_set(await sign_in(client, **https))
        assert cookie.key == "__Host-roompulse"
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
        client.cookies.clear()
        shown = {"Cookie": f"__Host-roompulse={cookie.value}"}
        assert (await client.get("/", headers=https | shown)).status_code == 200
        assert (await client.get("/", headers=shown)).status_code == 401
        # The name without `__Host-` could have been set by another site.
        tossed = {"Cookie": f"roompulse={cookie.value}"}
        assert (await client.get("/", headers=https | tossed)).status_code == 401


class TestSigningOut:
    async def test_ends_the_sign_in_and_takes_the_cookie_away(
        self, visitor: httpx.AsyncClient, settings: Settings
    ) -> None:
        answer = await send_form(visitor, "/sign-out", "ada")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        assert (cookie_set(answer).value, cookie_set(answer)["max-age"]) == ("", "0")
        assert sign_ins_of(settings) == ["bob"]
        visitor.cookies.clear()
        assert (await visitor.get("/", headers=cookie_of("ada"))).status_code == 401

    async def test_leaves_other_browsers_signed_in(self, visitor: httpx.AsyncClient, settings: Settings) -> None:
        await sign_in(visitor)
        visitor.cookies.clear()
        await send_form(visitor, "/sign-out", "ada")
        assert sign_ins_of(settings) == ["ada", "bob"]

    async def test_everywhere_ends_all_of_this_operator(self, visitor: httpx.AsyncClient, settings: Settings) -> None:
        await sign_in(visitor)
        visitor.cookies.clear()
        answer = await send_form(visitor, "/sign-out/everywhere", "ada")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        assert sign_ins_of(settings) == ["bob"]

    async def test_who_is_not_signed_in_any_more_is_led_to_where_to(self, visitor: httpx.AsyncClient) -> None:
        answer = await visitor.post("/sign-out", data={"token": "x"}, headers=SAME_SITE | NAVIGATION)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


class TestExpiry:
    async def test_unused_for_long_is_signed_out(
        self, visitor: httpx.AsyncClient, settings: Settings, clock: Clock
    ) -> None:
        clock.advance(settings.session_idle - 1)
        assert (await visitor.get("/", headers=cookie_of("ada"))).status_code == 200
        clock.advance(settings.session_idle - 1)
        assert (await visitor.get("/", headers=cookie_of("ada"))).status_code == 200
        clock.advance(settings.session_idle)
        assert (await visitor.get("/", headers=cookie_of("ada"))).status_code == 401

    async def test_a_restart_signs_nobody_out(self, settings: Settings, clock: Clock) -> None:
        await add_operators(settings, ada="admin")
        tokens = set()
        for _ in range(2):
            async with client_of(create_app(settings, clock)) as client:
                assert (await client.get("/", headers=cookie_of("ada"))).status_code == 200
                tokens.add(await token_of(client, cookie_of("ada")))
        assert len(tokens) == 1, "forms of an open page are good for longer than a server"


class TestWhereNobodyHasToSignIn:
    async def test_nothing_of_it_shows(self, client: httpx.AsyncClient) -> None:
        page = (await client.get("/")).text
        assert "Sign" not in page
        assert "account" not in page
        assert "/access" not in page

    async def test_the_page_leads_on(self, client: httpx.AsyncClient) -> None:
        for answer in (
            await client.get("/sign-in?next=/rooms/x"),
            await sign_in(client, path="/sign-in?next=/rooms/x"),
        ):
            assert (answer.status_code, answer.headers["location"]) == (303, "/rooms/x")
            assert "set-cookie" not in answer.headers

    @pytest.mark.parametrize("path", ["/sign-out", "/sign-out/everywhere", "/access/operators/add"])
    async def test_there_is_nothing_to_send(self, client: httpx.AsyncClient, path: str) -> None:
        assert (await client.post(path, data={"name": "mallory"}, headers=SAME_SITE)).status_code == 404
        assert (await client.get("/access")).status_code == 404


async def test_a_server_for_all_without_operators_says_how_to_add_one(settings: Settings, clock: Clock) -> None:
    async with client_of(create_app(replace(settings, host="192.0.2.1"), clock)) as client:
        assert "roompulse user add" in (await client.get("/sign-in")).text


async def test_the_page_is_kept_by_nobody_and_helps_password_managers(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/sign-in")
    assert answer.headers["cache-control"] == "no-store"
    assert "form-action 'self'" in answer.headers["content-security-policy"]
    assert 'autocomplete="username"' in answer.text
    assert 'autocomplete="current-password"' in answer.text
    assert "No operators yet" not in answer.text
