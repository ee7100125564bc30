"""Ids of any kind are inert, lead where they say, and update live."""

from playwright.sync_api import Page, expect
from tests.builders import body
from tests.server import Server

from e2e.pages import expect_live, room_path, row, user_path, visit, without_reload

ODD_IDS = [
    "<img src=x onerror=alert(1)>",
    "</hx-partial><script>alert(1)</script>",
    "{{ 7*7 }}\"'&amp;",
    "a/b",
    "100%/../?page=2#x",
    "🎥 room",
    "שלום עולם",
    "line\u2028separator",
    "x" * 128,
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
