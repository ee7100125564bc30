"""The report (docs/api.md), in types of the client.

A figure that is None, the default, is unknown. The server checks ranges, and rejects the whole report if a figure is
outside its range.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct, field

Direction = Literal["send", "recv"]
Role = Literal["client", "server"]
Content = Literal["camera", "screen"]
LimitedBy = Literal["none", "cpu", "bandwidth", "other"]
CandidateType = Literal["host", "srflx", "prflx", "relay"]
Protocol = Literal["udp", "tcp", "tls"]


def _now() -> int:
    return int(time.time())


class Video(Struct, frozen=True, omit_defaults=True):
    """`timestamp` Unix seconds, `frame_rate` fps, `width` and `height` px, `bitrate` kbit/s, `freeze_duration` seconds.

    Dropped frames and freezes are since the previous report of the stream.
    """

    timestamp: int | None = None
    frame_rate: float | None = None
    width: int | None = None
    height: int | None = None
    bitrate: float | None = None
    codec: str | None = None
    frames_dropped: int | None = None
    freeze_count: int | None = None
    freeze_duration: float | None = None
    content: Content | None = None
    limited_by: LimitedBy | None = None


class Audio(Struct, frozen=True, omit_defaults=True):
    """`timestamp` Unix seconds, `sample_rate` Hz, `bitrate` kbit/s, `level` 0 to 1.

    `concealed` is the percentage of samples since the previous report of the stream.
    """

    timestamp: int | None = None
    sample_rate: int | None = None
    channels: int | None = None
    bitrate: float | None = None
    codec: str | None = None
    level: float | None = None
    muted: bool | None = None
    concealed: float | None = None


class Network(Struct, frozen=True, omit_defaults=True):
    """`rtt` and `jitter` ms, `packet_loss` percent."""

    rtt: float | None = None
    packet_loss: float | None = None
    jitter: float | None = None


class Stream(Struct, frozen=True, omit_defaults=True):
    """One stream, measured where it is sent ("send") or where it is received ("recv").

    `sender_id` is the sender of a media server's "recv" stream, if known.
    """

    stream_id: str
    direction: Direction
    video: Video | None = None
    audio: Audio | None = None
    network: Network | None = None
    sender_id: str | None = field(default=None, name="from")


class Device(Struct, frozen=True, omit_defaults=True):
    """A user's device."""

    type: str | None = None
    os: str | None = None
    browser: str | None = None
    network_type: str | None = None


class Connection(Struct, frozen=True, omit_defaults=True):
    """The path of a user's media, in the words of WebRTC."""

    candidate_type: CandidateType | None = None
    protocol: Protocol | None = None
    ice_state: str | None = None


class Entry(Struct, frozen=True, omit_defaults=True):
    """Streams of one user, with its device, connection and name.

    In a client's report the user sends all of them. In a media server's report, the user sends the "send" streams
    and receives the "recv" streams.
    """

    user_id: str
    streams: Sequence[Stream]
    device: Device | None = None
    user_name: str | None = None
    connection: Connection | None = None


class Event(Struct, frozen=True, omit_defaults=True):
    """What happened at the reporter, at `time` (Unix seconds). With type "left" it leaves the room: its last report."""

    type: str
    time: int | None = None
    stream_id: str | None = None
    detail: str | None = None


class Report(Struct, frozen=True, omit_defaults=True):
    """The report of `user_id` about a room; with empty `metrics` it is a sign of life.

    With `role` "server", `user_id` is a media server, and no user of the room.

    `report_time` (Unix seconds) is when the figures were measured: the time at which the report is created, by default.
    """

    user_id: str
    room_id: str
    sdk_version: str
    metrics: Sequence[Entry]
    report_time: int = field(default_factory=_now)
    room_name: str | None = None
    labels: Mapping[str, str] | None = None
    events: Sequence[Event] | None = None
    role: Role = "client"
