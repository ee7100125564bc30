"""Reports read from the database have the same effect as the original ones."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, event, select

from roompulse.report.model import Device, Entry, Event, Received, Report
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.model import RoomMetrics
from roompulse.store.row_codec import REPORT_COLUMNS, insert_reports, reports_of, rows_of
from roompulse.store.schema import metadata, samples
from tests.builders import NOW, received, stream, video
from tests.lone_entries import lone_rows
from tests.unit import reports as all_reports

users = st.sampled_from(["u1", "u2", "u3"])
frame_rates = st.sampled_from([5, 15, 30])
streams = st.builds(lambda name, fps: stream(name, video=video(frame_rate=fps)), st.sampled_from("ab"), frame_rates)
entries = st.builds(Entry, users, st.lists(streams, max_size=2))
reports = st.builds(
    lambda second, user_id, room_id, report_time, metrics: received(
        NOW + second, user_id=user_id, room_id=room_id, report_time=report_time, metrics=metrics
    ),
    st.integers(0, 9),
    users,
    st.sampled_from(["room-1", "room-2"]),
    st.sampled_from([1746616000, 1746616001]),
    st.lists(entries, max_size=4),
)


def back(rows: Iterable[tuple[Any, ...]], about: str | None = None) -> list[Received]:
    """The reports of these rows, which all have the id 0."""
    return list(reports_of(((0, *row, None) for row in rows), about))


def back_alone(some: Iterable[Received]) -> list[Received]:
    """The reports, stored with a row for each entry."""
    names = ("room_id", "reporter_id", "sdk_version", "report_time", "received_at")
    return list(
        reports_of((0, *(row[name] for name in names), None, row["streams"], row["user_id"]) for row in lone_rows(some))
    )


def rooms_after(some: Sequence[Received]) -> list[RoomMetrics]:
    rooms = RoomsInMemory(Limits(9, 9, 9), stale_after=3, leave_after=6)
    for one in some:
        rooms.expire(one.at)
        rooms.apply(one)
    return [room.metrics() for room_id in rooms.ids() if (room := rooms.get(room_id))]


@given(st.lists(reports, max_size=20))
def test_rooms_are_the_same_by_what_was_stored(some: list[Received]) -> None:
    some.sort(key=lambda one: one.at)
    assert rooms_after(back(rows_of(some))) == rooms_after(some)


@given(st.lists(reports, max_size=20))
def test_rooms_are_the_same_by_rows_of_entries(some: list[Received]) -> None:
    some.sort(key=lambda one: one.at)
    assert rooms_after(back_alone(some)) == rooms_after(some)


def test_a_report_comes_back_in_one_piece() -> None:
    about_three = received(metrics=[Entry(user_id, [stream()]) for user_id in ("u1", "u2", "u3")])
    assert back(rows_of([about_three])) == [about_three]


@given(all_reports)
def test_every_field_of_a_report_comes_back(sent: Report) -> None:
    assert back(rows_of([Received(sent, NOW)])) == [Received(sent, NOW)]


@given(all_reports)
def test_every_field_of_a_report_comes_back_from_rows_of_entries(sent: Report) -> None:
    users = [entry.user_id for entry in sent.metrics]
    # A report that names a user twice comes back as several: they have the same effect.
    if len(set(users)) == len(users):
        assert back_alone([Received(sent, NOW)]) == [Received(sent, NOW)]


@given(st.lists(reports, max_size=5), users)
def test_entries_about_a_user_come_back_without_the_others(some: list[Received], user_id: str) -> None:
    # A reporter's own entries stay: streams from a media server to a user are in an entry about the receiver.
    entries = [e for one in some for e in one.report.metrics if e.user_id in (user_id, one.report.user_id)]
    assert [entry for one in back(rows_of(some), user_id) for entry in one.report.metrics] == entries


@given(st.lists(reports, max_size=12), st.data())
def test_rows_of_entries_and_of_reports_may_stand_side_by_side(some: list[Received], data: st.DataObject) -> None:
    some.sort(key=lambda one: one.at)
    upgraded = data.draw(st.integers(0, len(some)))
    assert rooms_after([*back_alone(some[:upgraded]), *back(rows_of(some[upgraded:]))]) == rooms_after(some)


def test_what_is_said_of_a_report_as_a_whole_stays_with_it() -> None:
    whole: dict[str, Any] = {
        "room_name": "Stand-up",
        "labels": {"region": "eu"},
        "events": [Event("left", 5, "mic", "")],
    }
    some = [
        received(**whole),
        received(metrics=[Entry("u2", [stream()])], **whole),
        received(metrics=[Entry("u3", [stream()])]),
        received(metrics=[], **whole),
    ]
    assert back(rows_of(some[:2])) == some[:2]
    assert back(rows_of(some[3:])) == some[3:]
    assert back_alone(some[:2]) == some[:2]
    assert back_alone(some[3:]) == some[3:]


def test_rows_of_0_1_0_are_read_as_they_were() -> None:
    device = {"device": (None, "Android 15", "Chrome 136", "4g")}
    sent = "camera", False, (True, 25, 1280, 720, 1200), None, (45, 0.3, 8)
    common = "room-1", "u1", "1.2.0", 1746616000, round(NOW * 1000)
    rows = [
        (0, *common, None, msgspec.msgpack.encode([sent, device]), "u1"),
        (0, *common, None, msgspec.msgpack.encode([]), None),
    ]
    camera = stream(video=video(timestamp=1746616000), audio=None)
    entry = Entry("u1", [camera], Device(None, "Android 15", "Chrome 136", "4g"))
    assert list(reports_of(rows)) == [received(metrics=[entry]), received(metrics=[])]


def test_reports_of_one_moment_stay_apart() -> None:
    some = [received(), received(), received(metrics=[]), received(metrics=[]), received(user_id="u2")]
    assert back(rows_of(some)) == some
    assert back_alone(some) == some


@pytest.mark.parametrize("count", [1, 2, 3, 31, 2047, 2048, 5000])
def test_any_number_of_rows_is_inserted_in_order_by_few_statements(count: int) -> None:
    engine = create_engine("sqlite://")
    metadata.create_all(engine, [samples])
    sizes: set[int] = set()

    @event.listens_for(engine, "before_cursor_execute")
    def look(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT"):
            sizes.add(statement.count("(?"))

    rows = rows_of(received(NOW + number) for number in range(count))
    with engine.begin() as connection:
        insert_reports(connection, rows)
        stored = connection.execute(select(*REPORT_COLUMNS).order_by(samples.c.id)).all()
    engine.dispose()
    assert [tuple(row) for row in stored] == rows
    assert sizes <= {2**power for power in range(12)}
