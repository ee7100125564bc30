"""The incrementally kept figures of rooms equal those of a full scan."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import islice
from math import fsum
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from roompulse.hub.contract import Frames
from roompulse.quality import level_of
from roompulse.report.model import Audio, Entry, Event, Network, Received, Report, Stream, Video
from roompulse.rooms import room
from roompulse.rooms import room_index as kept
from roompulse.rooms.admission import Limits
from roompulse.rooms.aggregate import aggregate_of
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.room import RoomState
from roompulse.rooms.room_index import words_of
from roompulse.rooms.running_totals import RunningTotals, Sum
from roompulse.rooms.user import DEAD_BAND, UserState
from roompulse.web.html.assets import Assets
from roompulse.web.html.templates import Templates
from roompulse.web.pages.query import UserQuery
from roompulse.web.pages.room import RoomSections, room_view
from roompulse.web.pages.user import UserSections, user_view
from tests.builders import NOW, network, received, report, stream

MANY = Limits(rooms=100, room_users=1000, user_streams=100)
TEMPLATES = Templates(Assets())


def figures(most: float) -> st.SearchStrategy[float | None]:
    return st.none() | st.integers(0, int(most)) | st.floats(0, most) | st.sampled_from([0.1, 0.2, 5e-324, -0.0])


users = st.sampled_from([f"u{number}" for number in range(6)])
networks = st.builds(Network, rtt=figures(600), packet_loss=figures(20), jitter=figures(100))
videos = st.builds(Video, frame_rate=figures(60), bitrate=figures(10**7), freeze_duration=st.none() | st.just(1.0))
streams = st.builds(
    Stream,
    stream_id=st.sampled_from(["camera", "mic"]),
    direction=st.sampled_from(["send", "recv"]),
    video=st.none() | videos,
    audio=st.none() | st.builds(Audio, bitrate=figures(10**7)),
    network=st.none() | networks,
)
reports = st.builds(
    report,
    user_id=users,
    metrics=st.lists(st.builds(Entry, users, st.lists(streams, max_size=2)), max_size=4),
    report_time=st.sampled_from([1746616000, 1746616000, 1746616005, 1746615990]),
    events=st.sampled_from([None, None, None, [Event("left")], [Event("muted")]]),
)


class Step(Struct, frozen=True):
    """Some seconds pass, or the clock is set back; some reports arrive, and then the room may be read.

    Before that, so many steps are done of the figures of the room, and not always all.
    """

    seconds: float
    reports: Sequence[Report]
    begun: int
    looks: bool


steps = st.builds(
    Step,
    st.sampled_from([0, 0, 0, 0.5, 14.5, 15, 45, 60, -0.5, -100]),
    st.lists(reports, max_size=3),
    st.integers(0, 4),
    st.booleans(),
)


@pytest.fixture(params=[1e9, 1 / 5], ids=["always", "while it is worth it"])
def every_room_is_kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the smallest room, with any number of changes between two reads, or only with few."""
    monkeypatch.setattr(room, "INDEXED_FROM", 0)
    monkeypatch.setattr(kept, "_MOST_STREAMS", request.param)
    monkeypatch.setattr(kept, "_MOST_USERS", request.param)
    monkeypatch.setattr(kept, "AT_ONCE", 1)


@pytest.mark.usefixtures("every_room_is_kept")
@settings(max_examples=100)
@given(st.lists(steps, max_size=12))
def test_after_any_changes_it_is_what_is_found_by_going_through_all_users(sequence: list[Step]) -> None:
    rooms, now = RoomsInMemory(MANY, stale_after=15, leave_after=60), NOW
    kept, kept_users = RoomSections(TEMPLATES), UserSections(TEMPLATES)
    for step in sequence:
        now += step.seconds
        rooms.expire(now)
        for one in step.reports:
            rooms.apply(Received(one, now))
        if live := rooms.get("room-1"):
            for _ in islice(live.steps(), step.begun):
                pass
        if step.looks and (live := rooms.get("room-1")):
            assert_is_as_gone_through(live)
            assert pages(rooms, kept, kept_users) == pages(rooms, RoomSections(TEMPLATES), UserSections(TEMPLATES))


def pages(rooms: RoomsInMemory, sections: RoomSections, of_users: UserSections) -> list[Frames]:
    """The pages of a room, of a search in it, and of each user."""
    live = rooms.get("room-1")
    assert live
    searches = [room_view(rooms, sections, "room-1", UserQuery(q)) for q in ("", "1")]
    users = [user_view(rooms, of_users, "room-1", user_id) for user_id in sorted(live.users)]
    return [view.render() for view in (*searches, *users)]


def assert_is_as_gone_through(live: RoomState) -> None:
    told = live.metrics()
    samples = [one.sample for user in live.users.values() for one in user.streams() if not one.stale]
    summary = live.summary()
    assert summary.aggregate == aggregate_of([user.quality.score for user in told.users], samples)
    assert summary.received_at >= max(user.received_at for user in told.users)
    assert summary.stale == all(user.stale for user in told.users)
    worst_first = sorted(live.users.values(), key=lambda user: (user.rank() is None, user.rank() or 0, user.user_id))
    assert [place.user_id for place in live.worst_first()] == [user.user_id for user in worst_first]
    assert all(level_of(user.score()) == level_of(user.rank()) for user in live.users.values())
    assert all(abs((user.score() or 0) - (user.rank() or 0)) <= DEAD_BAND for user in live.users.values())
    assert live.verdict() == words_of(live.users)
    assert all(user.metrics().quality.score == user.score() for user in live.users.values())


numbers = st.lists(st.integers(0, 10**7) | st.floats(0, 10**7) | st.sampled_from([0.1, 5e-324, 1e-300]), max_size=30)


@given(st.lists(st.tuples(numbers, st.randoms(use_true_random=False)), max_size=8))
def test_a_sum_does_not_drift(turns: list[tuple[list[float], Random]]) -> None:
    total, there = Sum(), list[float]()
    for come, random in turns:
        gone = random.sample(there, len(there) // 2)
        for number in gone:
            there.remove(number)
        there += come
        total.change(come, gone)
        assert total.total() == float(sum(map(Fraction, there))) == fsum(there)


def test_a_sum_of_whole_numbers_is_one() -> None:
    total = Sum()
    total.change([1200, 64], [])
    assert isinstance(total.total(), int)
    total.change([0.5], [])
    assert total.total() == 1264.5
    total.change([], [0.5])
    assert repr(total.total()) == "1264"


def test_a_tally_of_nothing_is_that_of_an_empty_room() -> None:
    totals, sample = RunningTotals(), stream()
    totals.change([sample], [])
    totals.change([], [sample])
    sums = totals.sums()
    assert (sums.streams, sums.videos, sums.audios, sums.video_sent) == (0, 0, 0, 0)
    assert list(sums.rtt.ordered) == []


def test_a_big_room_is_kept_and_a_small_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    class Counted(kept.RoomIndex):
        def __init__(self, users: Mapping[str, UserState]) -> None:
            made.append(len(users))
            super().__init__(users)

    monkeypatch.setattr(room, "RoomIndex", Counted)
    rooms = RoomsInMemory(MANY, stale_after=15, leave_after=60)
    for number in range(room.INDEXED_FROM):
        rooms.apply(received(NOW, user_id=f"u{number}", metrics=[Entry(f"u{number}", [stream()])]))
        if number == 10:
            look(rooms)
    assert made == []
    for _ in range(5):
        look(rooms)
        rooms.apply(received(NOW + 1, user_id="u1", metrics=[Entry("u1", [stream(network=network(rtt=99))])]))
    assert made == [room.INDEXED_FROM]
    for number in range(room.INDEXED_FROM):
        rooms.apply(received(NOW + 2, user_id=f"u{number}", metrics=[Entry(f"u{number}", [stream()])]))
    look(rooms)
    assert made == [room.INDEXED_FROM] * 2


def look(rooms: RoomsInMemory) -> None:
    live = rooms.get("room-1")
    assert live
    live.summary()
