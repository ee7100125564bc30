"""Calls between Chromium and Firefox, in both directions: each reports its sent and received streams."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright
from tests.server import Server

from e2e import firefox
from e2e.sdk.calls import PATIENCE, ROOM, Call, Participant
from e2e.sdk.examples import PEER_SERVER, PeerServer, received

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def foxes(playwright: Playwright) -> Iterator[Browser]:
    browser = firefox.launch(playwright)
    yield browser
    browser.close()


@pytest.fixture
def fox(foxes: Browser, application: str, server: Server) -> Iterator[Participant]:
    with foxes.new_context() as context:
        participant = Participant(context, application, "fox")
        participant.join(server, ROOM, interval=1)
        participant.capture()
        yield participant


@pytest.mark.parametrize("caller", ["fox", "chrome"])
def test_both_browsers_report_what_they_send_and_receive(
    caller: str, fox: Participant, context: BrowserContext, application: str, server: Server
) -> None:
    call = Call(context, application, server)
    chrome = call.join("chrome")
    first, second = (fox, chrome) if caller == "fox" else (chrome, fox)
    first.call(second)

    for user, other in (("fox", "chrome"), ("chrome", "fox")):
        call.until(lambda user=user: call.sends_video(user))  # type: ignore[misc]
        call.until(lambda user=user, other=other: call.receives_video(user, other))  # type: ignore[misc]
        for stream, direction, reporter in (("mic", "send", user), ("mic", "recv", other), ("camera", "send", user)):
            call.until(lambda args=(user, stream, direction, reporter): call.stream(*args)["network"])  # type: ignore[misc]
        camera = call.stream(user, "camera", "recv", other)
        assert 0 < camera["video"]["frame_rate"] < 61
        assert 0 < camera["video"]["bitrate"] < 10_000
        assert camera["video"]["width"] > 0
        assert call.users()[user]["quality"]["score"] > 1
    assert {user: found["device"]["browser"] for user, found in call.users().items()} == {
        "fox": "Firefox",
        "chrome": "Chrome",
    }
    assert fox.problems() == chrome.problems() == []


def test_watch_all_and_from_work_in_firefox(foxes: Browser, application: str, server: Server) -> None:
    with foxes.new_context() as context:
        page = context.new_page()
        page.goto(application)
        page.evaluate(
            """async (url) => {
                const { RoomPulse } = await import("/roompulse.js");
                const native = RTCPeerConnection;
                window.errors = [];
                window.pulse = RoomPulse.watchAll({ url, room: "room-1", user: "u1", interval: 1,
                    onError: ({ message }) => errors.push(message) });
                await capture();
                const [a, b] = [new RTCPeerConnection(), new native()];
                a.onicecandidate = ({ candidate }) => b.addIceCandidate(candidate);
                b.onicecandidate = ({ candidate }) => a.addIceCandidate(candidate);
                a.ontrack = ({ track }) => pulse.from(track, "u2");
                for (const track of peers.tracks) { a.addTrack(track); b.addTrack(track); }
                await a.setLocalDescription();
                await b.setRemoteDescription(a.localDescription);
                await b.setLocalDescription();
                await a.setRemoteDescription(b.localDescription);
                window.fine = a instanceof RTCPeerConnection && b instanceof RTCPeerConnection;
            }""",
            server.url,
        )
        call = Call(context, application, server)
        call.until(lambda: call.sends_video("u1") and call.receives_video("u2", "u1"))
        assert page.evaluate("[fine, errors.length]") == [True, 0]


def test_a_page_of_peerjs_has_both_users_by_name_in_both_browsers(
    foxes: Browser, context: BrowserContext, examples: str, server: Server
) -> None:
    peer_server = PeerServer()
    with foxes.new_context() as fox:
        fox.route_web_socket(PEER_SERVER, peer_server.accept)
        context.route_web_socket(PEER_SERVER, peer_server.accept)
        page = fox.new_page()
        page.goto(f"{examples}/peerjs.html?user=ben")
        caller = context.new_page()
        caller.goto(f"{examples}/peerjs.html?user=ada&other=ben")
        both = {("ada", "ben", "camera"), ("ada", "ben", "mic"), ("ben", "ada", "camera"), ("ben", "ada", "mic")}
        deadline = time.monotonic() + PATIENCE
        while received(server) != both:
            assert time.monotonic() < deadline, received(server)
            page.wait_for_timeout(200)  # which passes messages on meanwhile
