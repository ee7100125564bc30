"""What each request passes before it is routed, and each answer before it is sent."""

from collections.abc import Sequence
from typing import Any

from litestar import Request
from litestar.types import ControllerRouterHandler

from roompulse.errors import Problem
from roompulse.web.headers import with_headers
from roompulse.web.hosts import Hosts
from roompulse.web.paths import EncodedPaths
from roompulse.web.problems import ProblemAnswers


class Entrance(EncodedPaths):
    """The application. Litestar's hooks do not reach all of it: streams, plain ASGI routes, what is not found."""

    def __init__(
        self, routes: Sequence[ControllerRouterHandler], *, hosts: Hosts, problems: ProblemAnswers, **options: Any
    ) -> None:
        self._hosts = hosts
        self._problems = problems
        super().__init__(routes, exception_handlers=problems.handlers(), **options)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
            return
        send = with_headers(send)
        try:
            self._hosts.check(scope)
        except Problem as problem:
            request: Request[Any, Any, Any] = Request(scope)
            answer = self._problems.on_problem(request, problem)
            await answer.to_asgi_response(None, request)(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
