"""The times that query parameters give."""

from datetime import UTC

import pytest

from roompulse.errors import BadRequest
from roompulse.web.http.times import parse_time

AT = 1_795_811_753.234


@pytest.mark.parametrize(
    "text",
    [
        "1795811753.234",
        "1795811753234",
        "1.795811753234e9",
        "2026-11-27T20:35:53.234+00:00",
        "2026-11-27T20:35:53.234Z",
        "2026-11-27t20:35:53.234z",
        "2026-11-27 20:35:53.234Z",
        "2026-11-27T23:05:53.234+02:30",
        "2026-11-27T12:35:53.234-0800",
        "2026-11-27T23:05:53.234 02:30",
        "20261127T203553.234Z",
        "2026-11-27T20:35:53.234000000Z",
    ],
)
def test_a_time_is_seconds_milliseconds_or_iso_8601_with_a_zone(text: str) -> None:
    assert parse_time("from", text) == AT


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("99999999999", 99_999_999_999), ("100000000000", 100_000_000), ("1e14", 1e11), ("1.0004", 1.0)],
)
def test_from_1e11_on_a_number_is_milliseconds(text: str, expected: float) -> None:
    assert parse_time("from", text) == expected


def test_before_1970_is_the_earliest_time() -> None:
    assert parse_time("from", "1969-12-31T23:59:59Z") == 0
    assert parse_time("from", "0001-01-01T00:00:00+23:00") == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "-1",
        "1e15",
        "nan",
        "Infinity",
        "1e999",
        "true",
        "null",
        "1_000",
        "٣",
        "2026-11-27",
        "2026-11-27T20:35:53",
        "2026-11-27 20:35",
        "2026-13-27T20:35:53Z",
        "20:35:53Z",
        "yesterday",
        "2026-11-27T20:35:53Z" * 50,
    ],
)
def test_the_rest_is_refused_by_the_name_of_the_parameter(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_time("from", text)
    message = refused.value.message
    assert message.startswith("from: must be Unix seconds, Unix milliseconds or ISO 8601 with a zone, as in 2026-")
    assert message.endswith(f"not {text[:100]!r}")


@pytest.mark.parametrize(
    "text", ["2026-11-27T20:35:53.234", "2026-11-27 20:35:53.234", "2026-11-28T01:35:53.234+05:00"]
)
def test_a_zone_may_be_assumed_where_none_is_given(text: str) -> None:
    assert parse_time("at", text, UTC) == AT
    assert parse_time("at", "2026-11-27", UTC) == 1_795_737_600
