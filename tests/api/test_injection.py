"""Texts of senders stay text everywhere: in pages, streams, headers and spreadsheets."""

import csv
import json
import re
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from roompulse.report.model import Device, Entry
from roompulse.web.api.downloads import spreadsheet_safe
from tests.api import data, url
from tests.builders import audio, body, stream, video
from tests.conftest import Clock

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "--><svg onload=alert(1)>",
    "{{7*7}}{% raw %}${7*7}",
    "&lt;script&gt; &amp; &#34;",
    "</template></textarea></hx-partial>",
    "#u1 > * .x[y='z']:has(a)",
    "../../?at=1#x",
    "//evil.example/x",
    "раураl",
    "event: room",
    "a\u200cdata: b",
    "👩\u200d💻 dev",
    "%0d%0aX: y",
    "\\u003cscript\\u003e",
    "=cmd|'/C calc'!A0",
]


ROOT = Path(__file__).parents[2]
OURS = {tag for path in (ROOT / "templates").rglob("*.html") for tag in re.findall(r"<([a-z][\w-]*)", path.read_text())}
OURS |= {"time", "svg", "path", "rect", "line", "polyline"}
"""Elements that templates have, and those that `web/html/sparklines.py` and `web/html/templates.py` make."""


SITE = "http://localhost/"


class Page(HTMLParser):
    """A page as a browser takes it apart."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in OURS:
            self.faults.append(f"<{tag}>")
        if tag in {"script", "link", "img"} and not all(
            (value or "").startswith("assets/") for name, value in attrs if name in {"src", "href"}
        ):
            self.faults.append(f"<{tag} {attrs}>")
        if tag == "script" and "src" not in dict(attrs):
            self.faults.append("a script of its own")
        for name, value in attrs:
            if name.startswith("on") or not re.fullmatch(r"[a-z][a-z0-9-]*", name):
                self.faults.append(f"<{tag} {name}>")
            if name in {"href", "action", "data-url"} and not urljoin(SITE, value or "").startswith(SITE):
                self.faults.append(f"<{tag} {name}={value}>")

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"<!--{data}-->")

    def handle_data(self, data: str) -> None:
        self.text += data


def saying(text: str) -> bytes:
    """A report that says `text` wherever it can."""
    short = text[:64]
    sent = stream(text, video=video(codec=short), audio=audio(codec=short))
    got = stream(text, "recv", video=video(frame_rate=3))
    device = Device(short, short, short, short)
    entries = [Entry(text, [sent], device), Entry(f"{text} 2", [got], device)]
    return body(user_id=text, room_id=text, sdk_version=short, metrics=entries)


def pages(text: str, now: float) -> list[str]:
    room, user = url("rooms", text), url("rooms", text, "users", text)
    past = f"?at={now}"
    every = [room, user, f"{room}{past}", f"{user}{past}", f"{room}/sessions", f"{user}/visits"]
    searched = str(httpx.QueryParams({"q": text}))
    return ["/", f"/?{searched}", f"/calls?{searched}", *every, f"{room}?{searched}", url("rooms", f"{text} 9")]


async def test_no_text_makes_an_element_an_attribute_or_a_link_of_a_page(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    for text in HOSTILE:
        answer = await client.post("/report/metrics", content=saying(text))
        assert answer.status_code == 200, answer.text
        shown = [Page((await client.get(path)).text) for path in pages(text, clock.now)]
        assert [page.faults for page in shown] == [[]] * len(shown), text
        assert sum(text in page.text for page in shown) >= 4, "it is shown as it was sent"
        clock.advance(100)  # All users have left when the next one joins.


def test_a_page_that_lets_a_text_out_is_noticed() -> None:
    for text in HOSTILE[:4]:
        assert Page(f'<p title="{text}">{text}</p>').faults
    assert Page('<a href="javascript:alert(1)">x</a>').faults
    assert Page('<a href="//evil.example/">x</a>').faults


async def test_letters_that_look_like_others_are_shown_for_what_they_are(client: httpx.AsyncClient) -> None:
    """Two rooms with names that look the same are two rooms with different links."""
    for room_id in ("room", "r\u043e\u043em"):
        assert (await client.post("/report/metrics", content=body(room_id=room_id))).status_code == 200
    html = (await client.get("/")).text
    assert 'href="rooms/room"' in html
    assert 'href="rooms/r%D0%BE%D0%BEm"' in html


async def test_ids_end_no_header(client: httpx.AsyncClient) -> None:
    for text in HOSTILE:
        await assert_headers_end_where_they_should(client, text)


async def assert_headers_end_where_they_should(client: httpx.AsyncClient, text: str) -> None:
    assert (await client.post("/report/metrics", content=saying(text))).status_code == 200
    looked_back = await client.get(f"{url('rooms', text)}?ago=60")
    assert re.fullmatch(r"/rooms/[\w%.~-]+\?at=[\d.]+", looked_back.headers["location"])
    for name in ("history.csv", "users.json"):
        download = await client.get(url("rooms", text, name))
        pattern = rf"attachment; filename=\"{name}\"; filename\*=UTF-8''[\w%.~-]+-{name}"
        assert re.fullmatch(pattern, download.headers["content-disposition"], re.ASCII)
    assert re.fullmatch(r'W/"[\w-]+"', (await client.get(url("report", "metrics", text))).headers["etag"])


async def test_what_a_url_says_ends_no_header_either(client: httpx.AsyncClient) -> None:
    for segment in ("a%0d%0aX:%20y", "a%0a", "%00", "%22;x", 'a";filename="b', "a'b", "a(b)", "a*b", "a,b"):
        await assert_a_segment_ends_no_header(client, segment)


async def assert_a_segment_ends_no_header(client: httpx.AsyncClient, segment: str) -> None:
    for path in (
        f"/rooms/{segment}?ago=60",
        f"/rooms/{segment}/history.csv",
        f"/rooms/{segment}/users/{segment}?ago=5",
    ):
        answer = await client.get(path)
        assert "x" not in answer.headers
        for name in ("location", "content-disposition"):
            assert not re.search(r"[^ -~]", answer.headers.get(name, ""))
        assert answer.headers.get("content-disposition", "").count(";") <= 2


async def test_ids_that_fool_readers_or_programs_are_refused(client: httpx.AsyncClient) -> None:
    for refused in (
        "\u202ex",
        "x\u200b",
        "x\n",
        "x\r\ny",
        "\x00",
        "\u2066a\u2069",
        "..",
        "x" * 10_000,
        "\ud800",
        "a\u2028b",
        "a\u2029data: b",
    ):
        content = body(room_id="@").replace(b'"@"', json.dumps(refused).encode())
        answer = await client.post("/report/metrics", content=content)
        assert answer.status_code == 400
        assert len(answer.content) < 300
    assert await data(client, "/report/rooms") == []


async def test_a_cell_is_one_cell_and_no_formula(client: httpx.AsyncClient, clock: Clock) -> None:
    sent = [*HOSTILE, 'a"b', "a,b;c", "'a", "+1", "-1", "@a", "＝1"]
    for text in sent:
        content = body(user_id=text, sdk_version=text[:64], metrics=[Entry(text, [stream(text)])])
        assert (await client.post("/report/metrics", content=content)).status_code == 200
        clock.advance(1)
    answer = (await client.get("/rooms/room-1/users.csv")).content.decode("utf-8-sig")
    for text, row in zip(sent, csv.DictReader(StringIO(answer, newline="")), strict=True):
        for name, cell in (("user_id", text), ("stream_id", text), ("sdk_version", text[:64])):
            assert row[name] in {cell, f"'{cell}"}
            assert row[name][0] not in "=+-@\t\r＝＋－＠"


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"])
def test_no_text_begins_as_formulas_do(first: str) -> None:
    assert spreadsheet_safe(f"{first}1") == f"'{first}1"
