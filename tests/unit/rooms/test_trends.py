import pytest

from roompulse.rooms.trends import MOST_SLOTS, Trend, Trends
from tests.builders import NOW

STEP = 10


def trends(interval: float = STEP, most_rooms: int = 100) -> Trends:
    return Trends(interval, most_rooms)


def known(some: Trends, room_id: str = "room-1") -> list[float | None]:
    """From the first score that is known on."""
    scores = some.scores(room_id)
    first = next((place for place, score in enumerate(scores) if score is not None), len(scores))
    return scores[first:]


class TestATrend:
    def test_holds_the_newest_scores_and_no_more(self) -> None:
        trend = Trend(3, slot=0)
        for slot in range(5):
            trend.advance(slot)
            trend.note(slot, 4 - slot / 10)
        assert trend.scores(4) == [3.8, 3.7, 3.6]

    def test_has_gaps_where_nothing_was_noted(self) -> None:
        trend = Trend(5, slot=10)
        trend.note(10, 4.0)
        trend.advance(13)
        trend.note(13, 3.0)
        assert trend.scores(13) == [None, 4.0, None, None, 3.0]
        trend.advance(100)
        assert trend.scores(100) == [None] * 5

    def test_keeps_the_worst_of_a_slot(self) -> None:
        trend = Trend(1, slot=0)
        for score in (None, 3.5, 2.25, 4.4, None):
            trend.note(0, score)
        assert trend.scores(0) == [2.25]

    def test_takes_no_notes_of_what_is_too_old_or_to_come(self) -> None:
        trend = Trend(2, slot=10)
        trend.note(8, 1.0)
        trend.note(11, 1.0)
        assert trend.scores(10) == [None, None]

    def test_forgets_the_time_that_a_clock_set_back_took_away(self) -> None:
        trend = Trend(3, slot=10)
        trend.note(9, 4.0)
        trend.note(10, 3.0)
        trend.advance(9)
        assert trend.scores(9) == [None, None, 4.0]
        trend.advance(1)
        trend.note(1, 2.0)
        assert trend.scores(1) == [None, None, 2.0]

    def test_carries_a_score_over_short_gaps_only(self) -> None:
        trend = Trend(8, slot=7)
        for slot, score in ((0, 4.0), (2, None), (4, 3.0)):
            trend.note(slot, score)
        trend.carry(2)
        assert trend.scores(7) == [4.0, 4.0, None, None, 3.0, 3.0, 3.0, None]


class TestTrends:
    def test_note_every_live_room_at_each_snapshot(self) -> None:
        some = trends()
        some.record(NOW, {"room-1": 4.0})
        some.record(NOW + STEP, {"room-1": 3.5, "room-2": None})
        some.record(NOW + 2 * STEP, {"room-2": 2.0})
        assert known(some) == [4.0, 3.5, None]
        assert known(some, "room-2") == [2.0]
        assert known(some, "nobody") == []
        assert len(some.scores("nobody")) == MOST_SLOTS

    def test_change_their_version_with_each(self) -> None:
        some = trends()
        before = some.version
        some.record(NOW, {})
        assert some.version > before

    @pytest.mark.parametrize(("interval", "slots"), [(0.1, 90), (7, 90), (10, 90), (60, 15), (10**9, 1)])
    def test_are_bounded_whatever_the_interval(self, interval: float, slots: int) -> None:
        assert len(trends(interval).scores("room-1")) == slots

    @pytest.mark.parametrize("interval", [0.3, 7, 10, 12.7, 59.9])
    def test_have_no_gaps_that_come_from_rounding(self, interval: float) -> None:
        some = trends(interval)
        start = int(NOW / interval)
        for number in range(3000 if interval < 1 else 300):
            some.record(round((start + number) * interval, 3), {"room-1": 4.0})
        assert None not in some.scores("room-1")

    def test_outlive_a_room_that_comes_back_within_the_window(self) -> None:
        some = trends()
        some.record(NOW, {"room-1": 4.0})
        some.record(NOW + STEP, {})
        some.record(NOW + 2 * STEP, {"room-1": 3.0})
        assert known(some) == [4.0, None, 3.0]

    def test_of_rooms_that_ended_are_forgotten_after_the_window(self) -> None:
        some = trends()
        some.record(NOW, {"room-1": 4.0})
        some.record(NOW + 900, {"room-2": 4.0})
        assert list(some._trends) == ["room-2"]

    def test_of_rooms_that_ended_make_room_for_live_ones(self) -> None:
        some = trends(most_rooms=2)
        some.record(NOW, {"room-1": 4.0, "room-2": 4.0})
        some.record(NOW + STEP, {"room-2": 4.0, "room-3": 4.0})
        assert list(some._trends) == ["room-2", "room-3"]

    def test_are_refilled_from_snapshots_newest_first(self) -> None:
        some = trends()
        ages = ((0, 3.0), (10, None), (30, 4.0), (890, 2.0), (900, 1.0))
        stored = [("room-1", NOW - age, score) for age, score in ages]
        some.refill(NOW, stored)
        assert known(some) == [2.0, *[None] * 85, 4.0, None, None, 3.0]
        some.carry(10)
        assert known(some)[-4:] == [4.0, 4.0, None, 3.0]
        some.record(NOW + STEP, {"room-1": 3.2})
        assert known(some)[-2:] == [3.0, 3.2]

    def test_are_refilled_up_to_the_bound(self) -> None:
        some = trends(most_rooms=1)
        some.refill(NOW, [("room-1", NOW, 4.0), ("room-2", NOW, 4.0), ("room-1", NOW - STEP, 3.0)])
        assert known(some) == [3.0, 4.0]
        assert known(some, "room-2") == []
