"""The reader against the application in this process: its types are those of the answers."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from roompulse.calls import model as calls
from roompulse.client import answers
from roompulse.client.reader import AsyncReader, Reader, ReadError, _Events
from roompulse.events.model import TimelineEvent
from roompulse.overview import model as overview
from roompulse.quality import RoomQuality, StreamQuality, Term, UserQuality
from roompulse.rooms import model as rooms
from roompulse.settings import Settings
from roompulse.store.contract import Session
from tests.api.test_calls import BAD
from tests.builders import NOW
from tests.calls import Calls
from tests.conftest import Clock

IN_ROOMS = "Figures FrameRate VideoTotals AudioTotals Aggregate Snapshot StreamMetrics Receiving UserMetrics"
IN_CALLS = "Calls Minutes Stay CallUser WorstMinute VerdictSpan CallReport"
TYPES: dict[Any, Any] = {
    answers.Term: Term,
    answers.StreamQuality: StreamQuality,
    answers.UserQuality: UserQuality,
    answers.RoomQuality: RoomQuality,
    answers.Call: Session,
    answers.RoomEvent: TimelineEvent,
    **{getattr(answers, name): getattr(rooms, name) for name in ["RoomSummary", "RoomMetrics", *IN_ROOMS.split()]},
    **{getattr(answers, name): getattr(calls, name) for name in IN_CALLS.split()},
    answers.Totals: overview.Totals,
    answers.Overview: overview.Overview,
}


@pytest.mark.parametrize("mine", TYPES, ids=lambda kind: kind.__name__)
def test_a_type_has_the_fields_of_the_answer(mine: Any) -> None:
    assert msgspec.structs.fields(mine) != ()
    assert {one.encode_name for one in msgspec.structs.fields(mine)} == {
        one.encode_name for one in msgspec.structs.fields(TYPES[mine])
    }


@pytest.fixture
async def world(settings: Settings, clock: Clock) -> AsyncIterator[Calls]:
    async with Calls.of(settings, clock) as world:
        await world.post(0, "u1", [BAD], room_id="a/b", room_name="Stand-up")
        await world.look()
        yield world


@pytest.fixture
async def reader(world: Calls) -> AsyncIterator[AsyncReader]:
    async with AsyncReader("http://localhost", transport=world.client._transport) as reader:
        yield reader


async def test_it_reads_what_is_live(reader: AsyncReader) -> None:
    assert await reader.rooms() == ["a/b"]
    room, user = await reader.room("a/b"), await reader.user("a/b", "u1")
    assert (room.room_name, room.users, user.user_name) == ("Stand-up", [user], "Ann Smith")
    found = await reader.overview(q="stand", level="poor")
    assert (found.count, found.rooms[0].aggregate) == (1, room.aggregate)


async def test_it_reads_what_was(reader: AsyncReader) -> None:
    (snapshot,) = await reader.history("a/b", start=NOW - 60, end=NOW + 60)
    assert snapshot.quality.poor == 1
    assert "user_joined" in [event.kind for event in await reader.events("a/b")]
    (call,) = (await reader.calls(q="ann")).calls
    report = await reader.call("a/b", call.started_at)
    assert [user.user_id for user in report.users] == ["u1"]


async def test_an_error_has_the_message_of_the_server(reader: AsyncReader) -> None:
    with pytest.raises(ReadError, match="room_id: the room 'x' is not live") as raised:
        await reader.room("x")
    assert raised.value.status == 404


def test_the_blocking_one_asks_for_the_same() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"code": 0, "message": "success", "data": []})

    with Reader("http://localhost/below", key="rp_x", transport=httpx.MockTransport(answer)) as reader:
        assert reader.history("a/b", start=1, limit=5) == []
    assert asked[0].url.raw_path == b"/below/report/history/a%2Fb?from=1&limit=5"
    assert asked[0].headers["authorization"] == "Bearer rp_x"


def test_what_is_no_answer_is_an_error() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(502, text="<h1>nginx"))
    with Reader("http://localhost", transport=transport) as reader, pytest.raises(ReadError, match="no answer of a"):
        reader.rooms()


STREAM = b'event: ping\ndata: 1\n\nid: e-1\nevent: overview\ndata: {"totals":%s,"rooms":[],"count":0}\n\n'
TOTALS = msgspec.json.encode(answers.Totals(0, 0, 0, 0, 0, 0, 0, None))


def test_it_watches_until_the_server_stops() -> None:
    content = STREAM % TOTALS * 2 + b"event: bye\ndata: x\n\n" + STREAM % TOTALS
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    with Reader("http://localhost", transport=transport) as reader:
        assert [one.count for one in reader.watch_overview(q="x")] == [0, 0]


async def test_so_does_the_one_for_asyncio() -> None:
    content = STREAM % TOTALS + b"event: denied\ndata: x\n\n"
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    async with AsyncReader("http://localhost", transport=transport) as reader:
        assert [one.count async for one in reader.watch_overview()] == [0]


def test_data_of_several_lines_is_one() -> None:
    events = _Events("room")
    assert [events.line(line) for line in ("event: room", "data: {", "data: }", "")] == [None, None, None, "{\n}"]
