"""The sender of a received stream: by from(), by a name that is not known yet, or unknown."""

from typing import Any

import pytest

from e2e.sdk.stats import inbound, sample
from e2e.sdk.worlds import World
from roompulse.report.decode import decode_report


def named(post: Any) -> dict[str, list[str]]:
    """The ids of received streams, by their sender."""
    return {
        entry["user_id"]: [one["stream_id"] for one in entry["streams"] if one["direction"] == "recv"]
        for entry in post["metrics"]
    }


def receive(world: World, options: str = "undefined") -> None:
    world.do(f"window.pc = new Receiving(); pulse.watch(pc, {options})")


def test_what_is_received_waits_for_its_name_and_then_has_figures_at_once(world: World) -> None:
    world.set_up()
    receive(world)
    world.wait(5)
    assert named(world.posts()[-1]) == {"u1": []}
    world.do("pulse.from(pc.track, 'u2')")
    world.wait(5)
    assert named(world.posts()[-1]) == {"u1": [], "u2": ["camera"]}
    assert world.posts()[-1]["metrics"][1]["streams"][0]["video"]["frame_rate"] == 20
    decode_report(world.do("JSON.stringify(posts.at(-1))").encode())


def test_without_a_name_it_is_of_an_unknown_user_after_ten_seconds(world: World) -> None:
    world.set_up()
    receive(world)
    world.wait(20)
    assert [named(post) for post in world.posts()] == [
        {"u1": []},
        {"u1": ["camera"]},
        {"u1": ["camera"]},
        {"u1": ["camera"]},
    ]
    world.do("pulse.from(pc.track, 'u2')")
    world.wait(10)
    # The stream of the unknown user ends, that of u2 has figures an interval later.
    assert [named(post) for post in world.posts()[4:]] == [{"u1": ["camera"]}, {"u1": [], "u2": ["camera"]}]


def test_a_track_may_be_known_before_its_connection_is_watched(world: World) -> None:
    world.set_up()
    world.do("window.pc = new Receiving(); pulse.from(pc.track, 7n, 'screen-slides'); pulse.watch(pc)")
    world.wait(5)
    assert named(world.posts()[-1]) == {"u1": [], "7": ["screen-slides"]}


def test_a_stream_stands_for_its_tracks_and_for_those_that_come_to_it(world: World) -> None:
    world.set_up()
    world.do("""window.pc = new Receiving(); window.late = new Receiving();
        window.stream = new MediaStream([pc.track]);
        pulse.from(stream, 'u2'); pulse.from(stream, 'u3');
        stream.dispatchEvent(new MediaStreamTrackEvent('addtrack', { track: late.track }));
        pulse.watch(pc); pulse.watch(late)""")
    world.wait(5)
    assert named(world.posts()[-1]) == {"u1": [], "u3": ["camera", "camera-2"]}


def test_from_comes_before_the_name_of_the_connection_and_may_change(world: World) -> None:
    world.set_up()
    receive(world, "{ name: 'u2' }")
    world.wait(5)
    assert named(world.posts()[-1]) == {"u1": [], "u2": ["camera"]}
    world.do("pulse.from(pc.track, 'u3')")
    world.wait(10)
    assert named(world.posts()[-1]) == {"u1": [], "u3": ["camera"]}


def test_a_name_of_false_is_not_known_yet(world: World) -> None:
    world.set_up()
    world.do("window.found = false")
    receive(world, "{ name: () => found }")
    world.wait(5)
    assert named(world.posts()[-1]) == {"u1": []}
    world.do("found = 'u2'")
    world.wait(5)
    assert named(world.posts()[-1]) == {"u1": [], "u2": ["camera"]}


def test_two_streams_that_wait_are_both_called_camera_once_they_have_users(world: World) -> None:
    world.set_up()
    world.do("window.a = new Receiving(); window.b = new Receiving(); pulse.watch(a); pulse.watch(b)")
    world.wait(5)
    world.do("pulse.from(a.track, 'u2'); pulse.from(b.track, 'u3')")
    world.wait(5)
    assert named(world.posts()[-1]) == {"u1": [], "u2": ["camera"], "u3": ["camera"]}


def test_a_stream_that_ends_while_it_waits_was_never_there(world: World) -> None:
    world.set_up()
    receive(world)
    world.wait(5)
    world.do("pc.getTransceivers = () => []; 0")
    world.wait(10)
    assert all(named(post) == {"u1": []} for post in world.posts())


def test_a_place_that_goes_to_a_user_who_is_not_known_yet_ends_the_one_before(world: World) -> None:
    samples = [sample(inbound(5 * at), direction="recvonly") for at in range(6)]
    found = world.measure(samples, name="((at) => () => at++ < 2 ? 'u2' : at < 5 ? false : 'u3')(0)")
    assert [[(one.get("user"), "video" in one) for one in streams] for streams in found] == [
        [],
        [("u2", True)],
        [("u2", False)],
        [],
        [("u3", True)],
        [("u3", True)],
    ]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("pulse.from(undefined, 'u2')", "from() needs a MediaStreamTrack or a MediaStream"),
        ("pulse.from({ mediaStreamTrack: pc.track }, 'u2')", "from() needs a MediaStreamTrack or a MediaStream"),
        ("pulse.from('id', 'u2')", "from() needs a MediaStreamTrack or a MediaStream"),
        ("pulse.from(pc.track)", "the user of from() must be a string or a number, not undefined"),
        ("pulse.from(pc.track, {})", "the user of from() must be a string or a number, not object"),
    ],
)
def test_what_from_cannot_use_is_told_and_not_thrown(world: World, call: str, error: str) -> None:
    world.set_up()
    world.do("window.pc = new Receiving()")
    world.do(f"{call}; {call}; 0")
    assert world.errors() == [f"roompulse: {error}"]


def test_whatever_has_stats_and_transceivers_can_be_watched(world: World) -> None:
    world.set_up()
    world.do("""window.pc = new Receiving();
        pulse.watch({ getStats: () => pc.getStats(), getTransceivers: () => pc.getTransceivers() }, { name: 'u2' })""")
    world.wait(5)
    assert named(world.posts()[-1]) == {"u1": [], "u2": ["camera"]}
    assert world.errors() == []


# Another room


def rooms(world: World) -> list[tuple[str, list[str]]]:
    """The room of each report, and the types of its events."""
    return [(post["room_id"], [event["type"] for event in post.get("events", [])]) for post in world.posts()]


def test_a_user_who_goes_to_another_room_leaves_the_one_before(world: World) -> None:
    world.set_up()
    world.watch()
    world.wait(5)
    world.page.clock.run_for(2_000)
    world.do("pulse.room = 5")
    assert world.do("pulse.room") == "5"
    world.wait(5)
    assert rooms(world) == [("room-1", []), ("room-1", []), ("room-1", ["left"]), ("5", [])]
    assert [len(post["metrics"]) for post in world.posts()] == [1, 1, 0, 1]
    world.do("pulse.room = '5'")
    world.do("pulse.stop()")
    assert rooms(world)[4:] == [("5", ["left"])]


@pytest.mark.parametrize("order", ["pulse.token = 'b'; pulse.room = 'b'", "pulse.room = 'b'; pulse.token = 'b'"])
def test_what_is_still_to_be_posted_about_a_room_has_the_token_of_that_room(world: World, order: str) -> None:
    world.set_up(token="a", room="a")
    world.watch()
    world.wait(5)
    world.do("answers.push({ fault: 'Failed to fetch' })")
    world.wait(5)
    world.do(order)
    world.wait(20)
    assert len(world.posts()) > 5
    assert {(post["room_id"], post["token"]) for post in world.posts()} == {("a", "a"), ("b", "b")}


def test_a_refused_token_of_the_room_before_does_not_hold_up_the_next_one(world: World) -> None:
    world.set_up(token="a", room="a")
    world.watch()
    world.wait(5)
    world.do("answers.push({ status: 401, json: { code: 401, message: 'token: expired' } })")
    world.wait(5)
    world.do("pulse.token = 'b'; pulse.room = 'b'")
    world.wait(20)
    assert world.posts()[-1]["room_id"] == "b"
    assert world.posts()[-1]["report_time"] == world.do("Math.floor(Date.now() / 1000)")


@pytest.mark.parametrize("room", ["undefined", "null", "{}", "NaN"])
def test_a_room_that_is_none_is_told_and_not_entered(world: World, room: str) -> None:
    world.set_up()
    world.watch()
    world.do(f"pulse.room = {room}; 0")
    world.wait(5)
    assert rooms(world) == [("room-1", [])]
    assert world.errors()[0].startswith("roompulse: room must be a string or a number, not ")


def test_a_user_who_is_not_there_yet_changes_rooms_without_a_report(world: World) -> None:
    world.set_up()
    world.do("pulse.room = 'room-2'")
    world.watch()
    world.wait(5)
    assert rooms(world) == [("room-2", [])]
