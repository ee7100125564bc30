"""The answers about rooms, in the shapes that JSON consumers, pages and snapshots share.

Times are Unix seconds with milliseconds, bitrates kbit/s, None is "not known".
"""

from msgspec import UNSET, Struct, UnsetType, field

from roompulse.quality import Level, RoomQuality, StreamQuality, UserQuality
from roompulse.report.model import Audio, Connection, Device, Direction, Network, Video


class Figures(Struct, frozen=True, gc=False):
    """Spread of one figure over the streams that gave it: rtt and jitter in ms, packet loss in percent.

    Ranks are nearest ones.
    """

    avg: float
    """Mean, in the unit of the figure."""
    median: float | None
    """In the unit of the figure; None in old snapshots."""
    p95: float
    """95th percentile, in the unit of the figure."""
    max: float
    """Highest, in the unit of the figure."""


class FrameRate(Struct, frozen=True, gc=False):
    """Frames per second over the video streams that gave them."""

    avg: float
    """Mean, frames per second."""
    min: float
    """Lowest, frames per second."""


class VideoTotals(Struct, frozen=True, gc=False):
    stream_count: int
    """Streams with video."""
    frame_rate: FrameRate | None
    """Over the streams with a frame rate."""
    send_bitrate: float
    """Sum of what is sent, kbit/s; 0 without such a stream."""
    recv_bitrate: float
    """Sum of what is received, kbit/s; 0 without such a stream."""


class AudioTotals(Struct, frozen=True, gc=False):
    stream_count: int
    """Streams with audio."""
    send_bitrate: float
    """Sum of what is sent, kbit/s; 0 without such a stream."""
    recv_bitrate: float
    """Sum of what is received, kbit/s; 0 without such a stream."""


class Aggregate(Struct, frozen=True, gc=False):
    """A room in figures."""

    user_count: int
    """Users in the room."""
    stream_count: int
    """Streams without stale ones."""
    quality: RoomQuality
    """How the room rates."""
    rtt: Figures | None
    """Round-trip time over the streams that gave one, ms."""
    packet_loss: Figures | None
    """Over the streams that gave one, %."""
    jitter: Figures | None
    """Over the streams that gave one, ms."""
    video: VideoTotals
    """All streams with video."""
    audio: AudioTotals
    """All streams with audio."""


class Snapshot(Aggregate, frozen=True, gc=False):
    """The aggregate of a room as it was at a time."""

    timestamp: float
    """Unix seconds."""


class StreamMetrics(Struct, frozen=True, gc=False):
    """The newest sample of one stream, and how it rates: unknown once no report mentioned it for STALE_AFTER."""

    stream_id: str
    """As it was reported."""
    direction: Direction
    """`send`: measured where it is sent; `recv`: where it is received."""
    reporter_id: str
    """Who measured it: a user, or a media server."""
    received_at: float
    """When its newest report came, Unix seconds."""
    video: Video | None
    """None for a stream without video."""
    audio: Audio | None
    """None for a stream without audio."""
    network: Network | None
    """None where the network is not measured."""
    quality: StreamQuality
    """How the stream rates."""
    sender_id: str | UnsetType | None = field(default=UNSET, name="from")
    """The sender of the stream; present only where a media server measured what the user receives."""


class Receiving(Struct, frozen=True, gc=False):
    """How well a user receives one stream of another, by its own report or by a media server's."""

    user_id: str
    """Who sends it."""
    stream_id: str
    """As it was reported."""
    score: float | None
    """Of the stream, 1.0 to 4.5; None where nothing is known."""
    level: Level
    """Of that score."""


class UserMetrics(Struct, frozen=True, gc=False):
    """The latest of one user; reported values expire like a stream that is no longer mentioned."""

    user_id: str
    """As it was reported."""
    user_name: str | None
    """The newest that was given."""
    sdk_version: str
    """Of the newest report about it, or else of its own newest report."""
    device: Device | None
    """The newest that was given."""
    connection: Connection | None
    """The newest that was given."""
    labels: dict[str, str] | None
    """The newest that it reported itself."""
    report_time: int
    """Of the same report as `sdk_version`, by its reporter's clock: Unix seconds."""
    received_at: float
    """When the newest report by or about it came, Unix seconds."""
    stale: bool
    """Whether that is more than STALE_AFTER seconds ago."""
    reporters: list[str]
    """Who reported about it, sorted."""
    quality: UserQuality
    """How the user rates."""
    streams: list[StreamMetrics]
    """The streams in entries about this user."""
    receiving: list[Receiving]
    """The streams that it receives, by its own reports and by media servers' reports."""


class RoomSummary(Struct, frozen=True, gc=False):
    """A room in one line: cheap to make, also of a room with many users."""

    room_id: str
    """As it was reported."""
    room_name: str | None
    """The newest that was given."""
    aggregate: Aggregate
    """The room in figures."""
    received_at: float
    """When its newest report came, Unix seconds."""
    stale: bool
    """Whether all of its users are stale."""


class RoomTotals(Struct, frozen=True, gc=False):
    """A room without its users."""

    room_id: str
    """As it was reported."""
    room_name: str | None
    """The newest that was given."""
    updated_at: float
    """When it changed last, Unix seconds."""
    aggregate: Aggregate
    """The room in figures."""


class RoomMetrics(RoomTotals, frozen=True, gc=False):
    users: list[UserMetrics]
    """By their ids."""
