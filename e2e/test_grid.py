"""The sender/receiver matrix, causes and search: live, for any id, and as the operator left it."""

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Locator, Page, expect
from tests.builders import REFERENCE, body, network, stream
from tests.server import Server

from e2e.contrast import faint_texts
from e2e.pages import expect_live, room_path, row, rows, user_path, visit, without_reload
from roompulse.report.model import Entry

BAD = network(rtt=300, jitter=30, packet_loss=5)
PLACES = "(headers) => headers.map((header) => header.getBoundingClientRect().x)"
ODD = "<img src=x onerror=alert(1)>"


def sends(user_id: str, **parts: object) -> bytes:
    return body(user_id=user_id, metrics=[Entry(user_id, [stream("camera", "send", **parts)])])


def receives(user_id: str, sender_id: str, **parts: object) -> bytes:
    return body(user_id=user_id, metrics=[Entry(sender_id, [stream("camera", "recv", **parts)])])


def crowd(size: int, **fields: str) -> bytes:
    return body(user_id="u000", metrics=[Entry(f"u{number:03}", [stream()]) for number in range(size)], **fields)


def cell(page: Page, sender: str, receiver: str) -> Locator:
    """The cell of a pair, by the texts of its headers, as a reader of the table finds it."""
    receivers = page.locator(".pairs thead th .id")
    expect(receivers.filter(has_text=receiver)).to_have_count(1)
    column = [name.strip() for name in receivers.all_text_contents()].index(receiver)
    of_sender = page.locator(".pairs tbody tr").filter(has=page.get_by_role("rowheader", name=sender, exact=True))
    return of_sender.get_by_role("cell").nth(column)


def test_the_grid_fills_and_changes_as_reports_arrive(page: Page, server: Server) -> None:
    server.post(sends("ann"))
    visit(page, server, "/rooms/room-1")
    with without_reload(page):
        expect(cell(page, "ann", "ann")).to_have_text("good 4.37")
        server.post(receives("bob", "ann"))
        expect(cell(page, "ann", "bob")).to_have_text("good 4.37")
        server.post(receives("bob", "ann", network=BAD))
        expect(page.locator(".pairs tbody")).to_contain_text("poor 2.30")
        expect(cell(page, "ann", "bob")).to_have_text("poor 2.30")
        expect(cell(page, "ann", "ann")).to_have_text("good 4.37")
        server.post(receives("bob", "bob"))
        expect(page.get_by_role("rowheader", name="unknown user")).to_be_visible()
        expect(cell(page, "unknown user", "bob")).to_have_text("good 4.37")


def test_the_verdict_follows_what_happens(page: Page, server: Server) -> None:
    server.post(crowd(8))
    visit(page, server, "/rooms/room-1")
    words = page.locator(".words")
    with without_reload(page):
        expect(words).to_have_text("Healthy: 8 users good")
        server.post(sends("u003", network=network(rtt=20, jitter=2, packet_loss=6)))
        expect(words).to_have_text("1 of 8 users affected: u003's uplink loses 6 %")
    words.get_by_role("link", name="u003").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("u003")


def test_what_is_open_stays_open_and_what_is_closed_stays_closed(page: Page, server: Server) -> None:
    server.post(crowd(5))
    visit(page, server, "/rooms/room-1")
    page.locator("#pairs > summary").click()
    opened = row(page, "u003").locator("details")
    opened.locator("summary").click()
    expect(opened).to_contain_text("uplink: camera 4.37 = 4.44 − 0.03 delay − 0.03 loss")
    with without_reload(page):
        server.post(sends("u003", network=BAD))  # which moves the row to the top
        expect(rows(page).first).to_contain_text("uplink: camera 2.30 = 4.44")
        server.post(sends("u000", network=network(rtt=500, packet_loss=9)))  # and this down again
        server.post(sends("new"))
        expect(row(page, "new")).to_be_visible()
        expect(rows(page).first).to_contain_text("u000")
    assert opened.evaluate("(details) => details.open") is True
    expect(page.locator("#users details[open]")).to_have_count(1)
    expect(page.locator("#grid")).to_be_hidden()


def test_a_search_is_in_the_url_and_its_stream_brings_only_what_it_found(page: Page, server: Server) -> None:
    server.post(crowd(3))
    visit(page, server, "/rooms/room-1")
    page.get_by_role("searchbox", name="Find a user").fill("ANN")
    page.get_by_role("searchbox").press("Enter")
    expect(page).to_have_url(f"{server.url}/rooms/room-1?q=ANN")
    expect_live(page)
    expect(page.locator("#users")).to_contain_text("0 of 3 whose ID or name contains “ANN”")
    with without_reload(page):
        server.post(sends("joanna"))
        expect(row(page, "joanna")).to_be_visible()
        expect(cell(page, "joanna", "joanna")).to_have_text("good 4.37")
        server.post(sends("u004"))
        expect(page.locator("#users")).to_contain_text("1 of 5")
        expect(rows(page)).to_have_count(1)
    expect(page.get_by_role("searchbox")).to_have_value("ANN")
    page.get_by_role("link", name="All users").click()
    expect(rows(page)).to_have_count(5)


def test_pages_of_a_search_are_live_and_their_grid_is_bounded(page: Page, server: Server) -> None:
    server.post(crowd(150))
    server.post(sends("other"))
    visit(page, server, "/rooms/room-1?q=U")
    expect(page.locator(".pairs tbody tr")).to_have_count(20)
    expect(page.locator(".pairs thead th")).to_have_count(21)
    expect(page.locator("#grid")).to_contain_text("the first 20 users listed on this page")
    page.get_by_role("link", name="Page 2").click()
    expect(page).to_have_url(f"{server.url}/rooms/room-1?q=U&page=2")
    expect_live(page)
    expect(rows(page)).to_have_count(50)
    with without_reload(page):
        server.post(sends("u999"))
        expect(rows(page)).to_have_count(51)


def test_search_and_grid_work_without_javascript(new_context: Callable[..., BrowserContext], server: Server) -> None:
    server.post(crowd(3))
    page = new_context(java_script_enabled=False).new_page()
    page.goto(server.url + "/rooms/room-1")
    page.get_by_role("searchbox").fill("u002")
    page.get_by_role("button", name="Find").click()
    expect(rows(page)).to_have_count(1)
    expect(cell(page, "u002", "u002")).to_have_text("good 4.37")
    row(page, "u002").locator("summary").click()
    expect(row(page, "u002")).to_contain_text("uplink: camera 4.37")


def test_odd_ids_are_inert_in_grid_verdict_and_search(page: Page, server: Server) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for user in ("u1", "u2", "u3"):
        server.post(sends(user))
    visit(page, server, "/rooms/room-1")
    with without_reload(page):
        camera = stream(ODD, "recv", network=BAD)
        server.post(body(user_id=ODD, metrics=[Entry(ODD, [stream(ODD, network=BAD)]), Entry("u1", [camera])]))
        expect(page.locator(".words")).to_have_text(f"1 of 4 users affected: {ODD}'s uplink loses 5 %")
        expect(cell(page, ODD, ODD)).to_have_text("poor 2.30")
        expect(cell(page, "u1", ODD)).to_have_text("poor 2.30")
    page.get_by_role("searchbox").fill(ODD)
    page.get_by_role("searchbox").press("Enter")
    expect_live(page)
    expect(page.locator("#users")).to_contain_text(f"1 of 4 whose ID or name contains “{ODD}”")
    page.locator(".words").get_by_role("link").click()
    expect(page).to_have_url(server.url + user_path("room-1", ODD))
    expect(page.locator("#sends")).to_contain_text(ODD)
    expect(page.locator("main img, main script")).to_have_count(0)
    assert dialogs == []


def test_a_user_page_tells_its_network_from_that_of_others(page: Page, server: Server) -> None:
    server.post(sends("u1"))
    visit(page, server, user_path("room-1", "u1"))
    with without_reload(page):
        expect(page.locator("#receives")).to_contain_text("No data about what this user receives")
        server.post(receives("u1", "u2", network=BAD))
        expect(row(page, "u2")).to_contain_text("2.30 = 4.44")
        expect(page.locator("#receives h2")).to_contain_text("poor 2.30")
        server.post(receives("u3", "u1"))
        expect(page.locator("#others")).to_contain_text("4.37 = 4.44")
        expect(page.locator("#others h2")).to_contain_text("good 4.37")
        expect(page.locator("#sends h2")).to_contain_text("good 4.37")
        # Figures sent by u2 are not on this page, but those that u1 receives of it are, though they are kept with u2.
        server.post(receives("u1", "u2"))
        expect(page.locator("#receives h2")).to_contain_text("good 4.37")


def test_the_focus_stays_with_a_user_whose_row_moves(page: Page, server: Server) -> None:
    server.post(body(user_id="u0", metrics=[Entry(f"u{number}", [stream(direction="recv")]) for number in range(1, 6)]))
    visit(page, server, user_path("room-1", "u0"))
    link = row(page, "u4").get_by_role("link", name="u4")
    link.focus()
    with without_reload(page):
        server.post(receives("u0", "u4", network=BAD))
        expect(rows(page).first).to_contain_text("2.30")
        expect(link).to_be_focused()
    page.goto(f"{server.url}/rooms/room-1")
    expect_live(page)
    link = page.locator(".pairs").get_by_role("link", name="u2")
    link.focus()
    with without_reload(page):
        server.post(sends("u2", network=network(rtt=900)))
        expect(page.locator(".pairs tbody tr").first).to_contain_text("u2")
        expect(link).to_be_focused()


def test_headers_stay_in_sight_while_the_grid_scrolls_in_its_frame(
    new_context: Callable[..., BrowserContext], server: Server
) -> None:
    page = new_context(viewport={"width": 800, "height": 500}).new_page()
    server.post(crowd(30))
    visit(page, server, "/rooms/room-1")
    frame = page.locator(".pairs-scroll")
    frame.scroll_into_view_if_needed()
    frame.evaluate("(frame) => frame.scrollTo(frame.scrollWidth, frame.scrollHeight)")
    assert frame.evaluate("(frame) => frame.scrollLeft > 0 && frame.scrollTop > 0")
    edge = frame.bounding_box()
    row_header = page.locator(".pairs tbody th").last.bounding_box()
    column_header = page.locator(".pairs thead th").last.bounding_box()
    assert edge
    assert row_header
    assert column_header
    assert abs(row_header["x"] - edge["x"]) < 4
    assert abs(column_header["y"] - edge["y"]) < 4


def test_new_levels_do_not_move_the_columns_of_the_grid(page: Page, server: Server) -> None:
    server.post(sends("ann"))
    server.post(sends("x" * 128))
    visit(page, server, "/rooms/room-1")
    headers = page.locator(".pairs thead th")
    before = headers.evaluate_all(PLACES)
    server.post(sends("ann", network=BAD))
    expect(page.locator(".pairs .pair-poor")).to_have_text("poor 2.30")
    server.post(sends("ann", network=None, video=None, audio=None))
    expect(page.locator(".pairs .pair-unknown")).to_have_text("unknown")
    assert headers.evaluate_all(PLACES) == before


def test_a_phone_folds_the_grid_and_unfolds_it_for_who_wants_it(
    new_context: Callable[..., BrowserContext], server: Server
) -> None:
    page = new_context(viewport={"width": 390, "height": 844}).new_page()
    server.post(crowd(30))
    visit(page, server, "/rooms/room-1")
    expect(page.locator("#grid")).to_be_hidden()
    page.get_by_role("link", name="Sender/receiver matrix").click()
    expect(cell(page, "u003", "u003")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_every_kind_of_cell_can_be_read(page: Page, make_server: Callable[..., Server]) -> None:
    with make_server(STALE_AFTER=2).running() as server:
        server.post(sends("old"))
        visit(page, server, room_path("room-1"))
        expect(page.locator(".pairs td.stale")).to_have_count(1)
        server.post(sends("good"))
        server.post(sends("fair", network=network(rtt=200, jitter=30, packet_loss=3)))
        server.post(sends("poor", network=BAD))
        server.post(sends("unknown", network=None, video=None, audio=None))
        expect(cell(page, "unknown", "unknown")).to_have_text("unknown")
        page.locator("#users summary").first.click()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            assert faint_texts(page) == []
        page.close()


def test_a_room_that_is_not_live_has_nobody_to_find(page: Page, make_server: Callable[..., Server]) -> None:
    with make_server(STALE_AFTER=1, LEAVE_AFTER=2).running() as server:
        server.post(REFERENCE)
        visit(page, server, "/rooms/room-1")
        expect(page.get_by_role("searchbox")).to_be_visible()
        expect(page.locator("#summary")).to_contain_text("No active call")
        expect(page.get_by_role("searchbox")).to_be_hidden()
        expect(page.locator("#pairs")).to_be_hidden()
        page.close()
