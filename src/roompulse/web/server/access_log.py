"""One line in the log for each request. Never what may hold a secret: query strings, headers, bodies."""

import logging
from time import perf_counter

from litestar.types import ASGIApp, HTTPScope, Message, Receive, Send

from roompulse.printable import printable
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.sse.push import push_channel_of

logger = logging.getLogger(__name__)


class AccessLog:
    """ASGI around an application; it is there only with LOG_REQUESTS. A stream is logged at its end."""

    def __init__(self, app: ASGIApp, peers: ClientAddresses) -> None:
        self._app = app
        self._peers = peers

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        answer = _Answer(send)
        # Before the application, which may change what is in there.
        method, path, client = scope["method"], scope["raw_path"].decode("latin-1"), self._peers.address(scope)
        outlet, started = push_channel_of(scope), perf_counter()
        written = outlet.written
        try:
            await self._app(scope, receive, answer.send)
        finally:
            fields = {
                "method": printable(method, 20),
                "path": printable(path),
                "status": answer.status,
                "ms": round(1000 * (perf_counter() - started), 1),
                "bytes": answer.size + outlet.written - written,
                "client": client,
            }
            logger.info("request", extra=fields)


class _Answer:
    """Counts what is sent. `status` is None for a client that left before there was an answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None
        self.size = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.size += len(message["body"])
        await self._send(message)
