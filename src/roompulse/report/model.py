"""The report as SDKs post it (docs/api.md): one body, one `Report`.

Figures keep the number type in which they were sent, so that they are returned unchanged. None is "not known".
They are stored by position (store/packing.py): new fields are added at the end of their struct.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

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
    """Figures of video."""

    timestamp: UnixTime | None = None
    """When it was measured, by the sender's clock: Unix seconds (milliseconds from 10^11 on)."""
    frame_rate: FramesPerSecond | None = None
    """Frames per second."""
    width: Pixels | None = None
    """Pixels."""
    height: Pixels | None = None
    """Pixels."""
    bitrate: KilobitsPerSecond | None = None
    """kbit/s."""
    codec: ShortText | None = None
    """Such as `VP8`, `H264` or `AV1`."""
    frames_dropped: Count | None = None
    """Frames since the previous report of the stream."""
    freeze_count: Count | None = None
    """Freezes since the previous report of the stream."""
    freeze_duration: Seconds | None = None
    """Seconds for which the picture stood still since the previous report of the stream."""
    content: Content | None = None
    """What the video shows; without it, a stream whose id begins with `screen` is a screen."""
    limited_by: LimitedBy | None = None
    """What keeps the encoder from sending more: `qualityLimitationReason` of WebRTC's statistics."""


class Audio(Struct, frozen=True, gc=False):
    """Figures of audio."""

    timestamp: UnixTime | None = None
    """When it was measured, by the sender's clock: Unix seconds (milliseconds from 10^11 on)."""
    sample_rate: Annotated[int, Meta(ge=0, le=10**6)] | None = None
    """Hz."""
    channels: Annotated[int, Meta(ge=0, le=64)] | None = None
    """How many channels it has."""
    bitrate: KilobitsPerSecond | None = None
    """kbit/s."""
    codec: ShortText | None = None
    """Such as `opus`."""
    level: Share | None = None
    """Loudness, 0 to 1."""
    muted: bool | None = None
    """Whether nothing is sent on purpose."""
    concealed: Percent | None = None
    """% of the samples since the previous report of the stream that were synthesized for lost ones."""


class Network(Struct, frozen=True, gc=False):
    rtt: Milliseconds | None = None
    """Round-trip time, ms."""
    packet_loss: Percent | None = None
    """% of the packets."""
    jitter: Milliseconds | None = None
    """ms."""


class Stream(Struct, frozen=True, gc=False):
    """One stream, measured where it is sent or received."""

    stream_id: Id
    """Such as `camera`, `screen` or `mic`: unique for each user, reporter and direction."""
    direction: Direction
    """`send`: measured where it is sent; `recv`: where it is received."""
    video: Video | None = None
    """None for a stream without video."""
    audio: Audio | None = None
    """None for a stream without audio."""
    network: Network | None = None
    """None where the network is not measured."""
    sender_id: Id | None = field(default=None, name="from")
    """In a media server's report, the sender of a `recv` stream; ignored in others."""


class Device(Struct, frozen=True, gc=False):
    """A user's device, in the words of the SDK."""

    type: ShortText | None = None
    """Such as `desktop` or `phone`."""
    os: ShortText | None = None
    """Operating system."""
    browser: ShortText | None = None
    """With its version."""
    network_type: ShortText | None = None
    """Such as `wifi` or `cellular`."""


class Connection(Struct, frozen=True, gc=False):
    """The path of a user's media, in the words of WebRTC."""

    candidate_type: CandidateType | None = None
    """How media is transported: directly (`host`, `srflx`, `prflx`) or by a `relay`."""
    protocol: Protocol | None = None
    """Protocol to the other side, or to the relay."""
    ice_state: ShortText | None = None
    """`iceConnectionState` of WebRTC."""


class Entry(Struct, frozen=True, gc=False):
    """Streams of one user; `device` and `connection` are the user's.

    In a client's report the user sends all of them. In a media server's report, the user sends the `send` streams
    and receives the `recv` streams.
    """

    user_id: Id
    """The sender of the media, or the reporter itself where the sender is not known."""
    streams: list[Stream]
    """What was measured; may be empty."""
    device: Device | None = None
    """The user's."""
    user_name: Name | None = None
    """For people, shown beside the id."""
    connection: Connection | None = None
    """The user's."""


LEFT = "left"
"""The type of the event by which a reporter says that it leaves the room."""


class Event(Struct, frozen=True, gc=False):
    """What happened at the reporter; `time` is Unix seconds once decoded."""

    type: ShortText
    """What happened, in a word; `left` says that the reporter leaves the room."""
    time: UnixTime | None = None
    """Unix seconds (milliseconds from 10^11 on); by default the report's time."""
    stream_id: Id | None = None
    """The stream concerned."""
    detail: LongText | None = None
    """More about it, for people."""


class Report(Struct, frozen=True, gc=False):
    """One report; `report_time` is Unix seconds once decoded."""

    user_id: Id
    """Who reports."""
    room_id: Id
    """The room of the report."""
    sdk_version: ShortText
    """Of the reporter."""
    report_time: UnixTime
    """By the reporter's clock: Unix seconds (milliseconds from 10^11 on)."""
    metrics: list[Entry]
    """An entry for each user reported on; empty it is a sign of life."""
    room_name: Name | None = None
    """For people, shown beside the id."""
    labels: Labels | None = None
    """Other facts about the reporter, such as its region: up to 8 words by key."""
    events: Annotated[list[Event], Meta(max_length=MAX_EVENTS)] | None = None
    """What happened at the reporter since its previous report."""
    role: Role | None = None
    """`server`: a media server, which is no user of the room and reports on its users."""

    @property
    def by_server(self) -> bool:
        return self.role == "server"

    @property
    def weight(self) -> int:
        """How many streams and events it has; an entry counts as one at least."""
        events = len(self.events) if self.events else 0
        return events + sum([len(entry.streams) or 1 for entry in self.metrics])


class Received(Struct, frozen=True, gc=False):
    """A report and the server's time at its receipt (Unix seconds), which decides liveness.

    `sender` is the key of the limits that it counts against, empty: none; `by_token` says that the sender has a room
    token, which is for one user only. Neither is kept with the sample. `position` is its place in the log, which
    grows with each report that is committed; 0 before that. `rows` are those that the database will have of it, where
    they have been made already. `continues` says that it is a later part of a report that is committed in several.
    """

    report: Report
    at: float
    sender: str = ""
    by_token: bool = False
    position: int = 0
    rows: Sequence[tuple[Any, ...]] | None = None
    continues: bool = False
