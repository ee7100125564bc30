"""What declarations of routes share: types of their arguments, their methods, and the marks in their `opt`."""

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


class Routes(Router):
    """Handlers that Litestar registers at once: one by one, each looks at all of those before it."""

    def __deepcopy__(self, _memo: object) -> "Routes":
        # Litestar copies a router that it registers, and handlers hold services of which there is one.
        return self


def with_options(handlers: Iterable[Any]) -> list[Any]:
    """These handlers, after those for OPTIONS of their paths, which say what all of them allow there.

    Litestar's own, which takes the place of one that is missing, knows the methods of the first handler alone.
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
