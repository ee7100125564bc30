"""The page /ingest, as the author of an SDK sees it while it posts."""

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect
from tests.builders import body
from tests.server import Server

from e2e.pages import rows, sideways, visit, without_reload
from e2e.scenes import odd_intake

UP = body(sdk_version="ios 0.9-beta").replace(b'"send"', b'"up"')
REASON = "$.metrics[].streams[].direction: must be send or recv, not …"


def test_a_refused_report_arrives_live_and_is_counted(page: Page, server: Server) -> None:
    visit(page, server)
    page.get_by_role("navigation", name="Site").get_by_role("link", name="Ingest").click()
    expect(page.locator("main")).to_contain_text("No reports in the last 15 minutes")
    expect(page.locator("#connection-word")).to_have_text("Live")
    with without_reload(page):
        assert server.post(UP).status_code == 400
        refusal = page.locator(".refusals tbody tr")
        expect(refusal).to_contain_text(REASON)
        expect(refusal).to_contain_text("must be send or recv, not 'up'")
        expect(refusal.locator("td").nth(1)).to_have_text("1")
        server.post(UP)
        expect(refusal.locator("td").nth(1)).to_have_text("2")
        expect(page.locator(".tile").filter(has_text="Reports rejected")).to_contain_text("2")


def test_a_version_leads_to_what_is_odd_about_it(page: Page, server: Server) -> None:
    for report in odd_intake():
        server.post(report)
    visit(page, server, "/ingest")
    expect(rows(page).first).to_contain_text("5 suspicious units")
    page.get_by_role("link", name="ios 0.9-beta").click()
    section = page.get_by_role("region", name="Issues in ios 0.9-beta")
    expect(section).to_be_in_viewport()
    expect(section).to_contain_text("is it sent as a fraction? It must be in percent.")
    assert page.url.endswith("#sdk-ios%200.9-beta")


def test_what_was_opened_stays_open_as_reports_come(page: Page, server: Server) -> None:
    server.post(body())
    visit(page, server, "/ingest")
    page.get_by_text("What these figures mean").click()
    for _ in range(2):
        server.post(UP)
    expect(page.locator(".refusals")).to_contain_text(REASON)
    expect(page.get_by_text("same room, reporter and report_time")).to_be_visible()


def test_it_is_readable_without_javascript(new_context: Callable[..., BrowserContext], server: Server) -> None:
    server.post(UP)
    page = new_context(java_script_enabled=False).new_page()
    page.goto(f"{server.url}/ingest")
    expect(page.locator(".refusals")).to_contain_text(REASON)
    expect(page.locator("#connection")).to_contain_text("Not live")
    expect(page.locator(".versions")).to_contain_text(re.compile(r"\d\d:\d\d:\d\d UTC"))


def test_on_a_phone_nothing_is_beside_the_screen(new_context: Callable[..., BrowserContext], server: Server) -> None:
    for report in odd_intake():
        server.post(report)
    server.post(body(sdk_version="x" * 64, report_time=0))
    page = new_context(viewport={"width": 390, "height": 844}).new_page()
    visit(page, server, "/ingest")
    expect(page.locator(".versions")).to_contain_text("x" * 64)
    assert sideways(page) == 0
