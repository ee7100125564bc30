"""Alerts as an operator works with them in a browser."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.builders import body, network, stream
from tests.server import Server

from e2e.axe import faults
from e2e.conftest import Watch
from e2e.contrast import faint_texts
from e2e.pages import sideways, visit, without_reload
from roompulse.report.model import Entry

RULE: dict[str, Any] = {
    "name": "Bad user",
    "severity": "warning",
    "subject": "user",
    "when": [{"metric": "score", "op": "<", "value": 3.1}],
}


def post(server: Server, loss: float) -> None:
    entries = [Entry("u1", [stream(network=network(packet_loss=loss))])]
    assert server.post(body(metrics=entries)).status_code == 200


def add(server: Server, path: str, content: dict[str, Any]) -> None:
    assert server.request("POST", f"/report/alerts/{path}", json=content).status_code == 201


@pytest.fixture
def bad(server: Server) -> Server:
    """A server with a rule that fires."""
    add(server, "rules", RULE)
    post(server, 20)
    return server


def test_an_alert_arrives_live_and_is_acknowledged_by_keyboard(page: Page, server: Server) -> None:
    add(server, "rules", RULE)
    visit(page, server)
    page.get_by_role("navigation", name="Site").get_by_role("link", name="Alerts").click()
    expect(page.locator("#connection-word")).to_have_text("Live")
    expect(page.locator("#alerts")).to_contain_text("No open alerts")
    with without_reload(page):
        post(server, 20)
        expect(page.locator("#alerts")).to_contain_text("u1 in room-1: score")
    page.get_by_label("Note").fill("on it")
    button = page.get_by_role("button", name="Acknowledge Bad user")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Acknowledged")).to_contain_text("Acknowledged by anonymous")
    expect(page.get_by_role("region", name="Acknowledged")).to_contain_text("on it")
    expect(button).to_have_count(0)


def test_pages_of_rooms_tell_of_it_and_silence_it(page: Page, bad: Server) -> None:
    visit(page, bad)
    expect(page.locator("#alerts-now")).to_have_text("1 warning alert")
    visit(page, bad, "/rooms/room-1")
    expect(page.locator("#room-alerts")).to_contain_text("score")
    page.get_by_role("button", name="Silence 1 h Bad user").click()
    expect(page).to_have_url(re.compile("/rooms/room-1$"))
    expect(page.locator("#room-alerts")).to_contain_text("silenced until")
    with without_reload(page):
        post(bad, 0)
        expect(page.locator("#room-alerts")).to_be_empty()


def test_a_rule_is_previewed_and_saved(page: Page, bad: Server, watch: Watch) -> None:
    watch.allow("status of 400")  # for a rule that is half written
    visit(page, bad, "/alerts")
    page.get_by_role("link", name="Rules, silences, channels").click()
    page.get_by_text("New rule").click()
    form = page.locator("details[open] form.rule-form")
    form.get_by_label("Name").fill("Loss")
    form.get_by_label("Metric").first.select_option(label="packet loss (%)")
    form.locator("[name='op.0']").select_option(">")
    form.get_by_label("Value").first.fill("5")
    form.get_by_label("Value").first.fill("five")
    expect(form.get_by_role("status")).to_contain_text("must be a number, not 'five'")
    form.get_by_label("Value").first.fill("5")
    expect(form.get_by_role("status")).to_contain_text("this would have fired 1 time")
    form.get_by_label("Value").first.fill("50")
    expect(form.get_by_role("status")).to_contain_text("this would have fired 0 times")
    form.get_by_role("button", name="Preview on the last 24 h").click()
    expect(page.locator("#preview")).to_contain_text("this would have fired 0 times")
    page.get_by_role("button", name="Save rule").first.click()
    expect(page.get_by_role("region", name="Rules")).to_contain_text("Loss")


@pytest.mark.parametrize("path", ["/alerts", "/alerts/rules", "/rooms/room-1"])
def test_pages_are_accessible_and_fit_a_phone(page: Page, bad: Server, path: str) -> None:
    add(bad, "channels", {"name": "hook", "kind": "webhook", "url": "https://example.com/hook"})
    visit(page, bad)
    expect(page.locator("#alerts-now")).to_contain_text("alert")
    page.goto(f"{bad.url}{path}")
    for summary in page.locator("table summary").all()[:1]:
        summary.click()
    assert faults(page) == []
    assert faint_texts(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert sideways(page) <= 0


def test_it_is_readable_without_javascript(new_context: Callable[..., BrowserContext], bad: Server) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(f"{bad.url}/alerts")
    expect(page.get_by_role("heading", name="Firing")).to_be_visible()
