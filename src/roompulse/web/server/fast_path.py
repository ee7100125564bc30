"""Reports with a whole body go from the connection to the ingest, and their acknowledgement back, outside ASGI.

A task for each request, its messages and assembling an answer take a third of the time of a report. So uvicorn
parses the request and keeps the order on a connection, but starts no task. All other requests, and LARGE reports,
use ASGI; both paths use the same `Judgement` (web/api/post_report.py).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from roompulse.settings import Settings
from roompulse.web.api.post_report import ACKNOWLEDGEMENT, LARGE, PATH, Answer
from roompulse.web.server.connection_limit import ConnectionLimit
from roompulse.web.server.send_timeout import SlowReaderProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

Take = Callable[[Any, bytes, Answer], None]
"""`Application.take`."""

_RAW_PATH = PATH.encode()


def protocol_class(
    settings: Settings, limit: ConnectionLimit, take: Take, on_cut_off: Callable[[], None]
) -> type[SlowReaderProtocol]:
    """Protocol of a server's connections; `on_cut_off` is called for each client that is cut off."""
    served = {"limit": limit, "send_timeout": settings.send_timeout, "on_cut_off": staticmethod(on_cut_off)}
    if settings.log_requests:  # by the application, around ASGI
        return type("ServedProtocol", (SlowReaderProtocol,), served)
    return type("ServedProtocol", (FastPathProtocol,), served | {"take": staticmethod(take)})


class FastPathProtocol(SlowReaderProtocol):
    take: ClassVar["staticmethod[[Any, bytes, Answer], None]"]

    _parses = False
    _held: "tuple[RequestResponseCycle, ASGI3Application] | None" = None
    """A report whose body may be complete once the received data is parsed."""

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
            (cycle, app), self._held = self._held, None
            self._begin(cycle, app)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        is_report = cycle.scope["raw_path"] == _RAW_PATH and cycle.scope["method"] == "POST"
        if not (is_report and cycle.keep_alive) or self.drains or self.flow.write_paused or cycle.scope["root_path"]:
            super()._start_asgi_task(cycle, app)
        elif not cycle.more_body:
            self._begin(cycle, app)
        elif self._parses:
            self._held = cycle, app
        else:
            super()._start_asgi_task(cycle, app)

    def _begin(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        if len(cycle.body) > LARGE:
            super()._start_asgi_task(cycle, app)
            return

        def answer(refusal: Any) -> None:
            if refusal:
                SlowReaderProtocol._start_asgi_task(self, cycle, refusal)  # noqa: SLF001  (of this very object)
            else:
                self._acknowledge(cycle)

        self.take(cycle.scope, bytes(cycle.body), answer)

    def _acknowledge(self, cycle: RequestResponseCycle) -> None:
        cycle.response_started = cycle.response_complete = True
        cycle.on_response = _nothing  # as uvicorn does at the end of its task: they refer to each other
        if cycle.disconnected or self.transport.is_closing():
            return
        answer = b"HTTP/1.1 200 OK\r\n" + b"".join([b"%b: %b\r\n" % header for header in cycle.default_headers])
        if cycle.keep_alive:
            self.transport.writelines((answer, ACKNOWLEDGEMENT))
        else:  # the server has begun to stop
            self.transport.writelines((answer, b"connection: close\r\n", ACKNOWLEDGEMENT))
            self.transport.close()
        self.on_response_complete()


def _nothing() -> None: ...
