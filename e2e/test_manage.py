"""Operators' actions besides alerts, by keyboard: share, edit notes, erase. Pages have no fault at any width."""

import re
import time

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.builders import body, network, stream
from tests.process import eventually
from tests.server import Server

from e2e import axe
from e2e.contrast import faint_texts
from e2e.pages import expect_live, room_path, sideways, visit
from roompulse.report.model import Entry

ROOM = "planning"
WIDTHS = (1400, 1024, 800, 390)


def report(server: Server, user_id: str = "ann") -> None:
    entries = [Entry(user_id, [stream(network=network(packet_loss=12))], user_name="Ann Smith")]
    content = body(user_id=user_id, room_id=ROOM, metrics=entries, report_time=int(time.time()))
    assert server.post(content).status_code == 200


def assert_no_fault(page: Page) -> None:
    assert axe.faults(page) == []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert not sideways(page), width
        assert faint_texts(page) == []
    page.set_viewport_size({"width": 1400, "height": 900})


def press(page: Page, role: str, name: str, key: str = "Enter") -> None:
    """Press a key on the element with this name, reached by Tab."""
    focused = "document.activeElement"
    wanted = page.get_by_role(role, name=name, exact=True).first  # type: ignore[arg-type]
    for _ in range(60):
        if wanted.evaluate(f"(one) => one === {focused}"):
            page.keyboard.press(key)
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {name}")


def test_a_page_is_shared_with_its_users_hidden_and_the_link_revoked(
    page: Page, browser: Browser, server: Server
) -> None:
    report(server)
    visit(page, server, room_path(ROOM))
    page.get_by_role("link", name="Share…").press("Enter")
    expect(page.get_by_label("Page", exact=True)).to_have_value(f"/rooms/{ROOM}")
    press(page, "checkbox", "Hide user IDs and names", "Space")
    press(page, "button", "Create link")
    url = page.locator(".secret code").inner_text()
    expect(page.locator(".shares-list")).to_contain_text("users hidden")
    assert_no_fault(page)
    context = browser.new_context()
    guest = context.new_page()
    guest.goto(url)
    expect_live(guest)
    expect(guest.locator("#users tbody th")).to_have_text(["user 1"])
    token = re.search(r"/shared/[^/]+", url)
    assert token
    for path in ("/", "/rooms/other", "/report/rooms", "/shares", f"{room_path(ROOM)}/users/ann"):
        assert guest.request.get(f"{server.url}{token[0]}{path}").status == 404
    press(page, "button", f"Revoke the link to /rooms/{ROOM}")
    expect(page.get_by_text("No links are shared")).to_be_visible()
    expect(guest.locator("#connection")).not_to_have_attribute("data-state", re.compile("live"))
    context.close()


def test_notes_are_edited_and_removed(page: Page, server: Server) -> None:
    report(server)
    for text in ("a note as long as notes may be " * 15, "called Ann"):  # the newest comes first
        note = {"text": text.strip(), "user_id": "ann"}
        assert server.request("POST", f"/report/notes/{ROOM}", json=note).status_code == 201
    page.goto(f"{server.url}{room_path(ROOM)}/notes")
    expect(page.locator(".notes li")).to_have_count(2)
    assert_no_fault(page)
    field = page.locator(".notes input[name=text]").first
    field.focus()
    page.keyboard.press("End")
    page.keyboard.type(", who is on a train")
    page.keyboard.press("Enter")
    expect(field).to_have_value("called Ann, who is on a train")
    press(page, "button", "Remove")
    expect(page.locator(".notes li")).to_have_count(1)


def test_a_user_is_erased(page: Page, server: Server) -> None:
    report(server)
    report(server, "bo")
    page.goto(f"{server.url}/erase?room_id={ROOM}&user_id=ann")
    assert_no_fault(page)
    press(page, "checkbox", "Erase it for good", "Space")
    press(page, "button", "Erase")
    expect(page.get_by_role("status")).to_contain_text("Erased: ")
    assert_no_fault(page)
    events = server.get(f"/report/events/{ROOM}").json()["data"]
    assert "ann" not in {event["user_id"] for event in events}


@pytest.mark.parametrize("path", ["/calls", "/calls?q=zebra", "report"])
def test_calls_and_their_reports_have_no_fault_at_any_width(page: Page, server: Server, path: str) -> None:
    report(server)
    (call,) = eventually(lambda: server.get("/report/calls").json()["data"]["calls"])
    report(server, "a-user-with-an-id-that-is-longer-than-most-but-not-the-longest")
    whole = f"/calls/{ROOM}/{call['started_at']}"
    page.goto(server.url + (whole if path == "report" else path))
    expect(page.locator("h1")).to_have_text(ROOM if path == "report" else "Calls")
    assert_no_fault(page)
