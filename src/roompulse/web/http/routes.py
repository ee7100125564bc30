"""What declarations of routes share: types of their arguments, their methods, and the marks in their `opt`."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from litestar import Request, Response, route
from litestar.connection import ASGIConnection
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler

from roompulse.access.model import ROLES

AnyRequest = Request[Any, Any, Any]
AnyConnection = ASGIConnection[Any, Any, Any, Any]

GET: list[HttpMethod] = [HttpMethod.GET, HttpMethod.HEAD]
POST: list[HttpMethod] = [HttpMethod.POST]
PUT: list[HttpMethod] = [HttpMethod.PUT]
DELETE: list[HttpMethod] = [HttpMethod.DELETE]

METRICS_PATH = "/metrics"

FOR_ANYBODY = {"for_anybody": True}
"""The `opt` of a route that has nothing to hide, or authenticates by itself."""

FOR_OPERATORS = {"roles": ROLES}
"""The `opt` of a route for signed-in operators, and no program."""

FOR_ADMINS = {"roles": ("admin",)}

FOR_MANAGERS = {"manages": True}
"""The `opt` of a route for admins and programs that manage, and for everybody where there is no access control."""

FOR_AUTHORS = {"writes_notes": True}
"""The `opt` of a route for operators and programs that manage, and for everybody where there is no access control."""

STREAM = {"never_redirected": True}
"""The `opt` of a page's stream."""


def with_options(handlers: Iterable[Any]) -> list[Any]:
    """These handlers, after one for OPTIONS of each of their paths, which says what all of them allow there.

    Litestar's own, which takes the place of one that is missing, knows the methods of the first handler alone.
    """
    handlers, methods = list(handlers), defaultdict[str, set[str]](set)
    for handler in handlers:
        if isinstance(handler, HTTPRouteHandler):
            for path in handler.paths:
                methods[path] |= {*map(str, handler.http_methods)}
    return [*(_options(path, allowed) for path, allowed in methods.items()), *handlers]


def _options(path: str, methods: set[str]) -> HTTPRouteHandler:
    allowed = ", ".join(sorted({*methods, "OPTIONS"}))

    @route(path, http_method=[HttpMethod.OPTIONS], status_code=204, sync_to_thread=False)
    def options() -> Response[None]:
        return Response(None, status_code=204, headers={"Allow": allowed})

    return options
