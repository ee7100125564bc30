"""Server-sent event streams. Never a redirect and never 204: htmx 4 would ask again twice a second for ever."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from litestar import route
from litestar.connection import ASGIConnection
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from sse_starlette import EventSourceResponse

from roompulse.access.model import Caller
from roompulse.access.registry import AccessRegistry
from roompulse.clock import Clock
from roompulse.hub.contract import Hub, View
from roompulse.hub.mailbox import Mailbox
from roompulse.ingest import Ingest
from roompulse.settings import Settings
from roompulse.web.api.live_rooms import GET
from roompulse.web.http.authentication import caller_of
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.urls import decode_id
from roompulse.web.pages.views import Views
from roompulse.web.sse.events import HEARTBEAT, event
from roompulse.web.sse.multiplex import Multiplexer
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
    def subscribe(self, views: Sequence[View], scope: Any, caller: Caller) -> Iterator[Mailbox | Multiplexer]:
        """A place for one viewer of each view; raises Unavailable or TooManyRequests where there is none."""
        address = self._peers.address(scope)
        with ExitStack() as places:
            mailboxes = []
            for view in views:
                places.enter_context(self._viewers.place(address))
                mailboxes.append(places.enter_context(self.hub.subscribe(view)))
            mailbox = mailboxes[0] if len(mailboxes) == 1 else Multiplexer(mailboxes)
            places.enter_context(self.registry.open_sessions.hold(caller, mailbox.close))
            yield mailbox


class EventStream:
    """An ASGI response that subscribes to the hub when it starts, and unsubscribes however it ends.

    It ends when who asked for it is not let in any more.
    """

    def __init__(self, streams: EventStreams, *views: View) -> None:
        self._streams = streams
        self._views = views

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        caller = caller_of(ASGIConnection(scope))
        with self._streams.subscribe(self._views, scope, caller) as mailbox:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            if scope["method"] != "HEAD":
                # The first event says at once that the stream is open, and what the server's time is.
                await send({"type": "http.response.body", "body": self._ping(), "more_body": True})
                await self._deliver(mailbox, push_channel_of(scope), receive)
            await send({"type": "http.response.body", "body": self._last(caller), "more_body": False})

    async def _deliver(self, mailbox: Mailbox | Multiplexer, outlet: PushChannel, receive: Any) -> None:
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
    def _beating(self, mailbox: Mailbox | Multiplexer) -> Iterator[None]:
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


def stream_routes(streams: EventStreams, views: Views, ingest: Ingest) -> list[HTTPRouteHandler]:
    @route("/report/stream/{room_id:str}", http_method=GET)
    async def stream_room_json(room_id: FromPath[str]) -> EventStream:
        ingest.expire()
        return EventStream(streams, views.room_json(decode_id("room_id", room_id)))

    return [stream_room_json]
