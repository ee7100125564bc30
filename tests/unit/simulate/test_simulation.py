"""Simulated calls show on the dashboard as the real ones that they stand for."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise, takewhile

import msgspec
import pytest
from msgspec.structs import replace

from roompulse.quality import IMPAIRED, level_of
from roompulse.report.decode import decode_report
from roompulse.report.model import Received
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.model import RoomMetrics
from roompulse.simulate.progress import line, summary
from roompulse.simulate.rooms import RECEIVED_AT_MOST, ROOM_NAMES, Plan, reports
from roompulse.simulate.run import Tally
from roompulse.simulate.troubles import FIRST_AFTER, TROUBLES
from tests.builders import NOW

PLAN = Plan(rooms=1, users=6, interval=2.0, seed=1, troubles=())


def until(seconds: float, plan: Plan) -> list[tuple[float, bytes]]:
    """The reports of the first seconds, and their times."""
    timed = takewhile(lambda one: one[0] < seconds, reports(plan, NOW))
    return [(due, msgspec.json.encode(report)) for due, report in timed]


def states(plan: Plan, seconds: float) -> Iterator[RoomMetrics]:
    """The only room of the plan after each report, as the server sees it."""
    rooms = RoomsInMemory(Limits(1, 1000, 64), stale_after=15, leave_after=60)
    for due, body in until(seconds, plan):
        rooms.expire(NOW + due)
        rooms.apply(Received(decode_report(body), NOW + due))
        room = rooms.get(rooms.ids()[0])
        assert room
        yield room.metrics()


class Seen:
    """The first episode of a trouble: the room `before` and `at_worst`, and all affected users."""

    def __init__(self, trouble: str, seed: int, seconds: float = 40) -> None:
        rooms = list(states(replace(PLAN, seed=seed, troubles=(trouble,)), seconds))
        self.before = [room for room in rooms if room.updated_at < NOW + FIRST_AFTER[0]][-1]
        self.at_worst = min(rooms, key=lambda room: room.aggregate.quality.score or 5)
        self.everybody = {user.user_id for room in rooms for user in room.users}
        users = [user for room in rooms for user in room.users]
        self.bad_uplinks = {user.user_id for user in users if level_of(user.quality.uplink) in IMPAIRED}
        self.bad_downlinks = {user.user_id for user in users if level_of(user.quality.downlink) in IMPAIRED}
        streams = [stream for user in users for stream in user.streams if stream.direction == "recv"]
        self.still = {one.reporter_id for one in streams if one.video and one.video.frame_rate == 0}

    def costs(self, direction: str) -> Counter[str]:
        """The highest costs of sent or received streams, in hundredths, by term."""
        total: Counter[str] = Counter()
        for stream in (stream for user in self.at_worst.users for stream in user.streams):
            if stream.direction == direction:
                total.update({term.term: round(100 * term.cost) for term in stream.quality.terms})
        return total

    def reasons(self) -> dict[str, str]:
        """The costliest term of each user, at worst."""
        return {user.user_id: user.quality.reasons[0] for user in self.at_worst.users if user.quality.reasons}


@pytest.fixture(params=[1, 2, 3], ids="seed {}".format)
def seed(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


class TestTroubles:
    def test_without_one_nobody_suffers(self, seed: int) -> None:
        for room in states(replace(PLAN, seed=seed), 60):
            assert [user.user_id for user in room.users if user.quality.level in IMPAIRED] == []

    def test_wifi_uplink_is_one_bad_uplink_which_all_others_receive(self, seed: int) -> None:
        seen = Seen("wifi-uplink", seed)
        (victim,) = seen.bad_uplinks
        assert seen.bad_downlinks == seen.everybody - {victim}
        assert seen.costs("send").most_common(1)[0][0] == "loss"
        assert "sending" in seen.reasons()[victim]

    def test_a_congested_room_is_bad_for_everybody_in_both_directions_at_lower_bitrates(self, seed: int) -> None:
        seen = Seen("congested-room", seed)
        assert seen.bad_uplinks == seen.bad_downlinks == seen.everybody
        assert seen.costs("send").keys() >= {"delay", "loss"}
        before, at_worst = seen.before.aggregate, seen.at_worst.aggregate
        assert before.rtt
        assert at_worst.rtt
        assert at_worst.rtt.avg > 2 * before.rtt.avg
        assert at_worst.video.send_bitrate < 0.7 * before.video.send_bitrate

    def test_cpu_bound_is_one_slow_small_picture_on_a_good_network(self, seed: int) -> None:
        seen = Seen("cpu-bound", seed)
        (victim,) = seen.bad_uplinks
        sent = seen.costs("send")
        assert sent["frame_rate"] > 2 * (sent["delay"] + sent["loss"])
        assert seen.bad_downlinks == seen.everybody - {victim}
        assert all(" fps " in seen.reasons()[user_id] for user_id in seen.everybody)

    def test_freeze_is_one_receiver_whose_pictures_stand_still(self, seed: int) -> None:
        seen = Seen("freeze", seed, seconds=25)
        assert seen.bad_uplinks == set()
        (victim,) = seen.bad_downlinks
        assert seen.still == {victim}

    def test_server_side_is_bad_for_all_who_receive_and_none_who_send(self, seed: int) -> None:
        seen = Seen("server-side", seed)
        assert seen.bad_uplinks == set()
        assert seen.bad_downlinks == seen.everybody
        assert seen.costs("recv").most_common(1)[0][0] == "loss"

    @pytest.mark.parametrize("trouble", TROUBLES)
    def test_they_go_and_come_again(self, trouble: str) -> None:
        troubled = [
            room.aggregate.quality.verdict != "healthy" for room in states(replace(PLAN, troubles=(trouble,)), 500)
        ]
        changes = sum(one != other for one, other in pairwise(troubled))
        assert changes >= 3

    def test_they_are_dealt_to_every_other_room(self) -> None:
        rooms = RoomsInMemory(Limits(10, 100, 64), stale_after=15, leave_after=60)
        levels: dict[str, set[str]] = {}
        for due, body in until(30, replace(PLAN, rooms=4, troubles=("server-side", "congested-room"))):
            report = decode_report(body)
            rooms.apply(Received(report, NOW + due))
            room = rooms.get(report.room_id)
            assert room
            levels.setdefault(report.room_id, set()).add(room.summary().aggregate.quality.level)
        assert ["poor" in levels[room_id] for room_id in ROOM_NAMES.split()[:4]] == [True, False, True, False]


class TestReports:
    PLAN = Plan(rooms=12, users=6, interval=2.0, seed=1, troubles=tuple(TROUBLES))

    def test_are_the_same_for_the_same_seed_and_others_for_another(self) -> None:
        assert until(30, self.PLAN) == until(30, self.PLAN)
        assert until(30, self.PLAN) != until(30, replace(self.PLAN, seed=2))

    def test_are_all_taken_by_the_server(self) -> None:
        posted = until(60, self.PLAN)
        assert len(posted) > 500
        for due, body in posted:
            assert decode_report(body).report_time == int(NOW + due)

    def test_are_spread_over_the_interval(self) -> None:
        tenths = Counter(int(due * 5) % 10 for due, _ in until(20, replace(self.PLAN, rooms=100)))
        assert max(tenths.values()) < 2 * min(tenths.values())

    def test_are_those_of_people_who_come_and_go(self) -> None:
        seen: dict[str, list[float]] = {}
        for due, body in until(900, PLAN):
            seen.setdefault(decode_report(body).user_id, []).append(due)
        assert any(times[0] > 10 for times in seen.values())
        assert any(times[-1] < 890 for times in seen.values())

    def test_tell_when_microphones_are_turned_and_of_most_users_that_they_leave(self) -> None:
        told: dict[str, list[str]] = {}
        last: dict[str, float] = {}
        for due, body in until(1800, PLAN):
            report = decode_report(body)
            last[report.user_id] = due
            told.setdefault(report.user_id, []).extend(event.type for event in report.events or ())
        gone = [user_id for user_id, due in last.items() if due < 1790]
        leaving = [user_id for user_id in gone if told[user_id][-1:] == ["left"]]
        assert len(gone) / 2 < len(leaving) < len(gone)
        assert {kind for kinds in told.values() for kind in kinds} == {"left", "microphone on", "microphone off"}
        for kinds in told.values():
            turned = [kind for kind in kinds if kind != "left"]
            assert all(one != another for one, another in pairwise(turned))

    def test_tell_several_sdk_versions_screens_muted_users_and_users_without_camera(self) -> None:
        decoded = [decode_report(body) for _, body in until(4, replace(PLAN, rooms=30))]
        own = [next(entry for entry in report.metrics if entry.user_id == report.user_id) for report in decoded]
        sent = [stream for entry in own for stream in entry.streams]
        assert len({report.sdk_version for report in decoded}) > 2
        assert {stream.stream_id for stream in sent} == {"camera", "screen", "mic"}
        assert {stream.direction for stream in sent} == {"send"}
        assert any({stream.stream_id for stream in entry.streams} == {"mic"} for entry in own)
        assert any(stream.audio and stream.audio.bitrate == 0 for stream in sent)

    @pytest.mark.parametrize("users", [2, 6, 40])
    def test_tell_what_is_received_of_each_other_user_up_to_a_bound(self, users: int) -> None:
        decoded = [decode_report(body) for _, body in until(8, replace(PLAN, users=users, seed=3))]
        there = {report.user_id for report in decoded}
        others = [entry for entry in decoded[-1].metrics if entry.user_id != decoded[-1].user_id]
        assert len(others) == min(len(there) - 1, RECEIVED_AT_MOST)
        assert {stream.direction for entry in others for stream in entry.streams} == {"recv"}

    def test_of_more_rooms_and_users_than_there_are_names_have_ids_of_their_own(self) -> None:
        decoded = [decode_report(body) for _, body in until(2, replace(PLAN, rooms=60, users=100))]
        pairs = Counter((report.room_id, report.user_id) for report in decoded)
        assert len({room for room, _ in pairs}) == 60
        assert max(pairs.values()) == 1

    def test_never_end(self) -> None:
        alone = Plan(rooms=1, users=1, interval=60.0, seed=1, troubles=tuple(TROUBLES))
        assert len(list(islice(reports(alone, NOW), 2000))) == 2000


class TestWords:
    TALLY = Tally({"a", "b"}, {("a", "u1"), ("b", "u1"), ("b", "u2")}, sent=1500, delivered=1234, waiting=5)

    def test_of_one_line(self) -> None:
        assert line(self.TALLY, 26.0) == "2 rooms, 26.0 reports/s, 1,234 delivered, 5 waiting, 0 lost"

    def test_of_what_stands_in_the_way(self) -> None:
        tally = replace(self.TALLY, lost=7, problem="cannot reach http://test: connection refused")
        assert line(tally, 0) == (
            "2 rooms, 0.0 reports/s, 1,234 delivered, 5 waiting, 7 lost: cannot reach http://test: connection refused"
        )

    def test_of_the_end(self) -> None:
        text = "1,500 reports of 3 users in 2 rooms: 1,234 delivered, 0 lost"
        assert summary(self.TALLY) == text
        assert summary(replace(self.TALLY, last_loss="400: no")) == f"{text} (400: no)"
