"""The browser of these tests has a camera, a microphone and a screen, and their application an origin of its own."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from tests.server import Server

from e2e.chromium import find_chromium
from e2e.sdk.calls import FAKE_DEVICES, serve_application
from e2e.sdk.examples import serve_examples
from e2e.sdk.worlds import World


@pytest.fixture(scope="package")
def browser(browser: Browser) -> Iterator[Browser]:
    browser = browser.browser_type.launch(executable_path=find_chromium(), args=FAKE_DEVICES)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def application() -> Iterator[str]:
    with serve_application() as origin:
        yield origin


@pytest.fixture
def world(page: Page, application: str) -> World:
    """A page of the application, with the SDK, where getStats(), the network and the time are the test's."""
    return World(page, application)


@pytest.fixture
def examples(server: Server) -> Iterator[str]:
    with serve_examples(server.url) as origin:
        yield origin
