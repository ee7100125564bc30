"""The core of the pages in WebKit, for `make browsers`: Playwright's tests cannot drive the WebKit that Debian has."""

from collections.abc import Callable, Iterator

import pytest
from tests.builders import REFERENCE, body, network, stream
from tests.operators import PASSWORD
from tests.server import Server

from e2e.operators import operated
from e2e.webkit import Window, webkit
from roompulse.report.model import Entry

LOSSY = body(user_id="u2", metrics=[Entry("u2", [stream(network=network(packet_loss=20))])])
WORD = "document.querySelector('#connection-word').textContent"


@pytest.fixture(scope="module")
def browser() -> Iterator[Window]:
    with webkit() as window:
        yield window


def in_room(browser: Window, server: Server, path: str = "/rooms/room-1") -> None:
    server.post(REFERENCE)
    browser.visit(server.url + path)
    browser.until_live()


def test_the_list_shows_a_room_as_it_starts(browser: Window, server: Server) -> None:
    browser.visit(f"{server.url}/")
    browser.until_live()
    server.post(REFERENCE)
    browser.until_text("room-1", "main")


def test_a_room_shows_who_joins_without_a_reload(browser: Window, server: Server) -> None:
    in_room(browser, server)
    browser.until_text("4.37", "main")
    browser.evaluate("window.same = true")
    server.post(LOSSY)
    browser.until_text("u2", "main")
    assert browser.evaluate("window.same") is True


def test_a_user_has_a_page_with_the_arithmetic(browser: Window, server: Server) -> None:
    in_room(browser, server, "/rooms/room-1/users/u1")
    browser.until_text("camera", "main")
    assert "4.37" in browser.text("main")


def test_a_moment_of_the_past_is_a_page(browser: Window, server: Server) -> None:
    in_room(browser, server)
    at = server.get("/report/metrics/room-1").json()["data"]["updated_at"] + 0.01
    server.post(LOSSY)
    browser.until_text("u2", "main")
    browser.visit(f"{server.url}/rooms/room-1?at={at}")
    browser.until_text("Viewing history")
    assert "u1" in browser.text("#users")
    assert "u2" not in browser.text("#users")


def test_a_wall_display_has_the_room_alone(browser: Window, server: Server) -> None:
    in_room(browser, server, "/rooms/room-1?wall=1")
    assert "wall" in browser.evaluate("document.body.className")
    browser.until_text("u1", "main")


def test_an_operator_signs_in(browser: Window, make_server: Callable[..., Server]) -> None:
    with operated(make_server) as server:
        server.post(REFERENCE)
        browser.visit(f"{server.url}/rooms/room-1")
        browser.until_text("Sign in", "h1")
        browser.type("input[name=name]", "ada")
        browser.type("input[name=password]", PASSWORD)
        browser.click("main button")
        browser.until_live()
        browser.until_text("u1", "main")


def test_charts_are_drawn(browser: Window, make_server: Callable[..., Server]) -> None:
    with make_server(SNAPSHOT_INTERVAL=1).running() as server:
        in_room(browser, server)
        browser.until("document.querySelectorAll('canvas').length > 0")


def test_a_page_is_paused_and_goes_on_by_keyboard(browser: Window, server: Server) -> None:
    in_room(browser, server)
    browser.press("p")
    browser.until(WORD, equals="Paused")
    server.post(LOSSY)
    browser.press("?")
    browser.until("document.querySelector('dialog[open]') !== null")
    browser.press("\ue00c")  # Escape
    browser.until("document.querySelector('dialog[open]') === null")
    assert "u2" not in browser.text("main")
    browser.press("p")
    browser.until_text("u2", "main")


def test_a_lost_server_looks_lost_and_comes_back(browser: Window, server: Server) -> None:
    in_room(browser, server)
    server.stop()
    browser.until(WORD, equals="Disconnected")
    server.start()
    browser.until_live()


@pytest.mark.parametrize("count", [2, 7])
def test_windows_of_one_browser_are_all_live(browser: Window, server: Server, count: int) -> None:
    server.post(REFERENCE)
    first = browser.handle
    browser.visit(f"{server.url}/rooms/room-1")
    handles = [first, *(browser.open(f"{server.url}/rooms/room-1?page={page}") for page in range(1, count))]
    for handle in handles:
        browser.switch(handle)
        browser.until_live()
    server.post(LOSSY)
    for handle in handles:
        browser.switch(handle)
        browser.until_text("u2", "main")
    browser.switch(first)
