"""Server-sent event streams. Never a redirect and never 204: htmx 4 would ask again twice a second for ever."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from anyio import Event
from litestar import route
from litestar.connection import ASGIConnection
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec.structs import replace
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError

from roompulse.access.gate import Gate
from roompulse.access.model import Caller
from roompulse.clock import Clock
from roompulse.hub.contract import Hub, View
from roompulse.hub.mailbox import Mailbox
from roompulse.ingest import Ingest
from roompulse.meters import Meters
from roompulse.settings import Settings
from roompulse.web.answers import GET
from roompulse.web.events import HEARTBEAT, SEPARATOR, event
from roompulse.web.guard import STREAM, caller_of
from roompulse.web.intake import IntakePage
from roompulse.web.notice import Notice
from roompulse.web.overview import Overview
from roompulse.web.paths import decode_id
from roompulse.web.peers import Peers
from roompulse.web.problems import AnyRequest
from roompulse.web.query import IntakeQuery, page_number, rooms_query, user_query
from roompulse.web.viewers import AddressViewers
from roompulse.web.views import PageView, Views

logger = logging.getLogger(__name__)

GOODBYE = event("the server is going away", name="bye")
DENIED = event("the key is not valid any more", name="denied")
SIGNED_OUT = event("sign in to go on", name="signed-out")


class Streams:
    """What streams share: where they come from, and how many there may be."""

    def __init__(self, hub: Hub, peers: Peers, gate: Gate, meters: Meters, settings: Settings, clock: Clock) -> None:
        self.hub = hub
        self.gate = gate
        self.meters = meters
        self.clock = clock
        self.send_timeout = settings.send_timeout
        self._peers = peers
        self._viewers = AddressViewers(settings.max_address_viewers)

    @contextmanager
    def subscribe(self, view: View, scope: Any, caller: Caller) -> Iterator[Mailbox]:
        """A place for one viewer; raises Unavailable or TooManyRequests where there is none."""
        with (
            self._viewers.place(self._peers.address(scope)),
            self.hub.subscribe(view) as mailbox,
            self.gate.present.stay(caller, mailbox.close),
        ):
            yield mailbox


class Stream:
    """An ASGI response that subscribes to the hub when it starts, and unsubscribes however it ends.

    It ends when who asked for it is not let in any more.
    """

    def __init__(self, streams: Streams, view: View) -> None:
        self._streams = streams
        self._view = view

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        caller = caller_of(ASGIConnection(scope))
        with self._streams.subscribe(self._view, scope, caller) as mailbox:
            response = EventSourceResponse(
                self._events(mailbox, caller),
                ping=HEARTBEAT,
                ping_message_factory=self._ping,
                sep=SEPARATOR,
                send_timeout=self._streams.send_timeout,
                # The hub closes its mailboxes as soon as the server is told to stop. This is how long sse-starlette,
                # which notices by itself, leaves a stream to send what is in there.
                shutdown_event=Event(),
                shutdown_grace_period=2,
            )
            try:
                await response(scope, receive, send)
            except SendTimeoutError:
                self._streams.meters.readers_dropped.inc()
                logger.info("a viewer that did not read for %g s was dropped", self._streams.send_timeout)

    async def _events(self, mailbox: Mailbox, caller: Caller) -> AsyncIterator[bytes]:
        # The first event says at once that the stream is open, and what the server's time is.
        yield self._ping().encode()
        while (frames := await mailbox.take()) is not None:
            yield frames
        if self._streams.gate.admits(caller):
            yield GOODBYE
        else:
            yield DENIED if isinstance(caller.proof, str) else SIGNED_OUT

    def _ping(self) -> ServerSentEvent:
        return ServerSentEvent(str(self._streams.clock()), event="ping", sep=SEPARATOR)


def stream_routes(
    streams: Streams, overview: Overview, views: Views, intake: IntakePage, notice: Notice, ingest: Ingest
) -> list[HTTPRouteHandler]:
    def stream(view: View) -> Stream:
        ingest.expire()
        return Stream(streams, view)

    def page(view: PageView) -> Stream:
        return stream(notice.above(view))

    @route("/report/stream/{room_id:str}", http_method=GET)
    async def stream_room_json(room_id: FromPath[str]) -> Stream:
        return stream(views.room_json(decode_id("room_id", room_id)))

    @route("/stream", http_method=GET, opt=STREAM)
    async def stream_rooms_page(request: AnyRequest) -> Stream:
        return page(overview.view(rooms_query(request.query_params)))

    @route("/ingest/stream", http_method=GET, opt=STREAM)
    async def stream_intake_page(request: AnyRequest) -> Stream:
        return page(intake.view(IntakeQuery(page=page_number(request.query_params))))

    @route("/rooms/{room_id:str}/stream", http_method=GET, opt=STREAM)
    async def stream_room_page(request: AnyRequest, room_id: FromPath[str]) -> Stream:
        # A page of the past has no stream: what comes here is of the present.
        query = replace(user_query(request.query_params), at=None)
        return page(views.room(decode_id("room_id", room_id), query))

    @route("/rooms/{room_id:str}/users/{user_id:str}/stream", http_method=GET, opt=STREAM)
    async def stream_user_page(room_id: FromPath[str], user_id: FromPath[str]) -> Stream:
        return page(views.user(decode_id("room_id", room_id), decode_id("user_id", user_id)))

    return [stream_room_json, stream_rooms_page, stream_intake_page, stream_room_page, stream_user_page]
