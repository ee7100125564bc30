"""Reports that come whole go from the connection to the ingest, and the acknowledgement back, past ASGI.

A task, its messages and an answer that is put together anew take a third of the time of a report. So uvicorn reads and
parses it and keeps the order of requests, but starts no task for it. What is not whole, or goes otherwise than nearly
all of them go, is for ASGI as everything else.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from roompulse.settings import Settings
from roompulse.web.api.post_report import ACKNOWLEDGEMENT, PATH, Answer
from roompulse.web.server.send_timeout import SlowReaderProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

Take = Callable[[Any, bytes, Answer], None]
"""The application's `take`: scope and body of a report, and what to call with its answer."""


def connection_class(settings: Settings, take: Take, on_cut_off: Callable[[], None]) -> type[SlowReaderProtocol]:
    """Connections of a server; `on_cut_off` is called for each client that is cut off since it did not read."""
    if settings.log_requests:  # which is done around ASGI
        return type("Served", (SlowReaderProtocol,), _served(settings, on_cut_off))
    return type("Served", (FastPathProtocol,), _served(settings, on_cut_off) | {"take": staticmethod(take)})


def _served(settings: Settings, on_cut_off: Callable[[], None]) -> dict[str, Any]:
    return {"send_timeout": settings.send_timeout, "on_cut_off": staticmethod(on_cut_off)}


class FastPathProtocol(SlowReaderProtocol):
    take: ClassVar["staticmethod[[Any, bytes, Answer], None]"]

    _parses = False
    _held: "tuple[RequestResponseCycle, ASGI3Application] | None" = None
    """A report whose body may be whole as soon as what has come is parsed."""

    def data_received(self, data: bytes) -> None:
        self._parses = True
        super().data_received(data)
        self._parses = False
        if self._held:
            held, self._held = self._held, None
            super()._start_asgi_task(*held)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._held:
            (cycle, _), self._held = self._held, None
            self._begin(cycle)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        is_report = cycle.scope["path"] == PATH and cycle.scope["method"] == "POST"
        goes_direct = is_report and cycle.keep_alive and not self.flow.write_paused
        if goes_direct and not cycle.more_body:
            self._begin(cycle)
        elif goes_direct and self._parses:
            self._held = cycle, app
        else:
            super()._start_asgi_task(cycle, app)

    def _begin(self, cycle: RequestResponseCycle) -> None:
        self._answered = cycle

        def answer(refusal: Any) -> None:
            if refusal:
                SlowReaderProtocol._start_asgi_task(self, cycle, refusal)  # noqa: SLF001  (of this very object)
            else:
                self._acknowledge(cycle)

        self.take(cycle.scope, bytes(cycle.body), answer)

    def _acknowledge(self, cycle: RequestResponseCycle) -> None:
        cycle.response_started = cycle.response_complete = True
        cycle.on_response = _nothing  # as uvicorn does at the end of its task: they hold each other
        if cycle.disconnected or self.transport.is_closing():
            return
        answer = b"HTTP/1.1 200 OK\r\n" + b"".join([b"%b: %b\r\n" % header for header in cycle.default_headers])
        if cycle.keep_alive:
            self.transport.writelines((answer, ACKNOWLEDGEMENT))
        else:  # the server is told to stop
            self.transport.writelines((answer, b"connection: close\r\n", ACKNOWLEDGEMENT))
            self.transport.close()
        self.on_response_complete()


def _nothing() -> None: ...
