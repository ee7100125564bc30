"""The page of all rooms: searched, sorted, filtered and paged by its URL and by its form, and live all the while."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.builders import REFERENCE, body, network, stream
from tests.process import eventually
from tests.server import Server

from e2e.conftest import Watch
from e2e.contrast import faint_texts
from e2e.pages import expect_live, row, rows, visit, without_reload
from roompulse.report.model import Entry, Network

GOOD, LOSSY, SLOW = network(), network(packet_loss=9), network(rtt=420)


def post(server: Server, room_id: str, figures: Network | None = GOOD, users: int = 1) -> None:
    entries = [Entry(f"u{number}", [stream(network=figures)]) for number in range(users)]
    assert server.post(body(user_id="u0", room_id=room_id, metrics=entries)).status_code == 200


def names(page: Page) -> list[str]:
    return page.locator("tbody th").all_inner_texts()


@pytest.fixture
def few(server: Server) -> Server:
    """Four rooms: board 4.37, standup-b with loss, standup-a with delay, townhall with five users."""
    for room_id, figures, users in (
        ("board", GOOD, 1),
        ("standup-a", SLOW, 1),
        ("standup-b", LOSSY, 1),
        ("townhall", GOOD, 5),
    ):
        post(server, room_id, figures, users)
    return server


@pytest.fixture
def many(server: Server) -> Server:
    """120 rooms, of which every fourth is poor."""
    for number in range(120):
        post(server, f"room-{number:03}", LOSSY if number % 4 == 0 else GOOD)
    return server


class TestByItsUrl:
    def test_it_is_worst_first_unless_told_otherwise(self, page: Page, few: Server) -> None:
        visit(page, few)
        assert names(page) == ["standup-b", "standup-a", "board", "townhall"]
        expect(page.locator("th[aria-sort]")).to_have_text(re.compile("Score"))
        for sort, first in (("users", "townhall"), ("loss", "standup-b"), ("rtt", "standup-a"), ("id", "board")):
            visit(page, few, f"/?sort={sort}")
            assert names(page)[0] == first
        visit(page, few, "/?sort=newest")
        assert names(page) == ["townhall", "standup-b", "standup-a", "board"]

    def test_it_searches_and_filters(self, page: Page, few: Server) -> None:
        visit(page, few, "/?q=STAND&sort=id")
        assert names(page) == ["standup-a", "standup-b"]
        expect(page.locator(".found")).to_have_text("2 matches among 4 live rooms")
        visit(page, few, "/?level=poor")
        expect(row(page, "standup-b")).to_be_visible()
        expect(row(page, "board")).to_have_count(0)

    def test_it_falls_back_where_it_makes_no_sense(self, page: Page, few: Server) -> None:
        visit(page, few, "/?q=&sort=best&level=awful&page=minus&more=1")
        assert names(page) == ["standup-b", "standup-a", "board", "townhall"]
        expect(page.get_by_label("Sort by")).to_have_value("score")
        expect(page.get_by_label("Level")).to_have_value("")

    def test_it_comes_in_pages_whose_links_keep_the_rest(self, page: Page, many: Server) -> None:
        visit(page, many, "/?q=room&sort=id")
        assert names(page) == [f"room-{number:03}" for number in range(50)]
        expect(page.locator(".found")).to_contain_text("1 to 50 of 120")
        page.get_by_role("link", name="Page 2").click()
        expect_live(page)
        expect(page).to_have_url(f"{many.url}/?q=room&sort=id&page=2")
        page.get_by_role("link", name="Page 3").click()
        expect_live(page)
        assert names(page) == [f"room-{number:03}" for number in range(100, 120)]
        expect(page.get_by_role("link", name="Page 4")).to_have_count(0)
        page.get_by_role("columnheader", name="Loss").get_by_role("link").click()
        expect(page).to_have_url(f"{many.url}/?q=room&sort=loss")
        assert names(page)[0] == "room-000"
        visit(page, many, "/?page=77")
        expect(page.locator(".pages")).to_contain_text("Page 3 of 3")


class TestByItsForm:
    def test_it_is_searched_sorted_and_filtered(self, page: Page, few: Server) -> None:
        visit(page, few)
        page.get_by_label("Search", exact=True).fill("stand")
        expect(page).to_have_url(f"{few.url}/?q=stand")
        expect(page.get_by_label("Search", exact=True)).to_be_focused()
        page.get_by_label("Sort by").select_option("Highest RTT")
        expect(page).to_have_url(f"{few.url}/?q=stand&sort=rtt")
        expect_live(page)
        assert names(page) == ["standup-a", "standup-b"]
        expect(page.get_by_label("Search", exact=True)).to_have_value("stand")
        expect(page.get_by_label("Sort by")).to_have_value("rtt")
        page.get_by_label("Level").select_option("poor")
        expect(page).to_have_url(f"{few.url}/?q=stand&level=poor&sort=rtt")
        expect(rows(page)).to_have_count(1)
        page.get_by_role("link", name="Clear").click()
        expect(page).to_have_url(f"{few.url}/?sort=rtt")
        expect(rows(page)).to_have_count(4)

    @pytest.mark.chromium  # the context's JavaScript can be turned off
    def test_it_works_without_javascript(self, new_context: Callable[..., BrowserContext], few: Server) -> None:
        page = new_context(java_script_enabled=False).new_page()
        page.goto(few.url)
        page.get_by_label("Search", exact=True).fill("board")
        page.get_by_role("button", name="Apply").click()
        assert names(page) == ["board"]
        page.get_by_label("Search", exact=True).fill("<b>&")
        page.get_by_role("button", name="Apply").click()
        expect(page.locator("main")).to_contain_text("4 rooms are live. None has an ID or name containing <b>&")
        page.get_by_role("link", name="Show all live rooms").click()
        assert len(names(page)) == 4

    def test_what_is_being_typed_outlives_updates(self, page: Page, few: Server) -> None:
        visit(page, few)
        search = page.get_by_label("Search", exact=True)
        search.press_sequentially("ano")
        post(few, "another")
        expect(rows(page)).to_have_count(1)
        expect(row(page, "another")).to_be_visible()
        expect(search).to_be_focused()
        search.press_sequentially("ther")
        expect(search).to_have_value("another")


class TestLive:
    def test_a_filtered_view_changes_with_its_rooms(self, page: Page, few: Server) -> None:
        visit(page, few, "/?q=stand&sort=id")
        with without_reload(page):
            post(few, "standup-c")
            expect(rows(page)).to_have_count(3)
            post(few, "standup-a", LOSSY)
            expect(row(page, "standup-a")).to_contain_text("9.0")
            assert names(page) == ["standup-a", "standup-b", "standup-c"]

    def test_a_room_that_matches_no_more_disappears_and_comes_back(self, page: Page, few: Server) -> None:
        visit(page, few, "/?level=poor&q=standup-b")
        with without_reload(page):
            expect(row(page, "standup-b")).to_be_visible()
            post(few, "standup-b", GOOD)
            expect(page.locator("main")).to_contain_text("No matching rooms")
            expect(rows(page)).to_have_count(0)
            post(few, "standup-b", LOSSY)
            expect(row(page, "standup-b")).to_contain_text("poor")

    def test_pushes_bring_only_the_page_that_is_looked_at(self, page: Page, many: Server) -> None:
        visit(page, many, "/?sort=id&page=2")
        with without_reload(page):
            post(many, "room-051", LOSSY, users=3)
            expect(row(page, "room-051")).to_contain_text("9.0")
            assert names(page) == [f"room-{number:03}" for number in range(50, 100)]
            post(many, "room-000a")
            expect(page.locator(".found")).to_contain_text("of 121")
            assert names(page)[:2] == ["room-049", "room-050"]

    def test_totals_follow(self, page: Page, few: Server) -> None:
        visit(page, few)
        totals = page.locator("#totals")
        expect(totals).to_contain_text(re.compile(r"Rooms\s*4\s*Users\s*8"))
        with without_reload(page):
            post(few, "another", None, users=2)
            expect(totals).to_contain_text(re.compile(r"Rooms\s*5\s*Users\s*10"))
            expect(totals).to_contain_text(re.compile(r"Reports\s*0\.\d\s/s"))
            expect(totals.locator("time")).to_have_text(re.compile("now|s ago"))

    def test_trends_grow_and_are_there_again_after_a_restart(
        self, page: Page, make_server: Callable[..., Server], watch: Watch
    ) -> None:
        watch.allow("net::ERR_|htmx:|Failed to load")
        with make_server(SNAPSHOT_INTERVAL=0.5).running() as server:
            server.post(REFERENCE)
            visit(page, server)
            trend = row(page, "room-1").get_by_role("img", name="Score over the last 15 minutes")
            expect(trend).to_have_attribute("aria-label", re.compile(r"between 4\.37 and 4\.37"))
            wait_for_snapshot(server)
            server.stop()
            make_older(server, seconds=60)
            server.start()
            post(server, "room-1", LOSSY)
            visit(page, server)
            expect(trend).to_have_attribute("aria-label", re.compile(r"between 2\.\d\d and 4\.37"))
            wait_for_snapshot(server, more_than=1)
            server.stop()
            server.start()
            visit(page, server)
            expect(trend).to_have_attribute("aria-label", re.compile(r"between 2\.\d\d and 4\.37"))


def make_older(server: Server, seconds: int) -> None:
    """Move a stopped server's stored rooms into the past: a trend keeps the worst of every ten seconds."""
    with closing(sqlite3.connect(server.data / "roompulse.db")) as connection, connection:
        connection.execute("UPDATE snapshot SET timestamp = timestamp - ?", (seconds * 1000,))


def wait_for_snapshot(server: Server, more_than: int = 0) -> None:
    eventually(lambda: len(server.get("/report/history/room-1").json()["data"]) > more_than)


class TestItsLook:
    @pytest.fixture
    def stale(self, make_server: Callable[..., Server]) -> Iterator[Server]:
        with make_server(STALE_AFTER=1).running() as server:
            post(server, "poor", LOSSY)
            post(server, "unknown", None)
            yield server

    def test_every_text_stands_out_whatever_its_state(self, page: Page, stale: Server) -> None:
        visit(page, stale, "/?sort=id")
        expect(row(page, "poor")).to_contain_text("stale")
        post(stale, "good", users=2)
        expect(row(page, "good")).to_be_visible()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            assert faint_texts(page) == []

    def test_new_figures_move_neither_columns_nor_rows(self, page: Page, few: Server) -> None:
        visit(page, few, "/?sort=id")
        places = """() => [...document.querySelectorAll("thead th, tbody tr")].map((one) => {
            const box = one.getBoundingClientRect();
            return [box.x, box.y, box.width, box.height];
        })"""
        before = page.evaluate(places)
        post(few, "board", network(rtt=599_999, jitter=9_999, packet_loss=100), users=40)
        expect(row(page, "board")).to_contain_text("100.0")
        assert page.evaluate(places) == before

    def test_shares_and_trends_can_be_read_aloud(self, page: Page, few: Server) -> None:
        visit(page, few)
        expect(row(page, "townhall").locator(".shares")).to_have_text("5 good")
        expect(row(page, "townhall").get_by_role("img")).to_have_attribute(
            "aria-label", "Score over the last 15 minutes: between 4.37 and 4.37"
        )

    def test_it_fits_on_a_phone(self, new_context: Callable[..., BrowserContext], few: Server) -> None:
        page = new_context(viewport={"width": 390, "height": 844}).new_page()
        visit(page, few, "/?q=" + "x" * 120)
        for path in ("/", "/?q=" + "x" * 120, "/?level=poor"):
            visit(page, few, path)
            root = "document.documentElement"
            assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0
