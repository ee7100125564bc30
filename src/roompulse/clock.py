"""Time is an argument: code that needs the time gets a clock, and reads it once per operation."""

import time
from collections.abc import Callable
from math import inf

Clock = Callable[[], float]
"""Returns the time now in Unix seconds."""

JUMP = 2.0
"""Seconds by which a clock must be set to count as set: a leap second and a slow adjustment do not."""


# Python's monotonic clock stands still on Linux while the machine is suspended; other systems have no other one.
_BOOT_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def system_clock() -> float:
    """Unix seconds with milliseconds, the precision that answers and the database keep."""
    return (time.time_ns() + 500_000) // 1_000_000 / 1000


def since_boot() -> float:
    """Seconds since boot, independent of the wall clock, including suspends of the machine."""
    return time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)


class WallClock:
    """A clock that notices when it is set, by comparison with a monotonic one.

    `jumped` is the total of the seconds by which it was set.
    """

    def __init__(self, wall: Clock = system_clock, passed: Clock = since_boot) -> None:
        self.jumped = 0.0
        self._wall = wall
        self._passed = passed
        self._started = passed()
        self._set_at = -inf
        self._offset = wall() - self._started
        self._followers: list[Callable[[float, float], None]] = []

    def on_jump(self, follow: Callable[[float, float], None]) -> None:
        """Have `follow` called with the whole seconds by which the clock was set, and the time now.

        It is called before the reader of the clock gets that time: so ages may be kept by adding the seconds to times.
        """
        self._followers.append(follow)

    def start_over(self) -> None:
        """Accept the present time as right: a difference from before is no jump."""
        self._offset = self._wall() - self._passed()

    def __call__(self) -> float:
        """The time now in Unix seconds."""
        now, passed = self._wall(), self._passed()
        offset = now - passed
        jump, self._offset = offset - self._offset, offset
        if not -JUMP < jump < JUMP:
            self.jumped += round(jump)
            self._set_at = passed
            for follow in self._followers:
                follow(round(jump), now)
        return now

    def steady_for(self) -> float:
        """Seconds since it was set, or since the start if it was not."""
        return self._passed() - max(self._started, self._set_at)

    def was_set_within(self, seconds: float) -> bool:
        return self._passed() - self._set_at < seconds
