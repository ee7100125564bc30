"""The recipes of docs/integrations.md: each page of examples/ as it is, in real calls where no server is needed."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.server import Server
from tests.test_docs import ROOT

from e2e.conftest import Watch
from e2e.pages import row, visit
from e2e.sdk.calls import PATIENCE
from e2e.sdk.examples import EXAMPLES, HERE, PEER_SERVER, PeerServer, received

CALLS = {
    "plain.html": ("?user=ben&other=ada", "?user=ada&other=ben"),
    "peerjs.html": ("?user=ben", "?user=ada&other=ben"),
    "simple-peer.html": ("?user=ben&other=ada", "?user=ada&other=ben&initiator=1"),
}
LISTENS = """
window.BroadcastChannel = class extends BroadcastChannel {
  constructor(name) {
    super(name);
    window.listens = true;
  }
};
"""
"""Lets a test know that a page receives the other page's signals."""


def sent(server: Server, user: str) -> set[str]:
    """The streams that a user sends with figures."""
    streams = server.get(f"/report/metrics/room-1/{user}").json()["data"]["streams"]
    return {one["stream_id"] for one in streams if one["direction"] == "send" and one["network"]}


@pytest.mark.parametrize("example", CALLS)
def test_both_users_of_a_call_are_seen_by_name(
    example: str, examples: str, server: Server, context: BrowserContext, new_context: Callable[..., BrowserContext]
) -> None:
    peer_server = PeerServer()
    context.route_web_socket(PEER_SERVER, peer_server.accept)
    context.add_init_script(LISTENS)
    for query in CALLS[example]:
        page = context.new_page()
        page.goto(f"{examples}/{example}{query}")
        if example != "peerjs.html":  # its server keeps messages that it cannot deliver yet
            page.wait_for_function("window.listens")
    both = {("ada", "ben", "camera"), ("ada", "ben", "mic"), ("ben", "ada", "camera"), ("ben", "ada", "mic")}
    deadline = time.monotonic() + PATIENCE
    while received(server) != both:
        assert time.monotonic() < deadline, received(server)
        page.wait_for_timeout(200)  # which passes messages on meanwhile
    page = new_context().new_page()
    visit(page, server, "/rooms/room-1")
    for user in ("ada", "ben"):
        expect(row(page, user)).to_be_visible()


def test_a_client_of_mediasoup_is_seen_with_whom_it_receives(examples: str, server: Server, page: Page) -> None:
    """Its real client code; the other end is a connection of the same page (`mediasoup_server.js`)."""
    page.goto(f"{examples}/mediasoup.html?user=u1")
    expected = {("u1", "u2", "camera"), ("u1", "u2", "mic")}
    deadline = time.monotonic() + PATIENCE
    while received(server) != expected:
        assert time.monotonic() < deadline, received(server)
        page.wait_for_timeout(200)


def test_a_client_of_livekit_is_seen_with_whom_it_receives(
    examples: str, server: Server, page: Page, watch: Watch
) -> None:
    """Its real client code; the other end is in the same page (`livekit_server.js`)."""
    watch.allow(r"Failed to load resource: .* 404|\{room: ")  # there is no /rtc/v1, and the client logs that
    page.add_init_script(path=HERE / "call" / "livekit_server.js")
    page.goto(f"{examples}/livekit.html?server={examples.replace('http', 'ws')}&token=t&room=room-1&user=u1")
    expected = {("u1", "u2", "camera"), ("u1", "u2", "mic")}
    deadline = time.monotonic() + PATIENCE
    while received(server) != expected or sent(server, "u1") != {"camera", "mic"}:
        assert time.monotonic() < deadline, (received(server), sent(server, "u1"))
        page.wait_for_timeout(200)


def shown() -> dict[str, str]:
    """The code of docs/integrations.md by the example that it is of."""
    found = {}
    for section in (ROOT / "docs" / "integrations.md").read_text().split("\n## "):
        if linked := re.search(r"\]\(\.\./examples/([\w.-]+)\)", section):
            found[linked[1]] = "".join(re.findall(r"```js\n(.*?)```", section, re.DOTALL))
    return found


def test_every_example_is_documented() -> None:
    assert set(shown()) == {path.name for path in EXAMPLES.iterdir()}


@pytest.mark.parametrize("example", [path.name for path in sorted(EXAMPLES.glob("*.html"))])
def test_each_line_of_a_recipe_is_in_its_example(example: str) -> None:
    lines = {line.strip() for line in (EXAMPLES / example).read_text().splitlines()}
    recipe = [line.partition(" //")[0].strip() for line in shown()[example].splitlines() if line.strip()]
    assert len(recipe) > 1
    assert [line for line in recipe if line not in lines and line != "…"] == []


def test_a_page_that_watches_all_hides_nothing_of_a_library(examples: str, page: Page) -> None:
    page.goto(f"{examples}/simple-peer.html?user=ada&other=ben")
    assert page.evaluate("SimplePeer.WEBRTC_SUPPORT") is True
