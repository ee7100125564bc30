"""GET /views/stream: the streams of several pages over one connection, for the windows of one browser."""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from litestar import route
from litestar.handlers import HTTPRouteHandler

from roompulse.errors import BadRequest, NotFound
from roompulse.pseudonyms.model import Pseudonyms
from roompulse.pseudonyms.pages import PagePseudonyms
from roompulse.web.http.routes import GET, STREAM, AnyRequest
from roompulse.web.http.shared import share_of
from roompulse.web.http.urls import decode_id
from roompulse.web.pages.alerts import FIRING, AlertsPage
from roompulse.web.pages.ingest_health import IngestHealthPage
from roompulse.web.pages.insights.page import InsightsPage
from roompulse.web.pages.insights.query import live_query
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.query import IntakeQuery, page_number, present_query, rooms_query, users_query
from roompulse.web.pages.room import RoomPage
from roompulse.web.pages.rooms import RoomsPage
from roompulse.web.pages.user import UserPage
from roompulse.web.pages.users import UsersPage
from roompulse.web.pages.view import PageView
from roompulse.web.sse.multiplex import MAX_VIEWS
from roompulse.web.sse.stream import EventStream


class PageViews:
    """The views of all pages that have a stream."""

    def __init__(
        self,
        rooms: RoomsPage,
        room: RoomPage,
        user: UserPage,
        users: UsersPage,
        ingest: IngestHealthPage,
        alerts: AlertsPage,
        insights: InsightsPage,
    ) -> None:
        self._rooms = rooms
        self._room = room
        self._user = user
        self._others: Mapping[str, Callable[[Mapping[str, str]], PageView]] = {
            "users/stream": lambda parameters: users.view(users_query(parameters)),
            "insights/stream": lambda parameters: insights.view(live_query(parameters)),
            "alerts/stream": lambda _: alerts.view(),
            "alerts/firing/stream": lambda _: FIRING,
            "ingest/stream": lambda parameters: ingest.view(IntakeQuery(page=page_number(parameters))),
        }

    async def by_url(self, url: str, names: Pseudonyms | None) -> PageView:
        """The view whose stream has this path and query, below the root of the application; raises NotFound.

        With `names`, the users of the room are hidden.
        """
        path, _, query = url.partition("?")
        parameters = dict(parse_qsl(query))
        match path.split("/"):
            case ["stream"]:
                await self._rooms.catch_up()
                return self._rooms.view(rooms_query(parameters))
            case ["rooms", room_id, "stream"]:
                return await self._room.view(decode_id("room_id", room_id), present_query(parameters), names)
            case ["rooms", room_id, "users", user_id, "stream"]:
                ids = decode_id("room_id", room_id), decode_id("user_id", user_id)
                return await self._user.view(*ids, present_query(parameters), names)
        if view := self._others.get(path):
            return view(parameters)
        raise NotFound("view: not the URL of a page's stream")


def shared_stream_routes(pages: PageViews, pseudonyms: PagePseudonyms, layout: Layout) -> list[HTTPRouteHandler]:
    @route("/views/stream", http_method=GET, opt=STREAM)
    async def stream_views(request: AnyRequest) -> EventStream:
        # Each parameter `view` is the URL of a page's own stream.
        urls = request.query_params.getall("view", [])
        if not 1 <= len(urls) <= MAX_VIEWS:
            raise BadRequest(f"view: 1 to {MAX_VIEWS} URLs of streams are needed, not {len(urls)}")
        names = await pseudonyms.of(share_of(request.scope))
        return layout.stream(request, *[await pages.by_url(url, names) for url in urls])

    return [stream_views]
