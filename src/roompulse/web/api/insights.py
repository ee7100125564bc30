"""/report/insights: what users with poor quality have in common; /report/trends: the whole server over time."""

from litestar import route
from litestar.handlers import HTTPRouteHandler

from roompulse.clock import Clock
from roompulse.errors import BadRequest
from roompulse.insights.cell import MOST_VALUES
from roompulse.insights.model import DIMENSIONS, Span, is_dimension
from roompulse.insights.queries import InsightsQuery, insights, trends
from roompulse.insights.store import SqlRollups
from roompulse.store.reader import Reader
from roompulse.web.api.history import requested_limit, requested_span, requested_step
from roompulse.web.http.envelope import success
from roompulse.web.http.json_answer import JsonAnswer, hashed_answer
from roompulse.web.http.routes import GET, AnyRequest

DEFAULT_RANGE = 3600.0
"""Seconds in the answer to a request without `from`."""

_LONGEST_SHOWN = 100


def insight_routes(rollups: SqlRollups, reader: Reader, clock: Clock) -> list[HTTPRouteHandler]:
    @route("/report/insights", http_method=GET)
    async def get_insights(request: AnyRequest) -> JsonAnswer:
        query = insights_query(request, clock())
        return hashed_answer(request, success(await reader.result(insights(rollups, query))))

    @route("/report/trends", http_method=GET)
    async def get_trends(request: AnyRequest) -> JsonAnswer:
        span, step = _span(request, clock()), requested_step(request)
        return hashed_answer(request, success(await reader.result(trends(rollups, span, step))))

    return [get_insights, get_trends]


def insights_query(request: AnyRequest, now: float) -> InsightsQuery:
    """Raises BadRequest that names an invalid parameter."""
    by = request.query_params.get("by", DIMENSIONS[0])
    if not is_dimension(by):
        raise BadRequest(f"by: must be {', '.join(DIMENSIONS)} or label:KEY, not {by[:_LONGEST_SHOWN]!r}")
    limit = min(requested_limit(request, MOST_VALUES), MOST_VALUES)
    return InsightsQuery(by, _span(request, now), _earlier(request), limit)


def _span(request: AnyRequest, now: float) -> Span:
    asked = requested_span(request)
    end = now if asked.end is None else asked.end
    return Span(max(0.0, end - DEFAULT_RANGE) if asked.start is None else asked.start, end)


def _earlier(request: AnyRequest) -> Span | None:
    asked = requested_span(request, "against_")
    if asked.start is None and asked.end is None:
        return None
    if asked.start is None or asked.end is None:
        missing = "against_from" if asked.start is None else "against_to"
        raise BadRequest(f"{missing}: is missing; the range to compare with has both")
    return Span(asked.start, asked.end)
