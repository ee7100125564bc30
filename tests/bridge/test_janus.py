"""The video rooms by Janus' events, and that other events do not break the bridge."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roompulse.bridge import janus
from roompulse.bridge.counters import Counter
from roompulse.bridge.events import Stats, events_of
from roompulse.bridge.janus import JanusRooms
from roompulse.client import Audio, Entry, Event, Network, Report, Stream, Video
from roompulse.report.decode import decode_report

Json = dict[str, Any]
SECOND = 1_000_000


def event(kind: int, body: Any, handle: tuple[int, int] = (1, 10), at: float = 0, **more: Any) -> Json:
    session_id, handle_id = handle
    sent = {"emitter": "janus-1", "type": kind, "event": body, "timestamp": int(at * SECOND)}
    return sent | {"session_id": session_id, "handle_id": handle_id} | more


def room_event(name: str, handle: tuple[int, int] = (1, 10), room: Any = 1234, **data: Any) -> Json:
    return event(64, {"plugin": "janus.plugin.videoroom", "data": {"event": name, "room": room} | data}, handle)


def joined(user: Any, handle: tuple[int, int], **data: Any) -> Json:
    return room_event("joined", handle, id=user, **({"private_id": handle[0] * 100, "display": f"User {user}"} | data))


def stats(handle: tuple[int, int], at: float, mid: str = "0", media: str = "video", **counters: int) -> Json:
    counts = {name.replace("_", "-"): value for name, value in counters.items()}
    return event(32, {"mid": mid, "media": media, "codec": "vp8", **counts}, handle, at, subtype=3)


def take(rooms: JanusRooms, *events: Any) -> list[Report]:
    return rooms.take([one for one in events_of(json.dumps(list(events)).encode()) if one])


def metrics(reports: list[Report]) -> dict[str, list[Stream]]:
    return {entry.user_id: list(entry.streams) for report in reports for entry in report.metrics}


SENDS, OTHER, TAKES = (1, 10), (2, 20), (2, 21)
FEEDS = [{"type": "video", "mid": "0", "feed_id": 7, "feed_mid": "1"}]


@pytest.fixture
def rooms() -> JanusRooms:
    """Users 7 and 8; user 8 subscribes to the camera of 7."""
    rooms = JanusRooms()
    streams = [{"type": "audio", "mid": "0"}, {"type": "video", "mid": "1"}]
    take(rooms, joined(7, SENDS), room_event("published", SENDS, id=7, streams=streams), joined(8, OTHER))
    take(rooms, room_event("subscribing", TAKES, streams=FEEDS, private_id=200))
    return rooms


def test_users_are_there_from_when_they_join(rooms: JanusRooms) -> None:
    (report,) = rooms.reports()
    assert (report.user_id, report.room_id, report.role, report.sdk_version) == ("janus-1", "1234", "server", "janus")
    assert list(report.metrics) == [Entry("7", [], user_name="User 7"), Entry("8", [], user_name="User 8")]


def test_send_is_what_janus_receives(rooms: JanusRooms) -> None:
    take(rooms, stats(SENDS, 1, "1", packets_received=100, lost=2, bytes_received=10_000))
    later: Json = {"packets_received": 190, "lost": 12, "bytes_received": 510_000, "jitter_local": 7, "rtt": 99}
    take(rooms, stats(SENDS, 5, "1", **later), stats(SENDS, 4, "0", "audio"))
    expected = Stream("camera", "send", video=Video(bitrate=1000), network=Network(packet_loss=10, jitter=7))
    assert metrics(rooms.reports())["7"] == [expected]


def test_recv_is_what_receiver_reports_tell_janus(rooms: JanusRooms) -> None:
    take(rooms, stats(TAKES, 1, packets_sent=100, lost_by_remote=5, bytes_sent=0))
    later: Json = {"packets_sent": 200, "lost_by_remote": 11, "bytes_sent": 125_000, "jitter_remote": 9, "rtt": 45}
    take(rooms, stats(TAKES, 2, **later))
    network = Network(rtt=45, packet_loss=6, jitter=9)
    expected = Stream("camera", "recv", video=Video(bitrate=1000), network=network, sender_id="7")
    assert metrics(rooms.reports())["8"] == [expected]


def test_figures_are_since_the_report_before(rooms: JanusRooms) -> None:
    take(rooms, stats(SENDS, 0, "1"), stats(SENDS, 1, "1", packets_received=10, lost=10))
    assert metrics(rooms.reports())["7"][0].network == Network(packet_loss=50, jitter=0)
    assert metrics(rooms.reports())["7"] == [], "nothing is known since then"
    take(rooms, stats(SENDS, 2, "1", packets_received=20, lost=10))
    assert metrics(rooms.reports())["7"][0].network == Network(packet_loss=0, jitter=0)


def test_a_stream_without_packets_has_no_figures_of_its_network(rooms: JanusRooms) -> None:
    take(rooms, stats(SENDS, 0, "0", "audio", bytes_received=9), stats(SENDS, 1, "0", "audio", bytes_received=9))
    assert metrics(rooms.reports())["7"] == [Stream("mic", "send", audio=Audio(bitrate=0))]


def test_layers_of_simulcast_are_one_stream(rooms: JanusRooms) -> None:
    for at, sent in ((0, 0), (1, 50)):
        layers = [stats(SENDS, at, "1", media, packets_received=sent) for media in ("video", "video-sim1")]
        take(rooms, *layers, stats(SENDS, at, "1", "video-sim2", packets_received=0, lost=sent * 2))
    assert [one.network for one in metrics(rooms.reports())["7"]] == [Network(packet_loss=50, jitter=0)]


def test_statistics_of_a_connection_may_be_combined(rooms: JanusRooms) -> None:
    for at in (0, 1):
        both = [{"mid": "0", "media": "audio"}, {"mid": "1", "media": "video"}, {"mid": "2", "media": "data"}]
        take(rooms, event(32, both, SENDS, at))
    assert [one.stream_id for one in metrics(rooms.reports())["7"]] == ["mic", "camera"]


def test_streams_have_the_names_that_they_are_published_with(rooms: JanusRooms) -> None:
    streams = [{"type": "video", "mid": "1", "description": "screen"}, {"type": "video", "mid": "2"}]
    streams.append({"type": "video", "mid": "3"})
    take(rooms, room_event("updated", SENDS, id=7, streams=streams))
    take(rooms, room_event("updated", TAKES, streams=FEEDS, private_id=200))
    for at in (0, 1):
        take(rooms, *(stats(SENDS, at, mid) for mid in ("1", "2", "3")), stats(TAKES, at))
    found = metrics(rooms.reports())
    assert [one.stream_id for one in found["7"]] == ["screen", "camera", "camera 3"]
    assert [one.stream_id for one in found["8"]] == ["screen"]


def test_a_subscription_without_private_id_is_of_the_user_of_its_session(rooms: JanusRooms) -> None:
    take(rooms, room_event("subscribing", (1, 11), streams=[FEEDS[0] | {"feed_id": 8}], private_id=0))
    take(rooms, stats((1, 11), 0), stats((1, 11), 1))
    assert [one.sender_id for one in metrics(rooms.reports())["7"]] == ["8"]


def test_who_only_watches_is_no_user(rooms: JanusRooms) -> None:
    take(rooms, room_event("subscribing", (3, 30), streams=FEEDS, private_id=0), stats((3, 30), 0), stats((3, 30), 1))
    assert list(metrics(rooms.reports())) == ["7", "8"]


@pytest.mark.parametrize(
    "ends",
    [
        room_event("leaving", (0, 0), id=7),
        room_event("kicked", (0, 0), id=7),
        event(2, {"name": "detached", "plugin": "janus.plugin.videoroom"}, SENDS),
        event(1, {"name": "destroyed"}, (1, 0)),
        event(1, {"name": "timeout"}, (1, 0)),
    ],
)
def test_who_leaves_is_gone_at_once(rooms: JanusRooms, ends: Json) -> None:
    (left,) = take(rooms, ends)
    assert left == Report("7", "1234", "janus", [], report_time=left.report_time, events=[Event("left")])
    assert list(metrics(rooms.reports())) == ["8"]
    assert take(rooms, ends) == []


@pytest.mark.parametrize("ends", [room_event("destroyed"), event(256, {"status": "shutdown"})])
def test_so_is_everybody_when_the_room_or_janus_ends(rooms: JanusRooms, ends: Json) -> None:
    assert [report.user_id for report in take(rooms, ends)] == ["7", "8"]
    assert rooms.reports() == []


def test_a_hangup_ends_a_connection_and_not_the_user(rooms: JanusRooms) -> None:
    take(rooms, event(16, {"connection": "hangup", "reason": "ICE"}, TAKES), stats(TAKES, 0), stats(TAKES, 1))
    assert metrics(rooms.reports())["8"] == []


def test_counters_that_go_back_begin_anew() -> None:
    counter = Counter(Stats("0", "video", bytes_received=1000, packets_received=90, lost=5), 0)
    counter.note(Stats("0", "video", bytes_received=500, packets_received=4, lost=0), SECOND)
    assert counter.figures("send") is None
    counter.note(Stats("0", "video", bytes_received=1500, packets_received=14, lost=2**32 - 1), 2 * SECOND)
    found = counter.figures("send")
    assert found
    assert (found.packets, found.lost, found.kbit) == (10, 0, 8.0)


def test_a_large_room_is_reported_in_parts(rooms: JanusRooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(janus, "MOST_STREAMS", 1)
    for at in (0, 1):
        take(rooms, stats(SENDS, at, "1"), stats(TAKES, at))
    assert [[entry.user_id for entry in report.metrics] for report in rooms.reports()] == [["7"], ["8"]]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(janus, "MOST", 10)
    rooms = JanusRooms()
    for number in range(100):
        take(rooms, joined(number, (number, 1)))
    assert list(metrics(rooms.reports())) == [str(number) for number in range(90, 100)]


@pytest.mark.parametrize(
    ("user", "display"), [("", "x"), (" a", "x"), ("a\n", "x"), ("..", "x"), ("é" * 129, "x"), (7, "\x00\u202e" * 500)]
)
def test_ids_and_names_that_no_report_may_have_are_left_out(user: Any, display: str) -> None:
    rooms = JanusRooms()
    take(rooms, joined(user, SENDS, display=display), joined("ok", OTHER))
    for report in rooms.reports():
        decode_report(msgspec.json.encode(report))
    assert "ok" in metrics(rooms.reports())


NAMES = ["joined", "published", "updated", "subscribing", "leaving", "destroyed", "unpublished", "switched"]
nonsense = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ids = st.one_of(nonsense, st.sampled_from([7, 8, "7", ""]))
media = st.fixed_dictionaries({"mid": st.sampled_from(["0", "1"]) | nonsense, "type": ids}, optional={"feed_id": ids})
counts = st.integers(0, 2**70) | nonsense
figures = st.fixed_dictionaries(
    {"mid": st.sampled_from(["0", "1"]), "media": st.sampled_from(["video", "audio"]) | nonsense},
    optional=dict.fromkeys(("lost", "rtt", "packets-received", "bytes-received", "bytes-sent"), counts),
)
changes = st.fixed_dictionaries(
    {"event": st.sampled_from(NAMES), "room": ids},
    optional={"id": ids, "private_id": ids, "display": nonsense, "streams": st.lists(media, max_size=3) | nonsense},
)
bodies = st.one_of(
    nonsense, figures, st.builds(lambda data: {"plugin": "janus.plugin.videoroom", "data": data}, changes)
)
events = st.one_of(
    nonsense,
    st.builds(
        lambda kind, body, handle, at: event(kind, body, handle) | {"timestamp": at},
        st.sampled_from([1, 2, 16, 32, 64, 256]),
        bodies,
        st.sampled_from([SENDS, OTHER, TAKES]),
        counts,
    ),
)


@given(st.lists(st.lists(events, max_size=4), max_size=8))
def test_nonsense_breaks_nothing_and_what_is_reported_can_be_posted(posts: list[list[Any]]) -> None:
    rooms = JanusRooms()
    take(rooms, joined(7, SENDS), joined(8, OTHER))
    for number, post in enumerate(posts):
        take(rooms, stats(SENDS, number, bytes_received=number))
        left = rooms.take([one for one in events_of(json.dumps(post).encode()) if one])
        for report in [*left, *rooms.reports()]:
            decode_report(msgspec.json.encode(report))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"nonsense"])
def test_a_body_that_is_no_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="no JSON"):
        events_of(body)
