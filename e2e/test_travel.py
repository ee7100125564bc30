"""Time travel: pages of the past, the way there and back, ended calls, and charts of a user's streams."""

import csv
import re
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from tests.builders import REFERENCE, body, network, stream, video
from tests.server import Server

from e2e.conftest import Watch
from e2e.pages import choose, expect_live, row, rows, state, user_path, visit, without_reload
from e2e.test_charts import SOON, chart, lossy, newest
from roompulse.report.model import Entry


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Iterator[Server]:
    """A server that takes snapshots often."""
    with make_server(SNAPSHOT_INTERVAL=0.5).running() as server:
        yield server


@pytest.fixture
def impatient(make_server: Callable[..., Server]) -> Iterator[Server]:
    """A server that takes snapshots often, and from which users leave soon."""
    with make_server(SNAPSHOT_INTERVAL=0.5, STALE_AFTER=4, LEAVE_AFTER=8).running() as server:
        yield server


def history(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.get("/report/history/room-1").json()["data"]
    return found


def loss_of(server: Server) -> float:
    """Post a change of room-1, and return a time at which it shows and the next one does not."""
    samples = server.get("/report/history/room-1/u1").json()["data"]
    at: float = samples[-1]["received_at"]
    return at


def expect_past(page: Page) -> None:
    expect(state(page)).to_have_attribute("data-state", "past")
    expect(page.locator("#connection-word")).to_have_text("History")


def tile(page: Page, name: str) -> Locator:
    return page.locator(".tile").filter(has_text=name).locator("dd").first


def test_a_moment_of_the_past_is_as_it_was_and_one_click_leads_back(page: Page, server: Server) -> None:
    server.post(lossy(7))
    at = loss_of(server)
    server.post(lossy(1))
    visit(page, server, "/rooms/room-1")
    expect(tile(page, "Packet loss")).to_have_text("1.0 %")
    page.goto(f"{server.url}/rooms/room-1?at={at}")
    expect_past(page)
    expect(tile(page, "Packet loss")).to_have_text("7.0 %")
    # Its ages are those of then, and stand still; nothing that is pushed now is shown.
    expect(page.locator("#users time")).to_have_text("just now")
    with without_reload(page):
        server.post(lossy(3))
        expect(tile(page, "Packet loss")).to_have_text("7.0 %")
    row(page, "u1").get_by_role("link").click()
    expect_past(page)
    expect(page.locator("#sends")).to_contain_text("7.0 %")
    page.locator(".to-live").click()
    expect_live(page)
    expect(page.locator("#sends")).to_contain_text("3.0 %")


def test_a_click_on_a_chart_shows_that_moment(page: Page, server: Server) -> None:
    server.post(lossy(7))
    page.goto(f"{server.url}/rooms/room-1")
    expect(newest(page, "Packet loss")).to_have_text("7.0", timeout=SOON)
    worst = {one["timestamp"] for one in history(server) if one["packet_loss"]["max"] == 7}
    plot = chart(page, "RTT").locator(".u-over")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 20)  # nearest is the first point there is
    expect_past(page)
    # Several snapshots are one point here, which shows the worst of them.
    assert float(parse_qs(urlsplit(page.url).query)["at"][0]) in worst
    expect(tile(page, "Packet loss")).to_have_text("7.0 %")
    # Charts end at that moment too.
    expect(newest(page, "Packet loss")).to_have_text("7.0", timeout=SOON)


def test_dragging_a_chart_is_no_click(page: Page, server: Server) -> None:
    server.post(REFERENCE)
    visit(page, server, "/rooms/room-1")
    expect(newest(page, "Score")).to_have_text("4.37", timeout=SOON)
    plot = chart(page, "RTT").locator(".u-over")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 30, steps=4)
    page.mouse.up()
    expect(page.get_by_role("button", name="Reset zoom")).to_be_visible()
    expect_live(page)


def test_how_far_back_is_chosen_and_becomes_an_address_that_others_can_open(
    page: Page, server: Server, watch: Watch
) -> None:
    watch.allow("404")
    server.post(REFERENCE)
    visit(page, server, "/rooms/room-1")
    page.get_by_role("button", name="Freeze now").click()
    expect_past(page)
    expect(row(page, "u1")).to_contain_text("4.37")
    shared = page.get_by_role("link", name="Link to this moment").get_attribute("href")
    assert shared
    assert page.url == f"{server.url}/{shared}"
    page.get_by_role("link", name="− 1 min").click()
    expect_past(page)
    expect(page.locator("#summary")).to_contain_text("No call at that time")


@pytest.mark.parametrize(("zone", "hour"), [("local", "17:00:05"), ("UTC", "11:30:05")])
def test_a_time_is_given_in_the_zone_that_the_operator_reads(
    new_context: Callable[..., BrowserContext], server: Server, watch: Watch, zone: str, hour: str
) -> None:
    watch.allow("404")
    page = new_context(timezone_id="Asia/Kolkata").new_page()
    server.post(REFERENCE)
    visit(page, server, "/rooms/room-1")
    if zone == "UTC":
        choose(page, "UTC")
    page.locator(".travel input[name=at]").fill(f"2026-01-02T{hour}")
    page.get_by_role("button", name="Go").click()
    expect_past(page)
    assert parse_qs(urlsplit(page.url).query)["at"] == ["1767353405"]
    expect(page.locator(".travel input[name=at]")).to_have_value(f"2026-01-02T{hour}")
    expect(page.locator(".past-mark")).to_contain_text(f"2026-01-02 {hour}")


def test_an_ended_room_is_found_and_opened_at_its_worst(page: Page, impatient: Server, watch: Watch) -> None:
    watch.allow("404")
    impatient.post(lossy(7))
    visit(page, impatient, "/rooms/room-1")
    expect(page.locator("#sessions")).to_contain_text("live", timeout=SOON)
    expect(page.locator("#summary")).to_contain_text("No active call", timeout=SOON)
    expect(page.locator("#sessions .state-ended")).to_have_text("ended", timeout=SOON)
    visit(page, impatient, "/")
    page.get_by_role("link", name="Calls").click()
    expect(rows(page)).to_have_count(1)
    found = row(page, "room-1")
    expect(found).to_contain_text("poor")
    found.locator("td[data-label='Worst minute'] a").click()
    expect_past(page)
    expect(tile(page, "Packet loss")).to_have_text("7.0 %")


def test_a_user_that_left_is_said_to_have_left(page: Page, impatient: Server) -> None:
    impatient.post(REFERENCE)
    visit(page, impatient, user_path("room-1", "u1"))
    expect(page.locator("#visits")).to_contain_text("in the room since", timeout=SOON)
    expect(page.locator("#user")).to_contain_text("This user is not in the room", timeout=SOON)
    expect(page.locator("#visits .state-left")).to_have_text("left", timeout=SOON)


class TestCharts:
    """Charts of one stream on the page of a user."""

    def test_are_of_the_first_stream_and_go_on_live(self, page: Page, server: Server) -> None:
        server.post(REFERENCE)
        visit(page, server, user_path("room-1", "u1"))
        expect(page.locator("#charts canvas")).to_have_count(7)
        expect(page.locator("#charted")).to_have_text("camera")
        shown = {"Score": "4.37", "RTT": "45", "Bitrate": "1200", "Frame rate": "25"}
        for title, figure in shown.items():
            expect(newest(page, title)).to_have_text(figure, timeout=SOON)
        smaller = stream(video=video(width=640, height=360), network=network(packet_loss=5))
        server.post(body(metrics=[Entry("u1", [smaller])]))
        expect(newest(page, "Packet loss")).to_have_text("5.0", timeout=SOON)
        expect(newest(page, "Resolution")).to_have_text("640", timeout=SOON)

    def test_are_of_the_stream_that_is_chosen_also_of_how_others_receive_it(self, page: Page, server: Server) -> None:
        mic = stream("mic", video=None, network=network(rtt=11))
        server.post(body(metrics=[Entry("u1", [stream(), mic])]))
        received = stream("camera", "recv", network=network(rtt=333))
        server.post(body(user_id='u/"2', metrics=[Entry("u1", [received])]))
        visit(page, server, user_path("room-1", "u1"))
        expect(newest(page, "RTT")).to_have_text("45", timeout=SOON)
        for section, link, figure, title in (
            ("#sends", "mic", "11", "mic"),
            ("#others", "camera", "333", 'camera as received by u/"2'),
        ):
            line = page.locator(f"{section} tbody tr").filter(has_text=link)
            line.get_by_role("link", name="chart").click()
            expect(page.locator("#charted")).to_have_text(title)
            expect(newest(page, "RTT")).to_have_text(figure, timeout=SOON)
        server.post(body(user_id='u/"2', metrics=[Entry("u1", [stream("camera", "recv", network=network(rtt=99))])]))
        expect(newest(page, "RTT")).to_have_text("99", timeout=SOON)
        expect(page.locator("#others a[data-history]")).to_have_attribute("aria-current", "true")

    def test_begin_with_the_first_stream_that_comes(self, page: Page, server: Server, watch: Watch) -> None:
        watch.allow("404")
        visit(page, server, user_path("room-1", "u1"))
        expect(page.locator("#charted")).to_have_text("")
        server.post(REFERENCE)
        expect(page.locator("#charted")).to_have_text("camera", timeout=SOON)
        expect(newest(page, "Score")).to_have_text("4.37", timeout=SOON)

    def test_of_the_past_end_then(self, page: Page, server: Server) -> None:
        server.post(lossy(7))
        at = loss_of(server)
        server.post(lossy(1))
        page.goto(f"{server.url}{user_path('room-1', 'u1')}?at={at}")
        expect(newest(page, "Packet loss")).to_have_text("7.0", timeout=SOON)


def test_the_range_that_was_chosen_is_there_on_the_next_page(page: Page, server: Server) -> None:
    server.post(REFERENCE)
    visit(page, server, "/rooms/room-1")
    page.get_by_role("button", name="6 h").click()
    visit(page, server, user_path("room-1", "u1"))
    expect(page.get_by_role("button", name="6 h")).to_have_attribute("aria-pressed", "true")


def test_what_is_on_screen_is_downloaded(page: Page, server: Server) -> None:
    server.post(REFERENCE)
    visit(page, server, "/rooms/room-1")
    expect(newest(page, "Score")).to_have_text("4.37", timeout=SOON)
    link = page.locator('#exports a[href*="users.csv"]')
    expect(link).to_have_attribute("href", re.compile(r"from=\d+\.\d+&to=\d+\.\d+"))
    with page.expect_download() as downloading:
        link.click()
    assert downloading.value.suggested_filename == "room-1-users.csv"
    table = list(csv.DictReader(StringIO(downloading.value.path().read_text("utf-8-sig"))))
    assert [(line["user_id"], line["score"]) for line in table] == [("u1", "4.37")]


def test_pages_of_the_past_stay_within_a_phone(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    server.post(REFERENCE)
    at = loss_of(server)
    for path in ("/calls", f"/rooms/room-1?at={at}", f"/rooms/room-1/users/u1?at={at}"):
        page.goto(server.url + path)
        expect(page.locator("h1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
