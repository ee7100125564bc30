"""Calls in the browser: found by keyboard, their report, and a page shared with a reader without a sign-in."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.builders import body, network, stream
from tests.process import eventually
from tests.server import Server

from e2e import axe
from e2e.pages import expect_live, visit
from roompulse.report.model import Device, Entry

BAD = stream(network=network(packet_loss=12))


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Iterator[Server]:
    """An ended call in `ended`, of Ann, with poor quality, and a live one in `live`, of Bo."""
    with make_server(SNAPSHOT_INTERVAL=0.5, LEAVE_AFTER=1, EVENT_HOLD=0.2).running() as server:
        ann = Entry("u1", [BAD], device=Device(browser="Chrome 136"), user_name="Ann Smith")

        def is_noted() -> bool:
            """Until users are sampled, which is every 10 s."""
            assert server.post(body(room_id="ended", room_name="Stand-up", metrics=[ann])).status_code == 200
            return "Stand-up" in server.get("/calls?q=smith").text

        eventually(is_noted)
        eventually(lambda: all(one["ended_at"] for one in server.get("/report/calls").json()["data"]["calls"]))
        yield server


def go_on(server: Server) -> None:
    bo = Entry("u2", [stream()], user_name="Bo Li")
    assert server.post(body(user_id="u2", room_id="live", metrics=[bo])).status_code == 200


def test_a_call_is_found_and_its_report_opened_by_keyboard(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/calls")
    page.keyboard.press("/")
    page.keyboard.type("smith")
    expect(page).to_have_url(f"{server.url}/calls?q=smith")
    expect(page.get_by_role("searchbox")).to_be_focused()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator(".sessions tbody tr")).to_have_count(1)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("ended")
    expect(page.locator(".call-text")).to_contain_text("The call in Stand-up (ended) lasted from")
    expect(page.locator(".call-users tbody tr")).to_have_count(1)


def test_the_report_of_a_call_has_no_fault(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/calls")
    page.get_by_role("link", name="ended", exact=True).click()
    expect(page.locator(".call-text")).to_be_visible()
    assert axe.faults(page) == []


@pytest.mark.chromium
def test_the_report_of_a_big_call_is_printed_on_two_pages(page: Page, make_server: Callable[..., Server]) -> None:
    with make_server(EVENT_HOLD=0.2).running() as server:
        for number in range(60):
            one = Entry(f"user-{number}", [BAD], device=Device(browser="Chrome 136"), user_name=f"Person {number}")
            server.post(body(user_id=one.user_id, room_id="big", metrics=[one]))
        (call,) = eventually(lambda: server.get("/report/calls/big").json()["data"]["calls"])
        path = f"/calls/big/{call['started_at']}"
        assert eventually(lambda: "poor" in server.get(path).text and len(scored(server, path)) == 60)
        page.goto(f"{server.url}{path}")
        expect(page.locator(".call-users tbody tr")).to_have_count(40)
        printed = page.pdf(format="A4")
        assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 2


def scored(server: Server, path: str) -> list[str]:
    """The users in a report with a known score."""
    users = server.get(f"/report{path}").json()["data"]["users"]
    return [user["user_id"] for user in users if user["score"] is not None]


def test_a_search_on_the_start_page_finds_users_live_and_gone(page: Page, make_server: Callable[..., Server]) -> None:
    with make_server().running() as server:
        go_on(server)
        visit(page, server, "/?q=li")
        expect(page.locator("#found-users tbody tr")).to_have_count(1)
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("live")
        page.close()


def test_tiles_open_the_users_of_a_level(page: Page, make_server: Callable[..., Server]) -> None:
    with make_server().running() as server:
        server.post(body(metrics=[Entry("u1", [BAD])]))
        visit(page, server, "/")
        page.locator(".totals").get_by_role("link", name="1 user").click()
        expect_live(page)
        expect(page.locator("#found-users tbody tr")).to_have_count(1)
        server.post(body(user_id="u2", metrics=[Entry("u2", [BAD])]))
        expect(page.locator("#found-users tbody tr")).to_have_count(2)
        page.close()


def test_a_shared_page_is_live_in_a_fresh_browser_until_it_is_revoked(
    browser: Browser, make_server: Callable[..., Server]
) -> None:
    with make_server().running() as server:
        go_on(server)
        made = server.request("POST", "/report/shares", json={"path": "/rooms/live", "expires_in": 3600})
        share = made.json()["data"]
        context = browser.new_context()
        guest = context.new_page()
        guest.goto(share["url"])
        expect_live(guest)
        server.post(body(user_id="u3", room_id="live", metrics=[Entry("u3", [stream()])]))
        expect(guest.locator("#users tbody tr")).to_have_count(2)
        server.request("DELETE", f"/report/shares/{share['id']}")
        expect(guest.locator("#connection")).not_to_have_attribute("data-state", re.compile("live"))
        assert guest.goto(share["url"]).status == 404  # type: ignore[union-attr]
        context.close()


def test_a_shared_page_that_hides_its_users_is_live_and_names_nobody(
    browser: Browser, make_server: Callable[..., Server]
) -> None:
    with make_server().running() as server:
        go_on(server)
        content = {"path": "/rooms/live", "expires_in": 3600, "hide_ids": True}
        share = server.request("POST", "/report/shares", json=content).json()["data"]
        context = browser.new_context()
        guest = context.new_page()
        guest.goto(share["url"])
        expect_live(guest)
        expect(guest.locator("#users tbody tr")).to_have_count(1)
        server.post(body(user_id="zoe", room_id="live", metrics=[Entry("zoe", [BAD], user_name="Zoe Lee")]))
        expect(guest.locator("#users tbody tr")).to_have_count(2)
        expect(guest.locator("#users tbody th").first).to_have_text("user 2")
        expect(guest.locator("#timeline")).to_contain_text("user 2 joined")
        whole = guest.content()
        assert not [word for word in ("zoe", "Zoe Lee", "u2", "Bo") if re.search(rf"\b{word}\b", whole)]
        assert axe.faults(guest) == []
        context.close()


def test_so_is_that_of_a_user_with_its_charts(browser: Browser, make_server: Callable[..., Server]) -> None:
    with make_server().running() as server:
        go_on(server)
        content = {"path": "/rooms/live/users/u2", "expires_in": 3600, "hide_ids": True}
        share = server.request("POST", "/report/shares", json=content).json()["data"]
        context = browser.new_context()
        guest = context.new_page()
        guest.goto(share["url"])
        expect_live(guest)
        expect(guest.locator("h1")).to_have_text("user 1")
        expect(guest.locator(".headline .level")).to_have_text("good")
        expect(guest.locator("#charted")).to_contain_text("camera")
        server.post(body(user_id="u2", room_id="live", metrics=[Entry("u2", [BAD], user_name="Bo Li")]))
        expect(guest.locator(".headline .level")).to_have_text("poor")
        expect(guest.locator("#charts .key b").first).to_have_text(re.compile(r"\d"))
        assert not re.search(r"\bu2\b|Bo Li", guest.content())
        context.close()
