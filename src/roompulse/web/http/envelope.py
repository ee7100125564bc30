"""The one shape of every answer under `/report`: `{"code", "message", "data"}`."""

from collections.abc import Sequence
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


def extend(answer: bytearray, data: Sequence[Any]) -> None:
    """Add to the list that is the data of `answer`, which `success` made of a list. Neither may be empty."""
    end = len(answer) - len("]}")
    _encoder.encode_into(data, answer, end)
    answer[end] = ord(",")  # where the list of `data` begins
    answer += b"}"


def failure(status: int, message: str) -> bytes:
    return _encoder.encode(Envelope(status, message))


ACKNOWLEDGED = success(None)
