"""IP addresses: which networks they are in, and which only this machine can reach."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from roompulse.errors import StartupError


class Networks:
    """IP addresses and networks, separated by commas."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._networks = [ip_network(part.strip()) for part in text.split(",") if part.strip()]

    def __contains__(self, address: str) -> bool:
        try:
            ip = _unmapped(address)
        except ValueError:
            return False
        return any(ip in network for network in self._networks)

    def __str__(self) -> str:
        return self._text


def is_address(text: str) -> bool:
    """Whether the text is an IP address, without a port or brackets."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def address_key(address: str) -> str:
    """What counts as one client: an IPv4 address, or an IPv6 /64, since every host there has 2⁶⁴ addresses."""
    if ":" not in address:
        return address
    ip = IPv6Address(address.partition("%")[0])
    return str(ip.ipv4_mapped or IPv6Network((ip.packed, 64), strict=False))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on this host. A name is resolved."""
    try:
        return _unmapped(host).is_loopback
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, address_family(host))
    except (OSError, UnicodeError):
        return False
    return all(_unmapped(str(address[0])).is_loopback for *_, address in found)


def address_family(host: str) -> socket.AddressFamily:
    """The family to listen with on this host. A name is resolved to IPv4 addresses only."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def listen(host: str, port: int) -> socket.socket:
    """The socket of a server; raises StartupError if it cannot be opened."""
    try:
        return socket.create_server((host, port), family=address_family(host))
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]
        raise StartupError(f"cannot listen on {host} port {port}: {reason}") from None


def _unmapped(address: str) -> IPv4Address | IPv6Address:
    """The address; an IPv4-mapped IPv6 address as the IPv4 one. Raises ValueError for an invalid one."""
    ip = ip_address(address)
    return getattr(ip, "ipv4_mapped", None) or ip
