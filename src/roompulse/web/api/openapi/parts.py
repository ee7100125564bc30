"""Parts of operations in the OpenAPI document."""

from http import HTTPStatus
from typing import Any

Json = dict[str, Any]

CONDITION: Json = {
    "name": "If-None-Match",
    "in": "header",
    "schema": {"type": "string"},
    "description": "An `ETag` from an earlier answer: 304 follows where nothing has changed since.",
}
FOR_READERS: Json = {"security": [{}, {"read_key": []}]}
"""`{}`: a server that requires no authentication ignores credentials."""


FOR_MANAGERS: Json = {"security": [{}, {"manage_key": []}]}


def get(summary: str, parameters: list[Json], data: Json, *statuses: int) -> Json:
    """A GET operation that may require a read key."""
    methods = get_whole(summary, parameters, envelope(data), 401, *statuses)
    return {method: FOR_READERS | operation for method, operation in methods.items()}


def get_whole(summary: str, parameters: list[Json], body: Json, *statuses: int) -> Json:
    """A GET operation; each may answer 429 to an address over its rate."""
    ok = json("OK", body) | {"headers": etag_header()}
    responses: Json = {"200": ok, "304": {"description": "Not modified", "headers": etag_header()}} | errors(
        *sorted((*statuses, 429))
    )
    name = summary.partition(":")[0].partition(",")[0].lower().replace(" ", "_")
    operation = {"summary": summary, "operationId": f"get_{name}", "parameters": [*parameters, CONDITION]}
    return with_head(operation | {"responses": responses})


def with_head(operation: Json) -> Json:
    """A GET route, which answers HEAD too."""
    head = {name: operation[name] for name in ("security",) if name in operation} | {
        "summary": f"{operation['summary']}: the headers alone",
        "operationId": f"head_{operation['operationId'].removeprefix('get_')}",
        "parameters": operation["parameters"],
        "responses": {
            status: {"description": answer["description"]} for status, answer in operation["responses"].items()
        },
    }
    return {"get": operation, "head": head}


def stream_of(summary: str, events: str, parameters: list[Json], *statuses: int) -> Json:
    """A GET operation whose answer is a stream of server-sent events: those in `events`, and those of every stream."""
    described = (
        f"{events}; `event: ping` comes at least every 10 s; `event: bye` when the server stops; "
        "`event: denied` when the key was removed, `event: signed-out` when the sign-in has ended."
    )
    content = {"text/event-stream": {"schema": {"type": "string"}}}
    operation = {
        "summary": summary,
        "description": described,
        "operationId": f"stream_{summary.partition(' as ')[0].lower().replace(' ', '_')}",
        "parameters": parameters,
        "responses": {"200": {"description": "A stream of events", "content": content}}
        | errors(400, 401, *statuses, 429, 503),
    }
    return with_head(FOR_READERS | operation)


def schema_of(kind: type) -> Json:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def parameter(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def envelope(data: Json, *, error: bool = False) -> Json:
    code: Json = {"const": 0, "description": "There is no error."}
    message: Json = {"const": "success", "description": "There is no error."}
    if error:
        code = {"type": "integer", "description": "The HTTP status."}
        message = {"type": "string", "description": "What is wrong, and where."}
    return {
        "type": "object",
        "properties": {"code": code, "message": message, "data": {"description": "The answer.", **data}},
        "required": ["code", "message", "data"],
    }


def errors(*statuses: int) -> Json:
    return {str(status): error(HTTPStatus(status)) for status in statuses}


def error(status: HTTPStatus) -> Json:
    answer = json(status.phrase, {"$ref": "#/components/schemas/Error"})
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        answer["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds"}}
    if status == HTTPStatus.UNAUTHORIZED:
        answer["headers"] = {"WWW-Authenticate": {"schema": {"const": "Bearer"}}}
    return answer


def json(description: str, schema: Json) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def array(items: Json) -> Json:
    return {"type": "array", "items": items}


def etag_header() -> Json:
    return {"ETag": {"schema": {"type": "string"}}}


def change(summary: str, parameters: list[Json], data: Json, *, body: type | None = None, status: int = 200) -> Json:
    """An operation that changes something: only for callers that may manage."""
    name = summary.partition(";")[0].lower().replace(" ", "_")
    given: Json = {}
    if body is not None:
        given = {"requestBody": {"required": True, "content": {"application/json": {"schema": schema_of(body)}}}}
    found = {str(status): json("OK", envelope(data))} | errors(400, 401, 403, 404, 408, 413, 415, 429, 503)
    operation = {"summary": summary, "operationId": name, "parameters": parameters, "responses": found}
    return FOR_MANAGERS | operation | given
