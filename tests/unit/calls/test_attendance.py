"""The sums of a user while it is in a room."""

from types import SimpleNamespace

import pytest

from roompulse.calls.attendance import LONGEST, Attendance, Attendances
from roompulse.report.model import Device, Entry
from roompulse.rooms.memory import RoomsInMemory
from tests.builders import NOW, network, received, stream
from tests.store.test_replay import no_rooms

POOR = [stream(network=network(packet_loss=12))]


def user_of(rooms: RoomsInMemory, at: float = NOW, entry: Entry | None = None):  # type: ignore[no-untyped-def]
    rooms.apply(received(at, metrics=[entry or Entry("u1", [stream()])], report_time=int(at)))
    room = rooms.get("room-1")
    assert room
    return room.users["u1"]


@pytest.fixture
def attendance() -> Attendance:
    return Attendance("room-1", "u1", NOW)


def test_seconds_are_counted_by_level_and_scores_averaged_over_time(attendance: Attendance) -> None:
    rooms = no_rooms()
    attendance.note(user_of(rooms), NOW + 10, 10)
    poor = user_of(rooms, NOW + 10, Entry("u1", POOR))
    attendance.note(poor, NOW + 40, 30)
    figures = attendance.figures
    assert figures.seconds == {"good": 10, "poor": 30}
    assert figures.score == round((4.37 * 10 + (poor.score() or 0) * 30) / 40, 2)
    assert (figures.worst, figures.worst_at) == (poor.score(), NOW + 40)
    assert "12.0 % packet loss sending camera" in figures.reasons[0]


def test_a_good_user_has_no_reasons(attendance: Attendance) -> None:
    attendance.note(user_of(no_rooms()), NOW + 10, 10)
    assert attendance.figures.reasons == []


def test_silence_is_unknown_and_counts_in_no_average(attendance: Attendance) -> None:
    rooms = no_rooms()
    user = user_of(rooms)
    attendance.note(user, NOW + 10, 10)
    rooms.expire(NOW + 20)
    attendance.note(user, NOW + 20, 10)
    assert attendance.figures.seconds == {"good": 10, "unknown": 10}
    assert attendance.figures.score == 4.37


def test_who_was_never_rated_has_no_score(attendance: Attendance) -> None:
    attendance.note(user_of(no_rooms(), entry=Entry("u1", [])), NOW + 10, 10)
    assert (attendance.figures.score, attendance.figures.worst) == (None, None)


def test_a_minute_is_of_the_worst_level_in_it(attendance: Attendance) -> None:
    rooms = no_rooms()
    for seconds in range(10, 181, 10):
        entry = Entry("u1", POOR) if seconds == 90 else None
        attendance.note(user_of(rooms, NOW + seconds, entry), NOW + seconds, 10)
    assert attendance.figures.minutes == "gpg"


def test_minutes_are_bounded(attendance: Attendance) -> None:
    user = user_of(no_rooms())
    for _ in range(LONGEST + 5):
        attendance.note(user, NOW, 60)
    assert len(attendance.figures.minutes) == LONGEST


def test_a_row_gives_the_attendance_back(attendance: Attendance) -> None:
    entry = Entry("u1", [stream()], user_name="Ann", device=Device(browser="Chrome"))
    attendance.note(user_of(no_rooms(), entry=entry), NOW + 10, 10)
    attendance.row_id = 7
    row = attendance.row(left=False)
    assert (row["id"], row["searched"], row["left_at"], row["joined_at"]) == (7, "u1\nann", None, round(NOW * 1000))
    again = Attendance.of_row(SimpleNamespace(**row))
    assert again.row(left=False) == row
    assert again.figures.device == Device(browser="Chrome")


def test_who_comes_back_under_the_same_id_begins_a_new_stay() -> None:
    rooms, attendances = no_rooms(), Attendances()
    assert attendances.note("room-1", user_of(rooms), NOW + 5, 10) is None
    rooms.expire(NOW + 60)
    left = attendances.note("room-1", user_of(rooms, NOW + 61), NOW + 65, 10)
    assert left
    assert (left.joined_at, left.row(left=True)["left_at"]) == (NOW, round(NOW * 1000))
    ((_, stays),) = attendances
    assert (stays.joined_at, stays.figures.seconds) == (NOW + 61, {"good": 4})
