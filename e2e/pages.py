"""Actions of tests on pages."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from playwright.sync_api import Locator, Page, expect
from tests.process import eventually
from tests.server import Server

HIDEABLE = """
  let hidden = %s;
  Object.defineProperty(Document.prototype, "hidden", { get: () => hidden });
  Object.defineProperty(Document.prototype, "visibilityState", { get: () => (hidden ? "hidden" : "visible") });
  document.addEventListener("visibilitychange", (event) => event.isTrusted && event.stopImmediatePropagation());
  window.setHidden = (value) => {
    hidden = value;
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
  };
"""
"""Playwright keeps all tabs visible, so the page is made to believe that it is in the background."""

ALONE = "delete window.SharedWorker;"
"""A browser without SharedWorker, in which each window has a stream of its own."""


def room_path(room_id: str) -> str:
    return f"/rooms/{quote(room_id, safe='')}"


def user_path(room_id: str, user_id: str) -> str:
    return f"{room_path(room_id)}/users/{quote(user_id, safe='')}"


def state(page: Page) -> Locator:
    return page.locator("#connection")


def expect_live(page: Page, timeout: float | None = None) -> None:
    """The page is kept up to date, whether or not its room is live."""
    expect(state(page)).to_have_attribute("data-state", re.compile("live|waiting"), timeout=timeout)


def expect_lost(page: Page, timeout: float | None = None) -> None:
    expect(page.locator("#connection-word")).to_have_text("Disconnected", timeout=timeout)


def gauge(server: Server, name: str) -> int:
    """The value of a gauge without labels of /metrics."""
    lines = server.get("/metrics").text.splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith(f"{name} "))


def expect_viewers(server: Server, count: int) -> None:
    """So many views are watched, by however many windows and connections."""
    assert eventually(lambda: gauge(server, "roompulse_viewers") == count)


def visit(page: Page, server: Server, path: str = "/") -> None:
    page.goto(server.url + path)
    expect_live(page)


def rows(page: Page) -> Locator:
    """The rows of all lists, except the sender/receiver matrix and the calls in a room."""
    return page.locator("table:not(.pairs, #sessions table) > tbody > tr")


def row(page: Page, name: str) -> Locator:
    """The row of a room or a user, by its whole id."""
    return rows(page).filter(has=page.get_by_role("link", name=name, exact=True))


def sideways(page: Page) -> int:
    """Pixels by which the page is wider than the screen."""
    root = "document.documentElement"
    width: int = page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
    return width


@contextmanager
def without_reload(page: Page) -> Iterator[None]:
    """Changes of the open page happen within this context."""
    page.evaluate("window.isTheSame = true")
    yield
    assert page.evaluate("window.isTheSame") is True


def hide(page: Page) -> None:
    page.evaluate("window.setHidden(true)")


def look_at(page: Page) -> None:
    page.evaluate("window.setHidden(false)")


def expect_paused(page: Page, timeout: float | None = None) -> None:
    expect(page.locator("#connection-word")).to_have_text("Paused", timeout=timeout)


def choose(page: Page, name: str) -> None:
    """Choose in the menu of the view, and close it."""
    page.get_by_role("button", name="View").click()
    page.get_by_role("radio", name=name, exact=True).check()
    page.keyboard.press("Escape")
