"""Earlier samples, rated as at their receipt."""

from collections.abc import Iterable, Iterator
from itertools import chain
from math import inf

from msgspec import Struct

from roompulse.quality import FRAME_RATE_WINDOW, StreamQuality
from roompulse.report.model import Audio, Device, Direction, Network, Received, Video
from roompulse.rooms.aggregate import step_start
from roompulse.rooms.stream import StreamKey, StreamState, key_of, new_stream

CLOCK_TOLERANCE = 600.0
"""Seconds that a delayed report may be behind the server's clock to be placed at its own time."""

LATE = 10.0
"""Seconds from a report's `report_time` to its receipt from which on it is late. By more than CLOCK_TOLERANCE, the
sender's clock is wrong."""

_SLOW_FROM, _STEADY, _LONG_ENOUGH = 5.0, 2.0, 10.0
"""Seconds: a clock is slow, by more than the first, if all reports of the third are behind by the same, within
the second. Queued reports arrive in a burst instead, each less behind than the one before."""


class StreamSample(Struct, frozen=True, gc=False):
    """One stream in one report, and its rating.

    `timestamp` is its place in history: `report_time` if that is at most CLOCK_TOLERANCE before `received_at`, and the
    reporter's clock is not known to be slow; else `received_at`.
    """

    timestamp: float
    """Its place in history, Unix seconds: `report_time`, or where the reporter's clock is off, `received_at`."""
    received_at: float
    """When the report came, Unix seconds."""
    report_time: int
    """By the reporter's clock, Unix seconds."""
    sdk_version: str
    """Of the reporter."""
    device: Device | None
    """Of the entry's user."""
    user_id: str
    """The sender of the media, or its receiver where the sender is not known."""
    reporter_id: str
    """Who measured it: a user, or a media server."""
    receiver_id: str | None
    """None for a stream that was measured where it is sent."""
    stream_id: str
    """As it was reported."""
    direction: Direction
    """`send`: measured where it is sent; `recv`: where it is received."""
    video: Video | None
    """None for a stream without video."""
    audio: Audio | None
    """None for a stream without audio."""
    network: Network | None
    """None where the network is not measured."""
    quality: StreamQuality
    """Its rating at receipt."""


class SampleRater:
    """Rates the samples of one room, passed in the order of receipt."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, str, StreamKey], StreamState] = {}
        self._clocks: dict[str, ReporterClock] = {}
        self._newest = 0.0

    def rate(self, received: Received) -> Iterator[StreamSample]:
        report, at = received.report, received.at
        if at > self._newest + FRAME_RATE_WINDOW:
            self._forget(at)
        timestamp = self._clocks.setdefault(report.user_id, ReporterClock()).place(report.report_time, at)
        for entry in report.metrics:
            for sample in entry.streams:
                key = (entry.user_id, report.user_id, key_of(sample, by_server=report.by_server))
                stream = self._streams.get(key)
                if stream is None:
                    stream = self._streams[key] = new_stream(report, entry, sample)
                stream.replace(sample, report.report_time, at)
                yield StreamSample(
                    timestamp=timestamp,
                    received_at=at,
                    report_time=report.report_time,
                    sdk_version=report.sdk_version,
                    device=entry.device,
                    user_id=stream.user_id,
                    reporter_id=report.user_id,
                    receiver_id=stream.receiver_id or None,
                    stream_id=sample.stream_id,
                    direction=sample.direction,
                    video=sample.video,
                    audio=sample.audio,
                    network=sample.network,
                    quality=stream.quality,
                )

    def _forget(self, now: float) -> None:
        """Drop streams whose reports no longer count: a day has many."""
        self._newest = now
        oldest = now - FRAME_RATE_WINDOW
        self._streams = {key: stream for key, stream in self._streams.items() if stream.received_at >= oldest}
        self._clocks = {user_id: clock for user_id, clock in self._clocks.items() if clock.received_at >= oldest}


def place_in_history(report_time: int, received_at: float) -> float:
    """A report's place in history by its own time: never in the future, nor long before its receipt."""
    return float(report_time) if 0 <= received_at - report_time <= CLOCK_TOLERANCE else received_at


class ReporterClock:
    """Places the reports of one reporter, whose clock may be slow: its charts then agree with those of its room."""

    __slots__ = ("_behind", "_since", "received_at")

    def __init__(self) -> None:
        self.received_at = 0.0
        # How far behind the first of the newest reports that agree on it was, and when it came.
        self._behind = self._since = inf

    def place(self, report_time: int, received_at: float) -> float:
        self.received_at = received_at
        behind = received_at - report_time
        if not abs(behind - self._behind) <= _STEADY:
            self._behind, self._since = behind, received_at
        if behind > _SLOW_FROM and received_at - self._since >= _LONG_ENOUGH:
            return received_at
        return place_in_history(report_time, received_at)


class WorstOfSteps:
    """For each stream and step of `step` seconds the sample with the lowest score, the newest of equals.

    Kept are the newest steps that hold at least `limit` samples.
    """

    def __init__(self, step: float, limit: int) -> None:
        self._step = step
        self._limit = limit
        self._steps: dict[float, dict[tuple[str | None, ...], StreamSample]] = {}
        self._count = 0

    def extend(self, samples: Iterable[StreamSample]) -> None:
        for sample in samples:
            worst = self._steps.setdefault(step_start(sample.timestamp, self._step), {})
            key = sample.user_id, sample.reporter_id, sample.receiver_id, sample.stream_id, sample.direction
            known = worst.get(key)
            if known is None or not _is_worse(known, sample):
                worst[key] = sample
                self._count += known is None
        self._forget()

    def __iter__(self) -> Iterator[StreamSample]:
        return chain.from_iterable(worst.values() for worst in self._steps.values())

    def _forget(self) -> None:
        for oldest in sorted(self._steps):
            count = self._count - len(self._steps[oldest])
            if count < self._limit:
                break
            del self._steps[oldest]
            self._count = count


class Newest:
    """The newest `limit` samples by their time in history, and some more."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._samples: list[StreamSample] = []

    def extend(self, samples: Iterable[StreamSample]) -> None:
        self._samples.extend(samples)
        if len(self._samples) > 2 * self._limit:
            self._samples = newest(self._samples, self._limit)

    def __iter__(self) -> Iterator[StreamSample]:
        return iter(self._samples)


def newest(samples: Iterable[StreamSample], limit: int) -> list[StreamSample]:
    """The newest samples by their time in history, oldest first."""
    return sorted(samples, key=lambda sample: sample.timestamp)[-limit:]


def _is_worse(one: StreamSample, other: StreamSample) -> bool:
    return _score(one) < _score(other)


def _score(sample: StreamSample) -> float:
    return float("inf") if sample.quality.score is None else sample.quality.score
