"""GET /report/history/{room_id}/{user_id}."""

from typing import Any

import httpx
import pytest

from roompulse.report.model import Device, Entry
from tests.api import assert_problem, data, url
from tests.api.test_get import NO_MORE_AUDIO, NO_MORE_VIDEO
from tests.api.test_pages import post
from tests.builders import body, network, stream, video
from tests.conftest import Clock


class Room:
    """A room of the test's own, and the history of its user u1."""

    def __init__(self, client: httpx.AsyncClient, clock: Clock, room_id: str) -> None:
        self.client = client
        self.clock = clock
        self.began = clock.now
        self.id = room_id
        self.path = f"/report/history/{room_id}/u1"

    async def report(self, *metrics: Entry, **fields: Any) -> None:
        await post(self.client, body(room_id=self.id, metrics=list(metrics) or [Entry("u1", [stream()])], **fields))

    async def samples(self, query: str = "") -> Any:
        return await data(self.client, f"{self.path}?{query}")

    async def times(self, query: str = "") -> list[float]:
        """Timestamps of the answer, in seconds after the beginning."""
        return [sample["timestamp"] - self.began for sample in await self.samples(query)]


@pytest.fixture
def room(kept: httpx.AsyncClient, kept_clock: Clock, room_id: str) -> Room:
    """One that begins on the grid of the steps of a history."""
    kept_clock.advance(-kept_clock.now % 10)
    return Room(kept, kept_clock, room_id)


async def test_it_has_what_the_user_reported_of_its_own_streams_and_of_those_it_receives(room: Room) -> None:
    await room.report(Entry("u1", [stream()]), Entry("u2", [stream("mic", "recv", video=None)]))
    await room.report(Entry("u1", [stream(direction="recv")]), user_id="u2")
    room.clock.advance(1)
    sent, received = await room.samples()
    assert sent == {
        "timestamp": room.began,
        "received_at": room.began,
        "report_time": 1746616000,
        "sdk_version": "1.2.0",
        "device": None,
        "user_id": "u1",
        "reporter_id": "u1",
        "receiver_id": None,
        "stream_id": "camera",
        "direction": "send",
        "video": {"timestamp": None, "frame_rate": 25, "width": 1280, "height": 720, "bitrate": 1200} | NO_MORE_VIDEO,
        "audio": {"timestamp": None, "sample_rate": 48000, "channels": 2, "bitrate": 64} | NO_MORE_AUDIO,
        "network": {"rtt": 45, "packet_loss": 0.3, "jitter": 8},
        "quality": sent["quality"],
    }
    assert sent["quality"]["score"] == 4.37
    assert (received["user_id"], received["reporter_id"], received["direction"]) == ("u2", "u1", "recv")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("about=u2", ["mic", "camera"]),
        ("about=u2&stream_id=mic", ["mic"]),
        ("direction=send", ["camera"]),
        ("stream_id=camera&direction=recv", ["camera"]),
        ("about=nobody", []),
    ],
)
async def test_one_stream_can_be_asked_for(room: Room, query: str, found: list[str]) -> None:
    received = [stream("mic", "recv"), stream("camera", "recv")]
    await room.report(Entry("u1", [stream("camera")]), Entry("u2", received))
    assert [sample["stream_id"] for sample in await room.samples(query)] == found


async def test_a_sample_is_where_its_report_time_says_if_that_can_be_true(room: Room) -> None:
    """One that was kept while the device was offline is where it was measured; none is in the future."""
    await room.report(report_time=int(room.began) - 599)
    await room.report(report_time=int(room.began) - 601)
    await room.report(report_time=int(room.began) - 30)
    await room.report(report_time=int(room.began + 5) * 1000)
    room.clock.advance(10)
    assert await room.times() == [-599, -30, 0, 0]
    assert await room.times(f"from={room.began - 600}&to={room.began - 1}") == [-599, -30]


async def test_samples_are_rated_as_they_were_when_they_came(room: Room) -> None:
    for rate in (30, 10):
        await room.report(Entry("u1", [stream(video=video(frame_rate=rate))]))
        room.clock.advance(5)
    *_, last = await room.samples(f"from={room.began + 5}")
    live = (await data(room.client, f"/report/metrics/{room.id}/u1"))["streams"][0]
    assert last["quality"] == live["quality"]
    assert "frame_rate" in [term["term"] for term in last["quality"]["terms"]]


async def test_freezes_are_rated_as_they_were_and_devices_are_those_of_each_report(room: Room) -> None:
    for number, network_type in enumerate(("wifi", "4g", "4g")):
        frozen = stream(video=video(freeze_duration=number))
        metrics = Entry("u1", [frozen], Device(network_type=network_type))
        await room.report(metrics, report_time=int(room.began) + 10 * number)
        room.clock.advance(10)
    samples = await room.samples()
    assert [one["device"]["network_type"] for one in samples] == ["wifi", "4g", "4g"]
    freezes = [[term["value"] for term in one["quality"]["terms"] if term["term"] == "freeze"] for one in samples]
    assert freezes == [[], [10], [20]]
    # From any start of the range.
    (last,) = await room.samples(f"from={room.began + 20}")
    assert last == samples[-1]


async def test_steps_keep_the_worst_sample_of_each_stream(room: Room) -> None:
    for loss in (0, 5, 1, 2):
        lossy = stream(network=network(packet_loss=loss))
        await room.report(Entry("u1", [lossy, stream("screen")]))
        room.clock.advance(5)
    stepped = await room.samples("step=10")
    camera = [one["network"]["packet_loss"] for one in stepped if one["stream_id"] == "camera"]
    assert camera == [5, 2]
    assert len([one for one in stepped if one["stream_id"] == "screen"]) == 2


async def test_the_newest_are_those_of_a_limit_and_a_quarter_of_an_hour_is_what_comes_by_itself(room: Room) -> None:
    for _ in range(4):
        await room.report()
        room.clock.advance(400)
    assert await room.times() == [800, 1200]
    assert await room.times("from=0") == [0, 400, 800, 1200]
    assert await room.times("from=0&limit=2") == [800, 1200]
    assert await room.times(f"to={room.began + 500}") == [0, 400]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("from=x", "from"),
        ("from=2&to=1", "from"),
        ("limit=0", "limit"),
        ("step=0", "step"),
        ("about=", "about"),
        ("stream_id=%00", "stream_id"),
        ("direction=up", "direction"),
    ],
)
async def test_nonsense_is_told_by_its_name(room: Room, query: str, name: str) -> None:
    await room.report()
    assert_problem(await room.client.get(f"{room.path}?{query}"), 400, name)


async def test_a_user_of_whom_nothing_is_kept_is_404_and_one_who_was_silent_lately_is_not(room: Room) -> None:
    await room.report(Entry("a/b", [stream()]), user_id="a/b")
    room.clock.advance(2000)
    assert await data(room.client, url("report", "history", room.id, "a/b")) == []
    assert_problem(await room.client.get(room.path), 404, "u1")
    assert_problem(await room.client.get("/report/history/room-2/u1"), 404, "u1")
