"""A lost server is shown as lost, and a page reconnects by itself."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.builders import REFERENCE, body
from tests.server import Server

from e2e.conftest import NETWORK_FAULTS, Watch
from e2e.pages import HIDEABLE, expect_live, expect_lost, row, state, visit, without_reload

COMES_BACK = 12_000
"""Milliseconds: the longest pause between two tries (6 s), and a start of the server."""


@pytest.fixture(autouse=True)
def _network_faults_are_expected(watch: Watch) -> None:
    watch.allow(NETWORK_FAULTS)


@pytest.fixture(params=["shared", "alone"])
def _either_connection(request: pytest.FixtureRequest) -> None:
    """The connection that windows share, or, in a browser that cannot, that of the window."""
    if request.param == "alone":
        request.getfixturevalue("alone")


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@pytest.mark.usefixtures("_either_connection")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_is_gone_is_said_to_be_lost_until_it_is_back(
    page: Page, server: Server, how: signal.Signals
) -> None:
    server.post(REFERENCE)
    visit(page, server, "/rooms/room-1")
    with without_reload(page):
        server.stop(how)
        expect_lost(page)
        expect(page.locator("body")).to_have_class("out-of-date")
        expect(state(page)).to_have_text(re.compile(r"last update \d+ s ago"))
        expect(row(page, "u1")).to_be_visible()
        server.start()
        expect_live(page, COMES_BACK)
        expect(page.locator("body")).not_to_have_class("out-of-date")
        server.post(body(user_id="u2"))
        expect(row(page, "u2")).to_be_visible()


def test_a_stopping_server_says_so_and_is_lost_at_once(page: Page, server: Server) -> None:
    visit(page, server)
    page.evaluate("""() => {
      window.words = [];
      document.getElementById("stream").addEventListener("bye", () => {
        window.words.push(document.getElementById("connection-word").textContent);
      });
    }""")
    server.stop(signal.SIGTERM)
    expect_lost(page)
    assert page.evaluate("window.words") == ["Disconnected"]


def test_the_page_says_how_long_ago_it_last_heard(page: Page, server: Server) -> None:
    page.clock.install()
    visit(page, server)
    server.kill()
    expect_lost(page)
    page.clock.fast_forward(60_000)
    expect(state(page)).to_contain_text(re.compile(r"last update 6\d s ago"))
    page.clock.fast_forward(60_000)
    expect(state(page)).to_contain_text("last update 2 min ago")


@pytest.mark.usefixtures("alone")
def test_a_frozen_server_is_noticed_after_two_silent_heartbeats(page: Page, server: Server) -> None:
    page.clock.install()
    visit(page, server)
    with without_reload(page), frozen(server):
        page.clock.fast_forward(19_000)
        expect(page.locator("#connection-word")).to_have_text("Live")
        page.clock.fast_forward(4_000)
        expect_lost(page)
        expect(state(page)).to_contain_text("last update 23 s ago")
        with page.expect_event("requestfailed"):  # an unanswered attempt is given up, and another one follows
            page.clock.fast_forward(2_000)
            page.clock.fast_forward(11_000)
        expect_lost(page)
    expect_live(page, COMES_BACK)
    server.post(REFERENCE)
    expect(row(page, "room-1")).to_be_visible()


def test_a_frozen_server_is_noticed_by_windows_that_share_a_connection(page: Page, server: Server) -> None:
    page.clock.install()
    visit(page, server)
    with frozen(server):
        page.clock.fast_forward(23_000)
        expect_lost(page)
        page.clock.fast_forward(2_000)
        page.clock.fast_forward(11_000)
        expect_lost(page)
    expect_live(page, COMES_BACK)
    server.post(REFERENCE)
    expect(row(page, "room-1")).to_be_visible()


def test_silence_is_measured_even_when_the_clock_of_the_machine_is_set_back(page: Page, server: Server) -> None:
    page.clock.install()
    visit(page, server)
    with frozen(server):
        page.clock.set_system_time("2001-01-01")
        page.clock.run_for(1_000)
        page.clock.fast_forward(23_000)
        expect_lost(page)


@pytest.mark.usefixtures("alone")
def test_a_page_whose_first_stream_fails_tries_again(page: Page, server: Server) -> None:
    server.post(REFERENCE)
    page.route("**/stream*", lambda route: route.abort("connectionrefused"), times=2)
    page.goto(server.url)
    expect_live(page, COMES_BACK)


@pytest.mark.chromium  # Firefox does not report the end of a request that was never answered
@pytest.mark.usefixtures("alone")
def test_a_page_whose_first_stream_is_not_answered_says_so_within_seconds(page: Page, server: Server) -> None:
    page.clock.install()
    page.route("**/stream*", lambda route: None, times=1)
    page.goto(server.url)
    expect(page.locator("#connection-word")).to_have_text("Connecting")
    page.clock.fast_forward(6_000)
    page.clock.fast_forward(2_000)
    expect_lost(page)
    page.clock.fast_forward(5_000)
    expect_live(page, COMES_BACK)


@pytest.mark.usefixtures("_either_connection")
def test_a_stream_that_ends_is_opened_again_without_alarm(page: Page, server: Server) -> None:
    server.post(REFERENCE)
    page.add_init_script("""
      document.addEventListener("DOMContentLoaded", () => {
        const word = document.getElementById("connection-word");
        const { dataset } = document.body;
        const note = () => { dataset.words = `${dataset.words ?? ""} ${word.textContent}`; };
        new MutationObserver(note).observe(word, { childList: true });
      });
    """)
    visit(page, server)
    page.evaluate("document.getElementById('stream')._htmx.sse.reader.cancel()")  # as a proxy would after some minutes
    # The first "Live" may be shown before the test reads it.
    expect(page.locator("body")).to_have_attribute("data-words", re.compile(r"^( Live)? Connecting Live$"))


@pytest.mark.usefixtures("alone")
def test_a_viewer_too_many_is_told_so_and_comes_in_when_there_is_a_place(
    context: BrowserContext, make_server: Callable[..., Server]
) -> None:
    with make_server(MAX_VIEWERS=1).running() as server:
        server.post(REFERENCE)
        first = context.new_page()
        first.add_init_script(HIDEABLE % "false")  # else Firefox may hide it behind the second one
        visit(first, server)
        second = context.new_page()
        second.clock.install()
        second.goto(server.url)
        expect(second.locator("#connection-word")).to_have_text("Not live")
        expect(state(second)).to_contain_text("the server is busy")
        expect(row(second, "room-1")).to_be_visible()
        first.close()
        for _ in range(4):  # the server may notice only after a try or two that there is a place
            second.clock.fast_forward(16_000)  # Retry-After is 10 s
            with suppress(AssertionError):
                expect_live(second, 1_000)
                break
        expect_live(second)


@pytest.mark.usefixtures("alone")
def test_an_answer_that_is_no_stream_is_named(page: Page, server: Server) -> None:
    def answer(status: int) -> None:
        page.unroute_all()
        page.route("**/stream*", lambda route: route.fulfill(status=status, content_type="text/html", body="<h1>No"))

    for status in (200, 404, 500):
        answer(status)
        page.goto(server.url)
        expect(state(page)).to_contain_text(f"the server answered {status}")
        expect(page.locator("h1")).to_have_text("Live rooms")  # and not its text
    page.unroute_all()
    expect_live(page, COMES_BACK)


def test_tries_grow_rarer_and_are_spread(page: Page, server: Server) -> None:
    page.clock.install()
    visit(page, server)
    server.kill()
    expect_lost(page)
    page.evaluate("""() => {
      window.tries = [];
      const stream = document.getElementById("stream");
      stream.addEventListener("htmx:before:request", () => {
        window.tries.push(Date.now());
        document.body.dataset.trying = "";
      });
      stream.addEventListener("htmx:finally:request", () => delete document.body.dataset.trying);
    }""")
    for _ in range(40):
        page.clock.run_for(1_000)
        # A try fails in the browser's own time, not in that of the clock.
        expect(page.locator("body")).not_to_have_attribute("data-trying", "")
    pauses = page.evaluate("window.tries.slice(1).map((at, i) => at - window.tries[i])")
    assert 5 <= len(pauses) <= 14
    assert all(500 <= pause <= 7_500 for pause in pauses)
    assert len(set(pauses)) > 1
