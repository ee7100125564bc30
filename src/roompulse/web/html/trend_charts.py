"""Charts of trends as figures for SVG: areas of users by level, and lines, with gaps where nothing is known."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from roompulse.insights.model import TrendPoint
from roompulse.quality import Level

WIDTH, HEIGHT = 1000, 60


class Shape(Struct, frozen=True, gc=False):
    """The `points` of an SVG polygon, or of a polyline without a level."""

    level: Level | None
    points: str


class Chart(Struct, frozen=True):
    """`now` is the newest value and `most` the highest."""

    title: str
    now: float
    most: float
    shapes: list[Shape]


class Frame(Struct, frozen=True):
    """The range of a chart (Unix seconds), and the largest distance of points without a gap."""

    start: float
    end: float
    step: float

    def x(self, at: float) -> float:
        """The x of a time, from 0 to WIDTH."""
        return round(WIDTH * (at - self.start) / (self.end - self.start), 1)


_STACKED: Sequence[Level] = ("poor", "fair", "good", "unknown")


def charts(points: Sequence[TrendPoint], frame: Frame) -> list[Chart]:
    """Users by level, rooms, and reports per second; of points by time, at least one."""
    most_users = max(point.users for point in points)
    by_level = [
        Shape(level, _area(stretch, frame, place, most_users))
        for stretch in _stretches(points, frame)
        for place, level in enumerate(_STACKED)
        if any(getattr(point, level) for point in stretch)
    ]
    return [
        Chart("Users by level", points[-1].users, most_users, by_level),
        _line("Rooms", points, frame, lambda point: point.rooms),
        _line("Reports per second", points, frame, lambda point: point.reports),
    ]


def _line(title: str, points: Sequence[TrendPoint], frame: Frame, value: Callable[[TrendPoint], float]) -> Chart:
    most = max(map(value, points))
    lines = [
        " ".join(_place(at, value(point), most, frame) for at, point in _corners(stretch, frame))
        for stretch in _stretches(points, frame)
    ]
    return Chart(title, value(points[-1]), most, [Shape(None, line) for line in lines])


def _area(stretch: Sequence[TrendPoint], frame: Frame, place: int, most: float) -> str:
    """Between the sums of the levels below one and the sums with it."""
    corners = list(_corners(stretch, frame))
    below = [_place(at, _sum(point, place), most, frame) for at, point in corners]
    above = [_place(at, _sum(point, place + 1), most, frame) for at, point in corners]
    return " ".join([*below, *reversed(above)])


def _sum(point: TrendPoint, levels: int) -> float:
    total: float = sum(getattr(point, level) for level in _STACKED[:levels])
    return total


def _corners(stretch: Sequence[TrendPoint], frame: Frame) -> Iterator[tuple[float, TrendPoint]]:
    """Each point at its time, and the last one until the end of its step: a single one would have no width."""
    yield from ((max(point.timestamp, frame.start), point) for point in stretch)
    yield min(stretch[-1].timestamp + frame.step, frame.end), stretch[-1]


def _place(at: float, value: float, most: float, frame: Frame) -> str:
    y = HEIGHT - HEIGHT * value / most if most else HEIGHT
    return f"{frame.x(at):g},{y:.1f}"


def _stretches(points: Sequence[TrendPoint], frame: Frame) -> Iterator[Sequence[TrendPoint]]:
    pairs = enumerate(pairwise(points), start=1)
    gaps = [place for place, (before, after) in pairs if after.timestamp - before.timestamp > frame.step]
    for start, end in pairwise([0, *gaps, len(points)]):
        yield points[start:end]
