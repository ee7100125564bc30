from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

from roompulse.quality import RoomQuality
from roompulse.report.model import Audio, Network, Stream, Video
from roompulse.rooms.model import Aggregate, AudioTotals, Figures, FrameRate, Snapshot, VideoTotals
from roompulse.store.packing import (
    pack_aggregate,
    pack_report,
    unpack_entry,
    unpack_lone_entry,
    unpack_report,
    unpack_score_and_users,
    unpack_snapshots,
)
from tests.builders import NOW, audio, network, stream, video
from tests.unit import streams, times

counts = st.integers(0, 10**6)
numbers = st.integers(0, 10**9) | st.floats(0, 1e9)
scores = st.none() | st.floats(1, 4.5)
levels = st.sampled_from(["good", "fair", "poor", "unknown"])
verdicts = st.sampled_from(["unknown", "healthy", "isolated", "widespread"])
spreads = st.none() | st.builds(Figures, numbers, st.none() | numbers, numbers, numbers)
aggregates = st.builds(
    Aggregate,
    user_count=counts,
    stream_count=counts,
    quality=st.builds(RoomQuality, scores, levels, scores, counts, counts, counts, counts, verdicts),
    rtt=spreads,
    packet_loss=spreads,
    jitter=spreads,
    video=st.builds(VideoTotals, counts, st.none() | st.builds(FrameRate, numbers, numbers), numbers, numbers),
    audio=st.builds(AudioTotals, counts, numbers, numbers),
)


def packed_and_unpacked(sent: Sequence[Stream], more: Mapping[str, Any], report_time: int) -> tuple[Any, Any]:
    """An entry after a round trip."""
    entries, _ = unpack_report(pack_report([(sent, more)], {}, report_time))
    (entry,) = entries
    return unpack_entry(entry, report_time)


def as_json(value: Any) -> bytes:
    """The JSON for consumers; unlike `==`, it distinguishes 25 from 25.0."""
    return msgspec.json.encode(value)


@given(st.lists(streams, max_size=4), st.sampled_from([{}, {"user_name": "Ann", "device": (None, "Linux")}]), times)
def test_streams_and_what_more_there_is_come_back_as_they_were_sent(
    sent: Sequence[Stream], more: dict[str, Any], time: int | None
) -> None:
    # Nearly always the report is as old as its pictures and sounds.
    report_time = next((one.video.timestamp for one in sent if one.video and one.video.timestamp), time or 1)
    unpacked, found = packed_and_unpacked(sent, more, report_time)
    assert unpacked == sent
    assert as_json(unpacked) == as_json(sent)
    assert as_json(found) == as_json(more)


OLD = bytes.fromhex(
    "9395a663616d657261c295ce681b3ec019cd0500cd02d0cd04b094ce681b3ec0cdbb800240932dcb3fd33333333333330895a36d6963c3c094"
    "c0c0c0c093cb4046c0000000000000c095a178c295c0cb403df851eb851eb8c0c0c0c0c0"
)
"""Three streams as they were stored before video and audio had more than five and four fields, and entries a device."""


def test_streams_that_were_stored_with_fewer_fields_can_be_read() -> None:
    assert unpack_lone_entry(OLD, 1) == (
        [
            stream(video=video(timestamp=1746616000), audio=audio(timestamp=1746616000)),
            stream("mic", "recv", video=None, audio=Audio(), network=network(45.5, None, 0)),
            stream("x", video=Video(None, 29.97), audio=None, network=None),
        ],
        {},
    )
    assert unpack_lone_entry(b"\x90", 1) == ([], {})


@given(aggregates)
def test_aggregates_come_back_as_they_were(sent: Aggregate) -> None:
    (unpacked,) = unpack_snapshots([(round(NOW * 1000), pack_aggregate(sent))])
    whole = Snapshot(**asdict(sent), timestamp=NOW)
    assert unpacked == whole
    assert as_json(unpacked) == as_json(whole)


def test_no_field_of_a_stream_is_left_out() -> None:
    """`packing.py` names them one by one."""
    video, audio, network = (part(*range(len(part.__struct_fields__))) for part in (Video, Audio, Network))
    sent = [stream(video=video, audio=audio, network=network)]
    assert packed_and_unpacked(sent, {}, 1) == (sent, {})


OLD_SNAPSHOT = (
    *(2, 3, (3.9, "fair", 1, 1, 0, 0, "isolated"), (24.5, 25, 30), None, (2, 3, 4)),
    *((1, (25, 25), 1200, 0), (2, 64, 0)),
)
"""As it was stored before rooms had a worst user and figures a median."""


def test_snapshots_that_were_stored_with_fewer_fields_can_be_read() -> None:
    (read,) = unpack_snapshots([(1000, msgspec.msgpack.encode(OLD_SNAPSHOT))])
    assert read.quality == RoomQuality(3.9, "fair", None, good=1, fair=1, poor=0, unknown=0, verdict="isolated")
    assert (read.rtt, read.packet_loss, read.jitter) == (Figures(24.5, None, 25, 30), None, Figures(2, None, 3, 4))
    assert (read.video, read.audio) == (VideoTotals(1, FrameRate(25, 25), 1200, 0), AudioTotals(2, 64, 0))
    assert unpack_score_and_users(msgspec.msgpack.encode(OLD_SNAPSHOT)) == (3.9, 2)


def test_no_streams_are_no_streams() -> None:
    assert packed_and_unpacked([], {}, 1) == ([], {})


def test_a_part_without_figures_is_not_a_part_that_is_absent() -> None:
    sent = [stream(video=Video(), audio=None), stream(video=None)]
    assert packed_and_unpacked(sent, {}, 1) == (sent, {})


def test_a_stream_takes_little_room() -> None:
    figures = {"timestamp": 1746616000}
    sent = [stream(video=video(**figures), audio=audio(**figures))]
    assert len(pack_report([(sent, {})], {}, 1746616000)) < 46
