"""Samples of earlier, rated as they were when they came."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from roompulse.quality import FRAME_RATE_WINDOW, StreamQuality
from roompulse.report.model import Audio, Device, Direction, Network, Received, Video
from roompulse.rooms.aggregate import step_start
from roompulse.rooms.stream import StreamState

CLOCK_TOLERANCE = 600.0
"""Seconds that a device's clock, or a report that could not be sent earlier, may be away from the server's clock."""


class StreamSample(Struct, frozen=True, gc=False):
    """What one report said about one stream, and how it rates; `user_id` is whose media it is.

    `timestamp` is its place in history: `report_time` if that is within CLOCK_TOLERANCE of `received_at`, else that.
    """

    timestamp: float
    received_at: float
    report_time: int
    sdk_version: str
    device: Device | None
    user_id: str
    reporter_id: str
    stream_id: str
    direction: Direction
    video: Video | None
    audio: Audio | None
    network: Network | None
    quality: StreamQuality


class SampleRater:
    """Rates the samples of one room, which come in the order of their receipt."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, str, str, Direction], StreamState] = {}
        self._heard = 0.0

    def rate(self, received: Received) -> Iterator[StreamSample]:
        report, at = received.report, received.at
        if at > self._heard + FRAME_RATE_WINDOW:
            self._forget(at)
        for entry in report.metrics:
            for sample in entry.streams:
                key = (entry.user_id, report.user_id, sample.stream_id, sample.direction)
                stream = self._streams.get(key)
                if stream is None:
                    stream = self._streams[key] = StreamState(entry.user_id, report.user_id)
                stream.replace(sample, report.report_time, at)
                yield StreamSample(
                    timestamp=place_in_history(report.report_time, at),
                    received_at=at,
                    report_time=report.report_time,
                    sdk_version=report.sdk_version,
                    device=entry.device,
                    user_id=entry.user_id,
                    reporter_id=report.user_id,
                    stream_id=sample.stream_id,
                    direction=sample.direction,
                    video=sample.video,
                    audio=sample.audio,
                    network=sample.network,
                    quality=stream.quality,
                )

    def _forget(self, now: float) -> None:
        """Drop streams whose reports no longer count: a day has many."""
        self._heard = now
        oldest = now - FRAME_RATE_WINDOW
        self._streams = {key: stream for key, stream in self._streams.items() if stream.received_at >= oldest}


def place_in_history(report_time: int, received_at: float) -> float:
    return float(report_time) if abs(report_time - received_at) <= CLOCK_TOLERANCE else received_at


def worst_of_steps(samples: Iterable[StreamSample], step: float) -> list[StreamSample]:
    """Of each stream and step of `step` seconds the sample with the lowest score, the newest of equals."""
    worst: dict[tuple[object, ...], StreamSample] = {}
    for sample in samples:
        start = step_start(sample.timestamp, step)
        key = (start, sample.user_id, sample.reporter_id, sample.stream_id, sample.direction)
        known = worst.get(key)
        if known is None or not _is_worse(known, sample):
            worst[key] = sample
    return list(worst.values())


def _is_worse(one: StreamSample, other: StreamSample) -> bool:
    return _score(one) < _score(other)


def _score(sample: StreamSample) -> float:
    return float("inf") if sample.quality.score is None else sample.quality.score
