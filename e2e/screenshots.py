"""Pictures of every page for the README and docs/screenshots: `python -m e2e.screenshots`."""

import asyncio
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from heapq import merge
from itertools import takewhile
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import msgspec
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.calls import Calls
from tests.conftest import Clock
from tests.server import Server

from e2e.chromium import ARGUMENTS, find_chromium
from roompulse.client import Report
from roompulse.rooms.aggregate import step_start
from roompulse.settings import Settings
from roompulse.simulate.rooms import Plan, reports

FOLDER = Path(__file__).parents[1] / "docs" / "screenshots"
STEP = 10.0
PAST = 900.0
ENDED_FOR = 300.0
"""Seconds: between snapshots, of history, and since when two rooms have ended."""

FEW, MANY = "code-review", "annual-meeting"
"""Rooms of up to 3 and 200 users."""

AS_EVER = {"ROOMPULSE_STALE_AFTER": "15", "ROOMPULSE_LEAVE_AFTER": "60"}
"""The defaults, which servers of tests do not have."""

CALL = "interview-33"
ENDED = {CALL, "support-4711"}

PAGES = {
    "rooms": "/",
    "room-3-users": f"/rooms/{FEW}",
    "room-200-users": f"/rooms/{MANY}",
    "user": f"/rooms/{FEW}/users/{{user}}",
    "past": f"/rooms/{FEW}?at={{at}}",
    "calls": "/calls",
    "call": f"/calls/{CALL}/{{started}}",
    "insights": "/insights",
    "alerts": "/alerts",
    "ingest": "/ingest",
}
SIZES = {"wide": (1400, 1000), "phone": (390, 844)}


def scene(begin: float) -> Iterator[tuple[float, Report]]:
    """Reports of simulated rooms with their times (Unix seconds), in this order and without end."""
    few = Plan(rooms=1, users=3, interval=5, seed=22, troubles=("wifi-uplink",))
    many = Plan(rooms=1, users=200, interval=10, seed=5, troubles=("server-side",))
    others = Plan(rooms=14, users=9, interval=5, seed=4, troubles=("congested-room", "cpu-bound", "freeze"))
    timed: Iterator[tuple[float, Report]] = merge(
        ((at, replace(report, room_id=FEW)) for at, report in reports(few, begin)),
        ((at, replace(report, room_id=MANY)) for at, report in reports(many, begin) if at > PAST - 120),
        ((at, report) for at, report in reports(others, begin) if at < PAST - ENDED_FOR or report.room_id not in ENDED),
        key=itemgetter(0),
    )
    return ((begin + at, report) for at, report in timed)


def is_before(end: float, timed: tuple[float, Report]) -> bool:
    return timed[0] < end


async def store_past(data: Path, played: Iterator[tuple[float, Report]], begin: float) -> None:
    """Store the reports up to now, with all records that a server would have made."""
    clock = Clock(begin)
    async with Calls.of(Settings(data=data, sender_rate=0), clock) as calls:
        while begin < time.time():
            begin += STEP
            for at, report in takewhile(partial(is_before, begin), played):
                clock.now = at
                answer = await calls.client.post("/report/metrics", content=msgspec.json.encode(report))
                answer.raise_for_status()
            clock.now = begin
            calls.core.follower.expire()
            await calls.look()
            await calls.core.recorder.look(begin)
            await calls.core.alerts.tick()


@contextmanager
def going_on(server: Server, played: Iterator[tuple[float, Report]]) -> Iterator[None]:
    """Post the reports from now on, each at its time."""
    over = Event()

    def post() -> None:
        with server.client() as client:
            for at, report in played:
                if over.wait(max(0.0, at - time.time())):
                    return
                client.post("/report/metrics", content=msgspec.json.encode(report)).raise_for_status()

    with ThreadPoolExecutor() as pool:
        posting = pool.submit(post)
        try:
            yield
        finally:
            over.set()
            posting.result()


def take(browser: Browser, server: Server, scheme: Any, size: str) -> None:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    room = server.get(f"/report/metrics/{FEW}").json()["data"]
    worst = min(room["users"], key=lambda user: user["quality"]["score"] or 9)["user_id"]
    calls = server.get(f"/report/calls/{CALL}").json()["data"]["calls"]
    call = max(calls, key=lambda one: (one["ended_at"] or one["started_at"]) - one["started_at"])
    for name, path in PAGES.items():
        page.goto(server.url + path.format(user=worst, at=int(time.time() - 300), started=call["started_at"]))
        shoot(page, f"{name}-{size}-{scheme}.png")
    context.close()


def take_wall(browser: Browser, server: Server) -> None:
    context = browser.new_context(viewport={"width": 1920, "height": 1080}, color_scheme="dark")
    page = context.new_page()
    page.goto(f"{server.url}/?wall=1")
    shoot(page, "wall.png")
    context.close()


def shoot(page: Page, name: str) -> None:
    expect(page.locator("#connection-word")).to_have_text(re.compile("Live|History|As of"))
    expect(page.locator(".chart-note:visible")).to_have_count(0)
    page.wait_for_timeout(1_500)  # for the charts' next points
    page.screenshot(path=FOLDER / name)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    begin = step_start(time.time() - PAST, STEP)
    played = scene(begin)
    with TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        asyncio.run(store_past(data, played, begin))
        with Server(data, AS_EVER).running() as server, going_on(server, played), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
            for scheme in ("light", "dark"):
                for size in SIZES:
                    take(browser, server, scheme, size)
            take_wall(browser, server)
            browser.close()


if __name__ == "__main__":
    main()
