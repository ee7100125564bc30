"""Ids of any kind are inert, lead where they say, and update live."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.builders import body, network, stream
from tests.server import Server

from e2e.pages import expect_live, room_path, row, sideways, user_path, visit, without_reload
from roompulse.report.model import Entry

ODD_IDS = [
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "</hx-partial><script>alert(1)</script>",
    "'; --",
    "{{ 7*7 }}\"'&amp;",
    "a/b",
    "100%/../?page=2#x",
    "🎥 room",
    "שלום עולם",
    "علی\u200cرضا",
    "👩\u200d💻 dev",
    "x" * 128,
    "W" * 128,
]


def test_odd_ids_are_shown_linked_and_updated_as_they_are(page: Page, server: Server) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    visit(page, server)
    with without_reload(page):
        for odd in ODD_IDS:
            server.post(body(room_id=odd, user_id=odd))
            expect(row(page, odd)).to_contain_text("4.37")
    for odd in ODD_IDS:
        page.goto(server.url)
        row(page, odd).get_by_role("link").click()
        expect_page(page, server.url + room_path(odd), odd)
        with without_reload(page):
            server.post(body(room_id=odd, user_id="u2"))
            expect(row(page, "u2")).to_be_visible()
        row(page, odd).get_by_role("link").click()
        expect_page(page, server.url + user_path(odd, odd), odd)
        with without_reload(page):
            server.post(body(room_id=odd, user_id=odd, sdk_version="9.9.9"))
            expect(page.locator(".headline")).to_contain_text("9.9.9")
    assert dialogs == []


def expect_page(page: Page, url: str, heading: str) -> None:
    expect_live(page)
    assert page.url == url
    assert page.locator("h1").text_content() == heading
    assert page.locator("main img, main script").count() == 0


@pytest.fixture(scope="module")
def odd_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("ids") / "data", {"ROOMPULSE_SNAPSHOT_INTERVAL": "1"}).running() as server:
        yield server


@pytest.mark.parametrize("odd", ODD_IDS)
def test_an_odd_id_is_inert_wherever_it_stands_and_fits_a_phone(
    new_context: Callable[..., BrowserContext], odd_server: Server, odd: str
) -> None:
    page = new_context(viewport={"width": 390, "height": 844}).new_page()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for user in ("u1", "u2", "u3"):
        odd_server.post(body(user_id=user, room_id=odd))
    trouble = stream(odd, network=network(rtt=300, jitter=30, packet_loss=5))
    heard = Entry("u1", [stream(odd, "recv")])
    odd_server.post(body(user_id=odd, room_id=odd, sdk_version=odd[:64], metrics=[Entry(odd, [trouble]), heard]))

    for path, title, found in (
        ("/", "Live rooms", "tbody th"),
        (f"/?q={quote(odd, safe='')}", "Live rooms", "tbody th"),
        (room_path(odd), odd, ".words a"),
        (f"{room_path(odd)}?q={quote(odd, safe='')}", odd, "#users h2 .id"),
        (user_path(odd, odd), f"{odd} in {odd}", "#sends tbody th"),
        (user_path(odd, "u1"), f"u1 in {odd}", "#others td .id"),
    ):
        visit(page, odd_server, path)
        page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
        expect(page.locator(found).filter(has_text=odd).first).to_be_visible()
        assert re.sub(r"^\(\d+ (alerts?|poor)(, \d+ poor)?\) ", "", page.title()) == f"{title} · roompulse"
        assert page.get_by_role("searchbox").count() == 0 or page.get_by_role("searchbox").input_value() in ("", odd)
        expect(page.locator(".chart-note:visible")).to_have_count(0)
        assert set(page.locator("a").evaluate_all("(links) => links.map((link) => link.origin)")) == {odd_server.url}
        assert page.locator("main img, main script, body [onerror]").count() == 0
        assert sideways(page) == 0
    assert dialogs == []
