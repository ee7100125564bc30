"""The rate limit of a sender's reports."""

from math import ceil

from roompulse.clock import Clock
from roompulse.errors import TooManyRequests
from roompulse.token_buckets import Buckets

BURST = 5
"""Seconds' worth of reports in a burst after a pause."""


class RateLimit:
    """A token bucket for each sender; a `rate` of 0 is no limit."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._buckets = Buckets(rate, BURST * rate) if rate else None
        self._clock = clock

    def spend(self, key: str) -> None:
        """Take one token from a sender's bucket; raises TooManyRequests when it is empty."""
        if self._buckets and (wait := self._buckets.take(key, self._clock())):
            raise TooManyRequests(
                f"more than {self._buckets.rate:g} reports a second from one sender",
                retry_after=ceil(wait),
                reason="sender_rate",
            )
