"""Who is at the other end of a connection: the client, or the proxy in front that says who its client is."""

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
        """Say whether the connection comes from a trusted proxy."""
        return self._behind_proxy and _peer(scope) in self._trusted

    def address(self, scope: Scope) -> str:
        """IP address of the client: the nearest one that is no trusted proxy. Empty where there is none."""
        address = _peer(scope)
        if self.is_proxy(scope):
            # Each proxy adds whom it heard from at the end, so what the client made up is at the beginning.
            for hop in reversed(list(_forwarded(scope, b"x-forwarded-for"))):
                if not is_address(hop):
                    break
                address = hop
                if hop not in self._trusted:
                    break
        return address

    def is_https(self, scope: Scope) -> bool:
        """Say whether the client's connection is encrypted."""
        if self.is_proxy(scope) and (schemes := list(_forwarded(scope, b"x-forwarded-proto"))):
            return schemes[-1].lower() == "https"
        return scope["scheme"] == "https"


def _peer(scope: Scope) -> str:
    return scope["client"][0] if scope["client"] else ""


def _forwarded(scope: Scope, header: bytes) -> Iterator[str]:
    for name, value in scope["headers"]:
        if name == header:
            yield from (part.strip() for part in value.decode("latin-1").split(","))
