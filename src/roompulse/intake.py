"""How many reports come in, and when the newest one came."""

from collections import deque
from math import floor

RATE_WINDOW = 10
"""Seconds over which the rate is taken."""


class Intake:
    """Counts by the second, for RATE_WINDOW seconds. `newest` is the receipt of the newest report (Unix seconds)."""

    def __init__(self) -> None:
        self.newest: float | None = None
        self._counts: deque[tuple[int, int]] = deque()

    def note(self, count: int, now: float) -> None:
        """Count reports that are shown from now on."""
        second = floor(now)
        self._forget(second)
        if self._counts and self._counts[-1][0] == second:
            count += self._counts.pop()[1]
        self._counts.append((second, count))

    def rate(self, now: float) -> float:
        """Reports per second."""
        self._forget(floor(now))
        return sum(count for _, count in self._counts) / RATE_WINDOW

    def _forget(self, second: int) -> None:
        while self._counts and self._counts[0][0] <= second - RATE_WINDOW:
            self._counts.popleft()
        # The clock was set back: what it counted in seconds to come would stay for as long as it is back.
        while self._counts and self._counts[-1][0] > second:
            self._counts.pop()
