"""A user that reports leaving is removed immediately; a late report changes nothing."""

from math import inf
from typing import Any

import pytest

from roompulse.report.model import Entry, Event, Received
from roompulse.rooms import room
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.model import RoomMetrics
from roompulse.rooms.presence import LastReports
from tests.builders import NOW, network, received, stream

LEAVES: dict[str, Any] = {"events": [Event("left", 1746616000)]}
RECEIVES = stream(direction="recv")


@pytest.fixture(params=[200, 0], ids=["small", "indexed"])
def rooms(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> RoomsInMemory:
    monkeypatch.setattr(room, "INDEXED_FROM", request.param)
    return RoomsInMemory(Limits(rooms=9, room_users=9, user_streams=9), stale_after=15, leave_after=60)


def metrics(rooms: RoomsInMemory) -> RoomMetrics:
    live = rooms.get("room-1")
    assert live
    return live.metrics()


def users(rooms: RoomsInMemory) -> list[str]:
    return [user.user_id for user in metrics(rooms).users]


def about(at: float, reporter: str, *others: str, **fields: Any) -> Received:
    """A report by a user who sends a camera and receives others' cameras."""
    entries = [Entry(reporter, [stream()]), *(Entry(other, [RECEIVES]) for other in others)]
    return received(at, user_id=reporter, metrics=entries, **fields)


class TestLeaving:
    def test_removes_a_user_and_all_that_it_sent_and_received(self, rooms: RoomsInMemory) -> None:
        for one in (about(NOW, "ann", "bob"), about(NOW, "bob", "ann")):
            rooms.apply(one)
        assert metrics(rooms).aggregate.stream_count == 4
        rooms.apply(received(NOW + 1, user_id="ann", metrics=[], **LEAVES))
        (bob,) = metrics(rooms).users
        assert (bob.user_id, bob.receiving, bob.reporters) == ("bob", [], ["bob"])
        assert [(one.stream_id, one.direction) for one in bob.streams] == [("camera", "send")]
        assert metrics(rooms).aggregate.stream_count == 1
        assert (metrics(rooms).aggregate.user_count, metrics(rooms).updated_at) == (1, NOW + 1)

    def test_ends_a_room_that_it_leaves_empty(self, rooms: RoomsInMemory) -> None:
        rooms.apply(about(NOW, "ann"))
        rooms.apply(about(NOW + 1, "ann", **LEAVES))
        assert (rooms.get("room-1"), list(rooms.ids())) == (None, [])
        assert rooms.expire(NOW + 20) == set()
        rooms.apply(about(NOW + 21, "ann"))
        assert rooms.expire(NOW + 35) == set()
        assert rooms.expire(NOW + 36) == {"room-1"}
        assert users(rooms) == ["ann"]

    def test_of_a_user_whom_nobody_knows_starts_no_room(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, user_id="ann", metrics=[], **LEAVES))
        assert list(rooms.ids()) == []

    def test_is_not_undone_by_those_who_go_on_to_mention_the_user(self, rooms: RoomsInMemory) -> None:
        for one in (about(NOW, "ann"), about(NOW, "bob", "ann"), about(NOW + 1, "ann", **LEAVES)):
            rooms.apply(one)
        rooms.apply(about(NOW + 2, "bob", "ann"))
        assert users(rooms) == ["bob"]
        assert metrics(rooms).aggregate.stream_count == 1
        rooms.apply(about(NOW + 61, "bob", "ann"))
        assert users(rooms) == ["ann", "bob"]

    def test_is_undone_by_the_user_itself(self, rooms: RoomsInMemory) -> None:
        for one in (about(NOW, "ann"), about(NOW, "bob"), about(NOW + 1, "ann", **LEAVES), about(NOW + 2, "ann")):
            rooms.apply(one)
        rooms.apply(about(NOW + 3, "bob", "ann"))
        assert users(rooms) == ["ann", "bob"]

    def test_is_not_undone_by_an_earlier_report_that_comes_later(self, rooms: RoomsInMemory) -> None:
        rooms.apply(about(NOW, "bob"))
        rooms.apply(about(NOW + 1, "ann", report_time=1000, **LEAVES))
        rooms.apply(about(NOW + 2, "ann", report_time=995))
        assert users(rooms) == ["bob"]
        rooms.apply(about(NOW + 3, "ann", report_time=1001))
        assert users(rooms) == ["ann", "bob"]

    def test_is_a_matter_of_the_event_alone(self, rooms: RoomsInMemory) -> None:
        rooms.apply(about(NOW, "ann", events=[Event("muted"), Event("left the stage")]))
        assert users(rooms) == ["ann"]

    def test_frees_the_place_of_the_user(self, rooms: RoomsInMemory) -> None:
        for number in range(9):
            rooms.apply(about(NOW, f"u{number}"))
        late = about(NOW + 1, "ann")
        assert rooms.admit([late])[0]
        rooms.apply(about(NOW + 1, "u3", **LEAVES))
        assert rooms.admit([late]) == [None]


def test_departures_are_forgotten() -> None:
    departures = LastReports(60)
    for number in range(1000):
        departures.note(f"u{number}", 0, NOW + number)
    assert len(departures._last) == 60
    mentions = received(metrics=[Entry("u1", []), Entry("u999", [])]).report
    assert departures.without(mentions, NOW + 1014, within=inf) == mentions.metrics[:1]
    assert departures.without(mentions, NOW + 1014, within=15) == mentions.metrics
    departures.note("u999", 0, NOW + 1014)
    assert departures.without(mentions, NOW + 1074, within=inf) == mentions.metrics
    departures.note("u1", 0, NOW)
    assert departures.without(mentions, NOW - 1000, within=inf) == mentions.metrics, "the clock was set back"


class TestALateReport:
    def test_changes_nothing(self, rooms: RoomsInMemory) -> None:
        rooms.apply(about(NOW, "ann", report_time=1000))
        rooms.expire(NOW + 14)
        before = metrics(rooms)
        rooms.apply(received(NOW + 14, user_id="ann", report_time=998, metrics=[Entry("bob", [stream()])]))
        assert metrics(rooms) is before
        assert rooms.expire(NOW + 15) == {"room-1"}
        assert [user.stale for user in metrics(rooms).users] == [True]

    @pytest.mark.parametrize("report_time", [999, 1000, 1001])
    def test_is_not_one_of_about_the_same_second(self, rooms: RoomsInMemory, report_time: int) -> None:
        rooms.apply(about(NOW, "ann", report_time=1000))
        lossy = stream(network=network(packet_loss=9))
        rooms.apply(received(NOW + 1, user_id="ann", report_time=report_time, metrics=[Entry("ann", [lossy])]))
        assert metrics(rooms).users[0].quality.level == "poor"

    def test_is_not_one_of_another_reporter(self, rooms: RoomsInMemory) -> None:
        rooms.apply(about(NOW, "ann", report_time=1000))
        rooms.apply(about(NOW, "bob", report_time=500))
        assert users(rooms) == ["ann", "bob"]

    def test_is_not_one_where_nothing_newer_came_for_long(self, rooms: RoomsInMemory) -> None:
        rooms.apply(about(NOW, "ann", report_time=1000))
        rooms.expire(NOW + 15)
        rooms.apply(about(NOW + 15, "ann", report_time=500))
        assert [user.report_time for user in metrics(rooms).users] == [500]
        rooms.apply(about(NOW + 16, "ann", report_time=505))
        assert [user.report_time for user in metrics(rooms).users] == [505]

    def test_counts_from_the_newest_one_and_not_from_the_last(self, rooms: RoomsInMemory) -> None:
        for at, report_time in ((0, 1000), (1, 999), (2, 998)):
            rooms.apply(about(NOW + at, "ann", report_time=report_time))
        assert [user.report_time for user in metrics(rooms).users] == [999]
