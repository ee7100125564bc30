"""/insights: groups of users by a dimension, those that are significantly worse, and the users behind a group."""

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from roompulse.clock import Clock
from roompulse.insights.analysis import findings_of, insights_of
from roompulse.insights.collector import has_trait
from roompulse.insights.model import Insights, Span, words_of
from roompulse.insights.queries import all_insights, compared
from roompulse.insights.recorder import RollupRecorder
from roompulse.insights.store import SqlRollups
from roompulse.quality import Level, level_of
from roompulse.rooms.contract import LiveRooms, LiveUser
from roompulse.store.contract import Steps
from roompulse.store.reader import Reader
from roompulse.web.html.sparklines import Segment, stacked
from roompulse.web.html.templates import Templates
from roompulse.web.http.routes import GET, STREAM, AnyRequest
from roompulse.web.pages.insights.query import COMPARISONS, RANGES, InsightsPageQuery, insights_page_query, live_query
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.view import PageView, Sections
from roompulse.web.sse.stream import EventStream

MOST_USERS = 20
"""Users listed for a group."""


class _Rated(NamedTuple):
    score: float
    room_id: str
    user_id: str
    user: LiveUser


class Behind(Struct, frozen=True):
    """A user of a group: its present quality, or how often it was poor and when mostly."""

    room_id: str
    user_id: str
    score: float | None = None
    level: Level = "poor"
    poor_minutes: int | None = None
    at: float | None = None


class InsightsPage:
    def __init__(
        self,
        recorder: RollupRecorder,
        rollups: SqlRollups,
        reader: Reader,
        rooms: LiveRooms,
        templates: Templates,
        clock: Clock,
    ) -> None:
        self._recorder = recorder
        self._rollups = rollups
        self._reader = reader
        self._rooms = rooms
        self._templates = templates
        self._clock = clock
        self._compared: tuple[tuple[object, ...], Sequence[Insights]] = ((), [])

    def view(self, query: InsightsPageQuery) -> PageView:
        """The last minutes; the stream sends them again each minute."""
        return PageView(("insights", query), None, lambda: self._live(query))

    def _live(self, query: InsightsPageQuery) -> Sections:
        tables = self._tables(query)
        users = self._live_users(query) if query.value else []
        return self._sections(query, tables, users)

    def _tables(self, query: InsightsPageQuery) -> Sequence[Insights]:
        """Computed once for all viewers and dimensions."""
        key = query.against, self._recorder.version
        if key != self._compared[0]:
            now = self._clock()
            span = query.span(now)
            earlier = self._recorder.recent(span.before()) if query.against == "before" else None
            self._compared = key, compared(self._recorder.recent(span), earlier)
        return self._compared[1]

    def _live_users(self, query: InsightsPageQuery) -> list[Behind]:
        """The worst of the group. Only the first ones are examined closely."""
        trait = query.by, query.value
        found = (one for one in self._worst_first() if has_trait(one.user, trait))
        return [Behind(one.room_id, one.user_id, one.score, level_of(one.score)) for one in islice(found, MOST_USERS)]

    def _worst_first(self) -> list[_Rated]:
        rooms = [room for room_id in self._rooms.ids() if (room := self._rooms.get(room_id))]
        users = ((room.room_id, user_id, user) for room in rooms for user_id, user in room.users.items())
        return sorted(_Rated(score, *one) for one in users if (score := one[2].score()) is not None)

    async def past(self, query: InsightsPageQuery) -> Sections:
        """A range; raises StoreError."""
        return await self._reader.result(self._past(query, query.span(self._clock())))

    def _past(self, query: InsightsPageQuery, span: Span) -> Steps[Sections]:
        before = span.before() if query.against == "before" else None
        tables = yield from all_insights(self._rollups, span, before)
        yield
        users = (yield from self._past_users(query, span)) if query.value else []
        yield
        return self._sections(query, tables, users)

    def _past_users(self, query: InsightsPageQuery, span: Span) -> Steps[list[Behind]]:
        found = yield from self._rollups.users(span, (query.by, query.value))
        return [Behind(one.room_id, one.user_id, poor_minutes=one.poor, at=float(at)) for one, at in found[:MOST_USERS]]

    def _sections(self, query: InsightsPageQuery, tables: Sequence[Insights], users: Sequence[Behind]) -> Sections:
        by = {table.by: table for table in tables}
        by.setdefault(query.by, insights_of(query.by, {}))
        table = by[query.by]
        against = "before" if query.against == "before" else "of the others"
        findings = findings_of(tables, against)
        bars = {group.value: _bar(group.good, group.fair, group.poor) for group in [*table.groups, table.rest]}
        return {
            "findings": self._templates.render(
                "partials/findings.html", findings=findings, query=query, seen=any(one.groups for one in tables)
            ),
            "groups": self._templates.render(
                "partials/groups.html",
                table=table,
                dimensions={name: words_of(name) for name in by},
                bars=bars,
                query=query,
                users=users,
            ),
        }


def insights_routes(page: InsightsPage, layout: Layout) -> list[HTTPRouteHandler]:
    @route("/insights", http_method=GET)
    async def get_insights_page(request: AnyRequest) -> Response[str]:
        query = insights_page_query(request.query_params)
        context: dict[str, Any] = {"query": query, "ranges": RANGES, "comparisons": COMPARISONS}
        if query.is_live:
            sections = await layout.render(page.view(query))
            return await layout.answer(
                request, "insights.html", sections, stream=query.url("insights/stream"), **context
            )
        return await layout.answer(request, "insights.html", await page.past(query), **context)

    @route("/insights/stream", http_method=GET, opt=STREAM)
    async def stream_insights_page(request: AnyRequest) -> EventStream:
        return layout.stream(request, page.view(live_query(request.query_params)))

    return [get_insights_page, stream_insights_page]


def _bar(good: float | None, fair: float | None, poor: float | None) -> list[Segment]:
    shares: dict[Level, int] = {"poor": _tenths(poor), "fair": _tenths(fair), "good": _tenths(good)}
    return stacked(shares) if any(shares.values()) else []


def _tenths(percent: float | None) -> int:
    return round(10 * (percent or 0))
