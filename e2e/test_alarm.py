"""Alerts on other pages: in the header, in the title of the tab, and as notifications of the browser."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.builders import body, network, stream
from tests.server import Server

from e2e.axe import faults
from e2e.pages import HIDEABLE, expect_viewers, hide, look_at, row, sideways, visit
from roompulse.report.model import Entry

RULE: dict[str, Any] = {
    "name": "Bad user",
    "severity": "critical",
    "subject": "user",
    "when": [{"metric": "score", "op": "<", "value": 3.1}],
}

RECORDED = """{
  window.told = [];
  window.tones = 0;
  window.Notification = class extends EventTarget {
    static permission = "default";
    static async requestPermission() { return (Notification.permission = "granted"); }
    constructor(title, options) { super(); told.push(`${title} | ${options.body}`); }
  };
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...at) { window.tones += 1; return start.apply(this, at); };
}"""
"""Notifications and tones are recorded."""


def post(server: Server, loss: float, room_id: str = "room-1") -> None:
    entries = [Entry("u1", [stream(network=network(packet_loss=loss))])]
    assert server.post(body(room_id=room_id, metrics=entries)).status_code == 200


@pytest.fixture
def watched(server: Server) -> Server:
    """A server with a rule for poor users."""
    assert server.request("POST", "/report/alerts/rules", json=RULE).status_code == 201
    return server


def test_every_page_counts_them_in_its_header_and_in_the_title_of_its_tab(page: Page, watched: Server) -> None:
    for path in ("/", "/rooms/room-1", "/rooms/room-1/users/u1", "/alerts", "/ingest"):
        post(watched, 0)
        visit(page, watched, path)
        expect(page.locator("#alerts-firing")).to_be_empty()
        post(watched, 20)
        expect(page.locator("#alerts-firing")).to_contain_text("1 firing")
        title = page.title()
        assert title.startswith("(1 alert"), title
        post(watched, 0)
        expect(page.locator("#alerts-firing")).to_be_empty()


def test_a_room_with_alerts_has_a_badge_and_comes_first_within_its_level(page: Page, watched: Server) -> None:
    post(watched, 30, "a-worse")
    post(watched, 20, "b-better")
    visit(page, watched)
    expect(row(page, "a-worse").locator(".badge")).to_have_text("1 alert")
    alert = watched.get("/report/alerts?room_id=a-worse").json()["data"][0]
    assert alert["path"] == "rooms/a-worse/users/u1"
    watched.request("POST", "/report/alerts/rules", json=RULE | {"name": "Another", "scope": {"room": "b-*"}})
    post(watched, 20, "b-better")
    expect(row(page, "b-better").locator(".badge")).to_have_text("2 alerts")
    assert faults(page) == []


def test_the_browser_tells_of_them_once_it_is_asked_to(page: Page, watched: Server) -> None:
    page.add_init_script(RECORDED)
    visit(page, watched)
    post(watched, 20)
    expect(page.locator("#alerts-firing")).to_contain_text("1 firing")
    assert (page.evaluate("told"), page.evaluate("tones")) == ([], 0)
    page.get_by_role("button", name="View").click()
    page.get_by_label("Notification of the browser").check()
    page.get_by_label("Sound").check()
    page.keyboard.press("Escape")
    assert page.evaluate("tones") == 2  # as a sound check
    post(watched, 20, "room-2")
    expect(page.locator("#alerts-firing")).to_contain_text("2 firing")
    (told,) = page.evaluate("told")
    assert told.startswith("Critical: Bad user | u1 in room-2: score")
    assert page.evaluate("tones") == 4
    page.reload()
    page.get_by_role("button", name="View").click()
    expect(page.get_by_label("Sound")).to_be_checked()
    assert page.evaluate("told") == []  # they fired before


def test_a_page_in_the_background_tells_of_them_too(page: Page, watched: Server) -> None:
    page.add_init_script(HIDEABLE % "false")
    page.add_init_script(RECORDED)
    visit(page, watched)
    page.get_by_role("button", name="View").click()
    page.get_by_label("Notification of the browser").check()
    hide(page)
    expect(page.locator("#connection-word")).to_have_text("In background")
    expect_viewers(watched, 1)
    post(watched, 20)
    expect(page.locator("#alerts-firing")).to_contain_text("1 firing")
    assert len(page.evaluate("told")) == 1
    assert page.locator("#rooms").get_by_role("link", name="room-1").count() == 0  # of nothing else
    look_at(page)
    expect(row(page, "room-1")).to_be_visible()
    assert len(page.evaluate("told")) == 1


def test_the_menu_fits_a_phone_and_is_accessible(new_context: Callable[..., BrowserContext], watched: Server) -> None:
    page = new_context(viewport={"width": 390, "height": 844}).new_page()
    post(watched, 20)
    visit(page, watched)
    expect(page.locator("#alerts-firing")).to_contain_text("1 firing")
    page.get_by_role("button", name="View").click()
    assert faults(page) == []
    assert sideways(page) <= 0
