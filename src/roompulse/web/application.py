"""What each request passes before it is routed, and each answer before it is sent."""

from collections.abc import Sequence
from typing import Any

from litestar import Request
from litestar.types import ControllerRouterHandler

from roompulse.errors import Problem
from roompulse.web.api.post_report import PATH, Answer, ReportEndpoint, report_route
from roompulse.web.http.allowed_hosts import AllowedHosts
from roompulse.web.http.headers import with_headers
from roompulse.web.http.problems import ProblemAnswers
from roompulse.web.http.urls import EncodedPaths


class Application(EncodedPaths):
    """The application. Litestar's hooks do not reach all of it: streams, plain ASGI routes, what is not found.

    Reports go past Litestar, and their answers have all headers already: its router, middleware and guards take a
    sixth of the time, and have nothing to do.
    """

    def __init__(
        self,
        routes: Sequence[ControllerRouterHandler],
        *,
        reports: ReportEndpoint,
        hosts: AllowedHosts,
        problems: ProblemAnswers,
        **options: Any,
    ) -> None:
        self._reports = reports
        self._hosts = hosts
        self._problems = problems
        super().__init__([report_route(reports), *routes], exception_handlers=problems.handlers(), **options)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
            return
        try:
            self._hosts.check(scope)
            if scope["path"] == PATH:
                await self._reports(scope, receive, send)
            else:
                await super().__call__(scope, receive, with_headers(send))
        except Exception as error:
            await self._failed(error, scope, receive, send)

    def take(self, scope: Any, body: bytes, answer: Answer) -> None:
        """Take a report past ASGI: see `Reports.take`."""
        try:
            self._hosts.check(scope)
            self._reports.take(scope, body, answer)
        except Exception as error:
            fault = error

            async def fail(scope: Any, receive: Any, send: Any) -> None:
                await self._failed(fault, scope, receive, send)

            answer(fail)

    async def _failed(self, error: Exception, scope: Any, receive: Any, send: Any) -> None:
        request: Request[Any, Any, Any] = Request(scope)
        if isinstance(error, Problem):
            answer = self._problems.on_problem(request, error)
        else:
            answer = self._problems.on_mistake(request, error)
        await answer.to_asgi_response(None, request)(scope, receive, with_headers(send))
