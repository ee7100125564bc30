"""/: the page of all live rooms, with totals and the rooms that match its filter."""

from collections.abc import Callable
from typing import Any

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from markupsafe import Markup

from roompulse.clock import Clock
from roompulse.intake.intake import Intake
from roompulse.overview.rooms_index import RoomsIndex
from roompulse.rooms.contract import LiveRooms
from roompulse.rooms.model import RoomSummary
from roompulse.rooms.trends import Trends
from roompulse.web.html.fragment_cache import FragmentCache
from roompulse.web.html.paging import Rows, page_count
from roompulse.web.html.sparklines import LEVELS, stacked, trendline, users_by_level
from roompulse.web.html.templates import Templates
from roompulse.web.http.routes import GET, STREAM, AnyRequest
from roompulse.web.pages.calls.listing import CallsPage, was_ended
from roompulse.web.pages.insights.trends import DEFAULT_RANGE, TrendsSection, trends_range
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.query import SORTS, RoomsQuery, rooms_query
from roompulse.web.pages.users import UsersPage
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
        index: RoomsIndex,
        users: UsersPage,
        trends: Trends,
        intake: Intake,
        alerts_now: Callable[[], str],
        templates: Templates,
        clock: Clock,
    ) -> None:
        self._rooms = rooms
        self._users = users
        self._alerts_now = alerts_now
        self._trends = trends
        self._intake = intake
        self._templates = templates
        self._clock = clock
        self._index = index
        self.catch_up = index.catch_up
        self._fragments = FragmentCache(_MAX_FRAGMENTS)

    def view(self, query: RoomsQuery) -> PageView:
        def sections() -> Sections:
            self._index.refresh()
            return {
                "alerts-now": self._alerts_now(),
                "totals": self._totals(),
                "rooms": self._list(query),
                "found-users": self._users.found(query.q) if query.q else "",
            }

        return PageView(("rooms", query), None, sections)

    def _totals(self) -> str:
        totals: dict[str, Any] = {
            "rooms": len(self._index),
            "users": self._index.users,
            "levels": {level: self._index.levels[level] for level in LEVELS},
            "rate": self._intake.rate(self._clock()),
            "newest": self._intake.newest,
        }

        def render() -> str:
            return self._templates.render("partials/totals.html", **totals)

        return self._fragments.fragment(None, tuple(totals.values()), render)

    def _list(self, query: RoomsQuery) -> str:
        wanted = query.wanted
        total = self._index.count(wanted)
        pages = page_count(total, PER_PAGE)
        first = (min(query.page, pages) - 1) * PER_PAGE
        page = Rows(self._index.listed(wanted, first, PER_PAGE), first // PER_PAGE + 1, pages, total)
        return self._templates.render(
            "partials/rooms.html",
            list=page,
            rows=[self._row(room) for room in page.rows],
            first=first + 1,
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


def rooms_routes(page: RoomsPage, calls: CallsPage, trends: TrendsSection, layout: Layout) -> list[HTTPRouteHandler]:
    @route("/", http_method=GET, before_request=was_ended)
    async def get_rooms_page(request: AnyRequest) -> Response[str]:
        query = rooms_query(request.query_params)
        await page.catch_up()
        sections, left = await layout.render(page.view(query)), await calls.left(query.q)
        context: dict[str, Any] = {"query": query, "sorts": SORTS, "left": left}
        context |= {"trends": "", "trends_range": DEFAULT_RANGE}
        if chosen := trends_range(request.query_params, "trends"):
            context |= {"trends": Markup(await trends.render(chosen)), "trends_range": chosen}  # noqa: S704  (our partial)
        return await layout.answer(request, "rooms.html", sections, stream=query.url("stream"), **context)

    @route("/stream", http_method=GET, opt=STREAM)
    async def stream_rooms_page(request: AnyRequest) -> EventStream:
        await page.catch_up()
        return layout.stream(request, page.view(rooms_query(request.query_params)))

    return [get_rooms_page, stream_rooms_page]
