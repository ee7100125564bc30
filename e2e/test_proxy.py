"""In a browser, under the path of a real nginx that is configured as docs/proxy.md says: https, HTTP/2, /pulse."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.builders import REFERENCE, body
from tests.nginx import documented, nginx
from tests.server import Server

from e2e.operators import operated, sign_in
from e2e.pages import expect_live, row

NewContext = Callable[..., BrowserContext]


@pytest.fixture
def page(new_context: NewContext) -> Page:
    return new_context(ignore_https_errors=True, accept_downloads=True).new_page()


@contextmanager
def proxied(server: Server, folder: Path) -> Iterator[str]:
    """The URL of the application behind the proxy."""
    with nginx(folder / "nginx", server.port, documented()) as address:
        yield f"{address}/pulse/"


def outside(page: Page, address: str) -> list[str]:
    """URLs of requests that are not below the path; filled while the page is used."""
    found: list[str] = []
    page.context.on("request", lambda request: None if below(request.url, address) else found.append(request.url))
    return found


def below(url: str, address: str) -> bool:
    return url.startswith(address) or urlsplit(url).scheme in {"data", "blob"}


def test_an_operator_signs_in_and_works_under_a_path(
    make_server: Callable[..., Server], page: Page, tmp_path: Path
) -> None:
    with operated(make_server, BEHIND_PROXY=1, DEMO=1) as server, proxied(server, tmp_path) as address:
        elsewhere = outside(page, address)
        assert server.post(REFERENCE).status_code == 200
        page.goto(f"{address}rooms/room-1?q=u")
        sign_in(page)
        expect(page).to_have_url(f"{address}rooms/room-1?q=u")
        page.get_by_role("link", name="Live rooms").click()
        expect(page).to_have_url(address)
        expect_live(page)
        page.locator("#rooms tbody th a", has_text="room-1").click()
        expect(page).to_have_url(f"{address}rooms/room-1")
        expect_live(page)
        assert server.post(body(user_id="u2")).status_code == 200
        expect(row(page, "u2")).to_be_visible()
        with page.expect_download() as download:
            page.locator("a[href*='history.csv']").first.click()
        assert download.value.url.startswith(f"{address}rooms/room-1/history.csv")
        page.get_by_role("link", name="u2", exact=True).first.click()
        expect_live(page)
        page.locator(".chart-link").first.click()
        expect(page).to_have_url(re.compile(r"/pulse/rooms/room-1/users/u2#charts$"))
        expect(page.locator("#charts .plot canvas").first).to_be_visible()
        page.locator(".account summary").click()
        page.get_by_role("link", name="Access", exact=True).click()
        add_key(page)
        page.locator(".account summary").click()
        page.get_by_role("button", name="Sign out", exact=True).click()
        expect(page).to_have_url(f"{address}sign-in")
        assert elsewhere == []
        page.goto("about:blank")  # before the server stops, which the page would say


def add_key(page: Page) -> None:
    form = page.locator("form[action$='access/keys/add']")
    form.locator("input[name=name]").fill("media server")
    form.get_by_role("button").click()
    expect(page.get_by_text(re.compile("rp_"))).to_be_visible()


def test_the_sdk_posts_under_a_path(make_server: Callable[..., Server], page: Page, tmp_path: Path) -> None:
    with make_server(BEHIND_PROXY=1).running() as server, proxied(server, tmp_path) as address:
        page.goto(address)
        expect_live(page)
        with page.expect_response(f"{address}report/metrics") as posted:
            page.evaluate(POST, address.rstrip("/"))
        assert posted.value.status == 200
        expect(row(page, "room-1")).to_be_visible()
        page.goto("about:blank")  # before the server stops, which the page would say


POST = """
async (url) => {
  const { RoomPulse } = await import(`${url}/static/sdk/roompulse.js`);
  const [here, there] = [new RTCPeerConnection(), new RTCPeerConnection()];
  here.addEventListener("icecandidate", ({ candidate }) => candidate && there.addIceCandidate(candidate));
  there.addEventListener("icecandidate", ({ candidate }) => candidate && here.addIceCandidate(candidate));
  const sound = new AudioContext().createMediaStreamDestination().stream;
  here.addTrack(sound.getTracks()[0], sound);
  new RoomPulse({ url, room: "room-1", user: "u1", interval: 1 }).watch(here, { name: "u2" });
  await here.setLocalDescription();
  await there.setRemoteDescription(here.localDescription);
  await there.setLocalDescription();
  await here.setRemoteDescription(there.localDescription);
}
"""
