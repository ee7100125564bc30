"""The worker of the shared connection, run in a page, where a test controls its requests and its clock."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Request
from tests.process import eventually
from tests.server import Server

from e2e.conftest import NETWORK_FAULTS, Watch

RUN_WORKER = """async () => {
  window.name = "/views/stream";
  const script = document.createElement("script");
  script.src = "/static/js/stream_worker.js";
  document.head.append(script);
  await new Promise((loaded) => { script.onload = loaded; });
  window.ports = [];
  window.received = [];
  window.watch = (view) => {
    const { port1, port2 } = new MessageChannel();
    const names = [];
    port1.onmessage = ({ data: [name, ...values] }) => names.push(name === "refused" ? `refused ${values[0]}` : name);
    window.onconnect({ ports: [port2] });
    port1.postMessage(["watch", view]);
    window.ports.push(port1);
    window.received.push(names);
  };
}"""


class Worker:
    """Windows by their number, and the views of each request."""

    def __init__(self, page: Page, server: Server) -> None:
        self.requests: list[list[str]] = []
        self._page = page
        page.on("request", self._on_request)
        page.clock.install()
        page.goto(f"{server.url}/calls")
        page.evaluate(RUN_WORKER)

    def watch(self, *views: str) -> None:
        self._page.evaluate("(views) => views.forEach(window.watch)", list(views))

    def post(self, window: int, message: str) -> None:
        self._page.evaluate("([window_, message]) => window.ports[window_].postMessage([message])", [window, message])

    def received(self, window: int) -> list[str]:
        names: list[str] = self._page.evaluate("(window_) => window.received[window_]", window)
        return names

    def wait(self, milliseconds: int) -> None:
        self._page.clock.run_for(milliseconds)

    def expect_open(self, *windows: int) -> None:
        def all_are() -> bool:
            self.wait(100)
            return all("open" in self.received(window) for window in windows)

        assert eventually(all_are)

    def _on_request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.path == "/views/stream":
            self.requests.append(parse_qs(url.query)["view"])


@pytest.fixture
def worker(page: Page, server: Server, watch: Watch) -> Worker:
    watch.allow("streams at a time")  # the one that is replaced, and the one that replaces it
    watch.allow(NETWORK_FAULTS)
    return Worker(page, server)


def rooms(count: int, first: int = 0) -> list[str]:
    return [f"rooms/room-{number}/stream" for number in range(first, first + count)]


def test_equal_views_are_asked_for_once_and_windows_that_come_together_are_served_together(worker: Worker) -> None:
    worker.watch(*rooms(3), *rooms(3))
    worker.expect_open(*range(6))
    assert worker.requests[-1] == rooms(3)
    assert len(worker.requests) <= 2


def test_a_window_that_crashed_is_watched_for_no_longer(worker: Worker) -> None:
    worker.watch(*rooms(2))
    worker.expect_open(0, 1)
    for _ in range(5):
        worker.wait(10_000)
        worker.post(0, "here")
    worker.wait(2_000)
    assert eventually(lambda: worker.requests[-1] == rooms(1))
    assert worker.received(1)[-1] == "end"
    assert "end" not in worker.received(0)


def test_a_window_that_leaves_and_one_that_comes_are_one_change(worker: Worker) -> None:
    worker.watch(*rooms(2))
    worker.expect_open(0, 1)
    before = len(worker.requests)
    worker.post(1, "leave")
    worker.watch(*rooms(1, first=2))
    worker.expect_open(2)
    worker.wait(2_000)
    assert worker.requests[before:] == [[*rooms(1), *rooms(1, first=2)]]


def test_a_connection_has_at_most_32_views_and_a_browser_four_connections(worker: Worker) -> None:
    worker.watch(*rooms(129))
    worker.expect_open(*range(128))
    assert max(map(len, worker.requests)) == 32
    assert worker.received(128) == ["refused 429"]
    worker.watch(*rooms(1))  # a view that is watched already needs no place
    worker.expect_open(129)


def test_long_urls_are_spread_over_connections(worker: Worker) -> None:
    worker.watch(*(f"rooms/{number}{'%F0%9F%92%BB' * 127}/stream" for number in range(4)))
    worker.expect_open(*range(4))
    assert max(map(len, worker.requests)) == 2  # of 2.6 kB each, where proxies take 8
