"""Pages can be read: on a phone, in the dark, without JavaScript."""

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect
from tests.builders import REFERENCE, body, stream
from tests.server import Server

from e2e.conftest import NETWORK_FAULTS, Watch
from e2e.contrast import faint_texts
from e2e.pages import expect_live, room_path, row, rows, sideways, user_path, visit
from e2e.scenes import ROOM, scene
from e2e.test_ids import ODD_IDS
from roompulse.report.model import Entry

PATHS = ["/", room_path(ROOM), user_path(ROOM, "dolores")]


def set_scene(server: Server) -> None:
    for report in scene():
        assert server.post(report).status_code == 200
    for odd in ODD_IDS:
        assert server.post(body(room_id=ROOM, user_id=odd)).status_code == 200
        assert server.post(body(room_id=odd)).status_code == 200


def test_no_page_scrolls_sideways_on_a_phone(new_context: Callable[..., BrowserContext], server: Server) -> None:
    page = new_context(viewport={"width": 390, "height": 844}).new_page()
    paths = ["/", room_path("x" * 128), user_path(ROOM, "x" * 128)]
    visit(page, server)
    assert sideways(page) == 0
    set_scene(server)
    for path in PATHS + paths:
        visit(page, server, path)
        assert sideways(page) == 0, path


def test_a_wide_table_scrolls_in_its_own_frame(new_context: Callable[..., BrowserContext], server: Server) -> None:
    page = new_context(viewport={"width": 900, "height": 700}).new_page()
    set_scene(server)
    visit(page, server, user_path(ROOM, "dolores"))
    assert sideways(page) == 0
    assert page.locator(".table-scroll").first.evaluate("(frame) => frame.scrollWidth > frame.clientWidth")


def test_every_text_stands_out_from_its_ground(page: Page, make_server: Callable[..., Server], watch: Watch) -> None:
    watch.allow(NETWORK_FAULTS)
    with make_server(STALE_AFTER=1.5).running() as server:
        set_scene(server)
        visit(page, server, room_path(ROOM))
        expect(row(page, "a/b")).to_contain_text("stale")
        assert faint_texts(page) == []
        set_scene(server)
        for path in PATHS:
            visit(page, server, path)
            assert faint_texts(page) == []
        server.kill()
        expect(page.locator("body")).to_have_class("out-of-date")
        assert faint_texts(page) == []


def test_new_figures_do_not_move_the_columns(page: Page, server: Server) -> None:
    server.post(REFERENCE)
    visit(page, server, "/rooms/room-1")
    columns = page.locator("#users thead th")
    before = columns.evaluate_all("(columns) => columns.map((column) => column.getBoundingClientRect().x)")
    for report in scene():
        server.post(report.replace(ROOM.encode(), b"room-1"))
    expect(row(page, "dolores")).to_contain_text("4.8 % packet loss")
    assert columns.evaluate_all("(columns) => columns.map((column) => column.getBoundingClientRect().x)") == before


def test_pages_read_well_without_javascript(new_context: Callable[..., BrowserContext], server: Server) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(server.url)
    expect(page.locator("main")).to_contain_text("No live rooms")
    set_scene(server)
    page.goto(server.url)
    expect(page.locator("#connection-word")).to_have_text("Not live")
    expect(page.locator("#connection-detail")).to_have_text(re.compile(r"as of \d\d:\d\d:\d\d UTC, reload"))
    expect(page.locator("#connection")).to_be_visible()
    row(page, ROOM).get_by_role("link").click()
    expect(row(page, "dolores")).to_contain_text("1.83")
    expect(row(page, "dolores")).to_contain_text("UTC")
    row(page, "dolores").get_by_role("link").click()
    expect(page.locator("#sends td.arithmetic")).to_contain_text("1.83 = 4.44 − 1.05 delay")


def test_long_lists_come_in_pages_that_are_live_too(page: Page, server: Server) -> None:
    server.post(body(user_id="u001", metrics=[Entry(f"u{number:03}", [stream()]) for number in range(1, 104)]))
    visit(page, server, "/rooms/room-1")
    expect(rows(page)).to_have_count(100)
    page.get_by_role("link", name="Page 2").click()
    expect_live(page)
    expect(rows(page)).to_have_count(3)
    server.post(body(user_id="u999"))
    expect(rows(page)).to_have_count(4)


def test_a_page_that_is_not_there_leads_back(page: Page, server: Server, watch: Watch) -> None:
    watch.allow("status of 404")
    page.goto(f"{server.url}/nowhere")
    expect(page.get_by_role("heading")).to_have_text("404 Not Found")
    page.get_by_role("link", name="All live rooms").click()
    expect_live(page)
