"""uvicorn's protocol with bounds that uvicorn 0.54 does not have, and the envelope for malformed HTTP.

tests/unit/web/test_uvicorn.py has hashes of all methods overridden or relied on here and in send_timeout.py.
"""

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from roompulse.errors import Problem
from roompulse.web.http.envelope import failure
from roompulse.web.http.headers import COMMON_HEADERS
from roompulse.web.server.coalescing import CoalescingTransport
from roompulse.web.server.connection_limit import MAX_LINGERING, ConnectionLimit

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

KEEP_ALIVE = 75
"""Seconds until the next request on a connection begins: longer than an SDK waits between two reports."""

HEAD_TIMEOUT = 10
"""Seconds until the first request begins, and from the first byte of a head until it is complete."""

MAX_HEAD = 65_536
"""Bytes of the target and headers of a request."""

MAX_PIPELINED = 16
"""Requests that wait on a connection for an earlier answer."""

LINGER = 2
"""Seconds in which the rest of a rejected request is read and discarded.

A connection that is closed while data arrives is reset, and the client may then lose the answer.
"""

_HEADERS = "".join(f"{name}: {value}\r\n" for name, value in COMMON_HEADERS.items())
_MALFORMED = "malformed HTTP/1.1 request"
_TOO_LARGE = f"target and headers of a request have more than {MAX_HEAD} bytes"


class _RefusedError(Exception):
    """Raised in a callback, it ends the parsing."""


class BoundedProtocol(HttpToolsProtocol):
    """A limit on connections, a deadline for each request head, a limit on its size, and one on pipelined requests."""

    limit: ClassVar[ConnectionLimit]

    drains = False
    """Whether the next answer is the last one on this connection."""

    _address: str | None = None
    """Of the client, where the connection counts."""

    _heads = 0
    """Complete request heads so far."""

    _head_size = 0
    """Bytes of the head that is not complete."""

    _received = 0
    """Bytes of the last piece."""

    _answered: RequestResponseCycle | None = None
    """The request that is being answered, or was last."""

    _timer: asyncio.TimerHandle | None = None
    _deadline: float | None = None
    """When the connection is closed, by the clock of the loop; the timer may be due earlier, and is then set again."""

    _reads_head = True
    _refused = False
    _refusal = HTTPStatus.BAD_REQUEST, _MALFORMED

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", CoalescingTransport(transport, self.loop)))
        self._wait(HEAD_TIMEOUT)
        address = self.client[0] if self.client else ""
        try:
            self.limit.enter(address)
            self._address = address
        except Problem as problem:
            self._turn_away(problem)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._address is not None:
            self.limit.leave(self._address)
        self.limit.lingering.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        read_head, heads, self._received = self._reads_head, self._heads, len(data)
        super().data_received(data)
        # The parser reports a header once it is complete, so it would never report an endless one.
        if read_head and self._reads_head and self._heads == heads:
            is_first_piece, self._head_size = not self._head_size, self._head_size + len(data)
            if is_first_piece and self._deadline is not None and not self._refused:
                self._wait(HEAD_TIMEOUT)
            if self._head_size > MAX_HEAD and not self._refused:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE)

    def on_headers_complete(self) -> None:
        if self._head_size + self._received > MAX_HEAD and self._size_of_head() > MAX_HEAD:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE
            raise _RefusedError
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _RefusedError
        super().on_headers_complete()
        if not self.pipeline:
            self._answered = self.cycle
        self._deadline = None
        self._heads += 1
        self._head_size, self._reads_head = 0, False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        if self.drains:
            cycle.keep_alive = False
        super()._start_asgi_task(cycle, app)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._reads_head = True
        if self.cycle.response_complete:
            self._wait_for_head()

    def on_response_complete(self) -> None:
        """As uvicorn's, except that no timer is made for each request."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._answered, app = self.pipeline.pop()
            self._start_asgi_task(self._answered, app)
        elif self.cycle.more_body:
            self._wait(LINGER)
        else:
            self._wait_for_head()

    def _wait_for_head(self) -> None:
        self._wait(HEAD_TIMEOUT if self._head_size else KEEP_ALIVE)

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def send_400_response(self, msg: str) -> None:
        """Answer a request that the parser rejects; `msg` is uvicorn's text, which is not used."""
        self._refuse(*self._refusal)

    def _turn_away(self, problem: Problem) -> None:
        """Refuse a connection over the limit."""
        if len(self.limit.lingering) >= MAX_LINGERING:
            self._refused = True
            self.transport.abort()
        else:
            self.limit.lingering.add(self)
            self._refuse(HTTPStatus(problem.status), problem.message, f"Retry-After: {problem.retry_after}\r\n")

    def _refuse(self, status: HTTPStatus, message: str, headers: str = "") -> None:
        """Stop reading from this connection, answer, and close it."""
        self._refused = True
        if not self._is_answering():
            body = failure(status, message)
            head = f"HTTP/1.1 {status} {status.phrase}\r\n{_HEADERS}{headers}Connection: close\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            self.transport.write(head.encode() + body)
            self.transport.write_eof()
            self._wait(LINGER)
        elif self.cycle.more_body:
            self.transport.close()
        else:
            # Requests before this one are answered first, and uvicorn closes after the last of them.
            self.cycle.keep_alive = False

    def _is_answering(self) -> bool:
        """Whether an answer to an earlier request, or to the part of this one that arrived, is pending."""
        if self.cycle is None or (self.cycle.response_complete and not self.cycle.more_body):
            return False
        return not self.cycle.more_body or self.cycle.response_started or bool(self.pipeline)

    def _unsupported_upgrade_warning(self) -> None:
        """A request to switch protocols is answered in this one (RFC 9110, 7.8)."""

    def _wait(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            self._set_timer(self._deadline)

    def _set_timer(self, time: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(time, self._timer_due)

    def _timer_due(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        if self.loop.time() >= self._deadline:
            self.timeout_keep_alive_handler()
        else:
            self._set_timer(self._deadline)
