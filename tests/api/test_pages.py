"""The pages without JavaScript, and their structure."""

import re
from collections.abc import Iterator
from functools import partial
from html import unescape
from urllib.parse import urljoin

import httpx
import pytest
from httpx_sse import connect_sse

from roompulse.report.model import Device, Entry
from tests.api import url
from tests.builders import REFERENCE, audio, body, network, stream, video
from tests.conftest import Clock
from tests.process import eventually
from tests.server import Server

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}",
    '</hx-partial><hx-partial hx-target="body">',
    "a/b?c#d&amp;",
    "javascript:alert(1)",
    "علی\u200cرضا",
    "👩\u200d💻 dev",
    "مرحبا",
]

PAGES = ["/", "/rooms/room-1", "/rooms/room-1/users/u1"]


async def post(client: httpx.AsyncClient, content: bytes = REFERENCE) -> None:
    assert (await client.post("/report/metrics", content=content)).status_code == 200


@pytest.fixture(scope="module")
async def live(kept: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client of one application where u1 reports to room-1, for tests that only read."""
    await post(kept)
    return kept


async def page(client: httpx.AsyncClient, path: str, status: int = 200) -> str:
    answer = await client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


def words(html: str) -> str:
    """The text of a page's main part, as it is read."""
    main = re.sub(r"<(style|script|noscript)\b.*?</\1>", " ", html[html.index("<main") :], flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", main)).split())


def links(html: str) -> list[str]:
    """Where the links of a page lead, as a browser resolves them."""
    base = re.search(r'<base href="([^"]*)"', html)
    found = re.findall(r'<a\b[^>]*\bhref="([^"]*)"', html)
    return [urljoin(base[1] if base else "/", unescape(link)) for link in found]


async def test_the_start_page_lists_every_live_room(client: httpx.AsyncClient) -> None:
    await post(client)
    await post(client, body(room_id="room-2", metrics=[Entry("u1", [stream(network=network(packet_loss=10))])]))
    html = await page(client, "/")
    assert {"/rooms/room-1", "/rooms/room-2"} <= set(links(html))
    text = words(html)
    assert "4.37" in text
    assert text.index("room-2") < text.index("room-1")  # the worst first


async def test_the_start_page_says_how_to_make_a_first_room(client: httpx.AsyncClient) -> None:
    text = words(await page(client, "/"))
    assert "No live rooms" in text
    assert "curl" in text
    assert " ".join(REFERENCE.decode().split()) in text


async def test_a_room_s_page_shows_its_users(live: httpx.AsyncClient) -> None:
    html = await page(live, "/rooms/room-1")
    text = words(html)
    for shown in ("room-1", "u1", "4.37", "good", "Healthy: 1 user good", "1 user"):
        assert shown in text
    assert "/rooms/room-1/users/u1" in links(html)


async def test_a_room_s_page_says_what_is_wrong_with_whom(client: httpx.AsyncClient) -> None:
    await post(client)
    await post(client, body(user_id="u2", metrics=[Entry("u2", [stream(network=network(packet_loss=6))])]))
    text = words(await page(client, "/rooms/room-1"))
    assert "6.0 % packet loss sending camera (−" in text
    assert "1 of 2 users affected" in text


async def test_a_user_s_page_shows_the_arithmetic(live: httpx.AsyncClient) -> None:
    html = await page(live, "/rooms/room-1/users/u1")
    assert "4.37 = 4.44 − 0.03 delay − 0.03 loss" in words(html)
    assert "/rooms/room-1" in links(html)


async def test_a_user_s_page_shows_codecs_freezes_sound_and_device_where_they_are_known(
    client: httpx.AsyncClient,
) -> None:
    picture = video(codec="<b>VP9</b>", frames_dropped=12, freeze_count=2, freeze_duration=1.2)
    sound = audio(codec="opus", muted=True, level=0.1, concealed=1.5)
    device = Device("phone", "Android 15", "<i>Chrome</i>", "4g")
    await post(client, body(metrics=[Entry("u1", [stream(video=picture, audio=sound)], device)]))
    await post(client, body(user_id="u2"))
    html = await page(client, "/rooms/room-1/users/u1")
    text = words(html)
    for shown in ("<b>VP9</b> · 12 dropped 2 freezes, 1.2 s", "opus · muted · level 0.10 1.5 % concealed"):
        assert shown in text
    assert "SDK 1.2.0 on <i>Chrome</i> , Android 15 , phone , 4g , last report" in text
    assert "<b>VP9" not in html
    assert "<i>Chrome" not in html
    plain = await page(client, "/rooms/room-1/users/u2")
    assert "SDK 1.2.0 , last report" in words(plain)
    assert "<small>" not in plain
    assert "Chrome" not in await page(client, "/rooms/room-1")


async def test_what_is_not_known_is_a_dash_and_no_zero(client: httpx.AsyncClient) -> None:
    await post(client, body(metrics=[]))
    for path in PAGES:
        text = words(await page(client, path))
        assert "–" in text
        assert "unknown" in text
        assert "0.00" not in text
        assert "None" not in text
        assert "null" not in text


async def test_old_data_looks_old(client: httpx.AsyncClient, clock: Clock) -> None:
    await post(client)
    for path in PAGES[1:]:
        assert "stale" not in words(await page(client, path))
    clock.advance(15)
    for path in PAGES[1:]:
        assert "stale" in words(await page(client, path))


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/rooms/room-2", "No active call"),
        ("/rooms/room-1/users/u2", "This user is not in the room"),
        ("/rooms/room-2/users/u1", "This user is not in the room"),
    ],
)
async def test_what_is_not_live_is_404_and_waited_for(live: httpx.AsyncClient, path: str, says: str) -> None:
    html = await page(live, path, 404)
    assert says in words(html)
    assert f'data-url="{path[1:]}/stream"' in html


@pytest.mark.parametrize("path", ["/nothing", "/rooms", "/rooms/%FF", "/rooms/%2E%2E", "/rooms/room-1/users"])
async def test_what_is_nowhere_is_404_and_not_waited_for(live: httpx.AsyncClient, path: str) -> None:
    html = await page(live, path, 404)
    assert "404 Not Found" in words(html)
    assert "/stream" not in html
    assert "/" in links(html)


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_a_hostile_id_is_text_on_every_page(client: httpx.AsyncClient, hostile: str) -> None:
    await post(client, body(room_id=hostile, user_id=hostile, metrics=[Entry(hostile, [stream(hostile)])]))
    room, user = url("rooms", hostile), url("rooms", hostile, "users", hostile)
    for path, to in (("/", room), (room, user), (user, room)):
        html = await page(client, path)
        assert to in links(html)
        assert " ".join(hostile.split()) in words(html)
        assert all(' src="assets/' in tag for tag in re.findall(r"<script[^>]*>", html))
        if set(hostile) & set("<>\"'"):
            assert hostile not in html
        assert "<hx-partial" not in html


async def test_a_hostile_sdk_version_is_text_too(client: httpx.AsyncClient) -> None:
    await post(client, body(sdk_version="<blink>1.2.0</blink>"))
    for path in PAGES[1:]:
        html = await page(client, path)
        assert "<blink>" not in html
        assert "<blink>1.2.0</blink>" in words(html)


@pytest.mark.parametrize("path", [*PAGES, "/rooms/room-2", "/nothing"])
async def test_nothing_is_inline_or_from_elsewhere(live: httpx.AsyncClient, path: str) -> None:
    answer = await live.get(path)
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'self'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", answer.text) is None
    referred = [unescape(found) for found in re.findall(r'\b(?:src|href)="([^"]*)"', answer.text)]
    assert all(urljoin("http://localhost/", found).startswith("http://localhost/") for found in referred)


@pytest.mark.parametrize("path", [*PAGES, "/rooms/room-2"])
async def test_a_page_for_a_wall_differs_by_the_class_of_its_body_alone(live: httpx.AsyncClient, path: str) -> None:
    status = 404 if path == "/rooms/room-2" else 200

    async def shown(query: str = "") -> str:
        # A background job saves the session of the room up to a second after its first report.
        html = await page(live, path + query, status)
        return re.sub(r'(<section id="sessions"[^>]*>).*?</section>', r"\1</section>", html, flags=re.DOTALL)

    plain, wall = await shown(), await shown("?wall=1")
    assert wall.replace('<body class="wall">', "<body>") == plain
    for nonsense in ("", "0", "2", "true"):
        assert await shown(f"?wall={nonsense}") == plain


async def test_pages_are_not_kept(live: httpx.AsyncClient) -> None:
    for path in PAGES:
        assert (await live.get(path)).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", PAGES)
async def test_what_a_page_refers_to_is_there_and_cached_for_a_year(live: httpx.AsyncClient, path: str) -> None:
    assets = set(re.findall(r'"(assets/[0-9a-f]{16}/[^"]*)"', await page(live, path)))
    assert {asset.rpartition(".")[2] for asset in assets} >= {"css", "js", "svg"}
    for asset in assets:
        answer = await live.get(asset)
        assert answer.status_code == 200
        assert answer.content
        kept = {part.strip() for part in answer.headers["cache-control"].split(",")}
        assert kept == {"public", "immutable", "max-age=31536000"}
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", [*PAGES, "/static/js/live.js"])
async def test_what_is_sent_whole_is_compressed_for_who_can_read_it(live: httpx.AsyncClient, path: str) -> None:
    plain = await live.get(path, headers={"accept-encoding": "identity"})
    compressed = await live.get(path, headers={"accept-encoding": "gzip, br"})
    again = await live.get(path, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert compressed.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in compressed.headers["vary"]
    assert compressed.num_bytes_downloaded < len(plain.content) / 2
    # The session of the room is saved in the background, and listed from then on.
    assert compressed.text in (plain.text, again.text)


async def test_static_files_have_their_types(live: httpx.AsyncClient) -> None:
    for name, media_type in (("css/roompulse.css", "text/css"), ("icon.svg", "image/svg+xml")):
        answer = await live.get(f"/static/{name}")
        assert answer.headers["content-type"].startswith(media_type)
        assert answer.headers["cache-control"] == "no-cache"
    assert "javascript" in (await live.get("/static/js/live.js")).headers["content-type"]


async def test_a_static_file_is_sent_once(live: httpx.AsyncClient) -> None:
    first = await live.get("/static/js/live.js")
    for etag in (first.headers["etag"], first.headers["etag"].removeprefix("W/")):
        again = await live.get("/static/js/live.js", headers={"if-none-match": etag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"] == "no-cache"
    other = await live.get("/static/js/live.js", headers={"if-none-match": '"of-another-version"'})
    assert (other.status_code, other.content) == (200, first.content)


async def test_a_long_list_comes_in_pages(client: httpx.AsyncClient) -> None:
    for number in range(101):
        await post(client, body(room_id="room-1", user_id=f"user-{number:03}"))
    first, second = await page(client, "/rooms/room-1"), await page(client, "/rooms/room-1?page=2")
    lists = [html.partition('<table class="users">')[2].partition("</table>")[0] for html in (first, second)]
    assert [("user-000" in users, "user-100" in users) for users in lists] == [(True, False), (False, True)]
    assert "Page 1 of 2" in words(first)
    for nonsense in ("0", "-1", "x", "", "1.5", "²", "9" * 5000):
        assert "Page 1 of 2" in words(await page(client, f"/rooms/room-1?page={nonsense}"))
    assert "Page 2 of 2" in words(await page(client, "/rooms/room-1?page=99999"))


@pytest.fixture(scope="module")
def kept_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("pages") / "data", {}).running() as server:
        yield server


@pytest.mark.parametrize("user", ["u1", *HOSTILE])
def test_the_first_paint_is_what_the_stream_sends_first(kept_server: Server, user: str) -> None:
    entries = [Entry(user, [stream()]), Entry("u2", [stream("screen", "recv", video=None)])]
    assert kept_server.post(body(room_id=user, user_id=user, metrics=entries)).status_code == 200
    for path, sections in (
        ("/", {"alerts-now", "totals", "rooms", "found-users"}),
        (url("rooms", user), {"room-alerts", "name", "summary", "users", "grid", "timeline"}),
        (url("rooms", user, "users", user), {"name", "user", "timeline"}),
        ("/rooms/not-live", {"room-alerts", "name", "summary", "users", "grid", "timeline"}),
        (url("rooms", user, "users", "not-there"), {"name", "user", "timeline"}),
    ):
        # Figures over time, as the rate of reports, may change in between: then once more.
        eventually(partial(is_the_same, kept_server, path, sections))


def is_the_same(server: Server, path: str, sections: set[str]) -> bool:
    html = server.get(path).text
    sections = sections | {"notice", "alerts-firing"}
    partials = first_partials(server, path.rstrip("/") + "/stream", len(sections))
    assert set(partials) == sections
    return all(
        re.search(rf'<[a-z]+ id="{target}"[^>]*>' + re.escape(section), html) for target, section in partials.items()
    )


def first_partials(server: Server, path: str, count: int) -> dict[str, str]:
    """HTML by target of the first `count` parts that a page's stream sends."""
    found: dict[str, str] = {}
    form = re.compile(r'<hx-partial hx-target="#([\w-]+)" [^>]*>(.*)</hx-partial>', re.DOTALL)
    with server.client() as client, connect_sse(client, "GET", path) as source:
        for event in source.iter_sse():
            if event.event == "message":
                part = form.fullmatch(event.data)
                assert part, event.data
                found[part[1]] = part[2]
            if len(found) == count:
                break
    return found


async def test_a_user_s_page_says_what_limits_its_camera_and_that_two_sdks_report_as_it(
    client: httpx.AsyncClient,
) -> None:
    small = stream(video=video(width=320, height=180, bitrate=100, limited_by="cpu"))
    for version in ("1.2.0", "1.3.0", "1.2.0"):
        await post(client, body(sdk_version=version, metrics=[Entry("u1", [small])]))
    text = words(await page(client, "/rooms/room-1/users/u1"))
    assert "CPU limits the picture to 320×180 sending camera" in text
    assert "limited by cpu" in text
    assert "Two SDKs report as this user ( 1.2.0 and 1.3.0 )" in text
    ingest = words(await page(client, "/ingest"))
    assert "Two SDKs ( 1.2.0 and 1.3.0 ) report as u1 in room-1" in ingest


async def test_a_room_s_page_and_the_list_show_the_worst_user_and_medians(client: httpx.AsyncClient) -> None:
    for number in range(10):
        await post(
            client, body(user_id=f"u{number}", metrics=[Entry(f"u{number}", [stream(network=network(45 + number))])])
        )
    hopeless = stream(network=network(rtt=900, packet_loss=60))
    await post(client, body(user_id="v", metrics=[Entry("v", [hopeless])]))
    room, rooms = words(await page(client, "/rooms/room-1")), words(await page(client, "/?level=poor"))
    assert "worst user 1.00" in room
    assert "RTT, median 50 ms p95 900" in room
    assert "good 4.37 worst 1.00 Some users affected" in rooms
