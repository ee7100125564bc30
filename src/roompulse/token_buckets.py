"""Token buckets: how often each of many may do something."""

from roompulse.bounded import BoundedMap

MOST = 20_000
"""Buckets that are remembered; the one not used for longest is forgotten first, and begins full again."""


class Buckets:
    """A bucket for each key. It holds up to `size` tokens, and gets `rate` of them a second; times are Unix seconds."""

    def __init__(self, rate: float, size: float) -> None:
        self.rate = rate
        # A bucket that never holds a whole token would let nobody do anything.
        self._size = max(1.0, size)
        self._buckets: BoundedMap[str, tuple[float, float]] = BoundedMap(MOST)  # tokens, and when there were that many

    def wait(self, key: str, now: float, count: int = 1) -> float:
        """Seconds until there are `count` tokens, 0 if there are."""
        return max(0.0, (count - self._tokens(key, now)) / self.rate)

    def take(self, key: str, now: float) -> float:
        """Take a token and return 0, or return in how many seconds there is one."""
        tokens = self._tokens(key, now)
        self._buckets.put(key, (tokens - 1 if tokens >= 1 else tokens, now))
        return max(0.0, (1 - tokens) / self.rate)

    def _tokens(self, key: str, now: float) -> float:
        tokens, since = self._buckets.peek(key) or (self._size, now)
        return min(self._size, tokens + max(0.0, now - since) * self.rate)
