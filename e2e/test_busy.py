"""A server that has more views to render than it has time for says so on its pages."""

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.calls import body
from playwright.sync_api import Page, expect
from tests.builders import report, stream
from tests.process.raw import Raw
from tests.server import Server

from e2e.pages import state, visit, without_reload
from roompulse.report.model import Entry

USERS, SEARCHES = 500, 150

BUSY = re.compile(r"updates every \d+ s: busy")


def fill(server: Server) -> None:
    for first in range(0, USERS, 100):
        entries = [Entry(f"user-{number}", [stream()]) for number in range(first, first + 100)]
        server.post(body(report("server", metrics=entries)))


@contextmanager
def reports(server: Server) -> Iterator[None]:
    """All users are reported on again and again."""
    done = threading.Event()

    def post() -> None:
        while not done.wait(0.2):
            fill(server)

    sender = threading.Thread(target=post)
    sender.start()
    try:
        yield
    finally:
        done.set()
        sender.join()


@contextmanager
def searches(server: Server) -> Iterator[None]:
    """Viewers of one room with different searches, who read nothing."""
    with ExitStack() as stack:
        for number in range(SEARCHES):
            request = f"GET /rooms/room-1/stream?q={number} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            stack.enter_context(Raw(server.port)).send(request.encode())
        yield


def test_a_page_that_is_slowed_down_says_so_until_it_is_not(page: Page, server: Server) -> None:
    fill(server)
    visit(page, server, "/rooms/room-1")
    expect(state(page)).not_to_have_text(BUSY)
    with without_reload(page), reports(server):
        with searches(server):
            expect(state(page)).to_have_text(BUSY)
        expect(state(page)).to_have_text("Live")
