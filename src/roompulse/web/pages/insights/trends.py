"""The trends of the page of all rooms: the whole server over a time, with its alerts and starts."""

from collections.abc import Mapping, Sequence

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from roompulse.alerts.model import Alert
from roompulse.alerts.service import AlertService
from roompulse.alerts.store import AlertQuery
from roompulse.clock import Clock
from roompulse.insights.model import Span
from roompulse.insights.queries import trends
from roompulse.insights.store import SqlRollups
from roompulse.store.reader import Reader
from roompulse.web.html.templates import Templates
from roompulse.web.html.trend_charts import Frame, charts
from roompulse.web.http.routes import GET, AnyRequest
from roompulse.web.pages.layout import html_answer

TREND_RANGES: Mapping[str, tuple[str, float, float]] = {
    "1h": ("1 h", 3_600, 60),
    "24h": ("24 h", 86_400, 600),
    "7d": ("7 d", 604_800, 3_600),
}
"""By their name in a URL: their words, their lengths and their steps in seconds."""

DEFAULT_RANGE = "1h"

_MOST_MARKS = 50


class Mark(Struct, frozen=True):
    """What happened, at `x` of the width; a start has no path."""

    x: float
    at: float
    words: str
    level: str
    path: str | None = None


class TrendsSection:
    def __init__(
        self, rollups: SqlRollups, alerts: AlertService, reader: Reader, templates: Templates, clock: Clock
    ) -> None:
        self._rollups = rollups
        self._alerts = alerts
        self._reader = reader
        self._templates = templates
        self._clock = clock

    async def render(self, chosen: str) -> str:
        """The section for one of TREND_RANGES; raises StoreError."""
        _, length, step = TREND_RANGES[chosen]
        now = self._clock()
        span = Span(now - length, now)
        frame = Frame(span.start, span.end, step)
        # From the beginning of a step, so that only the newest is incomplete.
        whole = Span(span.start // step * step, now)
        points = await self._reader.result(trends(self._rollups, whole, step))
        return self._templates.render(
            "partials/trends.html",
            ranges={name: words for name, (words, *_) in TREND_RANGES.items()},
            chosen=chosen,
            charts=charts(points, frame) if points else [],
            marks=await self._marks(span, frame),
            span=span,
        )

    async def _marks(self, span: Span, frame: Frame) -> Sequence[Mark]:
        alerts = await self._alerts.alerts(AlertQuery(start=span.start, end=span.end, limit=_MOST_MARKS))
        starts = await self._reader.result(self._rollups.starts(span))
        fired = [alert for alert in alerts if alert.started_at >= span.start and alert.state != "pending"]
        marks = [_alert(alert, frame) for alert in fired]
        marks += [Mark(frame.x(at), at, "server started", "unknown") for at in starts[-_MOST_MARKS:]]
        return sorted(marks, key=lambda mark: mark.at)


def _alert(alert: Alert, frame: Frame) -> Mark:
    level = {"critical": "poor", "warning": "fair"}.get(alert.severity, "unknown")
    return Mark(frame.x(alert.started_at), alert.started_at, f"{alert.rule}: {_subject(alert)}", level, alert.path)


def _subject(alert: Alert) -> str:
    if alert.room_id is None:
        return "server"
    return alert.room_id if alert.user_id is None else f"{alert.user_id} in {alert.room_id}"


def trend_routes(section: TrendsSection) -> list[HTTPRouteHandler]:
    @route("/trends", http_method=GET)
    async def get_trends_section(request: AnyRequest) -> Response[str]:
        return html_answer(await section.render(trends_range(request.query_params, "range") or DEFAULT_RANGE))

    return [get_trends_section]


def trends_range(parameters: Mapping[str, str], name: str) -> str | None:
    """The range in a URL, or None."""
    return next((known for known in TREND_RANGES if known == parameters.get(name)), None)
