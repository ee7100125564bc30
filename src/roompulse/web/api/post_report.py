"""POST /report/metrics: an ASGI application, since Litestar's own handlers take about three times as long a request."""

import asyncio
from collections.abc import Callable, Mapping

from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from roompulse.access.senders import Sender
from roompulse.errors import BodyTooLarge, MethodNotAllowed, Problem, RequestTimeout, UnsupportedMediaType
from roompulse.ingest import Ingest
from roompulse.report.decode import Largest
from roompulse.report.model import Report
from roompulse.settings import Settings
from roompulse.web.api.report_auth import ReportAuth
from roompulse.web.http.authentication import FOR_ANYBODY
from roompulse.web.http.envelope import ACKNOWLEDGED, failure
from roompulse.web.http.headers import COMMON_HEADERS, INGEST_HEADERS, PREFLIGHT_HEADERS, RawHeaders, raw_headers
from roompulse.web.http.problems import problem_headers

_JSON_TYPES = (b"application/json", b"text/plain", b"")


class ClientLeft(Exception):  # noqa: N818  (an event, not an error of ours)
    """The sender closed the connection before its body was complete."""


Answer = Callable[[ASGIApp | None], object]
"""Is called with None when a report is saved, and else with an application that says why it was refused."""


PATH = "/report/metrics"


class ReportEndpoint:
    def __init__(self, ingest: Ingest, door: ReportAuth, settings: Settings) -> None:
        self._ingest = ingest
        self._intake = ingest.intake
        self._door = door
        self._settings = settings
        self._largest = Largest(users=settings.max_report_users, streams=settings.max_report_streams)

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        body = b""
        try:
            if scope["method"] == "OPTIONS":
                await _answer(send, 204, b"", PREFLIGHT_HEADERS | {"Allow": "POST, OPTIONS"})
                return
            if scope["method"] != "POST":
                raise MethodNotAllowed(scope["method"], "POST, OPTIONS")
            sender = self._door.by_headers(scope)
            _check_headers(scope, self._settings.max_body)
            read = await _read_body(receive, self._settings)
            sender = sender or self._door.by_body(scope, read)
            body = read  # Strangers can make up SDK versions, and would take the places of those that there are.
            await self._ingest.submit(self._report(sender, body), sender.bucket)
        except Problem as problem:
            await self._refusal(problem, body)(scope, receive, send)
        except ClientLeft:
            self._intake.left()
        else:
            self._intake.acknowledged(body)
            await _send(send, 200, ACKNOWLEDGED, _ACKNOWLEDGED_HEADERS)

    def take(self, scope: HTTPScope, body: bytes, answer: Answer) -> None:
        """Do the same for a POST that is there as a whole, without a task and ASGI: see `web/server/fast_path.py`."""
        known = b""

        def answer_to(problem: Problem | None) -> None:
            if problem:
                answer(self._refusal(problem, known))
            else:
                self._intake.acknowledged(body)
                answer(None)

        try:
            sender = self._door.by_headers(scope)
            _check_headers(scope, self._settings.max_body)
            _check_size(body, self._settings.max_body)
            sender = sender or self._door.by_body(scope, body)
            known = body
            self._ingest.begin(self._report(sender, body), sender.bucket, answer_to)
        except Problem as problem:
            answer_to(problem)

    def _report(self, sender: Sender, body: bytes) -> Report:
        report = self._intake.decode(body, self._largest)
        sender.check(report)
        return report

    def _refusal(self, problem: Problem, body: bytes) -> ASGIApp:
        """Note that a report was refused, and say so."""
        self._intake.refused(problem, body)
        headers = problem_headers(problem) | INGEST_HEADERS

        async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
            await _answer(send, problem.status, failure(problem.status, problem.message), headers)

        return refuse


def report_route(reports: ReportEndpoint) -> ASGIRouteHandler:
    @asgi(PATH, copy_scope=False, opt=FOR_ANYBODY)
    async def post_report(scope: HTTPScope, receive: Receive, send: Send) -> None:
        await reports(scope, receive, send)

    return post_report


def _check_headers(scope: HTTPScope, max_body: int) -> None:
    """Look at what is said of the body.

    Raises:
        UnsupportedMediaType: it is not JSON, or compressed.
        BodyTooLarge: it has more than MAX_BODY bytes.

    """
    headers = dict(scope["headers"])
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media_type not in _JSON_TYPES:
        raise UnsupportedMediaType("Content-Type: send application/json or text/plain")
    if headers.get(b"content-encoding"):
        raise UnsupportedMediaType("Content-Encoding: send the body as it is")
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > max_body:
        raise _too_large(max_body)


def _check_size(body: bytes, max_body: int) -> None:
    """Of a body whose length was not told before, or falsely; raises BodyTooLarge."""
    if len(body) > max_body:
        raise _too_large(max_body)


async def _read_body(receive: Receive, settings: Settings) -> bytes:
    """The whole body of a request.

    Raises:
        BodyTooLarge: it has more than MAX_BODY bytes.
        RequestTimeout: it did not arrive in time.
        ClientLeft: it never will.

    """
    # The first piece comes at once, and is nearly always the whole: only what is not costs a time-out, which takes
    # about an eighth of the time of a request (see web/server/send_timeout.py).
    body, more = await _receive_piece(receive)
    if more:
        try:
            async with asyncio.timeout(settings.body_timeout):
                body += await _receive_rest(receive, settings.max_body - len(body))
        except TimeoutError:
            raise RequestTimeout(f"the body did not arrive within {settings.body_timeout:g} s") from None
    _check_size(body, settings.max_body)
    return body


async def _receive_rest(receive: Receive, limit: int) -> bytes:
    """Further pieces to the last one, or until there are more than `limit` bytes."""
    pieces: list[bytes] = []
    more = True
    while more and limit >= 0:
        fragment, more = await _receive_piece(receive)
        limit -= len(fragment)
        pieces.append(fragment)
    return b"".join(pieces)


async def _receive_piece(receive: Receive) -> tuple[bytes, bool]:
    """A piece of the body, and whether there are more."""
    message = await receive()
    if message["type"] != "http.request":
        raise ClientLeft
    return message["body"], message["more_body"]


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body has more than {limit} bytes")


async def _answer(send: Send, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    await _send(send, status, body, _headers(body, headers))


def _headers(body: bytes, headers: Mapping[str, str]) -> RawHeaders:
    """All of them: this route has no wrapper that adds what is common (web/application.py)."""
    described = {"Content-Type": "application/json", "Content-Length": str(len(body))} if body else {}
    return raw_headers({**COMMON_HEADERS, **headers, **described})


async def _send(send: Send, status: int, body: bytes, headers: RawHeaders) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


_ACKNOWLEDGED_HEADERS = _headers(ACKNOWLEDGED, INGEST_HEADERS)

ACKNOWLEDGEMENT = b"".join(b"%b: %b\r\n" % header for header in _ACKNOWLEDGED_HEADERS) + b"\r\n" + ACKNOWLEDGED
"""As it is written into a connection, after the status and what uvicorn adds."""
