"""One line in the log for each request, without possible secrets: query strings, headers, bodies."""

import logging
import re
from time import perf_counter

from litestar.types import ASGIApp, HTTPScope, Message, Receive, Send

from roompulse.printable import printable
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.sse.push import push_channel_of

logger = logging.getLogger(__name__)


_SECRET = re.compile(r"(/shared/[a-z0-9]+)_[^/?]+")
"""The secret in the URL of a shared page: readers of the log must not be able to open the page."""


class AccessLog:
    """ASGI around an application, only with LOG_REQUESTS. A stream is logged at its end."""

    def __init__(self, peers: ClientAddresses) -> None:
        self._peers = peers

    def around(self, app: ASGIApp) -> ASGIApp:
        async def logged(scope: HTTPScope, receive: Receive, send: Send) -> None:
            await self._log(app, scope, receive, send)

        return logged  # type: ignore[return-value]

    async def _log(self, app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send) -> None:
        sent = _Sent(send)
        # Before the application, which may change it.
        method, path, client = scope["method"], scope["raw_path"].decode("latin-1"), self._peers.address(scope)
        channel, started = push_channel_of(scope), perf_counter()
        pushed = channel.written if channel else 0
        try:
            await app(scope, receive, sent.send)
        finally:
            fields = {
                "method": printable(method, 20),
                "path": printable(_SECRET.sub(r"\1…", path)),
                "status": sent.status,
                "ms": round(1000 * (perf_counter() - started), 1),
                "bytes": sent.size + (channel.written - pushed if channel else 0),
                "client": client,
            }
            logger.info("request", extra=fields)


class _Sent:
    """Counts sent bytes. `status` is None for a client that left before the answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None
        self.size = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
        await self._send(message)
