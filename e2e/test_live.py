"""Open pages change by themselves, without a reload."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from tests.builders import REFERENCE, body, network, stream
from tests.server import Server

from e2e.conftest import NETWORK_FAULTS, Watch
from e2e.pages import HIDEABLE, expect_live, hide, look_at, row, rows, user_path, visit, without_reload
from roompulse.report.model import LEFT, Entry, Event

BAD = network(rtt=300, jitter=30, packet_loss=5)


def bad(user_id: str = "u1") -> bytes:
    return body(user_id=user_id, metrics=[Entry(user_id, [stream(network=BAD)])])


def test_the_overview_shows_a_room_as_soon_as_it_starts(page: Page, server: Server) -> None:
    visit(page, server)
    expect(page.locator("main")).to_contain_text("No live rooms")
    with without_reload(page):
        server.post(REFERENCE)
        expect(row(page, "room-1")).to_contain_text("4.37")
        server.post(bad())
        expect(row(page, "room-1")).to_contain_text("2.30")
        expect(row(page, "room-1")).to_contain_text("poor")
        expect(page.locator("main")).not_to_contain_text("No live rooms")


def test_a_room_page_shows_reports_and_who_joins(page: Page, server: Server) -> None:
    server.post(REFERENCE)
    visit(page, server, "/rooms/room-1")
    expect(rows(page)).to_have_count(1)
    with without_reload(page):
        server.post(bad("u2"))
        expect(rows(page)).to_have_count(2)
        expect(row(page, "u2")).to_contain_text("5.0 % packet loss sending camera")
        expect(rows(page).first).to_contain_text("u2")  # the worst first
        expect(page.locator("#summary")).to_contain_text("2 users")
        expect(page.locator("#summary")).to_contain_text("1 of 2 users affected")


def test_a_user_page_shows_the_arithmetic_of_each_report(page: Page, server: Server) -> None:
    server.post(REFERENCE)
    visit(page, server, user_path("room-1", "u1"))
    expect(page.locator("td.arithmetic")).to_have_text("4.37 = 4.44 − 0.03 delay − 0.03 loss")
    with without_reload(page):
        server.post(bad())
        expect(page.locator("td.arithmetic")).to_contain_text("2.30 = 4.44")
        expect(page.locator(".reasons")).to_contain_text("370 ms delay sending camera")


@pytest.mark.parametrize("path", ["/rooms/room-1", "/rooms/room-1/users/u1"])
def test_a_page_whose_room_is_not_live_does_not_say_live(
    page: Page, make_server: Callable[..., Server], watch: Watch, path: str
) -> None:
    watch.allow(NETWORK_FAULTS)
    with make_server(STALE_AFTER=3, LEAVE_AFTER=6).running() as server:
        server.post(REFERENCE)
        page.goto(server.url + path)
        word = page.locator("#connection-word")
        for expected in ("Live", "Stale", "No active call"):
            expect(word).to_have_text(expected)
        with without_reload(page):
            server.post(REFERENCE)
            expect(word).to_have_text("Live")


def test_a_user_that_left_a_live_room_is_not_live(page: Page, server: Server) -> None:
    for user_id in ("u1", "u2"):
        server.post(body(user_id=user_id))
    visit(page, server, user_path("room-1", "u1"))
    expect(page.locator("#connection-word")).to_have_text("Live")
    server.post(body(metrics=[], events=[Event(LEFT)]))
    expect(page.locator("#connection-word")).to_have_text("Not in the room")


@pytest.mark.parametrize("path", ["/rooms/room-1", "/rooms/room-1/users/u1"])
def test_a_page_opened_before_its_room_exists_fills_itself(page: Page, server: Server, watch: Watch, path: str) -> None:
    watch.allow("status of 404")
    visit(page, server, path)
    expect(page.locator("main")).to_contain_text("No active call")
    with without_reload(page):
        server.post(REFERENCE)
        expect(page.locator(".headline")).to_contain_text("4.37")
        expect(page.locator(".empty")).to_have_count(0)


def test_a_click_leads_from_the_overview_to_the_room_to_the_user(page: Page, server: Server) -> None:
    server.post(REFERENCE)
    visit(page, server)
    page.get_by_role("link", name="room-1").click()
    row(page, "u1").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("u1")
    page.get_by_role("link", name="room-1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("room-1")


def test_ages_count_up_in_place(page: Page, server: Server, watch: Watch) -> None:
    watch.allow("htmx:error: timeout")  # of a request during which two minutes pass
    server.post(REFERENCE)
    page.clock.install()
    visit(page, server, "/rooms/room-1")
    age = page.locator("#users time")
    assert "UTC" in (age.get_attribute("title") or "")
    page.evaluate("window.time = document.querySelector('#users time')")
    page.clock.pause_at(page.evaluate("Date.now()") / 1_000 + 5)  # from then on only this test moves it
    first = int(age.inner_text().removesuffix(" s ago"))
    for passed in (8, 16):
        page.clock.fast_forward(8_000)
        expect(age).to_have_text(f"{first + passed} s ago")
    page.clock.fast_forward(120_000)
    expect(age).to_have_text("2 min ago")
    assert page.evaluate("window.time.isConnected") is True


def test_ages_do_not_flicker_when_an_update_arrives(page: Page, server: Server) -> None:
    server.post(REFERENCE)
    visit(page, server, "/rooms/room-1")
    expect(page.locator("#users time")).to_contain_text(re.compile("now|ago"))
    page.evaluate("""() => {
      window.seen = new Set();
      const look = () => {
        for (const time of document.querySelectorAll("time:not([data-clock])")) window.seen.add(time.textContent);
        requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    }""")
    for number in range(3):
        server.post(body(user_id=f"new-{number}"))
        expect(row(page, f"new-{number}")).to_be_visible()
    assert [text for text in page.evaluate("[...window.seen]") if "UTC" in text] == []


def test_focus_and_scroll_position_outlive_updates(page: Page, server: Server) -> None:
    server.post(body(user_id="u01", metrics=[Entry(f"u{number:02}", [stream()]) for number in range(40)]))
    visit(page, server, "/rooms/room-1")
    link = row(page, "u30").get_by_role("link")
    link.focus()
    assert page.evaluate("window.scrollY") > 0
    with without_reload(page):
        server.post(bad("u39"))
        expect(rows(page).first).to_contain_text("u39")
        expect(link).to_be_focused()
        expect(link).to_be_in_viewport()
        server.post(bad("u30"))  # which moves the row that has the focus to the top
        expect(rows(page).first).to_contain_text("u30")
    expect(link).to_be_focused()
    assert page.evaluate("window.scrollY") > 0


def expect_icon(page: Page, name: str) -> None:
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile(rf"/{name}\.svg$"))


def test_the_tab_counts_the_users_that_are_poor(page: Page, server: Server) -> None:
    server.post(body(user_id="fine"))
    visit(page, server, "/rooms/room-1")
    expect(page).to_have_title("room-1 · roompulse")
    expect_icon(page, "icon")
    with without_reload(page):
        server.post(bad("u1"))
        expect(page).to_have_title("(1 poor) room-1 · roompulse")
        expect_icon(page, "icon-poor")
        server.post(bad("u2"))
        expect(page).to_have_title("(2 poor) room-1 · roompulse")
        for user in ("u1", "u2"):
            server.post(body(user_id=user, metrics=[Entry(user, [stream()])]))
        expect(page).to_have_title("room-1 · roompulse")
        expect_icon(page, "icon")


def test_the_tab_of_the_list_counts_those_of_all_rooms_also_where_they_are_not_listed(
    page: Page, server: Server
) -> None:
    visit(page, server, "/?q=nowhere")
    for room in ("room-1", "room-2"):
        server.post(body(room_id=room, metrics=[Entry("u1", [stream(network=BAD)])]))
    expect(page).to_have_title("(2 poor) Live rooms · roompulse")


def test_the_tab_of_a_user_says_whether_that_one_is_poor(page: Page, server: Server) -> None:
    server.post(bad("u1"))
    server.post(bad("u2"))
    visit(page, server, user_path("room-1", "u1"))
    expect(page).to_have_title("(1 poor) u1 in room-1 · roompulse")
    server.post(body(user_id="u1", metrics=[Entry("u1", [stream()])]))
    expect(page).to_have_title("u1 in room-1 · roompulse")


def test_the_icon_is_grey_while_the_page_is_not_kept_up_to_date(page: Page, server: Server, watch: Watch) -> None:
    watch.allow(NETWORK_FAULTS)
    page.add_init_script(HIDEABLE % "false")
    server.post(bad("u1"))
    at = server.get("/report/history/room-1/u1").json()["data"][-1]["received_at"]
    visit(page, server, "/rooms/room-1")
    expect_icon(page, "icon-poor")
    hide(page)
    expect_icon(page, "icon-old")
    expect(page).to_have_title("(1 poor) room-1 · roompulse")  # when it was last read
    look_at(page)
    expect_icon(page, "icon-poor")
    page.get_by_role("button", name="Pause").click()
    expect_icon(page, "icon-old")
    page.get_by_role("button", name="Pause").click()
    expect_icon(page, "icon-poor")
    server.kill()
    expect_icon(page, "icon-old")
    server.start()
    expect_live(page, 12_000)
    expect_icon(page, "icon-poor")
    page.goto(f"{server.url}/rooms/room-1?at={at}")
    expect(page).to_have_title("(1 poor) room-1 · roompulse")  # as of then
    expect_icon(page, "icon-old")


def test_reports_in_quick_succession_end_in_the_newest(page: Page, server: Server) -> None:
    visit(page, server)
    for number in range(60):
        server.post(body(user_id=f"u{number}"))
    expect(row(page, "room-1")).to_contain_text("60")
