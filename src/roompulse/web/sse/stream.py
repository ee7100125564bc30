"""Server-sent event streams. Never a redirect and never 204: htmx 4 would reconnect twice a second without end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any

import anyio
from litestar.connection import ASGIConnection
from sse_starlette import EventSourceResponse
from sse_starlette.sse import AppStatus, SendTimeoutError

from roompulse.access.model import Caller
from roompulse.access.registry import AccessRegistry
from roompulse.clock import Clock
from roompulse.hub.contract import Hub, View
from roompulse.meters import Meters
from roompulse.settings import Settings
from roompulse.web.http.authentication import caller_of
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.sse.events import HEARTBEAT, SEPARATOR, event
from roompulse.web.sse.multiplex import AnyMailbox, Multiplexer
from roompulse.web.sse.push import PushChannel, push_channel_of
from roompulse.web.sse.viewer_limit import ViewerLimit

GOODBYE = event("the server is shutting down", name="bye")
DENIED = event("the key is no longer valid", name="denied")
SIGNED_OUT = event("sign in to continue", name="signed-out")

_HEADERS = EventSourceResponse(iter(())).raw_headers

GRACE = 3.0
"""Seconds in which a stream ends by itself, with a last event, once sse-starlette detects the server's stop."""

_LAST_EVENT_TIMEOUT = 1.0
"""Seconds for the last event of a stream that the server cancels."""


class EventStreams:
    """What all streams share: the hub, the limits on viewers, and the end of the server."""

    def __init__(
        self,
        hub: Hub,
        peers: ClientAddresses,
        registry: AccessRegistry,
        meters: Meters,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self.hub = hub
        self.registry = registry
        self.clock = clock
        self.send_timeout = settings.send_timeout
        self.server_stops = anyio.Event()
        self._peers = peers
        self._viewers = ViewerLimit(settings.max_address_viewers, settings.max_address_views)
        self._meters = meters

    def subscribe(self, views: Sequence[View], scope: Any, caller: Caller, places: ExitStack) -> AnyMailbox:
        """A place for one viewer of each view, until `places` are closed.

        Raises Unavailable or TooManyRequests where one is not free.
        """
        address = self._peers.address(scope)
        mailboxes = []
        for view in views:
            places.enter_context(self._viewers.place(address, view.key))
            mailboxes.append(places.enter_context(self.hub.subscribe(view)))
        mailbox = mailboxes[0] if len(mailboxes) == 1 else Multiplexer(mailboxes)
        places.enter_context(self.registry.open_sessions.hold(caller, mailbox.close))
        return mailbox

    async def close_with_server(self) -> None:
        """Close the hub as soon as a stream detects the server's stop; runs as long as the application does.

        Servers end the lifespan of an application after its requests, so a stream would keep them waiting.
        """
        # sse-starlette's flag belongs to the process, and stays set by an earlier server in it.
        AppStatus.should_exit = False
        await self.server_stops.wait()
        self.hub.close()

    def reader_dropped(self) -> None:
        self._meters.readers_dropped.inc()

    def ping(self) -> bytes:
        return event(str(self.clock()), name="ping")


class EventStream:
    """An ASGI response that subscribes to the hub when it starts, and unsubscribes at any end.

    It ends with a last event when the server stops, or the caller is no longer admitted.
    """

    def __init__(self, streams: EventStreams, *views: View) -> None:
        self._streams = streams
        self._views = views

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Raises Unavailable or TooManyRequests over a limit on viewers."""
        streams, caller, channel = self._streams, caller_of(ASGIConnection(scope)), push_channel_of(scope)
        with ExitStack() as places:
            mailbox = streams.subscribe(self._views, scope, caller, places)
            heartbeat = _Heartbeat(mailbox, streams.ping)
            try:
                if channel and scope["method"] != "HEAD":
                    await self._push(mailbox, channel, send)
                    await send({"type": "http.response.body", "body": self._last(caller), "more_body": False})
                else:
                    await self._response(mailbox, caller)(scope, receive, send)
            except SendTimeoutError:
                streams.reader_dropped()
            except asyncio.CancelledError:
                # hypercorn cancels streams when it stops, without a notice before.
                await self._send_last(send, caller)
                raise
            finally:
                heartbeat.cancel()

    async def _push(self, mailbox: AnyMailbox, channel: PushChannel, send: Any) -> None:
        """Begin the stream by ASGI, then let the mailbox write to the connection until either has ended."""
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": self._streams.ping(), "more_body": True})
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def end() -> None:
            if not ended.done():
                ended.set_result(None)

        channel.on_writable, channel.on_closed = mailbox.ready, end
        try:
            mailbox.open(channel.write_chunk, end)
            if not (mailbox.ended or channel.closed):
                await ended
        finally:
            channel.on_writable = channel.on_closed = None

    def _response(self, mailbox: AnyMailbox, caller: Caller) -> EventSourceResponse:
        response = EventSourceResponse(
            self._events(mailbox, caller),
            ping=0,  # its comment lines are invisible to htmx: the heartbeat has data
            sep=SEPARATOR,
            send_timeout=self._streams.send_timeout,
            shutdown_event=self._streams.server_stops,
            shutdown_grace_period=GRACE,
        )
        response.raw_headers = _HEADERS  # shared, which is half a kilobyte less for each viewer
        return response

    async def _events(self, mailbox: AnyMailbox, caller: Caller) -> AsyncIterator[bytes]:
        # The first event shows that the stream is open, and has the server's time.
        yield self._streams.ping()
        async for frames in _pulled(mailbox):
            yield frames
        yield self._last(caller)

    async def _send_last(self, send: Any, caller: Caller) -> None:
        with suppress(Exception):
            async with asyncio.timeout(_LAST_EVENT_TIMEOUT):
                await send({"type": "http.response.body", "body": self._last(caller), "more_body": False})

    def _last(self, caller: Caller) -> bytes:
        if self._streams.registry.admits(caller):
            return GOODBYE
        return DENIED if isinstance(caller.proof, str) else SIGNED_OUT


class _Heartbeat:
    """Puts a `ping` into a mailbox every HEARTBEAT seconds."""

    __slots__ = ("_mailbox", "_ping", "_timer")

    def __init__(self, mailbox: AnyMailbox, ping: Callable[[], bytes]) -> None:
        self._mailbox = mailbox
        self._ping = ping
        self._timer = asyncio.get_running_loop().call_later(HEARTBEAT, self._beat)

    def _beat(self) -> None:
        self._mailbox.put({"ping": self._ping()})
        self._timer = asyncio.get_running_loop().call_later(HEARTBEAT, self._beat)

    def cancel(self) -> None:
        self._timer.cancel()


async def _pulled(mailbox: AnyMailbox) -> AsyncIterator[bytes]:
    """The mailbox's frames until its end, each once the previous one is sent."""
    arrived = asyncio.Event()
    pending: list[bytes] = []

    def deliver(frames: bytes) -> bool:
        pending.append(frames)
        arrived.set()
        return False

    mailbox.open(deliver, arrived.set)
    while pending or not mailbox.ended:
        if pending:
            yield pending.pop()
            mailbox.ready()
        else:
            await arrived.wait()
            arrived.clear()
