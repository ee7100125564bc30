"""Charts of stored history that continue live."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Response, expect
from tests.builders import REFERENCE, body, network, stream
from tests.process import eventually
from tests.server import Server

from e2e.conftest import NETWORK_FAULTS, Watch, run
from e2e.pages import room_path
from e2e.scenes import ROOM, store_past
from roompulse.report.model import Entry

SOON = 60_000
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


def stored(server: Server) -> list[Any]:
    snapshots: list[Any] = server.get("/report/history/room-1").json()["data"]
    return snapshots


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
    expect(newest(page, "Packet loss")).to_have_text("5.0", timeout=SOON)
    server.post(lossy(1))
    expect(newest(page, "Packet loss")).to_have_text("1.0", timeout=SOON)


def test_charts_are_drawn_where_the_language_of_the_browser_is_none(page: Page, server: Server) -> None:
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'language', { get: () => 'C' });")
    server.post(REFERENCE)
    page.goto(server.url + room_path("room-1"))
    expect(page.locator("#charts canvas")).to_have_count(6)
    expect(newest(page, "Score")).to_have_text("4.37", timeout=SOON)


def test_a_room_without_history_says_so_and_fills(page: Page, server: Server, watch: Watch) -> None:
    watch.allow("404")
    page.goto(f"{server.url}/rooms/room-1")
    expect(page.locator(".chart-note")).to_be_visible()
    server.post(REFERENCE)
    expect(newest(page, "RTT")).to_have_text("45", timeout=SOON)
    expect(page.locator(".chart-note")).to_be_hidden()


def test_after_a_lost_server_there_is_no_hole_that_history_can_fill(page: Page, server: Server, watch: Watch) -> None:
    watch.allow(NETWORK_FAULTS)
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer) if "/report/history/" in answer.url else None)
    server.post(REFERENCE)
    page.goto(f"{server.url}/rooms/room-1")
    expect(newest(page, "Score")).to_have_text("4.37", timeout=SOON)
    seen = stored(server)
    server.post(lossy(5))
    eventually(lambda: len(stored(server)) > len(seen))
    server.kill()  # when the page has most likely not fetched the last snapshot yet
    expect(page.locator("#connection")).to_contain_text("Disconnected")
    server.start()
    server.post(lossy(7))
    expect(newest(page, "Packet loss")).to_have_text("7.0", timeout=SOON)
    eventually(lambda: page.locator("#charts").get_attribute("data-points") == str(len(stored(server))))
    answered = ([one["timestamp"] for one in answer.json()["data"]] for answer in answers if answer.ok)
    parts = [part for part in answered if part]
    assert sorted({time for part in parts for time in part}) == [one["timestamp"] for one in stored(server)]
    assert all(after[0] == before[-1] for before, after in pairwise(parts))  # and only new points were fetched


def test_the_cursor_on_one_chart_tells_the_figures_of_that_moment_on_all(
    page: Page, make_server: Callable[..., Server], watch: Watch
) -> None:
    watch.allow("404")  # the room is no more live, and so its history stays as it is
    server = make_server()
    run(store_past(server.data))
    with server.running():
        page.goto(server.url + room_path(ROOM))
        expect(page.locator(".chart-note")).to_be_hidden()
        history = server.get(f"/report/history/{ROOM}").json()["data"]
        for title, share in (("RTT", 0.3), ("Frame rate", 0.6)):
            plot = chart(page, title).locator(".u-over")
            plot.scroll_into_view_if_needed()
            box = plot.bounding_box()
            assert box
            page.mouse.move(box["x"] + share * box["width"], box["y"] + 40)
            eventually(partial(is_told_of, page, history, share))
        page.mouse.move(5, 5)
        eventually(lambda: is_told(page, history[-1]))
        page.close()


def is_told_of(page: Page, history: list[Any], share: float) -> bool:
    """Do all charts show the same moment of the 15 minutes, about there?"""
    moment = history[0]["timestamp"] + share * 900
    return any(is_told(page, one) for one in history if abs(one["timestamp"] - moment) < 40)


def is_told(page: Page, snapshot: Any) -> bool:
    """Do the captions of all charts have the figures of this snapshot?"""
    texts = [text.split()[0] for text in page.locator("#charts .key b").all_text_contents()]
    return all(
        float(text) == pytest.approx(figure, abs=0.501 / 10 ** len(text.partition(".")[2]))
        for text, figure in zip(texts, figures(snapshot), strict=True)
    )


def figures(snapshot: Any) -> list[float]:
    """The charts' figures of a snapshot, in their order."""
    video, audio = snapshot["video"], snapshot["audio"]
    spreads = [snapshot[name][part] for name in ("rtt", "packet_loss", "jitter") for part in ("median", "p95")]
    bitrates = [(video[name] + audio[name]) / 1000 for name in ("send_bitrate", "recv_bitrate")]
    return [snapshot["quality"]["score"], *spreads, *bitrates, video["frame_rate"]["avg"], video["frame_rate"]["min"]]


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
    whole = page.get_by_role("button", name="Reset zoom")
    expect(whole).to_be_hidden()
    plot = chart(page, "RTT").locator(".u-over")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
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
