"""Insights and trends as an operator works with them in a browser."""

import re
import time

import pytest
from playwright.sync_api import Page, expect
from tests.builders import body, network, stream
from tests.server import Server

from e2e.axe import faults
from e2e.contrast import faint_texts
from e2e.pages import sideways, visit, without_reload
from roompulse.report.model import Device, Entry

BAD = "3.0.0-beta.2"
SENTENCE = f"SDK version {BAD}: 100 % of user-minutes poor against 0 % of the others, 20 users, mostly loss"


def crowd(server: Server) -> None:
    """Sixty users, twenty of them with a bad version."""
    for number in range(60):
        bad = number % 3 == 0
        own = Entry(
            f"user-{number}", [stream(network=network(packet_loss=12 if bad else 0.3))], Device(browser="Chrome")
        )
        content = body(
            user_id=f"user-{number}",
            metrics=[own],
            sdk_version=BAD if bad else "1.2.0",
            report_time=int(time.time()),
            labels={"region": "eu" if number % 2 else "us"},
        )
        assert server.post(content).status_code == 200


@pytest.fixture
def looked_at(page: Page, server: Server) -> Server:
    """A server after their first minute: the page has it live."""
    crowd(server)
    visit(page, server, "/insights")
    deadline = time.monotonic() + 130
    with without_reload(page):
        while not page.get_by_text(SENTENCE).count() and time.monotonic() < deadline:
            crowd(server)
            page.wait_for_timeout(2_000)
    expect(page.locator("#findings")).to_contain_text(SENTENCE)
    return server


@pytest.mark.slow
def test_what_is_worse_arrives_live_and_leads_to_its_users_by_keyboard(page: Page, looked_at: Server) -> None:
    link = page.get_by_role("link", name=SENTENCE)
    link.focus()
    page.keyboard.press("Enter")
    users = page.get_by_role("region", name="Users of the group")
    expect(users.get_by_role("link", name="user-0", exact=True)).to_be_visible()
    expect(users.get_by_role("row")).to_have_count(21)
    page.get_by_role("navigation", name="Group by").get_by_role("link", name="Label region").click()
    expect(page.get_by_role("region", name="Groups by Label region").get_by_role("row")).to_have_count(3)
    page.get_by_label("Range").select_option("1 h")
    page.get_by_role("button", name="Apply").press("Enter")
    expect(page.locator("#connection-word")).to_have_text("As of")
    expect(page.locator("#findings")).to_contain_text(SENTENCE)
    for path in ("/insights", f"/insights?value={BAD}", f"/insights?range=24h&value={BAD}", "/?trends=1h"):
        page.goto(looked_at.url + path)
        expect(page.locator("#connection-word")).to_have_text(re.compile("Live|As of"))
        assert faults(page) == []
        assert faint_texts(page) == []
        for width in (1400, 1024, 800, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert not sideways(page)
    trends(page, looked_at)


def trends(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 1400, "height": 900})
    visit(page, server)
    section = page.locator("#trends")
    section.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(section.locator("svg")).to_have_count(3)
    expect(section).to_contain_text("server started")
    section.get_by_role("link", name="24 h").press("Enter")
    expect(section.get_by_role("link", name="24 h")).to_have_attribute("aria-current", "true")
    expect(section.get_by_role("link", name="24 h")).to_be_focused()
    page.reload()
    expect(section.get_by_role("link", name="24 h")).to_have_attribute("aria-current", "true")
    section.locator("summary").click()
    page.reload()
    expect(section.locator("svg")).to_have_count(0)


def test_an_empty_server_says_what_will_be_there(page: Page, server: Server) -> None:
    visit(page, server, "/insights")
    expect(page.get_by_role("heading", name="No data in this time range")).to_be_visible()
    expect(page.get_by_role("navigation", name="Site").get_by_role("link", name="Insights")).to_have_attribute(
        "aria-current", re.compile("page")
    )
    assert faults(page) == []
