"""GET /report/overview and its stream: all live rooms, with totals, search, order and paging."""

from collections.abc import Hashable

from litestar import route
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from roompulse.hub.contract import Frames
from roompulse.overview.overview import OverviewQuery, Overviews
from roompulse.overview.query import ALL_LEVELS, ALL_ORDERS
from roompulse.web.api.history import requested_count, requested_limit, requested_one_of, requested_search
from roompulse.web.http.envelope import success
from roompulse.web.http.json_answer import JsonAnswer, hashed_answer
from roompulse.web.http.routes import GET, AnyRequest
from roompulse.web.sse.events import json_event
from roompulse.web.sse.stream import EventStream, EventStreams

MAX_OFFSET = 10**9
DEFAULT_LIMIT, MAX_LIMIT = 50, 1000
"""Rooms of one answer: a room takes half a kilobyte."""


class OverviewView(Struct, frozen=True):
    """The overview as JSON."""

    overviews: Overviews
    query: OverviewQuery
    room_id: None = None
    gone: Frames = {}

    @property
    def key(self) -> Hashable:
        return "overview", self.query

    def render(self) -> Frames:
        return {"overview": json_event(self.overviews.of(self.query), name="overview")}


def overview_routes(overviews: Overviews, streams: EventStreams) -> list[HTTPRouteHandler]:
    @route("/report/overview", http_method=GET)
    async def get_overview(request: AnyRequest) -> JsonAnswer:
        query = overview_query(request)
        await overviews.catch_up()
        found = await streams.hub.render(lambda: success(overviews.of(query)))
        return hashed_answer(request, found)

    @route("/report/stream", http_method=GET)
    async def stream_overview(request: AnyRequest) -> EventStream:
        query = overview_query(request)
        await overviews.catch_up()
        return EventStream(streams, OverviewView(overviews, query))

    return [get_overview, stream_overview]


def overview_query(request: AnyRequest) -> OverviewQuery:
    """Raises BadRequest that names an invalid parameter."""
    return OverviewQuery(
        requested_search(request),
        requested_one_of(request, "order", ALL_ORDERS) or ALL_ORDERS[0],
        requested_one_of(request, "level", ALL_LEVELS),
        requested_count(request, "offset", low=0, high=MAX_OFFSET, default=0),
        requested_limit(request, DEFAULT_LIMIT, MAX_LIMIT),
    )
