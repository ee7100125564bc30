"""Charts of trends as figures for SVG."""

from roompulse.insights.model import TrendPoint
from roompulse.web.html.trend_charts import HEIGHT, WIDTH, Frame, Shape, charts
from tests.builders import NOW

FRAME = Frame(NOW, NOW + 600, 60)


def point(minute: int, good: float = 0, poor: float = 0, rooms: float = 1, reports: float = 0) -> TrendPoint:
    return TrendPoint(NOW + 60 * minute, rooms, good + poor, good, 0, poor, 0, reports)


def test_levels_are_stacked_with_the_poor_ones_below() -> None:
    users, _, _ = charts([point(0, good=3, poor=1), point(1, good=1, poor=1)], FRAME)
    assert (users.now, users.most) == (2, 4)
    poor, good = users.shapes
    assert poor == Shape("poor", "0,60.0 100,60.0 200,60.0 200,45.0 100,45.0 0,45.0")
    assert good == Shape("good", "0,45.0 100,45.0 200,45.0 200,30.0 100,30.0 0,0.0")


def test_a_time_without_points_is_a_gap() -> None:
    _, rooms, _ = charts([point(0), point(1, rooms=2), point(5)], FRAME)
    assert [shape.points for shape in rooms.shapes] == ["0,30.0 100,0.0 200,0.0", "500,30.0 600,30.0"]


def test_a_chart_of_nothing_lies_on_the_ground() -> None:
    users, rooms, reports = charts([point(0, rooms=0)], FRAME)
    assert users.shapes == []
    assert rooms.shapes == reports.shapes == [Shape(None, f"0,{HEIGHT:.1f} {WIDTH // 10},{HEIGHT:.1f}")]


def test_a_step_that_begins_before_the_range_is_cut_off() -> None:
    _, rooms, _ = charts([point(-1), point(9)], FRAME)
    assert [shape.points for shape in rooms.shapes] == ["0,0.0 0,0.0", "900,0.0 1000,0.0"]
