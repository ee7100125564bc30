"""The recipes of docs/integrations.md: each page of examples/ as it is, in real calls where no server is needed."""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, WebSocketRoute, expect
from tests.server import Server
from tests.test_docs import ROOT

from e2e.conftest import Watch
from e2e.pages import row, visit
from e2e.sdk.examples import EXAMPLES, HERE, serve_examples

CALLS = {
    "plain.html": ("?user=ben&other=ada", "?user=ada&other=ben"),
    "peerjs.html": ("?user=ben", "?user=ada&other=ben"),
    "simple-peer.html": ("?user=ben&other=ada", "?user=ada&other=ben&initiator=1"),
}
PATIENCE = 120
"""Seconds; real media on a busy machine take their time."""


@pytest.fixture
def examples(server: Server) -> Iterator[str]:
    with serve_examples(server.url) as origin:
        yield origin


class PeerServer:
    """What PeerJS's own server does: hands each message to whom it is for."""

    def __init__(self) -> None:
        self._peers: dict[str, WebSocketRoute] = {}

    def accept(self, socket: WebSocketRoute) -> None:
        (peer,) = parse_qs(urlsplit(socket.url).query)["id"]
        self._peers[peer] = socket
        socket.on_message(lambda text: self._pass_on(peer, text))
        socket.send(json.dumps({"type": "OPEN"}))

    def _pass_on(self, peer: str, text: str | bytes) -> None:
        message = json.loads(text)
        if other := self._peers.get(message.get("dst")):
            other.send(json.dumps(message | {"src": peer}))


def received(server: Server, room: str = "room-1") -> set[tuple[str, str, str]]:
    """Whose stream each user receives with figures: receiver, sender, stream."""
    answer = server.get(f"/report/metrics/{room}")
    users: list[dict[str, Any]] = answer.json()["data"]["users"] if answer.status_code == 200 else []
    return {
        (stream["reporter_id"], user["user_id"], stream["stream_id"])
        for user in users
        for stream in user["streams"]
        if stream["direction"] == "recv" and stream["network"]
    }


def sent(server: Server, user: str) -> set[str]:
    """The streams that a user sends with figures."""
    streams = server.get(f"/report/metrics/room-1/{user}").json()["data"]["streams"]
    return {one["stream_id"] for one in streams if one["direction"] == "send" and one["network"]}


@pytest.mark.parametrize("example", CALLS)
def test_both_users_of_a_call_are_seen_by_name(
    example: str, examples: str, server: Server, context: BrowserContext, new_context: Callable[..., BrowserContext]
) -> None:
    peer_server = PeerServer()
    context.route_web_socket(re.compile("wss://0.peerjs.com/"), peer_server.accept)
    for query in CALLS[example]:
        page = context.new_page()
        page.goto(f"{examples}/{example}{query}")
        page.wait_for_function("document.readyState === 'complete'")
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
        if linked := re.search(r"\]\(\.\./examples/([\w-]+\.\w+)\)", section):
            found[linked[1]] = "".join(re.findall(r"```js\n(.*?)```", section, re.DOTALL))
    return found


def test_every_example_is_documented() -> None:
    assert set(shown()) == {path.name for path in EXAMPLES.iterdir()}


@pytest.mark.parametrize("example", [path.name for path in sorted(EXAMPLES.iterdir())])
def test_each_line_of_a_recipe_is_in_its_example(example: str) -> None:
    lines = {line.strip() for line in (EXAMPLES / example).read_text().splitlines()}
    recipe = [line.partition(" //")[0].strip() for line in shown()[example].splitlines() if line.strip()]
    assert len(recipe) > 1
    assert [line for line in recipe if line not in lines and line != "…"] == []


def test_a_page_that_watches_all_hides_nothing_of_a_library(examples: str, page: Page) -> None:
    page.goto(f"{examples}/simple-peer.html?user=ada&other=ben")
    assert page.evaluate("SimplePeer.WEBRTC_SUPPORT") is True
