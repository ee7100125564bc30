"""Shared by tests that wait for another process or task."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE = 60.0
"""Seconds after which a test stops waiting."""

SOAK = "ROOMPULSE_SOAK" in os.environ
"""Whether it may take as long as `make soak` does."""


def eventually(look: Callable[[], T]) -> T:
    """Look until there is something, and return it."""
    began = time.monotonic()
    while not (found := look()):
        waited = time.monotonic() - began
        assert waited < DEADLINE, "it did not happen"
        time.sleep(_pause(waited))
    return found


async def soon(look: Callable[[], Awaitable[T]]) -> T:
    """`eventually`, beside other tasks of this process."""
    began = time.monotonic()
    async with asyncio.timeout(DEADLINE):
        while not (found := await look()):
            await asyncio.sleep(_pause(time.monotonic() - began))
    return found


def _pause(waited: float) -> float:
    """Seconds until the next poll: short at first, so that early changes are noticed early, then longer."""
    return min(max(0.02, waited / 10), 0.5)
