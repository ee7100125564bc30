"""Room tokens in the browser: a page on another origin posts with one, and continues with the next."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Request
from tests.access import bearer
from tests.process import eventually
from tests.process.test_keys import add_key, ran
from tests.server import Server

from e2e.conftest import Watch
from e2e.sdk.worlds import World

START = 1_800_000_001
REFUSED = "{ status: 401, json: { code: 401, message: 'token: expired' } }"


def times(posts: list[Any]) -> list[int]:
    """The times of reports, in seconds since the start."""
    return [post["report_time"] - START for post in posts]


def test_a_report_carries_the_token_of_the_moment_when_it_is_posted(world: World) -> None:
    world.set_up(token="one")
    world.watch()
    world.do("answers.push({}, { fault: 'Failed to fetch' })")
    world.wait(11)
    assert world.do("pulse.token") == "one"
    world.do("pulse.token = 'two'")
    world.wait(5)
    assert [(time, post["token"]) for time, post in zip(times(world.posts()), world.posts(), strict=True)] == [
        (5, "one"),
        (10, "one"),
        (10, "two"),
        (15, "two"),
    ]


def test_without_a_token_there_is_none(world: World) -> None:
    world.set_up()
    world.watch()
    world.wait(5)
    assert "token" not in world.posts()[0]


def test_a_refused_token_is_told_and_reports_wait_for_another_one(world: World) -> None:
    world.set_up(token="old")
    world.watch()
    world.do(f"answers.push({{}}, {REFUSED})")
    world.wait(120)
    assert times(world.posts()) == [5, 10]
    assert world.errors() == ["roompulse: http://roompulse.test/report/metrics answers 401: token: expired"]
    world.do("pulse.token = 'new'")
    world.wait(5)
    assert times(world.posts()) == [5, 10, *range(10, 130, 5)]
    assert {post["token"] for post in world.posts()[2:]} == {"new"}


def test_who_waits_for_a_token_keeps_the_newest_hundred(world: World) -> None:
    world.set_up(interval=1)
    world.watch()
    world.do(f"answers.push({REFUSED})")
    world.wait(150)
    assert len(world.posts()) == 1
    world.do("pulse.token = 'first'")
    world.wait(1)
    assert times(world.posts())[1:] == list(range(52, 152))


def test_a_new_token_that_is_refused_too_is_told_again_only_if_it_is_another_fault(world: World) -> None:
    world.set_up(token="old")
    world.watch()
    world.do(f"answers.push({REFUSED}, {REFUSED}, {{ status: 401, json: {{ code: 401, message: 'token: kid' }} }})")
    for token in ("newer", "newest", "right"):
        world.wait(10)
        world.do(f"pulse.token = '{token}'")
    world.wait(10)
    assert [error.rpartition(": ")[2] for error in world.errors()] == ["expired", "kid"]
    assert times(world.posts())[:4] == [5, 5, 5, 5]
    assert times(world.posts())[-1] == 40


def test_a_token_for_somebody_else_is_told_and_the_report_dropped(world: World) -> None:
    world.set_up(token="another")
    world.watch()
    world.do("answers.push({ status: 403, json: { code: 403, message: '$.room_id: the token is for another room' } })")
    world.wait(10)
    assert times(world.posts()) == [5, 10]
    assert len(world.errors()) == 1


def test_a_page_that_is_left_shows_its_token_unless_that_was_refused(world: World) -> None:
    world.set_up(token="one")
    world.watch()
    world.do("answers.push({ fault: 'Failed to fetch' })")
    world.wait(5)
    world.do("pulse.token = 'two'; dispatchEvent(new Event('pagehide'))")
    assert [beacon["token"] for beacon in world.do("beacons")] == ["two"]
    world.do(f"answers.push({REFUSED})")
    world.wait(10)
    world.do("dispatchEvent(new Event('pagehide'))")
    assert len(world.do("beacons")) == 1


@pytest.mark.parametrize("token", ["5n", "{}", "5", "(() => { const a = []; a.push(a); return a })()"])
def test_a_token_that_is_none_troubles_nobody(world: World, token: str) -> None:
    world.set_up()
    world.watch()
    world.do(f"window.none = {token}; pulse.token = none; 0")
    world.wait(20)
    world.do("dispatchEvent(new Event('pagehide'))")
    assert len(world.errors()) <= 1
    world.do("pulse.token = 'right'")
    world.wait(60)
    assert times(world.posts())[-1] == 80


def test_the_server_takes_the_reports_of_a_page_elsewhere_once_its_token_is_right(
    make_server: Callable[..., Server], world: World, application: str, watch: Watch
) -> None:
    watch.allow("401")
    sent: list[Request] = []

    def note(request: Request) -> None:
        sent.append(request)

    world.page.on("request", note)
    server = make_server()
    key = add_key(server, "read")
    token = ran(server, "token", "--room", "room-1", "--user", "u1").stdout.strip()
    with server.running():
        assert not server.url.startswith(application)
        world.do("window.real = fetch")
        world.set_up(url=server.url, token="nonsense")
        world.do("window.fetch = real")
        world.watch()
        world.wait(6)
        eventually(lambda: world.errors() != [])
        assert "answers 401: token: not a JWT" in world.errors()[0]
        world.do(f"pulse.token = '{token}'")
        world.wait(6)
        room = eventually(lambda: server.get("/report/metrics/room-1", **bearer(key)).json()["data"])
        assert [user["user_id"] for user in room["users"]] == ["u1"]
        assert token not in server.log.read_text()
    sent = [request for request in sent if request.url.endswith("/report/metrics")]
    # Requests without a preflight: a method, headers and a type of the Fetch standard's list.
    assert {request.method for request in sent} == {"POST"}
    assert all(request.headers["content-type"].startswith("text/plain") for request in sent)
    assert not any("authorization" in request.headers for request in sent)
