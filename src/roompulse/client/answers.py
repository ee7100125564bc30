"""The results of a `Reader` (docs/api.md), in types of the client. Times are Unix seconds; None is "not known".

Fields that a newer server adds are left out.
"""

from typing import Literal

from msgspec import Struct, field

from roompulse.client.model import Audio, Connection, Device, Direction, Network, Video

Level = Literal["good", "fair", "poor", "unknown"]
Verdict = Literal["unknown", "healthy", "isolated", "widespread"]


class Term(Struct, frozen=True):
    """What one impairment costs (score points), and the figure that it was computed from."""

    term: str
    cost: float
    value: float
    unit: str


class StreamQuality(Struct, frozen=True):
    score: float | None
    level: Level
    terms: list[Term]


class UserQuality(Struct, frozen=True):
    """`score` is the worse of `uplink` and `downlink`."""

    score: float | None
    level: Level
    uplink: float | None
    downlink: float | None
    reasons: list[str]


class RoomQuality(Struct, frozen=True):
    """`worst` is the lowest score of a user; `good` to `unknown` count users by level."""

    score: float | None
    level: Level
    worst: float | None
    good: int
    fair: int
    poor: int
    unknown: int
    verdict: Verdict


class Figures(Struct, frozen=True):
    """For rtt and jitter in ms, for packet loss in percent."""

    avg: float
    median: float | None
    p95: float
    max: float


class FrameRate(Struct, frozen=True):
    """Frames per second."""

    avg: float
    min: float


class VideoTotals(Struct, frozen=True):
    """Bitrates are in kbit/s."""

    stream_count: int
    frame_rate: FrameRate | None
    send_bitrate: float
    recv_bitrate: float


class AudioTotals(Struct, frozen=True):
    """Bitrates are in kbit/s."""

    stream_count: int
    send_bitrate: float
    recv_bitrate: float


class Aggregate(Struct, frozen=True):
    user_count: int
    stream_count: int
    quality: RoomQuality
    rtt: Figures | None
    packet_loss: Figures | None
    jitter: Figures | None
    video: VideoTotals
    audio: AudioTotals


class Snapshot(Aggregate, frozen=True):
    """A room as it was at `timestamp`."""

    timestamp: float


class StreamMetrics(Struct, frozen=True):
    """`sender_id` is the sender of a stream that a media server measured at its receiver."""

    stream_id: str
    direction: Direction
    reporter_id: str
    received_at: float
    video: Video | None
    audio: Audio | None
    network: Network | None
    quality: StreamQuality
    sender_id: str | None = field(default=None, name="from")


class Receiving(Struct, frozen=True):
    user_id: str
    stream_id: str
    score: float | None
    level: Level


class UserMetrics(Struct, frozen=True):
    user_id: str
    user_name: str | None
    sdk_version: str
    device: Device | None
    connection: Connection | None
    labels: dict[str, str] | None
    report_time: int
    received_at: float
    stale: bool
    reporters: list[str]
    quality: UserQuality
    streams: list[StreamMetrics]
    receiving: list[Receiving]


class RoomMetrics(Struct, frozen=True):
    """A live room; in a stream without users, `users` is empty."""

    room_id: str
    room_name: str | None
    updated_at: float
    aggregate: Aggregate
    users: list[UserMetrics] = []


class RoomSummary(Struct, frozen=True):
    room_id: str
    room_name: str | None
    aggregate: Aggregate
    received_at: float
    stale: bool


class Totals(Struct, frozen=True):
    rooms: int
    users: int
    good: int
    fair: int
    poor: int
    unknown: int
    reports_per_second: float
    received_at: float | None


class Overview(Struct, frozen=True):
    """`totals` are of all live rooms; `count` is how many match, `rooms` are the requested ones."""

    totals: Totals
    rooms: list[RoomSummary]
    count: int


class Call(Struct, frozen=True):
    """`ended_at` is None while it is live."""

    room_id: str
    started_at: float
    ended_at: float | None
    most_users: int | None
    worst_at: float | None
    worst_score: float | None
    room_name: str | None


class Calls(Struct, frozen=True):
    calls: list[Call]
    count: int


class Minutes(Struct, frozen=True):
    good: float
    fair: float
    poor: float
    unknown: float


class Stay(Struct, frozen=True):
    """`minutes` has a letter for each minute: the worst level in it, `p`, `f`, `g` or `u`."""

    joined: float
    left: float | None
    minutes: str


class CallUser(Struct, frozen=True):
    user_id: str
    user_name: str | None
    joined: float
    left: float | None
    device: Device | None
    minutes: Minutes
    score: float | None
    worst: float | None
    worst_at: float | None
    reasons: list[str]
    stays: list[Stay]


class WorstMinute(Struct, frozen=True):
    timestamp: float
    score: float
    good: int
    fair: int
    poor: int
    unknown: int


class VerdictSpan(Struct, frozen=True, rename={"start": "from", "end": "to"}):
    start: float
    end: float
    text: str


class RoomEvent(Struct, frozen=True):
    """What happened in a room; `kind` is as in docs/api.md."""

    time: float
    kind: str
    user_id: str | None
    stream_id: str | None
    level: Level | None
    text: str
    detail: str | None


class CallReport(Struct, frozen=True):
    room_id: str
    room_name: str | None
    started_at: float
    ended_at: float | None
    users: list[CallUser]
    worst_minute: WorstMinute | None
    verdicts: list[VerdictSpan]
    events: list[RoomEvent]
    text: str
