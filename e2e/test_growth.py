"""A page left open under many reports does not grow: `make soak` leaves it open for an hour."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from threading import Event, Thread

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.builders import REFERENCE, body, network, stream
from tests.server import Server

from e2e.conftest import DEADLINE
from e2e.pages import rows, visit
from roompulse.report.model import Entry

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("ROOMPULSE_SOAK", "15"))
RATE = 20
"""Reports a second."""

LEAVE_AFTER = 3
PATHS = ["/", "/rooms/room-1"]
WARM_UP = 1 / 6
"""Share of the time in which a browser compiles hot code, and charts fill."""

LEAST_WARM_UP = 5
"""Seconds."""

ALLOWED = {"Nodes": 20, "JSEventListeners": 2, "JSHeapUsedSize": 1_000_000}
"""By how much a page may grow: the browser keeps compiling, and charts hold the points of 15 minutes."""

CALLS = """() => {
  let count = 0;
  for (const list of document.querySelectorAll("#sessions, #timeline, .marks")) {
    const nodes = document.createNodeIterator(list);
    for (let node = nodes.nextNode(); node; node = nodes.nextNode()) count += 1 + (node.attributes?.length ?? 0);
  }
  return count;
}"""
"""Nodes in the list of the last ten calls, which grows by one each time that all users have left, and in that
of the last hundred events, of which there is one more with each user that comes or goes.

Attributes that a morph has compared are nodes too."""


def reports() -> Iterator[bytes]:
    """Figures change with each report, a user of room-1 comes and goes every second, and so does another room."""
    for number in count():
        user = f"u{number // RATE % 30}"
        figures = network(rtt=number * 7 % 900, packet_loss=number % 13)
        metrics = [Entry(user, [stream(network=figures)]), Entry("u1", [stream(direction="recv", network=figures)])]
        yield body(room_id="room-1", user_id=user, metrics=metrics)
        yield body(room_id=f"room-{number // RATE % 30}", user_id=user, metrics=metrics)


@contextmanager
def reporting(server: Server) -> Iterator[None]:
    stop = Event()

    def post() -> None:
        with server.client() as client:
            for report in reports():
                assert client.post("/report/metrics", content=report).status_code == 200
                if stop.wait(1 / RATE):
                    return

    thread = Thread(target=post)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def held(page: Page) -> dict[str, float]:
    """The least of three measurements: one of them is without garbage."""
    looks = []
    for _ in range(3):
        looks.append(looked_at(page))
        page.wait_for_timeout(300)
    return {name: min(look[name] for look in looks) for name in ALLOWED}


def looked_at(page: Page) -> dict[str, float]:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    session.send("HeapProfiler.collectGarbage")
    metrics = session.send("Performance.getMetrics")["metrics"]
    session.detach()
    found: dict[str, float] = {one["name"]: one["value"] for one in metrics if one["name"] in ALLOWED}
    return found | {"Nodes": found["Nodes"] - page.evaluate(CALLS)}


def held_after(seconds: float, pages: list[Page], server: Server) -> list[dict[str, float]]:
    """The size of the pages after that long under reports, when all users have left again and u1 has joined room-1."""
    with reporting(server):
        pages[0].wait_for_timeout(seconds * 1_000)
        for page in pages:
            expect(rows(page)).not_to_have_count(0)
    for page in pages:
        expect(rows(page)).to_have_count(0, timeout=DEADLINE)
    server.post(REFERENCE)
    for page in pages:
        expect(rows(page)).to_have_count(1)
    return [held(page) for page in pages]


def test_a_page_left_open_holds_no_more_after_a_while_than_at_first(
    new_context: Callable[..., BrowserContext], make_server: Callable[..., Server]
) -> None:
    with make_server(STALE_AFTER=1.5, LEAVE_AFTER=LEAVE_AFTER, SNAPSHOT_INTERVAL=2.5).running() as server:
        pages = [new_context().new_page() for _ in PATHS]
        with reporting(server):  # or the room would be gone before its page is loaded
            for page, path in zip(pages, PATHS, strict=True):
                visit(page, server, path)
            expect(pages[-1].locator("#charts .key b").first).not_to_have_text("–")
        warm = held_after(max(WARM_UP * SECONDS, LEAST_WARM_UP), pages, server)
        after = held_after(SECONDS, pages, server)
        for page, before, now in zip(pages, warm, after, strict=True):
            grown = {name: now[name] - before[name] for name in ALLOWED if now[name] > before[name] + ALLOWED[name]}
            assert grown == {}, page.url
            page.close()
