"""A page through a balancer: reports come to any worker, and the page outlives the worker that shows it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.builders import body
from tests.haproxy import haproxy
from tests.postgres_server import schema_of
from tests.process import eventually
from tests.server import Server

from e2e.conftest import NETWORK_FAULTS, Watch
from e2e.pages import expect_live, gauge, row, without_reload

WORKERS = 3
COMES_BACK = 12_000
"""Milliseconds: the longest pause between two tries is half of it."""


@pytest.fixture
def cluster(
    postgres_url: str, make_server: Callable[..., Server], tmp_path: Path
) -> Iterator[tuple[str, list[Server]]]:
    url = schema_of(postgres_url)
    with ExitStack() as stack:
        servers = [stack.enter_context(make_server(DATABASE_URL=url, BEHIND_PROXY=1).running()) for _ in range(WORKERS)]
        yield stack.enter_context(haproxy(tmp_path, [server.port for server in servers])), servers


def test_a_page_goes_on_when_its_worker_is_killed(page: Page, watch: Watch, cluster: tuple[str, list[Server]]) -> None:
    watch.allow(NETWORK_FAULTS)
    url, servers = cluster
    servers[0].post(body(user_id="u0"))
    page.goto(f"{url}/rooms/room-1")
    expect_live(page)
    with without_reload(page):
        for number in (1, 2):
            (shows,) = eventually(lambda: [one for one in servers if gauge(one, "roompulse_viewers")])
            takes = next(one for one in servers if one is not shows)
            takes.post(body(user_id=f"u{number}"))
            expect(row(page, f"u{number}")).to_be_visible()
            shows.kill()
            takes.post(body(user_id=f"after-{number}"))
            expect(row(page, f"after-{number}")).to_be_visible(timeout=COMES_BACK)
            expect_live(page)
            shows.start()
