"""Servers with operators' sign-in, and their actions there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page, expect
from tests.operators import PASSWORD, add_operators
from tests.server import Server

from e2e.conftest import run
from roompulse.settings import Settings


@contextmanager
def operated(make_server: Callable[..., Server], **settings: Any) -> Iterator[Server]:
    """A running server that has an admin (ada) and a viewer (bob)."""
    server = make_server(**settings)
    run(add_operators(Settings(data=server.data), ada="admin", bob="viewer"))
    with server.running():
        yield server


def sign_in(page: Page, name: str = "ada", password: str = PASSWORD) -> None:
    """On the page to sign in, where the cursor is in the field for the name."""
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    enter(page, password)


def enter(page: Page, password: str) -> None:
    """Where the cursor is in the field for the password. To check one takes its time."""
    page.keyboard.type(password)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def sign_out(page: Page, button: str = "Sign out") -> None:
    page.locator(".account summary").click()
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def expect_signed_out(page: Page, timeout: float | None = None) -> None:
    expect(page.locator("#connection-word")).to_have_text("Signed out", timeout=timeout)
