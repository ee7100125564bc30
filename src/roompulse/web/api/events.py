"""GET /report/events/{room_id}: what happened in a room."""

from collections.abc import Sequence
from typing import cast

from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import ASGIApp

from roompulse.errors import BadRequest, NotFound
from roompulse.events.model import KINDS, EventQuery, Kind
from roompulse.events.timeline import Timeline
from roompulse.rooms.contract import LiveRooms
from roompulse.rooms.model import Snapshot
from roompulse.store.contract import HistoryQuery, Store
from roompulse.store.reader import Reader
from roompulse.web.api.history import list_answer, requested_id, requested_limit, requested_span, shown
from roompulse.web.http.routes import GET, AnyRequest
from roompulse.web.http.urls import decode_id


def event_routes(timeline: Timeline, store: Store, reader: Reader, rooms: LiveRooms) -> list[HTTPRouteHandler]:
    async def snapshots(room_id: str) -> Sequence[Snapshot] | None:
        return await reader.result(store.history(HistoryQuery(room_id, limit=1)))

    @route("/report/events/{room_id:str}", http_method=GET)
    async def get_events(request: AnyRequest, room_id: FromPath[str]) -> ASGIApp:
        query = event_query(decode_id("room_id", room_id), request)
        events, _ = await timeline.find(query)
        if not events and rooms.get(query.room_id) is None and await snapshots(query.room_id) is None:
            raise NotFound(f"room_id: the room {query.room_id!r} has no retained history")
        return await list_answer(request, reader, events)

    return [get_events]


def event_query(room_id: str, request: AnyRequest) -> EventQuery:
    """The query parameters; raises BadRequest that names an invalid one."""
    span = requested_span(request)
    return EventQuery(
        room_id, span.start, span.end, requested_id(request, "user_id"), _kind(request), requested_limit(request)
    )


def _kind(request: AnyRequest) -> Kind | None:
    text = request.query_params.get("kind")
    if text is None or text in KINDS:
        return cast("Kind | None", text)
    raise BadRequest(f"kind: must be one of {', '.join(KINDS)}, not {shown(text)}")
