"""Downloads of a room's history, of what its users reported and of its events, as CSV and JSON.

Each is read in short portions while it is sent, so that a slow client keeps no transaction open.
"""

import csv
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import msgspec
from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Stream

from roompulse.clock import Clock
from roompulse.events.model import TimelineEvent
from roompulse.events.timeline import Timeline
from roompulse.quality import StreamQuality, arithmetic
from roompulse.rooms.model import Snapshot
from roompulse.rooms.rated_samples import StreamSample
from roompulse.settings import Settings
from roompulse.store.contract import HistoryQuery, Store
from roompulse.store.replay import Replay
from roompulse.web.api.history import MAX_LIMIT, requested_span
from roompulse.web.http.routes import GET, AnyRequest
from roompulse.web.http.urls import decode_id, encode_id

Portions = AsyncIterator[Sequence[Any]]

_AT_ONCE = 1000
"""Snapshots per portion."""

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
    def __init__(self, store: Store, past: Replay, timeline: Timeline, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._past = past
        self._timeline = timeline
        self._clock = clock
        self._settings = settings

    async def history(self, room_id: str, start: float | None, end: float | None) -> Portions:
        now, span = self._clock(), self._settings.snapshot_interval * _AT_ONCE
        after = max(start or 0.0, now - self._settings.snapshot_retention)
        last = now if end is None else min(end, now)
        while after <= last:
            # Times are whole milliseconds, and both ends of a query belong to it.
            until = min(last, after + span - 0.001)
            portion = await self._store.history(HistoryQuery(room_id, after, until, limit=MAX_LIMIT))
            if portion and len(portion) == MAX_LIMIT:
                span /= 2  # There may be more of them, from when the interval was shorter.
                continue
            if portion:
                yield portion
            after += span

    def users(self, room_id: str, start: float | None, end: float | None) -> Portions:
        now = self._clock()
        after = max(start or 0.0, now - self._settings.sample_retention)
        return self._past.all_samples(room_id, after, now if end is None else min(end, now))

    def events(self, room_id: str, start: float | None, end: float | None) -> Portions:
        now = self._clock()
        return self._timeline.all(room_id, start or 0.0, now if end is None else min(end, now))


def export_routes(exports: Downloads) -> list[HTTPRouteHandler]:
    @route("/rooms/{room_id:str}/history.csv", http_method=GET)
    async def get_history_csv(request: AnyRequest, room_id: FromPath[str]) -> Response[Any]:
        portions = exports.history(*_requested(request, room_id))
        return await _download(request, room_id, "history.csv", _csv(portions, HISTORY_COLUMNS))

    @route("/rooms/{room_id:str}/history.json", http_method=GET)
    async def get_history_json(request: AnyRequest, room_id: FromPath[str]) -> Response[Any]:
        return await _download(request, room_id, "history.json", _json(exports.history(*_requested(request, room_id))))

    @route("/rooms/{room_id:str}/users.csv", http_method=GET)
    async def get_users_csv(request: AnyRequest, room_id: FromPath[str]) -> Response[Any]:
        portions = exports.users(*_requested(request, room_id))
        return await _download(request, room_id, "users.csv", _csv(portions, USERS_COLUMNS))

    @route("/rooms/{room_id:str}/users.json", http_method=GET)
    async def get_users_json(request: AnyRequest, room_id: FromPath[str]) -> Response[Any]:
        return await _download(request, room_id, "users.json", _json(exports.users(*_requested(request, room_id))))

    @route("/rooms/{room_id:str}/events.csv", http_method=GET)
    async def get_events_csv(request: AnyRequest, room_id: FromPath[str]) -> Response[Any]:
        portions = exports.events(*_requested(request, room_id))
        return await _download(request, room_id, "events.csv", _csv(portions, EVENTS_COLUMNS))

    @route("/rooms/{room_id:str}/events.json", http_method=GET)
    async def get_events_json(request: AnyRequest, room_id: FromPath[str]) -> Response[Any]:
        return await _download(request, room_id, "events.json", _json(exports.events(*_requested(request, room_id))))

    return [get_history_csv, get_history_json, get_users_csv, get_users_json, get_events_csv, get_events_json]


def _requested(request: AnyRequest, room_id: str) -> tuple[str, float | None, float | None]:
    span = requested_span(request)
    return decode_id("room_id", room_id), span.start, span.end


async def _download(request: AnyRequest, room_id: str, name: str, body: AsyncIterator[bytes]) -> Response[Any]:
    # Encoded again, as the URL may be encoded otherwise: nothing in an id can end the name or the header (RFC 6266).
    encoded = encode_id(decode_id("room_id", room_id))
    names = f"attachment; filename=\"{name}\"; filename*=UTF-8''{encoded}-{name}"
    headers = {"Content-Disposition": names}
    media_type = "text/csv" if name.endswith(".csv") else "application/json"
    if request.method == "HEAD":
        return Response(b"", media_type=media_type, headers=headers)
    # Read before anything is sent, so that a database that cannot be read is still 503.
    first = await anext(body)
    return Stream(_chain(first, body), media_type=media_type, headers=headers)


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for fragment in rest:
        yield fragment


async def _json(portions: Portions) -> AsyncIterator[bytes]:
    separator = b"[\n"
    async for portion in portions:
        yield separator + b",\n".join(map(msgspec.json.encode, portion))
        separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"


async def _csv(portions: Portions, columns: dict[str, str]) -> AsyncIterator[bytes]:
    # Without the byte order mark, Excel does not read the file as UTF-8.
    head = b"\xef\xbb\xbf" + _lines([list(columns)])
    paths = [path.split(".") for path in columns.values()]
    async for portion in portions:
        yield head + _lines([[_cell(one, path) for path in paths] for one in portion])
        head = b""
    if head:
        yield head


def _lines(rows: Sequence[Sequence[object]]) -> bytes:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cell(one: Snapshot | StreamSample | TimelineEvent, path: Sequence[str]) -> object:
    value: Any = one
    for name in path:
        value = getattr(value, name, None)
    if path in (["timestamp"], ["time"]):
        return datetime.fromtimestamp(value, UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
    if isinstance(value, StreamQuality):
        value = arithmetic(value)
    return spreadsheet_safe(value) if isinstance(value, str) else value


def spreadsheet_safe(text: str) -> str:
    """A text that a spreadsheet does not evaluate as a formula (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")) else text
