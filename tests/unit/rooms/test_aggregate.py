from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from roompulse.quality import level_of, rate_stream, rate_user
from roompulse.report.model import Network, Stream, Video
from roompulse.rooms.aggregate import Step, aggregate_of, step_start
from roompulse.rooms.model import (
    Aggregate,
    AudioTotals,
    Figures,
    FrameRate,
    Snapshot,
    StreamMetrics,
    UserMetrics,
    VideoTotals,
)
from tests.builders import NOW, audio, network, stream, video


def user(*streams: Stream, user_id: str = "u1") -> UserMetrics:
    """A user that reports its own streams."""
    rated = [(one, rate_stream(one, 25)) for one in streams]
    return UserMetrics(
        user_id=user_id,
        user_name=None,
        sdk_version="1.2.0",
        device=None,
        connection=None,
        labels=None,
        report_time=1746616000,
        received_at=NOW,
        stale=False,
        reporters=[user_id],
        quality=rate_user([(one.stream_id, quality) for one, quality in rated], []),
        streams=[
            StreamMetrics(one.stream_id, one.direction, user_id, NOW, one.video, one.audio, one.network, quality)
            for one, quality in rated
        ],
        receiving=[],
    )


def aggregate_of_users(*users: UserMetrics) -> Aggregate:
    return aggregate_of([user.quality.score for user in users], [one for user in users for one in user.streams])


def aggregate(*streams: Stream) -> Aggregate:
    return aggregate_of_users(user(*streams))


def snapshot(timestamp: float = NOW, score: float | None = 4.4, **fields: Any) -> Snapshot:
    whole = aggregate(stream())
    quality = replace(whole.quality, score=score, level=level_of(score))
    values: dict[str, Any] = {name: getattr(whole, name) for name in Aggregate.__struct_fields__}
    return Snapshot(timestamp=timestamp, **(values | {"quality": quality} | fields))


def test_an_empty_room_has_figures_that_are_unknown_and_sums_that_are_0() -> None:
    empty = aggregate_of([], [])
    assert (empty.user_count, empty.stream_count) == (0, 0)
    assert (empty.rtt, empty.packet_loss, empty.jitter) == (None, None, None)
    assert empty.video == VideoTotals(0, None, 0, 0)
    assert empty.audio == AudioTotals(0, 0, 0)
    assert empty.quality.verdict == "unknown"


@pytest.mark.parametrize(("rtts", "median"), [([7], 7), ([1, 2, 300], 2), ([4, 3, 2, 1], 2), ([None, 5, None], 5)])
def test_a_median_is_one_of_the_figures(rtts: list[float | None], median: float) -> None:
    streams = [stream(network=network(rtt=rtt, jitter=None)) for rtt in rtts]
    room = aggregate_of([], [*streams, stream(network=None)])
    assert room.rtt
    assert room.packet_loss
    assert (room.rtt.median, room.packet_loss.median, room.jitter) == (median, 0.3, None)


def test_it_counts_users_and_streams() -> None:
    room = aggregate_of_users(
        user(stream(), stream("mic", video=None)), user(user_id="u2"), user(stream(), user_id="u3")
    )
    assert (room.user_count, room.stream_count) == (3, 3)
    assert (room.video.stream_count, room.audio.stream_count) == (2, 3)
    assert (room.quality.good, room.quality.unknown) == (2, 1)


def test_it_spreads_the_figures_over_the_streams_that_gave_them() -> None:
    networks = [network(rtt, jitter=rtt / 10, packet_loss=None) for rtt in range(1, 21)]
    room = aggregate(*(stream(f"s{i}", network=one) for i, one in enumerate(networks)), stream("no", network=None))
    assert room.rtt == Figures(avg=10.5, median=10, p95=19, max=20)
    assert room.jitter == Figures(avg=1.05, median=1, p95=1.9, max=2)
    assert room.packet_loss is None


def test_a_figure_of_0_is_known_and_null_is_not() -> None:
    room = aggregate(stream(network=Network(rtt=0, packet_loss=0)), stream("mic", network=network(10, None, None)))
    assert room.rtt == Figures(5, 0, 10, 10)
    assert room.packet_loss == Figures(0, 0, 0, 0)
    assert room.jitter is None


def test_it_sums_bitrates_by_direction() -> None:
    room = aggregate(
        stream("camera", "send", video=video(bitrate=1200.25), audio=audio(bitrate=64)),
        stream("screen", "send", video=video(bitrate=300), audio=None),
        stream("camera", "recv", video=video(bitrate=None), audio=audio(bitrate=0.5)),
        stream("u2", "recv", video=video(bitrate=0.1), audio=audio(bitrate=0.2)),
    )
    assert (room.video.send_bitrate, room.video.recv_bitrate) == (1500.25, 0.1)
    assert (room.audio.send_bitrate, room.audio.recv_bitrate) == (64, 0.7)
    assert (room.video.stream_count, room.audio.stream_count) == (4, 3)


def test_it_tells_the_average_and_the_lowest_frame_rate() -> None:
    rates: list[float | None] = [25, 30, 0, None]
    room = aggregate(*(stream(f"s{i}", video=Video(frame_rate=fps)) for i, fps in enumerate(rates)))
    assert room.video.frame_rate == FrameRate(avg=18.333, min=0)
    assert aggregate(stream(video=Video(width=1280))).video.frame_rate is None


@pytest.mark.parametrize(
    ("timestamp", "step", "start"),
    [(120, 60, 120), (179.999, 60, 120), (180, 60, 180), (0.25, 0.1, 0.2), (1_800_000_007, 10, 1_800_000_000)],
)
def test_steps_lie_on_the_grid_of_the_wall_clock(timestamp: float, step: float, start: float) -> None:
    assert step_start(timestamp, step) == start


def merge_snapshots(start: float, oldest_first: Sequence[Snapshot]) -> Snapshot:
    newest, *others = reversed(oldest_first)
    step = Step(start, newest)
    for one in others:
        step.add(one)
    return step.merged()


def test_merging_one_snapshot_only_moves_it() -> None:
    assert merge_snapshots(NOW - 3, [snapshot(NOW)]) == snapshot(NOW - 3)


def test_merging_keeps_the_worst_moment() -> None:
    merged = merge_snapshots(
        NOW,
        [
            snapshot(NOW, 4.4, user_count=1, stream_count=2),
            snapshot(NOW + 1, 2.0, user_count=3, stream_count=4),
            snapshot(NOW + 2, None, user_count=9, stream_count=9),
            snapshot(NOW + 3, 2.0, user_count=5, stream_count=6),
        ],
    )
    assert (merged.timestamp, merged.quality.score, merged.quality.level) == (NOW, 2.0, "poor")
    assert (merged.user_count, merged.stream_count) == (5, 6)


def test_merging_what_has_no_score_has_none() -> None:
    merged = merge_snapshots(NOW, [snapshot(score=None, user_count=1), snapshot(score=None, user_count=2)])
    assert (merged.quality.score, merged.user_count) == (None, 2)


def test_merging_averages_averages_and_takes_the_largest_of_the_largest() -> None:
    merged = merge_snapshots(
        NOW,
        [
            snapshot(rtt=Figures(10, 8, 20, 40), packet_loss=None, jitter=None),
            snapshot(rtt=Figures(30, None, 60, 60), packet_loss=Figures(1, None, 2, 3), jitter=None),
            snapshot(rtt=Figures(20, 19, 30, 90), packet_loss=None, jitter=None),
        ],
    )
    assert merged.rtt == Figures(20, 8, 60, 90)
    assert merged.packet_loss == Figures(1, None, 2, 3)
    assert merged.jitter is None


def test_merging_averages_bitrates_and_takes_the_lowest_frame_rate() -> None:
    merged = merge_snapshots(
        NOW,
        [
            snapshot(score=4.0, video=VideoTotals(2, FrameRate(20, 5), 1000, 100), audio=AudioTotals(2, 64, 0)),
            snapshot(score=4.4, video=VideoTotals(1, None, 0, 0), audio=AudioTotals(1, 32, 1)),
            snapshot(score=4.4, video=VideoTotals(3, FrameRate(30, 15), 500, 200), audio=AudioTotals(3, 0, 2)),
        ],
    )
    assert merged.video == VideoTotals(2, FrameRate(25, 5), 500, 100)
    assert merged.audio == AudioTotals(2, 32, 1)
