"""Many windows and tabs: those that are visible share one connection, and those in the background have no stream."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.builders import REFERENCE, body, network, stream
from tests.server import Server

from e2e.conftest import NETWORK_FAULTS, Watch
from e2e.pages import (
    HIDEABLE,
    expect_live,
    expect_lost,
    expect_viewers,
    hide,
    look_at,
    room_path,
    row,
    state,
    user_path,
    visit,
    without_reload,
)
from roompulse.report.model import Entry


@pytest.fixture
def small_server(make_server: Callable[..., Server]) -> Iterator[Server]:
    """With places for two viewers, so that a tab that keeps its stream keeps another one out."""
    with make_server(MAX_VIEWERS=2).running() as server:
        yield server


def open_tab(context: BrowserContext, *, hidden: bool = False) -> Page:
    page = context.new_page()
    page.add_init_script(HIDEABLE % str(hidden).lower())
    return page


def leave(tab: Page, server: Server) -> None:
    """Hide the only tab that is visible: nothing is watched any more."""
    hide(tab)
    expect_viewers(server, 0)


def test_a_hidden_tab_lets_go_of_its_stream_and_takes_it_up_again(context: BrowserContext, server: Server) -> None:
    tab = open_tab(context)
    visit(tab, server)
    expect_viewers(server, 1)
    with without_reload(tab):
        leave(tab, server)
        expect(tab.locator("#connection-word")).to_have_text("In background")
        server.post(REFERENCE)
        look_at(tab)
        expect_live(tab)
        expect(row(tab, "room-1")).to_be_visible()


def test_a_tab_opened_in_the_background_opens_no_stream_until_it_is_looked_at(
    context: BrowserContext, server: Server
) -> None:
    tab = open_tab(context, hidden=True)
    tab.clock.install()
    tab.goto(server.url)
    expect(tab.locator("#connection-word")).to_have_text("In background")
    tab.clock.fast_forward(60_000)
    expect(tab.locator("#connection-word")).to_have_text("In background")
    expect_viewers(server, 0)
    server.post(REFERENCE)
    look_at(tab)
    expect_live(tab)
    expect(row(tab, "room-1")).to_be_visible()


@pytest.mark.chromium  # Firefox does not report an aborted request
@pytest.mark.usefixtures("alone")
def test_a_tab_hidden_while_it_connects_opens_no_stream(context: BrowserContext, server: Server, watch: Watch) -> None:
    tab = open_tab(context)
    tab.route("**/stream*", lambda route: None, times=1)
    tab.goto(server.url)
    with tab.expect_event("requestfailed"):
        hide(tab)
    expect(tab.locator("#connection-word")).to_have_text("In background")
    assert watch.open_streams() == 0
    look_at(tab)
    expect_live(tab)


def test_a_tab_flicked_through_has_one_stream_in_the_end(context: BrowserContext, server: Server) -> None:
    tab = open_tab(context)
    visit(tab, server)
    for _ in range(5):
        tab.evaluate("() => { setHidden(true); setHidden(false); }")
        tab.evaluate("() => { setHidden(true); setHidden(false); setHidden(true); }")
        look_at(tab)
    expect_live(tab)
    server.post(REFERENCE)
    expect(row(tab, "room-1")).to_be_visible()
    expect_viewers(server, 1)


def test_a_server_lost_while_nobody_looked_is_found_out_on_coming_back(
    context: BrowserContext, server: Server, watch: Watch
) -> None:
    watch.allow("net::ERR_|htmx:error")
    tab = open_tab(context)
    visit(tab, server)
    hide(tab)
    server.kill()
    look_at(tab)
    expect(tab.locator("#connection-word")).to_have_text("Disconnected")


def test_eight_tabs_at_once_stay_usable(context: BrowserContext, small_server: Server) -> None:
    tabs: list[Page] = []
    for number in range(8):
        if tabs:
            leave(tabs[-1], small_server)
        tabs.append(open_tab(context))
        visit(tabs[-1], small_server)
        small_server.post(body(room_id=f"room-{number}"))
        expect(row(tabs[-1], f"room-{number}")).to_be_visible()
    leave(tabs[-1], small_server)
    look_at(tabs[0])
    expect_live(tabs[0])
    expect(row(tabs[0], "room-7")).to_be_visible()
    tabs[0].get_by_role("link", name="room-3", exact=True).click()
    expect_live(tabs[0])
    expect_viewers(small_server, 1)


def test_each_of_eight_tabs_is_up_to_date_whenever_it_is_looked_at(
    context: BrowserContext, small_server: Server, watch: Watch
) -> None:
    watch.allow(NETWORK_FAULTS)
    small_server.post(REFERENCE)
    room, user = "/rooms/room-1", user_path("room-1", "u1")
    tabs: list[Page] = []
    for path in ("/", "/?q=room", "/?level=poor", room, f"{room}?q=u", room, user, user):
        tabs.append(open_tab(context))
        visit(tabs[-1], small_server, path)
        leave(tabs[-1], small_server)
    for loss, tab in enumerate(tabs, start=30):
        if loss == 34:
            small_server.kill()
            small_server.start()
        small_server.post(body(metrics=[Entry("u1", [stream(network=network(packet_loss=loss))])]))
        look_at(tab)
        expect_live(tab)
        expect(tab.locator("main")).to_contain_text(f"{loss}.0")
        small_server.post(body(metrics=[Entry("u1", [stream(network=network(packet_loss=loss + 50))])]))
        expect(tab.locator("main")).to_contain_text(f"{loss + 50}.0")
        expect_viewers(small_server, 1)
        leave(tab, small_server)


ROOMS = [f"room-{number}" for number in range(7)]
TEN_PAGES = ["/", *map(room_path, ROOMS), user_path("room-0", "u1"), "/"]
"""Of two windows the same."""


def ten_windows(context: BrowserContext, server: Server) -> list[Page]:
    """All of them visible and live, which by connections of their own at most six would be."""
    for room in ROOMS:
        server.post(body(room_id=room))
    windows = []
    for path in TEN_PAGES:
        windows.append(open_tab(context))
        visit(windows[-1], server, path)
    return windows


def lossy(room: str, packet_loss: float) -> bytes:
    return body(room_id=room, metrics=[Entry("u1", [stream(network=network(packet_loss=packet_loss))])])


def expect_loss_everywhere(windows: list[Page], server: Server, packet_loss: float) -> None:
    for room in ROOMS:
        server.post(lossy(room, packet_loss))
    for window in windows:
        expect(window.locator("main")).to_contain_text(f"{packet_loss}")


@pytest.mark.slow
def test_ten_windows_are_live_by_one_connection_and_each_comes_back_after_its_loss(
    context: BrowserContext, server: Server, watch: Watch
) -> None:
    watch.allow(NETWORK_FAULTS)
    windows = ten_windows(context, server)
    expect_viewers(server, 9)  # two show the same
    expect_loss_everywhere(windows, server, 31.0)
    server.kill()
    for window in windows:
        expect_lost(window)
    server.start()
    for window in windows:
        expect_live(window, 12_000)
    expect_loss_everywhere(windows, server, 33.0)
    windows[0].close()
    windows[1].close()
    hide(windows[2])
    expect_loss_everywhere(windows[3:], server, 32.0)
    expect(windows[2].locator("main")).to_contain_text("33.0")
    look_at(windows[2])
    expect_live(windows[2])
    expect(windows[2].locator("main")).to_contain_text("32.0")


def test_a_window_that_is_paused_holds_back_no_other(context: BrowserContext, server: Server) -> None:
    server.post(lossy("room-1", 31))
    paused, other = open_tab(context), open_tab(context)
    for window in (paused, other):
        visit(window, server, "/rooms/room-1")
    paused.get_by_role("button", name="Pause").click()
    server.post(lossy("room-1", 32))
    expect(other.locator("#users")).to_contain_text("32.0")
    expect(paused.locator("#users")).to_contain_text("31.0")
    expect_viewers(server, 1)


def test_a_window_for_which_there_is_no_place_leaves_the_others_live(
    context: BrowserContext, small_server: Server
) -> None:
    small_server.post(body(room_id="room-1"))
    first, second = open_tab(context), open_tab(context)
    visit(first, small_server)
    second.clock.install()
    second.goto(f"{small_server.url}/rooms/room-1")
    expect(state(second)).to_contain_text("the server is busy")
    small_server.post(body(room_id="room-2"))
    expect(row(first, "room-2")).to_be_visible()
    expect_live(first)
    leave(first, small_server)
    second.clock.fast_forward(16_000)  # Retry-After is 10 s
    expect_live(second)


def test_a_window_that_joins_changes_nothing_that_others_show(context: BrowserContext, server: Server) -> None:
    server.post(REFERENCE)
    window = open_tab(context)
    visit(window, server, "/rooms/room-1")
    expect(row(window, "u1")).to_be_visible()
    window.evaluate("""() => {
      window.swaps = 0;
      document.addEventListener("htmx:after:swap", ({ target }) => { window.swaps += target.id === "stream"; });
      document.getElementById("stream").addEventListener("htmx:sse:before:message", ({ detail }) => {
        if (detail.message.data.includes('"#users"')) document.body.dataset.isSentAgain = "";
      });
    }""")
    visit(open_tab(context), server)
    expect(window.locator("body[data-is-sent-again]")).to_have_count(1)
    assert window.evaluate("window.swaps") == 0


@pytest.mark.chromium  # Firefox does not report the headers that its cache adds
@pytest.mark.usefixtures("alone")
def test_without_a_shared_connection_no_stream_waits_for_the_cache(context: BrowserContext, server: Server) -> None:
    tab = open_tab(context)
    with tab.expect_request("**/stream") as asked:
        tab.goto(server.url)
    # `no-store` on the wire. Firefox holds back a second request of the same URL that might be cached.
    assert asked.value.all_headers()["cache-control"] == "no-cache"
    expect_live(tab)
