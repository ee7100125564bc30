"""The OpenAPI document and JSON Schema of /report, generated from the types of reports and answers."""

from functools import cache

import msgspec
from litestar import route
from litestar.handlers import HTTPRouteHandler

from roompulse import __version__
from roompulse.events.model import KINDS, TimelineEvent
from roompulse.report.ids import MAX_ID_LENGTH
from roompulse.report.model import MAX_TIME, Report
from roompulse.rooms.model import RoomMetrics, Snapshot, UserMetrics
from roompulse.rooms.rated_samples import StreamSample
from roompulse.settings import Settings
from roompulse.store.contract import DEFAULT_LIMIT
from roompulse.web.api.history import MAX_LIMIT
from roompulse.web.api.openapi.alerts import ALERT_TYPES, alert_paths
from roompulse.web.api.openapi.calls import CALL_TYPES, call_paths, erase
from roompulse.web.api.openapi.descriptions import describe
from roompulse.web.api.openapi.insights import INSIGHT_TYPES, insight_paths
from roompulse.web.api.openapi.parts import (
    Json,
    array,
    envelope,
    errors,
    get,
    get_whole,
    json,
    parameter,
    stream_of,
)
from roompulse.web.http.json_answer import JsonAnswer, hashed_answer
from roompulse.web.http.routes import FOR_ANYBODY, GET, AnyRequest
from roompulse.web.http.urls import base_of

ID_DESCRIPTION = (
    "1-128 characters of any script, spaces and `/` included; no control or format characters and no separators of "
    "lines (Unicode Cc, Cf, Cs, Zl, Zp), but U+200C and U+200D between two other characters; no blank at either end, "
    "neither `.` nor `..`. Percent-encoded in a URL."
)
_ID: Json = {
    "type": "string",
    "format": "roompulse-id",
    "minLength": 1,
    "maxLength": MAX_ID_LENGTH,
    "description": ID_DESCRIPTION,
}
_ROOM_ID: Json = {"name": "room_id", "in": "path", "required": True, "schema": {"$ref": "#/components/schemas/Id"}}
_USER_ID: Json = _ROOM_ID | {"name": "user_id"}

_SECURITY: Json = {
    "ingest_key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An ingest key, as in `rp_…`. Required where keys exist or the server is not local.",
    },
    "room_token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "HS256, with `kid`; claims `room`, `user`, `exp`. Also accepted as `token` in the body.",
    },
    "read_key": {"type": "http", "scheme": "bearer", "description": "A read key, as in `rp_…`."},
    "manage_key": {"type": "http", "scheme": "bearer", "description": "A key for `manage`; it reads too."},
}
_FOR_SENDERS: Json = {"security": [{}, {"ingest_key": []}, {"room_token": []}]}


def openapi_routes(settings: Settings) -> list[HTTPRouteHandler]:
    # Made on demand: they take a fifth of the time of a start.
    @cache
    def described() -> Json:
        return openapi_document(settings)

    @cache
    def schema() -> bytes:
        return msgspec.json.encode(report_schema())

    @route("/report/openapi.json", http_method=GET, opt=FOR_ANYBODY)
    async def get_openapi(request: AnyRequest) -> JsonAnswer:
        # Without `servers`, paths begin at the root of the host.
        prefix = base_of(request.scope).rstrip("/")
        servers = {"servers": [{"url": prefix}]} if prefix else {}
        return hashed_answer(request, msgspec.json.encode(described() | servers))

    @route("/report/schema.json", http_method=GET, opt=FOR_ANYBODY)
    async def get_schema(request: AnyRequest) -> JsonAnswer:
        return hashed_answer(request, schema())

    return [get_openapi, get_schema]


def report_schema() -> Json:
    """The JSON Schema (draft 2020-12) of a report."""
    (report,), schemas = msgspec.json.schema_components([Report], ref_template="#/$defs/{name}")
    describe(schemas, [Report])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A report to roompulse",
        "description": f"The body of POST /report/metrics. The format `roompulse-id` is {ID_DESCRIPTION}",
        **report,
        "$defs": schemas,
    }


_TYPES = [Report, RoomMetrics, UserMetrics, Snapshot, StreamSample, TimelineEvent]


def openapi_document(settings: Settings) -> Json:
    types = [*_TYPES, *ALERT_TYPES, *CALL_TYPES, *INSIGHT_TYPES]
    references, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    describe(schemas, types)
    report, room, user, snapshot, sample, event = references[:6]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "roompulse",
            "version": __version__,
            "description": "Post quality metrics of video calls, and read every room's quality live.",
        },
        "paths": {
            "/report/metrics": {"post": _post(report, settings)},
            "/report/rooms": get("Ids of the live rooms, sorted", [], array({"$ref": "#/components/schemas/Id"})),
            "/report/metrics/{room_id}": get("A live room: its aggregate and every user", [_ROOM_ID], room, 404),
            "/report/metrics/{room_id}/{user_id}": get("A live user", [_ROOM_ID, _USER_ID], user, 404),
            **_history_paths(snapshot, sample),
            "/report/events/{room_id}": get(
                "Events of a room, oldest first", [_ROOM_ID, *_event_parameters()], array(event), 400, 404, 503
            ),
            "/report/stream/{room_id}": _stream(),
            **call_paths(_ROOM_ID, history_parameters()),
            **alert_paths(history_parameters()),
            **insight_paths(history_parameters()),
            "/report/schema.json": get_whole("The JSON Schema of a report", [], {"type": "object"}),
        },
        "components": {
            "securitySchemes": _SECURITY,
            "schemas": schemas | {"Id": _ID, "Error": envelope({"type": "null"}, error=True)},
        },
    }


def _history_paths(snapshot: Json, sample: Json) -> Json:
    of_room = [_ROOM_ID, *history_parameters()]
    of_user = [*of_room, _USER_ID, *_stream_parameters()]
    return {
        "/report/history/{room_id}": {
            **get("Snapshots of a room, oldest first", of_room, array(snapshot), 400, 404, 503),
            "delete": erase("Erase a room", [_ROOM_ID]),
        },
        "/report/history/{room_id}/{user_id}": {
            **get("Samples that a user reported, oldest first", of_user, array(sample), 400, 404, 503),
            "delete": erase("Erase a user of a room", [_ROOM_ID, _USER_ID]),
        },
    }


def _post(report: Json, settings: Settings) -> Json:
    shown = {"type": "object", "properties": {"token": {"type": ["string", "null"], "description": "A room token."}}}
    body = {"schema": {"allOf": [report, shown]}}
    return _FOR_SENDERS | {
        "summary": "Post a report; 200 says that it is committed to the database",
        "description": (
            f"At most {settings.max_body} bytes. `text/plain` and a missing content type are read as JSON. "
            "Unknown fields are ignored. A report is accepted or rejected as a whole."
        ),
        "operationId": "post_report",
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {"200": json("Committed", envelope({"type": "null"}))}
        | errors(400, 401, 403, 408, 413, 415, 429, 503),
    }


def _stream() -> Json:
    wanted: Json = {"type": "integer", "enum": [0, 1], "default": 1}
    return stream_of(
        "The room as server-sent events",
        "`event: room` carries a RoomMetrics, first at once (for a room that is not live, when it is), then after each "
        "change; `event: timeline` a TimelineEvent, first the newest ones; `event: gone` says that the room ended",
        [_ROOM_ID, parameter("users", "0: without the users, for large rooms", wanted)],
        404,
    )


def _stream_parameters() -> list[Json]:
    identifier = {"$ref": "#/components/schemas/Id"}
    return [
        parameter("about", "Only of this user's media", identifier),
        parameter("stream_id", "Only of this stream", identifier),
        parameter("direction", "Only in this direction", {"enum": ["recv", "send"]}),
        parameter("reporter_id", "Only as measured by this user or media server", identifier),
    ]


_TIME = "Unix seconds, Unix milliseconds (from 10^11 on) or ISO 8601 with a zone"


def _event_parameters() -> list[Json]:
    start, end, _, limit = history_parameters()
    return [
        *(start, end, limit),
        parameter("user_id", "Only of this user", {"$ref": "#/components/schemas/Id"}),
        parameter("kind", "Only of this kind", {"enum": list(KINDS)}),
    ]


def history_parameters() -> list[Json]:
    time = {"oneOf": [{"type": "number", "minimum": 0, "maximum": MAX_TIME}, {"type": "string", "format": "date-time"}]}
    return [
        parameter("from", f"{_TIME}, included", time),
        parameter("to", f"{_TIME}, included; not earlier than `from`", time),
        parameter("step", "Seconds: merge into steps that long", {"type": "number", "minimum": 1, "maximum": 10**9}),
        parameter(
            "limit",
            "At most this many, the newest ones",
            {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        ),
    ]
