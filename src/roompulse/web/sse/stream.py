"""Server-sent event streams. Never a redirect and never 204: htmx 4 would ask again twice a second for ever."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from litestar import route
from litestar.connection import ASGIConnection
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec.structs import replace
from sse_starlette import EventSourceResponse

from roompulse.access.model import Caller
from roompulse.access.registry import AccessRegistry
from roompulse.clock import Clock
from roompulse.hub.contract import Hub, View
from roompulse.hub.mailbox import Mailbox
from roompulse.ingest import Ingest
from roompulse.rooms.contract import LiveRooms
from roompulse.settings import Settings
from roompulse.web.api.stream import RoomJsonView
from roompulse.web.http.authentication import STREAM, caller_of
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.problems import AnyRequest
from roompulse.web.http.routes import GET
from roompulse.web.http.urls import decode_id
from roompulse.web.pages.database_notice import DatabaseNotice
from roompulse.web.pages.ingest_health import IngestHealthPage
from roompulse.web.pages.query import IntakeQuery, page_number, rooms_query, user_query
from roompulse.web.pages.room import RoomPage
from roompulse.web.pages.rooms import RoomsPage
from roompulse.web.pages.user import UserPage
from roompulse.web.pages.view import PageView
from roompulse.web.sse.events import HEARTBEAT, event
from roompulse.web.sse.push import PushChannel, push_channel_of
from roompulse.web.sse.viewer_limit import ViewerLimit

_HEADERS = EventSourceResponse(iter(())).raw_headers

GOODBYE = event("the server is going away", name="bye")
DENIED = event("the key is not valid any more", name="denied")
SIGNED_OUT = event("sign in to go on", name="signed-out")


class EventStreams:
    """What streams share: where they come from, and how many there may be."""

    def __init__(
        self, hub: Hub, peers: ClientAddresses, registry: AccessRegistry, settings: Settings, clock: Clock
    ) -> None:
        self.hub = hub
        self.registry = registry
        self.clock = clock
        self._peers = peers
        self._viewers = ViewerLimit(settings.max_address_viewers)

    @contextmanager
    def subscribe(self, view: View, scope: Any, caller: Caller) -> Iterator[Mailbox]:
        """A place for one viewer; raises Unavailable or TooManyRequests where there is none."""
        with (
            self._viewers.place(self._peers.address(scope)),
            self.hub.subscribe(view) as mailbox,
            self.registry.open_sessions.hold(caller, mailbox.close),
        ):
            yield mailbox


class EventStream:
    """An ASGI response that subscribes to the hub when it starts, and unsubscribes however it ends.

    It ends when who asked for it is not let in any more.
    """

    def __init__(self, streams: EventStreams, view: View) -> None:
        self._streams = streams
        self._view = view

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        caller = caller_of(ASGIConnection(scope))
        with self._streams.subscribe(self._view, scope, caller) as mailbox:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            if scope["method"] != "HEAD":
                # The first event says at once that the stream is open, and what the server's time is.
                await send({"type": "http.response.body", "body": self._ping(), "more_body": True})
                await self._deliver(mailbox, push_channel_of(scope), receive)
            await send({"type": "http.response.body", "body": self._last(caller), "more_body": False})

    async def _deliver(self, mailbox: Mailbox, outlet: PushChannel, receive: Any) -> None:
        """Return when the mailbox has come to its end, or the client has left."""
        with self._beating(mailbox):
            outlet.on_writable = mailbox.ready
            try:
                mailbox.open(outlet.write_chunk, outlet.wake)
                while not mailbox.ended and (await receive())["type"] != "http.disconnect":
                    pass
            finally:
                outlet.on_writable = None

    @contextmanager
    def _beating(self, mailbox: Mailbox) -> Iterator[None]:
        """Until the context ends, put a heartbeat into the mailbox from time to time."""
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle

        def beat() -> None:
            nonlocal timer
            mailbox.put({"ping": self._ping()})
            timer = loop.call_later(HEARTBEAT, beat)

        timer = loop.call_later(HEARTBEAT, beat)
        try:
            yield
        finally:
            timer.cancel()

    def _last(self, caller: Caller) -> bytes:
        if self._streams.registry.admits(caller):
            return GOODBYE
        return DENIED if isinstance(caller.proof, str) else SIGNED_OUT

    def _ping(self) -> bytes:
        return event(str(self._streams.clock()), name="ping")


def stream_routes(
    streams: EventStreams,
    rooms_page: RoomsPage,
    room_page: RoomPage,
    user_page: UserPage,
    intake: IngestHealthPage,
    notice: DatabaseNotice,
    ingest: Ingest,
    rooms: LiveRooms,
    epoch: str,
) -> list[HTTPRouteHandler]:
    def stream(view: View) -> EventStream:
        ingest.expire()
        return EventStream(streams, view)

    def page(view: PageView) -> EventStream:
        return stream(notice.above(view))

    @route("/report/stream/{room_id:str}", http_method=GET)
    async def stream_room_json(room_id: FromPath[str]) -> EventStream:
        return stream(RoomJsonView(rooms, decode_id("room_id", room_id), epoch))

    @route("/stream", http_method=GET, opt=STREAM)
    async def stream_rooms_page(request: AnyRequest) -> EventStream:
        return page(rooms_page.view(rooms_query(request.query_params)))

    @route("/ingest/stream", http_method=GET, opt=STREAM)
    async def stream_intake_page(request: AnyRequest) -> EventStream:
        return page(intake.view(IntakeQuery(page=page_number(request.query_params))))

    @route("/rooms/{room_id:str}/stream", http_method=GET, opt=STREAM)
    async def stream_room_page(request: AnyRequest, room_id: FromPath[str]) -> EventStream:
        # A page of the past has no stream: what comes here is of the present.
        query = replace(user_query(request.query_params), at=None)
        return page(room_page.view(decode_id("room_id", room_id), query))

    @route("/rooms/{room_id:str}/users/{user_id:str}/stream", http_method=GET, opt=STREAM)
    async def stream_user_page(room_id: FromPath[str], user_id: FromPath[str]) -> EventStream:
        return page(user_page.view(decode_id("room_id", room_id), decode_id("user_id", user_id)))

    return [stream_room_json, stream_rooms_page, stream_intake_page, stream_room_page, stream_user_page]
