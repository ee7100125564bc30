"""Notes: operators write them on rooms, users and moments, and only authors and admins edit them."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import insert

from roompulse.access.model import KeyKind
from roompulse.clock import WallClock
from roompulse.engines import engine_of
from roompulse.events import notes
from roompulse.events.model import TimelineEvent
from roompulse.settings import Settings
from roompulse.store.events import event_row
from roompulse.store.schema import events
from roompulse.web.api.encoded_rooms import EncodedRooms
from roompulse.web.api.stream import RoomJsonView
from roompulse.web.html.templates import assets_and_templates
from roompulse.web.pages.query import UserQuery
from roompulse.web.pages.timeline import Timelines
from tests.access import bearer, new_key
from tests.api import assert_problem, data, serving
from tests.api.test_overview import post
from tests.api.test_pages import words
from tests.builders import NOW, body
from tests.conftest import Clock
from tests.operators import SAME_SITE, add_operators, cookie_of, send_form
from tests.store.test_replay import no_rooms
from tests.timelines import timeline_of

NOTES = "/report/notes/room-1"
PAGE = "/rooms/room-1/notes"


def notes_of(room_id: str) -> str:
    return f"/report/notes/{room_id}"


async def write(
    client: httpx.AsyncClient, text: str = "restarted the SFU", room_id: str = "room-1", **fields: Any
) -> Any:
    answer = await client.post(notes_of(room_id), json={"text": text, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


async def events_of(client: httpx.AsyncClient, room_id: str, query: str = "") -> Any:
    return await data(client, f"/report/events/{room_id}?kind=note{query}")


async def texts(client: httpx.AsyncClient, room_id: str, query: str = "") -> list[str]:
    return [one["text"] for one in await events_of(client, room_id, query)]


async def test_a_note_is_an_event_with_its_author(kept: httpx.AsyncClient, kept_clock: Clock) -> None:
    await post(kept, room_id="one")
    note = await write(kept, "  restarted the SFU ", "one")
    assert note == {
        "id": note["id"],
        "room_id": "one",
        "user_id": None,
        "time": kept_clock.now,
        "text": "restarted the SFU",
        "by": "anonymous",
    }
    assert await data(kept, notes_of("one")) == [note]
    (event,) = await events_of(kept, "one")
    assert (event["time"], event["kind"], event["text"], event["detail"]) == (
        kept_clock.now,
        "note",
        "restarted the SFU",
        "anonymous",
    )


async def test_it_is_about_a_user_or_a_moment(kept: httpx.AsyncClient, kept_clock: Clock) -> None:
    began, room_id = kept_clock.now, "about"
    await post(kept, room_id=room_id)
    kept_clock.advance(10)
    about = await write(kept, "complains of echo", room_id, user_id="u1", time=began + 4)
    assert (about["user_id"], about["time"]) == ("u1", began + 4)
    await write(kept, "and again", room_id, time=f"{datetime.fromtimestamp(began + 5, UTC):%Y-%m-%dT%H:%M:%SZ}")
    assert await texts(kept, room_id) == ["complains of echo", "and again"]
    assert await texts(kept, room_id, "&user_id=u1") == ["complains of echo"]


async def test_edited_and_removed_it_is_so_everywhere(kept: httpx.AsyncClient) -> None:
    notes = notes_of("edited")
    await post(kept, room_id="edited")
    first, second = await write(kept, "wrong", "edited"), await write(kept, "stays", "edited")
    edited = await kept.put(f"{notes}/{first['id']}", json={"text": "right"})
    assert edited.json()["data"] == first | {"text": "right"}
    assert sorted(await texts(kept, "edited")) == ["right", "stays"]
    assert (await kept.delete(f"{notes}/{first['id']}")).json()["data"] is None
    assert await texts(kept, "edited") == ["stays"]
    assert await data(kept, notes) == [second]
    for answer in (
        await kept.put(f"{notes}/{first['id']}", json={"text": "x"}),
        await kept.delete(f"{notes}/{first['id']}"),
        await kept.delete(f"{notes_of('room-2')}/{second['id']}"),
    ):
        assert_problem(answer, 404)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "text"),
        ({"text": ""}, "$.text: must not be empty"),
        ({"text": " \n "}, "$.text: must not be empty"),
        ({"text": "x" * 501}, "$.text"),
        ({"text": "a\x07b"}, "$.text"),
        ({"text": 3}, "$.text"),
        ({"text": "x", "time": "noon"}, "$.time"),
        ({"text": "x", "user_id": ""}, "$.user_id"),
        ({"text": "x", "by": "the boss"}, "by"),
    ],
)
async def test_what_cannot_be_a_note_names_the_field(kept: httpx.AsyncClient, body: Any, said: str) -> None:
    await post(kept, room_id="none")
    answer = await kept.post(notes_of("none"), json=body)
    assert_problem(answer, 400)
    assert said in answer.json()["message"]
    assert await data(kept, notes_of("none")) == []


async def test_it_is_not_about_the_future(kept: httpx.AsyncClient, kept_clock: Clock) -> None:
    await post(kept, room_id="future")
    answer = await kept.post(notes_of("future"), json={"text": "x", "time": kept_clock.now + 1})
    assert_problem(answer, 400, "$.time: must not be in the future")
    assert await data(kept, notes_of("future")) == []


async def test_only_what_is_known_has_notes(kept: httpx.AsyncClient, kept_clock: Clock) -> None:
    assert_problem(await kept.post(notes_of("ended"), json={"text": "x"}), 404)
    await post(kept, room_id="ended")
    kept_clock.advance(100)  # the call has ended
    await kept.get("/")
    await write(kept, room_id="ended")


async def test_a_room_has_no_more_than_so_many(kept: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "MOST", 2)
    await post(kept, room_id="full")
    for text in ("one", "two"):
        await write(kept, text, "full")
    answer = await kept.post(notes_of("full"), json={"text": "three"})
    assert_problem(answer, 400)
    assert "the room has 2 notes" in answer.json()["message"]
    await post(kept, room_id="room")
    assert (await kept.post(notes_of("room"), json={"text": "three"})).status_code == 201


def told(view: RoomJsonView) -> list[str]:
    """The texts of its events."""
    return [msgspec.json.decode(frame.decode().split("data: ")[1])["text"] for frame in view.render().values()]


async def test_pages_that_are_open_show_it_as_it_is() -> None:
    timeline = timeline_of(no_rooms(), lambda: NOW)
    render = await Timelines(timeline, assets_and_templates()[1]).of("room-1", UserQuery())
    view = RoomJsonView(no_rooms(), EncodedRooms(), timeline, "room-1", with_users=True)
    before = TimelineEvent(NOW, "note", "u1", text="wrong", detail="bob")
    timeline.show("room-1", before)
    assert "u1 : wrong by bob" in words(f"<main>{render(None, NOW)}")
    assert told(view) == ["wrong"]
    after = TimelineEvent(NOW, "note", "u1", text="right", detail="bob")
    timeline.correct("room-1", before, after)
    assert "u1 : right by bob" in words(f"<main>{render(None, NOW)}")
    assert "wrong" not in render(None, NOW)
    assert told(view) == ["right"]
    timeline.correct("room-1", after, None)
    assert "No events" in words(f"<main>{render(None, NOW)}")
    assert told(view) == []


class TestOperators:
    @pytest.fixture(scope="class")
    async def client(self, make_settings: Callable[[], Settings]) -> AsyncIterator[httpx.AsyncClient]:
        """Of an application with an admin and two viewers, for tests that remove the notes that they write."""
        settings = make_settings()
        await add_operators(settings, ada="admin", bob="viewer", eve="viewer")
        async with serving(settings, Clock()) as client:
            await post(client)
            yield client

    async def by(self, client: httpx.AsyncClient, name: str, method: str, path: str, **body: Any) -> httpx.Response:
        return await client.request(method, path, json=body or None, headers=cookie_of(name) | SAME_SITE)

    async def test_a_viewer_writes_and_edits_its_own(self, client: httpx.AsyncClient) -> None:
        note = (await self.by(client, "bob", "POST", NOTES, text="mine")).json()["data"]
        assert note["by"] == "bob"
        path = f"{NOTES}/{note['id']}"
        for answer in (
            await self.by(client, "eve", "PUT", path, text="hers"),
            await self.by(client, "eve", "DELETE", path),
        ):
            assert_problem(answer, 403)
            assert "only bob and admins" in answer.json()["message"]
        assert (await self.by(client, "bob", "PUT", path, text="mine again")).status_code == 200
        admins = await self.by(client, "ada", "PUT", path, text="moderated")
        assert admins.json()["data"] == note | {"text": "moderated"}
        assert (await self.by(client, "ada", "DELETE", path)).status_code == 200

    async def test_a_program_needs_a_key_that_manages(self, settings: Settings, clock: Clock) -> None:
        await add_operators(settings, ada="admin")
        keys = {}
        kinds: dict[KeyKind, int] = {"manage": 201, "read": 403, "ingest": 401}
        for kind, status in kinds.items():
            _, key = await new_key(settings, kind)
            keys[key] = status
        async with serving(settings, clock) as client:
            sent = await client.post("/report/metrics", content=body(), headers=bearer(list(keys)[-1]))
            assert sent.status_code == 200
            for key, status in keys.items():
                answer = await client.post(NOTES, json={"text": "deployed"}, headers=bearer(key))
                assert answer.status_code == status, answer.text
            assert_problem(await client.post(NOTES, json={"text": "x"}), 401)

    async def test_a_page_of_another_site_writes_nothing(self, client: httpx.AsyncClient) -> None:
        headers = cookie_of("bob") | {"Sec-Fetch-Site": "cross-site"}
        assert_problem(await client.post(NOTES, json={"text": "x"}, headers=headers), 403)
        answer = await send_form(client, PAGE, "bob", {"text": "x"}, {"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403

    async def test_it_is_written_on_the_page_and_edited_on_its_own(self, client: httpx.AsyncClient) -> None:
        answer = await send_form(client, f"{PAGE}?next=/rooms/room-1", "bob", {"text": "from the page", "user": "u1"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/rooms/room-1")
        room = (await client.get("/rooms/room-1", headers=cookie_of("eve"))).text
        assert "u1 : from the page by bob" in words(room)
        user = (await client.get("/rooms/room-1/users/u1", headers=cookie_of("eve"))).text
        assert "from the page by bob" in words(user)
        mine, hers = [(await client.get(PAGE, headers=cookie_of(name))).text for name in ("bob", "eve")]
        assert 'value="from the page"' in mine
        assert ">Remove</button>" in mine
        assert "from the page" in hers
        assert ">Remove</button>" not in hers
        (note,) = (await client.get(NOTES, headers=cookie_of("bob"))).json()["data"]
        wrong = await send_form(client, f"{PAGE}/edit", "bob", {"id": str(note["id"]), "text": " "})
        assert (wrong.status_code, "Text: must not be empty" in wrong.text) == (400, True)
        for number in ("0", "x", "9" * 30, "²"):
            assert (await send_form(client, f"{PAGE}/remove", "bob", {"id": number})).status_code == 404
        edited = await send_form(client, f"{PAGE}/edit", "bob", {"id": str(note["id"]), "text": "better"})
        assert (edited.status_code, edited.headers["location"]) == (303, PAGE)
        assert "better" in (await client.get(PAGE, headers=cookie_of("eve"))).text
        await send_form(client, f"{PAGE}/remove", "ada", {"id": str(note["id"])})
        assert "No notes on this room" in (await client.get(PAGE, headers=cookie_of("eve"))).text


async def test_a_note_about_long_ago_does_not_make_what_is_newer_old(settings: Settings) -> None:
    """Rows of events are in the order of their time but for notes; pruning allows for notes."""
    engine, day = engine_of(settings, WallClock()), 86_400.0
    database = engine.database
    rows = [TimelineEvent(NOW - day + place, "sdk", text=str(place)) for place in range(3)]
    old = TimelineEvent(NOW - 31 * day, "note", text="long ago", detail="bob")
    async with database.open():
        added = insert(events).values([event_row("r", event) for event in (*rows, old)])
        assert await database.write(lambda connection: connection.execute(added).rowcount) == len(rows) + 1
        assert await engine.store.prune(0, NOW - 30 * day) == 1
        async with database.reading() as connection:
            kept = (await connection.execute(events.select())).all()
    assert [row.text for row in kept] == ["0", "1", "2"]
