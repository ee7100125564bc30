"""/rooms/{room_id}/users/{user_id}: a user of a live room, or the user as it was at an earlier time."""

from collections.abc import Sequence
from typing import Any

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from markupsafe import escape
from msgspec.structs import replace

from roompulse.clock import Clock
from roompulse.errors import StoreError
from roompulse.pseudonyms.model import Pseudonyms
from roompulse.pseudonyms.pages import PagePseudonyms
from roompulse.pseudonyms.rooms import hidden_room
from roompulse.quality import worst
from roompulse.rooms.contract import LiveRoom, LiveRooms
from roompulse.rooms.links import Reception, sent
from roompulse.rooms.model import StreamMetrics
from roompulse.store.contract import Steps
from roompulse.web.html.fragment_cache import FragmentCache
from roompulse.web.html.paging import paged
from roompulse.web.html.templates import Templates, compact
from roompulse.web.http.routes import GET, STREAM, AnyRequest
from roompulse.web.http.shared import share_of
from roompulse.web.http.urls import decode_id, user_path
from roompulse.web.pages.layout import Layout, html_answer
from roompulse.web.pages.past import Listed, Moment, Past, history_unavailable
from roompulse.web.pages.query import UserQuery, present_query
from roompulse.web.pages.timeline import KIND_NAMES, Timelines
from roompulse.web.pages.view import PageView, Sections
from roompulse.web.sse.stream import EventStream

_STREAMS = 100
"""The worst ones of each list are shown."""

_MAX_FRAGMENTS = 500
"""Sections of users, of up to 100 kilobytes each; most have less than 20."""

_VISITS = 10
"""The newest ones are listed."""


def user_sections(
    templates: Templates, room_id: str, user_id: str, room: LiveRoom | None, at: float | None = None
) -> Sections:
    """The section of a user's page; `at` is the time of `room` (Unix seconds), None for the present."""
    live = room.user(user_id) if room else None
    user = live.metrics() if live else None
    links: dict[str, Any] = {}
    if live and user:
        by_others = sorted(live.receptions_by_others(), key=_worst_first)
        links = {
            "sends": paged([_sent(user_id, stream, live.servers) for stream in sent(user)], 1, _STREAMS),
            "receives": paged(sorted(live.receptions(), key=_worst_first), 1, _STREAMS),
            "others": paged(by_others, 1, _STREAMS),
            "late_by": live.late_by,
            "two_sdks": live.two_sdks,
            "worst_by_others": worst(one.stream.quality.score for one in by_others),
        }
    html = templates.render(
        "partials/user.html", room_id=room_id, user_id=user_id, user=user, room_is_live=room is not None, at=at, **links
    )
    return {"name": escape(user.user_name or "" if user else ""), "user": compact(html)}


def _sent(user_id: str, stream: StreamMetrics, servers: Sequence[str]) -> Reception:
    return Reception(user_id, "", stream, by_server=stream.reporter_id in servers)


def _worst_first(one: Reception) -> tuple[bool, float]:
    """Rounds scores, so that streams seldom change places."""
    score = one.stream.quality.score
    return score is None, round(score or 0, 1)


class UserSections:
    """Renders the section of a live user once per change of this user: other users of the room change more often."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._fragments = FragmentCache(_MAX_FRAGMENTS)

    def of(self, room_id: str, user_id: str, room: LiveRoom | None, names: str | None = None) -> Sections:
        def render() -> str:
            return user_sections(self._templates, room_id, user_id, room)["user"]

        user = room.user(user_id) if room else None
        version = room is not None, user.version if user else None
        name = escape(user.given.user_name or "" if user else "")
        return {"name": name, "user": self._fragments.fragment((room_id, names, user_id), version, render)}


def user_view(
    rooms: LiveRooms, sections: UserSections, room_id: str, user_id: str, names: Pseudonyms | None = None
) -> PageView:
    """`user_id` is as shown on the page: with `names`, a pseudonym."""

    def render() -> Sections:
        room = hidden_room(rooms.get(room_id), names)
        return sections.of(room_id, user_id, room, names.key if names else None)

    return PageView(("user", room_id, user_id), room_id, render)


class UserPage:
    """`user_id` is as shown on the page: with `names`, a pseudonym; raises NotFound for an unknown one."""

    def __init__(
        self,
        rooms: LiveRooms,
        past: Past,
        timelines: Timelines,
        templates: Templates,
        clock: Clock,
        leave_after: float,
    ) -> None:
        self._rooms = rooms
        self._timelines = timelines
        self._past = past
        self._templates = templates
        self._clock = clock
        self._leave_after = leave_after
        self._sections = UserSections(templates)

    def is_live(self, room_id: str, user_id: str, names: Pseudonyms | None) -> bool:
        room = hidden_room(self._rooms.get(room_id), names)
        return room is not None and room.user(user_id) is not None

    async def view(self, room_id: str, user_id: str, query: UserQuery, names: Pseudonyms | None = None) -> PageView:
        timeline = await self._timelines.of(room_id, query, real_id(user_id, names), names)
        view = user_view(self._rooms, self._sections, room_id, user_id, names)

        def sections() -> Sections:
            room = hidden_room(self._rooms.get(room_id), names)
            return {**view.sections(), "timeline": timeline(room, self._clock())}

        return replace(view, key=("user", room_id, user_id, query.kind, names and names.key), sections=sections)

    async def moment(self, room_id: str, user_id: str, at: float, query: UserQuery, names: Pseudonyms | None) -> Moment:
        timeline = await self._timelines.of(room_id, query, real_id(user_id, names), names)
        key = room_id, user_id, at, names and names.key
        room, moment = await self._past.read(key, lambda: self._moment(room_id, user_id, at, names))
        return replace(moment, sections={**moment.sections, "timeline": timeline(room, at)})

    def _moment(
        self, room_id: str, user_id: str, at: float, names: Pseudonyms | None
    ) -> Steps[tuple[LiveRoom | None, Moment]]:
        room = hidden_room((yield from self._past.room(room_id, at)), names)
        found = room is not None and room.user(user_id) is not None
        sections = user_sections(self._templates, room_id, user_id, room, at)
        return room, Moment(200 if found else 404, sections)

    async def visits(self, room_id: str, user_id: str, query: UserQuery, names: Pseudonyms | None) -> Listed:
        """When the user was in the room."""
        until = self._clock() if query.at is None else query.at
        try:
            visits = await self._past.visits(room_id, real_id(user_id, names), until)
        except StoreError as error:
            return history_unavailable(self._templates, error)
        html = self._templates.render(
            "partials/visits.html",
            room_id=room_id,
            user_id=user_id,
            visits=visits,
            leave_after=self._leave_after,
            now=until,
            VISITS_SHOWN=_VISITS,
        )
        return Listed(html, 200 if visits else 404)


def real_id(user_id: str, names: Pseudonyms | None) -> str:
    """The user shown as `user_id`; raises NotFound where the page shows no such user."""
    return names.id_of(user_id) if names else user_id


def user_routes(page: UserPage, past: Past, pseudonyms: PagePseudonyms, layout: Layout) -> list[HTTPRouteHandler]:
    @route(
        "/rooms/{room_id:str}/users/{user_id:str}",
        http_method=GET,
        before_request=past.redirect,
    )
    async def get_user_page(request: AnyRequest, room_id: FromPath[str], user_id: FromPath[str]) -> Response[str]:
        ids = decode_id("room_id", room_id), decode_id("user_id", user_id)
        query, path = past.query(request), user_path(*ids)
        names = await pseudonyms.of(share_of(request.scope))
        visits = await page.visits(*ids, query, names)
        context: dict[str, Any] = {"room_id": ids[0], "user_id": ids[1], "path": path, "query": query}
        context |= {"visits": visits.html, "kinds": KIND_NAMES}
        if query.at is not None:
            moment = await page.moment(*ids, query.at, query, names)
            return await layout.answer(
                request, "user.html", moment.sections, at=query.at, status=moment.status, **context
            )
        sections = await layout.render(await page.view(*ids, query, names))
        stream, status = query.url(f"{path}/stream"), 200 if page.is_live(*ids, names) else visits.status
        return await layout.answer(request, "user.html", sections, stream=stream, status=status, **context)

    @route("/rooms/{room_id:str}/users/{user_id:str}/visits", http_method=GET)
    async def get_visits(request: AnyRequest, room_id: FromPath[str], user_id: FromPath[str]) -> Response[str]:
        ids = decode_id("room_id", room_id), decode_id("user_id", user_id)
        visits = await page.visits(*ids, past.query(request), await pseudonyms.of(share_of(request.scope)))
        return html_answer(visits.html)

    @route("/rooms/{room_id:str}/users/{user_id:str}/stream", http_method=GET, opt=STREAM)
    async def stream_user_page(request: AnyRequest, room_id: FromPath[str], user_id: FromPath[str]) -> EventStream:
        ids = decode_id("room_id", room_id), decode_id("user_id", user_id)
        query, names = present_query(request.query_params), await pseudonyms.of(share_of(request.scope))
        return layout.stream(request, await page.view(*ids, query, names))

    return [get_user_page, get_visits, stream_user_page]
