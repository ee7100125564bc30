"""The timeline of a room and a user, live and in the past, and its marks on the charts."""

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.builders import body, network, stream
from tests.server import Server

from e2e import axe
from e2e.conftest import Watch
from e2e.pages import room_path, user_path, visit
from roompulse.report.model import Entry, Event

ROOM = "room-1"
FAST = {"EVENT_HOLD": 1, "STALE_AFTER": 3, "LEAVE_AFTER": 6, "SNAPSHOT_INTERVAL": 1}


PATIENT = {"EVENT_HOLD": 1, "SNAPSHOT_INTERVAL": 1}
"""No user turns stale or leaves while a slow machine runs the test."""


@pytest.fixture
def patient(make_server: Callable[..., Server]) -> Iterator[Server]:
    with make_server(**PATIENT).running() as server:
        yield server


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Iterator[Server]:
    with make_server(**FAST).running() as server:
        yield server


def say(server: Server, user_id: str, *events: str, packet_loss: float = 0.3) -> None:
    entries = [Entry(user_id, [stream(network=network(packet_loss=packet_loss))])]
    now = int(time.time())
    told = [Event(words, now) for words in events]
    answer = server.post(body(user_id=user_id, metrics=entries, report_time=now, events=told or None))
    assert answer.status_code == 200


def say_for(server: Server, seconds: float, *users: str, packet_loss: float = 0.3) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for user_id in users:
            say(server, user_id, packet_loss=packet_loss)
        time.sleep(0.5)


def rows(page: Page) -> list[str]:
    return [" ".join(text.split()) for text in page.locator("#timeline .what").all_inner_texts()]


def test_what_happens_appears_at_the_top_and_is_a_link_to_its_moment(page: Page, server: Server) -> None:
    say(server, "ann")
    visit(page, server, room_path(ROOM))
    expect(page.locator("#timeline .what").first).to_have_text("ann joined")
    say_for(server, 1.5, "ann", "bob")
    say(server, "bob", "camera off")
    expect(page.locator("#timeline .what").first).to_have_text("bob: camera off")
    assert sorted(rows(page)[1:]) == ["ann joined", "bob joined", "call started"]
    say_for(server, 3, "ann", packet_loss=9)
    expect(page.locator("#timeline [data-kind=level_changed] .what").first).to_contain_text(
        "good → poor: 9.0 % packet loss"
    )
    page.locator("#timeline li", has_text="bob: camera off").get_by_role("link").first.click()
    expect(page.locator(".past-mark")).to_contain_text("Viewing history")
    assert "ann joined" in rows(page)
    assert not [row for row in rows(page) if "poor" in row]


def test_who_left_stays_visible(page: Page, patient: Server, watch: Watch) -> None:
    watch.allow("404")  # the page of an absent user
    say(patient, "bob")
    say(patient, "ann")
    visit(page, patient, room_path(ROOM))
    say(patient, "bob", "left")
    expect(page.locator(".gone")).to_contain_text("bob left")
    expect(page.locator(".gone time")).to_have_text(re.compile("just now|s ago"))
    page.locator(".gone").get_by_role("link", name="bob").click()
    expect(page.locator(".gone")).to_contain_text("left")
    expect(page.locator("#timeline .what")).to_have_text(["left", "joined"])
    say(patient, "bob")
    expect(page.locator(".gone")).to_have_count(0)


def test_it_is_filtered_by_user_and_kind(page: Page, patient: Server) -> None:
    for user_id in ("ann", "bob"):
        say(patient, user_id, "muted")
    visit(page, patient, room_path(ROOM))
    page.locator("select[name=kind]").select_option("sdk")
    expect(page).to_have_url(re.compile(r"\?kind=sdk$"))
    page.locator("input[name=user]").fill("bob")
    expect(page.locator("#timeline .what")).to_have_text(["bob: muted"])
    say(patient, "ann", "unmuted")
    say(patient, "bob", "unmuted")
    expect(page.locator("#timeline .what")).to_have_text(["bob: unmuted", "bob: muted"])
    page.get_by_role("link", name="Show all events").click()
    expect(page.locator("#timeline .what")).to_have_count(7)


def test_marks_on_the_charts_say_what_happened(page: Page, patient: Server) -> None:
    say_for(patient, 3, "ann")
    visit(page, patient, room_path(ROOM))
    marks = page.locator(".marks a")
    expect(marks).to_have_count(1)
    marks.focus()
    expect(page.locator(".mark-words")).to_contain_text("ann joined")
    say(patient, "ann", "screen share on")
    expect(page.locator("#timeline .what").first).to_have_text("ann: screen share on")
    expect(marks.first).to_be_focused()
    marks.first.blur()
    expect(page.locator(".mark-words")).to_have_count(0)
    marks.first.hover()
    expect(page.locator(".mark-words")).to_contain_text("call started")
    marks.first.click()
    expect(page.locator(".past-mark")).to_contain_text("Viewing history")


@pytest.mark.parametrize("path", [room_path(ROOM), user_path(ROOM, "ann"), f"{room_path(ROOM)}?kind=note"])
def test_axe_finds_nothing(page: Page, server: Server, path: str) -> None:
    say(server, "bob")
    say_for(server, 3, "ann", packet_loss=9)
    say(server, "bob", "left")
    visit(page, server, path)
    expect(page.locator("#timeline").get_by_text("No events match" if "?" in path else "joined").first).to_be_visible()
    assert axe.faults(page) == []


def test_nothing_is_wider_than_a_phone(page: Page, server: Server) -> None:
    say(server, "x" * 128, "y" * 64)
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, server, room_path(ROOM))
    expect(page.locator("#timeline .what").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_note_is_written_edited_and_removed(page: Page, patient: Server) -> None:
    say(patient, "ann")
    visit(page, patient, room_path(ROOM))
    page.get_by_role("textbox", name="Note").fill("restarted the SFU")
    page.get_by_role("button", name="Add note").click()
    first = page.locator("#timeline .what").first
    expect(first).to_have_text("restarted the SFU by anonymous")
    page.get_by_role("link", name="Edit notes").click()
    page.get_by_role("textbox").fill("restarted the media server")
    page.get_by_role("button", name="Save").click()
    assert axe.faults(page) == []
    visit(page, patient, room_path(ROOM))
    expect(first).to_have_text("restarted the media server by anonymous")
    page.get_by_role("link", name="Edit notes").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("No notes on this room")).to_be_visible()
