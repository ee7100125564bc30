"""Bytes to `Report`, or a BadRequest that names the field."""

from typing import Any

import msgspec
from msgspec.structs import replace

from roompulse.errors import BadRequest
from roompulse.report.ids import id_fault
from roompulse.report.model import MILLISECONDS_FROM, Report


def _whole_to_int(number: str) -> int | float:
    value = float(number)
    return int(value) if value.is_integer() else value


_LONGEST_FAULT = 200
"""Characters of a message about a field."""

_decoder = msgspec.json.Decoder(Report)
_untyped_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=_whole_to_int)


def decode_report(body: bytes) -> Report:
    """Decode and check one request body, as `decode_as_sent` does, with a `report_time` in seconds."""
    report = decode_as_sent(body)
    return in_seconds(report) if is_in_milliseconds(report) else report


def is_in_milliseconds(report: Report) -> bool:
    return report.report_time >= MILLISECONDS_FROM


def in_seconds(report: Report) -> Report:
    return replace(report, report_time=report.report_time // 1000)


def decode_as_sent(body: bytes) -> Report:
    """Decode and check one request body, whose `report_time` may be in milliseconds.

    Raises:
        BadRequest: the body is no JSON, not UTF-8, nested too deeply, or breaks a rule of the report.

    """
    try:
        # msgspec skips unknown fields without looking at their bytes, so the encoding is checked here.
        report = _decode(body.decode())
    except UnicodeDecodeError as error:
        raise BadRequest(f"$: the body is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise BadRequest("$: the body is nested too deeply") from None
    except msgspec.ValidationError as error:
        raise BadRequest(_named_field(str(error))) from None
    except msgspec.DecodeError as error:
        raise BadRequest(f"$: {error}") from None
    _check_ids(report)
    return report


def _decode(text: str) -> Report:
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as fault:
        # `1280.0` is fine where an integer is meant, and rare: only a body that failed pays for it.
        try:
            untyped = _untyped_decoder.decode(text)
        except msgspec.ValidationError:
            # A number of more digits than Python reads, whose place only the typed decoder can name.
            raise fault from None
        return msgspec.convert(untyped, Report)


def _named_field(message: str) -> str:
    """Turn msgspec's ``Expected `int` - at `$.a[0].b` `` into ``$.a[0].b: expected `int` ``."""
    # From the right, since the fault may quote what was sent, which may be long.
    fault, separator, path = message.rpartition(" - at `")
    fault, path = (fault, path.rstrip("`")) if separator else (message, "$")
    if fault.startswith("Object missing required field `"):
        return f"{path}.{fault.split('`')[1]}: required"
    return f"{path}: {fault[0].lower()}{fault[1:_LONGEST_FAULT]}"


def _check_ids(report: Report) -> None:
    if fault := id_fault(report.user_id):
        raise BadRequest(f"$.user_id: {fault}")
    if fault := id_fault(report.room_id):
        raise BadRequest(f"$.room_id: {fault}")
    for i, entry in enumerate(report.metrics):
        if fault := id_fault(entry.user_id):
            raise BadRequest(f"$.metrics[{i}].user_id: {fault}")
        for j, stream in enumerate(entry.streams):
            if fault := id_fault(stream.stream_id):
                raise BadRequest(f"$.metrics[{i}].streams[{j}].stream_id: {fault}")
