"""Shared parts of route declarations: types of arguments, methods, and the marks in `opt`."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from litestar import Request, Response, Router, route
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
"""The `opt` of a public route, or one that authenticates by itself."""

FOR_OPERATORS = {"roles": ROLES}
"""The `opt` of a route for signed-in operators only."""

FOR_ADMINS = {"roles": ("admin",)}

FOR_MANAGERS = {"manages": True}
"""The `opt` of a route for admins and programs that manage, and for all callers without access control."""

FOR_AUTHORS = {"writes_notes": True}
"""The `opt` of a route for operators and programs that manage, and for all callers without access control."""

STREAM = {"never_redirected": True}
"""The `opt` of a page's stream."""


class Routes(Router):
    """Handlers registered with Litestar together: one by one, each checks all earlier ones."""

    def __deepcopy__(self, _memo: object) -> "Routes":
        # Litestar copies a router that it registers, and handlers hold singleton services.
        return self


def with_options(handlers: Iterable[Any]) -> list[Any]:
    """These handlers, after handlers for OPTIONS of their paths, which list all methods allowed there.

    Litestar's own OPTIONS handler, added if none exists, knows only the methods of the first handler.
    """
    handlers, methods = list(handlers), defaultdict[str, set[str]](set)
    for handler in handlers:
        if isinstance(handler, HTTPRouteHandler):
            for path in handler.paths:
                methods[path] |= {*map(str, handler.http_methods), "OPTIONS"}
    paths = defaultdict[str, list[str]](list)
    for path, allowed in methods.items():
        paths[", ".join(sorted(allowed))].append(path)
    return [*(_options(alike, allowed) for allowed, alike in paths.items()), *handlers]


def _options(paths: list[str], allowed: str) -> HTTPRouteHandler:
    @route(paths, http_method=[HttpMethod.OPTIONS], status_code=204, sync_to_thread=False)
    def options() -> Response[None]:
        return Response(None, status_code=204, headers={"Allow": allowed})

    return options
