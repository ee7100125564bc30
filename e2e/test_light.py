"""Pages are light, load nothing from other origins and nothing twice, and write nothing on the console."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect
from tests.builders import body, stream
from tests.server import Server

from e2e.conftest import run
from e2e.pages import room_path, user_path, visit
from e2e.scenes import ROOM, store_past
from roompulse.report.model import Entry

USERS = [f"user-{number}" for number in range(20)]
PATHS = ["/", room_path(ROOM), user_path(ROOM, "user-7"), "/ingest"]
AT_MOST = 150_000
"""Bytes on the wire, headers included, of a page of 50 rooms, 20 SDKs, or 20 users that all receive each other."""


WORTH_IT = 1_024
"""Bytes of a body: a smaller one is not compressed."""


class Loads:
    """The loads of a page, as seen on the wire."""

    def __init__(self, page: Page) -> None:
        self.sizes: dict[str, int] = {}  # bytes by path
        self.headers: dict[str, dict[str, str]] = {}
        self.uncompressed: list[tuple[str, int]] = []  # body of each answer: charts ask one path again and again
        self._answers: dict[str, tuple[str, int, bool]] = {}
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.responseReceived", self._on_response)
        session.on("Network.loadingFinished", self._on_end)

    def forget(self) -> None:
        self.sizes.clear()

    def _on_response(self, event: dict[str, Any]) -> None:
        path = urlsplit(event["response"]["url"]).path
        self.headers[path] = {name.lower(): value for name, value in event["response"]["headers"].items()}
        head = event["response"]["encodedDataLength"]
        self._answers[event["requestId"]] = path, head, "content-encoding" in self.headers[path]

    def _on_end(self, event: dict[str, Any]) -> None:
        path, head, is_compressed = self._answers.get(event["requestId"], ("", 0, False))
        size = event["encodedDataLength"]
        if path and size:  # answers from the browser's cache have none
            self.sizes[path] = self.sizes.get(path, 0) + size
            if not is_compressed:
                self.uncompressed.append((path, size - head))


@pytest.fixture(scope="module")
def big_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """50 rooms, each of another SDK, of which one has 20 users and a history of 15 minutes."""
    data = tmp_path_factory.mktemp("light") / "data"
    run(store_past(data))
    with Server(data, {}).running() as server:
        for number in range(49):
            server.post(body(room_id=f"room-{number}", sdk_version=f"sdk {number}"))
        for user in USERS:
            received = [Entry(other, [stream(direction="recv")]) for other in USERS if other != user]
            server.post(body(room_id=ROOM, user_id=user, metrics=[Entry(user, [stream()]), *received]))
        yield server


@pytest.mark.parametrize("path", PATHS)
def test_the_first_load_is_light_and_the_second_fetches_no_file_again(
    page: Page, big_server: Server, path: str
) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    loads = Loads(page)
    load(page, big_server, path)
    files = {name for name in loads.sizes if name.startswith("/assets/")}
    assert {name.rpartition("/")[2] for name in files} >= {"roompulse.css", "htmx.min.js", "hx-sse.min.js", "live.js"}
    assert sum(loads.sizes.values()) < AT_MOST
    assert [answer for answer in loads.uncompressed if answer[1] >= WORTH_IT] == []
    assert all("immutable" in loads.headers[name]["cache-control"] for name in files)
    loads.forget()
    load(page, big_server, path)
    assert path in loads.sizes
    assert [name for name in loads.sizes if name.startswith("/assets/")] == []
    assert said == []


def load(page: Page, server: Server, path: str) -> None:
    visit(page, server, path)
    expect(page.locator("tbody tr").nth(19)).to_be_visible()
    expect(page.locator(".chart-note:visible")).to_have_count(0)
    page.wait_for_load_state("load")
