"""Receives the posts of Janus' HTTP event handler, and reports their content."""

import logging
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Event, Lock, Thread
from typing import Any

from roompulse.bridge.events import events_of
from roompulse.bridge.janus import JanusRooms
from roompulse.client import Reporter

logger = logging.getLogger(__name__)

MAX_BODY = 8 * 2**20
"""Bytes of a request: Janus groups at most 100 events, of some kilobytes each at most."""

MAX_REQUESTS = 32
"""At the same time; Janus has one."""

TIMEOUT = 20.0
"""Seconds in which a part of a request must arrive."""


class Bridge:
    """Janus' rooms, and the reporter that sends about them. Its methods may be called from any thread."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._rooms = JanusRooms()
        self._lock = Lock()
        self._told = False

    def take(self, body: bytes) -> None:
        """Note the events of a request; raises ValueError if there are none in it."""
        found = events_of(body)
        events = [event for event in found if event]
        if len(events) < len(found) and not self._told:
            self._told = True
            logger.warning("Posts that are no events of Janus are ignored; this is logged once.")
        with self._lock:
            left = self._rooms.take(events)
        for report in left:
            self._reporter.send(report)

    def report(self) -> None:
        """Send the changes since the previous call."""
        with self._lock:
            reports = self._rooms.reports()
        for report in reports:
            self._reporter.send(report)


def receiver(host: str, port: int, bridge: Bridge) -> ThreadingHTTPServer:
    """A server that takes events on every path; it listens, and serves once its `serve_forever` is called."""

    class Handler(BaseHTTPRequestHandler):
        timeout = TIMEOUT

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if self.headers.get("Content-Encoding") or not length.isdecimal():
                self.send_error(415, "send Content-Length, and no compression")
            elif int(length[:20]) > MAX_BODY:
                self.send_error(413)
            else:
                self._take(self.rfile.read(int(length)))

        def _take(self, body: bytes) -> None:
            try:
                bridge.take(body)
            except ValueError as error:
                self.send_error(400, str(error).encode("ascii", "replace").decode()[:200])
            else:
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            logger.debug(format, *args)

    return _Server((host, port), Handler)


class _Server(ThreadingHTTPServer):
    """With a bounded number of threads; a connection beyond it is closed."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._places = BoundedSemaphore(MAX_REQUESTS)
        super().__init__(address, handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return self._places.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.debug("a request failed", exc_info=True)


def run(server: ThreadingHTTPServer, bridge: Bridge, interval: float, stopped: Event) -> None:
    """Serve, and report every `interval` seconds, until `stopped` is set."""
    thread = Thread(target=server.serve_forever, name="janus-events")
    thread.start()
    try:
        while not stopped.wait(interval):
            bridge.report()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
