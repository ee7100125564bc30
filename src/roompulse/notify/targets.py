"""Allowed targets of messages: not in the server's own network, unless that is allowed.

Otherwise a caller that can add channels could make the server send requests to machines only it can reach (SSRF). A
name is resolved here, all its addresses are checked, and the connection goes to a checked one.
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from roompulse.notify.model import SendError

_NAT64 = IPv6Network("64:ff9b::/96")
_UNICAST = IPv6Network("2000::/3")
"""The global unicast addresses of IPv6."""


class Targets:
    def __init__(self, *, private: bool) -> None:
        self._private = private

    async def address(self, host: str, port: int) -> str:
        """An address of a host, by name or address; raises SendError for one that is not allowed, or not found."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise SendError(f"{host} cannot be resolved") from None
        addresses = [str(address[0]) for *_, address in found]
        if not self._private and not all(map(is_public, addresses)):
            raise SendError(
                f"{host} is or resolves to an address that is not public (ALERT_PRIVATE_TARGETS allows it)", final=True
            )
        return addresses[0]

    def check_named(self, host: str) -> None:
        """Raises SendError for a host that is a literal address that is not public, or this machine."""
        if self._private:
            return
        try:
            allowed = is_public(host.strip("[]"))
        except ValueError:
            allowed = host.lower().removesuffix(".").rpartition(".")[2] != "localhost"
        if not allowed:
            raise SendError(f"{host} is not public (ALERT_PRIVATE_TARGETS allows it)", final=True)


def is_public(address: str) -> bool:
    """Whether the address is public; for an IPv6 address with an embedded IPv4 address, the latter counts."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv4Address):
        return ip.is_global and not ip.is_multicast
    embedded = _embedded(ip)
    return ip.is_global and ip in _UNICAST if embedded is None else is_public(str(embedded))


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64:
        return IPv4Address(ip.packed[-4:])
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
