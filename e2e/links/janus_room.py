"""Calls through a real Janus, with the bridge beside it, in pages of examples/janus."""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from playwright.sync_api import BrowserContext, Page
from tests.janus import ROOM, janus
from tests.process import DEADLINE

from e2e.links.relay import Relay

EXAMPLES = Path(__file__).parents[2] / "examples" / "janus"


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def bridge(url: str, *options: str) -> Iterator[str]:
    """Run `roompulse bridge janus`; the URL at which it takes events."""
    command = [sys.executable, "-m", "roompulse", "bridge", "janus", url, "--port", "0", "--interval", "1", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        where = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
        assert where
        yield where[0]
    finally:
        process.terminate()
        assert process.wait(DEADLINE) == 0
        process.stdout.close() if process.stdout else None


class JanusRoom:
    """A room of Janus, with numbered participants."""

    def __init__(self, pages: str, server: str, url: str) -> None:
        self._pages, self._server, self._url = pages, server, url

    def join(self, context: BrowserContext, user: int, link: Relay | None = None) -> Page:
        page = context.new_page()
        if link:
            link.stand_before(page)
        query = f"url={self._server}&janus={self._url}&room={ROOM}&user={user}&interval=1"
        page.goto(f"{self._pages}/index.html?{query}")
        page.wait_for_function("document.title === 'joined'", timeout=1000 * DEADLINE)
        return page


@contextmanager
def janus_room(folder: Path, server: str, options: Sequence[str] = ()) -> Iterator[JanusRoom]:
    """A room with participants and a Janus that report to the roompulse at `server`."""
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(EXAMPLES))) as files,
        bridge(server, *options) as events,
        janus(folder / "janus", events) as url,
    ):
        thread = Thread(target=files.serve_forever)
        thread.start()
        try:
            yield JanusRoom(f"http://127.0.0.1:{files.server_port}", server, url)
        finally:
            files.shutdown()
            thread.join()
