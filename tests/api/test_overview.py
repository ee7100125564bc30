"""GET /report/overview: the page of all rooms for programs, and its stream."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from roompulse.intake.intake import Intake
from roompulse.meters import Meters
from roompulse.overview.overview import OverviewQuery, Overviews
from roompulse.overview.rooms_index import RoomsIndex
from roompulse.report.model import Entry
from roompulse.rooms.memory import RoomsInMemory
from roompulse.settings import Settings
from roompulse.web.api.overview import OverviewView
from tests.api import assert_problem, data, serving
from tests.api.test_stream import shown
from tests.builders import NOW, body, network, received, stream
from tests.conftest import Clock
from tests.store.test_replay import no_rooms

PATH = "/report/overview"
LOSSY = [stream(network=network(packet_loss=9))]


async def post(client: httpx.AsyncClient, **fields: Any) -> None:
    assert (await client.post("/report/metrics", content=body(**fields))).status_code == 200


@asynccontextmanager
async def three_rooms(settings: Settings, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """A good room with a name, a poor one and one of which nothing is known."""
    async with serving(settings, clock) as client:
        await post(client, room_id="good", room_name="Stand-up", metrics=[Entry("u1", [stream()], user_name="Ann")])
        await post(client, room_id="poor", metrics=[Entry("u1", LOSSY)])
        clock.advance(1)
        await post(client, room_id="silent", metrics=[])
        yield client


@pytest.fixture(scope="module")
async def three(make_settings: Callable[[], Settings]) -> AsyncIterator[httpx.AsyncClient]:
    """For tests that only read."""
    async with three_rooms(make_settings(), Clock()) as client:
        yield client


def ids(overview: Any) -> list[str]:
    return [room["room_id"] for room in overview["rooms"]]


async def test_it_has_the_totals_and_the_rooms_worst_first(three: httpx.AsyncClient) -> None:
    overview = await data(three, PATH)
    assert list(overview) == ["totals", "rooms", "count"]
    assert overview["totals"] == {
        "rooms": 3,
        "users": 3,
        "good": 1,
        "fair": 0,
        "poor": 1,
        "unknown": 1,
        "reports_per_second": 0.3,
        "received_at": NOW + 1,
    }
    assert (ids(overview), overview["count"]) == (["poor", "good", "silent"], 3)


async def test_a_room_is_what_its_page_shows(three: httpx.AsyncClient) -> None:
    room = (await data(three, f"{PATH}?q=good"))["rooms"][0]
    whole = await data(three, "/report/metrics/good")
    assert room == {
        "room_id": "good",
        "room_name": "Stand-up",
        "aggregate": whole["aggregate"],
        "received_at": NOW,
        "stale": False,
    }


@pytest.mark.parametrize(
    ("query", "found", "count"),
    [
        ("q=STAND", ["good"], 1),
        ("q=OO", ["poor", "good"], 2),
        ("q=nothing", [], 0),
        ("level=poor", ["poor"], 1),
        ("level=fair", [], 0),
        ("order=id", ["good", "poor", "silent"], 3),
        ("order=newest", ["silent", "good", "poor"], 3),
        ("order=id&limit=1", ["good"], 3),
        ("order=id&offset=1&limit=1", ["poor"], 3),
        ("offset=3", [], 3),
    ],
)
async def test_it_is_searched_filtered_ordered_and_paged(
    three: httpx.AsyncClient, query: str, found: list[str], count: int
) -> None:
    overview = await data(three, f"{PATH}?{query}")
    assert (ids(overview), overview["count"], overview["totals"]["rooms"]) == (found, count, 3)


@pytest.mark.parametrize("path", [PATH, "/report/stream"])
@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("order=best", "order: must be score, worst, affected, users, loss, rtt, newest, id, not 'best'"),
        ("level=bad", "level: must be good, fair, poor, unknown, not 'bad'"),
        ("limit=0", "limit: must be between 1 and 1000"),
        ("limit=1.5", "limit: must be a whole number"),
        ("offset=-1", "offset: must be between 0 and"),
        ("offset=x", "offset: must be a number"),
    ],
)
async def test_what_cannot_be_asked_for_is_named(three: httpx.AsyncClient, path: str, query: str, says: str) -> None:
    assert_problem(await three.get(f"{path}?{query}"), 400, says)


async def test_without_rooms_it_is_empty_and_nothing_is_made_up(client: httpx.AsyncClient) -> None:
    overview = await data(client, PATH)
    assert (overview["rooms"], overview["count"]) == ([], 0)
    assert (overview["totals"]["rooms"], overview["totals"]["received_at"]) == (0, None)


async def test_a_client_that_has_it_gets_304(settings: Settings, clock: Clock) -> None:
    async with three_rooms(settings, clock) as three:
        tag = (await three.get(PATH)).headers["etag"]
        assert (await three.get(PATH, headers={"If-None-Match": tag})).status_code == 304
        clock.advance(60)
        assert (await three.get(PATH, headers={"If-None-Match": tag})).status_code == 200


async def test_head_tells_that_there_is_a_stream(three: httpx.AsyncClient) -> None:
    head = await three.head("/report/stream")
    assert (head.status_code, head.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")


def overviews_of(rooms: RoomsInMemory, clock: Clock) -> Overviews:
    return Overviews(RoomsIndex(rooms, dict), Intake(Meters(), clock), clock)


def test_an_event_of_the_stream_is_the_answer(clock: Clock) -> None:
    rooms = no_rooms()
    view = OverviewView(overviews_of(rooms, clock), OverviewQuery(q="1"))
    for room_id in ("room-1", "room-2"):
        rooms.apply(received(room_id=room_id))
    overview = shown(view, "overview")
    assert (ids(overview), overview["count"], overview["totals"]["rooms"]) == (["room-1"], 1, 2)
    rooms.expire(NOW + 60)
    assert shown(view, "overview")["rooms"] == []


def test_viewers_of_different_queries_get_events_of_their_own(clock: Clock) -> None:
    overviews = overviews_of(no_rooms(), clock)
    assert OverviewView(overviews, OverviewQuery()).key != OverviewView(overviews, OverviewQuery(limit=1)).key
