"""The JSON stream of a room, with and without its users."""

import json
from typing import Any

import httpx
import pytest

from roompulse.hub.contract import View
from roompulse.web.api.encoded_rooms import EncodedRooms
from roompulse.web.api.stream import RoomJsonView
from tests.api import assert_problem
from tests.builders import NOW, received
from tests.store.test_replay import no_rooms
from tests.timelines import timeline_of


def shown(view: View, event: str = "room") -> Any:
    """The data of the event of this name."""
    *_, name, content = view.render()[event].decode().strip().split("\n")
    assert name == f"event: {event}"
    return json.loads(content.removeprefix("data: "))


def test_without_users_it_is_the_room_and_its_aggregate() -> None:
    rooms = no_rooms()
    rooms.apply(received())
    timeline = timeline_of(rooms, lambda: NOW)
    encoded = EncodedRooms()
    views = [RoomJsonView(rooms, encoded, timeline, "room-1", with_users=wanted) for wanted in (True, False)]
    whole, totals = map(shown, views)
    assert whole.pop("users")
    assert totals == whole
    assert list(totals) == ["room_id", "room_name", "updated_at", "aggregate"]


def test_viewers_with_and_without_users_get_events_of_their_own() -> None:
    rooms = no_rooms()
    timeline = timeline_of(rooms, lambda: NOW)
    encoded = EncodedRooms()
    whole, totals = (RoomJsonView(rooms, encoded, timeline, "1", with_users=wanted) for wanted in (True, False))
    assert whole.key != totals.key


@pytest.mark.parametrize("value", ["", "2", "no", "00"])
async def test_users_are_wanted_or_not_and_nothing_else(client: httpx.AsyncClient, value: str) -> None:
    assert_problem(await client.get(f"/report/stream/room-1?users={value}"), 400, "users: must be 0 or 1")


@pytest.mark.parametrize("query", ["", "?users=0", "?users=1"])
async def test_head_tells_that_there_is_a_stream(client: httpx.AsyncClient, query: str) -> None:
    head = await client.head(f"/report/stream/room-1{query}")
    assert (head.status_code, head.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
    assert "content-encoding" not in head.headers


async def test_the_parameter_is_described(client: httpx.AsyncClient) -> None:
    described = (await client.get("/report/openapi.json")).json()["paths"]["/report/stream/{room_id}"]["get"]
    assert "users" in [parameter["name"] for parameter in described["parameters"]]
