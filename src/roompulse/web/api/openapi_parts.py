"""What operations of the OpenAPI document are made of."""

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
"""`{}`: a server that requires no authentication ignores what is sent."""


def get(summary: str, parameters: list[Json], data: Json, *statuses: int) -> Json:
    """A GET operation that may require a read key."""
    methods = get_whole(summary, parameters, envelope(data), 401, *statuses)
    return {method: FOR_READERS | operation for method, operation in methods.items()}


def get_whole(summary: str, parameters: list[Json], body: Json, *statuses: int) -> Json:
    """A GET operation; every one may be refused to an address that asks too often (429)."""
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


def parameter(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def envelope(data: Json, *, error: bool = False) -> Json:
    code: Json = {"type": "integer", "description": "The HTTP status"} if error else {"const": 0}
    message: Json = {"type": "string"} if error else {"const": "success"}
    return {
        "type": "object",
        "properties": {"code": code, "message": message, "data": data},
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
