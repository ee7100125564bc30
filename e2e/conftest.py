"""A real browser in front of the real server."""

import asyncio
import os
import re
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    expect,
    sync_playwright,
)
from tests.conftest import (
    make_server,
    postgres_url,
    pytest_collection_finish,
    pytest_collection_modifyitems,
    server,
)

from e2e import firefox
from e2e.chromium import ARGUMENTS, find_chromium
from e2e.pages import ALONE

__all__ = ["make_server", "postgres_url", "pytest_collection_finish", "pytest_collection_modifyitems", "server"]

DEADLINE = 60_000
"""Milliseconds after which a test stops waiting for a page, even on a busy machine."""

expect.set_options(timeout=DEADLINE)

NETWORK_FAULTS = r"net::ERR_|Failed to load resource|htmx:(sse:)?error"
"""Messages of a browser and htmx on the console while the server is down."""


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in another thread: Playwright's event loop runs in this one."""
    with ThreadPoolExecutor() as threads:
        threads.submit(asyncio.run, coroutine).result()


class Watch:
    """Fails on browser errors, requests to other hosts, and two streams of one page at a time."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._streams: dict[Page, list[Request]] = {}
        self._contexts: list[BrowserContext] = []
        self._allowed: list[str] = []

    def allow(self, pattern: str) -> None:
        """Allow a test to cause expected faults."""
        self._allowed.append(pattern)

    def context(self, context: BrowserContext) -> None:
        self._contexts.append(context)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.faults.append(f"uncaught: {error.error}"))
        context.on("request", self._on_request)
        context.on("requestfinished", self._on_end)
        context.on("requestfailed", self._on_end)

    def stop(self) -> None:
        """Close everything, before the server goes away and pages complain about it."""
        while self._contexts:
            self._contexts.pop().close()

    def open_streams(self) -> int:
        return sum(len(streams) for page, streams in self._streams.items() if not page.is_closed())

    def unforgiven(self) -> list[str]:
        return [fault for fault in self.faults if not any(re.search(pattern, fault) for pattern in self._allowed)]

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not re.match(r"https?://127\.0\.0\.1:\d+/|data:|blob:", request.url):
            self.faults.append(f"request to another host: {request.url}")
        if request.resource_type == "fetch" and urlsplit(request.url).path.endswith("/stream"):
            streams = self._streams.setdefault(request.frame.page, [])
            streams.append(request)
            if len(streams) > 1:
                self.faults.append(f"{len(streams)} streams at a time: {request.url}")

    def _on_end(self, request: Request) -> None:
        for streams in self._streams.values():
            if request in streams:
                streams.remove(request)


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    # Not for the whole session: Playwright's event loop would be in the way of the async tests.
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium, or Firefox for `make browsers`."""
    if os.environ.get("ROOMPULSE_BROWSER") == "firefox":
        browser = firefox.launch(playwright)
    else:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Function) -> None:
    watch = item.funcargs.get("watch")
    if isinstance(watch, Watch):
        watch.stop()


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    assert watch.unforgiven() == []


@pytest.fixture
def new_context(browser: Browser, watch: Watch) -> Callable[..., BrowserContext]:
    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(**options)
        context.set_default_timeout(DEADLINE)
        watch.context(context)
        return context

    return make


@pytest.fixture
def context(new_context: Callable[..., BrowserContext]) -> BrowserContext:
    return new_context()


@pytest.fixture
def alone(context: BrowserContext) -> None:
    """Windows share no connection, as without SharedWorker: requests of a worker are invisible to tests."""
    context.add_init_script(ALONE)


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page in which any error fails the test."""
    return context.new_page()
