"""The pages."""

from collections.abc import Mapping
from typing import Any

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect
from markupsafe import Markup
from msgspec.structs import replace

from roompulse.clock import Clock
from roompulse.rooms.contract import LiveRooms
from roompulse.settings import Settings
from roompulse.web.html.templates import Templates
from roompulse.web.http.compression import COMPRESSED
from roompulse.web.http.problems import AnyRequest
from roompulse.web.http.routes import GET
from roompulse.web.http.urls import decode_id, room_path, user_path
from roompulse.web.pages.database_notice import DatabaseNotice
from roompulse.web.pages.forms import Forms
from roompulse.web.pages.past import ENDED_PER_PAGE, PastPages
from roompulse.web.pages.query import (
    ENDED_SORTS,
    SORTS,
    UserQuery,
    ended_query,
    is_wall,
    rooms_query,
    seconds_ago,
    user_query,
)
from roompulse.web.pages.rooms import Overview
from roompulse.web.pages.views import Views
from roompulse.web.sse.events import HEARTBEAT


class Layout:
    """What is around the sections of every page."""

    def __init__(
        self, templates: Templates, notice: DatabaseNotice, clock: Clock, forms: Forms, settings: Settings
    ) -> None:
        self._templates = templates
        self._notice = notice
        self._clock = clock
        self._forms = forms
        self._settings = settings

    def answer(
        self,
        request: AnyRequest,
        name: str,
        sections: Mapping[str, str],
        *,
        stream: str | None = None,
        at: float | None = None,
        status: int = 200,
        **context: object,
    ) -> Response[str]:
        """The page by the template `name`, whose sections the stream keeps up to date, or which is of the time `at`."""
        page = self._templates.render(
            name,
            sections={target: Markup(html) for target, html in {**self._notice.section(), **sections}.items()},  # noqa: S704  (our partials)
            stream=stream,
            at=at,
            account=self._forms.account(request),
            wall=is_wall(request.query_params),
            heartbeat=HEARTBEAT,
            snapshot_interval=self._settings.snapshot_interval,
            stale_after=self._settings.stale_after,
            now=self._clock(),
            **context,
        )
        return self.fragment(page, status=status)

    @staticmethod
    def fragment(html: str, *, status: int = 200) -> Response[str]:
        return Response(html, status_code=status, media_type="text/html")

    def asked(self, request: AnyRequest) -> UserQuery:
        """What a URL asks for; a time that is not past is the present."""
        query = user_query(request.query_params)
        return replace(query, at=None) if query.at is not None and query.at > self._clock() else query

    def look_back(self, request: AnyRequest) -> Response[Any] | None:
        """Lead on from `?ago=SECONDS` to the time that it stands for, which others can be shown."""
        if (ago := seconds_ago(request.query_params)) is None:
            return None
        query = replace(user_query(request.query_params), at=max(0.0, self._clock() - ago))
        return Redirect(query.url(request.scope["path"]), status_code=303)


def page_routes(
    rooms: LiveRooms, overview: Overview, views: Views, past_pages: PastPages, layout: Layout
) -> list[HTTPRouteHandler]:
    return [
        *_rooms_page(overview, past_pages, layout),
        *_room_page(rooms, views, past_pages, layout),
        *_user_page(rooms, views, past_pages, layout),
    ]


def _rooms_page(overview: Overview, past_pages: PastPages, layout: Layout) -> list[HTTPRouteHandler]:
    @route("/", http_method=GET, middleware=[COMPRESSED])
    async def get_rooms_page(request: AnyRequest) -> Response[str]:
        if ended := ended_query(request.query_params):
            rows = await past_pages.ended(ended)
            context: dict[str, Any] = {"query": ended, "list": rows, "sorts": ENDED_SORTS, "per_page": ENDED_PER_PAGE}
            return layout.answer(request, "ended.html", {}, **context)
        query = rooms_query(request.query_params)
        sections = overview.view(query).sections()
        return layout.answer(request, "rooms.html", sections, stream=query.url("/stream"), query=query, sorts=SORTS)

    return [get_rooms_page]


def _room_page(rooms: LiveRooms, views: Views, past_pages: PastPages, layout: Layout) -> list[HTTPRouteHandler]:
    @route("/rooms/{room_id:str}", http_method=GET, middleware=[COMPRESSED], before_request=layout.look_back)
    async def get_room_page(request: AnyRequest, room_id: FromPath[str]) -> Response[str]:
        decoded = decode_id("room_id", room_id)
        query, path = layout.asked(request), room_path(decoded)
        sessions = await past_pages.sessions(decoded, query)
        context: dict[str, Any] = {"room_id": decoded, "path": path, "query": query, "sessions": sessions}
        if query.at is not None:
            moment = await past_pages.room(decoded, query.at, query)
            return layout.answer(request, "room.html", moment.sections, at=query.at, status=moment.status, **context)
        sections = views.room(decoded, query).sections()
        stream, status = query.url(f"{path}/stream"), 200 if rooms.get(decoded) else 404
        return layout.answer(request, "room.html", sections, stream=stream, status=status, **context)

    @route("/rooms/{room_id:str}/sessions", http_method=GET, middleware=[COMPRESSED])
    async def get_sessions(request: AnyRequest, room_id: FromPath[str]) -> Response[str]:
        return layout.fragment(await past_pages.sessions(decode_id("room_id", room_id), layout.asked(request)))

    return [get_room_page, get_sessions]


def _user_page(rooms: LiveRooms, views: Views, past_pages: PastPages, layout: Layout) -> list[HTTPRouteHandler]:
    @route(
        "/rooms/{room_id:str}/users/{user_id:str}",
        http_method=GET,
        middleware=[COMPRESSED],
        before_request=layout.look_back,
    )
    async def get_user_page(request: AnyRequest, room_id: FromPath[str], user_id: FromPath[str]) -> Response[str]:
        ids = decode_id("room_id", room_id), decode_id("user_id", user_id)
        query, path = layout.asked(request), user_path(*ids)
        visits = await past_pages.visits(*ids, query)
        context: dict[str, Any] = {"room_id": ids[0], "user_id": ids[1], "path": path, "query": query, "visits": visits}
        if query.at is not None:
            moment = await past_pages.user(*ids, query.at)
            return layout.answer(request, "user.html", moment.sections, at=query.at, status=moment.status, **context)
        room = rooms.get(ids[0])
        status = 200 if room and room.user(ids[1]) else 404
        return layout.answer(
            request, "user.html", views.user(*ids).sections(), stream=f"{path}/stream", status=status, **context
        )

    @route("/rooms/{room_id:str}/users/{user_id:str}/visits", http_method=GET, middleware=[COMPRESSED])
    async def get_visits(request: AnyRequest, room_id: FromPath[str], user_id: FromPath[str]) -> Response[str]:
        ids = decode_id("room_id", room_id), decode_id("user_id", user_id)
        return layout.fragment(await past_pages.visits(*ids, layout.asked(request)))

    return [get_user_page, get_visits]
