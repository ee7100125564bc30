"""`RoomPulse.watchAll`: each new connection is reported, and no call is broken by anything a page does."""

import json

import pytest
from playwright.sync_api import Page

from e2e.sdk.worlds import World

WATCH_ALL = """
(async () => {
  const { RoomPulse } = await import("/roompulse.js");
  window.native = window.RTCPeerConnection;
  if (native) native.prototype.getStats = async () => new Map();
  window.pulse = RoomPulse.watchAll({ url: "http://roompulse.test", room: "room-1", user: "u1",
    onError: ({ message }) => errors.push(message) });
})()
"""
CALLING = "window.pc = new RTCPeerConnection(); pc.addTransceiver('audio'); pc.setLocalDescription()"
DATA = "window.data = new RTCPeerConnection(); data.createDataChannel('chat'); data.setLocalDescription()"


DERIVED = """
(() => {
  class Mine extends RTCPeerConnection { get mine() { return 1 } };
  const one = new Mine();
  return [one.mine, one instanceof Mine, one instanceof RTCPeerConnection, one.constructor === Mine].join();
})()
"""


def watch_all(world: World, before: str = "0") -> None:
    world.set_up()
    world.do(before)
    world.do(WATCH_ALL)


def posts(world: World, seconds: float = 5) -> int:
    """How many more reports there are after so many seconds."""
    before = len(world.posts())
    world.wait(seconds)
    return len(world.posts()) - before


def test_a_connection_is_reported_once_it_has_media(world: World) -> None:
    watch_all(world)
    assert posts(world) == 0
    world.do(CALLING)
    assert posts(world, 15) == 3
    assert world.errors() == []


def test_a_connection_without_media_is_ignored_until_it_has_some(world: World) -> None:
    watch_all(world)
    world.do(DATA)
    assert posts(world, 15) == 0
    world.do("""(async () => {
        const other = new native();
        await other.setRemoteDescription(data.localDescription);
        await other.setLocalDescription();
        await data.setRemoteDescription(other.localDescription);
        data.addTransceiver('video');
        await data.setLocalDescription();
    })()""")
    assert posts(world, 15) == 3


def test_who_is_called_is_reported_too(world: World) -> None:
    watch_all(world)
    world.do("""(async () => {
        const caller = new native();
        caller.addTransceiver("video");
        await caller.setLocalDescription();
        window.callee = new RTCPeerConnection();
        await callee.setRemoteDescription(caller.localDescription);
    })()""")
    assert posts(world) == 1


OBSERVED = [
    "typeof RTCPeerConnection",
    "RTCPeerConnection.name + RTCPeerConnection.length",
    "new RTCPeerConnection() instanceof RTCPeerConnection",
    "new native() instanceof RTCPeerConnection",
    "new RTCPeerConnection() instanceof native",
    "Object.getOwnPropertyNames(RTCPeerConnection).sort().join()",
    "RTCPeerConnection.generateCertificate({ name: 'ECDSA', namedCurve: 'P-256' }).then((one) => !!one)",
    "RTCPeerConnection.prototype === native.prototype",
    "new RTCPeerConnection({ iceServers: [{ urls: 'stun:127.0.0.1' }] }).getConfiguration().iceServers.length",
    "(() => { try { new RTCPeerConnection({ iceServers: 5 }) } catch (error) { return `${error}` } })()",
    "(() => { try { RTCPeerConnection() } catch (error) { return error.name } })()",
    "`${Object.prototype.toString.call(new RTCPeerConnection())}`",
    DERIVED,
    "Reflect.ownKeys(Object.getOwnPropertyDescriptor(window, 'RTCPeerConnection')).join()",
    "Object.getOwnPropertyDescriptor(window, 'RTCPeerConnection').enumerable",
]


def test_the_constructor_is_as_it_was(world: World) -> None:
    world.set_up()
    world.do("window.native = RTCPeerConnection")
    before = {javascript: world.do(javascript) for javascript in OBSERVED}
    world.do(WATCH_ALL)
    assert world.do("RTCPeerConnection !== native")
    assert {javascript: world.do(javascript) for javascript in OBSERVED} == before
    assert world.errors() == []


def test_a_class_that_a_page_derives_is_watched(world: World) -> None:
    watch_all(world)
    world.do("""window.Mine = class extends RTCPeerConnection {};
        window.pc = new Mine(); pc.addTransceiver('audio'); pc.setLocalDescription()""")
    assert posts(world) == 1


def test_unwatch_all_gives_the_constructor_back_and_ends_with_a_last_report(world: World) -> None:
    watch_all(world)
    world.do("window.descriptor = JSON.stringify(Object.getOwnPropertyDescriptor(window, 'RTCPeerConnection'))")
    world.do(CALLING)
    assert posts(world) == 1
    world.do("pulse.unwatchAll()")
    assert world.do("RTCPeerConnection === native")
    assert world.do("descriptor === JSON.stringify(Object.getOwnPropertyDescriptor(window, 'RTCPeerConnection'))")
    assert len(world.posts()) == 2
    assert "events" not in world.posts()[-1]
    world.do("pc.addTransceiver('video'); pc.setLocalDescription()")
    world.do(CALLING)
    assert posts(world, 20) == 0
    world.do("pulse.unwatchAll()")
    assert world.errors() == []


def test_a_user_who_left_is_not_brought_back_by_a_connection_that_is_still_open(world: World) -> None:
    watch_all(world)
    world.do(CALLING)
    assert posts(world) == 1
    world.do("pulse.stop()")
    world.do("pc.addTransceiver('video'); pc.setLocalDescription()")
    assert posts(world, 20) == 0
    world.do(CALLING)
    assert posts(world) == 1


def test_a_connection_that_comes_back_after_it_failed_is_watched_again(world: World) -> None:
    watch_all(world)
    world.do(CALLING)
    world.wait(5)
    world.do("Object.defineProperty(pc, 'connectionState', { value: 'failed', configurable: true })")
    assert posts(world, 20) == 0
    world.do("""Object.defineProperty(pc, 'connectionState', { value: 'connected', configurable: true });
        pc.dispatchEvent(new Event('connectionstatechange'))""")
    assert posts(world) == 1


def test_one_that_wraps_the_constructor_later_stays(world: World) -> None:
    watch_all(world)
    world.do(
        """window.RTCPeerConnection = class Theirs extends RTCPeerConnection {}; window.theirs = RTCPeerConnection"""
    )
    world.do(CALLING)
    assert posts(world) == 1
    world.do("pulse.unwatchAll()")
    assert world.do("RTCPeerConnection === theirs")
    world.do(CALLING)
    assert world.do("pc instanceof native")
    assert posts(world, 20) == 0
    assert world.errors() == []


@pytest.mark.parametrize("first", ["pulse", "second"])
def test_two_copies_of_the_sdk_give_the_constructor_back_in_any_order(world: World, first: str) -> None:
    watch_all(world)
    world.do("""(async () => {
        const { RoomPulse } = await import("/roompulse.js?copy");
        window.second = RoomPulse.watchAll({ url: "http://roompulse.test", room: "other", user: "u1" });
    })()""")
    world.do(CALLING)
    world.wait(5)
    assert sorted(post["room_id"] for post in world.posts()) == ["other", "room-1"]
    other = {"pulse": "second", "second": "pulse"}[first]
    world.do(f"{first}.unwatchAll()")
    before = len(world.posts())
    world.do(CALLING)
    world.wait(5)
    assert {post["room_id"] for post in world.posts()[before:]} == {{"pulse": "other", "second": "room-1"}[first]}
    world.do(f"{other}.unwatchAll()")
    world.do(CALLING)
    assert world.do("pc instanceof RTCPeerConnection && pc instanceof native")
    assert posts(world, 10) == 0


@pytest.mark.parametrize(
    "state",
    [
        "Object.defineProperty(window, 'RTCPeerConnection', { writable: false, configurable: false }); 0",
        "Object.defineProperty(window, 'RTCPeerConnection', { get: () => Connection }); 0",
        "Object.defineProperty(window, 'RTCPeerConnection', { get: () => Connection, set() {} }); 0",
        "delete window.RTCPeerConnection; 0",
        "window.RTCPeerConnection = null",
    ],
    ids=["fixed", "getter", "setter", "missing", "null"],
)
def test_a_constructor_that_cannot_be_replaced_is_told_once_and_watch_still_works(world: World, state: str) -> None:
    world.set_up()
    world.do(state)
    world.do(WATCH_ALL)
    assert len(world.errors()) == 1
    assert world.errors()[0].startswith("roompulse: watchAll(): ")
    world.watch()
    assert posts(world, 10) == 2
    world.do("pulse.unwatchAll()")
    assert len(world.errors()) == 1


def test_a_frozen_constructor_is_watched(world: World) -> None:
    watch_all(world, "Object.freeze(RTCPeerConnection); Object.freeze(RTCPeerConnection.prototype); 0")
    world.do(CALLING)
    assert posts(world) == 1
    assert world.errors() == []


@pytest.mark.parametrize(
    "theirs",
    [
        "class { mine = 1 }",
        "class { mine = 1; addEventListener() { throw new Error('no') } }",
        "function () { return { mine: 1 } }",
    ],
)
def test_what_a_page_has_in_its_place_is_made_as_ever_and_told_once(world: World, theirs: str) -> None:
    watch_all(world, f"window.RTCPeerConnection = {theirs}; 0")
    assert world.do("[1, 2, 3].map(() => new RTCPeerConnection().mine)") == [1, 1, 1]
    world.wait(10)
    assert len(world.errors()) == 1


def test_a_connection_whose_transceivers_cannot_be_had_is_told_once(world: World) -> None:
    watch_all(world)
    world.do("RTCPeerConnection.prototype.getTransceivers = undefined; 0")
    world.do(DATA)
    world.do(DATA)
    world.wait(10)
    assert len(world.errors()) == 1
    assert "getTransceivers" in world.errors()[0]


@pytest.mark.parametrize(
    "options", ["undefined", "null", "{}", "{ url: 'no url', room: 'r', user: 'u' }", "{ url: 'http://h', room: 1 }"]
)
def test_wrong_options_leave_the_constructor_alone(world: World, options: str) -> None:
    world.set_up()
    world.do(f"""(async () => {{
        const {{ RoomPulse }} = await import("/roompulse.js");
        console.warn = (text) => errors.push(text);
        window.native = RTCPeerConnection;
        window.pulse = RoomPulse.watchAll({options});
    }})()""")
    assert world.do("RTCPeerConnection === native && pulse.constructor.name === 'RoomPulse'")
    assert len(world.errors()) >= 1
    world.do("pulse.unwatchAll()")


POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'"
SCRIPT = """
import { RoomPulse } from "/roompulse.js";
const pulse = RoomPulse.watchAll({ url: location.origin, room: "room-1", user: "u1", interval: 1 });
const pc = new RTCPeerConnection();
pc.addTransceiver("audio");
await pc.setLocalDescription();
"""


def test_it_runs_under_a_policy_without_eval(page: Page, application: str) -> None:
    html = "<!doctype html><title>Strict</title><link rel=icon href=data:,><script type=module src=/strict.js></script>"
    strict = {"Content-Security-Policy": f"{POLICY}; img-src data:", "Content-Type": "text/html"}
    page.route(f"{application}/strict", lambda route: route.fulfill(body=html, headers=strict))
    page.route(f"{application}/strict.js", lambda route: route.fulfill(body=SCRIPT, content_type="text/javascript"))
    page.route(f"{application}/report/metrics", lambda route: route.fulfill(json={"code": 0}))
    with page.expect_request(f"{application}/report/metrics") as posted:
        page.goto(f"{application}/strict")
    body = posted.value.post_data
    assert body
    assert json.loads(body)["user_id"] == "u1"
