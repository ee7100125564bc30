"""Samples of earlier."""

from collections.abc import Iterable

import pytest

from roompulse.report.model import Entry
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.rated_samples import (
    Newest,
    ReporterClock,
    SampleRater,
    StreamSample,
    WorstOfSteps,
    newest,
    place_in_history,
)
from tests.builders import NOW, network, received, stream, video


def samples(*losses: float, every: float = 5) -> list[StreamSample]:
    """Samples of one camera with these losses."""
    rater = SampleRater()
    reports = (
        received(NOW + number * every, metrics=[Entry("u1", [stream(network=network(packet_loss=loss))])])
        for number, loss in enumerate(losses)
    )
    return [sample for report in reports for sample in rater.rate(report)]


@pytest.mark.parametrize(
    ("report_time", "place"),
    [(NOW, NOW), (NOW - 600, NOW - 600), (NOW - 601, NOW), (NOW + 1, NOW), (NOW + 300, NOW), (0, NOW), (10**11, NOW)],
)
def test_a_clock_is_believed_ten_minutes_back_and_never_ahead(report_time: float, place: float) -> None:
    assert place_in_history(int(report_time), NOW) == place


def places(*reports: tuple[float, float]) -> list[float]:
    """The places of reports in history, relative to NOW, given when they were made and when they came."""
    clock = ReporterClock()
    return [clock.place(int(NOW + made), NOW + came) - NOW for made, came in reports]


def test_a_clock_that_is_slow_agrees_with_the_servers_from_the_third_report_on() -> None:
    assert places(*((5 * number - 300, 5 * number) for number in range(4))) == [-300, -295, 10, 15]
    assert places(*((5 * number - 300, 5 * number + number % 3 / 2) for number in range(4)))[2:] == [11, 15]


def test_a_clock_that_is_fast_is_at_the_receipt() -> None:
    assert places(*((5 * number + 300, 5 * number) for number in range(4))) == [0, 5, 10, 15]


@pytest.mark.parametrize("interval", [1, 2, 5])
def test_reports_that_were_kept_stay_at_their_own_time(interval: int) -> None:
    kept = [(made - 100.0, made / 1000) for made in range(0, 100, interval)]
    assert places(*kept) == [made for made, _ in kept]
    assert places(*kept, (50, 50), (55, 55.5))[-2:] == [50, 55]


def test_a_right_clock_stays_at_the_time_of_the_report() -> None:
    assert places(*((5 * number, 5 * number + 0.9) for number in range(20))) == [5 * number for number in range(20)]


def test_they_are_rated_as_the_live_ones_were() -> None:
    rooms = RoomsInMemory(Limits(9, 9, 9), stale_after=15, leave_after=60)
    rater = SampleRater()
    for number, rate in enumerate([30, 12, 25, 8, 8, 8, 8, 8]):
        # The highest frame rate counts for 60 s: the first expectation expires in between.
        report = received(NOW + number * 11, metrics=[Entry("u1", [stream(video=video(frame_rate=rate))])])
        rooms.expire(report.at)
        rooms.apply(report)
        room = rooms.get("room-1")
        assert room
        (sample,) = rater.rate(report)
        (live,) = room.metrics().users[0].streams
        assert sample.quality == live.quality, number


@pytest.mark.parametrize("every", [0, 0.5, 5, 30, 59, 60, 61, 130])
@pytest.mark.parametrize("clocks", [[0, 5, 10, 15, 20, 25], [0, 0, 0, 5, 5, 5], [0, 1, 9000, 9000, 9001]])
def test_and_so_are_freezes_whenever_they_came_and_whatever_the_time_of_the_sender(
    every: float, clocks: list[int]
) -> None:
    rooms = RoomsInMemory(Limits(9, 9, 9), stale_after=15, leave_after=60)
    rater, freezes = SampleRater(), []
    for number, at in enumerate(clocks):
        frozen = stream(video=video(freeze_duration=0.1 + 0.1 * number))
        report = received(NOW + number * every, report_time=1000 + at, metrics=[Entry("u1", [frozen])])
        rooms.expire(report.at)
        rooms.apply(report)
        room = rooms.get("room-1")
        assert room
        (sample,) = rater.rate(report)
        (live,) = room.metrics().users[0].streams
        assert sample.quality == live.quality, number
        freezes.append("freeze" in [term.term for term in live.quality.terms])
    assert not freezes[0]
    assert any(freezes) == (every < 60)


def test_streams_that_ended_are_forgotten() -> None:
    rater = SampleRater()
    for number in range(1000):
        list(rater.rate(received(NOW + number, metrics=[Entry("u1", [stream(f"s{number}")])])))
    assert len(rater._streams) <= 122


def worst_of_steps(samples: Iterable[StreamSample], step: float, limit: int = 99) -> list[StreamSample]:
    worst = WorstOfSteps(step, limit)
    for sample in samples:
        worst.extend([sample])
    return list(worst)


def test_the_worst_of_a_step_stands_for_it_and_of_equals_the_newest() -> None:
    kept = worst_of_steps(samples(1, 7, 7, 2, 3), step=20)
    assert [sample.timestamp - NOW for sample in kept] == [10, 20]


def test_an_unknown_score_gives_way_to_any_known_one() -> None:
    rater = SampleRater()
    silent = stream(video=None, audio=None, network=None)
    reports = [received(NOW, metrics=[Entry("u1", [stream()])]), received(NOW + 1, metrics=[Entry("u1", [silent])])]
    both = [sample for report in reports for sample in rater.rate(report)]
    assert worst_of_steps(both, 10) == both[:1]
    assert worst_of_steps(both[::-1], 10) == both[:1]
    assert worst_of_steps(both[1:], 10) == both[1:]


def test_only_the_newest_steps_are_kept_that_hold_as_many_as_are_wanted() -> None:
    kept = worst_of_steps(samples(*range(50)), step=10, limit=3)
    assert [sample.timestamp for sample in kept] == [
        sample.timestamp for sample in worst_of_steps(samples(*range(50)), 10)
    ][-3:]


def test_the_newest_samples_are_those_by_their_time_in_history_in_whatever_order_they_come() -> None:
    every = samples(*range(50))
    for order in (every, every[::-1]):
        kept = Newest(limit=7)
        for sample in order:
            kept.extend([sample])
        assert len(list(kept)) <= 14
        assert newest(kept, 7) == every[-7:]
