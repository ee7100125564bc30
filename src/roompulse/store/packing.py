"""How a report and the aggregate of a room are stored: MessagePack arrays, fields by position.

Both are written once and read whole, so names would only cost space. New fields are added at the end of their struct:
older rows then read back with the field's default.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

import msgspec
from msgspec.structs import astuple

from roompulse.quality import RoomQuality
from roompulse.report.model import Audio, Network, Stream, Video
from roompulse.rooms.model import Aggregate, AudioTotals, Figures, FrameRate, Snapshot, VideoTotals

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

_NO_MORE: Mapping[str, Any] = {}
_NO_MORE_VIDEO, _NO_MORE_AUDIO = (None,) * 6, (None,) * 4


Packed = tuple[Sequence[Stream], Mapping[str, Any]]
"""The streams of an entry, and everything else by name."""


def pack_report(entries: Iterable[Packed], more: Mapping[str, Any], report_time: int) -> bytes:
    """An array of the entries, followed by a map of everything else by name; an entry is never a map.

    An entry is an array of its streams, followed by a map in the same way. A timestamp of video or audio that equals
    `report_time`, as most do, is stored as true, in one byte.
    """
    values: list[Any] = [_entry(streams, rest, report_time) for streams, rest in entries]
    if more:
        values.append(more)
    return _encode(values)


def _entry(streams: Sequence[Stream], more: Mapping[str, Any], report_time: int) -> list[Any]:
    values: list[Any] = []
    for one in streams:
        video, audio, network = one.video, one.audio, one.network
        parts = (
            one.stream_id,
            one.direction == "recv",
            None if video is None else _video(video, report_time),
            None if audio is None else _audio(audio, report_time),
            None if network is None else (network.rtt, network.packet_loss, network.jitter),
        )
        values.append(parts if one.sender_id is None else (*parts, one.sender_id))
    if more:
        values.append(more)
    return values


# Field by field, which is faster than `astuple`: every report passes here. Fields that few reports have are left out.
def _video(video: Video, report_time: int) -> tuple[Any, ...]:
    at = video.timestamp
    more = (
        video.codec,
        video.frames_dropped,
        video.freeze_count,
        video.freeze_duration,
        video.content,
        video.limited_by,
    )
    given = (True if at == report_time else at, video.frame_rate, video.width, video.height, video.bitrate)
    return given if more == _NO_MORE_VIDEO else given + more


def _audio(audio: Audio, report_time: int) -> tuple[Any, ...]:
    at = audio.timestamp
    more = (audio.codec, audio.level, audio.muted, audio.concealed)
    given = (True if at == report_time else at, audio.sample_rate, audio.channels, audio.bitrate)
    return given if more == _NO_MORE_AUDIO else given + more


def unpack_report(packed: bytes) -> tuple[list[Any], Mapping[str, Any]]:
    """The entries, which `unpack_entry` reads, and the rest."""
    values = _decode(packed)
    return values, _rest(values)


def unpack_lone_entry(packed: bytes, report_time: int) -> Packed:
    """An entry with its own row, as versions up to 0.1.0 stored them."""
    return unpack_entry(_decode(packed), report_time)


def _rest(values: list[Any]) -> Mapping[str, Any]:
    return values.pop() if values and values[-1].__class__ is dict else _NO_MORE


def unpack_entry(values: list[Any], report_time: int) -> Packed:
    """The streams and the rest, also of entries that were stored by a version with fewer fields."""
    more = _rest(values)
    streams = []
    # An absent part is None, and no part is empty: `and` is faster than `if`, and this loop is a third of a start.
    for stream_id, received, video, audio, network, *sender in values:
        if video and video[0] is True:
            video[0] = report_time
        if audio and audio[0] is True:
            audio[0] = report_time
        streams.append(
            Stream(
                stream_id,
                "recv" if received else "send",
                video and Video(*video),
                audio and Audio(*audio),
                network and Network(*network),
                *sender,
            )
        )
    return streams, more


def pack_aggregate(aggregate: Aggregate) -> bytes:
    video = aggregate.video
    frame_rate = video.frame_rate
    return _encode(
        (
            aggregate.user_count,
            aggregate.stream_count,
            _quality(aggregate.quality),
            _figures(aggregate.rtt),
            _figures(aggregate.packet_loss),
            _figures(aggregate.jitter),
            (video.stream_count, frame_rate and astuple(frame_rate), video.send_bitrate, video.recv_bitrate),
            astuple(aggregate.audio),
        )
    )


_QUALITY_VALUES, _FIGURES_VALUES = 8, 4
"""With the last one, which is absent in older rows."""


def _quality(quality: RoomQuality) -> tuple[Any, ...]:
    counts = quality.good, quality.fair, quality.poor, quality.unknown
    return quality.score, quality.level, *counts, quality.verdict, quality.worst


def _figures(figures: Figures | None) -> tuple[float | None, ...] | None:
    return (figures.avg, figures.p95, figures.max, figures.median) if figures else None


# By position, without a star: a day of snapshots has tens of thousands of these lists.
def _to_quality(values: list[Any]) -> RoomQuality:
    if len(values) < _QUALITY_VALUES:
        values.append(None)
    score, level, good, fair, poor, unknown, verdict, worst = values
    return RoomQuality(score, level, worst, good, fair, poor, unknown, verdict)


def _to_figures(values: list[Any] | None) -> Figures | None:
    if values is None:
        return None
    if len(values) < _FIGURES_VALUES:
        values.append(None)
    avg, p95, highest, median = values
    return Figures(avg, median, p95, highest)


class PackedSnapshots(Sequence[Snapshot]):
    """Snapshots from rows of time (Unix milliseconds) and packed aggregate, unpacked at each access.

    Unpacked, a day of them would take ten times the memory, and longer than unpacking it in portions.
    """

    def __init__(self, rows: Sequence[Any]) -> None:
        self._rows = rows

    def content(self) -> tuple[bytes, bytes]:
        """All that they are made of, as bytes."""
        times = array("q", [timestamp for timestamp, _ in self._rows])
        return times.tobytes(), b"".join([packed for _, packed in self._rows])

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Snapshot: ...
    @overload
    def __getitem__(self, place: slice) -> list[Snapshot]: ...
    def __getitem__(self, place: int | slice) -> Snapshot | list[Snapshot]:
        if isinstance(place, slice):
            return unpack_snapshots(self._rows[place])
        return unpack_snapshots((self._rows[place],))[0]

    def __iter__(self) -> Iterator[Snapshot]:
        return iter(self[:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self[:] == other[:]

    __hash__ = None  # type: ignore[assignment]


def unpack_snapshots(rows: Iterable[tuple[int, bytes]]) -> list[Snapshot]:
    """Snapshots from times (Unix milliseconds) and packed aggregates."""
    snapshots = []
    # By position and in one loop, since a day of them is read in one go: otherwise it takes 1.5 times as long.
    for timestamp, packed in rows:
        user_count, stream_count, quality, rtt, packet_loss, jitter, video, audio = _decode(packed)
        video_count, frame_rate, send_bitrate, recv_bitrate = video
        snapshots.append(
            Snapshot(
                user_count,
                stream_count,
                _to_quality(quality),
                _to_figures(rtt),
                _to_figures(packet_loss),
                _to_figures(jitter),
                VideoTotals(video_count, frame_rate and FrameRate(*frame_rate), send_bitrate, recv_bitrate),
                AudioTotals(*audio),
                timestamp / 1000,
            )
        )
    return snapshots


def unpack_score_and_users(packed: bytes) -> tuple[float | None, int]:
    """Only the room's score and its number of users."""
    user_count, _, quality, *_ = _decode(packed)
    return quality[0], user_count
