"""Times in the path and the query of a URL."""

import re
from datetime import datetime, tzinfo
from urllib.parse import unquote

import msgspec

from roompulse.errors import BadRequest
from roompulse.report.model import MAX_TIME, MILLISECONDS_FROM

_LONGEST_SHOWN = 100


def parse_time(name: str, text: str, zone: tzinfo | None = None) -> float:
    """The time in a query parameter, in Unix seconds.

    Accepts Unix seconds, Unix milliseconds and ISO 8601, which needs a zone unless `zone` is the default.

    Raises:
        BadRequest: names the parameter.

    """
    try:
        number: float | None = msgspec.json.decode(text, type=float)
    except msgspec.DecodeError:
        number = _iso(text, zone)
    if number is None or not 0 <= number <= MAX_TIME:
        raise BadRequest(
            f"{name}: must be Unix seconds, Unix milliseconds or ISO 8601 with a zone, as in 2026-01-31T12:00:00Z, "
            f"not {text[:_LONGEST_SHOWN]!r}"
        )
    return round(number if number < MILLISECONDS_FROM else number / 1000, 3)


def decode_time(name: str, segment: str) -> float:
    """The time in a path segment (Unix seconds); raises BadRequest, by the parameter's `name`."""
    return parse_time(name, unquote(segment))


def _iso(text: str, zone: tzinfo | None) -> float | None:
    # A `+` that is not percent-encoded arrives as a space.
    with_zone = re.sub(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)\Z", r"\1+\2", text, flags=re.ASCII)
    try:
        at = datetime.fromisoformat(with_zone.upper())
        if at.tzinfo is None:
            if zone is None:
                return None
            at = at.replace(tzinfo=zone)
        return max(0.0, at.timestamp())  # before 1970: valid, though there is no data
    except (ValueError, OverflowError):
        return None
