"""The client of a request: the other end of its connection, or the client that a trusted proxy there names."""

from collections.abc import Iterator

from litestar.types import Scope

from roompulse.net import is_address
from roompulse.settings import Settings


class ClientAddresses:
    """`X-Forwarded-For` and `X-Forwarded-Proto` count with BEHIND_PROXY, and from TRUSTED_PROXIES alone."""

    def __init__(self, settings: Settings) -> None:
        self._behind_proxy = settings.behind_proxy
        self._trusted = settings.trusted_proxies

    def is_proxy(self, scope: Scope) -> bool:
        """Whether the connection comes from a trusted proxy."""
        return self._behind_proxy and _peer(scope) in self._trusted

    def address(self, scope: Scope) -> str:
        """IP address of the client: the nearest one that is no trusted proxy. Empty where there is none."""
        address = _peer(scope)
        if self.is_proxy(scope):
            # Each proxy appends the address that it was called from, so what the client made up stands first.
            for hop in reversed(list(_forwarded(scope, b"x-forwarded-for"))):
                if not is_address(hop):
                    break
                address = hop
                if hop not in self._trusted:
                    break
        return address

    def is_https(self, scope: Scope) -> bool:
        """Whether the client's connection is encrypted."""
        if self.is_proxy(scope) and (schemes := list(_forwarded(scope, b"x-forwarded-proto"))):
            return schemes[-1].lower() == "https"
        return scope["scheme"] == "https"


def _peer(scope: Scope) -> str:
    return scope["client"][0] if scope["client"] else ""


def _forwarded(scope: Scope, header: bytes) -> Iterator[str]:
    for name, value in scope["headers"]:
        if name == header:
            yield from (part.strip() for part in value.decode("latin-1").split(","))
