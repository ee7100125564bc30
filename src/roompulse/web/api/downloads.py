"""Downloads of a room's history, of its users' reports and of its events, as CSV and JSON.

Each is read in short portions while it is sent, so that a slow client keeps no transaction open.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from io import StringIO
from itertools import chain, groupby
from operator import attrgetter
from typing import Any

import msgspec
from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from roompulse.clock import Clock
from roompulse.events.timeline import Timeline
from roompulse.quality import StreamQuality, arithmetic
from roompulse.settings import Settings
from roompulse.store.contract import Store
from roompulse.store.reader import Reader
from roompulse.store.replay import Replay
from roompulse.web.api.history import Span, requested_span
from roompulse.web.api.portions_answer import PortionsAnswer
from roompulse.web.http.routes import GET, AnyRequest
from roompulse.web.http.urls import decode_id, encode_id

Portions = Iterator[Sequence[Any]]
Read = Callable[[str, Span], Portions]
Write = Callable[[Portions], Iterator[bytes]]

_WRITTEN_AT_ONCE = 250

HISTORY_COLUMNS = {
    "time_utc": "timestamp",
    "users": "user_count",
    "streams": "stream_count",
    "score": "quality.score",
    "level": "quality.level",
    "worst_score": "quality.worst",
    "verdict": "quality.verdict",
    "users_good": "quality.good",
    "users_fair": "quality.fair",
    "users_poor": "quality.poor",
    "users_unknown": "quality.unknown",
    "rtt_avg_ms": "rtt.avg",
    "rtt_median_ms": "rtt.median",
    "rtt_p95_ms": "rtt.p95",
    "rtt_max_ms": "rtt.max",
    "packet_loss_avg_percent": "packet_loss.avg",
    "packet_loss_median_percent": "packet_loss.median",
    "packet_loss_p95_percent": "packet_loss.p95",
    "packet_loss_max_percent": "packet_loss.max",
    "jitter_avg_ms": "jitter.avg",
    "jitter_median_ms": "jitter.median",
    "jitter_p95_ms": "jitter.p95",
    "jitter_max_ms": "jitter.max",
    "frame_rate_avg_fps": "video.frame_rate.avg",
    "frame_rate_min_fps": "video.frame_rate.min",
    "video_send_kbit_s": "video.send_bitrate",
    "video_recv_kbit_s": "video.recv_bitrate",
    "audio_send_kbit_s": "audio.send_bitrate",
    "audio_recv_kbit_s": "audio.recv_bitrate",
}
"""The attribute of a Snapshot by column."""

USERS_COLUMNS = {
    "time_utc": "timestamp",
    "user_id": "user_id",
    "reporter_id": "reporter_id",
    "stream_id": "stream_id",
    "direction": "direction",
    "sdk_version": "sdk_version",
    "score": "quality.score",
    "level": "quality.level",
    "arithmetic": "quality",
    "rtt_ms": "network.rtt",
    "packet_loss_percent": "network.packet_loss",
    "jitter_ms": "network.jitter",
    "width_px": "video.width",
    "height_px": "video.height",
    "frame_rate_fps": "video.frame_rate",
    "video_kbit_s": "video.bitrate",
    "sample_rate_hz": "audio.sample_rate",
    "channels": "audio.channels",
    "audio_kbit_s": "audio.bitrate",
    "video_codec": "video.codec",
    "content": "video.content",
    "limited_by": "video.limited_by",
    "frames_dropped": "video.frames_dropped",
    "freezes": "video.freeze_count",
    "frozen_s": "video.freeze_duration",
    "audio_codec": "audio.codec",
    "muted": "audio.muted",
    "audio_level": "audio.level",
    "concealed_percent": "audio.concealed",
    "device_type": "device.type",
    "os": "device.os",
    "browser": "device.browser",
    "network_type": "device.network_type",
    "receiver_id": "receiver_id",
}
"""The attribute of a StreamSample by column."""


EVENTS_COLUMNS = {
    "time_utc": "time",
    "kind": "kind",
    "user_id": "user_id",
    "stream_id": "stream_id",
    "level": "level",
    "text": "text",
    "detail": "detail",
}
"""The attribute of a TimelineEvent by column."""


class Downloads:
    def __init__(
        self, store: Store, past: Replay, timeline: Timeline, reader: Reader, clock: Clock, settings: Settings
    ) -> None:
        self.reader = reader
        self._store = store
        self._past = past
        self._timeline = timeline
        self._clock = clock
        self._settings = settings

    def history(self, room_id: str, span: Span) -> Portions:
        return self._store.snapshots(room_id, *self._retained(span, self._settings.snapshot_retention))

    def users(self, room_id: str, span: Span) -> Portions:
        return self._past.all_samples(room_id, *self._retained(span, self._settings.sample_retention))

    def events(self, room_id: str, span: Span) -> Portions:
        return self._timeline.all(room_id, *self._retained(span, self._settings.snapshot_retention))

    def _retained(self, span: Span, retention: float) -> tuple[float, float]:
        now = self._clock()
        return max(span.start or 0.0, now - retention), now if span.end is None else min(span.end, now)


def export_routes(exports: Downloads) -> list[HTTPRouteHandler]:
    def answer(request: AnyRequest, room_id: str, name: str, read: Read, write: Write) -> PortionsAnswer:
        decoded = decode_id("room_id", room_id)
        body = exports.reader.portions(write(read(decoded, requested_span(request))))
        # Encoded again, as the URL may be encoded otherwise: no id can end the name or the header (RFC 6266).
        names = f"attachment; filename=\"{name}\"; filename*=UTF-8''{encode_id(decoded)}-{name}"
        media_type = "text/csv; charset=utf-8" if name.endswith(".csv") else "application/json"
        headers = {"Content-Type": media_type, "Content-Disposition": names}
        return PortionsAnswer(exports.reader.place(), body, headers)

    @route("/rooms/{room_id:str}/history.csv", http_method=GET)
    async def get_history_csv(request: AnyRequest, room_id: FromPath[str]) -> PortionsAnswer:
        return answer(request, room_id, "history.csv", exports.history, partial(_csv, columns=HISTORY_COLUMNS))

    @route("/rooms/{room_id:str}/history.json", http_method=GET)
    async def get_history_json(request: AnyRequest, room_id: FromPath[str]) -> PortionsAnswer:
        return answer(request, room_id, "history.json", exports.history, _json)

    @route("/rooms/{room_id:str}/users.csv", http_method=GET)
    async def get_users_csv(request: AnyRequest, room_id: FromPath[str]) -> PortionsAnswer:
        return answer(request, room_id, "users.csv", exports.users, partial(_csv, columns=USERS_COLUMNS))

    @route("/rooms/{room_id:str}/users.json", http_method=GET)
    async def get_users_json(request: AnyRequest, room_id: FromPath[str]) -> PortionsAnswer:
        return answer(request, room_id, "users.json", exports.users, _json)

    @route("/rooms/{room_id:str}/events.csv", http_method=GET)
    async def get_events_csv(request: AnyRequest, room_id: FromPath[str]) -> PortionsAnswer:
        return answer(request, room_id, "events.csv", exports.events, partial(_csv, columns=EVENTS_COLUMNS))

    @route("/rooms/{room_id:str}/events.json", http_method=GET)
    async def get_events_json(request: AnyRequest, room_id: FromPath[str]) -> PortionsAnswer:
        return answer(request, room_id, "events.json", exports.events, _json)

    return [get_history_csv, get_history_json, get_users_csv, get_users_json, get_events_csv, get_events_json]


def _json(portions: Portions) -> Iterator[bytes]:
    separator, is_empty = b"[\n", True
    for some in _short(portions):
        yield separator + b",\n".join(map(msgspec.json.encode, some)) if some else b""
        if some:
            separator, is_empty = b",\n", False
    yield b"[]\n" if is_empty else b"\n]\n"


def _csv(portions: Portions, columns: Mapping[str, str]) -> Iterator[bytes]:
    # Without the byte order mark, Excel does not read the file as UTF-8.
    head = b"\xef\xbb\xbf" + _lines([list(columns)])
    row = _row_of(columns.values())
    for some in _short(portions):
        yield head + _lines([row(one) for one in some])
        head = b""
    yield head


def _short(portions: Portions) -> Iterator[Sequence[Any]]:
    """Portions, each written in some milliseconds."""
    for portion in portions:
        for start in range(0, max(len(portion), 1), _WRITTEN_AT_ONCE):
            yield portion[start : start + _WRITTEN_AT_ONCE]


def _lines(rows: Sequence[Sequence[object]]) -> bytes:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _row_of(paths: Iterable[str]) -> Callable[[Any], list[object]]:
    """A function that makes the cells of a row, of which the first is the time.

    The attributes of one part are read in one go: one by one, a row takes four times as long.
    """
    parts = [_part(parent, list(group)) for parent, group in groupby(paths, lambda path: path.rpartition(".")[0])]

    def row(one: Any) -> list[object]:
        timestamp, *values = chain.from_iterable(read(one) for read in parts)
        return [_time(timestamp), *map(_cell, values)]

    return row


def _part(parent: str, paths: Sequence[str]) -> Callable[[Any], Sequence[Any]]:
    names = [path.rpartition(".")[2] for path in paths]
    read, nothing = attrgetter(*names), (None,) * len(names)
    part_of = attrgetter(parent) if parent else None

    def values(one: Any) -> Sequence[Any]:
        part = part_of(one) if part_of else one
        if part is None:
            return nothing
        return read(part) if len(names) > 1 else (read(part),)

    return values


def _time(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")


def _cell(value: Any) -> object:
    if isinstance(value, StreamQuality):
        value = arithmetic(value)
    return spreadsheet_safe(value) if isinstance(value, str) else value


def spreadsheet_safe(text: str) -> str:
    """A text that a spreadsheet does not evaluate as a formula (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")) else text
