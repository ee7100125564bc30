"""Counts of the last seconds or minutes."""

from collections import deque
from math import floor


class SlidingCount:
    """Counts in `slots` slots of `width` seconds each; older ones are dropped."""

    __slots__ = ("_counts", "_slots", "_width")

    def __init__(self, width: float, slots: int) -> None:
        self._width = width
        self._slots = slots
        self._counts: deque[tuple[int, int]] = deque()

    def note(self, count: int, now: float) -> None:
        """Add to the slot of `now`, which may be one before the newest, as other processes' counts arrive later."""
        slot = floor(now / self._width)
        newer = self._counts.pop() if self._counts and self._counts[-1][0] == slot + 1 else None
        self._forget(slot)
        if self._counts and self._counts[-1][0] == slot:
            count += self._counts.pop()[1]
        self._counts.append((slot, count))
        if newer:
            self._counts.append(newer)

    def total(self, now: float) -> int:
        self._forget(floor(now / self._width))
        return sum(count for _, count in self._counts)

    def _forget(self, slot: int) -> None:
        while self._counts and self._counts[0][0] <= slot - self._slots:
            self._counts.popleft()
        # The clock was set back: counts in the future would stay until that time comes.
        while self._counts and self._counts[-1][0] > slot:
            self._counts.pop()
