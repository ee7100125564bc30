"""What each request passes before it is routed, and each answer before it is sent."""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Request
from litestar.types import ASGIApp, ControllerRouterHandler

from roompulse.errors import Problem
from roompulse.web.headers import with_headers
from roompulse.web.hosts import Hosts
from roompulse.web.paths import EncodedPaths
from roompulse.web.problems import ProblemAnswers


class Entrance(EncodedPaths):
    """The application. Litestar's hooks do not reach all of it: streams, plain ASGI routes, what is not found.

    `direct` are routes by their path that are called past Litestar, and give all headers themselves: for a report,
    its router, middleware and guards take a sixth of the time, and have nothing to do.
    """

    def __init__(
        self,
        routes: Sequence[ControllerRouterHandler],
        *,
        direct: Mapping[str, ASGIApp],
        hosts: Hosts,
        problems: ProblemAnswers,
        **options: Any,
    ) -> None:
        self._direct = direct
        self._hosts = hosts
        self._problems = problems
        super().__init__(routes, exception_handlers=problems.handlers(), **options)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
            return
        direct = self._direct.get(scope["path"])
        with_all = with_headers(send)
        try:
            self._hosts.check(scope)
            if direct:
                await direct(scope, receive, send)
            else:
                await super().__call__(scope, receive, with_all)
        except Exception as error:
            request: Request[Any, Any, Any] = Request(scope)
            if isinstance(error, Problem):
                answer = self._problems.on_problem(request, error)
            else:
                answer = self._problems.on_mistake(request, error)
            await answer.to_asgi_response(None, request)(scope, receive, with_all)
