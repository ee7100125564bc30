"""Events at the page's end are sent with the reports: sources, network, ICE, the tab, devices."""

from typing import Any

import pytest

from e2e.sdk.worlds import World
from roompulse.report.decode import decode_report

START = 1_800_000_001


def events(world: World) -> list[tuple[int, ...] | tuple[Any, ...]]:
    """Seconds since the start, type, stream and detail of the reported events."""
    found = [event for post in world.posts() for event in post.get("events", [])]
    return [(one["time"] - START, one["type"], one.get("stream_id"), one.get("detail")) for one in found]


def begin(world: World, **options: Any) -> None:
    world.set_up(**options)
    world.watch()
    world.wait(10)
    assert events(world) == []


def test_a_camera_that_is_turned_off_and_on_is_an_event_of_that_second(world: World) -> None:
    begin(world)
    world.wait(2)
    world.do("pc.track.enabled = false")
    world.wait(2)
    world.do("pc.track.enabled = true")
    world.wait(6)
    assert events(world) == [(13, "camera off", "camera", None), (15, "camera on", "camera", None)]
    decode_report(world.do("JSON.stringify(posts.at(-2))").encode())


@pytest.mark.parametrize(
    ("track", "name", "stream"),
    [
        ("{ kind: 'audio' }", "microphone", "mic"),
        ("{ kind: 'video' }", "camera", "camera"),
        ("{ kind: 'video', contentHint: 'detail' }", "screen share", "screen"),
        ("{ kind: 'video', getSettings: () => ({ displaySurface: 'window' }) }", "screen share", "screen"),
    ],
)
def test_each_source_has_a_name(world: World, track: str, name: str, stream: str) -> None:
    for off, on in (
        ("enabled = false", "enabled = true"),
        ("muted = true", "muted = false"),
        ("readyState = 'ended'", "readyState = 'live'"),
    ):
        world.set_up()
        world.do(f"window.pc = new Connection(); Object.assign(pc.track, {track}); pulse.watch(pc)")
        world.wait(10)
        world.do(f"pc.track.{off}")
        world.wait(5)
        world.do(f"pc.track.{on}")
        world.wait(5)
        told = [(kind, detail) for _, kind, _, detail in events(world)]
        assert told == [(f"{name} off", None), (f"{name} on", None)], off
        assert {stream_id for _, _, stream_id, _ in events(world)} <= {stream, None}
        world.do("pulse.stop()")


def test_a_track_that_is_replaced_by_none_is_off(world: World) -> None:
    begin(world)
    world.do("window.camera = pc.track; pc.track = null; 0")
    world.wait(5)
    world.do("pc.track = camera; 0")
    world.wait(5)
    assert [kind for _, kind, *_ in events(world)] == ["camera off", "camera on"]


def test_what_is_turned_on_later_is_an_event_and_what_was_on_from_the_start_is_none(world: World) -> None:
    begin(world)
    world.do("window.b = new Connection(); b.track = { ...pc.track, contentHint: 'text' }; pulse.watch(b)")
    world.wait(5)
    assert events(world) == [(11, "screen share on", None, None)]


def test_one_camera_that_goes_to_several_users_is_one(world: World) -> None:
    begin(world)
    world.do("window.b = new Connection(); b.track = pc.track; pulse.watch(b)")
    world.wait(5)
    world.do("pc.track.enabled = false")
    world.wait(5)
    assert [kind for _, kind, *_ in events(world)] == ["camera off"]


def test_another_camera_is_an_event(world: World) -> None:
    begin(world)
    world.do("pc.track.getSettings = () => ({ deviceId: 'x' }); 0")
    world.wait(5)
    world.do("pc.track.getSettings = () => ({ deviceId: 'y' }); 0")
    world.wait(5)
    assert [kind for _, kind, *_ in events(world)] == ["camera changed"] * 2


def by_way_of(candidate: str) -> str:
    """A connection with media over this local candidate."""
    return f"""window.candidate = {candidate}; pc.plain ??= pc.getStats.bind(pc);
        pc.getStats = async () => new Map([...await pc.plain(),
          ["T", {{ id: "T", type: "transport", selectedCandidatePairId: "P" }}],
          ["P", {{ id: "P", type: "candidate-pair", localCandidateId: "L" }}],
          ["L", {{ id: "L", type: "local-candidate", ...candidate }}]]); 0"""


def test_another_network_and_another_way_of_the_media_are_events(world: World) -> None:
    begin(world)
    world.do(by_way_of("{ networkType: 'wifi', candidateType: 'host', protocol: 'udp' }"))
    world.wait(10)
    assert events(world) == []
    world.do("candidate.candidateType = 'relay'; candidate.relayProtocol = 'tcp'")
    world.wait(5)
    world.do("candidate = {}")  # while it searches for another path
    world.wait(5)
    world.do("candidate = { networkType: 'cellular', candidateType: 'relay', protocol: 'tcp' }")
    world.wait(5)
    assert [(kind, detail) for _, kind, _, detail in events(world)] == [
        ("route changed", "host udp → relay tcp"),
        ("network changed", "wifi → cellular"),
    ]


@pytest.mark.parametrize("name", ["offline", "online"])
def test_a_browser_that_is_offline_says_so(world: World, name: str) -> None:
    begin(world)
    world.wait(1)
    world.do(f"dispatchEvent(new Event('{name}'))")
    world.wait(4)
    assert events(world) == [(11, name, None, None)]


def ice(world: World, state: str) -> None:
    world.do(f"pc.iceConnectionState = '{state}'; pc.dispatchEvent(new Event('iceconnectionstatechange'))")


def test_ice_that_breaks_and_comes_back_is_told_with_the_user_at_the_other_end(world: World) -> None:
    world.set_up()
    world.watch(options="{ name: 'u2' }")
    for state in ("checking", "connected", "completed", "disconnected", "checking", "connected", "failed", "completed"):
        ice(world, state)
    world.wait(5)
    assert [(kind, detail) for _, kind, _, detail in events(world)] == [
        ("ICE disconnected", "u2"),
        ("ICE connected again", "u2"),
        ("ICE failed", "u2"),
    ]  # the second time that it is connected again is in the same second, and the same event


def describe(world: World, fragment: str) -> None:
    world.do(f"""pc.localDescription = {{ sdp: 'v=0\\r\\na=ice-ufrag:{fragment}\\r\\na=ice-pwd:x\\r\\n' }};
        pc.dispatchEvent(new Event('signalingstatechange'))""")


def test_an_ice_restart_is_an_event_and_a_negotiation_is_none(world: World) -> None:
    begin(world)
    describe(world, "abc")
    describe(world, "abc")
    world.wait(5)
    assert events(world) == []
    describe(world, "def")
    world.wait(5)
    assert events(world) == [(15, "ICE restarted", None, None)]


def test_the_events_of_the_only_connection_are_reported_though_it_failed(world: World) -> None:
    begin(world)
    ice(world, "failed")
    world.do("pc.connectionState = 'failed'")
    world.wait(30)
    assert events(world) == [(10, "ICE failed", None, None)]
    assert len(world.posts()) == 3
    assert [entry["streams"] for entry in world.posts()[-1]["metrics"]] == [[]]


def test_nothing_is_heard_of_a_connection_that_is_not_watched_any_more(world: World) -> None:
    begin(world)
    world.watch("other")
    world.do("pulse.unwatch(pc)")
    ice(world, "failed")
    world.wait(5)
    assert events(world) == []


def test_a_tab_that_is_hidden_and_shown_is_told(world: World) -> None:
    begin(world)
    for hidden in ("true", "false"):
        world.do(f"""Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }});
            document.dispatchEvent(new Event('visibilitychange'))""")
        world.wait(1)
    world.wait(5)
    assert events(world) == [(10, "tab hidden", None, None), (11, "tab shown", None, None)]


def test_devices_that_come_and_go_are_told_once_without_their_names(world: World) -> None:
    begin(world)
    world.do("""navigator.mediaDevices.enumerateDevices = async () => [
          { kind: 'audioinput', label: 'Headset of Ada' }, { kind: 'audioinput' }, { kind: 'audiooutput' }];
        navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
        navigator.mediaDevices.dispatchEvent(new Event('devicechange'))""")
    world.wait(5)
    assert events(world) == [(10, "devices changed", None, "cameras: 0, microphones: 2, speakers: 1")]


def test_events_that_no_report_has_taken_go_by_beacon_when_the_page_is_left(world: World) -> None:
    begin(world)
    world.do("dispatchEvent(new Event('offline')); dispatchEvent(new Event('pagehide'))")
    (beacon,) = world.do("beacons")
    assert [event["type"] for event in beacon["events"]] == ["offline"]
    world.do("dispatchEvent(new Event('pageshow'))")
    world.wait(5)
    assert len(world.posts()) == 3
    assert events(world) == []


def test_after_the_user_has_left_nothing_is_an_event(world: World) -> None:
    begin(world)
    world.do("dispatchEvent(new Event('online'))")
    world.do("pulse.stop()")
    assert [kind for _, kind, *_ in events(world)] == ["online", "left"]
    world.do("dispatchEvent(new Event('offline'))")
    world.watch()
    world.wait(10)
    assert [kind for _, kind, *_ in events(world)] == ["online", "left"]


def test_a_report_has_the_newest_hundred(world: World) -> None:
    begin(world)
    for _ in range(4):
        world.do(
            "for (let i = 0; i < 60; i++) { pc.iceConnectionState = 'failed'; "
            "pc.dispatchEvent(new Event('iceconnectionstatechange')) } 0"
        )
        world.wait(1)
    world.wait(5)
    assert len(events(world)) == 4  # of a second each is one
    world.do(
        "window.at = 0; Date.now = () => 1_800_000_100_000 + 1000 * at++; "
        "for (let i = 0; i < 150; i++) dispatchEvent(new Event('offline')); 0"
    )
    world.wait(5)
    (last,) = [post for post in world.posts() if len(post.get("events", [])) > 4]
    assert len(last["events"]) == 100
    decode_report(world.do("JSON.stringify(posts.find(({ events }) => events?.length > 4))").encode())
