"""Aggregates: many users into one room, and many snapshots into one step."""

from collections.abc import AsyncIterator, Iterable, Sequence
from math import floor, fsum
from statistics import fmean
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from roompulse.quality import RoomQuality, nearest_rank, rate_room
from roompulse.report.model import Audio, Direction, Network, Video
from roompulse.rooms.model import Aggregate, AudioTotals, Figures, FrameRate, Snapshot, VideoTotals


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


class Columns(Struct):
    """The known figures of some streams, each kind in a list of its own, and how many streams, videos and audios."""

    streams: int
    videos: int
    audios: int
    rtt: list[float]
    packet_loss: list[float]
    jitter: list[float]
    frame_rate: list[float]
    video_sent: list[float]
    video_received: list[float]
    audio_sent: list[float]
    audio_received: list[float]


def columns_of(streams: Sequence[Measured]) -> Columns:
    networks = [stream.network for stream in streams if stream.network]
    videos = [(stream.direction, stream.video) for stream in streams if stream.video]
    audios = [(stream.direction, stream.audio) for stream in streams if stream.audio]
    return Columns(
        streams=len(streams),
        videos=len(videos),
        audios=len(audios),
        rtt=[one.rtt for one in networks if one.rtt is not None],
        packet_loss=[one.packet_loss for one in networks if one.packet_loss is not None],
        jitter=[one.jitter for one in networks if one.jitter is not None],
        frame_rate=[one.frame_rate for _, one in videos if one.frame_rate is not None],
        video_sent=[one.bitrate for direction, one in videos if one.bitrate and direction == "send"],
        video_received=[one.bitrate for direction, one in videos if one.bitrate and direction == "recv"],
        audio_sent=[one.bitrate for direction, one in audios if one.bitrate and direction == "send"],
        audio_received=[one.bitrate for direction, one in audios if one.bitrate and direction == "recv"],
    )


class Spread(Struct):
    """The values of one figure in ascending order, and their sum."""

    ordered: Sequence[float]
    total: float


class Sums(Struct):
    """What the columns of all streams of a room come to; bitrates are sums."""

    streams: int
    videos: int
    audios: int
    rtt: Spread
    packet_loss: Spread
    jitter: Spread
    frame_rate: Spread
    video_sent: float
    video_received: float
    audio_sent: float
    audio_received: float


def aggregate_of(scores: Sequence[float | None], streams: Sequence[Measured]) -> Aggregate:
    """Aggregate the scores of a room's users, one for each, and the figures of their streams."""
    columns = columns_of(streams)
    return aggregate(
        len(scores),
        rate_room(scores),
        Sums(
            columns.streams,
            columns.videos,
            columns.audios,
            _spread(columns.rtt),
            _spread(columns.packet_loss),
            _spread(columns.jitter),
            _spread(columns.frame_rate),
            _total(columns.video_sent),
            _total(columns.video_received),
            _total(columns.audio_sent),
            _total(columns.audio_received),
        ),
    )


def aggregate(users: int, quality: RoomQuality, sums: Sums) -> Aggregate:
    rates = sums.frame_rate
    return Aggregate(
        user_count=users,
        stream_count=sums.streams,
        quality=quality,
        rtt=_figures(sums.rtt),
        packet_loss=_figures(sums.packet_loss),
        jitter=_figures(sums.jitter),
        video=VideoTotals(
            stream_count=sums.videos,
            frame_rate=FrameRate(avg=_average(rates), min=rates.ordered[0]) if rates.ordered else None,
            send_bitrate=_rounded(sums.video_sent),
            recv_bitrate=_rounded(sums.video_received),
        ),
        audio=AudioTotals(
            stream_count=sums.audios,
            send_bitrate=_rounded(sums.audio_sent),
            recv_bitrate=_rounded(sums.audio_received),
        ),
    )


def _spread(values: list[float]) -> Spread:
    return Spread(sorted(values), fsum(values))


def _total(values: list[float]) -> float:
    """A sum of whole numbers is one, as they were sent; with fractions it does not depend on their order."""
    return sum(values) if all(isinstance(value, int) for value in values) else fsum(values)


def _figures(spread: Spread) -> Figures | None:
    ordered = spread.ordered
    if not ordered:
        return None
    return Figures(
        avg=_average(spread), median=nearest_rank(ordered, 50), p95=nearest_rank(ordered, 95), max=ordered[-1]
    )


def _average(spread: Spread) -> float:
    return _rounded(spread.total / len(spread.ordered))


def _rounded(value: float) -> float:
    return round(value, 3)


def step_start(timestamp: float, step: float) -> float:
    """Start of the step of `step` seconds that holds `timestamp`, on the wall-clock grid."""
    return _rounded(floor(timestamp / step) * step)


def merge_snapshots(start: float, snapshots: Sequence[Snapshot]) -> Snapshot:
    """Merge the snapshots of one step into one at `start`, without hiding its worst moment.

    Users, streams and quality are those of the snapshot with the lowest score (the newest of equals), so that they
    agree with each other. Averages and bitrates are averaged, and the median is that of the medians; p95 and max are
    the largest, the lowest frame rate the smallest.
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
    medians = sorted(one.median for one in known if one.median is not None)
    return Figures(
        avg=_rounded(fmean(one.avg for one in known)),
        median=nearest_rank(medians, 50) if medians else None,
        p95=max(one.p95 for one in known),
        max=max(one.max for one in known),
    )


def _merge_frame_rates(rates: Sequence[FrameRate]) -> FrameRate | None:
    if not rates:
        return None
    return FrameRate(avg=_rounded(fmean(one.avg for one in rates)), min=min(one.min for one in rates))


async def newest_steps(newest_first: AsyncIterator[Sequence[Snapshot]], step: float, limit: int) -> list[Snapshot]:
    """Merge snapshots while they are read: the newest `limit` steps of `step` seconds, oldest first."""
    steps: dict[float, list[Snapshot]] = {}
    async for snapshots in newest_first:
        for snapshot in snapshots:
            steps.setdefault(step_start(snapshot.timestamp, step), []).append(snapshot)
        if len(steps) > limit:  # the last one may be incomplete, the others are not
            break
    newest = list(steps.items())[:limit]
    return [merge_snapshots(start, group[::-1]) for start, group in reversed(newest)]
