"""A real Janus with three participants, one with a bad link: the bridge's reports of it."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect
from tests.janus import ROOM, find_janus
from tests.server import Server

from e2e.links.janus_room import JanusRoom, janus_room
from e2e.links.relay import Impairment, relays
from e2e.pages import visit

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_janus() is None, reason="there is no janus (python -m tests.janus)"),
]

PATIENCE = 120
"""Seconds; real media on a busy machine take their time."""


@pytest.fixture
def room(tmp_path: Path, server: Server) -> Iterator[JanusRoom]:
    with janus_room(tmp_path, server.url) as room:
        yield room


def users(server: Server) -> dict[str, Any]:
    answer = server.get(f"/report/metrics/{ROOM}")
    return {user["user_id"]: user for user in answer.json()["data"]["users"]} if answer.status_code == 200 else {}


def loss(user: dict[str, Any], direction: str, sender: str | None = None) -> float:
    """Percent of packets lost, as the server measured it, of the stream that lost the most."""
    found = [
        one["network"]["packet_loss"]
        for one in user["streams"]
        if one["reporter_id"] == "janus-1" and one["direction"] == direction and one["network"]
        if sender in (None, one.get("from"))
    ]
    return max(found, default=0.0)


def until(server: Server, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while not ((found := users(server)) and holds(found)):
        assert time.monotonic() < deadline, found
        time.sleep(0.3)
    return found


def measured(user: dict[str, Any]) -> set[tuple[str, str, str | None]]:
    streams = (one for one in user["streams"] if one["reporter_id"] == "janus-1")
    return {(one["stream_id"], one["direction"], one.get("from")) for one in streams}


def of(user: str, *others: str) -> set[tuple[str, str, str | None]]:
    """Janus' figures of a user who sends a camera and a microphone, and receives those of others."""
    names = ("camera", "mic")
    return {(name, "send", None) for name in names} | {(name, "recv", other) for name in names for other in others}


def test_janus_measures_a_bad_uplink_and_the_verdict_names_it(
    room: JanusRoom, server: Server, context: BrowserContext, new_context: Callable[..., BrowserContext]
) -> None:
    with relays() as links:
        room.join(context, 1)
        room.join(context, 2)
        page = room.join(context, 3, links.link(up=Impairment(loss=0.2)))

        def bad(found: dict[str, Any]) -> bool:
            page.wait_for_timeout(1)  # lets the relay of the page answer
            return all(measured(found.get(user, {"streams": []})) == every for user, every in expected.items()) and (
                loss(found["3"], "send") > 8
            )

        expected = {user: of(user, *{"1", "2", "3"} - {user}) for user in ("1", "2", "3")}
        found = until(server, bad)
        assert loss(found["1"], "send") < 8
        assert {user["user_name"] for user in found.values()} == {"1", "2", "3"}
        assert "janus-1" not in found
        assert {one["user_id"] for one in found["1"]["receiving"]} == {"2", "3"}
        watching = new_context().new_page()
        visit(watching, server, f"/rooms/{ROOM}")
        expect(watching.locator("#summary")).to_contain_text(re.compile("3's uplink"))
        visit(watching, server, f"/rooms/{ROOM}/users/3")
        expect(watching.locator("#sends")).to_contain_text("measured by the server")
        page.close()
        until(server, lambda found: set(found) == {"1", "2"})
