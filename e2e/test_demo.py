"""The demo call: real connections, which a slider makes worse, and the score says why."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.builders import REFERENCE
from tests.process import eventually
from tests.process.test_keys import add_key
from tests.server import Server

from e2e import axe
from e2e.conftest import NETWORK_FAULTS, Watch
from e2e.pages import expect_live, row

pytestmark = pytest.mark.slow

SOON = 120_000
"""Milliseconds: a call on a busy machine has to come about first, and to be measured twice."""


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Iterator[Server]:
    with make_server(DEMO="true", STALE_AFTER=6, LEAVE_AFTER=12).running() as server:
        yield server


@pytest.fixture
def call(page: Page, server: Server) -> Page:
    """A call of two, as a newcomer starts it."""
    page.goto(f"{server.url}/demo/call")
    expect_live(page)
    page.get_by_label("Participants").select_option("2")
    page.get_by_role("button", name="Start call").click()
    return page


def participant(page: Page, name: str) -> Locator:
    return page.locator(".participant").filter(has_text=name)


def why(page: Page, name: str) -> Locator:
    return row(page, name).locator(".why")


def test_a_slider_makes_the_call_worse_and_the_score_says_why(call: Page) -> None:
    for name in ("ada", "bo"):
        expect(row(call, name)).to_contain_text("good", timeout=SOON)
    participant(call, "bo").locator("input[name=frame_rate]").fill("2")
    expect(participant(call, "bo").locator("output[name=frame_rate]")).to_have_text("2 fps")
    expect(why(call, "bo")).to_contain_text("fps sending camera", timeout=SOON)
    expect(why(call, "ada")).to_contain_text("fps receiving bo's camera", timeout=SOON)
    expect(row(call, "bo")).to_contain_text("poor", timeout=SOON)
    expect(call.locator("#summary .words")).to_contain_text("bo")
    assert axe.faults(call) == []


def test_what_is_muted_and_off_is_no_fault_and_who_leaves_has_left(call: Page, server: Server) -> None:
    expect(row(call, "bo")).to_contain_text("good", timeout=SOON)
    participant(call, "bo").get_by_label("Muted").check()
    participant(call, "bo").get_by_label("Camera off").check()
    room = call.locator("#call").get_attribute("data-room")

    def sends_no_picture() -> bool:
        user = server.get(f"/report/metrics/{room}/bo").json()["data"]
        return all(stream["video"] is None for stream in user["streams"] if stream["direction"] == "send")

    eventually(sends_no_picture)
    expect(row(call, "bo")).not_to_contain_text("poor")
    participant(call, "bo").get_by_role("button", name="Leave").click()
    expect(participant(call, "bo")).to_have_count(0)
    expect(row(call, "bo")).to_have_count(0, timeout=SOON)


def test_where_senders_are_asked_the_page_has_tokens_and_new_ones_after_a_restart(
    page: Page, server: Server, watch: Watch
) -> None:
    watch.allow(NETWORK_FAULTS)
    add_key(server, "ingest")
    eventually(lambda: server.post(REFERENCE).status_code == 401)
    page.goto(f"{server.url}/demo/call")
    page.get_by_label("Participants").select_option("2")
    page.get_by_role("button", name="Start call").click()
    expect(row(page, "bo")).to_contain_text("good", timeout=SOON)
    server.kill()
    server.start()
    room = page.locator("#call").get_attribute("data-room")
    page.wait_for_function(
        """async ([path, since]) => {
          const { data } = await (await fetch(path)).json();
          return data?.report_time > since;
        }""",
        arg=[f"/report/metrics/{room}/bo", page.evaluate("Date.now() / 1000")],
        timeout=SOON,
    )


def test_a_browser_without_webrtc_is_told_so(page: Page, server: Server) -> None:
    page.add_init_script("delete window.RTCPeerConnection;")
    page.goto(f"{server.url}/demo/call")
    expect(page.locator("#call-note")).to_contain_text("WebRTC is not available")
    expect(page.get_by_role("button", name="Start call")).to_be_disabled()


def test_a_call_that_does_not_come_about_says_why(page: Page, server: Server) -> None:
    page.add_init_script("RTCPeerConnection.prototype.addTrack = () => { throw new Error('no track today'); };")
    page.goto(f"{server.url}/demo/call")
    page.get_by_role("button", name="Start call").click()
    expect(page.locator("#call-note")).to_have_text("no track today", timeout=SOON)
    expect(page.get_by_role("button", name="Start call")).to_be_enabled()


def test_a_page_has_a_room_of_its_own(page: Page, server: Server) -> None:
    rooms = set()
    for _ in range(2):
        page.goto(f"{server.url}/demo/call")
        rooms.add(page.locator("#call").get_attribute("data-room"))
    assert len(rooms) == 2


def test_it_is_not_there_unless_it_is_asked_for(page: Page, make_server: Callable[..., Server], watch: Watch) -> None:
    watch.allow("404")
    with make_server().running() as server:
        answer = page.goto(f"{server.url}/demo/call")
        assert answer
        assert answer.status == 404
        page.close()


def test_it_stays_within_a_phone(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server.url}/demo/call")
    expect(page.get_by_role("button", name="Start call")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
