"""The one shape of every answer under `/report`: `{"code", "message", "data"}`."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()


class Envelope(msgspec.Struct, frozen=True):
    """`code` is 0, or the HTTP status of an error; `data` is null in an error."""

    code: int
    message: str
    data: Any = None


def success(data: Any) -> bytes:
    return _encoder.encode(Envelope(0, "success", data))


def success_of(encoded: bytes) -> bytes:
    """The result of `success` for encoded data."""
    return b"%b%b%b" % (_BEFORE, encoded, _AFTER)


def data_of(answer: bytes) -> bytes:
    """The data that was passed to `success_of`."""
    return answer[len(_BEFORE) : -len(_AFTER)]


def success_in_portions(data: Sequence[Any], size: int) -> Iterator[bytes]:
    """The result of `success` for a list, in portions of so many elements each."""
    for start in range(0, max(len(data), 1), size):
        opening = _OPENING if start == 0 else b","
        closing = _CLOSING if start + size >= len(data) else b""
        yield opening + _encoder.encode(data[start : start + size])[1:-1] + closing


def failure(status: int, message: str) -> bytes:
    return _encoder.encode(Envelope(status, message))


ACKNOWLEDGED = success(None)
_BEFORE, _AFTER = ACKNOWLEDGED.split(b"null")
_OPENING, _CLOSING = success([])[:-2], success([])[-2:]
