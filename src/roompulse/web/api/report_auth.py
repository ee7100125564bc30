"""Authenticates the sender of a report before the report is decoded, and spends its rate."""

import msgspec
from litestar.types import Scope
from msgspec import Struct

from roompulse.access.senders import Sender, Senders
from roompulse.errors import Unauthorized
from roompulse.net import address_key
from roompulse.web.http.authentication import bearer
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.rate_limit import RateLimit


class _Presented(Struct):
    token: str | None = None


_decoder = msgspec.json.Decoder(_Presented)


class ReportAuth:
    def __init__(self, senders: Senders, rate_limit: RateLimit, peers: ClientAddresses) -> None:
        self._senders = senders
        self._rate_limit = rate_limit
        self._peers = peers

    def by_headers(self, scope: Scope) -> Sender | None:
        """The sender, or None where only the body names it.

        Raises:
            Unauthorized: the key or the token is wrong.
            TooManyRequests: the sender has posted too much.

        """
        if not self._senders.asks:
            return self._spend(Sender(self._address(scope)))
        presented = bearer(scope)
        return None if presented is None else self._authenticate(scope, presented)

    def by_body(self, scope: Scope, body: bytes) -> Sender:
        """As `by_headers`, by the member `token` of the body."""
        return self._authenticate(scope, _token_in(body))

    def check(self, sender: Sender) -> None:
        """Raises TooManyRequests when what was in the sender's reports is not made up for."""
        self._rate_limit.check(sender.bucket)

    def charge(self, sender: Sender, streams: int) -> None:
        """Let the sender pay for what was in its report."""
        self._rate_limit.charge(sender.bucket, streams)

    def _authenticate(self, scope: Scope, presented: str | None) -> Sender:
        try:
            sender = self._senders.sender(presented)
        except Unauthorized:
            # A client that tries many is slowed down. Others at its address are not: their keys are valid.
            self._rate_limit.spend(self._address(scope))
            raise
        return self._spend(sender)

    def _address(self, scope: Scope) -> str:
        return address_key(self._peers.address(scope))

    def _spend(self, sender: Sender) -> Sender:
        self._rate_limit.spend(sender.bucket)
        return sender


def _token_in(body: bytes) -> str | None:
    """The member `token`; invalid JSON has none. The rest is skipped, which takes a tenth of the decoding."""
    try:
        return _decoder.decode(body).token
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
