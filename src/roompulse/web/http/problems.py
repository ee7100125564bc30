"""The one place where errors become answers: the envelope under /report, a page elsewhere."""

import logging
from collections.abc import Callable
from errno import ENAMETOOLONG, ENOTDIR
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from litestar import Response
from litestar.exceptions import HTTPException, NotFoundException
from litestar.response import Redirect
from litestar.utils import normalize_path

from roompulse.errors import MethodNotAllowed, Problem, RequestTimeout, SignedOut, StoreError, Unauthorized
from roompulse.meters import Meters
from roompulse.web.http.envelope import failure
from roompulse.web.http.json_answer import JsonAnswer
from roompulse.web.http.routes import METRICS_PATH, AnyRequest
from roompulse.web.http.urls import base_of

logger = logging.getLogger(__name__)

Answer = Response[bytes] | JsonAnswer

RenderPage = Callable[[HTTPStatus, str, str], str]
"""The page of an error, from its status, its message and the base of its links."""

_NO_FILE = {ENAMETOOLONG, ENOTDIR}
"""The name is too long for any file, or leads through a file as if it were a folder."""


def problem_headers(problem: Problem) -> dict[str, str]:
    headers = {}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    if isinstance(problem, MethodNotAllowed):
        headers["Allow"] = problem.allow
    if isinstance(problem, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(problem, RequestTimeout):
        headers["Connection"] = "close"  # otherwise the rest of the body would be read as the next request, or delay it
    return headers


class ProblemAnswers:
    """Exception handlers for Litestar; `render_page` makes the pages of errors."""

    def __init__(self, render_page: RenderPage, meters: Meters) -> None:
        self._render_page = render_page
        self._meters = meters

    def handlers(self) -> dict[int | type[Exception], Any]:
        return {
            Problem: self.on_problem,
            SignedOut: self.on_signed_out,
            HTTPException: self.on_http_exception,
            StoreError: self.on_store_error,
            Exception: self.on_mistake,
        }

    def on_problem(self, request: AnyRequest, problem: Problem) -> Answer:
        return self._answer(request, problem.status, problem.message, problem_headers(problem))

    def on_signed_out(self, request: AnyRequest, problem: SignedOut) -> Response[Any] | JsonAnswer:
        """A navigation is redirected to the sign-in page and from there back; scripts and programs get 401."""
        if not _is_navigation(request):
            return self.on_problem(request, problem)
        query = ""
        if request.method != "POST":
            search = request.scope["query_string"].decode("latin-1")
            query = "?" + urlencode({"next": request.scope["path"] + (f"?{search}" if search else "")}, safe="/")
        return Redirect(f"/sign-in{query}", status_code=303)

    def on_http_exception(self, request: AnyRequest, error: HTTPException) -> Answer:
        """Litestar's own: no such route, no such method, a malformed host."""
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in _NO_FILE:
            # A static file with an impossible name, which Litestar 2.25 answers with 500.
            error = NotFoundException()
        if error.status_code >= 500:
            return self.on_mistake(request, error)
        headers = {name.title(): value for name, value in (error.headers or {}).items()}
        message = HTTPStatus(error.status_code).phrase
        if allow := headers.get("Allow"):
            message = f"{request.method} is not allowed here, only {allow}"
        return self._answer(request, error.status_code, message, headers)

    def on_store_error(self, request: AnyRequest, error: StoreError) -> Answer:
        logger.error("%s: the database failed: %s", request.scope["path"], error)
        return self._answer(request, 503, "the database cannot be read now", {"Retry-After": "2"})

    def on_mistake(self, request: AnyRequest, error: Exception) -> Answer:
        self._meters.mistakes.inc()
        logger.error("%s %s failed", request.method, request.scope["path"], exc_info=error)
        return self._answer(request, 500, "internal error; the server's log has the details", {})

    def _answer(self, request: AnyRequest, status: int, message: str, headers: dict[str, str]) -> Answer:
        if _is_report(request):
            return JsonAnswer(failure(status, message), status=status, headers=headers)
        if normalize_path(request.scope["path"]) == METRICS_PATH:  # Prometheus shows the text of a failed scrape
            return Response(f"{message}\n".encode(), status_code=status, media_type="text/plain", headers=headers)
        page = self._render_page(HTTPStatus(status), message, base_of(request.scope))
        return Response(page.encode(), status_code=status, media_type="text/html", headers=headers)


def _is_report(request: AnyRequest) -> bool:
    # Litestar routes `//report/rooms` like `/report/rooms`.
    return f"{normalize_path(request.scope['path'])}/".startswith("/report/")


def _is_navigation(request: AnyRequest) -> bool:
    """Whether a browser opens a page, and no script fetches a part of one."""
    if _is_report(request) or request.route_handler.opt.get("never_redirected"):
        return False
    if mode := request.headers.get("sec-fetch-mode"):
        return mode == "navigate"
    return "text/html" in request.headers.get("accept", "")
