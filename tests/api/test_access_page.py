"""An admin's actions on the access page."""

import logging
import re
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from roompulse.access.model import Operator
from roompulse.access.operators import MAX_OPERATORS
from roompulse.access.store import AccessStore
from roompulse.engines import access_of
from roompulse.settings import Settings
from tests.access import bearer, new_key, stored
from tests.api import serving
from tests.builders import NOW
from tests.conftest import Clock
from tests.operators import SAME_SITE, add_operators, cookie_of, secret_of, send_form, sign_ins_of


@pytest.fixture
async def client(settings: Settings, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """Of an application with an admin (ada) and a viewer (bob), both signed in."""
    await add_operators(settings, ada="admin", bob="viewer")
    async with serving(settings, clock) as client:
        yield client


@pytest.fixture(scope="module")
def kept_settings(make_settings: Callable[[], Settings]) -> Settings:
    return make_settings()


@pytest.fixture(scope="module")
async def kept(kept_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The same for tests that leave ada and bob as they are, with two more viewers."""
    await add_operators(kept_settings, ada="admin", bob="viewer", cleo="viewer", dan="viewer")
    async with serving(kept_settings, Clock()) as client:
        yield client


async def page(client: httpx.AsyncClient, operator: str = "ada") -> str:
    answer = await client.get("/access", headers=cookie_of(operator))
    assert answer.status_code == 200
    return answer.text


async def rows(client: httpx.AsyncClient, operator: str = "ada") -> dict[str, tuple[str, str]]:
    """Operators as the page lists them: role, and where they are signed in."""
    html = await page(client, operator)
    found = re.findall(
        r'<th scope="row"><span class="id"[^>]*>(.*?)</span>.*?"Role">(.*?)<.*?"Sessions">(.*?)<', html, re.DOTALL
    )
    return {name: (role, where) for name, role, where in found}


async def do(client: httpx.AsyncClient, action: str, operator: str = "ada", **fields: str) -> httpx.Response:
    return await send_form(client, f"/access/{action}", operator, fields)


def shown_in(answer: httpx.Response) -> str:
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    secret = re.search(r"<p><code>(.*?)</code></p>", answer.text)
    assert secret
    return secret[1]


def assert_refused(answer: httpx.Response, status: int, words: str) -> None:
    assert answer.status_code == status
    alert = re.search(r'class="error" role="alert">(.*?)<', answer.text)
    assert alert
    assert words in alert[1]


async def test_it_lists_who_may_and_where_they_are_signed_in(client: httpx.AsyncClient) -> None:
    assert await rows(client) == {"ada": ("admin", "1 active"), "bob": ("viewer", "1 active")}


async def test_it_says_when_an_operator_was_last_seen(client: httpx.AsyncClient, clock: Clock) -> None:
    clock.advance(3_600)
    assert f'data-at="{clock()}" data-clock' in await page(client)


async def test_an_operator_is_added_with_a_password_that_is_shown_once(
    kept: httpx.AsyncClient, kept_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "roompulse")
    password = shown_in(await do(kept, "operators/add", name=" Eve ", role="viewer"))
    assert len(password) == 20
    assert (await rows(kept))["Eve"] == ("viewer", "none")
    assert password not in await page(kept)
    assert password.encode() not in stored(kept_settings)
    assert password not in caplog.text
    assert "'ada': operators/add" in caplog.text
    signed_in = await kept.post("/sign-in", data={"name": "eve", "password": password}, headers=SAME_SITE)
    assert signed_in.status_code == 303


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "", "role": "viewer"}, "1 to 128 characters"),
        ({"name": "a\u202eb", "role": "viewer"}, "format characters"),
        ({"name": "BOB", "role": "viewer"}, "already"),
        ({"name": "mallory", "role": "root"}, "viewer or admin"),
        ({"name": "mallory"}, "viewer or admin"),
    ],
)
async def test_what_cannot_be_added_is_refused_in_words(
    kept: httpx.AsyncClient, fields: dict[str, str], words: str
) -> None:
    before = await rows(kept)
    assert_refused(await do(kept, "operators/add", **fields), 400, words)
    assert await rows(kept) == before


async def test_there_are_so_many_operators_and_none_more(client: httpx.AsyncClient, settings: Settings) -> None:
    database = access_of(settings)
    async with database.open():
        for number in range(MAX_OPERATORS - 3):
            await AccessStore(database).add_operator(Operator(f"op-{number}", "viewer", "", NOW))
    shown_in(await do(client, "operators/add", name="the last", role="viewer"))
    assert_refused(await do(client, "operators/add", name="one more", role="viewer"), 400, f"{MAX_OPERATORS}")


async def test_a_name_is_no_html(kept: httpx.AsyncClient) -> None:
    before = await rows(kept)
    shown_in(await do(kept, "operators/add", name="<b>&\"'", role="viewer"))
    html = await page(kept)
    assert "<b>" not in html
    assert "&lt;b&gt;&amp;&#34;&#39;" in html
    assert (await do(kept, "operators/remove", name="<b>&\"'")).status_code == 303
    assert await rows(kept) == before


async def test_a_role_is_changed_and_holds_at_once(client: httpx.AsyncClient) -> None:
    assert (await client.get("/access", headers=cookie_of("bob"))).status_code == 403
    assert (await do(client, "operators/role", name="bob", role="admin")).status_code == 303
    assert (await rows(client, "bob"))["bob"][0] == "admin"
    assert (await do(client, "operators/role", "bob", name="ada", role="viewer")).status_code == 303
    assert (await client.get("/access", headers=cookie_of("ada"))).status_code == 403
    assert (await client.get("/", headers=cookie_of("ada"))).status_code == 200


async def test_the_last_admin_stays_one(client: httpx.AsyncClient) -> None:
    assert_refused(await do(client, "operators/role", name="ada", role="viewer"), 400, "last admin")
    assert_refused(await do(client, "operators/remove", name="ada"), 400, "last admin")
    assert (await rows(client))["ada"][0] == "admin"
    await do(client, "operators/role", name="bob", role="admin")
    assert (await do(client, "operators/remove", name="ada")).status_code == 303
    assert set(await rows(client, "bob")) == {"bob"}


async def test_who_is_signed_out_everywhere_is_so_at_once(kept: httpx.AsyncClient, kept_settings: Settings) -> None:
    before = sign_ins_of(kept_settings)
    assert (await do(kept, "operators/sign-out", name="cleo")).status_code == 303
    assert (await kept.get("/", headers=cookie_of("cleo"))).status_code == 401
    assert (await rows(kept))["cleo"] == ("viewer", "none")
    assert sign_ins_of(kept_settings) == [name for name in before if name != "cleo"]


async def test_who_is_removed_is_signed_out_at_once(kept: httpx.AsyncClient, kept_settings: Settings) -> None:
    before = sign_ins_of(kept_settings)
    assert (await do(kept, "operators/remove", name="dan")).status_code == 303
    assert (await kept.get("/", headers=cookie_of("dan"))).status_code == 401
    assert sign_ins_of(kept_settings) == [name for name in before if name != "dan"]


@pytest.mark.parametrize("action", ["role", "sign-out", "remove"])
async def test_nobody_can_be_changed_who_is_not_there(kept: httpx.AsyncClient, action: str) -> None:
    assert_refused(
        await do(kept, f"operators/{action}", name="mallory", role="viewer"), 404, "no operator &#39;mallory&#39;"
    )


async def test_a_key_is_made_shown_once_and_removed(kept: httpx.AsyncClient) -> None:
    shown = shown_in(await do(kept, "keys/add", name="a script", kind="read"))
    html = await page(kept)
    assert shown not in html
    assert "a script" in html
    assert (await kept.get("/report/rooms", headers=bearer(shown))).status_code == 200
    assert (await do(kept, "keys/remove", id=shown.split("_")[1])).status_code == 303
    assert "a script" not in await page(kept)
    assert (await kept.get("/report/rooms", headers=bearer(shown))).status_code == 401


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"name": "", "kind": "read"}, "name"), ({"name": "a script", "kind": "root"}, "ingest or read or token")],
)
async def test_what_is_no_key_is_refused_in_words(kept: httpx.AsyncClient, fields: dict[str, str], words: str) -> None:
    assert_refused(await do(kept, "keys/add", **fields), 400, words)


async def test_a_key_that_is_not_there_cannot_be_removed(kept: httpx.AsyncClient) -> None:
    assert_refused(await do(kept, "keys/remove", id="k1"), 404, "No such key")


async def test_nothing_of_a_secret_is_on_the_page(kept: httpx.AsyncClient, kept_settings: Settings) -> None:
    _, shown = await new_key(kept_settings, "token")
    html = await page(kept)
    for secret in (shown.split("_", 2)[2], "argon2", secret_of("ada"), secret_of("bob")):
        assert secret not in html


class TestTheBar:
    async def test_says_who_is_signed_in_and_has_the_ways_out(self, kept: httpx.AsyncClient) -> None:
        html = (await kept.get("/", headers=cookie_of("bob"))).text
        assert '<span class="id">bob</span>' in html
        assert 'action="sign-out"' in html
        assert 'formaction="sign-out/everywhere"' in html

    async def test_leads_admins_alone_to_the_page(self, kept: httpx.AsyncClient) -> None:
        assert 'href="access"' in (await kept.get("/", headers=cookie_of("ada"))).text
        assert 'href="access"' not in (await kept.get("/", headers=cookie_of("bob"))).text

    async def test_of_a_program_is_empty(self, kept: httpx.AsyncClient) -> None:
        shown = shown_in(await do(kept, "keys/add", name="the reader of a page", kind="read"))
        html = (await kept.get("/", headers=bearer(shown))).text
        assert "sign-out" not in html
        assert 'class="account"' not in html


async def test_a_viewer_is_told_so_on_a_page(kept: httpx.AsyncClient) -> None:
    answer = await kept.get("/access", headers=cookie_of("bob"))
    assert answer.status_code == 403
    assert answer.text.startswith("<!doctype html>")
    assert "only for operators with the role admin" in answer.text
