"""A media server reports a whole room: what each user sends, as it arrives there, and what each receives from it."""

from typing import Any

import pytest

from roompulse.quality import rate_room
from roompulse.report.model import Entry, Event, Received, Stream
from roompulse.rooms import admission, room
from roompulse.rooms.admission import Limits
from roompulse.rooms.grid import grid_of
from roompulse.rooms.links import Reception
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.model import Receiving, UserMetrics
from roompulse.rooms.room import RoomState
from roompulse.rooms.user import UserState
from roompulse.rooms.verdict import text_of
from tests.builders import NOW, network, received, stream

LOSSY = network(packet_loss=6)
TIME = 1746616000


@pytest.fixture(params=[200, 0], ids=["small", "indexed"])
def rooms(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> RoomsInMemory:
    monkeypatch.setattr(room, "INDEXED_FROM", request.param)
    return RoomsInMemory(Limits(rooms=9, room_users=9, user_streams=2), stale_after=15, leave_after=60)


def sends(user_id: str, *more: Stream, **parts: Any) -> Entry:
    return Entry(user_id, [stream(**parts), *more])


def gets(sender_id: str | None, stream_id: str = "camera", **parts: Any) -> Stream:
    return stream(stream_id, "recv", sender_id=sender_id, **parts)


def of_server(at: float, *entries: Entry, user_id: str = "sfu", **fields: Any) -> Received:
    return received(at, user_id=user_id, role="server", metrics=list(entries), **fields)


def live(rooms: RoomsInMemory) -> RoomState:
    found = rooms.get("room-1")
    assert found
    return found


def user(rooms: RoomsInMemory, user_id: str) -> UserState:
    return live(rooms).users[user_id]


def metrics(rooms: RoomsInMemory, user_id: str) -> UserMetrics:
    return user(rooms, user_id).metrics()


class TestUsers:
    def test_are_those_whom_entries_are_about(self, rooms: RoomsInMemory) -> None:
        rooms.apply(of_server(NOW, sends("u1", gets("nobody")), sends("u2")))
        assert sorted(live(rooms).users) == ["u1", "u2"]
        assert live(rooms).summary().aggregate.user_count == 2

    def test_a_report_without_entries_starts_no_room(self, rooms: RoomsInMemory) -> None:
        rooms.apply(of_server(NOW))
        assert rooms.ids() == []

    def test_send_is_what_the_user_sends_as_the_server_receives_it(self, rooms: RoomsInMemory) -> None:
        rooms.apply(of_server(NOW, sends("u1", network=LOSSY)))
        found = metrics(rooms, "u1")
        assert [(one.stream_id, one.direction, one.reporter_id) for one in found.streams] == [("camera", "send", "sfu")]
        assert found.quality.reasons == ["6.0 % packet loss sending camera (−1.1)"]
        assert (found.reporters, found.sdk_version, found.report_time) == (["sfu"], "1.2.0", TIME)
        assert user(rooms, "u1").servers == ["sfu"]

    def test_recv_is_what_the_user_receives_and_from_whom(self, rooms: RoomsInMemory) -> None:
        rooms.apply(of_server(NOW, sends("u1", gets("u2", network=LOSSY), gets("u3")), sends("u2"), sends("u3")))
        found = metrics(rooms, "u1")
        assert found.receiving == [
            Receiving("u2", "camera", found.quality.downlink, "fair"),
            Receiving("u3", "camera", 4.37, "good"),
        ]
        assert found.quality.reasons == ["6.0 % packet loss receiving u2's camera (−1.1)"]
        streams = [(one.stream_id, one.direction, one.reporter_id, one.sender_id) for one in found.streams]
        assert streams[:2] == [("camera", "recv", "sfu", "u2"), ("camera", "recv", "sfu", "u3")]
        assert [one.direction for one in metrics(rooms, "u2").streams] == ["send"]

    def test_recv_without_from_comes_from_a_user_that_is_not_known(self, rooms: RoomsInMemory) -> None:
        rooms.apply(of_server(NOW, Entry("u1", [gets(None, network=LOSSY)])))
        found = metrics(rooms, "u1")
        assert found.quality.reasons == ["6.0 % packet loss receiving camera (−1.1)"]
        assert found.receiving == [Receiving("u1", "camera", found.quality.downlink, "fair")]
        assert found.streams[0].sender_id is None

    def test_from_in_the_report_of_a_client_is_ignored(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, metrics=[Entry("u2", [gets("u3")])]))
        assert metrics(rooms, "u1").receiving == [Receiving("u2", "camera", 4.37, "good")]

    def test_labels_are_those_of_the_server_until_the_user_gives_its_own(self, rooms: RoomsInMemory) -> None:
        rooms.apply(of_server(NOW, sends("u1"), labels={"region": "eu"}))
        assert metrics(rooms, "u1").labels == {"region": "eu"}
        rooms.apply(received(NOW, user_id="u1", labels={"app": "7"}))
        rooms.apply(of_server(NOW, sends("u1"), labels={"region": "eu"}))
        assert metrics(rooms, "u1").labels == {"app": "7"}

    def test_streams_of_the_user_and_of_the_server_stand_beside_each_other(self, rooms: RoomsInMemory) -> None:
        own = [sends("u1"), Entry("u2", [stream(direction="recv")])]
        rooms.apply(received(NOW, user_id="u1", metrics=own))
        rooms.apply(of_server(NOW, sends("u1", gets("u2", network=LOSSY), network=LOSSY), sends("u2")))
        found = metrics(rooms, "u1")
        assert [one.reporter_id for one in found.streams] == ["sfu", "sfu", "u1"]
        assert [one.level for one in found.receiving] == ["fair", "good"]
        assert [one.by_server for one in user(rooms, "u1").receptions()] == [True, False]
        assert found.quality.score == found.quality.uplink == found.quality.downlink


class TestLinks:
    def test_others_receive_a_user_as_the_server_tells(self, rooms: RoomsInMemory) -> None:
        rooms.apply(of_server(NOW, sends("u1", gets("u2")), sends("u2", gets("u1", network=LOSSY))))
        (reception,) = user(rooms, "u1").receptions_by_others()
        assert reception == Reception("u1", "u2", reception.stream, by_server=True)
        assert reception.stream.network == LOSSY
        assert list(user(rooms, "u1").received_by_others()) == [("u2", "fair")]

    def test_the_matrix_has_what_a_server_measured(self, rooms: RoomsInMemory) -> None:
        rooms.apply(of_server(NOW, sends("u1", gets("u2", network=LOSSY)), sends("u2")))
        grid = grid_of([one.metrics() for one in live(rooms).users.values()], live(rooms).user)
        levels = [[cell and cell.level for cell in row.cells] for row in grid.rows]
        assert [row.sender.user_id for row in grid.rows if row.sender] == ["u1", "u2"]
        assert levels == [["good", None], ["fair", "good"]]

    def test_the_verdict_blames_an_uplink_that_the_server_measured(self, rooms: RoomsInMemory) -> None:
        bad = [gets("u1", network=LOSSY)]
        rooms.apply(of_server(NOW, sends("u1", network=LOSSY), sends("u2", *bad), sends("u3", *bad)))
        assert text_of(live(rooms).verdict()) == "3 of 3 users affected: u1's uplink loses 6 %"

    def test_the_verdict_blames_a_downlink(self, rooms: RoomsInMemory) -> None:
        rooms.apply(
            of_server(NOW, sends("u1", gets("u2", network=LOSSY), gets("u3", network=LOSSY)), sends("u2"), sends("u3"))
        )
        assert text_of(live(rooms).verdict()) == "1 of 3 users affected: u1's downlink loses 6 %"

    def test_a_sender_whom_most_receive_badly_is_named_without_figures_of_its_own(self, rooms: RoomsInMemory) -> None:
        bad = gets("u1", network=LOSSY)
        rooms.apply(of_server(NOW, Entry("u1", []), sends("u2", bad), sends("u3", bad)))
        assert text_of(live(rooms).verdict()) == "2 of 2 users affected: both receive u1's camera with 6 % loss"


class TestTime:
    def test_users_and_streams_turn_stale_and_leave(self, rooms: RoomsInMemory) -> None:
        rooms.apply(of_server(NOW, sends("u1", gets("u2")), sends("u2", gets("u1"))))
        rooms.apply(of_server(NOW + 5, sends("u1"), report_time=TIME + 5))
        assert live(rooms).summary().aggregate.stream_count == 4
        rooms.expire(NOW + 16)
        assert [one.stale for one in (user(rooms, "u1"), user(rooms, "u2"))] == [False, True]
        assert live(rooms).summary().aggregate.stream_count == 1
        assert list(user(rooms, "u2").received_by_others()) == []
        rooms.expire(NOW + 60)
        assert list(live(rooms).users) == ["u1"]
        assert metrics(rooms, "u1").receiving == []
        assert user(rooms, "u1").receptions_by_others() == []
        rooms.expire(NOW + 65)
        assert rooms.ids() == []

    def test_a_report_that_is_late_is_for_history_alone(self, rooms: RoomsInMemory) -> None:
        rooms.apply(of_server(NOW, sends("u1"), report_time=TIME + 5))
        rooms.apply(of_server(NOW + 1, sends("u1", network=LOSSY), report_time=TIME + 4))
        assert metrics(rooms, "u1").quality.level == "fair", "it may be in another second"
        rooms.apply(of_server(NOW + 2, sends("u1"), report_time=TIME + 3))
        assert metrics(rooms, "u1").quality.level == "fair"
        rooms.apply(of_server(NOW + 2, sends("u2"), user_id="sfu-2", report_time=TIME))
        assert list(live(rooms).users) == ["u1", "u2"], "each server has a clock of its own"
        rooms.apply(of_server(NOW + 17, sends("u1"), report_time=TIME))
        assert metrics(rooms, "u1").quality.level == "good", "its clock was set back"

    def test_who_left_is_not_brought_back_for_a_moment_but_comes_back(self, rooms: RoomsInMemory) -> None:
        rooms.apply(of_server(NOW, sends("u1", gets("u2")), sends("u2", gets("u1"))))
        rooms.apply(received(NOW + 1, user_id="u1", metrics=[], events=[Event("left")], report_time=TIME + 1))
        assert list(live(rooms).users) == ["u2"]
        assert user(rooms, "u2").metrics().receiving[0].user_id == "u1"
        rooms.apply(of_server(NOW + 5, sends("u1"), sends("u2"), report_time=TIME + 5))
        assert list(live(rooms).users) == ["u2"]
        rooms.apply(of_server(NOW + 16, sends("u1"), sends("u2"), report_time=TIME + 16))
        assert list(live(rooms).users) == ["u2", "u1"]

    def test_that_a_server_leaves_means_nothing_to_users(self, rooms: RoomsInMemory) -> None:
        rooms.apply(of_server(NOW, sends("u1"), events=[Event("left")]))
        assert list(live(rooms).users) == ["u1"]

    def test_a_clock_that_is_set_shifts_everything(self, rooms: RoomsInMemory) -> None:
        rooms.apply(of_server(NOW, sends("u1", gets("u2")), sends("u2"), report_time=TIME))
        rooms.expire(NOW + 3600, jumped=3600)
        assert list(live(rooms).users) == ["u1", "u2"]
        rooms.apply(of_server(NOW + 3601, sends("u3"), report_time=TIME - 5))
        assert "u3" not in live(rooms).users


class TestLimits:
    def test_streams_are_bounded_for_each_sender_that_a_user_receives(self, rooms: RoomsInMemory) -> None:
        many = [gets(f"u{number}", stream_id) for number in range(9) for stream_id in ("camera", "mic")]
        assert rooms.admit([of_server(NOW, Entry("u1", many))]) == [None]
        (problem,) = rooms.admit([of_server(NOW, Entry("u1", [*many, gets("u3", "screen")]))])
        assert problem
        assert "streams about one user" in problem.message
        rooms.apply(of_server(NOW, Entry("u1", many)))
        assert rooms.admit([of_server(NOW, Entry("u1", many))]) == [None]
        (problem,) = rooms.admit([of_server(NOW, Entry("u1", [gets("u3", "screen")]))])
        assert problem

    def test_streams_that_are_there_are_gone_through_as_often_for_many_senders_as_for_one(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rooms = RoomsInMemory(Limits(rooms=9, room_users=999, user_streams=2), stale_after=15, leave_after=60)
        looks: list[object] = []
        streams = admission._streams_of

        def noted(*scope: Any) -> Any:
            looks.append(scope)
            return streams(*scope)

        monkeypatch.setattr(admission, "_streams_of", noted)
        rooms.apply(of_server(NOW, Entry("u1", [gets(f"a{number}") for number in range(300)])))
        for senders in (1, 300):
            looks.clear()
            more = of_server(NOW, Entry("u1", [gets(f"b{number}") for number in range(senders)]))
            assert rooms.admit([more]) == [None]
            assert len(looks) == 2

    def test_so_are_the_senders(self, rooms: RoomsInMemory) -> None:
        rooms.apply(of_server(NOW, Entry("u1", [gets(f"u{number}") for number in range(9)])))
        (problem,) = rooms.admit([of_server(NOW, Entry("u1", [gets("u9")]))])
        assert problem
        assert (problem.status, problem.message) == (
            429,
            "$.metrics: one user can receive streams of no more than 9 users",
        )

    def test_a_server_takes_no_place_of_a_user(self, rooms: RoomsInMemory) -> None:
        nine = [sends(f"u{number}") for number in range(9)]
        assert rooms.admit([of_server(NOW, *nine)]) == [None]
        rooms.apply(of_server(NOW, *nine))
        assert rooms.admit([received(NOW, user_id="u1")]) == [None]
        assert rooms.admit([of_server(NOW, sends("u1"), sends("u9"))]) != [None]


def test_what_is_kept_is_what_a_full_scan_finds(rooms: RoomsInMemory) -> None:
    for step in range(30):
        at, time = NOW + 5 * step, TIME + 5 * step
        one, other, left = (f"u{(step + shift) % 5}" for shift in range(3))
        entries = [sends(one, gets(other, network=LOSSY), gets(None)), sends(other, gets(one), gets(left))]
        rooms.apply(of_server(at, *entries, report_time=time))
        if step % 4 == 0:
            leaves = [Event("left")] if step % 8 == 0 else None
            own = [sends(left), Entry(one, [stream(direction="recv")])]
            rooms.apply(received(at, user_id=left, metrics=own, events=leaves, report_time=time))
        rooms.expire(at + 4)
        found = live(rooms)
        fresh = [one.sample for user in found.users.values() for one in user.streams() if not one.stale]
        assert found.summary().aggregate.stream_count == len(fresh)
        assert found.summary().aggregate.quality == rate_room([user.score() for user in found.users.values()])
        for user_id, state in found.users.items():
            held = {one for user in found.users.values() for one in user.streams() if one.receiver_id == user_id}
            assert set(state.receiving.values()) == held
            by_servers = {one for user in found.users.values() for one in user.streams() if one.by_server}
            named = {one for one in by_servers if one.user_id == user_id and one.is_named}
            # One that was last mentioned before its sender came is not linked.
            assert {one for one in named if one.received_at == at} <= set(state.by_servers) <= named
