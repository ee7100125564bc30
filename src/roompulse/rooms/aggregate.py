"""Aggregates: many users into one room, and many snapshots into one step."""

from collections.abc import Iterable, Sequence
from math import floor
from statistics import fmean
from typing import Protocol

from msgspec.structs import replace

from roompulse.quality import nearest_rank, rate_room
from roompulse.report.model import Audio, Direction, Network, Video
from roompulse.rooms.model import Aggregate, AudioTotals, Figures, FrameRate, Medians, Snapshot, VideoTotals


class Measured(Protocol):
    """The figures of one stream."""

    @property
    def direction(self) -> Direction: ...
    @property
    def video(self) -> Video | None: ...
    @property
    def audio(self) -> Audio | None: ...
    @property
    def network(self) -> Network | None: ...


def aggregate_of(scores: Sequence[float | None], streams: Sequence[Measured]) -> Aggregate:
    """Aggregate the scores of a room's users, one for each, and the figures of their streams."""
    networks = [stream.network for stream in streams if stream.network]
    return Aggregate(
        user_count=len(scores),
        stream_count=len(streams),
        quality=rate_room(scores),
        rtt=_figures(network.rtt for network in networks),
        packet_loss=_figures(network.packet_loss for network in networks),
        jitter=_figures(network.jitter for network in networks),
        video=_video_totals(streams),
        audio=_audio_totals(streams),
    )


def medians_of(streams: Sequence[Measured]) -> Medians:
    networks = [stream.network for stream in streams if stream.network]
    return Medians(
        rtt=_median(network.rtt for network in networks),
        packet_loss=_median(network.packet_loss for network in networks),
        jitter=_median(network.jitter for network in networks),
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = sorted(value for value in values if value is not None)
    return nearest_rank(known, 50) if known else None


def _figures(values: Iterable[float | None]) -> Figures | None:
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    return Figures(avg=_rounded(fmean(known)), p95=nearest_rank(known, 95), max=known[-1])


def _video_totals(streams: Sequence[Measured]) -> VideoTotals:
    videos = [(stream.direction, stream.video) for stream in streams if stream.video]
    rates = [video.frame_rate for _, video in videos if video.frame_rate is not None]
    return VideoTotals(
        stream_count=len(videos),
        frame_rate=FrameRate(avg=_rounded(fmean(rates)), min=min(rates)) if rates else None,
        send_bitrate=_rounded(sum(video.bitrate or 0 for direction, video in videos if direction == "send")),
        recv_bitrate=_rounded(sum(video.bitrate or 0 for direction, video in videos if direction == "recv")),
    )


def _audio_totals(streams: Sequence[Measured]) -> AudioTotals:
    audios = [(stream.direction, stream.audio) for stream in streams if stream.audio]
    return AudioTotals(
        stream_count=len(audios),
        send_bitrate=_rounded(sum(audio.bitrate or 0 for direction, audio in audios if direction == "send")),
        recv_bitrate=_rounded(sum(audio.bitrate or 0 for direction, audio in audios if direction == "recv")),
    )


def _rounded(value: float) -> float:
    return round(value, 3)


def step_start(timestamp: float, step: float) -> float:
    """Start of the step of `step` seconds that holds `timestamp`, on the wall-clock grid."""
    return _rounded(floor(timestamp / step) * step)


def merge_snapshots(start: float, snapshots: Sequence[Snapshot]) -> Snapshot:
    """Merge the snapshots of one step into one at `start`, without hiding its worst moment.

    Users, streams and quality are those of the snapshot with the lowest score (the newest of equals), so that they
    agree with each other. Averages and bitrates are averaged; p95 and max are the largest, the lowest frame rate the
    smallest.
    """
    worst = min(reversed(snapshots), key=lambda one: (one.quality.score is None, one.quality.score or 0))
    rates = [one.video.frame_rate for one in snapshots if one.video.frame_rate]
    return replace(
        worst,
        timestamp=start,
        rtt=_merge_figures(one.rtt for one in snapshots),
        packet_loss=_merge_figures(one.packet_loss for one in snapshots),
        jitter=_merge_figures(one.jitter for one in snapshots),
        video=VideoTotals(
            stream_count=worst.video.stream_count,
            frame_rate=_merge_frame_rates(rates),
            send_bitrate=_rounded(fmean(one.video.send_bitrate for one in snapshots)),
            recv_bitrate=_rounded(fmean(one.video.recv_bitrate for one in snapshots)),
        ),
        audio=AudioTotals(
            stream_count=worst.audio.stream_count,
            send_bitrate=_rounded(fmean(one.audio.send_bitrate for one in snapshots)),
            recv_bitrate=_rounded(fmean(one.audio.recv_bitrate for one in snapshots)),
        ),
    )


def _merge_figures(spreads: Iterable[Figures | None]) -> Figures | None:
    known = [spread for spread in spreads if spread]
    if not known:
        return None
    return Figures(
        avg=_rounded(fmean(one.avg for one in known)),
        p95=max(one.p95 for one in known),
        max=max(one.max for one in known),
    )


def _merge_frame_rates(rates: Sequence[FrameRate]) -> FrameRate | None:
    if not rates:
        return None
    return FrameRate(avg=_rounded(fmean(one.avg for one in rates)), min=min(one.min for one in rates))
