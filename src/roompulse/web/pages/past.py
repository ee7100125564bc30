"""The time that a page shows: as requested by the URL, and as far as its data is retained."""

import logging

from litestar import Response
from litestar.response import Redirect
from msgspec import Struct
from msgspec.structs import replace

from roompulse.clock import Clock
from roompulse.errors import StoreError
from roompulse.rooms.contract import LiveRoom
from roompulse.rooms.model import Snapshot
from roompulse.store.contract import Steps, Visit
from roompulse.store.reader import Reader
from roompulse.store.replay import Replay
from roompulse.web.html.templates import Templates
from roompulse.web.http.routes import AnyRequest
from roompulse.web.pages.query import UserQuery, seconds_ago, user_query
from roompulse.web.pages.view import Sections

logger = logging.getLogger(__name__)


class Moment(Struct, frozen=True):
    """The sections of a page as they were at a time, and the HTTP status: 404 where that time has no data."""

    status: int
    sections: Sections


class Listed(Struct, frozen=True):
    """When a room or user was live, as HTML, and the HTTP status of its page while it is not.

    404 where nothing is retained of it, and 503 where that cannot be read.
    """

    html: str
    status: int


class Past:
    def __init__(self, replay: Replay, reader: Reader, clock: Clock) -> None:
        self.read = reader.shared_result
        self._replay = replay
        self._clock = clock

    def query(self, request: AnyRequest) -> UserQuery:
        """The time in the URL; a time that is not in the past is the present."""
        query = user_query(request.query_params)
        return replace(query, at=None) if query.at is not None and query.at > self._clock() else query

    def redirect(self, request: AnyRequest) -> Response[None] | None:
        """Redirect from `?ago=SECONDS` to the time that it stands for, whose URL can be shared."""
        if (ago := seconds_ago(request.query_params)) is None:
            return None
        query = replace(user_query(request.query_params), at=max(0.0, self._clock() - ago))
        return Redirect(query.url(request.scope["path"]), status_code=303)

    def has_users(self, at: float) -> bool:
        """Whether samples of users are retained for this time; totals of rooms are kept for longer."""
        return at >= self._replay.users_since(self._clock())

    def room(self, room_id: str, at: float) -> Steps[LiveRoom | None]:
        """The room as it was; None where it was not live, or the samples of its users have expired."""
        return (yield from self._replay.room(room_id, at)) if self.has_users(at) else None

    def totals(self, room_id: str, at: float) -> Steps[Snapshot | None]:
        return self._replay.snapshot(room_id, at)

    async def visits(self, room_id: str, user_id: str, until: float) -> list[Visit]:
        return await self._replay.visits(room_id, user_id, until)


def history_unavailable(templates: Templates, error: StoreError) -> Listed:
    """Replaces a part of a page that cannot be read, so that the rest of the page is still answered."""
    logger.error("history could not be read: %s", error)
    return Listed(templates.render("partials/unreadable.html"), 503)
