"""One connection of uvicorn, with bounds that uvicorn 0.54 does not have, and the envelope for what is no HTTP."""

import asyncio
from http import HTTPStatus
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from roompulse.report.envelope import failure
from roompulse.web.headers import COMMON_HEADERS
from roompulse.web.writing import OnePiece

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
_MALFORMED = "this is no HTTP/1.1 request"
_TOO_LARGE = f"target and headers of a request have more than {MAX_HEAD} bytes"


class _RefusedError(Exception):
    """Raised in a callback, it ends the parsing."""


class Connection(HttpToolsProtocol):
    """uvicorn stops waiting for a request at its first byte, or never begins to, and takes heads of any length."""

    _heads = 0
    """How many were complete."""

    _head_size = 0
    """Bytes of the one that is not."""

    _reads_head = True
    _refused = False
    _refusal = HTTPStatus.BAD_REQUEST, _MALFORMED

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", OnePiece(transport, self.loop)))
        self._wait(KEEP_ALIVE)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        read_head, heads = self._reads_head, self._heads
        super().data_received(data)
        # The parser tells of a header when it is complete, so of one without end it never would.
        if read_head and self._reads_head and self._heads == heads:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD and not self._refused:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE)

    def on_headers_complete(self) -> None:
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE
            raise _RefusedError
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _RefusedError
        super().on_headers_complete()
        self._stop_waiting()
        self._heads += 1
        self._head_size, self._reads_head = 0, False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._reads_head = True
        if self.cycle.response_complete:
            self._wait(KEEP_ALIVE)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self._wait(LINGER)

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
        self._stop_waiting()
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _stop_waiting(self) -> None:
        super()._unset_keepalive_if_required()
