"""Every page at the widths between a phone and a desktop: words stay whole, rows low, and nothing overlaps."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.builders import body, network, stream
from tests.operators import COOKIE, add_operators, secret_of
from tests.server import Server

from e2e.conftest import run
from e2e.pages import room_path, sideways, user_path
from e2e.scenes import ROOM, odd_intake, scene, store_past
from roompulse.access.model import Role
from roompulse.report.model import Entry
from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.sessions import SqlSessions

WIDTHS = 390, 740, 800, 1024, 1100, 1280, 1400
LONG, WIDE = "x" * 128, "会議室" * 42
SDK = "roompulse.js/1.1.0"
LONG_SDK = "company-video-sdk-for-web-and-desktop/2026.11.28-nightly.4711"
MANY = "annual-meeting"

PATHS = {
    "list": "/",
    "room": room_path(ROOM),
    "room of 200": room_path(MANY),
    "room of a long id": room_path(LONG),
    "user": user_path(ROOM, "dolores"),
    "user of a long id": user_path(WIDE, LONG),
    "past": f"{room_path(ROOM)}?ago=0",
    "past user": f"{user_path(ROOM, 'dolores')}?ago=0",
    "ended": "/calls",
    "users": "/users",
    "search": "/?q=e",
    "erase": "/erase",
    "shares": "/shares",
    "ingest": "/ingest",
    "insights": "/insights",
    "trends": "/?trends=1h",
    "access": "/access",
    "alerts": "/alerts",
    "alert rules": "/alerts/rules",
    "demo": "/demo/call",
    "wall": "/?wall=1",
    "wall of a room": f"{room_path(ROOM)}?wall=1",
}
LOSSY = network(rtt=300, jitter=30, packet_loss=5)
MOST_LINES = {
    "rooms": 3,
    "users": 7,
    "found-users": 7,
    "call-users": 7,
    "shares-list": 4,
    "streams": 6,
    "sessions": 4,
    "versions": 4,
    "refusals": 6,
    "operators": 4,
    "keys": 4,
    "alerts": 8,
}
"""Lines of a row, by the class of its table. Reasons of users, and figures of streams, are lists of their own."""

BROKEN_WORDS = """() => {
  const faults = [];
  for (const cell of document.querySelectorAll("th, td")) {
    const box = cell.getBoundingClientRect();
    if (cell.closest("thead")?.getBoundingClientRect().width < 2) continue;
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    for (let text; (text = texts.nextNode()); ) {
      const unseen = text.parentElement.closest(".unseen, details:not([open]) > :not(summary), i");
      if (unseen || !text.parentElement.checkVisibility()) continue;
      for (const word of text.data.matchAll(/[^\\s-]+/g)) {
        const range = document.createRange();
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        const id = text.parentElement.closest(".id");
        if (id?.textContent.length > 24) continue;
        const places = [...range.getClientRects()];
        const lines = new Set(places.map(({ bottom }) => Math.round(bottom))).size;
        const name = `${cell.closest("table").className} ${cell.className}: ${word[0]}`;
        if (lines > 1 && word[0].length <= (cell.closest(".pairs") ? 8 : 18)) faults.push(`${name} is broken`);
        const cut = getComputedStyle(text.parentElement.closest("p, .id") ?? cell).textOverflow === "ellipsis";
        if (!cut && places.some(({ right }) => right > box.right + 1)) faults.push(`${name} is wider than its cell`);
      }
    }
  }
  return [...new Set(faults)];
}"""
"""Words of ordinary length on more than one line, and content outside its cell; long ids are cut anyway."""

HIGH_ROWS = """(most) => [...document.querySelectorAll("table:not(.pairs) > tbody > tr")]
  .map((row) => {
    const line = 1.45 * parseFloat(getComputedStyle(row).fontSize);
    const lines = row.getBoundingClientRect().height / line;
    return [row.closest("table").className.split(" ")[0], lines, row.innerText];
  })
  .filter(([table, lines, text]) => lines > most[table] + 1 && !/\\S{40}/.test(text))
  .map(([table, lines, text]) => `${table}: ${lines.toFixed(1)} lines: ${text.slice(0, 40)}`)"""
"""Rows without long ids with more lines than their table may have, plus one line for padding."""

TALL_OR_UNTITLED = """(ids) => ids
  .filter((id) => {
    const lines = id.clientHeight / (1.45 * parseFloat(getComputedStyle(id).fontSize));
    return id.title !== id.textContent || lines > 2.1;
  })
  .map((id) => `${id.closest("table").className}: ${id.textContent}`)"""
"""Long ids of more than two lines, and those without a title."""

CROWDED = """() => {
  const boxes = [...document.querySelectorAll(".bar > *")]
    .map((item) => [item.id || item.className, item.getBoundingClientRect()])
    .filter(([, box]) => box.width && box.height);
  const meet = (one, other) => one !== other && one.left < other.right && other.left < one.right;
  const overlap = (one, other) => meet(one, other) && one.top < other.bottom && other.top < one.bottom;
  const at = document.documentElement.clientWidth;
  return boxes
    .filter(([, box]) => box.right > at || box.height > 40 || boxes.some(([, other]) => overlap(box, other)))
    .map(([name]) => name);
}"""
"""Elements of the bar that overlap a neighbour, leave the screen or have more than one line."""


async def store_ended(data: Path) -> None:
    await store_past(data)
    database = Database(Settings(data=data))
    async with database.open():
        sessions = SqlSessions(database)
        now = time.time()
        for room_id in (ROOM, LONG, WIDE):
            await sessions.begin([(room_id, now - 900)])
            await sessions.end(room_id, now)


def reports() -> Iterator[bytes]:
    yield from scene()
    yield from odd_intake()
    yield body(user_id="u1", room_id="a", sdk_version=SDK)
    yield body(room_id=MANY, sdk_version=SDK, metrics=[Entry(f"user-{at:03}", [stream()]) for at in range(200)])
    for user, other in ((LONG, WIDE), (WIDE, "christopher-robin"), ("christopher-robin", LONG)):
        streams = [Entry(user, [stream(LONG[:64], network=LOSSY)]), Entry(other, [stream("camera", "recv")])]
        for room in (LONG, WIDE):
            yield body(user_id=user, room_id=room, sdk_version=LONG_SDK, metrics=streams)


@pytest.fixture(scope="module")
def inhabited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with rooms, users and versions of short, long and wide names, and two operators."""
    data = tmp_path_factory.mktemp("narrow") / "data"
    run(store_ended(data))
    operators: dict[str, Role] = {"ada": "admin", "bob": "viewer", LONG: "viewer"}
    run(add_operators(Settings(data=data), **operators))
    with Server(data, {"ROOMPULSE_DEMO": "true", "ROOMPULSE_SNAPSHOT_INTERVAL": "1"}).running() as server:
        for report in reports():
            server.post(report)
        yield server


@pytest.fixture
def operator(context: BrowserContext, inhabited: Server) -> Iterator[Page]:
    context.add_cookies([{"name": COOKIE, "value": secret_of("ada"), "url": inhabited.url}])
    page = context.new_page()
    yield page
    page.close()


def open_filled(page: Page, server: Server, path: str) -> None:
    page.goto(server.url + path)
    expect(page.locator("#connection-word")).to_have_text(re.compile("Live|History|As of|No active call"))
    if path == "/demo/call":
        room_id = page.locator("#call").get_attribute("data-room")
        server.post(body(user_id="ada", room_id=room_id, metrics=[Entry("ada", [stream(network=LOSSY)])]))
        expect(page.locator("#users tbody tr")).to_have_count(1)


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_a_page_can_be_read_at_any_width(operator: Page, inhabited: Server, path: str) -> None:
    open_filled(operator, inhabited, path)
    faults = {}
    for width in WIDTHS:
        operator.set_viewport_size({"width": width, "height": 1000})
        faults[width] = [
            *operator.evaluate(BROKEN_WORDS),
            *(operator.evaluate(HIGH_ROWS, MOST_LINES) if width > 720 else []),
            *operator.evaluate(CROWDED),
            *([f"{wide} px too wide"] if (wide := sideways(operator)) > 0 else []),
        ]
    assert {width: found for width, found in faults.items() if found} == {}


@pytest.mark.parametrize("path", [PATHS[name] for name in ("list", "room of a long id", "user of a long id", "ended")])
def test_a_long_id_is_cut_and_its_title_has_it_all(operator: Page, inhabited: Server, path: str) -> None:
    open_filled(operator, inhabited, path)
    ids = operator.locator(":is(th, td) .id", has_text=re.compile("^(x{64,}|会.*)$"))
    assert ids.count() > 0
    for width in WIDTHS[1:]:
        operator.set_viewport_size({"width": width, "height": 1000})
        assert ids.evaluate_all(TALL_OR_UNTITLED) == []
