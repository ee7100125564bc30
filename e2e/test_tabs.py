"""Many tabs: six streams are all that a browser opens to one server, so those in the background let go of theirs."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.builders import REFERENCE, body, network, stream
from tests.server import Server

from e2e.conftest import NETWORK_FAULTS, Watch
from e2e.pages import HIDEABLE, expect_live, hide, look_at, row, user_path, visit, without_reload
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


def leave(tab: Page) -> None:
    """Hide a tab, and see that it lets go of its stream."""
    with tab.expect_event("requestfailed"):
        hide(tab)


def test_a_hidden_tab_lets_go_of_its_stream_and_takes_it_up_again(
    context: BrowserContext, server: Server, watch: Watch
) -> None:
    tab = open_tab(context)
    visit(tab, server)
    assert watch.open_streams() == 1
    with without_reload(tab):
        leave(tab)
        expect(tab.locator("#connection-word")).to_have_text("In background")
        assert watch.open_streams() == 0
        server.post(REFERENCE)
        look_at(tab)
        expect_live(tab)
        expect(row(tab, "room-1")).to_be_visible()


def test_a_tab_opened_in_the_background_opens_no_stream_until_it_is_looked_at(
    context: BrowserContext, server: Server, watch: Watch
) -> None:
    tab = open_tab(context, hidden=True)
    tab.clock.install()
    tab.goto(server.url)
    expect(tab.locator("#connection-word")).to_have_text("In background")
    tab.clock.fast_forward(60_000)
    expect(tab.locator("#connection-word")).to_have_text("In background")
    assert watch.open_streams() == 0
    server.post(REFERENCE)
    look_at(tab)
    expect_live(tab)
    expect(row(tab, "room-1")).to_be_visible()


def test_a_tab_hidden_while_it_connects_opens_no_stream(context: BrowserContext, server: Server, watch: Watch) -> None:
    tab = open_tab(context)
    tab.route("**/stream*", lambda route: None, times=1)
    tab.goto(server.url)
    leave(tab)
    expect(tab.locator("#connection-word")).to_have_text("In background")
    assert watch.open_streams() == 0
    look_at(tab)
    expect_live(tab)


def test_a_tab_flicked_through_has_one_stream_in_the_end(context: BrowserContext, server: Server, watch: Watch) -> None:
    tab = open_tab(context)
    visit(tab, server)
    for _ in range(5):
        tab.evaluate("() => { setHidden(true); setHidden(false); }")
        tab.evaluate("() => { setHidden(true); setHidden(false); setHidden(true); }")
        look_at(tab)
    expect_live(tab)
    server.post(REFERENCE)
    expect(row(tab, "room-1")).to_be_visible()
    assert watch.open_streams() == 1


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


def test_eight_tabs_at_once_stay_usable(context: BrowserContext, small_server: Server, watch: Watch) -> None:
    watch.allow("status of 503")  # a place that is just being given up; the next try gets it
    tabs: list[Page] = []
    for number in range(8):
        if tabs:
            hide(tabs[-1])
        tabs.append(open_tab(context))
        visit(tabs[-1], small_server)
        small_server.post(body(room_id=f"room-{number}"))
        expect(row(tabs[-1], f"room-{number}")).to_be_visible()
    hide(tabs[-1])
    look_at(tabs[0])
    expect_live(tabs[0])
    expect(row(tabs[0], "room-7")).to_be_visible()
    tabs[0].get_by_role("link", name="room-3", exact=True).click()
    expect_live(tabs[0])
    assert watch.open_streams() == 1


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
        leave(tabs[-1])
    assert watch.open_streams() == 0
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
        assert watch.open_streams() == 1
        leave(tab)
