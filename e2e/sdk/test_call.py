"""Real calls: the SDK in pages of another origin, and the real server's figures of them."""

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.server import Server

from e2e.conftest import NETWORK_FAULTS, Watch
from e2e.pages import row, visit
from e2e.sdk.calls import ROOM, Call


@pytest.fixture
def call(context: BrowserContext, application: str, server: Server) -> Call:
    return Call(context, application, server)


def test_a_call_shows_up_as_it_is(call: Call, server: Server, new_context: Callable[..., BrowserContext]) -> None:
    """Two talk, the third only listens."""
    u1 = call.join("u1")
    u2 = call.join("u2", u1)
    u3 = call.join("u3", u1, u2, silent=True)
    assert not u1.page.url.startswith(server.url)
    call.until(lambda: call.sends_video("u1") and call.sends_video("u2"))
    call.until(
        lambda: all(call.receives_video(*pair) for pair in (("u1", "u2"), ("u2", "u1"), ("u1", "u3"), ("u2", "u3")))
    )
    call.until(lambda: call.stream("u1", "camera", "send")["network"]["packet_loss"] is not None)

    users = call.users()
    assert list(users) == ["u1", "u2", "u3"]
    for talker in ("u1", "u2"):
        quality = users[talker]["quality"]
        assert quality["uplink"] >= 1  # how good it is, is up to the machine
        assert quality["downlink"] >= 1
    assert users["u3"]["quality"]["uplink"] is None
    assert users["u3"]["quality"]["downlink"] >= 1
    assert {(one["user_id"], one["stream_id"]) for one in users["u3"]["receiving"]} == {
        (user, stream) for user in ("u1", "u2") for stream in ("camera", "mic")
    }
    assert {one["stream_id"] for one in users["u1"]["streams"] if one["direction"] == "send"} == {
        "camera",
        "camera-2",
        "mic",
        "mic-2",  # one for each of the other two
    }

    for direction in ("send", "recv"):
        camera = call.stream("u1", "camera", direction)
        assert (camera["video"]["width"], camera["video"]["height"]) == (320, 240)
        assert 0 < camera["video"]["frame_rate"] < 31
        assert 0 < camera["video"]["bitrate"] < 5_000
        assert 0 <= camera["network"]["rtt"] < 10_000
        assert 0 <= camera["network"]["jitter"] < 10_000
        mic = call.stream("u1", "mic", direction)
        assert mic["audio"]["sample_rate"] == 48_000
        assert 1 < mic["audio"]["bitrate"] < 200

    page = new_context().new_page()
    visit(page, server, f"/rooms/{ROOM}")
    for user in ("u1", "u2", "u3"):
        expect(row(page, user)).to_be_visible()
    assert [one.problems() for one in (u1, u2, u3)] == [[], [], []]


def test_by_default_a_user_is_there_after_two_intervals(call: Call, server: Server) -> None:
    u1 = call.join("u1", interval=None)
    began = time.monotonic()
    call.join("u2", u1, interval=None)
    call.until(lambda: call.sends_video("u1") and call.receives_video("u2", "u1"))
    assert time.monotonic() - began < 20
    assert call.users()["u1"]["quality"]["score"] > 1


@pytest.mark.parametrize(
    ("limit", "term"), [("{ maxFramerate: 4 }", "frame_rate"), ("{ maxBitrate: 60_000 }", "picture")]
)
def test_a_poor_camera_is_a_cost_of_its_name(call: Call, limit: str, term: str) -> None:
    u1 = call.join("u1", silent=True)
    u1.capture(width=640, height=480)
    call.join("u2", u1, silent=True)
    call.until(lambda: call.sends_video("u1") and call.receives_video("u1", "u2"))
    u1.page.evaluate(f"limit('u2', {limit})")
    for direction in ("send", "recv"):
        call.until(
            lambda d=direction: (
                term
                in {  # type: ignore[misc]
                    one["term"] for one in call.stream("u1", "camera", d)["quality"]["terms"]
                }
            )
        )


OFF = {
    "disabled": "peers.tracks.forEach((track) => { track.enabled = false })",
    "replaced": "Promise.all(peers.u2.getSenders().map((sender) => sender.replaceTrack(null)))",
    "ended": "peers.tracks.forEach((track) => track.stop())",
}


@pytest.mark.parametrize("how", OFF)
def test_a_camera_that_is_turned_off_is_no_fault(call: Call, how: str) -> None:
    u1 = call.join("u1", interval=2)
    call.join("u2", u1, silent=True, interval=2)
    call.until(lambda: call.sends_video("u1") and call.receives_video("u1", "u2"))
    u1.page.evaluate(OFF[how])
    deadline = time.monotonic() + 7
    while time.monotonic() < deadline:
        for user in call.users().values():
            for one in user["streams"]:
                costs = {term["term"] for term in one["quality"]["terms"] if term["cost"] >= 0.5}
                assert costs & {"frame_rate", "picture"} == set(), repr(one)
        time.sleep(0.1)
    call.until(lambda: call.stream("u1", "camera", "send")["video"] is None)
    call.until(lambda: call.stream("u1", "camera", "recv")["video"] is None)


def test_a_screen_is_a_stream_of_its_own(call: Call) -> None:
    u1 = call.join("u1", silent=True)
    u1.capture(screen=True)
    call.join("u2", u1, silent=True)
    for direction in ("send", "recv"):
        call.until(lambda d=direction: (call.stream("u1", "screen", d)["video"] or {}).get("width") == 1280)  # type: ignore[misc]
        call.until(lambda d=direction: (call.stream("u1", "camera", d)["video"] or {}).get("width") == 320)  # type: ignore[misc]


@pytest.fixture
def hasty(make_server: Callable[..., Server]) -> Iterator[Server]:
    with make_server(STALE_AFTER=4, LEAVE_AFTER=8).running() as server:
        yield server


def test_who_closes_the_tab_turns_stale_and_leaves(
    context: BrowserContext, application: str, hasty: Server, page: Page
) -> None:
    call = Call(context, application, hasty)
    u1 = call.join("u1")
    u2 = call.join("u2", u1)
    call.until(lambda: call.sends_video("u1") and call.sends_video("u2"))
    # u2 keeps listening until its connection notices, and would keep reporting about u1.
    u2.page.evaluate("pulse().unwatch(peers.u1)")
    u1.page.close()
    visit(page, hasty, f"/rooms/{ROOM}")
    expect(row(page, "u1")).to_contain_text("stale")
    expect(row(page, "u1")).to_have_count(0)


def test_reports_of_a_time_without_server_arrive_when_it_is_back(call: Call, server: Server, watch: Watch) -> None:
    watch.allow(NETWORK_FAULTS)
    u1 = call.join("u1")
    call.join("u2", u1, silent=True)
    call.until(lambda: call.sends_video("u1"))
    server.stop()
    u1.page.wait_for_function("problems.length > 0")
    server.start()
    call.until(lambda: call.sends_video("u1"))
    (problem,) = u1.problems()
    assert re.fullmatch(r"roompulse: http://.*/report/metrics cannot be reached: .*", problem)


def test_a_page_that_is_left_hands_over_its_reports_by_beacon(call: Call) -> None:
    u1 = call.join("u1")
    u1.page.evaluate("() => { window.fetch = async () => { throw new TypeError('Failed to fetch') } }")
    u1.page.evaluate("() => { connect('u2') }")
    u1.page.wait_for_function("problems.length > 0")
    assert call.users() == {}
    u1.page.goto("about:blank")
    call.until(lambda: "u1" in call.users())


def test_a_refused_report_says_why(call: Call, watch: Watch) -> None:
    watch.allow(NETWORK_FAULTS)
    u1 = call.join(" u1")
    u1.page.evaluate("() => { connect('u2') }")
    u1.page.wait_for_function("problems.length > 0")
    assert "$.user_id: must not begin or end with a blank" in u1.problems()[0]
