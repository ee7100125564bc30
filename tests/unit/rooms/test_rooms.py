from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from roompulse.quality import rate_room
from roompulse.report.model import Device, Direction, Entry, Received, Report, Stream, Video
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.model import Receiving, RoomMetrics, StreamMetrics, UserMetrics
from tests.builders import NOW, network, received, report, stream, video

MANY = Limits(rooms=1000, room_users=1000, user_streams=1000)


@pytest.fixture
def rooms() -> RoomsInMemory:
    return RoomsInMemory(MANY, stale_after=15, leave_after=60)


def user_of(rooms: RoomsInMemory, user_id: str = "u1", room_id: str = "room-1") -> UserMetrics:
    room = rooms.get(room_id)
    assert room
    user = room.user(user_id)
    assert user
    return user.metrics()


def users_of(rooms: RoomsInMemory, room_id: str = "room-1") -> list[str]:
    room = rooms.get(room_id)
    return [user.user_id for user in room.metrics().users] if room else []


def streams_of(user: UserMetrics) -> list[tuple[str, Direction, str]]:
    return [(one.stream_id, one.direction, one.reporter_id) for one in user.streams]


def versions(rooms: RoomsInMemory, *user_ids: str) -> list[int]:
    """The version of room-1, and those of some of its users."""
    room = rooms.get("room-1")
    assert room
    users = [room.user(user_id) for user_id in user_ids]
    return [room.version, *(user.version for user in users if user)]


class TestWhoIsWho:
    def test_a_client_sends_what_it_reports_about_itself(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received())
        user = user_of(rooms)
        assert streams_of(user) == [("camera", "send", "u1")]
        assert (user.quality.uplink, user.quality.downlink, user.quality.score) == (4.37, None, 4.37)
        assert (user.reporters, user.receiving, user.received_at, user.stale) == (["u1"], [], NOW, False)

    def test_a_stream_is_shown_as_it_was_reported(self, rooms: RoomsInMemory) -> None:
        sent = stream(video=video(timestamp=5, width=0), audio=None, network=network(1, None, 0.25))
        rooms.apply(received(metrics=[Entry("u1", [sent])]))
        (shown,) = user_of(rooms).streams
        assert shown == StreamMetrics(
            "camera", "send", "u1", NOW, sent.video, None, sent.network, quality=shown.quality
        )

    def test_recv_about_another_is_how_the_reporter_receives_that_user(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(user_id="u1", metrics=[Entry("u2", [stream(direction="recv")])]))
        sender, receiver = user_of(rooms, "u2"), user_of(rooms, "u1")
        assert streams_of(sender) == [("camera", "recv", "u1")]
        assert (sender.quality.score, sender.quality.level, sender.receiving) == (None, "unknown", [])
        assert (sender.reporters, receiver.reporters) == (["u1"], [])
        assert (receiver.streams, receiver.receiving) == ([], [Receiving("u2", "camera", 4.37, "good")])
        assert (receiver.quality.uplink, receiver.quality.downlink, receiver.quality.score) == (None, 4.37, 4.37)

    def test_recv_about_the_reporter_itself_comes_from_somebody_unnamed(self, rooms: RoomsInMemory) -> None:
        lossy = stream(direction="recv", network=network(packet_loss=6))
        rooms.apply(received(metrics=[Entry("u1", [lossy])]))
        user = user_of(rooms)
        assert streams_of(user) == [("camera", "recv", "u1")]
        assert user.receiving == [Receiving("u1", "camera", user.quality.downlink, "fair")]
        assert (user.quality.uplink, user.quality.score) == (None, user.quality.downlink)
        assert user.quality.reasons == ["6.0 % packet loss receiving camera (−1.1)"]

    def test_reasons_name_whose_stream_is_received(self, rooms: RoomsInMemory) -> None:
        lossy = stream(direction="recv", network=network(packet_loss=6))
        rooms.apply(received(metrics=[Entry("u2", [lossy])]))
        assert user_of(rooms).quality.reasons == ["6.0 % packet loss receiving u2's camera (−1.1)"]

    def test_how_others_receive_a_user_is_their_downlink(self, rooms: RoomsInMemory) -> None:
        lossy = stream(direction="recv", network=network(packet_loss=20))
        rooms.apply(received(user_id="u1"))
        rooms.apply(received(user_id="u2", metrics=[Entry("u1", [lossy])]))
        assert user_of(rooms, "u1").quality.score == 4.37
        assert user_of(rooms, "u1").reporters == ["u1", "u2"]
        assert user_of(rooms, "u2").quality.level == "poor"

    def test_send_about_another_is_that_users_uplink(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(user_id="sfu", metrics=[Entry("u1", [stream()])]))
        assert user_of(rooms, "u1").quality.uplink == 4.37
        assert streams_of(user_of(rooms, "u1")) == [("camera", "send", "sfu")]
        assert user_of(rooms, "sfu").quality.score is None

    def test_a_media_server_reports_in_each_users_name(self, rooms: RoomsInMemory) -> None:
        seen = [Entry("u1", [stream()]), Entry("u2", [stream(direction="recv")])]
        rooms.apply(received(user_id="u1", metrics=seen))
        assert users_of(rooms) == ["u1", "u2"]
        assert user_of(rooms, "u1").receiving == [Receiving("u2", "camera", 4.37, "good")]

    def test_an_empty_report_is_a_sign_of_life(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(metrics=[]))
        assert users_of(rooms) == ["u1"]
        user = user_of(rooms)
        assert (user.sdk_version, user.report_time, user.reporters) == ("1.2.0", 1746616000, [])
        assert (user.quality.level, user.streams) == ("unknown", [])

    def test_an_entry_without_streams_is_one_too(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(metrics=[Entry("u2", [])]))
        assert users_of(rooms) == ["u1", "u2"]
        assert user_of(rooms, "u2").reporters == ["u1"]

    def test_rooms_do_not_know_of_each_other(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(room_id="b", metrics=[]))
        rooms.apply(received(room_id="a", user_id="u2", metrics=[]))
        assert rooms.ids() == ["a", "b"]
        assert (users_of(rooms, "a"), users_of(rooms, "b")) == (["u2"], ["u1"])
        assert rooms.get("c") is None


class TestStreams:
    def test_are_replaced_by_the_newest_report_about_them(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW))
        rooms.apply(received(NOW + 1, metrics=[Entry("u1", [stream(video=None, network=network(rtt=9))])]))
        (shown,) = user_of(rooms).streams
        assert (shown.received_at, shown.video, shown.network) == (NOW + 1, None, network(rtt=9))

    def test_are_told_apart_by_user_reporter_id_and_direction(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(metrics=[Entry("u1", [stream(), stream("mic"), stream("camera", "recv")])]))
        rooms.apply(received(user_id="u2", metrics=[Entry("u1", [stream(), stream("camera", "recv")])]))
        rooms.apply(received(user_id="u2", metrics=[Entry("u2", [stream()])]))
        assert streams_of(user_of(rooms, "u1")) == [
            ("camera", "recv", "u1"),
            ("camera", "recv", "u2"),
            ("camera", "send", "u1"),
            ("camera", "send", "u2"),
            ("mic", "send", "u1"),
        ]
        assert streams_of(user_of(rooms, "u2")) == [("camera", "send", "u2")]

    def test_that_a_report_does_not_mention_stay(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, metrics=[Entry("u1", [stream("camera"), stream("screen")])]))
        rooms.apply(received(NOW + 5, metrics=[Entry("u1", [stream("camera")])]))
        rooms.apply(received(NOW + 6, metrics=[Entry("u1", [])]))
        rooms.apply(received(NOW + 7, metrics=[]))
        assert [(one.stream_id, one.received_at) for one in user_of(rooms).streams] == [
            ("camera", NOW + 5),
            ("screen", NOW),
        ]

    def test_that_one_report_gives_twice_are_as_it_gives_them_last(self, rooms: RoomsInMemory) -> None:
        first, last = stream(network=network(rtt=1)), stream(network=network(rtt=2))
        rooms.apply(received(metrics=[Entry("u1", [first, last])]))
        assert [one.network for one in user_of(rooms).streams] == [last.network]
        rooms.apply(received(metrics=[Entry("u1", [last]), Entry("u1", [first])]))
        assert [one.network for one in user_of(rooms).streams] == [first.network]

    def test_leave_when_no_report_mentioned_them_for_60_s(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, metrics=[Entry("u1", [stream("camera"), stream("screen")])]))
        rooms.apply(received(NOW + 30, metrics=[Entry("u1", [stream("camera")])]))
        rooms.expire(NOW + 59.999)
        assert len(user_of(rooms).streams) == 2
        assert rooms.expire(NOW + 60) == {"room-1"}
        assert streams_of(user_of(rooms)) == [("camera", "send", "u1")]

    def test_that_left_are_no_longer_received(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, user_id="u2", metrics=[Entry("u1", [stream(direction="recv")])]))
        rooms.apply(received(NOW + 50, user_id="u2", metrics=[]))
        rooms.apply(received(NOW + 50, user_id="u1", metrics=[]))
        before = versions(rooms, "u2")
        rooms.expire(NOW + 60)
        assert (user_of(rooms, "u2").receiving, user_of(rooms, "u2").quality.downlink) == ([], None)
        assert user_of(rooms, "u1").streams == []
        assert all(now > then for now, then in zip(versions(rooms, "u2"), before, strict=True))

    def test_are_no_longer_received_from_a_user_who_left(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, user_id="u2", metrics=[Entry("u1", [stream(direction="recv")])]))
        rooms.apply(received(NOW + 50, user_id="u2", metrics=[]))
        rooms.expire(NOW + 60)
        assert users_of(rooms) == ["u2"]
        assert user_of(rooms, "u2").receiving == []

    def test_can_come_back(self, rooms: RoomsInMemory) -> None:
        for at in (NOW, NOW + 100):
            rooms.expire(at)
            rooms.apply(received(at, user_id="u2", metrics=[Entry("u1", [stream(direction="recv")])]))
        assert user_of(rooms, "u2").receiving == [Receiving("u1", "camera", 4.37, "good")]
        assert streams_of(user_of(rooms, "u1")) == [("camera", "recv", "u2")]


class TestFrameRates:
    @staticmethod
    def cost(rooms: RoomsInMemory, at: float, fps: float, stream_id: str = "camera") -> float:
        """The cost of the frame rate in a report of `fps` at `at`."""
        one = stream(stream_id, video=Video(frame_rate=fps))
        rooms.apply(received(at, metrics=[Entry("u1", [one])]))
        (shown,) = user_of(rooms).streams
        return sum(term.cost for term in shown.quality.terms if term.term == "frame_rate")

    def test_are_held_against_the_streams_own_highest_within_60_s(self, rooms: RoomsInMemory) -> None:
        assert self.cost(rooms, NOW, 25) == 0
        assert self.cost(rooms, NOW + 30, 15) == 0.55
        assert self.cost(rooms, NOW + 60, 15) == 0.55
        assert self.cost(rooms, NOW + 60.001, 15) == 0

    def test_are_held_against_the_next_highest_after_that(self, rooms: RoomsInMemory) -> None:
        assert self.cost(rooms, NOW, 30) == 0
        assert self.cost(rooms, NOW + 20, 20) > 0
        assert self.cost(rooms, NOW + 40, 18) > 0
        assert self.cost(rooms, NOW + 61, 18) == 0
        assert self.cost(rooms, NOW + 62, 15.5) > 0
        assert self.cost(rooms, NOW + 101, 15.5) == 0

    def test_above_30_raise_no_hopes(self, rooms: RoomsInMemory) -> None:
        assert self.cost(rooms, NOW, 60) == 0
        assert self.cost(rooms, NOW + 1, 24) == 0

    def test_below_15_are_poor_from_the_start_but_for_a_screen(self, rooms: RoomsInMemory) -> None:
        assert self.cost(rooms, NOW, 5) > 0.5
        rooms.expire(NOW + 60)
        assert self.cost(rooms, NOW + 60, 5, "screen") == 0
        assert self.cost(rooms, NOW + 61, 3, "screen") == 0

    def test_of_another_stream_do_not_count(self, rooms: RoomsInMemory) -> None:
        fast, slow = stream("camera", video=Video(frame_rate=30)), stream("camera", "recv", video=Video(frame_rate=15))
        rooms.apply(received(metrics=[Entry("u1", [fast, slow])]))
        assert all(term.term != "frame_rate" for one in user_of(rooms).streams for term in one.quality.terms)


class TestTime:
    def test_a_user_is_stale_after_15_s_without_a_report(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW))
        assert rooms.expire(NOW + 14.999) == set()
        assert not user_of(rooms).stale
        assert rooms.expire(NOW + 15) == {"room-1"}
        assert user_of(rooms).stale
        assert rooms.expire(NOW + 16) == set()

    def test_a_report_by_or_about_a_user_freshens_it(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, user_id="u1", metrics=[]))
        rooms.apply(received(NOW, user_id="u2", metrics=[]))
        rooms.expire(NOW + 20)
        rooms.apply(received(NOW + 20, user_id="u1", metrics=[Entry("u2", [])]))
        for user_id in ("u1", "u2"):
            assert (user_of(rooms, user_id).stale, user_of(rooms, user_id).received_at) == (False, NOW + 20)
        assert rooms.expire(NOW + 34.999) == set()
        assert rooms.expire(NOW + 35) == {"room-1"}

    def test_it_drops_users_not_heard_of_for_a_minute(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, user_id="u1"))
        rooms.apply(received(NOW + 1, user_id="u2"))
        rooms.expire(NOW + 59.999)
        assert users_of(rooms) == ["u1", "u2"]
        assert rooms.expire(NOW + 60) == {"room-1"}
        assert users_of(rooms) == ["u2"]

    def test_a_room_ends_with_its_last_user(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW))
        rooms.apply(received(NOW + 30, room_id="room-2"))
        assert rooms.expire(NOW + 60) == {"room-1", "room-2"}  # u1 turned stale in room-2
        assert rooms.ids() == ["room-2"]
        assert rooms.get("room-1") is None
        assert rooms.expire(NOW + 90) == {"room-2"}
        assert rooms.ids() == []

    def test_a_room_can_begin_again(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW))
        before = versions(rooms)
        rooms.expire(NOW + 60)
        rooms.apply(received(NOW + 61, metrics=[]))
        assert user_of(rooms).streams == []
        assert versions(rooms) > before

    def test_it_drops_reporters_not_heard_of_for_a_minute(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, user_id="u2", metrics=[Entry("u1", [])]))
        rooms.apply(received(NOW + 30, user_id="u1"))
        rooms.expire(NOW + 59.999)
        assert user_of(rooms, "u1").reporters == ["u1", "u2"]
        assert rooms.expire(NOW + 60) == {"room-1"}
        assert user_of(rooms, "u1").reporters == ["u1"]
        assert users_of(rooms) == ["u1"]

    def test_a_long_pause_ends_everything_at_once(self, rooms: RoomsInMemory) -> None:
        for number in range(10):
            rooms.apply(received(NOW + number, user_id=f"u{number}", room_id=f"room-{number % 3}"))
        assert rooms.expire(NOW + 10_000) == {"room-0", "room-1", "room-2"}
        assert rooms.ids() == []
        assert rooms.expire(NOW + 10_001) == set()

    @pytest.mark.parametrize("looks", [[90], [15, 90], [0.5, 14.9, 15.1, 20, 40, 59, 61, 90], range(91)])
    def test_a_change_is_of_when_it_was_due_whenever_it_is_found(
        self, rooms: RoomsInMemory, looks: Sequence[float]
    ) -> None:
        heard = [
            received(NOW, user_id="u1", position=1),
            received(NOW + 1, user_id="u2", metrics=[Entry("u1", [stream(direction="recv")])], position=2),
            received(NOW + 40, user_id="u2", metrics=[], position=3),
        ]
        for look in looks:
            while heard and heard[0].at <= NOW + look:
                rooms.apply(heard.pop(0))
            rooms.expire(NOW + look)
        room = rooms.get("room-1")
        assert room
        assert room.metrics().updated_at == NOW + 61  # when u2's streams of u1 expired
        assert room.tag == f"3-{round(1000 * (NOW + 61))}"

    def test_a_report_that_was_received_first_and_committed_last_does_not_date_its_room_back(
        self, rooms: RoomsInMemory
    ) -> None:
        rooms.apply(received(NOW + 0.5, user_id="u1", position=1))
        rooms.apply(received(NOW + 0.2, user_id="u2", position=2))
        room = rooms.get("room-1")
        assert room
        assert room.tag == f"2-{round(1000 * (NOW + 0.5))}"

    @pytest.mark.parametrize("behind", [0.001, 1, 1.999])
    def test_a_clock_that_is_a_little_behind_waits(self, rooms: RoomsInMemory, behind: float) -> None:
        rooms.apply(received(NOW))
        before = versions(rooms)
        assert rooms.expire(NOW - behind) == set()
        assert (versions(rooms), user_of(rooms).received_at) == (before, NOW)

    def test_one_may_leave_sooner_than_one_would_turn_stale(self) -> None:
        rooms = RoomsInMemory(MANY, stale_after=100, leave_after=60)
        rooms.apply(received(NOW))
        assert rooms.expire(NOW + 59.999) == set()
        assert rooms.expire(NOW + 60) == {"room-1"}
        assert rooms.ids() == []


class TestFreezes:
    @staticmethod
    def share(rooms: RoomsInMemory, at: float, report_time: int, frozen: float = 1) -> float | None:
        """The percentage of time that a camera was frozen, by a report at `at`; None where that is not judged."""
        one = stream(video=video(freeze_duration=frozen))
        rooms.apply(received(at, report_time=report_time, metrics=[Entry("u1", [one])]))
        (shown,) = user_of(rooms).streams
        return next((term.value for term in shown.quality.terms if term.term == "freeze"), None)

    def test_are_held_against_the_time_since_the_report_before(self, rooms: RoomsInMemory) -> None:
        assert self.share(rooms, NOW, 1000) is None
        assert self.share(rooms, NOW + 5.1, 1005) == 20
        assert self.share(rooms, NOW + 15.1, 1015) == 10

    def test_in_reports_that_were_kept_and_come_in_a_burst_are_those_of_their_own_time(
        self, rooms: RoomsInMemory
    ) -> None:
        shares = [self.share(rooms, NOW + number / 100, 1000 + 5 * number) for number in range(4)]
        assert shares == [None, 20, 20, 20]

    def test_of_a_report_that_comes_again_count_once(self, rooms: RoomsInMemory) -> None:
        self.share(rooms, NOW, 1000)
        assert self.share(rooms, NOW + 5, 1005) == 20
        assert self.share(rooms, NOW + 5.5, 1005) == 20

    def test_of_another_stream_do_not_count(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, report_time=1000, metrics=[Entry("u1", [stream("screen")])]))
        rooms.apply(received(NOW, report_time=1000, user_id="u2", metrics=[Entry("u1", [stream()])]))
        frozen = stream(video=video(freeze_duration=5))
        rooms.apply(received(NOW + 5, report_time=1005, metrics=[Entry("u1", [frozen])]))
        assert all(term.term != "freeze" for one in user_of(rooms).streams for term in one.quality.terms)

    def test_are_judged_anew_when_a_stream_comes_back(self, rooms: RoomsInMemory) -> None:
        self.share(rooms, NOW, 1000)
        rooms.expire(NOW + 60)
        assert self.share(rooms, NOW + 60, 1060) is None
        assert self.share(rooms, NOW + 65, 1065) == 20


class TestDevices:
    PHONE, DESK = Device(type="phone", network_type="4g"), Device(type="desktop")

    def test_are_of_the_newest_entry_about_the_user_that_gave_one(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, user_id="u1", metrics=[Entry("u1", [], self.PHONE), Entry("u2", [], self.DESK)]))
        rooms.apply(received(NOW + 1, user_id="u2", metrics=[Entry("u1", [])]))
        assert (user_of(rooms, "u1").device, user_of(rooms, "u2").device) == (self.PHONE, self.DESK)
        rooms.apply(received(NOW + 2, user_id="u3", metrics=[Entry("u2", [], self.PHONE)]))
        assert user_of(rooms, "u2").device == self.PHONE

    def test_that_a_user_gave_of_itself_are_not_replaced_by_others(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, user_id="u1", metrics=[Entry("u1", [], self.PHONE)]))
        rooms.apply(received(NOW + 1, user_id="u2", metrics=[Entry("u1", [], self.DESK)]))
        assert user_of(rooms, "u1").device == self.PHONE
        rooms.apply(received(NOW + 2, user_id="u1", metrics=[Entry("u1", [], self.DESK)]))
        assert user_of(rooms, "u1").device == self.DESK

    def test_are_not_known_of_who_gave_none(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, user_id="u1", metrics=[Entry("u2", [], self.DESK)]))
        assert user_of(rooms, "u1").device is None

    def test_are_forgotten_when_none_was_given_for_60_s(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, metrics=[Entry("u1", [], self.DESK)]))
        rooms.apply(received(NOW + 55, metrics=[Entry("u1", [])]))
        rooms.expire(NOW + 59.999)
        assert user_of(rooms).device == self.DESK
        assert rooms.expire(NOW + 60) == {"room-1"}
        assert user_of(rooms).device is None


class TestSdkVersionAndReportTime:
    def test_are_of_the_newest_report_about_the_user(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(user_id="u1", sdk_version="1", report_time=2000))
        rooms.apply(received(user_id="u2", sdk_version="2", report_time=1000, metrics=[Entry("u1", [])]))
        rooms.apply(received(user_id="u1", sdk_version="3", report_time=3000, metrics=[]))
        user = user_of(rooms, "u1")
        assert (user.sdk_version, user.report_time) == ("2", 1000)

    def test_are_of_the_users_own_report_where_nobody_reported_about_it(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(user_id="u2", sdk_version="2", report_time=1000, metrics=[Entry("u1", [])]))
        user = user_of(rooms, "u2")
        assert (user.sdk_version, user.report_time) == ("2", 1000)

    def test_are_forgotten_with_those_who_reported_about_the_user(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, user_id="u2", sdk_version="2", metrics=[Entry("u1", [])]))
        rooms.apply(received(NOW + 30, user_id="u1", sdk_version="3", metrics=[]))
        rooms.expire(NOW + 60)
        assert user_of(rooms, "u1").sdk_version == "3"


class TestVersions:
    def test_change_with_each_report_for_those_whom_it_is_by_or_about(self, rooms: RoomsInMemory) -> None:
        for user_id in ("u1", "u2", "u3"):
            rooms.apply(received(user_id=user_id))
        before = versions(rooms, "u1", "u2", "u3")
        rooms.apply(received(user_id="u1", metrics=[Entry("u2", [])]))
        after = versions(rooms, "u1", "u2", "u3")
        assert [now > then for now, then in zip(after, before, strict=True)] == [True, True, True, False]

    def test_are_higher_than_those_of_every_earlier_change_of_any_room(self, rooms: RoomsInMemory) -> None:
        seen = []
        for number, room_id in enumerate(("a", "b", "a", "c", "b")):
            rooms.apply(received(NOW + number, room_id=room_id))
            room = rooms.get(room_id)
            assert room
            seen.append(room.version)
        assert seen == sorted(set(seen))

    def test_stay_while_nothing_changes(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW))
        before, shown = versions(rooms, "u1"), user_of(rooms)
        rooms.expire(NOW + 1)
        rooms.admit([received(NOW + 1)])
        assert versions(rooms, "u1") == before
        assert user_of(rooms) is shown

    def test_answers_are_not_changed_behind_a_readers_back(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW))
        room = rooms.get("room-1")
        assert room
        shown = room.metrics()
        rooms.apply(received(NOW + 1, metrics=[Entry("u1", [stream("mic")])]))
        assert [one.stream_id for one in shown.users[0].streams] == ["camera"]
        assert (shown.updated_at, room.metrics().updated_at) == (NOW, NOW + 1)


class TestAClockThatIsSetBack:
    def test_keeps_those_who_are_heard_of(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW))
        rooms.expire(NOW - 3600)
        assert users_of(rooms) == ["u1"]
        rooms.apply(received(NOW - 3599))
        rooms.expire(NOW - 3590)
        assert not user_of(rooms).stale
        assert user_of(rooms).received_at == NOW - 3599

    def test_lets_the_others_turn_stale_and_leave_in_time(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, user_id="u2", metrics=[Entry("u1", [stream(direction="recv")])]))
        back = NOW - 3600
        rooms.expire(back)
        assert rooms.expire(back + 14.999) == set()
        assert rooms.expire(back + 15) == {"room-1"}
        assert user_of(rooms).stale
        assert rooms.expire(back + 60) == {"room-1"}
        assert rooms.ids() == []

    def test_leaves_no_streams_behind_of_users_who_left(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, user_id="u2", metrics=[Entry("u1", [stream(direction="recv")])]))
        rooms.apply(received(NOW - 1, user_id="u1", metrics=[]))
        rooms.apply(received(NOW + 30, user_id="u2", metrics=[]))
        rooms.expire(NOW + 59)
        assert users_of(rooms) == ["u1", "u2"]
        rooms.expire(NOW + 60)
        assert users_of(rooms) == ["u2"]
        assert user_of(rooms, "u2").receiving == []

    def test_leaves_no_streams_behind_of_reporters_who_left(self, rooms: RoomsInMemory) -> None:
        rooms.apply(received(NOW, user_id="u2", metrics=[Entry("u1", [stream(direction="recv")])]))
        rooms.apply(received(NOW - 1, user_id="u2", metrics=[Entry("u1", [])]))
        for user_id in ("u1", "u2"):
            rooms.apply(received(NOW + 30, user_id=user_id, metrics=[]))
        rooms.expire(NOW + 59)
        assert user_of(rooms, "u1").reporters == ["u2"]
        rooms.expire(NOW + 60)
        assert (user_of(rooms, "u1").streams, user_of(rooms, "u2").receiving) == ([], [])

    def test_does_not_freeze_the_highest_frame_rate(self, rooms: RoomsInMemory) -> None:
        assert TestFrameRates.cost(rooms, NOW, 25) == 0
        back = NOW - 3600
        rooms.expire(back)
        assert TestFrameRates.cost(rooms, back + 50, 15) == 0.55
        assert TestFrameRates.cost(rooms, back + 61, 15) == 0


class Step(Struct, frozen=True):
    """Some seconds pass; then a report is applied, or the rooms are brought up to date."""

    seconds: float
    report: Report | None


class SlowRooms:
    """Live rooms as section 2.1 has them: every answer is computed from all reports ever received."""

    def __init__(self) -> None:
        self._all: list[Received] = []

    def apply(self, one: Received) -> None:
        self._all.append(one)

    def set_clock(self, seconds: float) -> None:
        """The clock is set: everything is as long ago as before."""
        self._all = [Received(one.report, one.at + seconds) for one in self._all]

    def shown(self, now: float) -> dict[str, dict[str, Any]]:
        """Users by room, each as (stale, since when, sdk version, device, reporters, streams, receiving)."""
        recent = [one for one in self._all if one.at + 60 > now]
        by_room: dict[str, list[Received]] = {}
        for one in recent:
            by_room.setdefault(one.report.room_id, []).append(one)
        return {room_id: self._room(of_room, now) for room_id, of_room in by_room.items()}

    def _room(self, recent: Sequence[Received], now: float) -> dict[str, Any]:
        user_ids = {one.report.user_id for one in recent}
        user_ids |= {entry.user_id for one in recent for entry in one.report.metrics}
        return {user_id: self._user(user_id, recent, now) for user_id in user_ids}

    def _user(self, user_id: str, recent: Sequence[Received], now: float) -> tuple[Any, ...]:
        by = [one for one in recent if one.report.user_id == user_id]
        about = [one for one in recent if any(entry.user_id == user_id for entry in one.report.metrics)]
        heard = max(one.at for one in by + about)
        newest = (about or by)[-1].report
        streams = {
            (sample.stream_id, sample.direction, one.report.user_id): (one.at + 15 <= now, one.at, sample.network)
            for one in about
            for entry in one.report.metrics
            if entry.user_id == user_id
            for sample in entry.streams
        }
        receiving = {
            (entry.user_id, sample.stream_id)
            for one in by
            for entry in one.report.metrics
            for sample in entry.streams
            if sample.direction == "recv"
        }
        entries = [entry for one in about for entry in one.report.metrics if entry.user_id == user_id]
        device = next((entry.device for entry in reversed(entries) if entry.device), None)
        reporters = {one.report.user_id for one in about}
        return heard + 15 <= now, heard, newest.sdk_version, device, sorted(reporters), streams, sorted(receiving)


def shown(rooms: RoomsInMemory) -> dict[str, dict[str, Any]]:
    """The expected result of `SlowRooms.shown`."""
    return {room_id: {user.user_id: summary(user) for user in metrics(rooms, room_id).users} for room_id in rooms.ids()}


def metrics(rooms: RoomsInMemory, room_id: str) -> RoomMetrics:
    room = rooms.get(room_id)
    assert room
    return room.metrics()


def summary(user: UserMetrics) -> tuple[Any, ...]:
    streams = {
        (one.stream_id, one.direction, one.reporter_id): (one.quality.score is None, one.received_at, one.network)
        for one in user.streams
    }
    receiving = [(one.user_id, one.stream_id) for one in user.receiving]
    return user.stale, user.received_at, user.sdk_version, user.device, user.reporters, streams, receiving


def assert_summaries_agree(rooms: RoomsInMemory) -> None:
    """The summary of a room equals the one computed from its users."""
    for room_id in rooms.ids():
        room = rooms.get(room_id)
        assert room
        told, users = room.summary(), room.metrics().users
        assert told.aggregate.quality == rate_room([user.quality.score for user in users])
        fresh = [one for user in users for one in user.streams if one.quality.score is not None]
        assert told.aggregate.stream_count == len(fresh)
        assert (told.received_at, told.stale) == (
            max(user.received_at for user in users),
            all(user.stale for user in users),
        )


def version_of(rooms: RoomsInMemory, room_id: str) -> int | None:
    room = rooms.get(room_id)
    return room.version if room else None


few = st.sampled_from(["u1", "u2", "u3"])
small_streams = st.builds(
    Stream,
    stream_id=st.sampled_from(["camera", "mic"]),
    direction=st.sampled_from(["send", "recv"]),
    network=st.builds(network, rtt=st.integers(0, 3)),
)
small_devices = st.none() | st.builds(Device, type=st.sampled_from(["phone", "desktop"]))
small_reports = st.builds(
    report,
    user_id=few,
    room_id=st.sampled_from(["room-1", "room-2"]),
    sdk_version=st.sampled_from(["1", "2", "3"]),
    metrics=st.lists(st.builds(Entry, few, st.lists(small_streams, max_size=2), small_devices), max_size=2),
)
steps = st.builds(Step, st.sampled_from([0, 0.5, 1, 14.5, 15, 30, 45, 59.5, 60, 61]), st.none() | small_reports)


@settings(max_examples=300)
@given(st.lists(steps, max_size=25))
def test_after_any_sequence_of_reports_and_pauses_the_rooms_are_what_a_naive_recomputation_says(
    sequence: list[Step],
) -> None:
    rooms, slow, now = RoomsInMemory(MANY, stale_after=15, leave_after=60), SlowRooms(), NOW
    for step in sequence:
        now += step.seconds
        before = shown(rooms)
        versions_before = {room_id: version_of(rooms, room_id) for room_id in before}
        changed = rooms.expire(now)
        after = shown(rooms)
        assert after == slow.shown(now)
        assert_summaries_agree(rooms)
        assert changed == {room_id for room_id in before if before[room_id] != after.get(room_id)}
        assert changed == {room_id for room_id in before if versions_before[room_id] != version_of(rooms, room_id)}
        if step.report:
            for one in (rooms, slow):
                one.apply(Received(step.report, now))
            assert shown(rooms) == slow.shown(now)


@given(
    st.lists(steps, max_size=15),
    st.integers(-(10**6), 10**6),
    st.lists(steps, max_size=15),
    st.sampled_from(["known", "seen"]),
)
def test_so_they_are_when_the_clock_is_set_meanwhile(
    before: list[Step], jump: int, after: list[Step], how: str
) -> None:
    rooms, slow, now = RoomsInMemory(MANY, stale_after=15, leave_after=60), SlowRooms(), NOW
    for sequence, seconds in ((before, 0), (after, jump)):
        slow.set_clock(seconds)
        now += seconds
        # A clock that was set back is noticed by itself; where it was set forward, time could have passed.
        rooms.expire(now, seconds if how == "known" or seconds > 0 else 0)
        for step in sequence:
            now += step.seconds
            rooms.expire(now)
            if step.report:
                for one in (rooms, slow):
                    one.apply(Received(step.report, now))
            assert shown(rooms) == slow.shown(now)


@given(st.lists(steps, max_size=25))
def test_reports_may_pass_unlooked_at_for_any_time(sequence: list[Step]) -> None:
    rooms, slow, now = RoomsInMemory(MANY, stale_after=15, leave_after=60), SlowRooms(), NOW
    for step in sequence:
        now += min(step.seconds, 2)
        if step.report:
            for one in (rooms, slow):
                one.apply(Received(step.report, now))
    rooms.expire(now)
    assert shown(rooms) == slow.shown(now)
