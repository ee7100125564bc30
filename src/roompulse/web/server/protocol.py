"""One connection of uvicorn, with bounds that uvicorn 0.54 does not have, and the envelope for what is no HTTP."""

import asyncio
from http import HTTPStatus
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from roompulse.web.http.envelope import failure
from roompulse.web.http.headers import COMMON_HEADERS
from roompulse.web.server.coalescing import CoalescingTransport

KEEP_ALIVE = 75
"""Seconds in which the whole head of a next request must have come: longer than an SDK waits between two reports."""

MAX_HEAD = 65_536
"""Bytes of the target and headers of a request."""

MAX_PIPELINED = 16
"""Requests that wait on a connection for the answer to one before them."""

LINGER = 2
"""Seconds for which what still comes is read and thrown away, once the answer is that it is too much.

A connection that is closed while data comes is reset, and the client may then lose the answer.
"""


_HEADERS = "".join(f"{name}: {value}\r\n" for name, value in COMMON_HEADERS.items())
_MALFORMED = "malformed HTTP/1.1 request"
_TOO_LARGE = f"target and headers of a request have more than {MAX_HEAD} bytes"


class _RefusedError(Exception):
    """Raised in a callback, it ends the parsing."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn stops waiting for a request at its first byte, or never begins to, and takes heads of any length."""

    _heads = 0
    """How many were complete."""

    _head_size = 0
    """Bytes of the one that is not."""

    _received = 0
    """Bytes that came last."""

    _timer: asyncio.TimerHandle | None = None
    _deadline: float | None = None
    """When the connection is closed, by the clock of the loop; the timer may be an earlier one, and then goes on."""

    _reads_head = True
    _refused = False
    _refusal = HTTPStatus.BAD_REQUEST, _MALFORMED

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", CoalescingTransport(transport, self.loop)))
        self._wait(KEEP_ALIVE)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        read_head, heads, self._received = self._reads_head, self._heads, len(data)
        super().data_received(data)
        # The parser tells of a header when it is complete, so of one without end it never would.
        if read_head and self._reads_head and self._heads == heads:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD and not self._refused:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE)

    def on_headers_complete(self) -> None:
        if self._head_size + self._received > MAX_HEAD and self._size_of_head() > MAX_HEAD:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE
            raise _RefusedError
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _RefusedError
        super().on_headers_complete()
        self._deadline = None
        self._heads += 1
        self._head_size, self._reads_head = 0, False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._reads_head = True
        if self.cycle.response_complete:
            self._wait(KEEP_ALIVE)

    def on_response_complete(self) -> None:
        """As uvicorn's, but for a timer that is not made anew for each request."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._wait(LINGER if self.cycle.more_body else KEEP_ALIVE)

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser does not understand; `msg` is uvicorn's word for it."""
        self._refuse(*self._refusal)

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        """Read nothing of this connection any more, answer, and close it."""
        self._refused = True
        if not self._is_answering():
            body = failure(status, message)
            head = f"HTTP/1.1 {status} {status.phrase}\r\n{_HEADERS}Connection: close\r\n"
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
        """Say whether an answer to an earlier request, or to what came of this one, has begun or is to come."""
        if self.cycle is None or (self.cycle.response_complete and not self.cycle.more_body):
            return False
        return not self.cycle.more_body or self.cycle.response_started or bool(self.pipeline)

    def _unsupported_upgrade_warning(self) -> None:
        """A client may ask for another protocol, and is answered in this one (RFC 9110, 7.8)."""

    def _unset_keepalive_if_required(self) -> None:
        """Not at the first byte that comes, as uvicorn has it: here the wait goes on until a head is complete."""

    def _wait(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            self._look_again_at(self._deadline)

    def _look_again_at(self, time: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(time, self._look_at_time)

    def _look_at_time(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        if self.loop.time() >= self._deadline:
            self.timeout_keep_alive_handler()
        else:
            self._look_again_at(self._deadline)
