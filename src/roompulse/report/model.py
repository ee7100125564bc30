"""The report as SDKs post it (docs/api.md): one body, one `Report`.

Figures keep the number type in which they were sent, so that they are returned unchanged. None is "not known".
They are stored by position (store/packing.py): new fields are added at the end of their struct.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

MAX_TIME = 10**14
MILLISECONDS_FROM = 10**11
"""A time from here on is in milliseconds: in seconds it would be in the year 5138."""

MAX_COUNT = 10**9
"""More frames than a stream can drop at the highest frame rate in the longest time."""

Direction = Literal["send", "recv"]
Role = Literal["client", "server"]
Content = Literal["camera", "screen"]
LimitedBy = Literal["none", "cpu", "bandwidth", "other"]
CandidateType = Literal["host", "srflx", "prflx", "relay"]
Protocol = Literal["udp", "tcp", "tls"]
Id = Annotated[str, Meta(min_length=1, max_length=128, extra_json_schema={"format": "roompulse-id"})]
"""`ids.id_fault` checks the rest of the rule, which a JSON schema cannot express."""

ShortText = Annotated[
    str, Meta(min_length=1, max_length=64, extra_json_schema={"pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"})
]
"""`ids.text_fault` checks the pattern, which is: no control characters."""

LongText = Annotated[
    str, Meta(min_length=0, max_length=500, extra_json_schema={"pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"})
]
Name = Annotated[
    str, Meta(min_length=1, max_length=128, extra_json_schema={"pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"})
]
LabelKey = Annotated[str, Meta(min_length=1, max_length=32, extra_json_schema={"pattern": "^[a-z][a-z0-9_]*$"})]
"""`ids.label_fault` checks the pattern."""

Labels = Annotated[dict[LabelKey, ShortText], Meta(max_length=8)]

MAX_EVENTS = 100
"""Events in a report."""

UnixTime = Annotated[int, Meta(ge=0, le=MAX_TIME)]
Pixels = Annotated[int, Meta(ge=0, le=65535)]
FramesPerSecond = Annotated[int, Meta(ge=0, le=1000)] | Annotated[float, Meta(ge=0, le=1000)]
KilobitsPerSecond = Annotated[int, Meta(ge=0, le=10**7)] | Annotated[float, Meta(ge=0, le=10**7)]
Milliseconds = Annotated[int, Meta(ge=0, le=600_000)] | Annotated[float, Meta(ge=0, le=600_000)]
Seconds = Annotated[int, Meta(ge=0, le=600_000)] | Annotated[float, Meta(ge=0, le=600_000)]
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Share = Annotated[int, Meta(ge=0, le=1)] | Annotated[float, Meta(ge=0, le=1)]
Percent = Annotated[int, Meta(ge=0, le=100)] | Annotated[float, Meta(ge=0, le=100)]


class Video(Struct, frozen=True, gc=False):
    """Figures of video; dropped frames and freezes are since the previous report of the stream."""

    timestamp: UnixTime | None = None
    frame_rate: FramesPerSecond | None = None
    width: Pixels | None = None
    height: Pixels | None = None
    bitrate: KilobitsPerSecond | None = None
    codec: ShortText | None = None
    frames_dropped: Count | None = None
    freeze_count: Count | None = None
    freeze_duration: Seconds | None = None
    content: Content | None = None
    limited_by: LimitedBy | None = None


class Audio(Struct, frozen=True, gc=False):
    """Figures of audio; `concealed` is the share of samples since the previous report of the stream."""

    timestamp: UnixTime | None = None
    sample_rate: Annotated[int, Meta(ge=0, le=10**6)] | None = None
    channels: Annotated[int, Meta(ge=0, le=64)] | None = None
    bitrate: KilobitsPerSecond | None = None
    codec: ShortText | None = None
    level: Share | None = None
    muted: bool | None = None
    concealed: Percent | None = None


class Network(Struct, frozen=True, gc=False):
    rtt: Milliseconds | None = None
    packet_loss: Percent | None = None
    jitter: Milliseconds | None = None


class Stream(Struct, frozen=True, gc=False):
    """One stream, measured where it is sent (`send`) or received (`recv`).

    `sender_id`, `from` in JSON, is whose stream a media server's `recv` is, None where it does not say; elsewhere it is
    ignored.
    """

    stream_id: Id
    direction: Direction
    video: Video | None = None
    audio: Audio | None = None
    network: Network | None = None
    sender_id: Id | None = field(default=None, name="from")


class Device(Struct, frozen=True, gc=False):
    """A user's device, in the words of the SDK."""

    type: ShortText | None = None
    os: ShortText | None = None
    browser: ShortText | None = None
    network_type: ShortText | None = None


class Connection(Struct, frozen=True, gc=False):
    """The way that a user's media takes, in the words of WebRTC."""

    candidate_type: CandidateType | None = None
    protocol: Protocol | None = None
    ice_state: ShortText | None = None


class Entry(Struct, frozen=True, gc=False):
    """Streams of one user; `device` and `connection` are the user's.

    In a client's report the user sends them, whoever measured them. In a media server's, the user sends those of `send`
    and receives those of `recv`.
    """

    user_id: Id
    streams: list[Stream]
    device: Device | None = None
    user_name: Name | None = None
    connection: Connection | None = None


LEFT = "left"
"""The type of the event by which a reporter says that it leaves the room."""


class Event(Struct, frozen=True, gc=False):
    """What happened at the reporter; `time` is Unix seconds once decoded, None that of the report."""

    type: ShortText
    time: UnixTime | None = None
    stream_id: Id | None = None
    detail: LongText | None = None


class Report(Struct, frozen=True, gc=False):
    """One report; `user_id` is the reporter, `report_time` is Unix seconds once decoded.

    `labels` are about the reporter. One that is a media server is no user of the room.
    """

    user_id: Id
    room_id: Id
    sdk_version: ShortText
    report_time: UnixTime
    metrics: list[Entry]
    room_name: Name | None = None
    labels: Labels | None = None
    events: Annotated[list[Event], Meta(max_length=MAX_EVENTS)] | None = None
    role: Role | None = None

    @property
    def by_server(self) -> bool:
        return self.role == "server"


class Received(Struct, frozen=True, gc=False):
    """A report and the server's time at its receipt (Unix seconds), which decides liveness.

    `sender` is the key of the limits that it counts against, empty: none; `by_token` says that the sender showed a room
    token, which speaks for one user alone. Neither is kept with the sample. `position` is its place in the log, which
    grows with each report that is committed; 0 before that.
    """

    report: Report
    at: float
    sender: str = ""
    by_token: bool = False
    position: int = 0
