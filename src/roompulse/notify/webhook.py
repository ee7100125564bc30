"""Webhooks by the Standard Webhooks specification (standardwebhooks.com)."""

import logging
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpx
import msgspec
from standardwebhooks import Webhook

from roompulse.alerts.model import Alert
from roompulse.calls.model import CallReport
from roompulse.clock import Clock
from roompulse.notify.model import Channel, EndedCall, Message, SendError
from roompulse.notify.targets import Targets

TIMEOUT = 10.0
"""Seconds for an attempt, and for each of its steps."""

logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs URLs, which may hold passwords

_RETRIED = {408, 409, 425, 429}
"""Client errors (4xx) that are transient."""


class CheckedTransport(httpx.AsyncBaseTransport):
    """Connects to an allowed address, and to no other that the name may resolve to a moment later."""

    def __init__(self, targets: Targets, inner: httpx.AsyncBaseTransport) -> None:
        self._targets = targets
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        address = await self._targets.address(url.host, port)
        # The Host header is set already; the name of the certificate is also the one in the URL.
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        request.url = url.copy_with(host=address)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class WebhookSender:
    """`report` makes the report on an ended call, when it is sent; it raises SendError."""

    def __init__(self, targets: Targets, clock: Clock, report: Callable[[EndedCall], Awaitable[CallReport]]) -> None:
        self._targets = targets
        self._clock = clock
        self._report = report

    async def send(self, channel: Channel, message: Message) -> str:
        """Post the message, and return the receiver's status; raises SendError."""
        body = body_of(message, message.alert if message.call is None else await self._report(message.call))
        headers = signed_headers(channel.secret or "", message.id, self._clock(), body)
        transport = CheckedTransport(self._targets, httpx.AsyncHTTPTransport(verify=_certificates(), trust_env=False))
        client = httpx.AsyncClient(transport=transport, timeout=TIMEOUT, follow_redirects=False, trust_env=False)
        try:
            # The body of the answer is not read: it may be endless.
            async with client, client.stream("POST", channel.url or "", content=body, headers=headers) as answer:
                return _judged(answer)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SendError(f"{type(error).__name__}: {error}"[:200]) from None


@cache
def _certificates() -> ssl.SSLContext:
    """Reading them for each message would block everything else for some 20 ms."""
    return httpx.create_ssl_context(trust_env=False)


def body_of(message: Message, data: Alert | CallReport | None) -> bytes:
    at = datetime.fromtimestamp(message.created_at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body: dict[str, Any] = {"type": message.type, "timestamp": at, "data": data}
    return msgspec.json.encode(body)


def signed_headers(secret: str, message_id: str, now: float, body: bytes) -> dict[str, str]:
    at = datetime.fromtimestamp(int(now), UTC)
    return {
        "content-type": "application/json",
        "user-agent": "roompulse",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": Webhook(secret).sign(message_id, at, body.decode()),
    }


def _judged(answer: httpx.Response) -> str:
    status = f"{answer.status_code} {answer.reason_phrase}".strip()
    if answer.is_success:
        return status
    if answer.is_redirect:
        raise SendError(f"{status}: redirects are not followed", final=True)
    if answer.is_client_error and answer.status_code not in _RETRIED:
        raise SendError(status, final=True)
    after = answer.headers.get("retry-after", "")
    raise SendError(
        status, retry_after=float(after) if after.isascii() and after.isdigit() and len(after) < 6 else None
    )
