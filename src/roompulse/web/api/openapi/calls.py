"""The operations of all live rooms, calls, notes and shares in the OpenAPI document."""

from roompulse.calls.model import CallReport, Calls
from roompulse.erasure.erasure import Erased
from roompulse.events.notes import Note
from roompulse.overview.model import Overview
from roompulse.overview.query import ALL_LEVELS, ALL_ORDERS, LONGEST_SEARCH
from roompulse.web.api.calls import CALL_ORDERS
from roompulse.web.api.manage.notes import NewNote, NoteEdit
from roompulse.web.api.manage.shares import NewShare, ShareBody, ShownShare
from roompulse.web.api.openapi.parts import (
    FOR_MANAGERS,
    Json,
    array,
    change,
    envelope,
    errors,
    get,
    json,
    parameter,
    schema_of,
    stream_of,
)
from roompulse.web.api.overview import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET

CALL_TYPES = [Overview, Calls, CallReport, Erased, ShareBody, ShownShare, NewShare, Note, NewNote, NoteEdit]
"""The types whose schemas these operations refer to."""


_NOTE_ID: Json = {"name": "note_id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}
_SHARE_ID: Json = {"name": "share_id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def call_paths(room_id: Json, history_parameters: list[Json]) -> Json:
    """`history_parameters` are those of a room's history, of which calls have the range too."""
    span = [one for one in history_parameters if one["name"] in ("from", "to")]
    started_at: Json = room_id | {"name": "started_at", "schema": span[0]["schema"]}
    calls, user_id, note = schema_of(Calls), room_id | {"name": "user_id"}, schema_of(Note)
    return {
        "/report/notes/{room_id}": {
            **get("Notes on a room: oldest first", [room_id], array(note), 404, 503),
            "post": change("Write a note on a room", [room_id], note, body=NewNote, status=201),
        },
        "/report/notes/{room_id}/{note_id}": {
            "put": change("Edit a note", [room_id, _NOTE_ID], note, body=NoteEdit),
            "delete": change("Remove a note", [room_id, _NOTE_ID], {"type": "null"}),
        },
        "/report/shares": {
            **get("Shared links: without their URLs", [], array(schema_of(ShownShare)), 403),
            "post": change("Share a page; its URL is shown once", [], schema_of(NewShare), body=ShareBody, status=201),
        },
        "/report/shares/{share_id}": {"delete": change("Revoke a shared link", [_SHARE_ID], {"type": "null"})},
        "/report/users/{user_id}": {"delete": erase("Erase a user of all rooms", [user_id])},
        "/report/calls": get("Calls: live and ended ones", _calls(span), calls, 400, 503),
        "/report/calls/{room_id}": get("Calls of a room", [room_id, *_calls(span)], calls, 400, 404, 503),
        "/report/calls/{room_id}/{started_at}": get(
            "A report on a call", [room_id, started_at], schema_of(CallReport), 400, 404, 503
        ),
        "/report/overview": get(
            "All live rooms: totals, and the rooms that match", _overview(), schema_of(Overview), 400, 503
        ),
        "/report/stream": stream_of(
            "All live rooms as server-sent events",
            "`event: overview` carries what /report/overview answers, first at once and then whenever a room changes",
            _overview(),
        ),
    }


def _calls(span: list[Json]) -> list[Json]:
    return [
        search("Only calls whose room or a user has this in the id or name, ignoring case"),
        parameter("order", "Live and latest first, or as it says", {"enum": [*CALL_ORDERS], "default": CALL_ORDERS[0]}),
        *span,
        *portion(DEFAULT_LIMIT, MAX_LIMIT),
    ]


def _overview() -> list[Json]:
    return [
        search("Only rooms whose id or name contains this, ignoring case"),
        parameter("level", "Only rooms with users of this level", {"enum": list(ALL_LEVELS)}),
        parameter("order", "Worst first, or as it says", {"enum": list(ALL_ORDERS), "default": ALL_ORDERS[0]}),
        *portion(DEFAULT_LIMIT, MAX_LIMIT),
    ]


def erase(summary: str, parameters: list[Json]) -> Json:
    """A DELETE operation that erases what its parameters name."""
    found = {"200": json("OK", envelope(schema_of(Erased)))} | errors(401, 403, 404, 503)
    name = summary.lower().replace(" ", "_")
    return FOR_MANAGERS | {"summary": summary, "operationId": name, "parameters": parameters, "responses": found}


def search(description: str) -> Json:
    return parameter("q", description, {"type": "string", "maxLength": LONGEST_SEARCH})


def portion(default: int, most: int) -> list[Json]:
    """The parameters `offset` and `limit`."""
    offset: Json = {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0}
    limit: Json = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return [
        parameter("offset", "Number of matches to skip", offset),
        parameter("limit", "At most so many", limit),
    ]
