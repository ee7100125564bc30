"""/rooms/{room_id}: a live room, or the room as it was at an earlier time."""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from markupsafe import Markup, escape
from msgspec.structs import replace

from roompulse.clock import Clock
from roompulse.errors import StoreError
from roompulse.pseudonyms.model import Pseudonyms
from roompulse.pseudonyms.pages import PagePseudonyms
from roompulse.pseudonyms.rooms import hidden_room
from roompulse.quality import VERDICTS
from roompulse.rooms.contract import LiveRoom, LiveRooms, LiveUser
from roompulse.rooms.grid import MOST, Cell, GridRow, grid_of
from roompulse.rooms.model import Snapshot, UserMetrics
from roompulse.store.contract import SessionStore, Steps
from roompulse.web.html.fragment_cache import FragmentCache
from roompulse.web.html.paging import paged
from roompulse.web.html.templates import Templates, compact
from roompulse.web.http.routes import GET, STREAM, AnyRequest
from roompulse.web.http.shared import share_of
from roompulse.web.http.urls import decode_id, room_path
from roompulse.web.pages.alerts import AlertBanners
from roompulse.web.pages.layout import Layout, html_answer
from roompulse.web.pages.past import Listed, Moment, Past, history_unavailable
from roompulse.web.pages.query import UserQuery, present_query
from roompulse.web.pages.timeline import KIND_NAMES, Timelines
from roompulse.web.pages.view import PageView, Sections
from roompulse.web.sse.stream import EventStream

PER_PAGE = 100
"""Users per page. Those on other pages are not pushed."""

_MAX_FRAGMENTS = 5_000
"""Of a kilobyte each: as many users as are in view on 50 pages."""

_MAX_GRIDS = 500
"""Of up to 20 kilobytes each."""

_SESSIONS = 10
"""The newest ones are listed."""


class RoomSections:
    """Renders the sections of rooms' pages; parts that views share, once per change.

    These are the summary, rows of users, and the matrix and its cells; views that hide users share by `names`.
    """

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._fragments = FragmentCache(_MAX_FRAGMENTS)
        self._grids = FragmentCache(_MAX_GRIDS)

    def of(self, room_id: str, room: LiveRoom | None, query: UserQuery, names: str | None = None) -> Sections:
        """The sections of a room as it is, or as it was at `query.at`; None where there was no call."""
        if room is None:
            html = self._templates.render("partials/summary.html", room_id=room_id, aggregate=None, query=query)
            return _only_summary(html)
        listed = paged(query.select(room), query.page, PER_PAGE)
        users = [user for place in listed.rows if (user := room.user(place.user_id))]
        context: dict[str, Any] = {"room_id": room_id, "list": listed, "query": query, "names": names}
        return {
            "name": escape(room.room_name or ""),
            "summary": self._summary(room, context),
            "users": compact(self._users(room, users, context)),
            "grid": self._grid(room, users, context),
        }

    def _summary(self, room: LiveRoom, context: Mapping[str, Any]) -> str:
        def render() -> str:
            summary = room.summary()
            html = self._templates.render(
                "partials/summary.html",
                aggregate=summary.aggregate,
                words=room.verdict(),
                stale=summary.stale,
                heard_at=summary.received_at,
                **context,
            )
            return compact(html)

        return self._fragments.fragment((context["room_id"], context["names"]), room.version, render)

    def _users(self, room: LiveRoom, users: Sequence[LiveUser], context: Mapping[str, Any]) -> str:
        rows = [self._row(user, context) for user in users]
        count = room.summary().aggregate.user_count
        return self._templates.render("partials/users.html", rows=rows, users=count, **context)

    def _row(self, user: LiveUser, context: Mapping[str, Any]) -> Markup:
        def render() -> str:
            html = self._templates.render(
                "partials/user_row.html", user=user.metrics(), links=user.weakest(), servers=user.servers, **context
            )
            return compact(html)

        key = context["room_id"], context["names"], user.user_id
        return self._fragments.fragment(key, user.version, render)

    def _grid(self, room: LiveRoom, users: Sequence[LiveUser], context: Mapping[str, Any]) -> str:
        receivers = [user.metrics() for user in users[:MOST]]
        senders = {one.user_id: room.user(one.user_id) for receiver in receivers for one in receiver.receiving}
        version = (
            [user.version for user in users[:MOST]],
            [user_id for user_id, sender in senders.items() if sender and sender.stale],
            len(users),
        )

        def render() -> str:
            grid = grid_of(receivers, room.user)
            cells = [self._cells(row, grid.receivers) for row in grid.rows]
            html = self._templates.render("partials/grid.html", grid=grid, cells=cells, MOST=MOST, **context)
            return compact(html)

        return self._grids.fragment((context["room_id"], context["names"], context["query"]), version, render)

    def _cells(self, row: GridRow, receivers: Sequence[UserMetrics]) -> Markup:
        pairs = zip(receivers, row.cells, strict=True)
        cells = [self._cell(cell, own=row.sender is receiver) for receiver, cell in pairs]
        return Markup("\n".join(cells))  # noqa: S704  (our own partials)

    def _cell(self, cell: Cell | None, *, own: bool) -> Markup:
        return self._fragments.fragment(
            (cell, own), None, lambda: self._templates.render("partials/grid_cell.html", cell=cell, own=own)
        )


def totals_sections(templates: Templates, room_id: str, totals: Snapshot, query: UserQuery) -> Sections:
    """The sections of a room's page for a time whose samples of users have expired."""
    summary = templates.render(
        "partials/summary.html",
        room_id=room_id,
        aggregate=totals,
        words=[VERDICTS[totals.quality.verdict]],
        stale=False,
        heard_at=totals.timestamp,
        query=query,
    )
    return {**_only_summary(summary), "users": templates.render("partials/users_gone.html")}


def _only_summary(html: str) -> Sections:
    return {"name": "", "summary": compact(html), "users": "", "grid": ""}


def room_view(
    rooms: LiveRooms, sections: RoomSections, room_id: str, query: UserQuery, names: Pseudonyms | None = None
) -> PageView:
    def render() -> Sections:
        return sections.of(room_id, hidden_room(rooms.get(room_id), names), query, key)

    key = names.key if names else None
    return PageView(("room", room_id, query, key), room_id, render)


class RoomPage:
    def __init__(
        self,
        rooms: LiveRooms,
        past: Past,
        sessions: SessionStore,
        timelines: Timelines,
        banners: AlertBanners,
        templates: Templates,
        clock: Clock,
    ) -> None:
        self._banners = banners
        self._rooms = rooms
        self._timelines = timelines
        self._past = past
        self._sessions = sessions
        self._templates = templates
        self._clock = clock
        self._sections = RoomSections(templates)

    def is_live(self, room_id: str) -> bool:
        return self._rooms.get(room_id) is not None

    async def view(self, room_id: str, query: UserQuery, names: Pseudonyms | None = None) -> PageView:
        """With `names`, its users are hidden, and so are alerts, whose texts operators write."""
        timeline = await self._timelines.of(room_id, query, names=names)
        view = room_view(self._rooms, self._sections, room_id, query, names)

        def sections() -> Sections:
            return {
                **view.sections(),
                "timeline": timeline(hidden_room(self._rooms.get(room_id), names), self._clock()),
                "room-alerts": "" if names else self._banners.of_room(room_id),
            }

        return replace(view, sections=sections)

    async def moment(self, room_id: str, at: float, query: UserQuery, names: Pseudonyms | None = None) -> Moment:
        timeline = await self._timelines.of(room_id, query, names=names)
        key = room_id, at, query, names and names.key
        room, moment = await self._past.read(key, lambda: self._moment(room_id, at, query, names))
        return replace(moment, sections={**moment.sections, "timeline": timeline(room, at)})

    def _moment(
        self, room_id: str, at: float, query: UserQuery, names: Pseudonyms | None
    ) -> Steps[tuple[LiveRoom | None, Moment]]:
        if not self._past.has_users(at) and (totals := (yield from self._past.totals(room_id, at))):
            return None, Moment(200, totals_sections(self._templates, room_id, totals, query))
        room = hidden_room((yield from self._past.room(room_id, at)), names)
        # Each replay has its own versions, so its fragments cannot be reused.
        sections = RoomSections(self._templates).of(room_id, room, query)
        return room, Moment(200 if room else 404, sections)

    async def sessions(self, room_id: str, query: UserQuery) -> Listed:
        """The newest sessions of the room."""
        try:
            sessions = await self._sessions.of_room(room_id, _SESSIONS)
        except StoreError as error:
            return history_unavailable(self._templates, error)
        html = self._templates.render(
            "partials/sessions.html", room_id=room_id, sessions=sessions, query=query, now=self._clock()
        )
        return Listed(html, 200 if sessions else 404)


def room_routes(page: RoomPage, past: Past, pseudonyms: PagePseudonyms, layout: Layout) -> list[HTTPRouteHandler]:
    @route("/rooms/{room_id:str}", http_method=GET, before_request=past.redirect)
    async def get_room_page(request: AnyRequest, room_id: FromPath[str]) -> Response[str]:
        decoded = decode_id("room_id", room_id)
        query, path = past.query(request), room_path(decoded)
        names = await pseudonyms.of(share_of(request.scope))
        sessions = await page.sessions(decoded, query)
        context: dict[str, Any] = {"room_id": decoded, "path": path, "query": query, "sessions": sessions.html}
        context["kinds"] = KIND_NAMES
        if query.at is not None:
            moment = await page.moment(decoded, query.at, query, names)
            return await layout.answer(
                request, "room.html", moment.sections, at=query.at, status=moment.status, **context
            )
        sections = await layout.render(await page.view(decoded, query, names))
        stream, status = query.url(f"{path}/stream"), 200 if page.is_live(decoded) else sessions.status
        return await layout.answer(request, "room.html", sections, stream=stream, status=status, **context)

    @route("/rooms/{room_id:str}/sessions", http_method=GET)
    async def get_sessions(request: AnyRequest, room_id: FromPath[str]) -> Response[str]:
        sessions = await page.sessions(decode_id("room_id", room_id), past.query(request))
        return html_answer(sessions.html)

    @route("/rooms/{room_id:str}/stream", http_method=GET, opt=STREAM)
    async def stream_room_page(request: AnyRequest, room_id: FromPath[str]) -> EventStream:
        query, names = present_query(request.query_params), await pseudonyms.of(share_of(request.scope))
        return layout.stream(request, await page.view(decode_id("room_id", room_id), query, names))

    return [get_room_page, get_sessions, stream_room_page]
