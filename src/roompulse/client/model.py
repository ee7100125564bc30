"""What a report says (docs/api.md), in types of the client's own.

A figure that is None, which is also the default, is not known. Ranges are checked by the server, which refuses a report
that breaks one as a whole.
"""

import time
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, field

Direction = Literal["send", "recv"]


def _now() -> int:
    return int(time.time())


class Video(Struct, frozen=True, omit_defaults=True):
    """`timestamp` Unix seconds, `frame_rate` fps, `width` and `height` px, `bitrate` kbit/s."""

    timestamp: int | None = None
    frame_rate: float | None = None
    width: int | None = None
    height: int | None = None
    bitrate: float | None = None


class Audio(Struct, frozen=True, omit_defaults=True):
    """`timestamp` Unix seconds, `sample_rate` Hz, `bitrate` kbit/s."""

    timestamp: int | None = None
    sample_rate: int | None = None
    channels: int | None = None
    bitrate: float | None = None


class Network(Struct, frozen=True, omit_defaults=True):
    """`rtt` and `jitter` ms, `packet_loss` percent."""

    rtt: float | None = None
    packet_loss: float | None = None
    jitter: float | None = None


class Stream(Struct, frozen=True, omit_defaults=True):
    """One stream as measured where it is sent ("send") or where it is received ("recv")."""

    stream_id: str
    direction: Direction
    video: Video | None = None
    audio: Audio | None = None
    network: Network | None = None


class Entry(Struct, frozen=True):
    """Streams of one user: the user who sends them, whoever measured them."""

    user_id: str
    streams: Sequence[Stream]


class Report(Struct, frozen=True):
    """What `user_id` reports about a room; with empty `metrics` it is a sign of life.

    `report_time` (Unix seconds) is when the figures were taken: now, unless given. Make the report when you take them.
    """

    user_id: str
    room_id: str
    sdk_version: str
    metrics: Sequence[Entry]
    report_time: int = field(default_factory=_now)
