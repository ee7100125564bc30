"""A database that cannot be written is shown on every page, until it can."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from tests.builders import REFERENCE
from tests.process import eventually
from tests.server import Server

from e2e.contrast import faint_texts
from e2e.pages import expect_paused, sideways, visit, without_reload

PATHS = ["/", "/rooms/room-1", "/rooms/room-1/users/u1"]


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Iterator[Server]:
    """One that does not wait long for its database."""
    with make_server(COMMIT_TIMEOUT=0.4).running() as server:
        server.post(REFERENCE)
        yield server


@contextmanager
def locked(server: Server) -> Iterator[None]:
    """Keep the server from writing, as another program that opened its database may."""
    with closing(sqlite3.connect(server.data / "roompulse.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert server.post(REFERENCE).status_code == 503
        yield


def notice(page: Page) -> Locator:
    return page.get_by_role("alert")


def test_it_comes_and_goes_without_reload(page: Page, server: Server) -> None:
    for path in PATHS:
        visit(page, server, path)
        expect(notice(page)).to_be_empty()
        with without_reload(page):
            with locked(server):
                expect(notice(page)).to_contain_text("Database not writable since")
                expect(notice(page)).to_contain_text("reports are being rejected and this page is going stale")
            expect(notice(page)).to_be_empty()
        assert server.post(REFERENCE).status_code == 200


def test_it_is_there_from_the_first_paint_and_without_javascript(
    new_context: Callable[..., BrowserContext], server: Server
) -> None:
    page = new_context(java_script_enabled=False).new_page()
    with locked(server):
        for path in (*PATHS, "/calls", "/rooms/room-1?ago=0"):
            page.goto(server.url + path)
            expect(notice(page)).to_contain_text("UTC: reports are being rejected")


def test_it_is_told_though_the_page_is_paused(page: Page, server: Server) -> None:
    visit(page, server, "/rooms/room-1")
    page.keyboard.press("p")
    expect_paused(page)
    with locked(server):
        expect(notice(page)).to_contain_text("Database not writable")
    expect(notice(page)).to_be_empty()
    expect_paused(page)


def test_it_can_be_read_and_fits(page: Page, server: Server) -> None:
    with locked(server):
        visit(page, server, "/rooms/room-1")
        for width in (1400, 390):
            page.set_viewport_size({"width": width, "height": 900})
            expect(notice(page)).to_be_visible()
            assert faint_texts(page) == []
            assert sideways(page) == 0


def test_it_is_seen_on_a_wall(new_context: Callable[..., BrowserContext], server: Server) -> None:
    page = new_context(viewport={"width": 1920, "height": 1080}).new_page()
    visit(page, server, "/?wall=1")
    with locked(server):
        expect(notice(page)).to_contain_text("Database not writable")
        assert eventually(lambda: page.locator(".notice").bounding_box())
        expect(page.locator(".notice")).to_be_in_viewport(ratio=1)
