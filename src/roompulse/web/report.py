"""POST /report/metrics. A plain ASGI handler: Litestar's own handlers take about three times as long a request."""

import asyncio
from collections.abc import Mapping

from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import HTTPScope, Receive, Send

from roompulse.errors import BodyTooLarge, MethodNotAllowed, Problem, RequestTimeout, UnsupportedMediaType
from roompulse.ingest import Ingest
from roompulse.report.decode import Largest
from roompulse.report.envelope import ACKNOWLEDGED, failure
from roompulse.settings import Settings
from roompulse.web.guard import FOR_ANYBODY
from roompulse.web.headers import COMMON_HEADERS, INGEST_HEADERS, PREFLIGHT_HEADERS, RawHeaders, raw_headers
from roompulse.web.posting import Door
from roompulse.web.problems import problem_headers

_JSON_TYPES = (b"application/json", b"text/plain", b"")


class ClientLeft(Exception):  # noqa: N818  (an event, not an error of ours)
    """The sender closed the connection before its body was complete."""


def report_route(ingest: Ingest, door: Door, settings: Settings) -> ASGIRouteHandler:
    largest = Largest(users=settings.max_report_users, streams=settings.max_report_streams)
    intake = ingest.intake

    @asgi("/report/metrics", copy_scope=False, opt=FOR_ANYBODY)
    async def post_report(scope: HTTPScope, receive: Receive, send: Send) -> None:
        body = b""
        try:
            if scope["method"] == "OPTIONS":
                await _answer(send, 204, b"", PREFLIGHT_HEADERS | {"Allow": "POST, OPTIONS"})
                return
            if scope["method"] != "POST":
                raise MethodNotAllowed(scope["method"], "POST, OPTIONS")
            sender = door.by_headers(scope)
            read = await _read_body(scope, receive, settings)
            sender = sender or door.by_body(scope, read)
            body = read  # Strangers can make up SDK versions, and would take the places of those that there are.
            report = intake.decode(body, largest)
            sender.check(report)
            await ingest.submit(report, sender.bucket)
        except Problem as problem:
            intake.refused(problem, body)
            headers = problem_headers(problem) | INGEST_HEADERS
            await _answer(send, problem.status, failure(problem.status, problem.message), headers)
        except ClientLeft:
            intake.left()
        else:
            intake.acknowledged(body)
            await _send(send, 200, ACKNOWLEDGED, _ACKNOWLEDGED_HEADERS)

    return post_report


async def _read_body(scope: HTTPScope, receive: Receive, settings: Settings) -> bytes:
    """The whole body of a JSON request.

    Raises:
        UnsupportedMediaType: it is not JSON, or compressed.
        BodyTooLarge: it has more than MAX_BODY bytes.
        RequestTimeout: it did not arrive in time.
        ClientLeft: it never will.

    """
    headers = dict(scope["headers"])
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media_type not in _JSON_TYPES:
        raise UnsupportedMediaType("Content-Type: send application/json or text/plain")
    if headers.get(b"content-encoding"):
        raise UnsupportedMediaType("Content-Encoding: send the body as it is")
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > settings.max_body:
        raise _too_large(settings.max_body)
    # The first piece comes at once, and is nearly always the whole: only what is not costs a time-out, which takes
    # about an eighth of the time of a request (see web/patience.py).
    body, more = await _receive_piece(receive)
    if more:
        try:
            async with asyncio.timeout(settings.body_timeout):
                body += await _receive_rest(receive, settings.max_body - len(body))
        except TimeoutError:
            raise RequestTimeout(f"the body did not arrive within {settings.body_timeout:g} s") from None
    if len(body) > settings.max_body:
        raise _too_large(settings.max_body)
    return body


async def _receive_rest(receive: Receive, limit: int) -> bytes:
    """Further pieces to the last one, or until there are more than `limit` bytes."""
    pieces: list[bytes] = []
    more = True
    while more and limit >= 0:
        piece, more = await _receive_piece(receive)
        limit -= len(piece)
        pieces.append(piece)
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
    """All of them: this route has no wrapper that adds what is common (web/entrance.py)."""
    described = {"Content-Type": "application/json", "Content-Length": str(len(body))} if body else {}
    return raw_headers({**COMMON_HEADERS, **headers, **described})


async def _send(send: Send, status: int, body: bytes, headers: RawHeaders) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


_ACKNOWLEDGED_HEADERS = _headers(ACKNOWLEDGED, INGEST_HEADERS)
