from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from roompulse.quality import RoomQuality
from roompulse.report.model import Stream, Video
from roompulse.rooms.model import Aggregate, AudioTotals, Figures, FrameRate, VideoTotals
from roompulse.store.packing import pack_aggregate, pack_streams, unpack_aggregate, unpack_streams
from tests.builders import received, stream
from tests.unit import streams

counts = st.integers(0, 10**6)
numbers = st.integers(0, 10**9) | st.floats(0, 1e9)
scores = st.none() | st.floats(1, 4.5)
levels = st.sampled_from(["good", "fair", "poor", "unknown"])
verdicts = st.sampled_from(["unknown", "healthy", "isolated", "widespread"])
spreads = st.none() | st.builds(Figures, numbers, numbers, numbers)
aggregates = st.builds(
    Aggregate,
    user_count=counts,
    stream_count=counts,
    quality=st.builds(RoomQuality, scores, levels, counts, counts, counts, counts, verdicts),
    rtt=spreads,
    packet_loss=spreads,
    jitter=spreads,
    video=st.builds(VideoTotals, counts, st.none() | st.builds(FrameRate, numbers, numbers), numbers, numbers),
    audio=st.builds(AudioTotals, counts, numbers, numbers),
)


def as_json(value: Any) -> bytes:
    """What a consumer sees; unlike `==`, it tells 25 from 25.0."""
    return msgspec.json.encode(value)


@given(st.lists(streams, max_size=4))
def test_streams_come_back_as_they_were_sent(sent: Sequence[Stream]) -> None:
    unpacked = unpack_streams(pack_streams(sent))
    assert unpacked == sent
    assert as_json(unpacked) == as_json(sent)


@given(aggregates)
def test_aggregates_come_back_as_they_were(sent: Aggregate) -> None:
    unpacked = Aggregate(**unpack_aggregate(pack_aggregate(sent)))
    assert unpacked == sent
    assert as_json(unpacked) == as_json(sent)


def test_no_streams_are_no_streams() -> None:
    assert unpack_streams(pack_streams([])) == []


def test_a_part_without_figures_is_not_a_part_that_is_absent() -> None:
    sent = [stream(video=Video(), audio=None), stream(video=None)]
    assert unpack_streams(pack_streams(sent)) == sent


def test_a_stream_takes_little_room() -> None:
    (entry,) = received().report.metrics
    assert len(pack_streams(entry.streams)) < 100
