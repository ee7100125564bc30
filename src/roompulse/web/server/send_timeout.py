"""Connections that wait for readers no longer than SEND_TIMEOUT, and offer themselves to streams as push channels."""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, cast

from roompulse.web.server.protocol import LINGER, BoundedProtocol
from roompulse.web.sse.push import EXTENSION


class SlowReaderProtocol(BoundedProtocol):
    """A client that reads nothing for `send_timeout` seconds is cut off, for any request."""

    send_timeout: ClassVar[float]
    on_cut_off: ClassVar["staticmethod[[], None]"]

    on_writable: Callable[[], object] | None = None
    on_closed: Callable[[], object] | None = None
    written = 0
    _reading: asyncio.TimerHandle | None = None

    def on_headers_complete(self) -> None:
        self.scope["extensions"] = {EXTENSION: cast("Any", self)}
        super().on_headers_complete()

    @property
    def closed(self) -> bool:
        return self.transport.is_closing()

    def write_chunk(self, data: bytes) -> bool:
        if self.transport.is_closing():
            return False
        self.written += len(data)
        self.transport.writelines((b"%x\r\n" % len(data), data, b"\r\n"))
        return not self.flow.write_paused

    def shutdown(self) -> None:
        super().shutdown()
        if self._reading is not None:
            self.loop.call_later(LINGER, self._cut_off)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting_for_reader()
        if self.on_closed:
            self.on_closed()
        if self._answered is not None:
            # uvicorn notifies the newest request, not the one that is being answered while others wait behind it.
            self._answered.disconnected = True
            self._answered.message_event.set()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and self.cycle.more_body:
            # So `receive` returns at once with the received part of a body, and only an incomplete body needs a
            # time-out (web/api/post_report.py).
            self.cycle.message_event.set()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait_for_reader(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_waiting_for_reader()
        if self.on_writable:
            self.on_writable()

    def _wait_for_reader(self, unread: int) -> None:
        self._reading = self.loop.call_later(self.send_timeout, self._check_reader, unread)

    def _check_reader(self, unread: int) -> None:
        still_unread = self.transport.get_write_buffer_size()
        if still_unread < unread:
            self._wait_for_reader(still_unread)
        else:
            self._cut_off()

    def _cut_off(self) -> None:
        self.on_cut_off()
        self.transport.abort()

    def _stop_waiting_for_reader(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
