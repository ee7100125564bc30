"""The pages."""

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from markupsafe import Markup

from roompulse.clock import Clock
from roompulse.ingest import Ingest
from roompulse.rooms.contract import LiveRooms
from roompulse.web.answers import GET
from roompulse.web.compression import COMPRESSED
from roompulse.web.events import HEARTBEAT
from roompulse.web.headers import SECURITY_HEADERS
from roompulse.web.overview import Overview
from roompulse.web.paths import decode_id, room_path, user_path
from roompulse.web.problems import AnyRequest
from roompulse.web.query import SORTS, rooms_query, user_query
from roompulse.web.templates import Templates
from roompulse.web.views import PageView, Views


class Layout:
    """What is around the sections of every page."""

    def __init__(self, templates: Templates, clock: Clock, snapshot_interval: float) -> None:
        self._templates = templates
        self._clock = clock
        self._snapshot_interval = snapshot_interval

    def answer(self, name: str, view: PageView, stream: str, *, status: int = 200, **context: object) -> Response[str]:
        """The page by the template `name`, whose sections the view shows and the stream keeps up to date."""
        page = self._templates.render(
            name,
            sections={target: Markup(html) for target, html in view.sections().items()},  # noqa: S704  (our partials)
            stream=stream,
            heartbeat=HEARTBEAT,
            snapshot_interval=self._snapshot_interval,
            now=self._clock(),
            **context,
        )
        headers = SECURITY_HEADERS | {"Cache-Control": "no-store"}
        return Response(page, status_code=status, media_type="text/html", headers=headers)


def page_routes(
    rooms: LiveRooms, overview: Overview, views: Views, layout: Layout, ingest: Ingest
) -> list[HTTPRouteHandler]:
    @route("/", http_method=GET, middleware=[COMPRESSED])
    async def get_rooms_page(request: AnyRequest) -> Response[str]:
        ingest.expire()
        query = rooms_query(request.query_params)
        return layout.answer("rooms.html", overview.view(query), query.url("/stream"), query=query, sorts=SORTS)

    @route("/rooms/{room_id:str}", http_method=GET, middleware=[COMPRESSED])
    async def get_room_page(request: AnyRequest, room_id: FromPath[str]) -> Response[str]:
        decoded = decode_id("room_id", room_id)
        ingest.expire()
        query = user_query(request.query_params)
        return layout.answer(
            "room.html",
            views.room(decoded, query),
            f"{room_path(decoded)}/stream?{query.encoded()}",
            status=200 if rooms.get(decoded) else 404,
            room_id=decoded,
            search=query.search,
        )

    @route("/rooms/{room_id:str}/users/{user_id:str}", http_method=GET, middleware=[COMPRESSED])
    async def get_user_page(request: AnyRequest, room_id: FromPath[str], user_id: FromPath[str]) -> Response[str]:
        decoded, decoded_user = decode_id("room_id", room_id), decode_id("user_id", user_id)
        ingest.expire()
        room = rooms.get(decoded)
        return layout.answer(
            "user.html",
            views.user(decoded, decoded_user),
            f"{user_path(decoded, decoded_user)}/stream",
            status=200 if room and room.user(decoded_user) else 404,
            room_id=decoded,
            user_id=decoded_user,
        )

    return [get_rooms_page, get_room_page, get_user_page]
