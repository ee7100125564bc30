"""What declarations of routes share: types of their arguments, their methods, and the marks in their `opt`."""

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.enums import HttpMethod

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
