"""How many reports a second one sender may post."""

from collections import OrderedDict
from ipaddress import IPv6Address, IPv6Network
from math import ceil

from roompulse.clock import Clock
from roompulse.errors import TooManyRequests

BURST = 5
"""Seconds' worth of reports that a sender may post at once after a pause."""

MAX_SENDERS = 20_000
"""Senders that are remembered; the one not seen for longest is forgotten first, and begins with a full bucket."""


class Senders:
    """A token bucket for each address; an IPv6 sender is its /64, of which every host has 2⁶⁴ addresses."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        # A bucket that never holds a whole token would let nobody post.
        self._size = max(1.0, BURST * rate)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when there were that many

    def spend(self, address: str) -> None:
        """Take one token from the sender's bucket; raises TooManyRequests when it is empty."""
        if self._rate == 0:
            return
        key = _sender(address) if ":" in address else address
        now = self._clock()
        tokens, since = self._buckets.pop(key, (self._size, now))
        tokens = min(self._size, tokens + max(0.0, now - since) * self._rate)
        self._buckets[key] = (tokens - 1 if tokens >= 1 else tokens, now)
        if len(self._buckets) > MAX_SENDERS:
            self._buckets.popitem(last=False)
        if tokens < 1:
            raise TooManyRequests(
                f"more than {self._rate:g} reports a second from one sender",
                retry_after=max(1, ceil((1 - tokens) / self._rate)),
                reason="sender_rate",
            )


def _sender(address: str) -> str:
    ip = IPv6Address(address.partition("%")[0])
    return str(ip.ipv4_mapped or IPv6Network((ip.packed, 64), strict=False))
