from roompulse.intake import Intake
from tests.builders import NOW


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    intake = Intake()
    assert intake.rate(NOW) == 0
    intake.note(5, NOW)
    intake.note(2, NOW + 0.9)
    intake.note(3, NOW + 9)
    assert intake.rate(NOW + 9) == 1.0
    assert intake.rate(NOW + 9.9) == 1.0
    assert intake.rate(NOW + 10) == 0.3
    assert intake.rate(NOW + 19) == 0


def test_a_clock_that_is_set_back_takes_its_reports_along() -> None:
    intake = Intake()
    intake.note(50, NOW)
    intake.note(1, NOW - 3600)
    assert intake.rate(NOW - 3600) == 0.1
    assert intake.rate(NOW - 3590) == 0


def test_it_keeps_a_count_for_each_second_and_no_more() -> None:
    intake = Intake()
    for millisecond in range(100_000):
        intake.note(1, NOW + millisecond / 1000)
    assert len(intake._counts) <= 10
    assert intake.rate(NOW + 99.999) == 1000
