"""Operators sign in, and an open page shows the end of the session instead of retrying for ever."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect
from tests.builders import REFERENCE
from tests.operators import COOKIE, PASSWORD, WRONG_PASSWORD, secret_of
from tests.server import Server

from e2e.conftest import NETWORK_FAULTS, Watch
from e2e.operators import enter, expect_signed_out, operated, sign_in, sign_out
from e2e.pages import HIDEABLE, expect_live, hide, look_at, row, state

ROOM = "/rooms/room-1?q=u"


@pytest.fixture(autouse=True)
def _refusals_are_expected(watch: Watch) -> None:
    watch.allow(NETWORK_FAULTS)


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Iterator[Server]:
    with operated(make_server) as server:
        server.post(REFERENCE)
        yield server


@pytest.fixture
def signed_in(context: BrowserContext, server: Server) -> None:
    """Ada is signed in, without the page for it: to check a password takes as long as two pages."""
    context.add_cookies([{"name": COOKIE, "value": secret_of("ada"), "url": server.url}])


def open_page(context: BrowserContext, server: Server, path: str = ROOM) -> Page:
    """A live page with a signed-in operator."""
    page = context.new_page()
    page.goto(server.url + path)
    expect_live(page)
    return page


def streams_of(page: Page) -> list[str]:
    """Grows with each stream that the page requests."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/stream" in request.url:
            asked.append(request.url)

    page.on("request", note)
    return asked


def test_signing_in_by_keyboard_leads_to_the_page_that_was_asked_for(page: Page, server: Server) -> None:
    page.goto(server.url + ROOM)
    assert page.url == f"{server.url}/sign-in?next=/rooms/room-1%3Fq%3Du"
    sign_in(page, password=WRONG_PASSWORD)
    expect(page.get_by_role("alert")).to_have_text("Wrong name or password.")
    expect(page.get_by_label("Name")).to_have_value("ada")
    expect(page.get_by_label("Password")).to_be_focused()
    enter(page, PASSWORD)
    expect_live(page)
    assert page.url == server.url + ROOM
    expect(row(page, "u1")).to_be_visible()
    expect(page.locator(".account summary")).to_have_text("ada")


@pytest.mark.usefixtures("alone", "signed_in")
def test_signing_out_in_another_tab_is_said_and_asked_about_no_more(context: BrowserContext, server: Server) -> None:
    page = context.new_page()
    page.clock.install()
    page.goto(server.url + ROOM)
    expect_live(page)
    asked = streams_of(page)
    sign_out(open_page(context, server, "/"))
    expect_signed_out(page)
    expect(page.locator("body")).to_have_class("out-of-date")
    expect(row(page, "u1")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    expect(page.locator(".account")).to_be_hidden()
    page.clock.run_for(120_000)
    expect_signed_out(page)
    assert asked == []


@pytest.mark.usefixtures("signed_in")
def test_the_page_leads_to_where_to_sign_in_and_from_there_back(context: BrowserContext, server: Server) -> None:
    page = open_page(context, server)
    sign_out(open_page(context, server, "/"), "Sign out everywhere")
    expect_signed_out(page)
    state(page).get_by_role("link", name="Sign in").click()
    sign_in(page, "bob")
    expect_live(page)
    assert page.url == server.url + ROOM
    expect(page.locator(".account summary")).to_have_text("bob")


@pytest.mark.usefixtures("signed_in")
def test_a_page_comes_back_when_somebody_signs_in_in_another_tab(context: BrowserContext, server: Server) -> None:
    page, other = open_page(context, server), open_page(context, server, "/")
    sign_out(other)
    expect_signed_out(page)
    sign_in(other, "bob")
    expect_live(other)
    expect_live(page)
    expect(page.locator(".account summary")).to_have_text("bob")


@pytest.mark.usefixtures("alone", "signed_in")
def test_a_page_looks_again_when_it_is_looked_at(context: BrowserContext, server: Server) -> None:
    page = context.new_page()
    page.add_init_script(HIDEABLE % "false")
    page.goto(server.url + ROOM)
    expect_live(page)
    other = context.new_page()
    other.goto(f"{server.url}/calls")
    sign_out(other)
    expect_signed_out(page)
    asked = streams_of(page)
    hide(page)
    with page.expect_response(re.compile("/stream")) as answer:
        look_at(page)
    assert answer.value.status == 401
    expect_signed_out(page)
    assert len(asked) == 1
    other.goto(f"{server.url}/calls")
    sign_in(other)
    expect(other.locator("#connection-word")).to_have_text("As of")  # a page without a stream, which notifies no tab
    expect_signed_out(page)
    hide(page)
    look_at(page)
    expect_live(page)


@pytest.mark.usefixtures("signed_in")
def test_a_page_in_the_background_says_so_when_it_is_looked_at(context: BrowserContext, server: Server) -> None:
    page = context.new_page()
    page.add_init_script(HIDEABLE % "false")
    page.goto(server.url + ROOM)
    expect_live(page)
    hide(page)
    sign_out(open_page(context, server, "/"))
    look_at(page)
    expect_signed_out(page)


@pytest.mark.usefixtures("alone")
def test_a_sign_in_that_expires_is_said(page: Page, make_server: Callable[..., Server]) -> None:
    with operated(make_server, SESSION_LIFETIME=4) as server:
        page.clock.install()
        page.goto(server.url)
        sign_in(page)
        expect_live(page)
        asked = streams_of(page)
        expect_signed_out(page)
        page.clock.run_for(60_000)
        assert asked == []
        page.close()


@pytest.mark.usefixtures("alone", "signed_in")
@pytest.mark.parametrize("status", [401, 403])
def test_a_stream_that_is_refused_is_not_asked_for_again(context: BrowserContext, server: Server, status: int) -> None:
    open_page(context, server, "/").close()
    page = context.new_page()
    page.clock.install()
    asked = streams_of(page)
    page.route("**/stream*", lambda route: route.fulfill(status=status))
    page.goto(server.url + ROOM)
    expect_signed_out(page)
    page.clock.run_for(60_000)
    assert len(asked) == 1


@pytest.mark.usefixtures("signed_in")
def test_parts_of_a_page_that_are_refused_say_so_too(context: BrowserContext, server: Server) -> None:
    page = open_page(context, server)
    page.route("**/sessions*", lambda route: route.fulfill(status=401))
    page.evaluate("document.dispatchEvent(new Event('page:history'))")
    expect_signed_out(page)


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("live", [True, False])
def test_charts_that_are_refused_say_so_too(context: BrowserContext, server: Server, live: bool) -> None:  # noqa: FBT001
    page = open_page(context, server)
    if not live:
        page.get_by_role("button", name="Freeze now").click()
        expect(state(page)).to_have_attribute("data-state", "past")
    page.route("**/report/history/**", lambda route: route.fulfill(status=401))
    page.get_by_role("button", name="1 h", exact=True).last.click()
    expect_signed_out(page)
    link = state(page).get_by_role("link", name="Sign in")
    back = "q" if live else ".*at"
    expect(link).to_have_attribute("href", re.compile(rf"^sign-in\?next=%2Frooms%2Froom-1%3F{back}"))


@pytest.mark.chromium  # the context's JavaScript can be turned off
def test_without_javascript_one_signs_in_and_out(new_context: Callable[..., BrowserContext], server: Server) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(server.url + ROOM)
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(row(page, "u1")).to_be_visible()
    sign_out(page)
    page.goto(server.url + ROOM)
    assert "/sign-in" in page.url


def test_without_https_and_not_on_this_machine_forms_are_taken(
    page: Page, make_server: Callable[..., Server], watch: Watch
) -> None:
    watch.allow("to another host|Cross-Origin-Opener-Policy header has been ignored")
    with operated(make_server, ALLOWED_HOSTS="office.test") as server:
        page.goto(f"http://office.test:{server.port}/")
        with page.expect_request(re.compile("/sign-in")) as sent:
            sign_in(page)
        assert "sec-fetch-site" not in sent.value.all_headers(), "such a page has nothing but its Origin"
        expect_live(page)
        page.close()


@pytest.mark.usefixtures("signed_in")
def test_a_wall_shows_nothing_of_it_but_the_state(context: BrowserContext, server: Server) -> None:
    page = open_page(context, server, "/?wall=1")
    expect(page.locator(".account")).to_be_hidden()
    other = open_page(context, server, "/")
    sign_out(other)
    expect_signed_out(page)


@pytest.mark.usefixtures("signed_in")
def test_the_menu_closes_by_a_click_elsewhere_and_by_escape(context: BrowserContext, server: Server) -> None:
    page = open_page(context, server)
    menu = page.get_by_role("button", name="Sign out", exact=True)
    summary = page.locator(".account summary")
    summary.click()
    expect(menu).to_be_visible()
    page.get_by_role("heading", level=1).click()
    expect(menu).to_be_hidden()
    summary.focus()
    page.keyboard.press("Enter")
    expect(menu).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(summary).to_be_focused()


@pytest.mark.usefixtures("signed_in")
def test_an_admin_adds_an_operator_who_signs_in_and_removes_it(
    context: BrowserContext, new_context: Callable[..., BrowserContext], server: Server
) -> None:
    page = open_page(context, server)
    page.locator(".account summary").click()
    page.get_by_role("link", name="Access").click()
    page.get_by_label("New operator").fill("eve")
    page.get_by_role("button", name="Add operator").click()
    password = page.locator(".secret code").inner_text()
    other = new_context().new_page()
    other.goto(server.url)
    sign_in(other, "eve", password)
    expect_live(other)
    expect(other.get_by_role("link", name="Access")).to_have_count(0)
    eve = page.locator("tbody tr").filter(has=page.get_by_role("rowheader", name="eve", exact=True))
    eve.locator("summary").click()
    eve.get_by_role("button", name="Remove").click()
    expect(eve).to_have_count(0)
    expect_signed_out(other)
