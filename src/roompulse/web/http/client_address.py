"""The client of a request, and the URL it used: by the connection, or by a trusted proxy's headers."""

from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import quote

from litestar.types import Scope

from roompulse.net import is_address
from roompulse.settings import RootPath, Settings


class ClientAddresses:
    """`X-Forwarded-For`, `-Proto` and `-Prefix` count with BEHIND_PROXY, and from TRUSTED_PROXIES only."""

    def __init__(self, settings: Settings) -> None:
        self._behind_proxy = settings.behind_proxy
        self._trusted = settings.trusted_proxies
        self._root_path = settings.root_path

    def is_proxy(self, scope: Scope) -> bool:
        """Whether the connection comes from a trusted proxy."""
        return self._behind_proxy and _peer(scope) in self._trusted

    def address(self, scope: Scope) -> str:
        """IP address of the client: the nearest one that is not a trusted proxy. Empty where there is none."""
        address = _peer(scope)
        if self.is_proxy(scope):
            # Each proxy appends the address of its peer, so addresses forged by the client come first.
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

    def prefix(self, scope: Scope) -> str:
        """Path of the application's root as the client sees it, as in `/pulse`; empty at the root of a host.

        It is `X-Forwarded-Prefix`, else ROOT_PATH, else the ASGI server's root path. An invalid header is
        ignored: it becomes part of every link.
        """
        if self.is_proxy(scope) and (prefixes := list(filter(None, _forwarded(scope, b"x-forwarded-prefix")))):
            with suppress(ValueError):
                return RootPath(prefixes[-1])
        return self._root_path or quote(scope.get("root_path") or "").rstrip("/")


def _peer(scope: Scope) -> str:
    return scope["client"][0] if scope["client"] else ""


def _forwarded(scope: Scope, header: bytes) -> Iterator[str]:
    for name, value in scope["headers"]:
        if name == header:
            yield from (part.strip() for part in value.decode("latin-1").split(","))
