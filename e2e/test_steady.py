"""Figures that grow from 3 to 1 234 move nothing that stands beside or below them, wide and on a phone."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.builders import audio, body, network, stream, video
from tests.server import Server

from e2e.pages import user_path, visit, without_reload
from roompulse.report.model import Entry

PLACES = """() => [...document.querySelectorAll(
  ".bar > *, h1, h2, form, .verdict, .verdict p, .level, .counts li, .reasons li, .tile, .tile > *, #charts *:not(b)," +
  ".table-scroll, tr, th, td")]
  .filter((one) => one.checkVisibility() && !one.closest("#sessions, #visits, .marks"))
  .map((one) => [one, one.getBoundingClientRect()])
  .map(([one, { x, y, height }]) => `${one.tagName}.${one.className} ${one.id} ${[x, y, height].map(Math.round)}`)"""
"""Where things stand, and how high they are; a figure may be as wide as it likes where nothing gives way to it.

Calls and visits come last and later, and marks go with time: they are left out."""

SMALL = {
    "network": network(rtt=5, jitter=5, packet_loss=60),
    "video": video(frame_rate=25, codec="H264", frames_dropped=0, freeze_count=0),
    "audio": audio(bitrate=6, codec="opus", level=0, concealed=0),
}
LARGE = {
    "network": network(rtt=1234, jitter=1234, packet_loss=100),
    "video": video(
        frame_rate=120, bitrate=123456, codec="H264", frames_dropped=1234, freeze_count=12, freeze_duration=0
    ),
    "audio": audio(bitrate=1234, codec="opus", level=0.75, concealed=12.5),
}
"""Both poor, for one reason each: texts that appear and disappear have a reserved place."""


def report(parts: dict[str, Any], users: int = 3) -> bytes:
    """u0 sends and receives, and reports that others send."""
    entries = [Entry(f"u{number}", [stream(**parts)]) for number in range(users)]
    entries[0].streams.append(stream(direction="recv", **parts))
    return body(user_id="u0", metrics=entries)


def moved(before: list[str], after: list[str]) -> list[str]:
    kinds = [[place.rpartition(" ")[0] for place in places] for places in (before, after)]
    assert kinds[0] == kinds[1]
    return [f"{then} → {now}" for then, now in zip(before, after, strict=True) if then != now]


@pytest.fixture(params=[1400, 390])
def page(request: pytest.FixtureRequest, new_context: Callable[..., BrowserContext]) -> Page:
    return new_context(viewport={"width": request.param, "height": 900}).new_page()


def test_more_users_and_higher_figures_move_nothing_on_the_list(page: Page, server: Server) -> None:
    for room_id in ("before", "room-1", "zebra"):
        server.post(report(SMALL).replace(b"room-1", room_id.encode()))
    visit(page, server, "/?sort=id")
    before = page.evaluate(PLACES)
    with without_reload(page):
        server.post(report(LARGE, users=1234))
        expect(page.locator("#room-room-1")).to_contain_text("1234")
        assert moved(before, page.evaluate(PLACES)) == []


@pytest.mark.parametrize(("path", "charted"), [("/rooms/room-1", "^0$"), (user_path("room-1", "u0"), "^[1-9]")])
def test_higher_figures_move_nothing_on_the_page_of(
    page: Page, make_server: Callable[..., Server], path: str, charted: str
) -> None:
    # The first point makes the charts appear: that of a user is there by then, and that of a room does not come.
    with make_server(SNAPSHOT_INTERVAL=86_400).running() as server:
        server.post(report(SMALL))
        visit(page, server, path)
        expect(page.locator("#charts")).to_have_attribute("data-points", re.compile(charted))
        before = page.evaluate(PLACES)
        with without_reload(page):
            server.post(report(LARGE))
            expect(page.locator("main")).to_contain_text("3712 ms delay")
            assert moved(before, page.evaluate(PLACES)) == []
        page.close()


def test_more_reports_and_refusals_move_nothing_on_the_ingest_page(page: Page, server: Server) -> None:
    server.post(body(sdk_version="ios 0.9", report_time=-1))
    server.post(body(sdk_version="ios 0.9", report_time=int(time.time())))
    visit(page, server, "/ingest")
    before = page.evaluate(PLACES)
    with without_reload(page):
        for number in range(11):
            server.post(body(sdk_version="ios 0.9", report_time=-1))
            server.post(body(sdk_version="ios 0.9", report_time=number))
        expect(page.locator(".refusals")).to_contain_text("12")
        expect(page.locator(".versions")).to_contain_text("11")
        assert moved(before, page.evaluate(PLACES)) == []


def test_more_users_move_nothing_above_the_list_of_them(page: Page, server: Server) -> None:
    server.post(report(LARGE))
    visit(page, server, "/rooms/room-1")
    places = PLACES.replace("one.checkVisibility()", "!one.closest('#users, #pairs, #charts, .timeline')")
    before = page.evaluate(places)
    with without_reload(page):
        server.post(report(LARGE, users=1234))
        expect(page.locator("#summary")).to_contain_text("1234 users")
        assert moved(before, page.evaluate(places)) == []


def test_higher_figures_in_the_captions_of_charts_move_nothing(page: Page, make_server: Callable[..., Server]) -> None:
    with make_server(SNAPSHOT_INTERVAL=1).running() as server:
        server.post(report(SMALL))
        visit(page, server, "/rooms/room-1")
        expect(page.locator("figcaption").filter(has_text="rtt")).to_contain_text("median 5")
        places = PLACES.replace("(one) => one.checkVisibility()", "(one) => one.closest('#charts')")
        before = page.evaluate(places)
        server.post(report(LARGE))
        expect(page.locator("figcaption").filter(has_text="rtt")).to_contain_text("1234")
        assert moved(before, page.evaluate(places)) == []
        page.close()
