"""Time is an argument: whatever needs the time is given a clock, and reads it once per operation."""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns the time now in Unix seconds."""


def system_clock() -> float:
    """Unix seconds with milliseconds, the precision that answers and the database keep."""
    return round(time.time(), 3)
