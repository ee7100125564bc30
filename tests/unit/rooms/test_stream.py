"""The time that a report of a stream covers."""

from math import inf

import pytest

from roompulse.rooms.stream import interval


class TestInterval:
    @pytest.mark.parametrize(
        ("since_reported", "since_received", "seconds"),
        [(5, 5.2, 5), (5, 0.01, 5), (1, 59.9, 1), (120, 0.5, 120), (600, 5, 600)],
    )
    def test_goes_by_the_clock_of_the_sender(self, since_reported: int, since_received: float, seconds: float) -> None:
        assert interval(since_reported, since_received, None) == seconds

    @pytest.mark.parametrize(
        ("since_reported", "since_received", "seconds"),
        [(0, 5.2, 5.2), (-5, 5.2, 5.2), (601, 5.2, 5.2), (10**10, 5.2, 5.2), (-(10**10), 0.01, 1), (601, 0, 1)],
    )
    def test_goes_by_the_time_of_receipt_where_that_clock_makes_no_sense(
        self, since_reported: int, since_received: float, seconds: float
    ) -> None:
        assert interval(since_reported, since_received, 7) == seconds

    def test_is_not_known_of_a_stream_that_was_not_heard_of_for_a_minute(self) -> None:
        assert interval(5, 60, 5) is None
        assert interval(5, inf, None) is None
        assert interval(5, 59.999, None) == 5

    def test_is_that_of_before_for_a_report_that_comes_again_at_once(self) -> None:
        assert interval(0, 0.999, 10) == 10
        assert interval(0, 0.999, None) is None
        assert interval(0, 1, 10) == 1
