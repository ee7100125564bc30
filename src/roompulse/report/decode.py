"""Bytes to `Report`, or a BadRequest that names the field."""

import re
from typing import Any, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from roompulse.errors import BadRequest, BodyTooLarge
from roompulse.report.ids import id_fault, label_fault, text_fault
from roompulse.report.model import (
    MILLISECONDS_FROM,
    Audio,
    CandidateType,
    Connection,
    Content,
    Device,
    Direction,
    Entry,
    Event,
    LimitedBy,
    Network,
    Protocol,
    Report,
    Role,
    Stream,
    Video,
)
from roompulse.validation import plain_fault

_LONGEST_FAULT = 200
"""Characters of a message about a field."""

_CHOICES = {
    "direction": " or ".join(get_args(Direction)),
    "role": " or ".join(get_args(Role)),
    "candidate_type": ", ".join(get_args(CandidateType)),
    "protocol": ", ".join(get_args(Protocol)),
    "content": " or ".join(get_args(Content)),
    "limited_by": ", ".join(get_args(LimitedBy)),
}
"""The values of a field that has few."""

_decoder = msgspec.json.Decoder(Report)
_untyped_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_unbounded_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=float)
"""It also decodes 1e999, and takes several times as long."""
_FLOAT = re.compile(r"Expected `int[^`]*`, got `float`")
"""The fault of a float in the place of an integer."""
_PARTS = Report, Entry, Stream, Video, Audio, Network, Device, Connection, Event
_FIELDS = frozenset(name for part in _PARTS for name in part.__struct_encode_fields__)


class Largest(Struct, frozen=True):
    """How many entries a report may have, and how many streams in all of them."""

    users: int
    streams: int


def decode_report(body: bytes, largest: Largest | None = None) -> Report:
    """Decode and check one request body, as `decode_as_sent` does, with a `report_time` in seconds."""
    report = decode_as_sent(body, largest)
    return in_seconds(report) if is_in_milliseconds(report) else report


def is_in_milliseconds(report: Report) -> bool:
    return report.report_time >= MILLISECONDS_FROM


def in_seconds(report: Report) -> Report:
    return replace(report, report_time=report.report_time // 1000)


def decode_as_sent(body: bytes, largest: Largest | None = None) -> Report:
    """Decode and check one request body, whose `report_time` may be in milliseconds.

    Raises:
        BadRequest: the body is not JSON, not UTF-8, nested too deeply, or breaks a rule of the report.
        BodyTooLarge: the report has too many entries or streams.

    """
    try:
        # msgspec skips unknown fields without checking their bytes, so the encoding is checked here.
        report = _decode(body.decode())
    except UnicodeDecodeError as error:
        raise BadRequest(f"$: the body is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise BadRequest("$: the body is nested too deeply") from None
    except msgspec.ValidationError as error:
        raise BadRequest(named_field(str(error))) from None
    except msgspec.DecodeError as error:
        raise BadRequest(f"$: {error}") from None
    if largest:
        _check_size(report, largest)
    _check_texts(report)
    if report.events:
        return replace(report, events=[_event_in_seconds(event) for event in report.events])
    return report


def _decode(text: str) -> Report:
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as fault:
        # Of duplicate keys the last one counts, and `1280.0` is accepted for an integer. Both are rare: only a body
        # that failed costs a second decoding, and only one with such a number a walk through all of it, which takes
        # longer than the rest.
        try:
            untyped = _untyped(text)
        except msgspec.ValidationError:
            # A number with more digits than Python reads; only the typed decoder can name its field.
            raise fault from None
        try:
            return msgspec.convert(untyped, Report)
        except msgspec.ValidationError as still:
            if not _FLOAT.match(str(still)):
                raise
        return msgspec.convert(_with_integers(untyped), Report)


def _untyped(text: str) -> Any:
    try:
        return _untyped_decoder.decode(text)
    except msgspec.ValidationError:
        return _unbounded_decoder.decode(text)


def _with_integers(value: Any) -> Any:
    """The same with integers in place of whole floats in the fields of a report; all else is unchanged."""
    if isinstance(value, dict):
        return {name: _with_integers(one) if name in _FIELDS else one for name, one in value.items()}
    if isinstance(value, list):
        return [_with_integers(one) if isinstance(one, dict) else one for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _event_in_seconds(event: Event) -> Event:
    if event.time is None or event.time < MILLISECONDS_FROM:
        return event
    return replace(event, time=event.time // 1000)


def named_field(message: str) -> str:
    """Turn msgspec's ``Expected `int` - at `$.a[0].b` `` into ``$.a[0].b: must be a whole number``."""
    # From the right, since the fault may quote what was sent.
    fault, separator, path = message.rpartition(" - at `")
    fault, path = (fault, path.rstrip("`")) if separator else (message, "$")
    # The fault of a key of a map, which has no path of its own, is at `` `key` in `$.labels` ``.
    path = path.removeprefix("key` in `")
    if fault.startswith("Object missing required field `"):
        return f"{path}.{fault.split('`')[1]}: required"
    if fault.startswith("Invalid enum value ") and (choices := _CHOICES.get(path.rpartition(".")[2])):
        return f"{path}: must be {choices}, not {fault.removeprefix('Invalid enum value ')[:_LONGEST_FAULT]}"
    return f"{path}: {plain_fault(fault)[:_LONGEST_FAULT]}"


def _check_size(report: Report, largest: Largest) -> None:
    if len(report.metrics) > largest.users:
        raise BodyTooLarge(f"$.metrics: must have at most {largest.users} entries")
    streams = 0
    for i, entry in enumerate(report.metrics):
        streams += len(entry.streams)
        if streams > largest.streams:
            raise BodyTooLarge(f"$.metrics[{i}].streams: a report must have at most {largest.streams} streams")


def _check_texts(report: Report) -> None:
    _refuse("$.user_id", id_fault(report.user_id))
    _refuse("$.room_id", id_fault(report.room_id))
    _refuse("$.sdk_version", text_fault(report.sdk_version))
    if report.room_name:
        _refuse("$.room_name", text_fault(report.room_name))
    if report.labels:
        for key, text in report.labels.items():
            _refuse("$.labels", label_fault(key))
            _refuse(f"$.labels.{key}", text_fault(text))
    if report.events:
        for i, event in enumerate(report.events):
            _check_event(event, i)
    for i, entry in enumerate(report.metrics):
        _check_entry(entry, i)


def _refuse(path: str, fault: str | None) -> None:
    if fault:
        raise BadRequest(f"{path}: {fault}")


def _check_event(event: Event, i: int) -> None:
    _refuse(f"$.events[{i}].type", text_fault(event.type))
    if event.stream_id:
        _refuse(f"$.events[{i}].stream_id", id_fault(event.stream_id))
    if event.detail:
        _refuse(f"$.events[{i}].detail", text_fault(event.detail))


def _check_entry(entry: Entry, i: int) -> None:
    if fault := id_fault(entry.user_id):
        raise BadRequest(f"$.metrics[{i}].user_id: {fault}")
    if entry.user_name:
        _refuse(f"$.metrics[{i}].user_name", text_fault(entry.user_name))
    if entry.device:
        _check_part(entry.device, f"$.metrics[{i}].device")
    if entry.connection:
        _check_part(entry.connection, f"$.metrics[{i}].connection")
    for j, stream in enumerate(entry.streams):
        _check_stream(stream, i, j)


def _check_part(part: Device | Connection, path: str) -> None:
    for name in part.__struct_fields__:
        if (text := getattr(part, name)) and (fault := text_fault(text)):
            raise BadRequest(f"{path}.{name}: {fault}")


def _check_stream(stream: Stream, i: int, j: int) -> None:
    if fault := id_fault(stream.stream_id):
        raise BadRequest(f"$.metrics[{i}].streams[{j}].stream_id: {fault}")
    if stream.sender_id and (fault := id_fault(stream.sender_id)):
        raise BadRequest(f"$.metrics[{i}].streams[{j}].from: {fault}")
    video, audio = stream.video, stream.audio
    if video and video.codec and (fault := text_fault(video.codec)):
        raise BadRequest(f"$.metrics[{i}].streams[{j}].video.codec: {fault}")
    if audio and audio.codec and (fault := text_fault(audio.codec)):
        raise BadRequest(f"$.metrics[{i}].streams[{j}].audio.codec: {fault}")
