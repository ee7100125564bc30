"""axe-core finds no fault in any page in any state, and updates neither shout at screen readers nor move anything."""

import re
from collections.abc import Callable
from typing import NamedTuple

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.builders import body, network, stream
from tests.operators import PASSWORD, WRONG_PASSWORD
from tests.process import eventually
from tests.server import Server

from e2e import axe
from e2e.conftest import NETWORK_FAULTS, Watch
from e2e.operators import enter, expect_signed_out, operated, sign_in, sign_out
from e2e.pages import expect_live, expect_lost, expect_paused, room_path, state, user_path, visit
from e2e.scenes import ROOM, odd_intake, scene
from roompulse.report.model import Entry, Network, Stream

GOOD, FAIR, POOR = network(), network(rtt=200, jitter=30, packet_loss=3), network(rtt=300, jitter=30, packet_loss=5)


def nobody(server: Server) -> None:
    """Nothing is posted."""


def rooms_of_every_level(server: Server) -> None:
    for room_id, figures in {"good": GOOD, "fair": FAIR, "poor": POOR, "unknown": None}.items():
        server.post(body(room_id=room_id, metrics=[Entry("u1", [camera(figures)])]))


def many_rooms(server: Server) -> None:
    for number in range(120):
        server.post(body(room_id=f"room-{number:03}"))


def users_of_every_level(server: Server) -> None:
    """Amelie and her colleagues are good, fair and poor; the visitor is unknown."""
    for report in [*scene(), body(room_id=ROOM, user_id="visitor", metrics=[Entry("visitor", [camera(None)])])]:
        server.post(report)


def many_users(server: Server) -> None:
    server.post(body(room_id=ROOM, metrics=[Entry(f"u{number:03}", [camera(GOOD)]) for number in range(120)]))


def reports_of_every_kind(server: Server) -> None:
    for report in odd_intake():
        server.post(report)


def reports_of_many_versions(server: Server) -> None:
    for number in range(25):
        server.post(body(sdk_version=f"sdk {number}"))


def camera(figures: Network | None) -> Stream:
    return stream(network=figures) if figures else stream(network=None, video=None, audio=None)


class State(NamedTuple):
    path: str
    scene: Callable[[Server], None]
    shows: str


ROOM_PAGE, USER_PAGE = room_path(ROOM), user_path(ROOM, "dolores")

STATES = {
    "no room": State("/", nobody, "No live rooms"),
    "rooms of every level": State("/", rooms_of_every_level, "unknown"),
    "a filter with matches": State("/?level=poor&q=o&sort=users", rooms_of_every_level, "1 match among"),
    "a filter without match": State("/?q=zebra&level=fair", rooms_of_every_level, "No matching rooms"),
    "three pages of rooms": State("/?page=2", many_rooms, "Page 2 of 3"),
    "a room": State(ROOM_PAGE, users_of_every_level, "unknown"),
    "a room with a search": State(f"{ROOM_PAGE}?q=e", users_of_every_level, "of 6 whose ID or name contains “e”"),
    "a room with a search without match": State(f"{ROOM_PAGE}?q=zebra", users_of_every_level, "No matching users"),
    "a room of 120 users": State(ROOM_PAGE, many_users, "Page 1 of 2"),
    "a room that is not live": State(ROOM_PAGE, nobody, "No active call"),
    "a user": State(USER_PAGE, users_of_every_level, "worst of 4 streams"),
    "a user of unknown quality": State(user_path(ROOM, "visitor"), users_of_every_level, "unknown"),
    "no call": State("/calls", nobody, "No calls"),
    "users of a level": State("/users?level=poor", users_of_every_level, "poor user, worst first"),
    "no user of a level": State("/users?level=fair&q=zebra", nobody, "No fair users"),
    "a search that finds users": State("/?q=dolores", users_of_every_level, "whose ID or name contains"),
    "no shared link": State("/shares", nobody, "No links are shared"),
    "erasing": State(f"/erase?room_id={ROOM}", nobody, "It cannot be undone"),
    "a room without a call at that time": State(f"{ROOM_PAGE}?at=1", nobody, "No call at that time"),
    "a user who was not there then": State(f"{USER_PAGE}?at=1", nobody, "not in the room at that time"),
    "a room on a wall": State(f"{ROOM_PAGE}?wall=1", users_of_every_level, "unknown"),
    "all rooms on a wall": State("/?wall=1", rooms_of_every_level, "unknown"),
    "no report": State("/ingest", nobody, "No reports in the last"),
    "reports of every kind": State("/ingest", reports_of_every_kind, "5 suspicious units"),
    "reports of many versions": State("/ingest", reports_of_many_versions, "Page 1 of 2"),
    "reports on a wall": State("/ingest?wall=1", reports_of_every_kind, "5 suspicious units"),
    "a user who is not in the room": State(user_path(ROOM, "nobody"), users_of_every_level, "not in the room"),
}


SCENES = list(dict.fromkeys(scene for _, scene, _ in STATES.values()))


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_a_page_has_no_fault(page: Page, server: Server, watch: Watch, scene: Callable[[Server], None]) -> None:
    watch.allow("status of 404")
    scene(server)
    faults = {name: faults_of(page, server, state) for name, state in STATES.items() if state.scene == scene}
    assert {name: found for name, found in faults.items() if found} == {}


def faults_of(page: Page, server: Server, state: State) -> list[str]:
    page.goto(server.url + state.path)
    expect(page.locator("#connection-word")).to_have_text(
        re.compile("Live|History|As of|No active call|Not in the room")
    )
    expect(page.locator("main")).to_contain_text(state.shows)
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
    return axe.faults(page)


def test_a_room_with_charts_has_no_fault(page: Page, make_server: Callable[..., Server]) -> None:
    with make_server(SNAPSHOT_INTERVAL=1).running() as server:
        users_of_every_level(server)
        visit(page, server, ROOM_PAGE)
        expect(page.locator("#charts .key b").first).to_have_text("1.83")
        assert axe.faults(page) == []
        page.close()


def test_a_moment_of_the_past_has_no_fault(page: Page, make_server: Callable[..., Server]) -> None:
    with make_server(SNAPSHOT_INTERVAL=1).running() as server:
        users_of_every_level(server)
        for path in (ROOM_PAGE, USER_PAGE):
            visit(page, server, path)
            page.get_by_role("button", name="Freeze now").click()
            expect(state(page)).to_have_attribute("data-state", "past")
            expect(page.locator("main")).to_contain_text("poor")
            assert axe.faults(page) == [], path
        page.close()


def test_ended_rooms_have_no_fault(page: Page, make_server: Callable[..., Server]) -> None:
    with make_server(SNAPSHOT_INTERVAL=0.5, LEAVE_AFTER=1).running() as server:
        users_of_every_level(server)
        eventually(lambda: "Worst minute" in server.get("/calls").text)
        page.goto(f"{server.url}/calls")
        expect(page.locator(".sessions tbody tr")).to_have_count(1)
        assert axe.faults(page) == []
        page.close()


def test_what_opens_over_a_page_has_no_fault(page: Page, server: Server) -> None:
    users_of_every_level(server)
    visit(page, server, ROOM_PAGE)
    page.get_by_role("button", name="Pause").click()
    expect_paused(page)
    assert axe.faults(page) == []
    page.get_by_role("button", name="View").click()
    assert axe.faults(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    assert axe.faults(page) == []


LIVE_PAGES = ["/", ROOM_PAGE, USER_PAGE, "/ingest"]


@pytest.mark.slow
def test_a_stale_page_has_no_fault(page: Page, make_server: Callable[..., Server]) -> None:
    with make_server(STALE_AFTER=0.5).running() as server:
        users_of_every_level(server)
        for path in LIVE_PAGES[:3]:
            visit(page, server, path)
            expect(page.locator(".stale").first).to_be_visible()
            assert axe.faults(page) == [], path
        page.close()


@pytest.mark.slow
def test_a_page_without_server_has_no_fault(context: BrowserContext, server: Server, watch: Watch) -> None:
    watch.allow(NETWORK_FAULTS)
    users_of_every_level(server)
    pages = [context.new_page() for _ in LIVE_PAGES]
    for page, path in zip(pages, LIVE_PAGES, strict=True):
        visit(page, server, path)
    server.kill()
    for page, path in zip(pages, LIVE_PAGES, strict=True):
        expect_lost(page)
        assert axe.faults(page) == [], path
        page.close()


@pytest.mark.slow
@pytest.mark.usefixtures("alone")
def test_a_page_that_is_refused_its_stream_has_no_fault(page: Page, server: Server, watch: Watch) -> None:
    watch.allow(NETWORK_FAULTS)
    users_of_every_level(server)
    page.route("**/stream*", lambda route: route.fulfill(status=503, headers={"Retry-After": "60"}))
    for path in LIVE_PAGES:
        page.goto(server.url + path)
        expect(state(page)).to_contain_text("the server is busy")
        assert axe.faults(page) == [], path


def test_a_problem_page_has_no_fault(page: Page, server: Server, watch: Watch) -> None:
    watch.allow("status of 40[45]")
    page.route(f"{server.url}/", lambda route: route.continue_(method="POST"))
    for status, path in ((404, "/nowhere"), (404, "/rooms/%0A"), (405, "/")):
        page.goto(server.url + path)
        expect(page.get_by_role("heading")).to_contain_text(str(status))
        assert axe.faults(page) == [], path


def test_signing_in_and_out_has_no_fault(page: Page, make_server: Callable[..., Server], watch: Watch) -> None:
    watch.allow("status of 401")
    with operated(make_server) as server:
        page.goto(server.url)
        assert axe.faults(page) == []
        sign_in(page, password=WRONG_PASSWORD)
        expect(page.get_by_role("alert")).to_be_visible()
        assert axe.faults(page) == []
        enter(page, PASSWORD)
        expect_live(page)
        other = page.context.new_page()
        other.goto(f"{server.url}/calls")
        sign_out(other)
        expect_signed_out(page)
        assert axe.faults(page) == []
        page.close()


def test_the_page_of_who_may_sign_in_has_no_fault(page: Page, make_server: Callable[..., Server], watch: Watch) -> None:
    watch.allow("status of 400")
    with operated(make_server) as server:
        page.goto(f"{server.url}/access")
        sign_in(page)
        page.locator(".account summary").click()  # which covers no half of a link here
        assert axe.faults(page) == []
        for label, button in (("New operator", "Add operator"), ("New key", "Create key")):
            page.get_by_label(label).fill("eve")
            page.get_by_role("button", name=button).click()
            expect(page.locator(".secret")).to_be_visible()
        page.evaluate("for (const details of document.querySelectorAll('table details')) details.open = true")
        assert axe.faults(page) == []
        page.get_by_label("New operator").fill("eve")
        page.get_by_role("button", name="Add operator").click()
        expect(page.locator(".error")).to_be_visible()
        assert axe.faults(page) == []
        page.close()


LIVE_REGIONS = "[role=status], [role=alert], [role=log], [role=timer], [role=marquee], [aria-live], output"

LISTEN = """(regions) => {
  window.announced = [];
  new MutationObserver((changes) => {
    for (const { target, addedNodes } of changes) {
      const nodes = [target, ...addedNodes].map((node) => (node instanceof Element ? node : node.parentElement));
      const region = nodes.map((node) => node?.closest(regions)).find(Boolean);
      if (region) window.announced.push(region.textContent);
    }
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
"""The text that a screen reader announces by itself."""


@pytest.mark.parametrize("path", ["/", "/rooms/room-1", user_path("room-1", "u1")])
def test_five_pushes_and_the_seconds_between_them_are_not_read_out(
    page: Page, make_server: Callable[..., Server], path: str
) -> None:
    with make_server(SNAPSHOT_INTERVAL=1).running() as server:
        server.post(body())
        visit(page, server, path)
        expect(page.locator(LIVE_REGIONS)).not_to_have_count(0)
        page.evaluate(LISTEN, LIVE_REGIONS)
        for loss in range(1, 6):
            server.post(body(metrics=[Entry("u1", [camera(network(packet_loss=10 * loss))])]))
            expect(page.locator("main")).to_contain_text(f"{loss}0.0")
        expect(page.locator("main time").first).to_have_text("2 s ago")
        assert page.evaluate("announced") == []
        page.close()


def test_refusals_are_not_read_out(page: Page, server: Server) -> None:
    server.post(b"{")
    visit(page, server, "/ingest")
    page.evaluate(LISTEN, LIVE_REGIONS)
    for count in range(2, 5):
        server.post(b"{")
        expect(page.get_by_role("cell", name=str(count), exact=True).first).to_be_visible()
    assert page.evaluate("announced") == []


def test_a_lost_server_is_read_out_once_and_not_every_second(page: Page, server: Server, watch: Watch) -> None:
    watch.allow(NETWORK_FAULTS)
    page.clock.install()
    server.post(body())
    visit(page, server, "/rooms/room-1")
    page.evaluate(LISTEN, LIVE_REGIONS)
    server.kill()
    expect_lost(page)
    page.clock.run_for(30_000)  # in which the page tries in vain a few times, and counts the seconds
    expect(state(page)).to_contain_text("last update 3")
    assert page.evaluate("announced") == ["Connecting", "Disconnected"]
    server.start()
    page.clock.run_for(6_000)
    expect_live(page)
    assert page.evaluate("announced") == ["Connecting", "Disconnected", "Live"]


def test_what_has_the_focus_is_not_hidden_by_the_bar(page: Page, server: Server) -> None:
    many_users(server)
    visit(page, server, ROOM_PAGE)
    page.locator("#users a").nth(60).focus()
    for _ in range(40):
        page.keyboard.press("Shift+Tab")
        assert page.evaluate("""() => {
          const { top } = document.activeElement.getBoundingClientRect();
          return top >= document.querySelector(".bar").getBoundingClientRect().bottom;
        }""")
