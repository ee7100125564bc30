"""The operations of all live rooms, of calls and what belongs to them in the OpenAPI document."""

from roompulse.overview.model import Overview
from roompulse.overview.query import ALL_LEVELS, ALL_ORDERS, LONGEST_SEARCH
from roompulse.web.api.openapi_parts import Json, get, parameter, schema_of, stream_of
from roompulse.web.api.overview import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET

CALL_TYPES = [Overview]
"""The types whose schemas these operations refer to."""


def call_paths() -> Json:
    return {
        "/report/overview": get(
            "All live rooms: totals and those that match", _overview(), schema_of(Overview), 400, 503
        ),
        "/report/stream": stream_of(
            "All live rooms as server-sent events",
            "`event: overview` carries what /report/overview answers, first at once and then whenever a room changes",
            _overview(),
        ),
    }


def _overview() -> list[Json]:
    return [
        search("Only rooms whose id or name contains this, ignoring case"),
        parameter("level", "Only rooms with users of this level", {"enum": list(ALL_LEVELS)}),
        parameter("order", "Worst first, or as it says", {"enum": list(ALL_ORDERS), "default": ALL_ORDERS[0]}),
        *portion(DEFAULT_LIMIT, MAX_LIMIT),
    ]


def search(description: str) -> Json:
    return parameter("q", description, {"type": "string", "maxLength": LONGEST_SEARCH})


def portion(default: int, most: int) -> list[Json]:
    """The parameters `offset` and `limit`."""
    offset: Json = {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0}
    limit: Json = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return [
        parameter("offset", "So many of those that match are left out", offset),
        parameter("limit", "At most so many", limit),
    ]
