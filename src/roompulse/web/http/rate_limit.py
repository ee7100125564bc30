"""How many reports a second one sender may post, and how much may be in them."""

from math import ceil

from roompulse.clock import Clock
from roompulse.errors import TooManyRequests
from roompulse.token_buckets import Buckets

BURST = 5
"""Seconds' worth of reports and streams that a sender may post at once after a pause."""


class RateLimit:
    """Token buckets for each sender: `reports` and `streams` a second. Without a limit on reports (0) there is none."""

    def __init__(self, reports: float, streams: float, clock: Clock) -> None:
        self._reports = Buckets(reports, BURST * reports) if reports else None
        self._streams = Buckets(streams, BURST * streams)
        self._clock = clock

    def spend(self, key: str) -> None:
        """Take the token of a report from its sender's bucket; raises TooManyRequests when it has no more of a kind.

        The streams of a report are paid for afterwards (`charge`): so a report that is refused here was not decoded.
        """
        if self._reports is None:
            return
        now = self._clock()
        self._check(key, now)
        if wait := self._reports.take(key, now):
            message = f"more than {self._reports.rate:g} reports a second from one sender"
            raise TooManyRequests(message, retry_after=ceil(wait), reason="sender_rate")

    def check(self, key: str) -> None:
        """Raises TooManyRequests when what was in the sender's reports is not made up for."""
        if self._reports is not None:
            self._check(key, self._clock())

    def _check(self, key: str, now: float) -> None:
        if wait := self._streams.wait(key, now):
            message = f"more than {self._streams.rate:g} streams a second from one sender"
            raise TooManyRequests(message, retry_after=ceil(wait), reason="sender_streams")

    def charge(self, key: str, streams: int) -> None:
        """Take the tokens of these streams; where there are fewer, the sender waits until they are made up for."""
        if self._reports is not None:
            self._streams.charge(key, self._clock(), streams)
