"""Active hours by the clocks of their zone."""

from datetime import UTC, datetime

import pytest

from roompulse.alerts.model import Active
from roompulse.alerts.scope import RuleScope, glob
from tests.unit.alerts.world import rule


def is_active(hours: Active, utc: str) -> bool:
    at = datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp()
    return RuleScope(rule(active=hours)).is_active(at)


@pytest.mark.parametrize(
    ("utc", "active"),
    [
        ("2026-01-05 07:59", False),
        ("2026-01-05 08:00", True),
        ("2026-01-05 16:59", True),
        ("2026-01-05 17:00", False),
        ("2026-01-04 12:00", False),  # a Sunday
        ("2026-07-06 06:59", False),
        ("2026-07-06 07:00", True),  # summer time
    ],
)
def test_hours_are_those_of_the_zone(utc: str, active: bool) -> None:  # noqa: FBT001
    hours = Active(["mon", "tue", "wed", "thu", "fri"], "09:00", "18:00", "Europe/Berlin")
    assert is_active(hours, utc) == active


@pytest.mark.parametrize(
    ("utc", "active"),
    [
        ("2026-01-09 21:59", False),
        ("2026-01-09 22:00", True),  # a Friday
        ("2026-01-10 05:59", True),
        ("2026-01-10 06:00", False),
        ("2026-01-10 22:30", False),
        ("2026-01-09 03:00", False),
    ],
)
def test_hours_over_midnight_belong_to_the_day_on_which_they_start(utc: str, active: bool) -> None:  # noqa: FBT001
    assert is_active(Active(["fri"], "22:00", "06:00", "UTC"), utc) == active


@pytest.mark.parametrize(
    ("utc", "active"),
    [
        # Clocks go from 2:00 to 3:00 on 29 March: the hours begin with the first time that there is after 2:30.
        ("2026-03-29 00:59", False),
        ("2026-03-29 01:00", True),
        ("2026-03-29 02:00", False),
        # And from 3:00 to 2:00 on 25 October: the half hour after 2:30 is there twice, and counts twice.
        ("2026-10-25 00:29", False),
        ("2026-10-25 00:30", True),
        ("2026-10-25 01:15", False),
        ("2026-10-25 01:30", True),
        ("2026-10-25 03:00", False),
    ],
)
def test_hours_that_clocks_skip_or_repeat_are_as_clocks_show_them(utc: str, active: bool) -> None:  # noqa: FBT001
    assert is_active(Active(["sun"], "02:30", "04:00", "Europe/Berlin"), utc) == active


def test_a_day_from_its_begin_to_its_begin_is_whole() -> None:
    hours = Active(["sat"], "00:00", "00:00", "UTC")
    assert [is_active(hours, f"2026-01-{day} 12:00") for day in ("09", "10", "11")] == [False, True, False]


def test_a_glob_that_backtracks_takes_no_longer() -> None:
    assert not glob("*a" * 60 + "b")("a" * 128)
