"""Token buckets: rate limits by key."""

from math import ceil

from roompulse.bounded import BoundedMap
from roompulse.errors import Problem, Reason, TooManyRequests

MOST = 20_000
"""Buckets that are remembered; a dropped one begins full again."""


class Buckets:
    """A bucket for each key: up to `size` tokens, and `rate` more per second. Times are Unix seconds."""

    def __init__(self, rate: float, size: float) -> None:
        self.rate = rate
        # A bucket that never holds a whole token would permit nothing.
        self._size = max(1.0, size)
        self._buckets: BoundedMap[str, tuple[float, float]] = BoundedMap(MOST)

    def wait(self, key: str, now: float, count: int = 1) -> float:
        """Seconds until there are `count` tokens; 0 if there are."""
        missing = count - self._tokens(key, now)
        return missing / self.rate if missing > 0 else 0.0

    def take(self, key: str, now: float, ahead: float = 0.0) -> float:
        """Return the seconds until there is a token, which is taken if these are at most `ahead`."""
        tokens = self._tokens(key, now)
        wait = (1 - tokens) / self.rate if tokens < 1 else 0.0
        self._buckets.put(key, (tokens - 1 if wait <= ahead else tokens, now))
        return wait

    def charge(self, key: str, now: float, count: int) -> None:
        """Take `count` tokens, also where there are fewer: then there is none until these are made up for."""
        self._buckets.put(key, (self._tokens(key, now) - count, now))

    def _tokens(self, key: str, now: float) -> float:
        bucket = self._buckets.peek(key)
        if bucket is None:
            return self._size
        tokens, since = bucket
        if since > now:  # the clock was set back: without this, no token would be added until it has caught up
            self._buckets.put(key, (tokens, now))
            return tokens
        return min(self._size, tokens + (now - since) * self.rate)


class Quota:
    """What each sender may bring in now: a bucket of a minute's worth. Only what really comes takes of it.

    `message` names what is brought in, and `reason` the limit; None `a_minute` is no limit.
    """

    def __init__(self, a_minute: int | None, message: str, reason: Reason) -> None:
        self._message = f"{message} a minute from one sender"
        self._reason = reason
        self._buckets = Buckets(a_minute / 60, a_minute) if a_minute else None

    def refusal(self, sender: str, now: float, count: int) -> Problem | None:
        """Say why a sender may not bring in `count` now, or return None."""
        if not (self._buckets and sender) or not (wait := self._buckets.wait(sender, now, count)):
            return None
        return TooManyRequests(self._message, retry_after=ceil(wait), reason=self._reason)

    def note(self, sender: str, now: float, count: int = 1) -> None:
        """Note that so many of this sender have come."""
        if self._buckets and sender:
            self._buckets.charge(sender, now, count)
