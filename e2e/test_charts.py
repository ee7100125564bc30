"""Charts of stored history that go on live."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, Route, expect
from tests.builders import REFERENCE, body, network, stream
from tests.server import Server

from e2e.conftest import NETWORK_FAULTS, Watch
from roompulse.report.model import Entry

SOON = 15_000
"""Milliseconds. A change is on the charts up to 1.3 s after the next snapshot, and later on a busy machine."""


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Iterator[Server]:
    """A server that takes snapshots often, but not so often that 15 minutes of them are merged into steps."""
    with make_server(SNAPSHOT_INTERVAL=2.5).running() as server:
        yield server


def lossy(packet_loss: float) -> bytes:
    return body(metrics=[Entry("u1", [stream(network=network(packet_loss=packet_loss))])])


def chart(page: Page, title: str) -> Locator:
    return page.locator("#charts figure").filter(has_text=title)


def newest(page: Page, title: str) -> Locator:
    """The newest figure of the first series of a chart."""
    return chart(page, title).locator(".key b").first


def test_stored_history_is_drawn_and_goes_on_live(page: Page, server: Server) -> None:
    server.post(REFERENCE)
    page.goto(f"{server.url}/rooms/room-1")
    expect(page.locator("#charts canvas")).to_have_count(6)
    expect(newest(page, "Score")).to_have_text("4.37", timeout=SOON)
    expect(page.locator(".chart-note")).to_be_hidden()
    server.post(lossy(5))
    expect(newest(page, "Packet loss")).to_have_text("5.0 %", timeout=SOON)
    server.post(lossy(1))
    expect(newest(page, "Packet loss")).to_have_text("1.0 %", timeout=SOON)


def test_a_room_without_history_says_so_and_fills(page: Page, server: Server, watch: Watch) -> None:
    watch.allow("404")
    page.goto(f"{server.url}/rooms/room-1")
    expect(page.locator(".chart-note")).to_be_visible()
    server.post(REFERENCE)
    expect(newest(page, "rtt")).to_have_text("45 ms", timeout=SOON)
    expect(page.locator(".chart-note")).to_be_hidden()


def test_after_a_lost_server_there_is_no_hole_that_history_can_fill(page: Page, server: Server, watch: Watch) -> None:
    watch.allow(NETWORK_FAULTS)
    fetched: list[str] = []

    def note(route: Route) -> None:
        fetched.append(route.request.url)
        route.continue_()

    page.route("**/report/history/**", note)
    server.post(REFERENCE)
    page.goto(f"{server.url}/rooms/room-1")
    expect(newest(page, "Score")).to_have_text("4.37", timeout=SOON)
    points = server.get("/report/history/room-1").json()["data"]
    server.kill()
    expect(page.locator("#connection")).to_contain_text("Server lost")
    server.start()
    server.post(lossy(7))
    expect(newest(page, "Packet loss")).to_have_text("7.0 %", timeout=SOON)
    # What is asked for begins at the last point that was there.
    assert f"from={points[-1]['timestamp']:.3f}" in fetched[-1]


def test_a_range_is_chosen_and_long_ones_are_merged_by_the_server(page: Page, server: Server) -> None:
    server.post(REFERENCE)
    page.goto(f"{server.url}/rooms/room-1")
    expect(newest(page, "Score")).to_have_text("4.37", timeout=SOON)
    with page.expect_request(lambda request: "step=240" in request.url):
        page.get_by_role("button", name="24 h").click()
    expect(page.get_by_role("button", name="24 h")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="15 min")).to_have_attribute("aria-pressed", "false")
    expect(newest(page, "Score")).to_have_text("4.37", timeout=SOON)


def test_dragging_shows_a_part_of_all_charts_until_the_whole_is_asked_for(page: Page, server: Server) -> None:
    server.post(REFERENCE)
    page.goto(f"{server.url}/rooms/room-1")
    expect(newest(page, "Score")).to_have_text("4.37", timeout=SOON)
    whole = page.get_by_role("button", name="Whole range")
    expect(whole).to_be_hidden()
    box = chart(page, "rtt").locator(".u-over").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 30, steps=4)
    page.mouse.up()
    expect(whole).to_be_visible()
    whole.click()
    expect(whole).to_be_hidden()


def test_the_page_stays_within_a_phone(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    server.post(REFERENCE)
    page.goto(f"{server.url}/rooms/room-1")
    expect(newest(page, "Score")).to_have_text("4.37", timeout=SOON)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
