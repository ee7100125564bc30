"""The answers about rooms, in the shapes that JSON consumers, pages and snapshots share.

Times are Unix seconds with milliseconds, bitrates kbit/s, None is "not known".
"""

from msgspec import UNSET, Struct, UnsetType, field

from roompulse.quality import Level, RoomQuality, StreamQuality, UserQuality
from roompulse.report.model import Audio, Connection, Device, Direction, Network, Video


class Figures(Struct, frozen=True, gc=False):
    """Spread of one figure over the streams that gave it: rtt and jitter in ms, packet loss in percent.

    Ranks are nearest ones. `median` is None in snapshots of versions that did not store it.
    """

    avg: float
    median: float | None
    p95: float
    max: float


class FrameRate(Struct, frozen=True, gc=False):
    """Frames per second over the video streams that gave them."""

    avg: float
    min: float


class VideoTotals(Struct, frozen=True, gc=False):
    stream_count: int
    frame_rate: FrameRate | None
    send_bitrate: float
    recv_bitrate: float


class AudioTotals(Struct, frozen=True, gc=False):
    stream_count: int
    send_bitrate: float
    recv_bitrate: float


class Aggregate(Struct, frozen=True, gc=False):
    """A room in figures; bitrates are sums, and 0 when there is no such stream."""

    user_count: int
    stream_count: int
    quality: RoomQuality
    rtt: Figures | None
    packet_loss: Figures | None
    jitter: Figures | None
    video: VideoTotals
    audio: AudioTotals


class Snapshot(Aggregate, frozen=True, gc=False):
    """The aggregate of a room as it was at `timestamp`."""

    timestamp: float


class StreamMetrics(Struct, frozen=True, gc=False):
    """The newest sample of one stream, and how it rates: unknown once no report mentioned it for STALE_AFTER.

    `sender_id`, `from` in JSON, is there where a media server measured what the user receives: whose stream that is,
    None where it is not known.
    """

    stream_id: str
    direction: Direction
    reporter_id: str
    received_at: float
    video: Video | None
    audio: Audio | None
    network: Network | None
    quality: StreamQuality
    sender_id: str | UnsetType | None = field(default=UNSET, name="from")


class Receiving(Struct, frozen=True, gc=False):
    """How well a user receives one stream of another, by its own report or by that of a media server."""

    user_id: str
    stream_id: str
    score: float | None
    level: Level


class UserMetrics(Struct, frozen=True, gc=False):
    """The latest of one user.

    `streams` are those that entries about this user gave, `receiving` what it receives by its own reports and by those
    of media servers.
    `sdk_version` and `report_time` are of the newest report about the user (of its own newest report where nobody
    reported about it), `received_at` is when the last report by or about it came. `user_name`, `device` and
    `connection` are of the newest entry that gave one, `labels` of its own newest report that gave some; each is
    forgotten like a stream that is not mentioned any more.
    """

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


class RoomSummary(Struct, frozen=True, gc=False):
    """A room in one line: cheap to make, also of a room with many users. `received_at` is that of its newest report.

    `stale` is true when all of its users are.
    """

    room_id: str
    room_name: str | None
    aggregate: Aggregate
    received_at: float
    stale: bool


class RoomTotals(Struct, frozen=True, gc=False):
    """A room without its users."""

    room_id: str
    room_name: str | None
    updated_at: float
    aggregate: Aggregate


class RoomMetrics(RoomTotals, frozen=True, gc=False):
    users: list[UserMetrics]
