"""What pages show of earlier times: a moment in the past, the calls in a room, the visits of a user."""

import logging
from collections.abc import Mapping
from math import ceil

from msgspec import Struct
from msgspec.structs import replace

from roompulse.clock import Clock
from roompulse.errors import StoreError
from roompulse.rooms.contract import LiveRoom
from roompulse.store.contract import SessionQuery, SessionStore
from roompulse.store.replay import Replay
from roompulse.web.html.templates import Templates
from roompulse.web.pages.query import EndedQuery, UserQuery
from roompulse.web.pages.room import RoomSections, Rows, snapshot_sections, user_sections

logger = logging.getLogger(__name__)

SESSIONS_SHOWN = 10
VISITS_SHOWN = 10
ENDED_PER_PAGE = 50


class Moment(Struct, frozen=True):
    """The sections of a page as they were at a time, and the HTTP status: 404 where nothing is known of it."""

    status: int
    sections: Mapping[str, str]


class PastPages:
    def __init__(
        self, past: Replay, sessions: SessionStore, templates: Templates, clock: Clock, leave_after: float
    ) -> None:
        self._past = past
        self._sessions = sessions
        self._templates = templates
        self._clock = clock
        self._leave_after = leave_after

    async def room(self, room_id: str, at: float, query: UserQuery) -> Moment:
        if at >= self._past.users_since(self._clock()):
            room = await self._past.room(room_id, at)
            return Moment(200 if room else 404, self._room_sections(room_id, room, query))
        if snapshot := await self._past.snapshot(room_id, at):
            return Moment(200, snapshot_sections(self._templates, room_id, snapshot, query))
        return Moment(404, self._room_sections(room_id, None, query))

    def _room_sections(self, room_id: str, room: LiveRoom | None, query: UserQuery) -> Mapping[str, str]:
        # A past is made for each look at it, and its versions mean nothing to the next one.
        return RoomSections(self._templates).of(room_id, room, query)

    async def user(self, room_id: str, user_id: str, at: float) -> Moment:
        is_kept = at >= self._past.users_since(self._clock())
        room = await self._past.room(room_id, at) if is_kept else None
        found = room is not None and room.user(user_id) is not None
        return Moment(200 if found else 404, user_sections(self._templates, room_id, user_id, room, at))

    async def sessions(self, room_id: str, query: UserQuery) -> str:
        """The newest calls in a room as HTML."""
        try:
            sessions = await self._sessions.of_room(room_id, SESSIONS_SHOWN)
        except StoreError as error:
            return self._unreadable(error)
        return self._templates.render(
            "partials/sessions.html", room_id=room_id, sessions=sessions, query=query, now=self._clock()
        )

    async def visits(self, room_id: str, user_id: str, query: UserQuery) -> str:
        """When a user was in a room, as HTML."""
        until = self._clock() if query.at is None else query.at
        try:
            visits = await self._past.visits(room_id, user_id, until)
        except StoreError as error:
            return self._unreadable(error)
        return self._templates.render(
            "partials/visits.html",
            room_id=room_id,
            user_id=user_id,
            visits=visits,
            leave_after=self._leave_after,
            now=until,
            VISITS_SHOWN=VISITS_SHOWN,
        )

    async def ended(self, query: EndedQuery) -> Rows:
        """One page of the rooms that have ended, the last one where there are fewer; raises StoreError."""
        offset = (query.page - 1) * ENDED_PER_PAGE
        rows, total = await self._sessions.ended(SessionQuery(query.q, query.sort, offset, ENDED_PER_PAGE))
        last = max(1, ceil(total / ENDED_PER_PAGE))
        if query.page > last:
            return await self.ended(replace(query, page=last))
        return Rows(rows, query.page, last, total)

    def _unreadable(self, error: StoreError) -> str:
        logger.error("what was earlier could not be read: %s", error)
        return self._templates.render("partials/unreadable.html")
