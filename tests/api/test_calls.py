"""Calls: their list and the report on one, as JSON and as pages; users of ended calls found by name."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from roompulse.report.model import Device, Entry, Event
from roompulse.settings import Settings
from tests.api import assert_problem, data, url
from tests.api.test_overview import LOSSY
from tests.api.test_pages import links, page, words
from tests.builders import NOW, stream
from tests.calls import Calls
from tests.conftest import Clock

BAD = Entry("u1", LOSSY, device=Device(browser="Chrome 136", os="Android 15"), user_name="Ann Smith")
GOOD = Entry("u2", [stream()])


@pytest.fixture
async def calls(settings: Settings, clock: Clock) -> AsyncIterator[Calls]:
    async with Calls.of(settings, clock) as calls:
        calls.core.engine.is_the_one = True  # the one that records, with one or several workers
        yield calls


@pytest.fixture(scope="module")
async def ended(make_settings: Callable[[], Settings]) -> AsyncIterator[Calls]:
    """A call that has ended, and one that is live, for tests that only read them."""
    async with Calls.of(make_settings(), Clock()) as calls:
        calls.core.engine.is_the_one = True  # the one that records, with one or several workers
        await two_calls(calls)
        yield calls


async def two_calls(calls: Calls) -> None:
    """A call of two minutes between u1, who is poor in the second one, and u2; then one of u3 in another room."""
    for second in range(0, 120, 10):
        bad = replace(BAD, streams=LOSSY if second > 60 else [stream()])
        await calls.post(second, "u1", [bad], room_name="Stand-up")
        await calls.post(second, "u2", [GOOD])
        await calls.look()
    await calls.wait(60)
    await calls.post(200, "u3", [Entry("u3", [stream()])], room_id="room-2")
    await calls.look()


async def report(calls: Calls) -> Any:
    return await data(calls.client, f"/report/calls/room-1/{NOW}")


async def test_ended_and_live_calls_are_listed(ended: Calls) -> None:
    listed = await data(ended.client, "/report/calls")
    assert listed["count"] == 2
    live, past = listed["calls"]
    assert (live["room_id"], live["ended_at"]) == ("room-2", None)
    assert (past["room_id"], past["room_name"]) == ("room-1", "Stand-up")
    assert (past["started_at"], past["ended_at"]) == (NOW, NOW + 110)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=STAND", ["room-1"]),
        ("q=smith", ["room-1"]),
        ("q=u3", ["room-2"]),
        ("q=nobody", []),
        (f"to={NOW + 150}", ["room-1"]),
        (f"from={NOW + 150}", ["room-2"]),
        ("limit=1", ["room-2"]),
        ("offset=1", ["room-1"]),
        ("order=duration", ["room-2", "room-1"]),
    ],
)
async def test_calls_are_searched_ordered_and_paged(ended: Calls, query: str, found: list[str]) -> None:
    listed = await data(ended.client, f"/report/calls?{query}")
    assert [call["room_id"] for call in listed["calls"]] == found


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("order=best", "order: must be ended, score, duration, users"),
        ("from=2&to=1", "from: must not be later than to"),
    ],
)
async def test_what_cannot_be_asked_for_is_named(ended: Calls, query: str, says: str) -> None:
    assert_problem(await ended.client.get(f"/report/calls?{query}"), 400, says)


async def test_calls_of_a_room(ended: Calls) -> None:
    listed = await data(ended.client, "/report/calls/room-1")
    assert [call["started_at"] for call in listed["calls"]] == [NOW]
    assert_problem(await ended.client.get("/report/calls/room-9"), 404, "room_id")


async def test_the_report_says_who_suffered_when_and_why(ended: Calls) -> None:
    found = await report(ended)
    assert (found["room_name"], found["started_at"], found["ended_at"]) == ("Stand-up", NOW, NOW + 110)
    worst, other = found["users"]
    assert (worst["user_id"], worst["user_name"], other["user_id"]) == ("u1", "Ann Smith", "u2")
    assert (worst["joined"], worst["left"]) == (NOW, NOW + 110)
    assert worst["device"]["browser"] == "Chrome 136"
    assert worst["minutes"]["poor"] == pytest.approx(1, abs=0.2)
    assert worst["minutes"]["good"] == pytest.approx(1, abs=0.2)
    assert worst["stays"][0]["minutes"].startswith("gp")
    assert "9.0 % packet loss sending camera" in worst["reasons"][0]
    assert worst["worst"] < 3.1
    assert (other["minutes"]["poor"], other["reasons"]) == (0, [])


async def test_who_came_and_left_between_two_looks_is_in_the_report(calls: Calls) -> None:
    await calls.post(0, "u2", [GOOD])
    await calls.look()
    for joined in (2, 6):
        await calls.post(joined, "u9", [Entry("u9", [stream()])])
        await calls.core.timeline.save()
        await calls.post(joined + 1.5, "u9", [], events=[Event("left")])
        await calls.core.timeline.save()
    await calls.post(10, "u2", [GOOD])
    await calls.look()
    found = await report(calls)
    _, brief = sorted(found["users"], key=lambda user: user["user_id"])
    assert (brief["user_id"], brief["joined"], brief["left"]) == ("u9", NOW + 2, NOW + 7.5)
    assert brief["stays"] == [{"joined": NOW + joined, "left": NOW + joined + 1.5, "minutes": "u"} for joined in (2, 6)]
    assert brief["minutes"] == {"good": 0, "fair": 0, "poor": 0, "unknown": 0.05}
    assert (brief["score"], brief["worst"], brief["reasons"]) == (None, None, [])
    assert "with 2 users" in found["text"]
    assert "u9" in (await calls.client.get(f"/calls/room-1/{NOW:.0f}")).text


async def test_the_report_has_the_events_of_the_call(ended: Calls) -> None:
    kinds = [event["kind"] for event in (await report(ended))["events"]]
    assert {"room_started", "user_joined", "level_changed"} <= set(kinds)


async def test_the_report_is_five_sentences(ended: Calls) -> None:
    text = (await report(ended))["text"]
    sentences = text.split(". ")
    assert len(sentences) == 5
    assert sentences[0].startswith("The call in Stand-up (room-1) lasted from ")
    assert "2 users" in sentences[0]
    assert "user-minutes" in sentences[1]
    assert "Ann Smith suffered most" in text


async def test_a_call_that_is_live_has_a_report_too(ended: Calls) -> None:
    found = await data(ended.client, f"/report/calls/room-2/{NOW + 200}")
    assert (found["ended_at"], [user["user_id"] for user in found["users"]]) == (None, ["u3"])
    assert "has been live since" in found["text"]


async def test_what_is_not_retained_is_404(ended: Calls) -> None:
    for path in (f"/report/calls/room-1/{NOW + 1}", f"/report/calls/room-9/{NOW}"):
        assert_problem(await ended.client.get(path), 404, "started_at")
    assert (await ended.client.get(f"/calls/room-1/{NOW + 1}")).status_code == 404
    assert_problem(await ended.client.get("/report/calls/room-1/soon"), 400, "started_at")


async def test_the_list_is_a_page(ended: Calls) -> None:
    html = await page(ended.client, "/calls")
    text = words(html)
    assert "2 calls" in text
    assert "room-1 Stand-up" in text
    assert f"/calls/room-1/{NOW:.0f}" in links(html)
    assert "No matching calls" in words(await page(ended.client, "/calls?q=nobody"))


async def test_the_address_of_ended_rooms_leads_to_calls(ended: Calls) -> None:
    answer = await ended.client.get("/?ended=1&q=a%26b&sort=score&page=2")
    assert (answer.status_code, answer.headers["location"]) == (301, "/calls?q=a%26b&sort=score&page=2")


async def test_the_report_is_a_page(ended: Calls) -> None:
    html = await page(ended.client, f"/calls/room-1/{NOW}")
    text = words(html)
    assert "The call in Stand-up (room-1) lasted from" in text
    assert "u1 Ann Smith Chrome 136, Android 15" in text
    assert 'data-level="poor"' in html
    assert any(link.startswith("/rooms/room-1/users/u1?at=") for link in links(html))


async def test_hostile_ids_are_text_on_the_report(calls: Calls) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    await calls.post(0, hostile, [Entry(hostile, [stream()], user_name=hostile)], room_id=hostile, room_name=hostile)
    await calls.look()
    for path in ("/calls", url("calls", hostile, f"{NOW:.0f}")):
        html = await page(calls.client, path)
        assert hostile in words(html)
        assert "<img src=x" not in html


async def test_a_search_finds_users_of_ended_calls(ended: Calls) -> None:
    html = await page(ended.client, "/?q=smith")
    text = words(html)
    assert "No live user has “ smith ” in the ID or name." in text
    assert "u1 Ann Smith room-1" in text
    assert "Recently left" in text


async def test_what_was_added_up_survives_a_restart(settings: Settings, clock: Clock) -> None:
    async with Calls.of(settings, clock) as first:
        for second in range(0, 70, 10):
            await first.post(second, "u1", [BAD])
            await first.look()
    clock.advance(5)
    async with Calls.of(settings, clock) as second_run:
        await second_run.look()
        await second_run.wait(60)
        await second_run.look()
        found = await data(second_run.client, f"/report/calls/room-1/{NOW}")
    (user,) = found["users"]
    assert user["minutes"]["poor"] == pytest.approx(1, abs=0.2)
    assert user["left"] == NOW + 60


async def test_they_are_deleted_with_the_snapshots(calls: Calls) -> None:
    await two_calls(calls)
    deleted = await calls.core.store.prune(NOW, NOW + 1000)
    assert deleted
    await calls.core.store.prune(NOW, NOW + 1000)
    assert (await data(calls.client, "/report/calls"))["count"] == 1


async def test_a_call_without_a_snapshot_has_a_report(calls: Calls) -> None:
    await calls.post(0, "u1", [GOOD])
    await calls.core.sessions.begin([("room-1", NOW)])
    found = await report(calls)
    assert (found["verdicts"], found["worst_minute"]) == ([], None)
    assert [(user["user_id"], user["score"]) for user in found["users"]] == [("u1", None), ("u2", None)]
    assert len(found["text"].split(". ")) == 5


async def test_its_start_may_be_written_as_a_date(ended: Calls) -> None:
    written = "2027-01-15T08%3A00%3A00Z"
    assert (await data(ended.client, f"/report/calls/room-1/{written}"))["started_at"] == NOW


@pytest.mark.parametrize("path", ["/report/calls", "/report/calls/room-1", "/report/overview"])
async def test_a_search_that_is_too_long_is_refused(ended: Calls, path: str) -> None:
    assert_problem(await ended.client.get(path, params={"q": "x" * 257}), 400, "q")
