"""/: the page of all live rooms, with totals and the rooms that match its filter."""

from collections.abc import Callable
from typing import Any

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from markupsafe import Markup

from roompulse.clock import Clock
from roompulse.intake.intake import Intake
from roompulse.rooms.contract import LiveRooms
from roompulse.rooms.model import RoomSummary
from roompulse.rooms.trends import Trends
from roompulse.web.html.fragment_cache import FragmentCache
from roompulse.web.html.sparklines import stacked, trendline, users_by_level
from roompulse.web.html.templates import Templates
from roompulse.web.http.routes import GET, STREAM, AnyRequest
from roompulse.web.pages.ended import EndedPage
from roompulse.web.pages.insights.trends import DEFAULT_RANGE, TrendsSection, trends_range
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.query import SORTS, RoomsQuery, ended_query, rooms_query
from roompulse.web.pages.rooms_index import AlertsByRoom, RoomsIndex
from roompulse.web.pages.view import PageView, Sections
from roompulse.web.sse.stream import EventStream

PER_PAGE = 50
"""Rooms per page. Those on other pages are not pushed."""

_MAX_FRAGMENTS = 2_000


class RoomsPage:
    """Renders each row once per change of its room, for all viewers, orders and filters. `alerts_now` is a section."""

    def __init__(
        self,
        rooms: LiveRooms,
        trends: Trends,
        intake: Intake,
        alerts_now: Callable[[], str],
        alerts: AlertsByRoom,
        templates: Templates,
        clock: Clock,
    ) -> None:
        self._rooms = rooms
        self._alerts_now = alerts_now
        self._trends = trends
        self._intake = intake
        self._templates = templates
        self._clock = clock
        self._index = RoomsIndex(rooms, alerts)
        self._fragments = FragmentCache(_MAX_FRAGMENTS)

    def view(self, query: RoomsQuery) -> PageView:
        def sections() -> Sections:
            self._index.refresh()
            return {"alerts-now": self._alerts_now(), "totals": self._totals(), "rooms": self._list(query)}

        return PageView(("rooms", query), None, sections)

    def _totals(self) -> str:
        totals: dict[str, Any] = {
            "rooms": len(self._index),
            "users": self._index.users,
            "levels": dict(self._index.levels),
            "rate": self._intake.rate(self._clock()),
            "newest": self._intake.newest,
        }

        def render() -> str:
            return self._templates.render("partials/totals.html", **totals)

        return self._fragments.fragment(None, tuple(totals.values()), render)

    def _list(self, query: RoomsQuery) -> str:
        page = self._index.page(query, PER_PAGE)
        return self._templates.render(
            "partials/rooms.html",
            list=page,
            rows=[self._row(room) for room in page.rows],
            first=(page.page - 1) * PER_PAGE + 1,
            live=len(self._index),
            query=query,
        )

    def _row(self, room: RoomSummary) -> Markup:
        live, alerts = self._rooms.get(room.room_id), self._index.alerts.get(room.room_id)

        def render() -> str:
            counts = users_by_level(room.aggregate.quality)
            return self._templates.render(
                "partials/room_row.html",
                room=room,
                alerts=alerts,
                counts=counts,
                bar=stacked(counts),
                trend=trendline([*self._trends.scores(room.room_id), room.aggregate.quality.score]),
            )

        version = live.version if live else 0, self._trends.version, alerts
        return self._fragments.fragment(room.room_id, version, render)


def rooms_routes(page: RoomsPage, ended: EndedPage, trends: TrendsSection, layout: Layout) -> list[HTTPRouteHandler]:
    @route("/", http_method=GET)
    async def get_rooms_page(request: AnyRequest) -> Response[str]:
        if ended_rooms := ended_query(request.query_params):
            return await ended.answer(request, ended_rooms)
        query = rooms_query(request.query_params)
        sections = await layout.render(page.view(query))
        context: dict[str, Any] = {"query": query, "sorts": SORTS, "trends": "", "trends_range": DEFAULT_RANGE}
        if chosen := trends_range(request.query_params, "trends"):
            context |= {"trends": Markup(await trends.render(chosen)), "trends_range": chosen}  # noqa: S704  (our partial)
        return layout.answer(request, "rooms.html", sections, stream=query.url("stream"), **context)

    @route("/stream", http_method=GET, opt=STREAM)
    async def stream_rooms_page(request: AnyRequest) -> EventStream:
        return layout.stream(page.view(rooms_query(request.query_params)))

    return [get_rooms_page, stream_rooms_page]
