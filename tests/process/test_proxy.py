"""Behind a real nginx, by the configuration that docs/proxy.md has to copy, and as others configure it."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from httpx_sse import connect_sse

from tests.builders import REFERENCE, body
from tests.nginx import documented, nginx, replaced
from tests.process import DEADLINE
from tests.server import Server

MakeServer = Callable[..., Server]

HEADER = "        proxy_set_header X-Forwarded-Prefix /pulse;\n"
PATH_REMOVED = ("proxy_pass http://roompulse;", "proxy_pass http://roompulse/;")

VARIANTS: dict[str, tuple[list[tuple[str, str]], dict[str, Any]]] = {
    "as documented": ([], {}),
    "the proxy removes the path": ([PATH_REMOVED], {}),
    "ROOT_PATH": ([(HEADER, "")], {"ROOT_PATH": "/pulse"}),
    "ROOT_PATH, and the proxy removes the path": ([(HEADER, ""), PATH_REMOVED], {"ROOT_PATH": "/pulse/"}),
    "a path that begins like a route": (
        [("/pulse", "/report"), PATH_REMOVED],
        {},
    ),
    "at the root": ([(HEADER, ""), ("location = /pulse", "location = /none"), ("location /pulse/", "location /")], {}),
}


@contextmanager
def proxied(make_server: MakeServer, folder: Path, name: str) -> Iterator[tuple[Server, httpx.Client]]:
    """The server, and a client whose base is the root of the application behind the proxy."""
    changes, settings = VARIANTS[name]
    configuration = documented()
    for old, new in changes:
        configuration = replaced(configuration, old, new)
    prefix = {"at the root": "/", "a path that begins like a route": "/report/"}.get(name, "/pulse/")
    with (
        make_server(BEHIND_PROXY=1, **settings).running() as server,
        nginx(folder / "nginx", server.port, configuration) as address,
        httpx.Client(base_url=address + prefix, verify=False, timeout=DEADLINE) as client,  # noqa: S501
    ):
        yield server, client


@pytest.mark.parametrize("name", VARIANTS)
def test_pages_lead_to_what_is_there(make_server: MakeServer, tmp_path: Path, name: str) -> None:
    with proxied(make_server, tmp_path, name) as (_, client):
        assert client.post("report/metrics", content=REFERENCE).status_code == 200
        for path in ("", "ingest", "rooms/room-1", "rooms/room-1/users/u1", "nothing"):
            page = client.get(path)
            assert page.status_code == (404 if path == "nothing" else 200)
            for url in referred(page):
                assert url.startswith(str(client.base_url)), url
                assert client.head(url).status_code == 200, url


def referred(page: httpx.Response) -> set[str]:
    """URLs of a page's assets, links and stream."""
    base = re.search(r'<base href="([^"]*)"', page.text)
    assert base
    found = re.findall(r'\b(?:href|src|data-url|hx-get)="([^"]*)"', page.text)
    return {urljoin(urljoin(str(page.url), base[1]), url.replace("&amp;", "&")) for url in found}


@pytest.mark.parametrize("name", VARIANTS)
def test_streams_redirects_and_exports_are_below_the_path(make_server: MakeServer, tmp_path: Path, name: str) -> None:
    with proxied(make_server, tmp_path, name) as (_, client):
        client.post("report/metrics", content=REFERENCE)
        stream = client.base_url.join("rooms/room-1/stream")
        with connect_sse(client, "GET", str(stream)) as source:
            events = (event.data for event in source.iter_sse() if "hx-target" in event.data)
            assert any("#users" in data for data in events)
            assert client.post("report/metrics", content=body(user_id="u2")).status_code == 200
            assert any(">u2<" in data for data in events)
        download = client.get("rooms/room-1/history.json?from=0")
        assert download.headers["content-disposition"].startswith("attachment")
        back = client.get("rooms/room-1?ago=60", headers={"Accept": "text/html"})
        assert back.status_code == 303
        assert str(client.base_url.join(back.headers["location"])).startswith(f"{client.base_url}rooms/room-1?at=")


@pytest.mark.parametrize("name", ["as documented", "ROOT_PATH", "at the root"])
def test_ids_that_hold_a_slash_arrive_as_they_were_sent(make_server: MakeServer, tmp_path: Path, name: str) -> None:
    with proxied(make_server, tmp_path, name) as (_, client):
        client.post("report/metrics", content=body(room_id="a/b%2Fc", user_id="//u?"))
        page = client.get("rooms/a%2Fb%252Fc/users/%2F%2Fu%3F")
        assert page.status_code == 200
        assert all(client.head(url).status_code == 200 for url in referred(page))


def test_the_path_without_a_slash_leads_to_the_root(make_server: MakeServer, tmp_path: Path) -> None:
    with proxied(make_server, tmp_path, "as documented") as (_, client):
        moved = client.get(str(client.base_url).rstrip("/"))
        assert moved.status_code == 301
        assert moved.headers["location"].endswith("/pulse/")


def test_the_prefix_that_a_client_sends_is_replaced(make_server: MakeServer, tmp_path: Path) -> None:
    with proxied(make_server, tmp_path, "as documented") as (_, client):
        forged = client.get("", headers={"X-Forwarded-Prefix": "/evil", "X-Forwarded-Proto": "http"})
        assert '<base href="/pulse/">' in forged.text


def test_an_unknown_host_is_refused_by_a_page_below_the_path(make_server: MakeServer, tmp_path: Path) -> None:
    with proxied(make_server, tmp_path, "as documented") as (_, client):
        refused = client.get("", headers={"Host": "evil.example"})
        assert refused.status_code == 400
        assert '<base href="/pulse/">' in refused.text
