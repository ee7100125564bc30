"""Ids of any kind are inert, lead where they say, and update live."""

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect
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


@pytest.mark.slow
def test_odd_ids_are_inert_lead_where_they_say_update_live_and_fit_a_phone(
    page: Page, make_server: Callable[..., Server]
) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    with make_server(SNAPSHOT_INTERVAL=1).running() as server:
        visit(page, server)
        with without_reload(page):
            for odd in ODD_IDS:
                server.post(body(room_id=odd, user_id=odd))
                expect(row(page, odd)).to_contain_text("4.37")
        page.set_viewport_size({"width": 390, "height": 844})
        expect_inert(page, server, "Live rooms", *(row(page, odd) for odd in ODD_IDS))
        for odd, other in zip(ODD_IDS, [*ODD_IDS[1:], ODD_IDS[0]], strict=True):
            post_call(server, odd, other)
            follow(page, server, odd, other)
        page.close()
    assert dialogs == []


def post_call(server: Server, odd: str, other: str) -> None:
    """In a room of that name, a user of that name sends a stream of that name with trouble, and `other` receives it."""
    for user in ("u1", "u2", "u3"):
        server.post(body(user_id=user, room_id=odd))
    trouble = stream(odd, network=network(rtt=300, jitter=30, packet_loss=5))
    server.post(body(user_id=odd, room_id=odd, sdk_version=odd[:64], metrics=[Entry(odd, [trouble])]))
    heard = Entry(odd, [stream(odd, "recv")])
    server.post(body(user_id=other, room_id=odd, metrics=[Entry(other, [stream()]), heard]))


def follow(page: Page, server: Server, odd: str, other: str) -> None:
    """From a search to the room and on to the user, by their links."""
    search = quote(odd, safe="")
    visit(page, server, f"/?q={search}")
    expect(page.get_by_role("searchbox")).to_have_value(odd)
    expect_inert(page, server, "Live rooms", page.locator("#found-users h2 .id").filter(has_text=odd))
    page.locator("#rooms tbody th").get_by_role("link", name=odd, exact=True).click()
    expect_page(page, server.url + room_path(odd), odd)
    expect_inert(page, server, odd, page.locator(".words a").filter(has_text=odd).first)
    with without_reload(page):
        server.post(body(room_id=odd, user_id="u4"))
        expect(row(page, "u4")).to_be_visible()
    visit(page, server, f"{room_path(odd)}?q={search}")
    expect(page.get_by_role("searchbox")).to_have_value(odd)
    expect_inert(page, server, odd, page.locator("#users h2 .id").filter(has_text=odd))
    row(page, odd).get_by_role("link").click()
    expect_page(page, server.url + user_path(odd, odd), odd)
    expect(page.locator("#others td .id").filter(has_text=other).first).to_be_visible()
    expect_inert(page, server, f"{odd} in {odd}", page.locator("#sends tbody th").filter(has_text=odd).first)
    with without_reload(page):
        server.post(body(room_id=odd, user_id=odd, sdk_version="9.9.9"))
        expect(page.locator(".headline")).to_contain_text("9.9.9")


def expect_page(page: Page, url: str, heading: str) -> None:
    expect_live(page)
    assert page.url == url
    assert page.locator("h1").text_content() == heading
    assert page.get_by_role("searchbox").count() == 0 or page.get_by_role("searchbox").input_value() == ""


def expect_inert(page: Page, server: Server, title: str, *shown: Locator) -> None:
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
    for one in shown:
        expect(one).to_be_visible()
    assert re.sub(r"^\(\d+ (alerts?|poor)(, \d+ poor)?\) ", "", page.title()) == f"{title} · roompulse"
    expect(page.locator(".chart-note:visible")).to_have_count(0)
    assert set(page.locator("a").evaluate_all("(links) => links.map((link) => link.origin)")) == {server.url}
    assert page.locator("main img, main script, body [onerror]").count() == 0
    assert sideways(page) == 0
