"""Shared pages that hide users: numbers in place of ids and names, in every byte of page and stream."""

import html
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest

from roompulse.events.model import TimelineEvent
from roompulse.pseudonyms.answers import hidden_events
from roompulse.pseudonyms.model import Pseudonyms
from roompulse.report.model import Device, Entry, Event, Stream
from roompulse.settings import Settings
from tests.api import assert_problem, data
from tests.api.test_shares import HOUR, SHARES, below, streamed
from tests.builders import NOW, network, stream
from tests.calls import Calls
from tests.conftest import Clock

ANNA, BOB, SERVER = "anna-0815", "böb/7 'x'", "sfu-eu-1"
NAMES = {ANNA: "Anna Müller", BOB: "Bob O'Neil"}
LOSSY = network(packet_loss=9)


def received(user_id: str, stream_id: str = "camera", **parts: Any) -> Entry:
    return Entry(user_id, [stream(stream_id, "recv", **parts)])


def sent(user_id: str, **parts: Any) -> Entry:
    own: list[Stream] = [stream(), stream(f"screen_{user_id}", **parts)]
    return Entry(user_id, own, user_name=NAMES[user_id], device=Device(browser="Firefox", os=f"{NAMES[user_id]}'s OS"))


async def report(calls: Calls, second: float) -> None:
    """Bob and then Anna receive each other, Bob badly; events and labels name them."""
    event = Event("mute", detail=f"by {ANNA} (Anna Müller)")
    fields = {"room_name": "Anna Müller and others", "labels": {"account": ANNA}, "events": [event]}
    await calls.post(second, BOB, [sent(BOB)])
    await calls.post(second + 1, BOB, [received(ANNA, network=LOSSY)])
    await calls.post(second + 1, ANNA, [sent(ANNA, network=LOSSY), received(BOB)], **fields)
    entry = Entry(BOB, [Stream("camera", "recv", network=LOSSY, sender_id=ANNA)])
    await calls.post(second + 1, SERVER, [entry], role="server")
    await calls.look()


@pytest.fixture(scope="module")
async def calls(make_settings: Callable[[], Settings]) -> AsyncIterator[Calls]:
    """For tests that add shares at most."""
    async with one_call(make_settings(), Clock()) as calls:
        yield calls


@pytest.fixture
async def own(settings: Settings, clock: Clock) -> AsyncIterator[Calls]:
    """For a test by which the call goes on, or that lists the shares."""
    async with one_call(settings, clock) as calls:
        yield calls


@asynccontextmanager
async def one_call(settings: Settings, clock: Clock) -> AsyncIterator[Calls]:
    """A call of 30 s with recorded attendance and an operator's note."""
    async with Calls.of(settings, clock) as calls:
        for second in (0, 10, 20, 30):
            await report(calls, second)
        note = {"text": f"called {ANNA}", "user_id": ANNA}
        assert (await calls.client.post("/report/notes/room-1", json=note)).status_code == 201
        await calls.look()
        yield calls


async def share(calls: Calls, path: str) -> str:
    """The path of the link to a page that hides its users."""
    body = {"path": path, "expires_in": HOUR, "hide_ids": True}
    answer = await calls.client.post(SHARES, json=body)
    assert answer.status_code == 201, answer.text
    url: str = answer.json()["data"]["url"]
    return url.removeprefix("http://localhost")


def spellings(secret: str) -> Iterator[str]:
    """As it may stand in a text, an attribute, a URL or JSON."""
    for one in {secret, secret.casefold(), html.escape(secret), html.escape(secret).replace("&#x27;", "&#39;")}:
        yield from (one, quote(one, safe=""), quote(one), json.dumps(one)[1:-1], json.dumps(one, ensure_ascii=False))


def assert_hidden(text: str) -> None:
    for secret in (ANNA, BOB, *NAMES.values()):
        for spelling in spellings(secret):
            assert spelling not in text, spelling


ROOM, USER = "/rooms/room-1", f"/rooms/room-1/users/{quote(ANNA)}"
SHOWN = "/rooms/room-1/users/user%201"
CALL = f"/calls/room-1/{NOW:.0f}"
PARTS = {
    ROOM: ["", "/rooms/room-1/sessions", "/report/history/room-1"],
    USER: ["", f"{SHOWN}/visits", f"/report/history{SHOWN.removeprefix('/rooms').replace('/users', '')}"],
    CALL: ["", f"/report{CALL}"],
}


@pytest.mark.parametrize("path", PARTS)
async def test_no_id_and_no_name_is_in_the_page_or_what_it_loads(calls: Calls, path: str) -> None:
    shared = await share(calls, path)
    for part in PARTS[path]:
        answer = await calls.client.get(below(shared, part) if part else shared)
        assert answer.status_code == 200, answer.text
        assert_hidden(answer.text)
        assert_hidden(str(answer.headers))
    text = (await calls.client.get(shared)).text
    assert "user 1" in text
    assert "user 2" in text
    assert "Numbers stand for its users" in text


@pytest.mark.parametrize("path", [ROOM, USER])
@pytest.mark.parametrize("as_view", [False, True])
async def test_nor_in_its_stream(own: Calls, path: str, as_view: bool) -> None:  # noqa: FBT001
    shared = await share(own, path)
    of_page = f"{ROOM if path == ROOM else SHOWN}/stream"
    stream_path = f"/views/stream?view={quote(of_page[1:], safe='')}" if as_view else of_page

    async def revoke() -> None:
        await report(own, 40)
        (listed,) = await data(own.client, SHARES)
        await own.client.delete(f"{SHARES}/{listed['id']}")

    text = (await streamed(own.app, below(shared, stream_path), revoke)).decode()
    assert "event: denied" in text
    assert "user 2" in text
    assert_hidden(text)


@pytest.mark.parametrize("path", [f"{ROOM}?at={NOW + 25:.0f}", f"{USER}?at={NOW + 25:.0f}"])
async def test_nor_in_a_moment_of_the_past(calls: Calls, path: str) -> None:
    answer = await calls.client.get(await share(calls, path))
    assert answer.status_code == 200
    assert "user 1" in answer.text
    assert "packet loss" in answer.text
    assert_hidden(answer.text)


def users(text: str) -> list[str]:
    """The users of the table, by how they are named."""
    return re.findall(r'<tr id="user-([^"]+)"', text)


async def test_it_says_the_same_as_the_page_does(calls: Calls) -> None:
    """All but the users: the levels, scores, causes and verdicts."""
    own, shared = (await calls.client.get(ROOM)).text, (await calls.client.get(await share(calls, ROOM))).text
    assert users(own) == [ANNA, quote(BOB, safe="")]
    assert users(shared) == ["user%202", "user%201"]
    assert "9.0 % packet loss receiving user 2's camera" in html.unescape(shared)
    assert f"9.0 % packet loss receiving {ANNA}'s camera" in html.unescape(own)
    assert SERVER in (await calls.client.get("/report/metrics/room-1")).text
    scores = re.compile(r'<span class="score">([^<]*)<')
    assert scores.findall(shared) == scores.findall(own)


async def test_free_text_is_left_out(calls: Calls) -> None:
    own, shared = (await calls.client.get(ROOM)).text, (await calls.client.get(await share(calls, ROOM))).text
    for text in (f"called {ANNA}", f"by {ANNA} (Anna Müller)"):
        assert text in own
    assert "called" not in shared
    assert "Mute" not in shared
    assert ">mute<" in shared  # what happened stays


async def test_numbers_are_those_of_joining_and_stay(own: Calls) -> None:
    shared = await share(own, ROOM)
    before = (await own.client.get(shared)).text
    await own.post(41, "aaron", [Entry("aaron", [stream()])])
    await report(own, 42)
    text = (await own.client.get(shared)).text
    assert sorted(users(text)) == [*sorted(users(before)), "user%203"]
    assert "aaron" not in text
    assert users(text)[0] == users(before)[0] == "user%202"
    other = await share(own, ROOM)
    assert users((await own.client.get(other)).text) == users(text)


async def test_they_are_the_same_after_a_restart(settings: Settings, clock: Clock) -> None:
    async with Calls.of(settings, clock) as calls:
        await report(calls, 0)
        shared = await share(calls, ROOM)
        await calls.client.get(shared)
        await calls.post(11, "aaron", [Entry("aaron", [stream()])])
        await report(calls, 20)
        shown = users((await calls.client.get(shared)).text)
        assert len(shown) == 3
    async with Calls.of(settings, clock) as calls:
        assert users((await calls.client.get(shared)).text) == shown


async def test_a_user_who_left_keeps_its_number(own: Calls) -> None:
    shared = await share(own, ROOM)
    await own.client.get(shared)
    await own.wait(60)
    await own.post(100, BOB, [sent(BOB)])
    assert users((await own.client.get(shared)).text) == ["user%201"]


async def test_on_its_own_page_a_user_is_the_first(calls: Calls) -> None:
    shared = await share(calls, f"/rooms/room-1/users/{quote(BOB, safe='')}")
    assert shared.endswith(SHOWN)
    text = (await calls.client.get(shared)).text
    assert "<title>user 1 in room-1" in text
    assert_hidden(text)


async def test_no_id_can_be_tried(calls: Calls) -> None:
    """A page that hides ids does not reveal whether a requested one exists."""
    room, user = await share(calls, ROOM), await share(calls, USER)
    for asked in (f"?q={quote(ANNA)}", f"?user={quote(ANNA)}", "?q=Anna"):
        known = (await calls.client.get(f"{room}{asked}")).text
        other = (await calls.client.get(f"{room}{asked.replace('nna', 'xxa')}")).text
        assert known.replace("nna", "xxa") == other
    history = "/report/history/room-1/user%201"
    assert_problem(await calls.client.get(below(user, f"{history}?about={quote(ANNA)}")), 404, "user_id")
    for name in ("reporter_id", "stream_id"):
        for guess in (ANNA, f"cam-{ANNA}", "nobody"):
            assert await data(calls.client, below(user, f"{history}?{name}={quote(guess)}")) == []
    for path in (USER, f"/report/history/room-1/{quote(ANNA)}"):
        assert (await calls.client.get(below(user, path))).status_code == 404


async def test_charts_are_found_by_what_is_shown(calls: Calls) -> None:
    shared = await share(calls, f"/rooms/room-1/users/{quote(BOB, safe='')}")
    links = re.findall(r'data-history="([^"]+)"', (await calls.client.get(shared)).text)
    own = [html.unescape(link) for link in links if "history/room-1/user%201?" in link]
    assert len(own) >= 3
    for link in own:
        assert await data(calls.client, below(shared, f"/{link}")), link


async def test_it_is_chosen_on_the_page(own: Calls) -> None:
    page = (await own.client.get("/shares")).text
    token = re.search(r'name="token" value="(\w+)"', page)
    form = {"token": token[1] if token else "", "path": ROOM, "expires_in": "3600"}
    for fields, hidden in (({}, False), ({"hide_ids": "on"}, True)):
        answer = await own.client.post("/shares/add", data=form | fields)
        assert answer.status_code == 200
        assert [one["hide_ids"] for one in await data(own.client, SHARES)].count(True) == int(hidden)
    assert "users hidden" in (await own.client.get("/shares")).text


def test_a_text_is_hidden_where_a_word_is_an_id() -> None:
    names = Pseudonyms("s", [("ann", "Ann Lee"), ("ann-2", None), ("1", None)])
    assert (
        names.words("ann's camera, ann-2, Scanner, planner_ann") == "user 1's camera, user 2, Scanner, planner_user 1"
    )
    assert names.sentence("Ann Lee suffered most") == "user 1 suffered most"
    assert (
        names.sentence("1 of 2 users affected: 1's uplink loses 1 %")
        == "1 of 2 users affected: user 3's uplink loses 1 %"
    )
    assert (names.known("user 2"), names.known("ann")) == ("ann-2", None)


def test_events_of_alerts_stay_without_ids_and_notes_do_not() -> None:
    names = Pseudonyms("s", [("ann", None)])
    firing = TimelineEvent(
        NOW, "alert_firing", "bob", text="warning alert: A user is poor", detail="bob in room-1: 1.5"
    )
    note = TimelineEvent(NOW, "note", "ann", text="on a train", detail="ada")
    (shown,) = hidden_events(names, [note, firing])
    assert (shown.user_id, shown.text, shown.detail) == ("user 2", firing.text, "user 2 in room-1: 1.5")


def test_a_new_user_gets_the_next_number_in_texts_too() -> None:
    names = Pseudonyms("s")
    assert names.words("bob left") == "bob left"
    assert (names.of("ann"), names.of("bob"), names.of("ann")) == ("user 1", "user 2", "user 1")
    assert names.words("bob left") == "user 2 left"
    names.add("bob", "Bob Lee")
    assert names.words("Bob Lee left") == "user 2 left"


def test_streams_that_name_a_user_are_found_by_what_is_shown() -> None:
    names = Pseudonyms("s", [("ann", None)])
    assert names.stream("screen_ann") == "screen_user 1"
    assert (names.stream_of("screen_user 1"), names.stream_of("camera")) == ("screen_ann", "camera")


async def test_without_it_a_shared_page_shows_ids(calls: Calls) -> None:
    body = {"path": ROOM, "expires_in": HOUR}
    url = (await calls.client.post(SHARES, json=body)).json()["data"]["url"]
    assert ANNA in (await calls.client.get(url)).text
