"""The outer ASGI application: handles each request before it is routed, and each answer before it is sent."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from litestar import Litestar, Request

from roompulse.errors import Problem, StartupError
from roompulse.hub.contract import Hub
from roompulse.meters import Meters
from roompulse.web.access_log import AccessLog
from roompulse.web.api.post_report import PATH, Answer, ReportEndpoint
from roompulse.web.http.allowed_hosts import FOR_ORCHESTRATORS, AllowedHosts
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.compression import compressing
from roompulse.web.http.headers import with_headers
from roompulse.web.http.problems import ProblemAnswers
from roompulse.web.http.reader_limit import ReaderLimit
from roompulse.web.http.shared import PREFIX as SHARED
from roompulse.web.http.shared import SharedPages

logger = logging.getLogger(__name__)


class Application:
    """An ASGI application around Litestar, whose hooks do not reach all of it: streams, ASGI routes, unknown paths.

    Reports do not pass Litestar, and their answers have all headers already: its router, middleware and guards take a
    sixth of the time of a report, and have nothing to do.
    """

    def __init__(
        self,
        routed: Litestar,
        *,
        reports: ReportEndpoint,
        hosts: AllowedHosts,
        peers: ClientAddresses,
        readers: ReaderLimit,
        problems: ProblemAnswers,
        shared: SharedPages,
        present: Callable[[], Awaitable[None]],
        access_log: AccessLog | None,
        hub: Hub,
        meters: Meters,
    ) -> None:
        """`present` brings the live rooms to the present, `access_log` wraps everything else if there is one.

        Servers close the `hub` when they stop, so that streams end, and count events of connections in `meters`.
        """
        self.hub = hub
        self.meters = meters
        self.routed = routed
        self._reports = reports
        self._hosts = hosts
        self._peers = peers
        self._readers = readers
        paths = [PATH, *(route.path for route in routed.routes)]
        self._names = frozenset(path.split("/")[1] for path in paths) - {""}
        self._problems = problems
        self._shared = shared
        self._present = present
        self._answer = access_log.around(self._answer_request) if access_log else self._answer_request

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._run(receive, send)
        elif scope["type"] == "http":
            await self._answer(normalized(scope, self._peers.prefix(scope), self._names), receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Raises StartupError for a database that cannot be used."""
        try:
            async with self.routed.lifespan():
                yield
        except ExceptionGroup as group:
            # Litestar runs its lifespan in a task group, which wraps exceptions.
            if startup := group.subgroup(StartupError):
                raise startup.exceptions[0] from None
            raise

    async def _run(self, receive: Any, send: Any) -> None:
        """The lifespan by ASGI: the message of a failed start is one line for the operator."""
        await receive()
        phase, outcome = "startup", {"type": "lifespan.shutdown.complete"}
        try:
            async with self.lifespan():
                await send({"type": "lifespan.startup.complete"})
                await receive()
                phase = "shutdown"
        except Exception as error:
            if not isinstance(error, StartupError):
                logger.exception("the %s failed", phase)
            outcome = {"type": f"lifespan.{phase}.failed", "message": str(error)}
        await send(outcome)  # not while the error is handled: servers may raise here, and would show both

    async def _answer_request(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            self._hosts.check(scope)
            if scope["path"].startswith(SHARED):
                await self._present()  # so that links made by another worker are known
                scope, send = self._shared.open(scope, send)
            if scope["path"] == PATH:
                await self._reports(scope, receive, send)
            else:
                await self._readers.turn(scope)
                # Here, so that no route has to: it reads live rooms that are up to date.
                if scope["path"] not in FOR_ORCHESTRATORS:
                    await self._present()
                await self.routed(scope, receive, _sending(scope, send))
        except Exception as error:
            await self._answer_error(error, scope, receive, send)

    def take(self, scope: Any, body: bytes, answer: Answer) -> None:
        """Answer a POST to exactly PATH, with a whole body: see `ReportEndpoint.take`."""
        try:
            self._hosts.check(scope)
            self._reports.take(scope, body, answer)
        except Exception as error:
            failure = error

            async def fail(scope: Any, receive: Any, send: Any) -> None:
                await self._answer_error(failure, normalized(scope, "", self._names), receive, send)

            answer(fail)

    async def _answer_error(self, error: Exception, scope: Any, receive: Any, send: Any) -> None:
        request: Request[Any, Any, Any] = Request(scope)
        if isinstance(error, Problem):
            answer = self._problems.on_problem(request, error)
        else:
            answer = self._problems.on_mistake(request, error)
        await answer.to_asgi_response(None, request)(scope, receive, _sending(scope, send))


def _sending(scope: Any, send: Any) -> Any:
    """The `send` of an answer: adds headers, and compresses where it is worth it."""
    return with_headers(compressing(scope, send), scope["state"]["prefix"])


def normalized(scope: Any, prefix: str, names: frozenset[str]) -> Any:
    """A copy of the scope of a request with a percent-encoded path below `prefix`, and with all keys.

    Litestar routes on the decoded path, on which `/rooms/a%2Fb` equals `/rooms/a/b`. Here everything uses
    the path as it was sent: path parameters arrive percent-encoded, and `decode_id` decodes them. A server may leave
    out `raw_path`, which then is the decoded path, encoded again.

    Some proxies pass the prefix on and others remove it. Under `/rooms` both could have sent `/rooms/a`, so a prefix
    that begins with one of `names`, the first segments of routes, has to be removed by the proxy.
    """
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    path = raw.decode() if raw.isascii() else quote(raw, safe="/%")
    path = _below(quote(scope.get("root_path") or "").rstrip("/"), path)  # which is part of the path in ASGI
    if prefix.split("/")[:2][-1] not in names:
        path = _below(prefix, path)
    return {
        "scheme": "http",
        "client": None,
        "server": None,
        "query_string": b"",
        **scope,
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "state": {**(scope.get("state") or {}), "prefix": prefix},
    }


def _below(prefix: str, path: str) -> str:
    if path == prefix or path.startswith(f"{prefix}/"):
        return path.removeprefix(prefix) or "/"
    return path
