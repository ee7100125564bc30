"""A paused page stands still, says so, and resumes with the present."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from tests.builders import REFERENCE, body
from tests.process import eventually
from tests.server import Server

from e2e.conftest import NETWORK_FAULTS, Watch
from e2e.contrast import faint_texts
from e2e.pages import (
    HIDEABLE,
    expect_live,
    expect_lost,
    expect_paused,
    expect_viewers,
    hide,
    look_at,
    row,
    state,
    visit,
    without_reload,
)
from e2e.test_charts import SOON, chart, lossy
from e2e.test_live import bad

NOTE_PUSHES = """() => {
  document.getElementById("stream").addEventListener("htmx:sse:before:message", (event) => {
    if (!event.detail.message.event) document.body.dataset.isPushed = "";
  });
}"""


def button(page: Page) -> Locator:
    return page.get_by_role("button", name="Pause")


def wait_for_push(page: Page) -> None:
    """Pushed frames have arrived at the page, whether shown or not."""
    expect(page.locator("body[data-is-pushed]")).to_have_count(1)


def test_what_is_pushed_is_not_shown_until_the_page_goes_on(page: Page, server: Server) -> None:
    server.post(REFERENCE)
    visit(page, server, "/rooms/room-1")
    expect(row(page, "u1")).to_contain_text("4.37")
    page.evaluate(NOTE_PUSHES)
    with without_reload(page):
        button(page).click()
        expect_paused(page)
        expect(button(page)).to_have_attribute("aria-pressed", "true")
        server.post(bad())
        server.post(body(user_id="u2"))
        wait_for_push(page)
        expect(row(page, "u1")).to_contain_text("4.37")
        expect(row(page, "u2")).to_have_count(0)
        expect_viewers(server, 1)
        button(page).click()
        expect_live(page)
        expect(button(page)).to_have_attribute("aria-pressed", "false")
        expect(row(page, "u1")).to_contain_text("2.30")
        expect(row(page, "u2")).to_be_visible()
        server.post(body(user_id="u3"))
        expect(row(page, "u3")).to_be_visible()


def test_ages_stand_still_while_the_page_says_how_far_behind_it_is(page: Page, server: Server) -> None:
    server.post(REFERENCE)
    page.clock.install()
    visit(page, server, "/rooms/room-1")
    age = page.locator("#users time")
    page.clock.fast_forward(5_000)
    expect(age).to_have_text(re.compile(r"^\d+ s ago$"))
    button(page).click()
    expect_paused(page)
    then = age.inner_text()
    page.clock.fast_forward(12_000)
    expect(state(page)).to_have_text(re.compile(r"Paused\s+1\d s behind"))
    expect(age).to_have_text(then)
    button(page).click()
    expect(age).to_have_text(re.compile(r"^(1[7-9]|2\d) s ago$"))


@pytest.fixture
def hasty_server(make_server: Callable[..., Server]) -> Iterator[Server]:
    """A server that takes snapshots often."""
    with make_server(SNAPSHOT_INTERVAL=2.5).running() as server:
        yield server


def test_charts_stand_still_and_catch_up(page: Page, hasty_server: Server) -> None:
    hasty_server.post(REFERENCE)
    visit(page, hasty_server, "/rooms/room-1")
    p95 = chart(page, "Packet loss").locator(".key b").last
    expect(p95).to_have_text("0.3", timeout=SOON)
    button(page).click()
    hasty_server.post(lossy(5))
    eventually(lambda: hasty_server.get("/report/history/room-1").json()["data"][-1]["packet_loss"]["max"] == 5)
    with page.expect_response(lambda answer: "step=10" in answer.url) as asked:
        page.get_by_role("group", name="Range").get_by_role(
            "button", name="1 h"
        ).click()  # which is answered up to the pause
    assert re.search(r"[?&]to=\d", asked.value.url)
    expect(p95).to_have_text("0.3")
    button(page).click()
    expect(p95).to_have_text("5.0", timeout=SOON)


def test_a_lost_server_is_said_even_so_and_the_page_is_paused_when_it_is_back(
    page: Page, server: Server, watch: Watch
) -> None:
    watch.allow(NETWORK_FAULTS)
    server.post(REFERENCE)
    visit(page, server, "/rooms/room-1")
    page.evaluate(NOTE_PUSHES)
    with without_reload(page):
        button(page).click()
        server.kill()
        expect_lost(page)
        expect(page.locator("body")).to_have_class("out-of-date")
        server.start()
        expect_paused(page)
        expect(page.locator("body")).not_to_have_class("out-of-date")
        server.post(body(user_id="u2"))
        wait_for_push(page)
        expect(row(page, "u2")).to_have_count(0)
        button(page).click()
        expect(row(page, "u2")).to_be_visible()


def test_a_page_that_is_looked_at_again_is_still_paused(context: BrowserContext, server: Server) -> None:
    page = context.new_page()
    page.add_init_script(HIDEABLE % "false")
    server.post(REFERENCE)
    visit(page, server, "/rooms/room-1")
    button(page).click()
    expect_paused(page)
    hide(page)
    expect_viewers(server, 0)
    server.post(body(user_id="u2"))
    page.evaluate(NOTE_PUSHES)
    look_at(page)
    expect_paused(page)
    wait_for_push(page)
    expect(row(page, "u2")).to_have_count(0)
    button(page).click()
    expect_live(page)
    expect(row(page, "u2")).to_be_visible()


def test_the_focus_is_where_it_was_when_the_page_goes_on(page: Page, server: Server) -> None:
    server.post(REFERENCE)
    visit(page, server, "/rooms/room-1")
    page.evaluate(NOTE_PUSHES)
    row(page, "u1").get_by_role("link").focus()
    page.keyboard.press("p")
    server.post(bad("u2"))
    wait_for_push(page)
    page.keyboard.press("p")
    expect(row(page, "u2")).to_be_visible()
    expect(row(page, "u1").get_by_role("link")).to_be_focused()


@pytest.mark.parametrize("width", [1400, 390])
def test_pausing_moves_nothing_and_can_be_read(page: Page, server: Server, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    server.post(REFERENCE)
    visit(page, server)
    places = """() => [...document.querySelectorAll("#pause, [popovertarget], main, h1")].map((one) => {
      const { x, y, width } = one.getBoundingClientRect();
      return [x, y, width];
    })"""
    live = state(page).evaluate("(pill) => getComputedStyle(pill).borderRadius")
    before = page.evaluate(places)
    button(page).click()
    expect_paused(page)
    assert page.evaluate(places) == before
    assert state(page).evaluate("(pill) => getComputedStyle(pill).borderRadius") != live
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert faint_texts(page) == []
