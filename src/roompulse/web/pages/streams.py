"""The streams of the pages: each sends the sections of its page, and then those that changed."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from litestar import route
from litestar.handlers import HTTPRouteHandler
from msgspec.structs import replace

from roompulse.errors import BadRequest, NotFound
from roompulse.web.http.problems import AnyRequest
from roompulse.web.http.routes import GET, STREAM
from roompulse.web.http.urls import decode_id
from roompulse.web.pages.database_notice import DatabaseNotice
from roompulse.web.pages.ingest_health import IngestHealthPage
from roompulse.web.pages.query import IntakeQuery, page_number, rooms_query, user_query
from roompulse.web.pages.rooms import Overview
from roompulse.web.pages.views import PageView, Views
from roompulse.web.sse.multiplex import MAX_VIEWS
from roompulse.web.sse.stream import EventStream, EventStreams

PATHS = ["/stream", "/ingest/stream", "/rooms/{room_id:str}/stream", "/rooms/{room_id:str}/users/{user_id:str}/stream"]


class PageViews:
    """What pages show, by the path and the query of the stream of each."""

    def __init__(self, overview: Overview, views: Views, intake: IngestHealthPage, notice: DatabaseNotice) -> None:
        self._overview = overview
        self._views = views
        self._intake = intake
        self._notice = notice

    def by_url(self, url: str) -> PageView:
        """Raises NotFound where no page has this URL as its stream."""
        path, _, query = url.partition("?")
        return self.by_path(path, dict(parse_qsl(query)))

    def by_path(self, path: str, parameters: Mapping[str, str]) -> PageView:
        return self._notice.above(self._find(path, parameters))

    def _find(self, path: str, parameters: Mapping[str, str]) -> PageView:
        match path.split("/"):
            case ["", "stream"]:
                return self._overview.view(rooms_query(parameters))
            case ["", "ingest", "stream"]:
                return self._intake.view(IntakeQuery(page=page_number(parameters)))
            case ["", "rooms", room, "stream"]:
                # A page of the past has no stream: what comes here is of the present.
                query = replace(user_query(parameters), at=None)
                return self._views.room(decode_id("room_id", room), query)
            case ["", "rooms", room, "users", user, "stream"]:
                return self._views.user(decode_id("room_id", room), decode_id("user_id", user))
        raise NotFound("view: not the URL of a page's stream")


def page_stream_routes(streams: EventStreams, pages: PageViews) -> list[HTTPRouteHandler]:
    @route(PATHS, http_method=GET, opt=STREAM)
    async def stream_page(request: AnyRequest) -> EventStream:
        return EventStream(streams, pages.by_path(request.scope["path"], request.query_params))

    @route("/views/stream", http_method=GET, opt=STREAM)
    async def stream_views(request: AnyRequest) -> EventStream:
        """The streams of several pages, `view` being the URL of each, as web/sse/multiplex.py sends them."""
        urls = request.query_params.getall("view", [])
        if not 1 <= len(urls) <= MAX_VIEWS:
            raise BadRequest(f"view: give 1 to {MAX_VIEWS} URLs of streams, not {len(urls)}")
        return EventStream(streams, *map(pages.by_url, urls))

    return [stream_page, stream_views]
