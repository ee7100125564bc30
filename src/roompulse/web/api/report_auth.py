"""Asks who posts a report, before it is decoded, and spends what the sender may post."""

import msgspec
from litestar.types import Scope
from msgspec import Struct

from roompulse.access.senders import Sender, Senders
from roompulse.errors import Unauthorized
from roompulse.net import address_key
from roompulse.web.http.authentication import bearer
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.rate_limit import RateLimit


class _Shown(Struct):
    token: str | None = None


_decoder = msgspec.json.Decoder(_Shown)


class ReportAuth:
    def __init__(self, posting: Senders, senders: RateLimit, peers: ClientAddresses) -> None:
        self._posting = posting
        self._senders = senders
        self._peers = peers

    def by_headers(self, scope: Scope) -> Sender | None:
        """Who posts, or None where only the body can tell.

        Raises:
            Unauthorized: the key or the token is wrong.
            TooManyRequests: the sender has posted too much.

        """
        if not self._posting.asks:
            return self._spent(Sender(self._address(scope)))
        shown = bearer(scope)
        return None if shown is None else self._asked(scope, shown)

    def by_body(self, scope: Scope, body: bytes) -> Sender:
        """As `by_headers`, by the member `token` of the body."""
        return self._asked(scope, _token_in(body))

    def _asked(self, scope: Scope, shown: str | None) -> Sender:
        try:
            sender = self._posting.sender(shown)
        except Unauthorized:
            # Who tries many is told to wait. The others at this address are not: they show what is right.
            self._senders.spend(self._address(scope))
            raise
        return self._spent(sender)

    def _address(self, scope: Scope) -> str:
        return address_key(self._peers.address(scope))

    def _spent(self, sender: Sender) -> Sender:
        self._senders.spend(sender.bucket)
        return sender


def _token_in(body: bytes) -> str | None:
    """The member `token`; a body that is no JSON has none. The rest is skipped, which takes a tenth of the decoding."""
    try:
        return _decoder.decode(body).token
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
