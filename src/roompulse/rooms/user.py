"""What is kept of one user and one stream while they are live."""

from collections.abc import Iterator
from itertools import chain
from math import inf

from roompulse.quality import FRAME_RATE_WINDOW, Level, StreamQuality, interval, rate_stream, rate_user, worst
from roompulse.report.model import Device, Direction, Report, Stream
from roompulse.rooms.links import Reception, Weakest
from roompulse.rooms.model import Receiving, StreamMetrics, UserMetrics

StreamKey = tuple[str, Direction]
"""Stream and direction: what tells the streams apart that one reporter gives about one user."""


class StreamState:
    """The newest sample of one stream, rated when somebody asks: most samples are followed by another before that."""

    __slots__ = (
        "_frame_rates",
        "_highest_frame_rate",
        "_interval",
        "_quality",
        "_report_time",
        "received_at",
        "reporter_id",
        "sample",
        "user_id",
    )

    def __init__(self, user_id: str, reporter_id: str) -> None:
        self.user_id = user_id
        self.reporter_id = reporter_id
        self.received_at = -inf
        self._report_time = 0
        self._interval: float | None = None
        self._quality: StreamQuality | None = None
        # (time, fps), falling from left to right: the leftmost within the window is its highest. Few, so a list.
        self._frame_rates: list[tuple[float, float]] = []

    def take(self, sample: Stream, report_time: int, now: float) -> None:
        if sample.video and sample.video.freeze_duration is not None:
            self._interval = interval(report_time - self._report_time, now - self.received_at, self._interval)
        self._report_time = report_time
        self.sample = sample
        self.received_at = now
        self._note_frame_rate(sample.video.frame_rate if sample.video else None, now)
        self._quality = None

    @property
    def quality(self) -> StreamQuality:
        """How the newest sample rates by what was known when it came; worked out once."""
        if self._quality is None:
            self._quality = rate_stream(self.sample, self._highest_frame_rate, self._interval)
        return self._quality

    def _note_frame_rate(self, fps: float | None, now: float) -> None:
        rates = self._frame_rates
        if fps is not None:
            while rates and rates[-1][1] <= fps:
                rates.pop()
            rates.append((now, fps))
        while rates and rates[0][0] < now - FRAME_RATE_WINDOW:
            del rates[0]
        self._highest_frame_rate = rates[0][1] if rates else 0.0

    def set_back(self, now: float) -> None:
        self.received_at = min(self.received_at, now)
        self._frame_rates = [(min(at, now), fps) for at, fps in self._frame_rates]

    def order(self) -> tuple[str, Direction, str]:
        return self.sample.stream_id, self.sample.direction, self.reporter_id

    def metrics(self) -> StreamMetrics:
        sample = self.sample
        return StreamMetrics(
            stream_id=sample.stream_id,
            direction=sample.direction,
            reporter_id=self.reporter_id,
            received_at=self.received_at,
            video=sample.video,
            audio=sample.audio,
            network=sample.network,
            quality=self.quality,
        )


class Reporting:
    """What one reporter last said about one user, and when."""

    __slots__ = ("at", "streams")

    def __init__(self) -> None:
        self.at = 0.0
        self.streams: dict[StreamKey, StreamState] = {}


class UserState:
    """One user of one room: what is reported about it, and what it reported to receive from others."""

    __slots__ = (
        "_about",
        "_by_itself",
        "_device",
        "_metrics",
        "_score",
        "_scored",
        "received_at",
        "receiving",
        "reporters",
        "stale",
        "user_id",
        "version",
    )

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.reporters: dict[str, Reporting] = {}
        self.receiving: dict[tuple[str, str], StreamState] = {}
        self.received_at = 0.0
        self.stale = False
        self.version = 0
        # (sdk_version, report_time) of the newest report about this user, and of its own newest report.
        self._about: tuple[str, int] | None = None
        self._by_itself: tuple[str, int] | None = None
        # The newest one given, and when.
        self._device: tuple[Device, float] | None = None
        self._metrics: UserMetrics | None = None
        self._score: float | None = None
        self._scored = False

    def reports(self, report: Report, now: float, version: int) -> None:
        """Note that this user sent `report`."""
        self._by_itself = (report.sdk_version, report.report_time)
        self._heard(now, version)

    def reported_on(self, report: Report, device: Device | None, now: float, version: int) -> Reporting:
        """Note that `report` has an entry about this user, and return what its reporter says about it."""
        self._about = (report.sdk_version, report.report_time)
        if device:
            self._device = (device, now)
        self._heard(now, version)
        reporting = self.reporters.get(report.user_id)
        if reporting is None:
            reporting = self.reporters[report.user_id] = Reporting()
        reporting.at = max(reporting.at, now)
        return reporting

    def _heard(self, now: float, version: int) -> None:
        # Never before what it holds: a user must not leave while one of its streams is still there.
        self.received_at = max(self.received_at, now)
        self.stale = False
        self.changed(version)

    def changed(self, version: int) -> None:
        self.version = version
        self._metrics = None
        self._scored = False

    def set_back(self, now: float, version: int) -> None:
        """Take nothing to have been heard later than `now`, since the clock was set back to there."""
        self.received_at = min(self.received_at, now)
        if self._device:
            self._device = (self._device[0], min(self._device[1], now))
        for reporting in self.reporters.values():
            reporting.at = min(reporting.at, now)
        for stream in self.streams():
            stream.set_back(now)
        self.changed(version)

    def forget(self, now: float, leave_after: float) -> tuple[bool, list[StreamState]]:
        """Drop streams and reporters not heard of, and a device not given, for `leave_after` seconds.

        Returns whether any was dropped, and the dropped streams.
        """
        dropped = []
        for reporting in self.reporters.values():
            old = [key for key, stream in reporting.streams.items() if stream.received_at + leave_after <= now]
            dropped += [reporting.streams.pop(key) for key in old]
        gone = [reporter for reporter, reporting in self.reporters.items() if reporting.at + leave_after <= now]
        for reporter in gone:
            del self.reporters[reporter]
        if not self.reporters:
            self._about = None
        lost_device = self._device is not None and self._device[1] + leave_after <= now
        if lost_device:
            self._device = None
        return bool(gone or dropped or lost_device), dropped

    def oldest(self) -> float:
        """When the part of this user that will be forgotten first was last heard of."""
        parts = chain(
            (stream.received_at for stream in self.streams()),
            (reporting.at for reporting in self.reporters.values()),
            (self._device[1],) if self._device else (),
        )
        return min(parts, default=self.received_at)

    def score(self) -> float | None:
        """The score that `metrics()` has, without its reasons; found once per change."""
        if not self._scored:
            sending = (one.quality.score for one in self.streams() if one.sample.direction == "send")
            self._score = worst(chain(sending, (one.quality.score for one in self.receiving.values())))
            self._scored = True
        return self._score

    def weakest(self) -> Weakest:
        """The streams that decide its score, found without `metrics()`."""
        sending = [one for one in self.streams() if one.sample.direction == "send" and one.quality.score is not None]
        receiving = [one for one in self.receiving.values() if one.quality.score is not None]
        uplink = min(sending, key=lambda one: (one.quality.score, one.order()), default=None)
        worst = min(receiving, key=lambda one: (one.quality.score, one.user_id, one.sample.stream_id), default=None)
        return Weakest(uplink.metrics() if uplink else None, self._reception(worst) if worst else None)

    def _reception(self, stream: StreamState) -> Reception:
        return Reception(None if stream.user_id == self.user_id else stream.user_id, stream.metrics())

    def received(self) -> list[Receiving]:
        """What it receives, by sender and stream."""
        streams = [self.receiving[key] for key in sorted(self.receiving)]
        return [
            Receiving(stream.user_id, stream.sample.stream_id, stream.quality.score, stream.quality.level)
            for stream in streams
        ]

    def heard(self) -> Iterator[Level]:
        """How well each of the others receives each of its streams."""
        others = (one for one in self.streams() if one.reporter_id != self.user_id)
        return (one.quality.level for one in others if one.sample.direction == "recv")

    def streams(self) -> Iterator[StreamState]:
        """The streams that entries about this user gave."""
        return chain.from_iterable(reporting.streams.values() for reporting in self.reporters.values())

    def stream_count(self) -> int:
        return sum(len(reporting.streams) for reporting in self.reporters.values())

    def metrics(self) -> UserMetrics:
        """The answer about this user; built once per change."""
        if self._metrics is None:
            self._metrics = self._build()
        return self._metrics

    def _build(self) -> UserMetrics:
        streams = sorted(self.streams(), key=StreamState.order)
        receiving = [self.receiving[key] for key in sorted(self.receiving)]
        sdk_version, report_time = self._about or self._by_itself or ("", 0)
        return UserMetrics(
            user_id=self.user_id,
            sdk_version=sdk_version,
            device=self._device[0] if self._device else None,
            report_time=report_time,
            received_at=self.received_at,
            stale=self.stale,
            reporters=sorted(self.reporters),
            quality=rate_user(
                ((one.sample.stream_id, one.quality) for one in streams if one.sample.direction == "send"),
                ((self._received_name(stream), stream.quality) for stream in receiving),
            ),
            streams=[stream.metrics() for stream in streams],
            receiving=self.received(),
        )

    def _received_name(self, stream: StreamState) -> str:
        # An entry about the reporter itself: it receives from somebody that it does not name.
        name = stream.sample.stream_id
        return name if stream.user_id == self.user_id else f"{stream.user_id}'s {name}"
