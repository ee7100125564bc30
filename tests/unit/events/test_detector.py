"""Events are found where the state of live rooms changes, once each, at the time when it began."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from roompulse.events import detector
from roompulse.events.model import Kind, TimelineEvent
from roompulse.report.model import Connection, Device, Entry, Event, Received, Stream
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from tests.builders import NOW, audio, network, received, stream, video
from tests.timelines import detector_of

START = int(NOW)


class World:
    """A server's live rooms, compared once a second."""

    def __init__(self) -> None:
        self.rooms = RoomsInMemory(Limits(rooms=99, room_users=999, user_streams=99), stale_after=15, leave_after=60)
        self.detector = detector_of(self.rooms)
        self.now = NOW
        self.found: list[tuple[str, TimelineEvent]] = []

    def post(self, *reports: Received) -> None:
        for one in reports:
            self.rooms.apply(one)
            self.detector.reported(one)

    def wait(self, seconds: int = 1) -> None:
        for _ in range(seconds):
            self.now += 1
            self.rooms.expire(self.now)
            self.found += self.detector.look(self.now)

    def say(self, user_id: str = "u1", *streams: Stream, **fields: Any) -> None:
        """One report of a user now, and a second that passes."""
        self.post(self.report(user_id, *streams, **fields))
        self.wait()

    def report(self, user_id: str = "u1", *streams: Stream, **fields: Any) -> Received:
        entry = {name: fields.pop(name) for name in ("device", "connection") if name in fields}
        metrics = [Entry(user_id, list(streams or [stream()]), **entry)]
        return received(self.now, user_id=user_id, metrics=metrics, report_time=int(self.now), **fields)

    def live(self, seconds: int, *users: str, every: int = 5, **parts: Any) -> None:
        """Reports of these users for some time, with the same camera."""
        for second in range(seconds):
            if second % every == 0:
                self.post(*(self.report(user_id, stream(**parts)) for user_id in users))
            self.wait()

    def events(self, *kinds: Kind, room_id: str = "room-1") -> list[TimelineEvent]:
        return [event for room, event in self.found if room == room_id and (not kinds or event.kind in kinds)]

    def told(self, *kinds: Kind) -> list[tuple[float, str, str | None]]:
        """Seconds since NOW, kind and user."""
        return [(event.time - NOW, event.kind, event.user_id) for event in self.events(*kinds)]


@pytest.fixture
def world() -> World:
    return World()


POOR: dict[str, Any] = {"network": network(packet_loss=9)}


def texts(events: Iterable[TimelineEvent]) -> list[str]:
    return [event.text for event in events]


def test_a_call_has_a_beginning_and_users_who_come(world: World) -> None:
    world.say("u1")
    world.say("u2")
    world.live(20, "u1", "u2")
    assert world.told() == [(0, "room_started", None), (0, "user_joined", "u1"), (1, "user_joined", "u2")]
    assert texts(world.events()) == ["call started", "joined", "joined"]


def test_a_user_who_says_so_leaves_at_once_and_the_last_one_ends_the_call(world: World) -> None:
    world.live(6, "u1", "u2")
    world.say("u1", events=[Event("left")])
    world.say("u2", events=[Event("left")])
    assert world.told("user_left", "room_ended") == [
        (6, "user_left", "u1"),
        (7, "user_left", "u2"),
        (7, "room_ended", None),
    ]
    assert texts(world.events("user_left")) == ["left", "left"]


def test_a_silent_user_turns_stale_and_leaves_at_the_times_of_the_settings(world: World) -> None:
    world.say("u1")
    world.live(80, "u2")
    assert world.told("user_stale", "user_left") == [(15, "user_stale", "u1"), (60, "user_left", "u1")]
    assert texts(world.events("user_stale", "user_left")) == ["no report for 15 s", "left: no report for 60 s"]


def test_a_user_who_was_not_looked_at_meanwhile_was_stale_before_it_left(world: World) -> None:
    world.say("u1")
    world.now += 100
    world.wait()
    assert world.told("user_stale", "user_left", "room_ended") == [
        (15, "user_stale", "u1"),
        (60, "user_left", "u1"),
        (60, "room_ended", None),
    ]


def test_a_user_returns(world: World) -> None:
    world.say("u1")
    world.live(20, "u2")
    world.say("u1")
    assert world.told("user_returned") == [(21, "user_returned", "u1")]
    assert texts(world.events("user_returned")) == ["reports again after 21 s"]


def test_one_who_comes_and_goes_between_two_looks_did_both(world: World) -> None:
    world.say("u2")
    world.post(world.report("u1"))
    world.now += 0.25
    world.post(world.report("u1", events=[Event("left")]))
    world.now += 0.25
    world.post(world.report("u1"))
    world.wait()
    assert [kind for _, kind, user in world.told() if user == "u1"] == ["user_joined", "user_left", "user_joined"]


def test_a_call_that_ends_and_begins_between_two_looks_did_both(world: World) -> None:
    world.say("u1")
    world.post(world.report("u1", events=[Event("left")]), world.report("u1"))
    world.wait()
    kinds = [event.kind for event in world.events()]
    assert kinds == ["room_started", "user_joined", "user_left", "room_ended", "room_started", "user_joined"]


def test_rooms_have_timelines_of_their_own(world: World) -> None:
    world.say("u1")
    world.say("u1", room_id="other")
    assert [event.kind for event in world.events(room_id="other")] == ["room_started", "user_joined"]
    assert len(world.events()) == 2


def test_a_level_counts_once_it_has_held_and_from_when_it_began(world: World) -> None:
    world.live(15, "u1")
    world.live(9, "u1", **POOR)
    assert world.events("level_changed") == []
    world.live(1, "u1", **POOR)
    (event,) = world.events("level_changed")
    assert (event.time - NOW, event.user_id, event.level) == (15, "u1", "poor")
    assert event.text == "good → poor: 9.0 % packet loss sending camera (−1.9)"
    world.live(30, "u1", **POOR)
    assert len(world.events("level_changed")) == 1


def test_a_level_that_does_not_hold_is_no_event(world: World) -> None:
    world.live(15, "u1")
    for _ in range(3):
        world.live(9, "u1", **POOR)
        world.live(9, "u1")
    assert world.events("level_changed") == []


def test_who_recovers_is_told_without_a_cause(world: World) -> None:
    world.live(30, "u1", **POOR)
    world.live(12, "u1")
    rated, recovered = world.events("level_changed")
    assert (rated.time - NOW, rated.text.partition(":")[0]) == (0, "rated poor")
    assert (recovered.time - NOW, recovered.level, recovered.text) == (30, "good", "poor → good")


def test_a_cause_may_be_what_a_user_receives(world: World) -> None:
    for _ in range(4):
        world.post(world.report("u2"))
        entries = [Entry("u1", [stream()]), Entry("u2", [stream(direction="recv", **POOR)])]
        world.post(received(world.now, user_id="u1", metrics=entries, report_time=int(world.now)))
        world.wait(5)
    assert "receiving u2's camera" in world.events("level_changed")[0].text


def test_silence_is_neither_good_nor_bad(world: World) -> None:
    """A stale user has no level; when it comes back, its level is the one before."""
    world.live(15, "u1", "u2", **POOR)
    world.live(40, "u2", **POOR)
    world.live(20, "u1", "u2", **POOR)
    assert len(world.events("level_changed")) == 2


def test_a_level_has_to_hold_anew_after_a_silence(world: World) -> None:
    world.live(15, "u1")
    world.live(6, "u1", **POOR)
    world.say("u1", stream(video=None, network=None))
    world.live(9, "u1", **POOR)
    assert world.events("level_changed") == []
    world.live(1, "u1", **POOR)
    assert [event.time - NOW for event in world.events("level_changed")] == [22]


def test_a_verdict_counts_once_it_has_held(world: World) -> None:
    users = ["u1", "u2", "u3"]
    world.live(15, *users)
    assert world.events("verdict_changed") == []
    for _ in range(3):
        world.post(world.report("u1", stream(**POOR)), *(world.report(user) for user in users[1:]))
        world.wait(5)
    (isolated,) = world.events("verdict_changed")
    assert (isolated.time - NOW, isolated.user_id, isolated.level, isolated.detail) == (15, None, "poor", "isolated")
    assert isolated.text == "Healthy → Some users affected: 1 of 3 users affected: u1's uplink loses 9 %"
    world.live(15, *users, **POOR)
    world.live(15, *users)
    assert [event.detail for event in world.events("verdict_changed")] == ["isolated", "widespread", "healthy"]
    assert world.events("verdict_changed")[-1].text == "Most users affected → Healthy: 3 users good"


def test_what_a_user_sends_changes(world: World) -> None:
    world.say("u1", stream(video=video(codec="VP8"), audio=audio(codec="opus")))
    small = video(width=640, height=360, codec="AV1", limited_by="cpu")
    world.say("u1", stream(video=small, audio=audio(codec="PCMU")))
    world.say("u1", stream(video=None, audio=None))
    world.say("u1", stream(video=video(width=640, height=360, codec="AV1", limited_by="none")))
    found = world.events("resolution_changed", "codec_changed", "limited")
    assert [(event.time - NOW, event.kind, event.user_id, event.stream_id) for event in found] == [
        (1, "resolution_changed", "u1", "camera"),
        (1, "codec_changed", "u1", "camera"),
        (1, "codec_changed", "u1", "camera"),
        (1, "limited", "u1", "camera"),
        (3, "limited", "u1", "camera"),
    ]
    assert texts(found) == [
        "camera 1280×720 → 640×360",
        "camera codec VP8 → AV1",
        "camera codec opus → PCMU",
        "CPU limits the picture to 640×360 sending camera",
        "camera is no longer limited",
    ]


def test_one_who_is_limited_from_the_start_is_told(world: World) -> None:
    world.say("u1", stream(video=video(limited_by="bandwidth")))
    assert texts(world.events("limited")) == ["bandwidth limits the picture to 1280×720 sending camera"]


def test_how_others_receive_a_user_is_no_change_of_what_it_sends(world: World) -> None:
    for width in (1280, 640):
        entry = Entry("u2", [stream(direction="recv", video=video(width=width))])
        world.post(received(world.now, metrics=[entry]))
        world.wait()
    assert world.events("resolution_changed") == []


def test_the_way_of_the_media_changes(world: World) -> None:
    ways: list[dict[str, Any]] = [
        {},
        {"device": Device(network_type="wifi"), "connection": Connection("host", "udp")},
        {"device": Device(network_type="cellular"), "connection": Connection("srflx", "udp")},
        {"connection": Connection("relay", "tcp")},
        {"device": Device(), "connection": Connection("host")},
    ]
    for way in ways:
        world.say("u1", **way)
    assert [(event.time - NOW, event.text) for event in world.events("connection_changed")] == [
        (2, "network wifi → cellular"),
        (3, "media goes through a relay (tcp)"),
        (4, "media no longer goes through a relay"),
    ]


def burst(world: World, **parts: Any) -> None:
    """Three reports that arrive together, found by one comparison."""
    for bitrate in range(3):
        small = video(width=640, height=360, codec="AV1", limited_by="cpu", bitrate=bitrate)
        world.post(world.report("u1", stream(video=small), **parts))
        world.now += 0.05
    world.wait()


def test_what_changed_is_dated_by_the_report_that_said_so_and_not_by_the_look(world: World) -> None:
    """So that processes that compare at other moments find the same event."""
    world.say("u1", stream(video=video(codec="VP8")), device=Device(network_type="wifi"), connection=Connection("host"))
    burst(world, device=Device(network_type="cellular"), connection=Connection("relay", "tcp"))
    found = world.events("resolution_changed", "codec_changed", "limited", "connection_changed")
    assert [(event.kind, event.time - NOW) for event in found] == [
        ("resolution_changed", 1),
        ("codec_changed", 1),
        ("limited", 1),
        ("connection_changed", 1),
        ("connection_changed", 1),
    ]


def test_who_returns_does_so_with_the_first_of_its_reports(world: World) -> None:
    world.say("u1")
    world.live(19, "u2")
    burst(world)
    (event,) = world.events("user_returned")
    assert (event.time - NOW, event.text) == (20, "reports again after 20 s")


def test_where_another_process_settles_what_has_lasted_it_counts_when_that_is_told(world: World) -> None:
    one, other = world, World()

    def live(seconds: int, **parts: Any) -> None:
        one.live(seconds, "u1", **parts)
        for second in range(seconds):
            if second % 5 == 0:
                other.post(other.report("u1", stream(**parts)))
            other.now += 1
            other.rooms.expire(other.now)
            other.found += other.detector.look(other.now, settle=False)

    live(30, **POOR)
    rated, verdict = one.events("level_changed", "verdict_changed")
    for event in (rated, verdict):
        other.detector.told("room-1", event)
    live(12)
    assert other.events("level_changed", "verdict_changed") == []
    # As the other worker has stopped: nothing is repeated, and changes that have lasted since are not lost.
    other.wait()
    assert [(event.time, event.text) for event in other.events("level_changed", "verdict_changed")] == [
        (NOW + 30, "poor → good"),
        (NOW + 30, "Some users affected → Healthy: 1 user good"),
    ]


def test_two_sdks_as_one_user_are_told_once_until_it_is_over(world: World) -> None:
    def both(rounds: int) -> None:
        for _ in range(rounds):
            for version in ("1.0", "2.0"):
                world.say("u1", sdk_version=version)

    both(10)
    (event,) = world.events("same_id_twice")
    assert (event.user_id, event.text) == ("u1", "two SDKs report as this user (1.0 and 2.0)")
    for _ in range(70):
        world.say("u1", sdk_version="1.0")
    both(10)
    assert len(world.events("same_id_twice")) == 2


def test_events_of_reports_have_their_words_and_their_time(world: World) -> None:
    events = [Event("camera off", START - 3, "camera"), Event("ICE failed", None, None, "no route"), Event("left")]
    world.say("u1", events=events)
    assert world.events("sdk") == [
        TimelineEvent(NOW - 3, "sdk", "u1", "camera", None, "camera off", None),
        TimelineEvent(NOW, "sdk", "u1", None, None, "ICE failed", "no route"),
    ]


@pytest.mark.parametrize("time", [START + 100, START - 601, 5])
def test_an_event_of_a_time_that_cannot_be_is_placed_at_its_receipt(world: World, time: int) -> None:
    world.say("u1", events=[Event("muted", time)])
    assert [event.time for event in world.events("sdk")] == [NOW]


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_clock_that_is_set_neither_delays_nor_hastens_what_has_to_last(world: World, jump: float) -> None:
    world.live(15, "u1")
    world.live(5, "u1", **POOR)
    world.now += jump
    world.rooms.expire(world.now, jump)
    world.detector.shift(jump)
    world.live(4, "u1", **POOR)
    assert world.events("level_changed") == []
    world.live(2, "u1", **POOR)
    assert [event.level for event in world.events("level_changed")] == ["poor"]


def test_levels_that_change_all_the_time_take_no_room_although_none_counts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detector, "_FEW_PENDING", 20)
    world.detector._most_pending = 20
    for second in range(200):
        world.post(received(world.now, metrics=[Entry("u1", [stream(**(POOR if second % 2 else {}))])]))
        world.detector.look(world.now, settle=False)
        world.now += 1
    assert len(world.detector._pending) <= 21


def test_an_incident_of_everybody_is_told_in_portions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "SETTLED_AT_ONCE", 10)
    users = [f"u{number}" for number in range(25)]
    for count in (0, 10, 20, 25):
        world.live(9 if count == 0 else 1, *users, **POOR)
        assert len(world.events("level_changed")) == count
    found = world.events("level_changed")
    assert len(found) == 25
    assert {event.time for event in found} == {NOW}


def restarted(world: World, *reports: Received) -> World:
    """The same rooms after a restart, rebuilt of these reports; its events are those that it adds."""
    stored: dict[str, Sequence[TimelineEvent]] = {"room-1": world.events()}
    after = World()
    after.now = world.now
    for one in reports:
        after.rooms.expire(one.at)
        after.rooms.apply(one)
    after.rooms.expire(after.now)
    after.found += after.detector.resume(stored, after.now)
    return after


def test_a_restart_repeats_nothing(world: World) -> None:
    world.say("u3", stream(**POOR))
    world.say("u3", events=[Event("left")])
    world.live(20, "u1", "u2", **POOR)
    world.live(20, "u1", **POOR)
    log = [
        world.report("u3", events=[Event("left")]),
        world.report("u2", stream(**POOR)),
        world.report("u1", stream(**POOR)),
    ]
    log = [Received(one.report, one.at - ago) for one, ago in zip(log, (30, 25, 5), strict=True)]
    after = restarted(world, *log)
    after.live(9, "u1", **POOR)
    assert after.events() == []


def test_a_restart_forgets_nothing(world: World) -> None:
    """Users who joined, left or changed while the server was not running, or just before it stopped."""
    world.live(20, "u1", "u2", "u4", **POOR)
    world.now += 50
    last = Received(world.report("u2").report, world.now - 55)
    after = restarted(world, last, world.report("u1"), world.report("u3"))
    after.live(12, "u1", "u3")
    assert after.told() == [
        (30, "user_stale", "u2"),
        (70, "user_joined", "u3"),
        (70, "user_left", "u4"),
        (75, "user_left", "u2"),
        (70, "level_changed", "u1"),
        (70, "verdict_changed", None),
    ]


def test_a_call_that_ended_while_the_server_was_not_running_ends(world: World) -> None:
    world.live(20, "u1")
    world.now += 1000
    after = restarted(world)
    assert after.told() == [(1020, "user_left", "u1"), (1020, "room_ended", None)]
    assert texts(after.events()) == ["left while the server was not running", "call ended"]


def test_a_call_of_a_version_without_events_is_taken_as_it_is(world: World) -> None:
    world.now += 100
    after = restarted(world, world.report("u1"), world.report("u2"))
    assert after.events() == []
    after.say("u1", events=[Event("left")])
    assert [event.kind for event in after.events()] == ["user_left"]
