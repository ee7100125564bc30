"""/users: users of all live rooms, by name or level, worst first. A search on `/` shows the first of them."""

from typing import Any

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from markupsafe import Markup

from roompulse.overview.users import UserPlace, users_of
from roompulse.rooms.contract import LiveRooms
from roompulse.web.html.fragment_cache import FragmentCache
from roompulse.web.html.paging import paged
from roompulse.web.html.templates import Templates, compact
from roompulse.web.http.routes import GET, STREAM, AnyRequest
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.query import UsersQuery, users_query
from roompulse.web.pages.view import PageView, Sections
from roompulse.web.sse.stream import EventStream

PER_PAGE = 100
"""Users per page. Those on other pages are not pushed."""

PER_SEARCH = 10
"""Users that a search for rooms shows."""

_MAX_FRAGMENTS = 2_000


class UsersPage:
    """Renders each row once per change of its user."""

    def __init__(self, rooms: LiveRooms, templates: Templates) -> None:
        self._rooms = rooms
        self._templates = templates
        self._fragments = FragmentCache(_MAX_FRAGMENTS)

    def view(self, query: UsersQuery) -> PageView:
        def sections() -> Sections:
            return {"found-users": self._list(query, PER_PAGE)}

        return PageView(("users", query), None, sections)

    def found(self, q: str) -> str:
        """The worst users whose id or name contains `q`, with a link to all of them."""
        return self._list(UsersQuery(q), PER_SEARCH, search=True)

    def _list(self, query: UsersQuery, per_page: int, *, search: bool = False) -> str:
        listed = paged(users_of(self._rooms, query.wanted), query.page, per_page)
        context: dict[str, Any] = {"list": listed, "query": query, "search": search}
        rows = [self._row(one) for one in listed.rows]
        return self._templates.render("partials/found_users.html", rows=rows, **context)

    def _row(self, found: UserPlace) -> Markup:
        room = self._rooms.get(found.room_id)
        user = room.user(found.place.user_id) if room else None
        if room is None or user is None:
            return Markup()

        def render() -> str:
            html = self._templates.render(
                "partials/found_user.html", user=user.metrics(), room_id=found.room_id, room_name=room.room_name
            )
            return compact(html)

        return self._fragments.fragment((found.room_id, user.user_id), (user.version, room.room_name), render)


def users_routes(page: UsersPage, layout: Layout) -> list[HTTPRouteHandler]:
    @route("/users", http_method=GET)
    async def get_users_page(request: AnyRequest) -> Response[str]:
        query = users_query(request.query_params)
        sections = await layout.render(page.view(query))
        return await layout.answer(request, "users.html", sections, stream=query.url("users/stream"), query=query)

    @route("/users/stream", http_method=GET, opt=STREAM)
    async def stream_users_page(request: AnyRequest) -> EventStream:
        return layout.stream(request, page.view(users_query(request.query_params)))

    return [get_users_page, stream_users_page]
