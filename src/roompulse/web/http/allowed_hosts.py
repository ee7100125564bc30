"""The allowed host names, local addresses and proxies of requests."""

import re
from functools import lru_cache

from litestar.types import Scope

from roompulse.errors import BadRequest, Forbidden
from roompulse.net import is_address, is_loopback
from roompulse.settings import Settings
from roompulse.web.http.client_address import ClientAddresses

FOR_ORCHESTRATORS = {"/healthz", "/readyz"}
"""Paths that answer for any name and any client: orchestrators use addresses and names that cannot be foreseen."""

ASSETS = "/assets/"
"""Styles of the page that says why a request is rejected; they are the same on every server."""

_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._~-]+))(?::[0-9]{0,5})?")
_LONGEST_SHOWN = 100


class AllowedHosts:
    """Checks the `Host` of requests, against DNS rebinding, with BEHIND_PROXY the proxy, and where a request arrives.

    In DNS rebinding another site makes its own name resolve to this server, and its page then reads from
    here as if it were its own. The browser sends that name as `Host`. IP addresses and `localhost` cannot be
    rebound, so they are always allowed. Other names have to be in ALLOWED_HOSTS, if it is not empty, or if the server
    listens on loopback: there nothing else protects it.

    Where HOST is loopback, no keys are required. Another ASGI server than `roompulse serve` may still listen
    elsewhere, and a request that arrives there is rejected.
    """

    def __init__(self, settings: Settings, peers: ClientAddresses) -> None:
        self._names = settings.allowed_hosts
        self._every_name = not self._names and not is_loopback(settings.host)
        self._behind_proxy = settings.behind_proxy
        self._loopback_only = is_loopback(settings.host) and not settings.open and not settings.behind_proxy
        self._peers = peers

    def check(self, scope: Scope) -> None:
        """Let the request pass.

        Raises:
            BadRequest: the Host header is missing, malformed, repeated, or not allowed.
            Forbidden: it bypasses the reverse proxy, or arrives at an address other than HOST.

        """
        if scope["path"] in FOR_ORCHESTRATORS or scope["path"].startswith(ASSETS):
            return
        if self._behind_proxy and not self._peers.is_proxy(scope):
            raise Forbidden("only the reverse proxy may connect here (TRUSTED_PROXIES)")
        if self._loopback_only and (server := scope["server"]) and _is_reachable(server[0]):
            raise Forbidden("this server can be reached by others: set ROOMPULSE_HOST to where it listens")
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if not hosts and scope["http_version"] == "1.0":
            return
        if len(hosts) != 1:
            raise BadRequest(f"Host: there must be one, not {len(hosts)}")
        if (name := _name(hosts[0])) is None:
            raise BadRequest(f"Host: {hosts[0][:_LONGEST_SHOWN]!r} is malformed")
        if not (self._every_name or _is_local(name) or name in self._names):
            raise BadRequest(
                f"Host: {name[:_LONGEST_SHOWN]!r} is not an allowed host; add it to ROOMPULSE_ALLOWED_HOSTS"
            )


@lru_cache(maxsize=256)
def _name(host: str) -> str | None:
    """The name or address in a Host header, in lower case and without port and final dot; None if it is malformed."""
    match = _AUTHORITY.fullmatch(host)
    if not match or (match[1] and not is_address(match[1])):
        return None
    return (match[1] or match[2]).lower().removesuffix(".")


@lru_cache(maxsize=256)
def _is_local(name: str) -> bool:
    return name == "localhost" or name.endswith(".localhost") or is_address(name)


@lru_cache(maxsize=256)
def _is_reachable(address: str) -> bool:
    return is_address(address) and not is_loopback(address)
