"""Questions about stored rollups, as steps for a `Reader`."""

from collections.abc import Mapping

from msgspec import Struct

from roompulse.insights.analysis import insights_of
from roompulse.insights.cell import MOST_VALUES, Cells
from roompulse.insights.model import DIMENSIONS, Insights, Span, TrendPoint
from roompulse.insights.store import SqlRollups
from roompulse.store.contract import Steps
from roompulse.store.schema import MINUTE

MOST_POINTS = 10_000
"""Of trends; steps are longer where there would be more."""


class InsightsQuery(Struct, frozen=True):
    """Groups `by` a dimension in a range, compared with all others or, with `earlier`, with that range."""

    by: str
    span: Span
    earlier: Span | None = None
    limit: int = MOST_VALUES


def insights(rollups: SqlRollups, query: InsightsQuery) -> Steps[Insights]:
    cells = yield from rollups.tables(query.span, query.by)
    earlier = None
    if query.earlier:
        yield
        earlier = (yield from rollups.tables(query.earlier, query.by)).get(query.by, {})
    return insights_of(query.by, cells.get(query.by, {}), earlier, query.limit)


def all_insights(rollups: SqlRollups, span: Span, earlier: Span | None) -> Steps[list[Insights]]:
    """The groups of all existing dimensions."""
    tables = yield from rollups.tables(span)
    if earlier is None:
        return compared(tables)
    yield
    return compared(tables, (yield from rollups.tables(earlier)))


def compared(tables: Mapping[str, Cells], earlier: Mapping[str, Cells] | None = None) -> list[Insights]:
    """The groups of all dimensions, those of labels after the others."""
    order = [by for by in DIMENSIONS if by in tables] + sorted(by for by in tables if by not in DIMENSIONS)
    return [insights_of(by, tables[by], None if earlier is None else earlier.get(by, {})) for by in order]


def trends(rollups: SqlRollups, span: Span, step: float | None) -> Steps[list[TrendPoint]]:
    """Points of whole minutes, at least `step` seconds apart."""
    kept = rollups.kept(span)
    shortest = max(step or MINUTE, (kept.end - kept.start) / MOST_POINTS)
    return (yield from rollups.trends(kept, -(-round(shortest) // MINUTE) * MINUTE))
