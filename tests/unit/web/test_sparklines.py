from roompulse.quality import BEST, FAIR_FROM, GOOD_FROM, WORST, Level
from roompulse.web.html.sparklines import GUIDES, TREND_HEIGHT, height_of, stacked, trendline


def counts(**some: int) -> dict[Level, int]:
    return {level: some.get(level, 0) for level in ("poor", "fair", "good", "unknown")}


class TestABar:
    def test_has_a_part_for_each_level_that_somebody_is_at(self) -> None:
        bar = [(part.level, part.x, part.width) for part in stacked(counts(poor=1, good=2, unknown=1))]
        assert bar == [
            ("poor", 0, 25),
            ("good", 25, 50),
            ("unknown", 75, 25),
        ]

    def test_is_the_taller_the_worse(self) -> None:
        heights = [part.height for part in stacked(counts(poor=1, fair=1, good=1, unknown=1))]
        assert heights == sorted(set(heights), reverse=True)

    def test_of_nobody_is_empty(self) -> None:
        assert stacked(counts()) == []


class TestATrendline:
    def test_stands_the_higher_the_better_the_score(self) -> None:
        assert 0 < height_of(BEST) < GUIDES[0] == height_of(GOOD_FROM) < GUIDES[1] == height_of(FAIR_FROM)
        assert height_of(WORST) < TREND_HEIGHT

    def test_is_interrupted_where_the_score_is_not_known(self) -> None:
        line = trendline([None, 4.5, 1.0, None, None, 4.5, 1.0, 4.5])
        assert line.lines == ["1,2 2,22", "5,2 6,22 7,2"]
        assert line.width == 7
        assert line.words == "between 1.00 and 4.50"

    def test_shows_a_single_score_as_a_dot(self) -> None:
        assert trendline([None, 4.5, None]).lines == ["1,2 1,2"]

    def test_leaves_out_the_middle_of_level_parts(self) -> None:
        assert trendline([4.5] * 5 + [1.0] * 3 + [4.5]).lines == ["0,2 4,2 5,22 7,22 8,2"]

    def test_of_nothing_says_so(self) -> None:
        assert trendline([None, None]) == trendline([None, None])
        assert (trendline([None]).lines, trendline([None]).words) == ([], "no data")
