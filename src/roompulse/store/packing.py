"""How the streams of an entry and the aggregate of a room are stored: MessagePack arrays, fields by position.

Both are written once and read whole, so names would only cost room. New fields go to the end of their struct:
older rows then read back with the field's default.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from roompulse.quality import RoomQuality
from roompulse.report.model import Audio, Network, Stream, Video
from roompulse.rooms.model import Aggregate, AudioTotals, Figures, FrameRate, VideoTotals

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def pack_streams(streams: Sequence[Stream]) -> bytes:
    return _encode(
        [
            (one.stream_id, one.direction == "recv", _values(one.video), _values(one.audio), _values(one.network))
            for one in streams
        ]
    )


def unpack_streams(packed: bytes) -> list[Stream]:
    return [
        Stream(
            stream_id,
            "recv" if received else "send",
            Video(*video) if video else None,
            Audio(*audio) if audio else None,
            Network(*network) if network else None,
        )
        for stream_id, received, video, audio, network in _decode(packed)
    ]


def pack_aggregate(aggregate: Aggregate) -> bytes:
    video = aggregate.video
    return _encode(
        (
            aggregate.user_count,
            aggregate.stream_count,
            astuple(aggregate.quality),
            _values(aggregate.rtt),
            _values(aggregate.packet_loss),
            _values(aggregate.jitter),
            (video.stream_count, _values(video.frame_rate), video.send_bitrate, video.recv_bitrate),
            astuple(aggregate.audio),
        )
    )


def unpack_aggregate(packed: bytes) -> dict[str, Any]:
    """The fields of an `Aggregate` by name, to make one or a `Snapshot` of."""
    user_count, stream_count, quality, rtt, packet_loss, jitter, video, audio = _decode(packed)
    video_count, frame_rate, send_bitrate, recv_bitrate = video
    return {
        "user_count": user_count,
        "stream_count": stream_count,
        "quality": RoomQuality(*quality),
        "rtt": Figures(*rtt) if rtt else None,
        "packet_loss": Figures(*packet_loss) if packet_loss else None,
        "jitter": Figures(*jitter) if jitter else None,
        "video": VideoTotals(video_count, FrameRate(*frame_rate) if frame_rate else None, send_bitrate, recv_bitrate),
        "audio": AudioTotals(*audio),
    }


def unpack_score_and_users(packed: bytes) -> tuple[float | None, int]:
    """Only the room's score and its number of users."""
    user_count, _, quality, *_ = _decode(packed)
    return quality[0], user_count


def _values(part: Struct | None) -> tuple[Any, ...] | None:
    return astuple(part) if part else None
