"""By which names the server may be called, and from where."""

import re
from functools import lru_cache
from ipaddress import ip_address

from litestar.types import Scope

from roompulse.access.registry import is_loopback
from roompulse.errors import BadRequest, Forbidden
from roompulse.settings import Settings
from roompulse.web.http.client_address import ClientAddresses

FOR_ORCHESTRATORS = {"/healthz", "/readyz"}
"""Paths that answer to any name and to everybody: they are asked by addresses and names that nobody can foresee."""

LOOKS = "/assets/"
"""What the page that says so looks like; it is the same on every server, and nothing to hide."""

_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._~-]+))(?::[0-9]{0,5})?")
_LONGEST_SHOWN = 100


class AllowedHosts:
    """Checks the `Host` of requests, against DNS rebinding, and with BEHIND_PROXY who is at the other end.

    In DNS rebinding the page of another site has the name of that site point to this server, and then reads from
    here as if it were its own. The browser sends that name as `Host`. IP addresses and `localhost` cannot be
    rebound, so they are always fine. Other names have to be in ALLOWED_HOSTS, if there are any, or if the server
    listens on loopback: there nothing else protects it.
    """

    def __init__(self, settings: Settings, peers: ClientAddresses) -> None:
        self._names = settings.allowed_hosts
        self._every_name = not self._names and not is_loopback(settings.host)
        self._behind_proxy = settings.behind_proxy
        self._peers = peers

    def check(self, scope: Scope) -> None:
        """Let the request pass.

        Raises:
            BadRequest: the Host header is missing, malformed, there twice, or none of this server.
            Forbidden: it comes past the reverse proxy.

        """
        if scope["path"] in FOR_ORCHESTRATORS or scope["path"].startswith(LOOKS):
            return
        if self._behind_proxy and not self._peers.is_proxy(scope):
            raise Forbidden("only the reverse proxy may connect here (TRUSTED_PROXIES)")
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
    if not match or (match[1] and not _is_address(match[1])):
        return None
    return (match[1] or match[2]).lower().removesuffix(".")


@lru_cache(maxsize=256)
def _is_local(name: str) -> bool:
    return name == "localhost" or name.endswith(".localhost") or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
