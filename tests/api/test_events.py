"""GET /report/events: what happened in a room."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from roompulse.report.model import Entry, Event
from roompulse.settings import Settings
from tests.api import assert_problem, data, serving, url
from tests.api.test_pages import post
from tests.builders import NOW, body, network, stream
from tests.conftest import Clock
from tests.process import soon

EVENTS = "/report/events/room-1"


async def kinds(client: httpx.AsyncClient, path: str = EVENTS) -> list[str]:
    return [event["kind"] for event in await data(client, path)]


async def held(client: httpx.AsyncClient, path: str = EVENTS) -> list[Any]:
    """Changes of a level and a verdict that have lasted; of several workers, one finds them and publishes them."""
    found = [event for event in await data(client, path) if event["kind"] in ("level_changed", "verdict_changed")]
    return found if len(found) > 1 else []


async def test_an_event_has_all_its_fields(kept: httpx.AsyncClient, kept_clock: Clock) -> None:
    now = kept_clock.now
    await post(kept, body(room_id="whole", events=[Event("camera off", int(now) - 5, "camera", "by the user")]))
    empty = {"user_id": None, "stream_id": None, "level": None, "detail": None}
    assert await data(kept, "/report/events/whole") == [
        {
            "time": now - 5,
            "kind": "sdk",
            "user_id": "u1",
            "stream_id": "camera",
            "level": None,
            "text": "camera off",
            "detail": "by the user",
        },
        {"time": now, "kind": "room_started", "text": "call started", **empty},
        {"time": now, "kind": "user_joined", "text": "joined", **empty, "user_id": "u1"},
    ]


async def test_they_are_there_as_soon_as_the_report_is_taken_and_once_it_is_over(
    kept: httpx.AsyncClient, kept_clock: Clock
) -> None:
    now, path = kept_clock.now, "/report/events/over"
    await post(kept, body(room_id="over"))
    assert await kinds(kept, path) == ["room_started", "user_joined"]
    kept_clock.advance(3600)
    assert await kinds(kept, path) == ["room_started", "user_joined", "user_stale", "user_left", "room_ended"]
    assert [event["time"] - now for event in await data(kept, path)] == [0, 0, 15, 60, 60]


async def test_a_level_and_a_verdict_say_since_when_and_why(kept: httpx.AsyncClient, kept_clock: Clock) -> None:
    await post(kept, body(room_id="lossy"))
    kept_clock.advance(12)
    since = kept_clock.now
    for _ in range(3):
        await post(kept, body(room_id="lossy", metrics=[Entry("u1", [stream(network=network(packet_loss=9))])]))
        kept_clock.advance(5)
    level, verdict = await soon(partial(held, kept, "/report/events/lossy"))
    assert (level["time"], level["level"], level["kind"]) == (since, "poor", "level_changed")
    assert level["text"] == "good → poor: 9.0 % packet loss sending camera (−1.9)"
    assert (verdict["time"], verdict["detail"], verdict["user_id"]) == (since, "isolated", None)


async def test_how_long_a_level_has_to_hold_is_a_setting(settings: Settings, clock: Clock) -> None:
    async with serving(replace(settings, event_hold=1), clock) as client:
        await post(client, body(metrics=[Entry("u1", [stream(network=network(packet_loss=9))])]))
        clock.advance(0.5)
        assert (await kinds(client))[2:] == []
        clock.advance(0.5)
        assert [event["kind"] for event in await soon(partial(held, client))] == ["level_changed", "verdict_changed"]


@pytest.fixture(scope="module")
async def happened(make_settings: Callable[[], Settings]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application in which u1 joined at NOW, u2 at NOW + 10, and u1 left at NOW + 13."""
    clock = Clock()
    async with serving(make_settings(), clock) as client:
        await post(client)
        clock.advance(10)
        await post(client, body(user_id="u2"))
        clock.advance(3)
        await post(client, body(user_id="u1", events=[Event("left")]))
        yield client


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"kind": "user_joined"}, ["u1", "u2"]),
        ({"user_id": "u1"}, ["u1", "u1"]),
        ({"user_id": "u1", "kind": "user_left"}, ["u1"]),
        ({"from": NOW + 10}, ["u2", "u1"]),
        ({"to": f"{(NOW + 10) * 1000:.0f}"}, [None, "u1", "u2"]),
        ({"from": "2027-01-15T08:00:11Z"}, ["u1"]),
        ({"limit": 1}, ["u1"]),
        ({"user_id": "nobody"}, []),
        ({"kind": "note"}, []),
    ],
)
async def test_they_are_asked_for_by_time_user_and_kind(
    happened: httpx.AsyncClient, query: dict[str, Any], found: list[str | None]
) -> None:
    events = await data(happened, str(httpx.URL(EVENTS, params=query)))
    assert [event["user_id"] for event in events] == found


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("from=yesterday", "from: must be Unix seconds"),
        ("to=-1", "to: must be Unix seconds"),
        ("from=2&to=1", "from: must not be later than to"),
        ("user_id=%20u1", "user_id: "),
        ("user_id=", "user_id: "),
        ("kind=joined", "kind: must be one of room_started, "),
        ("kind=", "kind: must be one of "),
        ("limit=0", "limit: must be between 1 and 10000"),
        ("limit=1.5", "limit: must be a whole number"),
    ],
)
async def test_a_bad_parameter_is_named(happened: httpx.AsyncClient, query: str, named: str) -> None:
    assert_problem(await happened.get(f"{EVENTS}?{query}"), 400, named)


async def test_a_room_that_was_never_seen_is_404(kept: httpx.AsyncClient) -> None:
    assert_problem(await kept.get("/report/events/room-9"), 404, "room_id: the room 'room-9' has no retained history")


async def test_every_id_has_its_events(kept: httpx.AsyncClient) -> None:
    room_id, user_id = "a/b 100% ö", "../é?"
    await post(kept, body(room_id=room_id, user_id=user_id))
    events = await data(kept, str(httpx.URL(url("report", "events", room_id), params={"user_id": user_id})))
    assert [event["user_id"] for event in events] == [user_id]


async def test_a_report_that_is_sent_again_happened_once(kept: httpx.AsyncClient, kept_clock: Clock) -> None:
    once = body(room_id="again", events=[Event("camera off", int(kept_clock.now), "camera")])
    for _ in range(2):
        await post(kept, once)
        kept_clock.advance(1)
    assert (await kinds(kept, "/report/events/again")).count("sdk") == 1


async def test_a_hostile_sender_is_bounded_and_said_so(kept: httpx.AsyncClient, kept_clock: Clock) -> None:
    path = "/report/events/flooded"
    await post(kept, body(room_id="flooded"))
    assert len(await kinds(kept, path)) == 2
    for start in range(0, 300, 100):
        many = [Event(f"event {start + number}") for number in range(100)]
        await post(kept, body(room_id="flooded", events=many))
    assert (await kinds(kept, path)).count("sdk") == 100
    kept_clock.advance(10)
    (last,) = (await data(kept, path))[-1:]
    assert (last["kind"], last["user_id"], last["text"]) == ("sdk", None, "too many events in 10 s: 200 not kept")


async def test_a_restart_repeats_nothing_and_forgets_nothing(settings: Settings, clock: Clock) -> None:
    async with serving(settings, clock) as client:
        await post(client)
        await post(client, body(user_id="u2"))
    clock.advance(30)
    async with serving(settings, clock) as client:
        assert await kinds(client) == ["room_started", "user_joined", "user_joined", "user_stale", "user_stale"]
        await post(client)
    clock.advance(200)
    async with serving(settings, clock) as client:
        assert (await kinds(client))[5:] == ["user_returned", "user_left", "user_left", "room_ended"]
    async with serving(settings, clock) as client:
        assert len(await kinds(client)) == 9
