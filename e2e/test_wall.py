"""A wall display: controls are hidden, and the rest can be read from afar."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.builders import body, network, stream
from tests.server import Server

from e2e.conftest import NETWORK_FAULTS, Watch
from e2e.contrast import faint_texts
from e2e.pages import expect_live, expect_lost, row, rows, state, visit
from e2e.test_list import LOSSY, few, post
from roompulse.report.model import Entry

__all__ = ["few"]

SMALLEST = """() => {
  const sizes = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const one = texts.currentNode.parentElement;
    const seen = texts.currentNode.data.trim() && one.checkVisibility() && !one.matches(".unseen, dialog *");
    if (seen) sizes.push(parseFloat(getComputedStyle(one).fontSize));
  }
  return Math.min(...sizes);
}"""

HIDDEN = "() => document.documentElement.scrollHeight - document.documentElement.clientHeight"


@pytest.fixture
def wall(new_context: Callable[..., BrowserContext]) -> Page:
    return new_context(viewport={"width": 1920, "height": 1080}).new_page()


def crowd(server: Server, size: int, room_id: str = "room-1") -> None:
    """A room of which every user is worse than the one before."""
    entries = [Entry(f"u{number:02}", [stream(network=network(rtt=40 + 25 * number))]) for number in range(size)]
    server.post(body(user_id="u00", room_id=room_id, metrics=entries))


def test_there_is_nothing_to_click_but_the_state_stays(wall: Page, few: Server) -> None:
    for path in ("/", "/rooms/townhall", "/rooms/townhall/users/u0"):
        visit(wall, few, f"{path}?wall=1")
        expect(state(wall)).to_be_visible()
        for role in ("button", "searchbox", "combobox", "radio", "navigation"):
            expect(wall.get_by_role(role)).to_have_count(0)
        expect(wall.get_by_role("link", name="roompulse")).to_have_count(0)
        assert wall.evaluate(SMALLEST) >= 20
        assert faint_texts(wall) == []


def test_all_rooms_show_totals_and_as_many_of_the_worst_as_fit(wall: Page, server: Server) -> None:
    for number in range(3):
        post(server, f"room-{number}")
    visit(wall, server, "/?wall=1")
    expect(wall.get_by_role("row")).to_have_count(4)
    assert "first" not in shown_after(wall)
    for number in range(3, 40):
        post(server, f"room-{number}", LOSSY if number == 39 else network())
    expect(wall.locator("#totals")).to_contain_text("40")
    expect(rows(wall).first).to_contain_text("room-39")
    expect(wall.get_by_role("row")).to_have_count(13)
    assert "The first 12 are shown" in shown_after(wall)
    assert wall.evaluate(HIDDEN) == 0
    headers = wall.get_by_role("columnheader").all_inner_texts()
    assert [header.split()[0] for header in headers] == [
        "Room",
        "Level",
        "Score",
        "Users",
        "RTT",
        "Loss",
        "Score",
        "Last",
    ]


def shown_after(page: Page) -> str:
    content: str = page.locator("#rooms").evaluate("(list) => getComputedStyle(list, '::after').content")
    return content


def test_a_room_shows_its_verdict_its_charts_and_who_is_worst(wall: Page, server: Server) -> None:
    crowd(server, 12)
    visit(wall, server, "/rooms/room-1?wall=1")
    expect(wall.locator(".words")).to_be_visible()
    expect(wall.locator("#charts canvas")).to_have_count(6)
    expect(wall.locator("#charts")).to_contain_text("15 min")
    for user, is_shown in (("u11", True), ("u07", True), ("u06", False)):
        expect(row(wall, user)).to_be_visible(visible=is_shown)
    expect(row(wall, "u07")).to_be_in_viewport(ratio=1)
    assert wall.evaluate(HIDDEN) == 0


def test_it_is_live_and_a_lost_server_cannot_be_overlooked(wall: Page, few: Server, watch: Watch) -> None:
    watch.allow(NETWORK_FAULTS)
    visit(wall, few, "/?wall=1")
    post(few, "another", LOSSY)
    expect(row(wall, "another")).to_be_visible()
    few.kill()
    expect_lost(wall)
    expect(state(wall)).to_be_visible()
    frame = wall.evaluate("getComputedStyle(document.body, '::after').borderTopWidth")
    assert frame == "10px"
    assert faint_texts(wall) == []


def test_it_is_the_same_view_and_leads_on_to_other_walls(wall: Page, few: Server) -> None:
    visit(wall, few, "/?sort=id&q=stand&wall=1")
    expect(wall.locator("#stream")).to_have_attribute("data-url", "stream?q=stand&sort=id")
    row(wall, "standup-b").get_by_role("link").click()
    expect(wall).to_have_url(f"{few.url}/rooms/standup-b?wall=1")
    expect_live(wall)
    row(wall, "u0").get_by_role("link").click()
    expect(wall).to_have_url(f"{few.url}/rooms/standup-b/users/u0?wall=1")


def test_keys_enter_and_leave_it(wall: Page, few: Server) -> None:
    visit(wall, few, "/?sort=id")
    wall.keyboard.press("w")
    expect(wall).to_have_url(f"{few.url}/?sort=id&wall=1")
    expect_live(wall)
    wall.keyboard.press("?")
    wall.keyboard.press("Escape")  # which closes the list of keys, and no more
    expect(wall.get_by_role("dialog")).to_have_count(0)
    expect(wall).to_have_url(f"{few.url}/?sort=id&wall=1")
    wall.keyboard.press("Escape")
    expect(wall).to_have_url(f"{few.url}/?sort=id")
    expect_live(wall)
    wall.get_by_role("button", name="View").click()
    wall.get_by_role("link", name="Wall display").click()
    expect(wall).to_have_url(f"{few.url}/?sort=id&wall=1")
    expect_live(wall)
    wall.keyboard.press("w")
    expect(wall.get_by_role("button", name="Pause")).to_be_visible()
