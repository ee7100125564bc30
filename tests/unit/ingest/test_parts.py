"""A large report in parts is stored as it would be as a whole."""

import pytest

from roompulse.ingest.parts import PART, parts_of
from roompulse.report.model import Entry, Event, Received, Report
from roompulse.store.row_codec import rows_of
from tests.builders import NOW, report, stream


def of_server(*streams: int) -> Report:
    """An entry with each of these numbers of streams."""
    entries = [Entry(f"u{number}", [stream(str(one)) for one in range(count)]) for number, count in enumerate(streams)]
    return report(
        "server", metrics=entries, role="server", room_name="Hall", labels={"region": "eu"}, events=[Event("restarted")]
    )


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
def test_its_parts_are_of_a_few_hundred_streams_and_stored_as_the_whole(streams: list[int], entries: list[int]) -> None:
    whole = of_server(*streams)
    parts = list(parts_of(whole))
    assert [len(part.metrics) for part in parts] == entries
    assert rows_of([Received(part, NOW) for part in parts]) == rows_of([Received(whole, NOW)])
    assert [part.events for part in parts] == [whole.events, *[None] * (len(parts) - 1)]


def test_that_of_a_client_is_one_part() -> None:
    """It is one row, and what is said of the reporter is said once."""
    whole = report(metrics=[Entry(f"u{number}", [stream()]) for number in range(2 * PART)])
    assert list(parts_of(whole)) == [whole]
