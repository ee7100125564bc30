"""POST /report/metrics: an ASGI application, since Litestar's own handlers take about three times as long a request."""

import asyncio
from collections.abc import Callable, Mapping

from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from roompulse.access.senders import Sender
from roompulse.errors import BodyTooLarge, MethodNotAllowed, Problem, RequestTimeout, UnsupportedMediaType
from roompulse.ingest import Ingest
from roompulse.intake.intake import Intake
from roompulse.net import address_key
from roompulse.report.decode import Largest
from roompulse.report.model import Report
from roompulse.settings import Settings
from roompulse.web.api import unfinished_bodies
from roompulse.web.api.report_auth import ReportAuth
from roompulse.web.api.unfinished_bodies import UnfinishedBodies
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.envelope import ACKNOWLEDGED, failure
from roompulse.web.http.headers import COMMON_HEADERS, INGEST_HEADERS, PREFLIGHT_HEADERS, RawHeaders, raw_headers
from roompulse.web.http.problems import problem_headers
from roompulse.web.http.routes import FOR_ANYBODY
from roompulse.web.sse.push import push_channel_of

PATH = "/report/metrics"

Answer = Callable[[ASGIApp | None], object]
"""Called with None when a report is saved, else with the application that answers why it was rejected."""

_JSON_TYPES = (b"application/json", b"text/plain", b"")


BYTES_OF_STREAM, MOST_BYTES_OF_STREAM = 100, 1_000
"""A refused body counts as a stream for so many bytes, and an accepted one at least for the second figure."""


LARGE = 200_000
"""Bytes of a body that takes so long to decode and to commit that other reports go on beside it."""


class ClientLeft(Exception):  # noqa: N818  (an event, not an error of ours)
    """The sender closed the connection before its body was complete."""


class Judgement:
    """Whether a report is accepted, by one order of checks: host, method, sender and its rate, type, size, body.

    The host is checked before, as for every request (web/application.py).
    """

    def __init__(self, auth: ReportAuth, intake: Intake, settings: Settings) -> None:
        self._auth = auth
        self._intake = intake
        self._max_body = settings.max_body
        self._one_is_decoded = asyncio.Lock()
        self._largest = Largest(users=settings.max_report_users, streams=settings.max_report_streams)

    def judge_head(self, scope: HTTPScope) -> Sender | None:
        """The sender, or None where only the body names it; raises the Problem of a rejected head."""
        if scope["method"] != "POST":
            raise MethodNotAllowed(scope["method"], "POST, OPTIONS")
        sender = self._auth.by_headers(scope)
        headers = dict(scope["headers"])
        media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media_type not in _JSON_TYPES:
            raise UnsupportedMediaType("Content-Type: send application/json or text/plain")
        if headers.get(b"content-encoding"):
            raise UnsupportedMediaType("Content-Encoding is not supported; send the body uncompressed")
        length = headers.get(b"content-length", b"0")
        if length.isdigit():
            self.judge_size(int(length))
        return sender

    def judge_size(self, size: int) -> None:
        """For the size of a body as far as it is known; raises BodyTooLarge."""
        if size > self._max_body:
            raise BodyTooLarge(f"the body has more than {self._max_body} bytes")

    def authenticate(self, scope: Scope, body: bytes, sender: Sender | None) -> Sender:
        """The sender, by the body where the head does not name it; raises Unauthorized or TooManyRequests."""
        return sender or self._auth.by_body(scope, body)

    def judge_body(self, body: bytes, sender: Sender) -> Report:
        """The report; raises the Problem of a body that is refused."""
        try:
            report = self._intake.decode(body, self._largest)
            sender.check(report)
        except Problem:
            # What could not be counted must not be cheaper than what could.
            self._auth.charge(sender, len(body) // BYTES_OF_STREAM)
            raise
        self._auth.charge(sender, max(report.weight, len(body) // MOST_BYTES_OF_STREAM))
        return report

    async def judge_large_body(self, body: bytes, sender: Sender) -> Report:
        """The same, one after the other with a turn for others between; the sender's budget is checked first."""
        async with self._one_is_decoded:
            await asyncio.sleep(0)
            self._auth.check(sender)
            return self.judge_body(body, sender)


class ReportEndpoint:
    """An ASGI application for PATH."""

    def __init__(self, ingest: Ingest, auth: ReportAuth, settings: Settings) -> None:
        self._ingest = ingest
        self._intake = ingest.intake
        self._judgement = Judgement(auth, ingest.intake, settings)
        self._body_timeout = settings.body_timeout
        self._peers = ClientAddresses(settings)
        self._unfinished = UnfinishedBodies(settings.max_body)

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            await _answer(send, 204, b"", PREFLIGHT_HEADERS | {"Allow": "POST, OPTIONS"})
            return
        known, judgement = b"", self._judgement
        try:
            sender = judgement.judge_head(scope)
            body = await self._read_body(scope, receive)
            sender = judgement.authenticate(scope, body, sender)
            known = body  # only now: strangers could make up SDK versions, which would displace the real ones
            is_large = len(body) > LARGE
            report = await self._judge_large(scope, body, sender) if is_large else judgement.judge_body(body, sender)
            by_token = sender.user is not None
            await self._ingest.submit(report, sender.bucket, by_token=by_token, is_large=is_large)
        except Problem as problem:
            await self._refusal(problem, known)(scope, receive, send)
        except ClientLeft:
            self._intake.left()
        else:
            self._intake.acknowledged(body)
            await _send(send, 200, ACKNOWLEDGED, _ACKNOWLEDGED_HEADERS)

    async def _judge_large(self, scope: HTTPScope, body: bytes, sender: Sender) -> Report:
        """As `judge_large_body`; also raises the Problem of too many bytes that wait to be decoded."""
        address = address_key(self._peers.address(scope))
        if problem := self._unfinished.add(address, len(body)):
            raise problem
        try:
            return await self._judgement.judge_large_body(body, sender)
        finally:
            self._unfinished.remove(address, len(body))

    def take(self, scope: HTTPScope, body: bytes, answer: Answer) -> None:
        """Do the same with a whole body that is not LARGE, without a task and the messages of ASGI.

        See web/server/fast_path.py.
        """
        known = b""

        def answer_to(problem: BaseException | None) -> None:
            if isinstance(problem, Problem):
                answer(self._refusal(problem, known))
            elif problem:
                raise problem
            else:
                self._intake.acknowledged(body)
                answer(None)

        try:
            sender = self._judgement.judge_head(scope)
            self._judgement.judge_size(len(body))
            sender = self._judgement.authenticate(scope, body, sender)
            known = body
            report = self._judgement.judge_body(body, sender)
            saved = self._ingest.begin(report, sender.bucket, by_token=sender.user is not None)
        except Problem as problem:
            answer_to(problem)
        else:
            saved.add_done_callback(lambda saved: answer_to(saved.exception()))

    def _refusal(self, problem: Problem, body: bytes) -> ASGIApp:
        """Count a rejected report, and return the application that answers it."""
        self._intake.refused(problem, body)
        headers = problem_headers(problem) | INGEST_HEADERS
        if problem.reason == "bodies_full":
            headers |= {"Connection": "close"}  # Else the rest, hundreds of megabytes, would be read and discarded.

        async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
            await _answer(send, problem.status, failure(problem.status, problem.message), headers)

        return refuse

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body of a request.

        Raises:
            BodyTooLarge: it has more than MAX_BODY bytes.
            TooManyRequests, Unavailable: unfinished bodies take too many bytes.
            RequestTimeout: it did not arrive in time.
            ClientLeft: it never will.

        """
        pieces: list[bytes] = []
        more = True
        if push_channel_of(scope):
            # Our connections pass on received data at once, nearly always the whole body, so that only a body
            # in several pieces costs a time-out: an eighth of the time of a request (web/server/send_timeout.py).
            more = await _receive_piece(receive, pieces)
        if more:
            try:
                async with asyncio.timeout(self._body_timeout):
                    await self._receive_rest(address_key(self._peers.address(scope)), receive, pieces)
            except TimeoutError:
                raise RequestTimeout(f"the body did not arrive within {self._body_timeout:g} s") from None
        body = b"".join(pieces)
        self._judgement.judge_size(len(body))
        return body

    async def _receive_rest(self, address: str, receive: Receive, pieces: list[bytes]) -> None:
        size, known = sum(map(len, pieces)), 0
        more = True
        try:
            while more:
                self._judgement.judge_size(size)
                if problem := self._unfinished.add(address, size - known):
                    pieces.clear()
                    await asyncio.sleep(unfinished_bodies.HELD)
                    raise problem
                known = size
                more = await _receive_piece(receive, pieces)
                size += len(pieces[-1])
        finally:
            self._unfinished.remove(address, known)


async def _receive_piece(receive: Receive, pieces: list[bytes]) -> bool:
    """Add a piece of the body; returns whether there are more."""
    message = await receive()
    if message["type"] != "http.request":
        raise ClientLeft
    pieces.append(message.get("body", b""))
    return message.get("more_body", False)


def report_route(reports: ReportEndpoint) -> ASGIRouteHandler:
    @asgi(PATH, copy_scope=False, opt=FOR_ANYBODY)
    async def post_report(scope: HTTPScope, receive: Receive, send: Send) -> None:
        await reports(scope, receive, send)

    return post_report


async def _answer(send: Send, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    await _send(send, status, body, _headers(body, headers))


def _headers(body: bytes, headers: Mapping[str, str]) -> RawHeaders:
    """All headers: this route has no wrapper that adds the common ones (web/application.py)."""
    described = {"Content-Type": "application/json", "Content-Length": str(len(body))} if body else {}
    return raw_headers({**COMMON_HEADERS, **headers, **described})


async def _send(send: Send, status: int, body: bytes, headers: RawHeaders) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


_ACKNOWLEDGED_HEADERS = _headers(ACKNOWLEDGED, INGEST_HEADERS)

ACKNOWLEDGEMENT = b"".join(b"%b: %b\r\n" % header for header in _ACKNOWLEDGED_HEADERS) + b"\r\n" + ACKNOWLEDGED
"""As a connection sends it after the status line and the server's own headers."""
