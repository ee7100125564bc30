"""The operator's view settings: theme and zone, kept in the browser."""

import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.builders import REFERENCE
from tests.server import Server

from e2e.conftest import NETWORK_FAULTS, Watch
from e2e.contrast import faint_texts
from e2e.pages import choose, expect_live, expect_lost, expect_paused, state, visit
from roompulse.web.html.templates import clock

LIGHT, DARK = "rgb(246, 247, 248)", "rgb(16, 21, 26)"
LINE_OF_LIGHT, LINE_OF_DARK = "221 225 229 255", "44 56 66 255"
AT = 1_795_447_210.0
"""2026-11-23 15:20:10 UTC"""

FIRST_SIGHT = """
  new MutationObserver((_, observer) => {
    if (!document.body) return;
    window.firstTheme = document.documentElement.dataset.theme;
    observer.disconnect();
  }).observe(document, { childList: true, subtree: true });
"""

REFUSED = """
  Object.defineProperty(window, "localStorage", { get() { throw new DOMException("no", "SecurityError"); } });
"""


@pytest.fixture
def india(new_context: Callable[..., BrowserContext]) -> Page:
    """A page of an operator in a zone without whole hours."""
    return new_context(timezone_id="Asia/Kolkata").new_page()


def expect_ground(page: Page, color: str) -> None:
    expect(page.locator("body")).to_have_css("background-color", color)


def drawing(page: Page) -> str:
    pixels: str = page.locator("#charts canvas").first.evaluate("(canvas) => canvas.toDataURL()")
    return pixels


def expect_drawn_in(page: Page, colors: set[str]) -> None:
    """Which of the colours that lines of a grid have is in a chart."""
    found = page.locator("#charts canvas").first.evaluate(
        """(canvas, colors) => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const found = new Set();
          for (let at = 0; at < data.length; at += 4) found.add(data.slice(at, at + 4).join(" "));
          return colors.filter((color) => found.has(color));
        }""",
        [LINE_OF_LIGHT, LINE_OF_DARK],
    )
    assert set(found) == colors


class TestTheme:
    def test_it_changes_at_once_and_charts_with_it(self, page: Page, server: Server) -> None:
        server.post(REFERENCE)
        visit(page, server, "/rooms/room-1")
        expect_ground(page, LIGHT)
        expect_drawn_in(page, {LINE_OF_LIGHT})
        choose(page, "Dark")
        expect_ground(page, DARK)
        expect_drawn_in(page, {LINE_OF_DARK})
        page.emulate_media(color_scheme="dark")
        choose(page, "Light")
        expect_ground(page, LIGHT)
        expect_drawn_in(page, {LINE_OF_LIGHT})

    def test_it_is_that_of_the_system_until_one_is_chosen_and_after(self, page: Page, server: Server) -> None:
        visit(page, server)
        page.emulate_media(color_scheme="dark")
        expect_ground(page, DARK)
        choose(page, "Light")
        expect_ground(page, LIGHT)
        choose(page, "System")
        expect_ground(page, DARK)

    def test_it_is_there_before_the_first_paint_of_every_page(self, page: Page, server: Server, watch: Watch) -> None:
        watch.allow("status of 404")
        page.add_init_script(FIRST_SIGHT)
        visit(page, server)
        assert page.evaluate("window.firstTheme") == "system"
        choose(page, "Dark")
        for path in ("/", "/rooms/room-1", "/nowhere"):
            page.goto(server.url + path)
            assert page.evaluate("window.firstTheme") == "dark"
            expect_ground(page, DARK)
        visit(page, server)
        page.get_by_role("button", name="View").click()
        expect(page.get_by_role("radio", name="Dark")).to_be_checked()


class TestZone:
    def test_times_are_local_and_say_so_until_utc_is_chosen(self, india: Page, server: Server) -> None:
        server.post(REFERENCE)
        visit(india, server, "/rooms/room-1")
        age, note = india.locator("#users time"), india.locator(".chart-bar")
        expect(age).to_have_attribute("title", re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT\+5:30$"))
        expect(note).to_contain_text("Times in GMT+5:30")
        local = drawing(india)
        choose(india, "UTC")
        expect(age).to_have_attribute("title", re.compile(r"\d UTC$"))
        expect(note).to_contain_text("Times in UTC")
        assert drawing(india) != local
        server.post(REFERENCE)
        expect(age).to_have_text(re.compile("now|s ago"))
        india.reload()
        expect_live(india)
        expect(note).to_contain_text("Times in UTC")
        choose(india, "Local, GMT+5:30")
        expect(age).to_have_attribute("title", re.compile(r"GMT\+5:30$"))

    def test_absolute_times_of_the_server_are_put_in_it(self, india: Page, server: Server) -> None:
        visit(india, server)
        html = f'<p id="times">{clock(AT)} <time data-at="{AT}" data-clock="time"></time></p>'
        assert "2026-11-23 15:20:10 UTC" in html
        india.evaluate("(html) => document.querySelector('main').insertAdjacentHTML('beforeend', html)", html)
        times = india.locator("#times")
        expect(times).to_have_text("2026-11-23 20:50:10 GMT+5:30 20:50:10 GMT+5:30")
        choose(india, "UTC")
        expect(times).to_have_text("2026-11-23 15:20:10 UTC 15:20:10 UTC")

    def test_zones_have_names(self, new_context: Callable[..., BrowserContext], server: Server) -> None:
        for zone, text in {
            "America/New_York": "2026-11-23 10:20:10 GMT−5",
            "America/St_Johns": "2026-11-23 11:50:10 GMT−3:30",
            "Europe/London": "2026-11-23 15:20:10 UTC",
            "Pacific/Kiritimati": "2026-11-24 05:20:10 GMT+14",
        }.items():
            page = new_context(timezone_id=zone).new_page()
            visit(page, server)
            add = "(html) => document.querySelector('main').insertAdjacentHTML('beforeend', html)"
            page.evaluate(add, str(clock(AT)))
            expect(page.locator("time[data-clock]")).to_have_text(text)


def test_a_browser_that_keeps_nothing_can_choose_all_the_same(page: Page, server: Server) -> None:
    page.add_init_script(REFUSED)
    server.post(REFERENCE)
    visit(page, server, "/rooms/room-1")
    choose(page, "Dark")
    expect_ground(page, DARK)
    choose(page, "UTC")
    expect(page.locator(".chart-bar")).to_contain_text("Times in UTC")
    page.reload()
    expect_live(page)
    expect_ground(page, LIGHT)


def test_without_javascript_there_is_nothing_that_needs_it(
    new_context: Callable[..., BrowserContext], server: Server
) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(server.url)
    expect(state(page)).to_be_visible()
    expect(page.get_by_role("banner").get_by_role("button")).to_have_count(0)


def test_the_menu_is_used_by_keyboard(page: Page, server: Server) -> None:
    visit(page, server)
    button = page.get_by_role("button", name="View")
    button.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="System")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect_ground(page, DARK)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="UTC", exact=True)).to_be_checked()
    page.keyboard.press("Escape")
    expect(page.get_by_role("radio").first).to_be_hidden()
    expect(button).to_be_focused()


def test_menu_and_keys_can_be_read_in_every_theme(page: Page, server: Server) -> None:
    visit(page, server)
    for theme in ("Light", "Dark"):
        page.get_by_role("button", name="View").click()
        page.get_by_role("radio", name=theme).check()
        assert faint_texts(page) == []
        page.get_by_role("button", name="Keyboard").click()
        assert faint_texts(page) == []
        page.keyboard.press("Escape")


def test_on_a_phone_the_header_is_one_line_whatever_it_says(
    new_context: Callable[..., BrowserContext], server: Server, watch: Watch
) -> None:
    watch.allow(NETWORK_FAULTS)
    page = new_context(viewport={"width": 390, "height": 844}).new_page()
    visit(page, server)

    def expect_one_line() -> None:
        places = page.locator(".bar :is(.brand, #connection, #pause, [popovertarget])").evaluate_all(
            "(parts) => parts.map((part) => part.getBoundingClientRect()).map(({ left, right, height }) => "
            "[left, right, height])"
        )
        assert len(places) == 4
        assert all(before[1] <= after[0] for before, after in pairwise(places))
        assert places[-1][1] <= 390
        assert all(20 <= height <= 38 for _, _, height in places)

    expect_one_line()
    page.keyboard.press("p")
    expect_paused(page)
    expect_one_line()
    server.kill()
    expect_lost(page)
    expect_one_line()


def test_on_a_phone_what_is_searched_and_the_button_stand_together(
    new_context: Callable[..., BrowserContext], server: Server
) -> None:
    page = new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False).new_page()
    page.goto(server.url)
    bottom = "(one) => one.getBoundingClientRect().bottom"
    show, order = page.get_by_role("button", name="Apply"), page.get_by_label("Sort by")
    assert abs(show.evaluate(bottom) - order.evaluate(bottom)) <= 1
