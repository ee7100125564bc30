"""The pages by keyboard."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.builders import body, stream
from tests.server import Server

from e2e.pages import expect_live, expect_paused, row, rows, visit
from e2e.test_list import GOOD, LOSSY, few, names, post
from roompulse.report.model import Entry

__all__ = ["few"]


def link(page: Page, name: str) -> Locator:
    return row(page, name).get_by_role("link")


def test_rows_are_walked_and_opened(page: Page, few: Server) -> None:
    visit(page, few)
    assert names(page) == ["standup-b", "standup-a", "board", "townhall"]
    for key, name in (
        ("j", "standup-b"),
        ("j", "standup-a"),
        ("k", "standup-b"),
        ("k", "standup-b"),
        ("j", "standup-a"),
    ):
        page.keyboard.press(key)
        expect(link(page, name)).to_be_focused()
    plain = row(page, "board").evaluate("(row) => getComputedStyle(row).backgroundColor")
    expect(row(page, "standup-a")).not_to_have_css("background-color", plain)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("standup-a")
    expect_live(page)
    page.keyboard.press("k")
    expect(link(page, "u0")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("u0")


def test_the_row_that_is_chosen_stays_so_when_rows_change_places(page: Page, few: Server) -> None:
    visit(page, few)
    for _ in range(3):
        page.keyboard.press("j")
    expect(link(page, "board")).to_be_focused()
    post(few, "townhall", LOSSY, users=5)
    expect(rows(page).nth(1)).to_contain_text("townhall")
    expect(link(page, "board")).to_be_focused()
    post(few, "standup-b", GOOD)
    post(few, "standup-a", GOOD)
    post(few, "board", LOSSY)
    expect(rows(page).first).to_contain_text("board")
    expect(link(page, "board")).to_be_focused()
    page.keyboard.press("j")
    expect(link(page, "townhall")).to_be_focused()


def test_a_row_that_is_chosen_is_in_sight(page: Page, server: Server) -> None:
    server.post(body(user_id="u00", metrics=[Entry(f"u{number:02}", [stream()]) for number in range(60)]))
    visit(page, server, "/rooms/room-1")
    page.keyboard.press("k")
    expect(row(page, "u59")).to_be_in_viewport(ratio=1)
    for _ in range(59):
        page.keyboard.press("k")
    expect(link(page, "u00")).to_be_focused()
    covered = "(row) => row.getBoundingClientRect().top < document.querySelector('.bar').getBoundingClientRect().bottom"
    assert row(page, "u00").evaluate(covered) is False


def test_where_there_is_no_row_and_no_search_keys_do_nothing(page: Page, server: Server) -> None:
    visit(page, server)
    page.keyboard.press("j")
    page.keyboard.press("k")
    server.post(body())
    visit(page, server, "/rooms/room-1/users/u1")
    for key in ("/", "j", "k"):
        page.keyboard.press(key)
    expect(page.locator("body")).to_be_focused()


@pytest.mark.parametrize("path", ["/", "/rooms/board"])
def test_what_is_typed_in_a_field_is_text(page: Page, few: Server, path: str) -> None:
    visit(page, few, path)
    page.keyboard.press("/")
    field = page.get_by_role("searchbox")
    expect(field).to_be_focused()
    expect(field).to_have_value("")
    page.keyboard.type("jkpw?/")
    expect(field).to_have_value("jkpw?/")
    expect_live(page)
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_chords_are_left_to_the_browser(page: Page, few: Server) -> None:
    visit(page, few)
    # As events: a browser takes some of these chords for itself, and prints.
    for modifier in ("ctrlKey", "metaKey", "altKey"):
        for key in ("p", "j", "w", "?", "/"):
            page.evaluate(
                "([key, modifier]) => document.body.dispatchEvent("
                "new KeyboardEvent('keydown', { key, [modifier]: true, bubbles: true }))",
                [key, modifier],
            )
    expect_live(page)
    expect(page.locator("body")).to_be_focused()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_p_pauses_and_goes_on(page: Page, server: Server) -> None:
    visit(page, server)
    page.keyboard.press("p")
    expect_paused(page)
    page.keyboard.press("p")
    expect_live(page)


def test_the_keys_are_listed(page: Page, few: Server) -> None:
    visit(page, few)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_contain_text(re.compile(r"j k\s*next/previous row"))
    page.keyboard.press("p")
    expect_live(page)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="View").click()
    page.get_by_role("button", name="Keyboard").click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
