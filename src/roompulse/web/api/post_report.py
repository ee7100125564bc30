"""POST /report/metrics: an ASGI application, since Litestar's own handlers take about three times as long a request."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from roompulse.access.senders import Sender
from roompulse.errors import Problem, RequestTimeout
from roompulse.ingest.ingest import Ingest
from roompulse.net import address_key
from roompulse.settings import Settings
from roompulse.web.api import unfinished_bodies
from roompulse.web.api.judgement import Judgement, reporter_in
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

LARGE = 200_000
"""Bytes of a body that takes so long to decode and to commit that other reports go on beside it."""


class ClientLeft(Exception):  # noqa: N818  (an event, not an error of ours)
    """The sender closed the connection before its body was complete."""


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
            if len(body) > LARGE:
                await self._submit_large(scope, body, sender)
            else:
                await self._begin(body, sender)
        except Problem as problem:
            await self._refusal(problem, known)(scope, receive, send)
        except ClientLeft:
            self._intake.left()
        else:
            self._intake.acknowledged(body)
            await _send(send, 200, ACKNOWLEDGED, _ACKNOWLEDGED_HEADERS)

    def _begin(self, body: bytes, sender: Sender) -> asyncio.Future[None]:
        report = self._judgement.judge_body(body, sender)
        saved = self._ingest.begin(report, sender.bucket, by_token=sender.user is not None)
        self._judgement.charge(report, body, sender)
        return saved

    async def _submit_large(self, scope: HTTPScope, body: bytes, sender: Sender) -> None:
        """Raises also the Problem of too many bytes that wait for their turn."""
        address, by_token = address_key(self._peers.address(scope)), sender.user is not None
        if problem := self._unfinished.add(address, len(body)):
            raise problem
        try:
            decode = partial(self._judgement.judge_large_body, body, sender)
            await self._ingest.submit_large(decode, reporter_in(body), sender.bucket, by_token=by_token)
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
            saved = self._begin(body, sender)
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
