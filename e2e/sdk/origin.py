"""An application on an origin of its own, which is not that of roompulse."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def served_by(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve by this handler, and yield the origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as application:
        thread = threading.Thread(target=application.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{application.server_port}"
        finally:
            application.shutdown()
            thread.join()
