"""Aggregates: many users into one room, and many snapshots into one step."""

from collections.abc import Generator, Iterable, Sequence
from math import floor, fsum, inf
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
    """The known figures of some streams, a list for each kind, and the number of streams, videos and audios."""

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
    """The totals of the columns of all streams of a room; bitrates are sums."""

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


class _Mean:
    __slots__ = ("_count", "_total")

    def __init__(self) -> None:
        self._total = 0.0
        self._count = 0

    def add(self, value: float) -> None:
        self._total += value
        self._count += 1

    @property
    def value(self) -> float:
        return _rounded(self._total / self._count)


class _MergedFigures:
    __slots__ = ("_avg", "_max", "_medians", "_p95")

    def __init__(self) -> None:
        self._avg = _Mean()
        self._medians: list[float] = []
        self._p95 = self._max = -inf

    def add(self, figures: Figures) -> None:
        self._avg.add(figures.avg)
        self._p95, self._max = max(self._p95, figures.p95), max(self._max, figures.max)
        if figures.median is not None:
            self._medians.append(figures.median)

    def merged(self) -> Figures | None:
        if self._max == -inf:
            return None
        median = nearest_rank(sorted(self._medians), 50) if self._medians else None
        return Figures(avg=self._avg.value, median=median, p95=self._p95, max=self._max)


class Step:
    """The snapshots of one step, merged into one at its `start` without hiding its worst moment.

    Users, streams and quality come from the snapshot with the lowest score (the newest of equals), so that they
    agree with each other. Averages and bitrates are averaged, the median is the median of medians; p95 and max are
    the largest, the lowest frame rate the smallest.

    They are merged while they are read, newest first: unmerged, a long step would take hundreds of megabytes.
    """

    __slots__ = ("_bitrates", "_figures", "_frame_rate", "_lowest", "_worst", "start")

    def __init__(self, start: float, first: Snapshot) -> None:
        self.start = start
        self._worst = first
        self._figures = _MergedFigures(), _MergedFigures(), _MergedFigures()
        self._bitrates = _Mean(), _Mean(), _Mean(), _Mean()
        self._frame_rate = _Mean()
        self._lowest = inf
        self.add(first)

    def add(self, one: Snapshot) -> None:
        if _badness(one) < _badness(self._worst):
            self._worst = one
        for merged, figures in zip(self._figures, (one.rtt, one.packet_loss, one.jitter), strict=True):
            if figures:
                merged.add(figures)
        video, audio = one.video, one.audio
        bitrates = video.send_bitrate, video.recv_bitrate, audio.send_bitrate, audio.recv_bitrate
        for mean, bitrate in zip(self._bitrates, bitrates, strict=True):
            mean.add(bitrate)
        if video.frame_rate:
            self._frame_rate.add(video.frame_rate.avg)
            self._lowest = min(self._lowest, video.frame_rate.min)

    def merged(self) -> Snapshot:
        worst = self._worst
        rtt, packet_loss, jitter = (figures.merged() for figures in self._figures)
        video_sent, video_received, audio_sent, audio_received = (mean.value for mean in self._bitrates)
        frame_rate = None if self._lowest == inf else FrameRate(avg=self._frame_rate.value, min=self._lowest)
        return replace(
            worst,
            timestamp=self.start,
            rtt=rtt,
            packet_loss=packet_loss,
            jitter=jitter,
            video=VideoTotals(worst.video.stream_count, frame_rate, video_sent, video_received),
            audio=AudioTotals(worst.audio.stream_count, audio_sent, audio_received),
        )


def _badness(one: Snapshot) -> tuple[bool, float]:
    score = one.quality.score
    return score is None, score or 0


def newest_steps(
    newest_first: Iterable[Sequence[Snapshot]], step: float, limit: int
) -> Generator[None, None, list[Snapshot]]:
    """Merge snapshots while they are read: the newest `limit` steps of `step` seconds, oldest first."""
    merged: list[Snapshot] = []
    current: Step | None = None
    for place, snapshots in enumerate(newest_first):
        if place:
            yield
        for snapshot in snapshots:
            start = step_start(snapshot.timestamp, step)
            if current and current.start != start:
                merged.append(current.merged())
                current = None
                if len(merged) == limit:
                    return merged[::-1]
            if current is None:
                current = Step(start, snapshot)
            else:
                current.add(snapshot)
    return [*([current.merged()] if current else []), *merged[::-1]]
