"""Small charts as figures for SVG; the templates draw them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from msgspec import Struct

from roompulse.quality import BEST, FAIR_FROM, GOOD_FROM, WORST, Level, RoomQuality

LEVELS: tuple[Level, ...] = ("poor", "fair", "good", "unknown")

_HEIGHTS: Mapping[Level, int] = {"poor": 10, "fair": 8, "good": 6, "unknown": 4}
"""Worse levels are taller, so that a bar can be read without its colours."""

TREND_HEIGHT = 24.0
_MARGIN = 2.0
"""The thickness of a line."""


class Segment(Struct, frozen=True, gc=False):
    """A part of a bar that is 100 wide and stands on a line at y = 10."""

    level: Level
    x: float
    width: float
    height: int


class Trendline(Struct, frozen=True, gc=False):
    """A line for each stretch of known scores, as `points` of an SVG polyline, and a description."""

    width: int
    lines: Sequence[str]
    words: str


class ValueChart(Struct, frozen=True, gc=False):
    """Values over time, as points of SVG polylines in a box of `width` × TREND_HEIGHT, with a line at `threshold`."""

    width: int
    lines: Sequence[str]
    threshold: float


def users_by_level(quality: RoomQuality) -> dict[Level, int]:
    return {level: getattr(quality, level) for level in LEVELS}


def stacked(counts: Mapping[Level, int]) -> list[Segment]:
    """The segments of a bar, without empty ones."""
    total = sum(counts.values())
    segments, x = [], 0.0
    for level, count in counts.items():
        if count:
            width = 100 * count / total
            segments.append(Segment(level, round(x, 2), round(width, 2), _HEIGHTS[level]))
            x += width
    return segments


def runs(levels: Sequence[Level | None]) -> list[Segment]:
    """The segments of a bar of levels at equal distances, with gaps where there is None."""
    segments, place = [], 0
    for level, group in groupby(levels):
        width = sum(1 for _ in group)
        if level:
            x, share = (round(100 * figure / len(levels), 2) for figure in (place, width))
            segments.append(Segment(level, x, share, _HEIGHTS[level]))
        place += width
    return segments


def trendline(scores: Sequence[float | None]) -> Trendline:
    """Draw scores at equal distances, with gaps where they are unknown."""
    known = [score for score in scores if score is not None]
    words = f"between {min(known):.2f} and {max(known):.2f}" if known else "no data"
    lines = [" ".join(_corners(stretch)) for stretch in _stretches(scores, height_of)]
    return Trendline(max(1, len(scores) - 1), lines, words)


def value_chart(values: Sequence[float | None], threshold: float) -> ValueChart:
    """Draw values at equal distances from the lowest to the highest of them and of the threshold."""
    known = [threshold, *(value for value in values if value is not None)]
    low, high = min(known), max(known)

    def height(value: float) -> float:
        share = (high - value) / (high - low) if high > low else 0.5
        return round(_MARGIN + share * (TREND_HEIGHT - 2 * _MARGIN), 1)

    lines = [" ".join(_corners(stretch)) for stretch in _stretches(values, height)]
    return ValueChart(max(1, len(values) - 1), lines, height(threshold))


def height_of(score: float) -> float:
    """The y of a score in a chart that is TREND_HEIGHT high; y counts downwards."""
    share = (BEST - score) / (BEST - WORST)
    return round(_MARGIN + share * (TREND_HEIGHT - 2 * _MARGIN), 1)


GUIDES = (height_of(GOOD_FROM), height_of(FAIR_FROM))
"""Above the first line a score is good, below the second it is poor."""


def _stretches(values: Sequence[float | None], height: Callable[[float], float]) -> Iterator[list[tuple[int, float]]]:
    for known, group in groupby(enumerate(values), key=lambda one: one[1] is not None):
        if known:
            yield [(x, height(value)) for x, value in group if value is not None]


def _corners(stretch: Sequence[tuple[int, float]]) -> Iterator[str]:
    """Points of a line, without those in the middle of a level part."""
    last = len(stretch) - 1
    for place, (x, y) in enumerate(stretch):
        if place in (0, last) or not stretch[place - 1][1] == y == stretch[place + 1][1]:
            yield f"{x},{y:g}"
    if last == 0:  # a single point is drawn as the round end of a line without length
        yield f"{stretch[0][0]},{stretch[0][1]:g}"
