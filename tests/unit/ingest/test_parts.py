"""A large report in parts shows, and is stored, as the whole."""

import pytest
from msgspec.structs import replace

from roompulse.ingest.parts import PART, parts_of
from roompulse.report.model import Entry, Event, Received, Report
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.model import RoomMetrics
from roompulse.store.row_codec import reports_of, rows_of
from tests.builders import NOW, report, stream


def of_server(*streams: int) -> Report:
    """An entry with each of these numbers of streams."""
    entries = [Entry(f"u{number}", [stream(str(one)) for one in range(count)]) for number, count in enumerate(streams)]
    return report(
        "server", metrics=entries, role="server", room_name="Hall", labels={"region": "eu"}, events=[Event("restarted")]
    )


def room_of(*reports: Report) -> RoomMetrics | None:
    rooms = RoomsInMemory(Limits(9, 99_999, 99_999), stale_after=15, leave_after=60)
    for one in reports:
        rooms.apply(Received(one, NOW))
    room = rooms.get("room-1")
    return room.metrics() if room else None


def stored(*reports: Report) -> list[Report]:
    """As read from the database: parts, which come one after the other, are not at the same time."""
    rows = rows_of([Received(one, NOW + number) for number, one in enumerate(reports)])
    return [one.report for one in reports_of((number, *row, None) for number, row in enumerate(rows))]


@pytest.mark.parametrize(
    ("streams", "entries"),
    [
        ([1] * PART, [PART]),
        ([1] * (PART + 1), [PART, 1]),
        ([0] * (2 * PART), [PART, PART]),
        ([2] * PART, [PART // 2, PART // 2]),
        ([9, 9 * PART, 9], [2, 1]),
        ([], [0]),
    ],
)
def test_its_parts_are_of_a_few_hundred_streams_and_make_the_same_room(streams: list[int], entries: list[int]) -> None:
    whole = of_server(*streams)
    parts = list(parts_of(whole))
    assert [len(part.metrics) for part in parts] == entries
    assert room_of(*parts) == room_of(whole)
    assert [part.events for part in parts] == [whole.events, *[None] * (len(parts) - 1)]
    read = stored(*parts)
    assert [replace(one, events=None) for one in read] == [replace(one, events=None) for one in parts]
    assert room_of(*read) == room_of(whole)


def test_that_of_a_client_is_one_part() -> None:
    """It is one row, and what is said of the reporter is said once."""
    whole = report(metrics=[Entry(f"u{number}", [stream()]) for number in range(2 * PART)])
    assert list(parts_of(whole)) == [whole]
