"""What is kept of one stream while it is live."""

from math import inf

from msgspec import UNSET

from roompulse.quality import FRAME_RATE_WINDOW, UNRATED, StreamQuality, is_sent, limitation, rate_stream
from roompulse.report.model import Direction, Entry, Report, Stream, Video
from roompulse.rooms.model import StreamMetrics

_LONGEST_INTERVAL = 600.0
"""Seconds between two reports up to which the sender's clock is believed: it may have been set in between."""

_SHORTEST_INTERVAL = 1.0


def interval(since_reported: int, since_received: float, last: float | None) -> float | None:
    """Seconds that a report of a stream covers, by the distance to the one before, or None for the first one.

    By the sender's clock, which separates reports that were queued while it was offline and arrived in a burst; by
    the time of receipt where that clock is implausible. A report repeated at once, as its answer was lost,
    covers the same time as before: the `last` interval.
    """
    if since_received >= FRAME_RATE_WINDOW:
        return None
    if 0 < since_reported <= _LONGEST_INTERVAL:
        return since_reported
    if since_reported == 0 and since_received < _SHORTEST_INTERVAL:
        return last
    return max(since_received, _SHORTEST_INTERVAL)


class StreamState:
    """The newest sample of one stream, rated when its score is read: most samples are replaced before that.

    `user_id` is the sender, or the receiver's own id where that is not known; `receiver_id` is empty for a stream
    measured where it is sent; for such a stream, `said_at` is since when `said` is unchanged. `stale` is true
    while no report has mentioned it for STALE_AFTER: it is then not counted.
    """

    __slots__ = (
        "_frame_rates",
        "_highest_frame_rate",
        "_interval",
        "_quality",
        "_report_time",
        "received_at",
        "receiver_id",
        "reporter_id",
        "said",
        "said_at",
        "sample",
        "stale",
        "user_id",
    )

    def __init__(self, user_id: str, reporter_id: str, receiver_id: str = "") -> None:
        self.user_id = user_id
        self.reporter_id = reporter_id
        self.receiver_id = receiver_id
        self.received_at = -inf
        self.stale = False
        self.said: tuple[object, ...] = ()
        self.said_at = -inf
        self._report_time = 0
        self._interval: float | None = None
        self._quality: StreamQuality | None = None
        # (time, fps), falling from left to right: the leftmost within the window is its highest. Few, so a list.
        self._frame_rates: list[tuple[float, float]] = []
        self._highest_frame_rate = 0.0

    def replace(self, sample: Stream, report_time: int, now: float) -> None:
        """Replace the sample by a newer one."""
        video = sample.video
        if video and (video.freeze_duration is not None or video.freeze_count is not None):
            self._interval = interval(report_time - self._report_time, now - self.received_at, self._interval)
        self._report_time = report_time
        if not self.receiver_id and (said := _said(sample)) != self.said:
            self.said, self.said_at = said, now
        self.sample = sample
        self.received_at = now
        self.stale = False
        self._note_frame_rate(video, now)
        self._quality = None

    @property
    def quality(self) -> StreamQuality:
        """The newest sample's rating by what was known at its receipt; computed once. Unknown for a stale stream."""
        if self.stale:
            return UNRATED
        if self._quality is None:
            self._quality = rate_stream(self.sample, self._highest_frame_rate, self._interval)
        return self._quality

    @property
    def is_sent(self) -> bool:
        return not self.stale and is_sent(self.sample)

    def name_for(self, receiver_id: str) -> str:
        """As a receiver names it, e.g. `u2's camera`."""
        # An entry about the reporter itself: it does not name the sender.
        name = self.sample.stream_id
        return name if self.user_id == receiver_id else f"{self.user_id}'s {name}"

    def limitation(self) -> str | None:
        """What limits its encoder, in words."""
        return None if self.stale else limitation(self.sample.video, f"sending {self.sample.stream_id}")

    def was_in_report_of(self, report_time: int) -> bool:
        """Whether its newest sample is from a report of that time."""
        return self._report_time == report_time

    def _note_frame_rate(self, video: Video | None, now: float) -> None:
        rates = self._frame_rates
        fps = video.frame_rate if video else None
        if fps is None and not rates:
            return
        if fps is not None:
            while rates and rates[-1][1] <= fps:
                rates.pop()
            rates.append((now, fps))
        while rates and rates[0][0] < now - FRAME_RATE_WINDOW:
            del rates[0]
        self._highest_frame_rate = rates[0][1] if rates else 0.0

    def shift(self, seconds: float) -> None:
        self.received_at += seconds
        self.said_at += seconds
        self._frame_rates = [(at + seconds, fps) for at, fps in self._frame_rates]

    @property
    def by_server(self) -> bool:
        """Whether it is received, and measured by a media server."""
        return self.receiver_id not in ("", self.reporter_id)

    @property
    def is_named(self) -> bool:
        """Whether the sender is known."""
        return self.user_id != self.receiver_id

    def received_as(self, sample: Stream) -> tuple[str, str, str]:
        """Its key among the streams that its receiver receives."""
        return self.user_id, sample.stream_id, self.reporter_id

    def order(self) -> tuple[str, Direction, str, str]:
        return self.sample.stream_id, self.sample.direction, self.reporter_id, self.user_id

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
            sender_id=(self.user_id if self.is_named else None) if self.by_server else UNSET,
        )


def _said(sample: Stream) -> tuple[object, ...]:
    """The values whose change is an event."""
    video, audio = sample.video, sample.audio
    sound = audio.codec if audio else None
    return (video.width, video.height, video.codec, video.limited_by, sound) if video else (sound,)


StreamKey = tuple[str, Direction, str]
"""Stream, direction, and the sender of what a media server sends to the user, else empty.

The key of a stream among those that one reporter gives about one user.
"""


def key_of(sample: Stream, *, by_server: bool) -> StreamKey:
    """Its key in a report of a media server (`by_server`) or of a client."""
    direction = sample.direction
    if by_server and direction == "recv":
        return sample.stream_id, direction, sample.sender_id or ""
    return sample.stream_id, direction, ""


def new_stream(report: Report, entry: Entry, sample: Stream) -> StreamState:
    """A stream that an entry is the first to mention."""
    if sample.direction == "send":
        return StreamState(entry.user_id, report.user_id)
    if report.by_server:
        return StreamState(sample.sender_id or entry.user_id, report.user_id, entry.user_id)
    return StreamState(entry.user_id, report.user_id, report.user_id)


class Reporting:
    """The last report of one reporter about one user, and its time; `by_server`: of a media server."""

    __slots__ = ("at", "by_server", "streams")

    def __init__(self, *, by_server: bool) -> None:
        self.by_server = by_server
        self.at = 0.0
        self.streams: dict[StreamKey, StreamState] = {}
