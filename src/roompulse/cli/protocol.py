"""HTTP on one connection: by uvicorn, which by itself waits for ever for a request, and for its answer to be read."""

import asyncio
from typing import TYPE_CHECKING, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from roompulse.settings import Settings

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application


def bounded_protocol(settings: Settings) -> type[asyncio.Protocol]:
    class Bounded(BoundedProtocol):
        body_timeout = settings.body_timeout
        send_timeout = settings.send_timeout

    return Bounded


class BoundedProtocol(HttpToolsProtocol):
    """Cuts off whoever sends a request too slowly, or reads nothing of an answer for too long.

    A request must be whole `body_timeout` seconds after its beginning, and the first one so long after the connection.
    """

    body_timeout: ClassVar[float]
    send_timeout: ClassVar[float]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._whole = False
        self._answered: RequestResponseCycle | None = None
        self._receiving: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None
        self._await_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._whole and self._is_answering():
            # Nearly every request comes in one piece, and costs no timer.
            _cancel(self._receiving)
            self._receiving = None
            return
        self._await_request()
        if self.cycle is not None:
            # The application hears at once that there is more to come, and need not wait to hear it.
            self.cycle.message_event.set()

    def on_message_begin(self) -> None:
        self._whole = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self._whole = True
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def _is_answering(self) -> bool:
        return self._answered is not None and not self._answered.response_complete

    def _await_request(self) -> None:
        if self._receiving is None:
            self._receiving = self.loop.call_later(self.body_timeout, self._on_slow_request)

    def _on_slow_request(self) -> None:
        self._receiving = None
        if self._is_answering():
            self._await_request()  # whoever reads a body has a time-out of its own, and answers 408
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reading(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        _cancel(self._sending)

    def _await_reading(self, unread: int) -> None:
        self._sending = self.loop.call_later(self.send_timeout, self._on_slow_reading, unread)

    def _on_slow_reading(self, unread: int) -> None:
        still_unread = self.transport.get_write_buffer_size()
        if still_unread < unread:
            self._await_reading(still_unread)
        else:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._answered is not None:
            # uvicorn tells the newest request, not the one that is being answered while others wait behind it.
            self._answered.disconnected = True
            self._answered.message_event.set()
        _cancel(self._receiving)
        _cancel(self._sending)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
