"""Under a path of a proxy: every page is walked, and everything it names is below that path and there."""

from collections.abc import AsyncIterator
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

import httpx
import pytest
from msgspec.structs import replace

from roompulse.settings import RootPath, Settings
from tests.api import serving
from tests.builders import REFERENCE, body
from tests.conftest import Clock
from tests.operators import NAVIGATION, PASSWORD, SAME_SITE, add_operators, cookie_of

PREFIX = "/pulse"
READ = {"href", "src", "data-url", "data-shared", "data-history", "data-poor", "data-old", "data-worker", "data-tokens"}
READ |= {"hx-get"}
SUBMITTED = {"action", "formaction"}


class Page(HTMLParser):
    """The URLs in a page, as a browser resolves them: links and assets, and the targets of forms."""

    def __init__(self, url: str, html: str) -> None:
        super().__init__()
        # Part of a page is put into one.
        self._base = url if html.startswith("<!doctype") else urljoin(url, f"{PREFIX}/")
        self.read: set[str] = set()
        self.posted: set[str] = set()
        self._is_post = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "base":
            self._base = urljoin(self._base, given["href"])
            return
        if tag == "form":
            self._is_post = given.get("method") == "post"
        if "data-shared" in given:
            given["data-shared"] += "?" + urlencode({"view": given["data-url"]})
        for name, value in given.items():
            if name in READ | SUBMITTED:
                urls = self.posted if name in SUBMITTED and self._is_post else self.read
                urls.add(urljoin(self._base, value).partition("#")[0])


@pytest.fixture
async def pulse(settings: Settings, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application under the prefix, signed in as an admin."""
    await add_operators(settings, ada="admin")
    async with serving(replace(settings, root_path=RootPath(PREFIX), demo=True), clock) as client:
        client.headers.update(cookie_of("ada") | NAVIGATION)
        yield client


async def walk(client: httpx.AsyncClient, start: str) -> tuple[set[str], set[str]]:
    """Read every reachable page; returns the URLs that are read, and those that forms post to."""
    waiting, read, posted = {urljoin("http://localhost", start)}, set[str](), set[str]()
    while waiting:
        url = waiting.pop()
        read.add(url)
        assert urlsplit(url).path.startswith(f"{PREFIX}/"), url
        answer = await client.head(url)
        assert answer.status_code in {200, 303}, url
        is_past = "at=" in url  # of which there is no end
        if "text/html" in answer.headers.get("content-type", "") and not is_past:
            page = Page(url, (await client.get(url)).text)
            posted |= page.posted
            waiting |= page.read - read
    return read, posted


async def test_everything_that_pages_name_is_below_the_prefix(pulse: httpx.AsyncClient, clock: Clock) -> None:
    for room in ("room-1", "a/b"):
        for user in ("u1", "//u2"):
            sent = await pulse.post(f"{PREFIX}/report/metrics", content=body(room_id=room, user_id=user))
            assert sent.status_code == 200
    clock.advance(5)
    read, posted = await walk(pulse, f"{PREFIX}/")
    paths = {urlsplit(url).path.removeprefix(PREFIX) for url in read}
    pages = {"/", "/ingest", "/access", "/rooms/room-1", "/rooms/a%2Fb/users/%2F%2Fu2"}
    streams = {"/stream", "/ingest/stream", "/rooms/room-1/stream", "/rooms/room-1/users/u1/stream"}
    exports = {"/rooms/room-1/history.csv", "/rooms/room-1/users.json", "/report/history/room-1/u1"}
    assert pages | streams | exports <= paths
    assert {urlsplit(url).path for url in posted} >= {f"{PREFIX}/sign-out", f"{PREFIX}/access/operators/add"}
    assert all(urlsplit(url).path.startswith(f"{PREFIX}/") for url in posted)


async def test_so_is_what_other_pages_name(pulse: httpx.AsyncClient) -> None:
    await pulse.post(f"{PREFIX}/report/metrics", content=REFERENCE)
    for path in ("/demo/call", "/nothing", "/rooms/room-9", "/rooms/room-1?at=1", "/sign-in", "/?q=%22&page=7"):
        url = f"http://localhost{PREFIX}{path}"
        page = Page(url, (await pulse.get(url)).text)
        assert page.read or path == "/sign-in"
        assert all(urlsplit(found).path.startswith(f"{PREFIX}/") for found in page.read | page.posted)


async def test_redirects_and_cookies_are_below_the_prefix_once(settings: Settings, clock: Clock) -> None:
    await add_operators(settings, ada="admin")
    async with serving(replace(settings, root_path=RootPath(PREFIX)), clock) as client:
        asked = await client.get(f"{PREFIX}/rooms/room-1?q=u", headers=NAVIGATION)
        assert asked.headers["location"] == f"{PREFIX}/sign-in?next=/rooms/room-1?q%3Du".replace("?q%3D", "%3Fq%3D")
        form = Page(f"http://localhost{asked.headers['location']}", (await client.get(asked.headers["location"])).text)
        (action,) = form.posted
        signed_in = await client.post(action, data={"name": "ada", "password": PASSWORD}, headers=SAME_SITE)
        assert signed_in.headers["location"] == f"{PREFIX}/rooms/room-1?q=u"
        assert f"Path={PREFIX}/;" in f"{signed_in.headers['set-cookie']};"
        back = await client.get(f"{PREFIX}/rooms/room-1?ago=60", headers=NAVIGATION)
        assert back.headers["location"].startswith(f"{PREFIX}/rooms/room-1?at=")


async def test_over_https_the_name_of_the_cookie_is_one_that_browsers_accept_there(
    settings: Settings, clock: Clock
) -> None:
    await add_operators(settings, ada="admin")
    for prefix, name in ((PREFIX, "__Secure-roompulse"), ("", "__Host-roompulse")):
        async with serving(replace(settings, root_path=RootPath(prefix)), clock) as client:
            form = {"name": "ada", "password": PASSWORD}
            answer = await client.post(f"https://localhost{prefix}/sign-in", data=form, headers=SAME_SITE)
            assert answer.headers["set-cookie"].startswith(f"{name}=")
            assert (await client.get(f"https://localhost{prefix}/", headers=NAVIGATION)).status_code == 200


async def test_an_error_before_any_route_is_a_page_below_the_prefix(pulse: httpx.AsyncClient) -> None:
    refused = await pulse.get(f"{PREFIX}/", headers={"Host": "evil.example"})
    assert refused.status_code == 400
    assert f'<base href="{PREFIX}/">' in refused.text


async def test_the_api_is_described_below_the_prefix(pulse: httpx.AsyncClient) -> None:
    document = (await pulse.get(f"{PREFIX}/report/openapi.json")).json()
    assert document["servers"] == [{"url": PREFIX}]
