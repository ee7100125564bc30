"""Whom the verdict names when one participant's link is bad: the table of docs/janus.md.

`python -m e2e.links.who [participants]` prints it.

Real calls in Chromium, once from each to each and once through a real Janus. The last participant's link is bad for
SECONDS, upwards, downwards and both ways; it prints the users that the verdict names in the second half, and how
often.
"""

import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from html import unescape
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import BrowserContext, Page, sync_playwright
from tests.janus import ROOM
from tests.server import Server

from e2e.chromium import find_chromium
from e2e.links.janus_room import janus_room
from e2e.links.relay import SHOW_ADDRESSES, Impairment, Relay, relays
from e2e.sdk.calls import FAKE_DEVICES, Participant, serve_application

Call = Callable[[BrowserContext, Server, Relay, int], AbstractContextManager[tuple[str, Page]]]

FINE = Impairment()
IMPAIRMENTS = {
    "3 % loss": Impairment(loss=0.03),
    "10 % loss": Impairment(loss=0.1),
    "200 ms delay": Impairment(delay=0.2),
    "30 kbit/s": Impairment(kbit=30),
}
SECONDS, RECOVERY = 14.0, 8.0


def verdict(server: Server, room: str) -> str:
    """The sentence of the room's page."""
    html = server.get(f"/rooms/{room}").text
    found = re.search(r'<p class="words">(.*?)</p>', html, re.S)
    text = re.sub(r"<[^>]*>", "", found[1]) if found else "no verdict"
    return " ".join(unescape(text).split())


def named(sentence: str) -> str:
    """The user of the named link or stream."""
    if sentence.startswith("Healthy"):
        return "healthy"
    if link := re.search(r"(\w+'s (?:uplink|downlink))", sentence):
        return link[1]
    if "everyone" in sentence or "most others" in sentence:
        return "everyone"
    if stream := re.search(r"(?:worst: |affected: )(\w+) (sends|receives) ", sentence):
        return f"{stream[1]} {stream[2]} badly"
    return f"{_sender(sentence)}'s stream"


def _sender(sentence: str) -> str:
    sender = re.search(r"receive (\w+)'s ", sentence)
    return sender[1] if sender else "nobody"


@contextmanager
def from_each_to_each(context: BrowserContext, server: Server, link: Relay, count: int) -> Iterator[tuple[str, Page]]:
    with serve_application() as application:
        there: list[Participant] = []
        for number in range(1, count + 1):
            prepare = link.stand_before if number == count else None
            one = Participant(context, application, f"u{number}", prepare)
            one.join(server, "direct", interval=1)
            one.capture()
            for other in there:
                other.call(one)
            there.append(one)
        yield "direct", there[-1].page


@contextmanager
def through_janus(context: BrowserContext, server: Server, link: Relay, count: int) -> Iterator[tuple[str, Page]]:
    with TemporaryDirectory() as folder, janus_room(Path(folder), server.url) as room:
        pages = [room.join(context, number, link if number == count else None) for number in range(1, count + 1)]
        yield str(ROOM), pages[-1]


def said(server: Server, room: str, page: Page, seconds: float) -> str:
    """Whom the verdict names in the second half of this time, most often first."""
    names: Counter[str] = Counter()
    begin = time.monotonic()
    while (passed := time.monotonic() - begin) < seconds:
        page.wait_for_timeout(500)
        if passed > seconds / 2:
            names[named(verdict(server, room))] += 1
    return ", ".join(f"{name} {100 * times // names.total()} %" for name, times in names.most_common(3))


def measure(call: Call, count: int) -> None:
    with TemporaryDirectory() as folder, relays() as links, sync_playwright() as playwright:
        server = Server(Path(folder) / "data", {"ROOMPULSE_STALE_AFTER": "15"})
        with server.running():
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=[*FAKE_DEVICES, SHOW_ADDRESSES])
            link = links.link()
            with call(browser.new_context(), server, link, count) as (room, page):
                page.wait_for_timeout(15_000)
                for name, bad in IMPAIRMENTS.items():
                    for where, up, down in (("up", bad, FINE), ("down", FINE, bad), ("both", bad, bad)):
                        link.becomes(up, down)
                        print(f"| {room} | {name} | {where} | {said(server, room, page, SECONDS)} |", flush=True)
                        link.becomes(FINE, FINE)
                        page.wait_for_timeout(1000 * RECOVERY)
            browser.close()


if __name__ == "__main__":
    participants = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    for call in (from_each_to_each, through_janus):
        measure(call, participants)
