"""A silent user turns stale, leaves, and the room ends: on open pages."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.builders import REFERENCE, body
from tests.server import Server

from e2e.conftest import Watch
from e2e.pages import row, rows, user_path, visit, without_reload


@pytest.fixture
def hasty_server(make_server: Callable[..., Server]) -> Iterator[Server]:
    with make_server(STALE_AFTER=1, LEAVE_AFTER=2.5).running() as server:
        yield server


def test_a_user_turns_stale_and_leaves_and_the_room_ends(page: Page, hasty_server: Server) -> None:
    hasty_server.post(body(user_id="u1"))
    visit(page, hasty_server, "/rooms/room-1")
    with without_reload(page):
        expect(row(page, "u1")).to_contain_text("stale")
        hasty_server.post(body(user_id="u2"))
        expect(row(page, "u2")).not_to_contain_text("stale")
        expect(row(page, "u1")).to_have_count(0)
        expect(rows(page)).to_have_count(1)
        expect(page.locator("#summary")).to_contain_text("No active call")
        expect(page.locator("#users")).to_be_empty()
        hasty_server.post(body(user_id="u3"))
        expect(row(page, "u3")).to_be_visible()


def test_the_overview_loses_a_room_that_ends(page: Page, hasty_server: Server) -> None:
    hasty_server.post(REFERENCE)
    visit(page, hasty_server)
    with without_reload(page):
        expect(row(page, "room-1")).to_contain_text("stale")
        expect(page.locator("main")).to_contain_text("No live rooms")
        expect(page.locator("#example")).to_contain_text(hasty_server.url)  # put in by script, again after each swap


def test_a_user_page_says_stale_and_then_gone(page: Page, hasty_server: Server, watch: Watch) -> None:
    hasty_server.post(REFERENCE)
    visit(page, hasty_server, user_path("room-1", "u1"))
    with without_reload(page):
        expect(page.locator(".headline")).to_contain_text("stale")
        expect(page.locator("main")).to_contain_text("This user is not in the room")
