from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from roompulse.quality import RoomQuality
from roompulse.report.model import Audio, Device, Stream, Video
from roompulse.rooms.model import Aggregate, AudioTotals, Figures, FrameRate, VideoTotals
from roompulse.store.packing import pack_aggregate, pack_entry, unpack_aggregate, unpack_entry
from tests.builders import audio, network, received, stream, video
from tests.unit import devices, streams

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


@given(st.lists(streams, max_size=4), devices)
def test_streams_and_device_come_back_as_they_were_sent(sent: Sequence[Stream], device: Device | None) -> None:
    unpacked = unpack_entry(pack_entry(sent, device))
    assert unpacked == (sent, device)
    assert as_json(unpacked) == as_json((sent, device))


OLD = bytes.fromhex(
    "9395a663616d657261c295ce681b3ec019cd0500cd02d0cd04b094ce681b3ec0cdbb800240932dcb3fd33333333333330895a36d6963c3c094"
    "c0c0c0c093cb4046c0000000000000c095a178c295c0cb403df851eb851eb8c0c0c0c0c0"
)
"""Three streams as they were stored before video and audio had more than five and four fields, and entries a device."""


def test_streams_that_were_stored_with_fewer_fields_can_be_read() -> None:
    assert unpack_entry(OLD) == (
        [
            stream(video=video(timestamp=1746616000), audio=audio(timestamp=1746616000)),
            stream("mic", "recv", video=None, audio=Audio(), network=network(45.5, None, 0)),
            stream("x", video=Video(None, 29.97), audio=None, network=None),
        ],
        None,
    )
    assert unpack_entry(b"\x90") == ([], None)


@given(aggregates)
def test_aggregates_come_back_as_they_were(sent: Aggregate) -> None:
    unpacked = Aggregate(**unpack_aggregate(pack_aggregate(sent)))
    assert unpacked == sent
    assert as_json(unpacked) == as_json(sent)


def test_no_streams_are_no_streams() -> None:
    assert unpack_entry(pack_entry([])) == ([], None)


def test_a_part_without_figures_is_not_a_part_that_is_absent() -> None:
    sent = [stream(video=Video(), audio=None), stream(video=None)]
    assert unpack_entry(pack_entry(sent)) == (sent, None)


def test_a_device_without_figures_is_not_one_that_is_absent() -> None:
    assert unpack_entry(pack_entry([], Device())) == ([], Device())


def test_a_stream_takes_little_room() -> None:
    (entry,) = received().report.metrics
    assert len(pack_entry(entry.streams)) < 60
